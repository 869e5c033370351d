"""Questions about the same pictures in one pack, whose common beginning is there once.

A sample's beginning is everything up to its last picture or film. Samples of one row with the same beginning are put behind each
other; the first keeps its own, the others go on from it:

    [beginning][question 1, answer 1][question 2, answer 2] ...

Each question sees the beginning and itself, at the positions it would have alone, so that losses and gradients are those of the
samples apart. The language model works on the beginning once instead of once a question.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Int32, Int64

from sightline.errors import InputError
from sightline.evaluate.video.bit_kernels import compiled
from sightline.train.vlm.labels import IGNORED, Labelled
from sightline.train.vlm.packing import Packs
from sightline.train.vlm.samples import FrameRun, MediaRef, Sample, Slot, Source

PROVEN = frozenset({"qwen2_5_vl", "qwen3_vl"})
"""Families, Spatial-MLLM among the first, for which the tests have shown it to be equal to samples apart."""
WAYS = frozenset({"segments", "flex", "mask"})


@dataclass(frozen=True)
class Piece:
    """Sample number `sample` of a row without its first `skipped` tokens, which those of sample number `after` stand for."""

    sample: int
    skipped: int = 0
    after: int | None = None


def check_sharing(family: str, isolation: str) -> None:
    """See that a family may share beginnings when samples are kept apart in this way.

    Raises:
        InputError: it is not proven, or the way cannot do it.
    """
    if family not in PROVEN:
        raise InputError(
            f"data.pack_by=prefix is not proven for {family}; it is for {', '.join(sorted(PROVEN))}. Use data.pack_by=group."
        )
    if isolation not in WAYS:
        raise InputError(
            f"data.pack_by=prefix cannot be kept apart by {isolation!r}; it can by {', '.join(sorted(WAYS))}. Set "
            "data.attention=flex on a GPU, or segments."
        )


def arrange(row: Sequence[tuple[Labelled, tuple[int, ...]]]) -> list[Piece]:
    """The samples of a row, those of one beginning behind each other.

    Args:
        row: of each sample its tokens, and which of the batch's pictures stand in its slots.
    """
    first_of: dict[object, int] = {}
    together: dict[int, list[Piece]] = {}
    for number, (labelled, pictures) in enumerate(row):
        length = beginning(labelled)
        key = (pictures, labelled.ids[:length].tobytes()) if length else number
        first = first_of.setdefault(key, number)
        together.setdefault(first, []).append(Piece(number) if first == number else Piece(number, length, first))
    return [piece for pieces in together.values() for piece in pieces]


def beginning(labelled: Labelled) -> int:
    """How many tokens a sample's beginning has; 0 where it shows nothing, or is to write what comes next to it."""
    if not labelled.slots.size:
        return 0
    length = int(labelled.slots[-1].sum())
    alone = (labelled.labels[:length] == IGNORED).all() and length < labelled.ids.size and labelled.labels[length] == IGNORED
    return length if alone else 0


def beginnings(source: Source) -> Int64[np.ndarray, " n"]:
    """A number for each sample, the same for those of one beginning. Reads every sample, and no media."""
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(_key(source[place]), len(numbers)) for place in range(len(source))], np.int64)


def pack_shared(
    lengths: Int32[np.ndarray, " n"],
    repeated: Int32[np.ndarray, " n"],
    groups: Int64[np.ndarray, " n"],
    bounds: Int64[np.ndarray, " windows_and_one"],
    *,
    capacity: int,
) -> Packs:
    """Samples in their order into packs of at most `capacity` tokens; one behind another of its group has `repeated` tokens. As
    `packing.pack`, no pack reaches over a window."""
    row_of = np.empty(lengths.size, np.int32)
    first_row = np.zeros(bounds.size, np.int64)
    _fill(lengths, repeated, groups, bounds, capacity, row_of, first_row)
    return Packs(row_of, first_row)


@compiled
@no_type_check
def _fill(
    lengths: np.ndarray,
    repeated: np.ndarray,
    groups: np.ndarray,
    bounds: np.ndarray,
    capacity: int,
    row_of: np.ndarray,
    first_row: np.ndarray,
) -> None:
    num_rows = 0
    for window in range(bounds.size - 1):
        room = -1
        for sample in range(bounds[window], bounds[window + 1]):
            again = room >= 0 and groups[sample] == groups[sample - 1]
            cost = repeated[sample] if again else lengths[sample]
            if cost > room:
                cost, room = lengths[sample], capacity
                num_rows += 1
            room -= cost
            row_of[sample] = num_rows - 1
        first_row[window + 1] = num_rows


def row_tokens(
    lengths: Int32[np.ndarray, " n"],
    repeated: Int32[np.ndarray, " n"],
    groups: Int64[np.ndarray, " n"],
    starts: Int64[np.ndarray, " rows_and_one"],
) -> Int64[np.ndarray, " rows"]:
    """The tokens of rows whose samples stand in their order; an upper bound, because words before the pictures count each time."""
    again = np.zeros(lengths.size, bool)
    again[1:] = groups[1:] == groups[:-1]
    again[starts[:-1]] = False
    return np.add.reduceat(np.where(again, repeated, lengths), starts[:-1], dtype=np.int64)


def _key(sample: Sample) -> bytes:
    """Names what stands up to the last slot of a sample; its own id where it shows nothing."""
    parts = [(turn.role, part) for turn in sample.turns for part in turn.parts]
    last = max((place for place, (_, part) in enumerate(parts) if isinstance(part, Slot)), default=None)
    if last is None:
        said: object = ("alone", sample.id)
    else:
        media = [_files(medium) for medium in (*sample.images, *sample.videos)]
        said = [*((role, part if isinstance(part, str) else (part.kind, part.index)) for role, part in parts[: last + 1]), *media]
    return hashlib.blake2b(repr(said).encode(), digest_size=16).digest()


def _files(medium: MediaRef | FrameRun) -> list[str]:
    return [str(ref.path) for ref in (medium.frames if isinstance(medium, FrameRun) else (medium,))]
