"""How many tokens each sample has, counted once and kept as an array on disk.

    CACHE/{source}-{32 hex digits}/
        what.json         what was counted: fingerprints of source and processor
        part-00000.npy    int32, (4096, 3): tokens, supervised tokens, tokens of pictures; while it is being counted
        bad-00000.json    the samples of that part that cannot be counted, and why
        counts.npy, bad.json   all of it, written last

The digits stand for everything that changes a count: the source with its dialect, and the processor with its template, pixel
limits and frames a video. The same call goes on after an interruption, and later calls map the array. Samples that could not be
counted are tried again each time: a missing picture may be there by now. That the pictures themselves have changed is not seen
here, but where a sample is put together and has another length than was planned.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Int32

from sightline.errors import InputError
from sightline.files import only_writer, read_json, remove_temporaries, write_json, write_whole
from sightline.train.vlm.chat import Chat
from sightline.train.vlm.samples import Source

FORMAT = 1
ROWS_A_PART, ROWS_A_CHUNK = 4096, 64
Progress = Callable[[str, int, int], None]
Bad = dict[str, str]
"""Why a sample cannot be counted, by its position (JSON has no other keys than text)."""


@dataclass(frozen=True)
class Counts:
    """One entry a sample of a source, before any filter. `bad` says of the samples with 0 tokens why they have none.

    `fingerprint` names what was counted.
    """

    tokens: Int32[np.ndarray, " n"]
    supervised: Int32[np.ndarray, " n"]
    media: Int32[np.ndarray, " n"]
    fingerprint: str
    bad: dict[int, str]


def token_counts(source: Source, chat: Chat, *, cache: Path, num_workers: int = 0, progress: Progress = lambda *_: None) -> Counts:
    """The counts of every sample of `source`, memory-mapped; counted now where they are not in `cache`.

    Args:
        num_workers: processes that count; 0: this one. The counts are the same.

    Raises:
        InputError: another process is counting the same, or the cache is damaged.
    """
    what = {"format": FORMAT, "source": source.fingerprint, "processor": chat.fingerprint, "samples": len(source)}
    key = hashlib.blake2b(json.dumps(what, sort_keys=True).encode(), digest_size=16).hexdigest()
    folder = cache / f"{_file_name(source.name)}-{key}"
    if not (folder / "counts.npy").is_file():
        with only_writer(folder):
            remove_temporaries(folder)
            write_json(folder / "what.json", what)
            if not (folder / "counts.npy").is_file():
                _count_all(Chunks(source, chat), folder, num_workers, progress)
    elif read_json(folder / "bad.json", Bad):
        with only_writer(folder):
            _count_bad_again(source, chat, folder)
    counts = np.load(folder / "counts.npy", mmap_mode="r", allow_pickle=False)
    if counts.shape != (len(source), 3) or counts.dtype != np.int32:
        raise InputError(f"{folder / 'counts.npy'}: {counts.dtype} {counts.shape}; expected int32 ({len(source)}, 3). Delete it.")
    bad = {int(position): reason for position, reason in read_json(folder / "bad.json", Bad).items()}
    tokens, supervised, media = (np.asarray(counts[:, column]) for column in range(3))
    return Counts(tokens, supervised, media, key, bad)


class Chunks:
    """The counts of samples, `ROWS_A_CHUNK` after each other at a time, by the chunk's number."""

    def __init__(self, source: Source, chat: Chat) -> None:
        self.source = source
        self.chat = chat

    def __len__(self) -> int:
        return math.ceil(len(self.source) / ROWS_A_CHUNK)

    def __getitem__(self, number: int) -> tuple[Int32[np.ndarray, "n 3"], Bad]:
        start = number * ROWS_A_CHUNK
        return _count(self.source, self.chat, range(start, min(start + ROWS_A_CHUNK, len(self.source))))


def _count_all(chunks: Chunks, folder: Path, num_workers: int, progress: Progress) -> None:
    """Part by part; those that are there already are not counted again."""
    size = len(chunks.source)
    starts = range(0, len(chunks), ROWS_A_PART // ROWS_A_CHUNK)
    of_part = [range(start, min(start + starts.step, len(chunks))) for start in starts]
    missing = [part for part in range(len(starts)) if not (folder / f"part-{part:05d}.npy").is_file()]
    counted = _in_order(chunks, [number for part in missing for number in of_part[part]], num_workers)
    for part in missing:
        counts: list[Int32[np.ndarray, "n 3"]] = []
        bad: Bad = {}
        for number, (some, some_bad) in zip(of_part[part], counted, strict=False):  # strict would take one chunk too many
            counts.append(some)
            bad |= some_bad
            progress(f"tokens of {chunks.source.name}", min((number + 1) * ROWS_A_CHUNK, size), size)
        write_json(folder / f"bad-{part:05d}.json", bad)
        write_whole(folder / f"part-{part:05d}.npy", _npy(np.concatenate(counts)))
    parts = [folder / f"part-{part:05d}.npy" for part in range(len(starts))]
    bad_parts = [folder / f"bad-{part:05d}.json" for part in range(len(starts))]
    write_json(folder / "bad.json", {key: reason for path in bad_parts for key, reason in read_json(path, Bad).items()})
    write_whole(folder / "counts.npy", _npy(np.concatenate([np.load(path, allow_pickle=False) for path in parts])))
    for path in (*parts, *bad_parts):
        path.unlink()


def _in_order(chunks: Chunks, numbers: list[int], num_workers: int) -> Iterator[tuple[Int32[np.ndarray, "n 3"], Bad]]:
    """The chunks of these numbers, counted by as many processes."""
    if not num_workers or len(numbers) < 2:
        return map(chunks.__getitem__, numbers)
    from torch.utils.data import DataLoader  # noqa: PLC0415 - slow to import

    return iter(DataLoader(chunks, sampler=numbers, batch_size=None, num_workers=min(num_workers, len(numbers))))  # pyright: ignore[reportArgumentType] - by its methods it is a Dataset


def _count(source: Source, chat: Chat, positions: Sequence[int]) -> tuple[Int32[np.ndarray, "n 3"], Bad]:
    counts = np.zeros((len(positions), 3), np.int32)
    bad: Bad = {}
    for row, position in enumerate(positions):
        try:
            counts[row] = chat.count(source[position])
        except (InputError, FileNotFoundError) as error:  # kept with its reason; the plan stops or drops, as asked
            bad[str(position)] = str(error)
    return counts, bad


def _count_bad_again(source: Source, chat: Chat, folder: Path) -> None:
    positions = [int(position) for position in read_json(folder / "bad.json", Bad)]
    found, bad = _count(source, chat, positions)
    if len(bad) == len(positions):
        return
    counts = np.load(folder / "counts.npy", allow_pickle=False)
    counts[positions] = found
    write_whole(folder / "counts.npy", _npy(counts))  # before bad.json: a sample with tokens that is called bad is only tried again
    write_json(folder / "bad.json", bad)


def _npy(array: Int32[np.ndarray, "n 3"]) -> bytes:
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)[:80]
