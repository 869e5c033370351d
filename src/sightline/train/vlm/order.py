"""The endless order of a stage's samples: epoch after epoch, each a shuffled mix of its sources.

A source of n samples with weight w gives w * n samples to each epoch (a fraction left over goes to a later one): they are taken
in turn from passes over the source, each pass a permutation of its own. So with weight 0.5 two epochs hold every sample once,
with 2.5 an epoch holds each twice and half of them a third time. With groups the samples of an epoch come group after
group: the groups are shuffled, and within one the samples stand as they do in their source, beginning anywhere.
Every permutation has a random stream of its own, named by the
seed, the stage, and what it is for; nothing is counted on from one to the next.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Int64

PASS, EPOCH, ROWS, TURN = range(4)  # what a random stream is for
FINEST_WEIGHT = 10**6


@dataclass(frozen=True)
class Share:
    """Samples of one source in a stage: their numbers over all sources, and how often each comes in an epoch."""

    samples: Int64[np.ndarray, " n"]
    weight: float = 1.0

    def upto(self, epoch: int) -> int:
        """How many samples the epochs before `epoch` have taken."""
        return int(Fraction(self.weight).limit_denominator(FINEST_WEIGHT) * self.samples.size * epoch)


def stage_order(
    shares: tuple[Share, ...], *, seed: int, stage: int, length: int, groups: Int64[np.ndarray, " m"] | None = None
) -> Int64[np.ndarray, " length"]:
    """The first `length` samples of the order; an epoch has at least one.

    Args:
        groups: of every sample by its number; None: samples are shuffled one by one.
    """
    epochs = []
    found = epoch = 0
    while found < length:
        epochs.append(_epoch(shares, (seed, stage), epoch, groups))
        found += epochs[-1].size
        epoch += 1
    return np.concatenate(epochs)[:length] if epochs else np.zeros(0, np.int64)


def epoch_length(shares: tuple[Share, ...], *, epochs: int) -> int:
    """How many samples the first `epochs` epochs have together."""
    return sum(share.upto(epochs) for share in shares)


def _epoch(
    shares: tuple[Share, ...], key: tuple[int, int], epoch: int, groups: Int64[np.ndarray, " m"] | None
) -> Int64[np.ndarray, " n"]:
    pieces = []
    passes = []
    for number, share in enumerate(shares):
        start, end, size = share.upto(epoch), share.upto(epoch + 1), share.samples.size
        while start < end:
            round_, place = divmod(start, size)
            taken = min(end - start, size - place)
            whole = taken == size  # the epoch is shuffled anyway
            order = slice(None) if whole else _stream(*key, PASS, number, round_).permutation(size)[place : place + taken]
            pieces.append(share.samples[order])
            passes.append(np.full(taken, round_))
            start += taken
    mixed = np.concatenate(pieces) if pieces else np.zeros(0, np.int64)
    shuffled = _stream(*key, EPOCH, epoch)
    if groups is None:
        return shuffled.permutation(mixed)
    return _by_group(mixed, np.concatenate(passes or [mixed]), groups[mixed], (shuffled, _stream(*key, TURN, epoch)))


def _by_group(
    samples: Int64[np.ndarray, " n"],
    passes: Int64[np.ndarray, " n"],
    groups: Int64[np.ndarray, " n"],
    streams: tuple[np.random.Generator, np.random.Generator],
) -> Int64[np.ndarray, " n"]:
    """Groups in random order; in each its samples, pass after pass, from a random one on."""
    order = np.lexsort((samples, passes, groups))
    _, first, number, size = np.unique(groups[order], return_index=True, return_inverse=True, return_counts=True)
    places = streams[0].permutation(size.size)[number]
    turned = (np.arange(order.size) - first[number] + streams[1].integers(0, size)[number]) % size[number]
    return samples[order[np.lexsort((turned, places))]]


def row_keys(count: int, *, seed: int, stage: int) -> np.ndarray:
    """Random numbers by which the rows of a stage are shuffled; the first ones do not depend on how many there are."""
    return _stream(seed, stage, ROWS).random(count)


def _stream(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))
