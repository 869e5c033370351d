"""Which conversation is trained on at which place of which batch: a pure function of the seed and the batch's number.

Conversations come in the order of `train.vlm.order`: epoch after epoch, each a shuffled mix of the sources by their weights. Row r
of batch n is number n * batch_size + r; what is drawn in it (expressions, frames, answers) comes from a stream of that number.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int64

from sightline.train.sa2va.conversations import Conversation, Spoken
from sightline.train.vlm.order import Share, stage_order

CONTENT = 7  # what the random stream is for


@dataclass(frozen=True)
class Weighted:
    """A source, how often its conversations come in an epoch, and the percentage of them that is used, always the same ones."""

    source: Spoken
    weight: float = 1.0
    percent: float = 100.0


@dataclass(frozen=True)
class Plan:
    """What a run is trained on.

    Args:
        batch_size: conversations of a batch, over all processes.
        num_batches: of the whole run.
    """

    sources: tuple[Weighted, ...]
    batch_size: int
    num_batches: int
    seed: int

    def numbers(self, batch: int, *, rank: int, num_processes: int) -> range:
        """The conversations of a batch that one process loads; all together load each once."""
        share = self.batch_size // num_processes
        first = batch * self.batch_size + rank * share
        return range(first, first + share)

    def source(self, number: int) -> tuple[Spoken, int]:
        """The source of a conversation, and its position there."""
        place = int(self._order[number])
        table = int(np.searchsorted(self._offsets, place, side="right")) - 1
        return self.sources[table].source, place - int(self._offsets[table])

    def conversation(self, number: int) -> Conversation:
        """Number `number` of the run; raises as its source does."""
        source, position = self.source(number)
        return source.conversation(position, self.stream(number))

    def stream(self, number: int) -> np.random.Generator:
        """The random numbers of what is in a conversation; each call starts anew."""
        return np.random.default_rng((self.seed, CONTENT, number))

    @cached_property
    def _offsets(self) -> Int64[np.ndarray, " tables"]:
        return np.cumsum([0, *(len(each.source) for each in self.sources[:-1])], dtype=np.int64)

    @cached_property
    def _order(self) -> Int64[np.ndarray, " n"]:
        shares = tuple(
            Share(_used(len(each.source), each.percent) + offset, each.weight)
            for each, offset in zip(self.sources, self._offsets, strict=True)
        )
        return stage_order(shares, seed=self.seed, stage=0, length=self.num_batches * self.batch_size)


def _used(count: int, percent: float) -> Int64[np.ndarray, " n"]:
    kept = max(round(count * percent / 100), 1)
    return np.sort(np.random.default_rng(0).permutation(count)[:kept]).astype(np.int64)
