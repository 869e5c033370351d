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
from collections.abc import Callable, Sequence
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
ROWS_A_PART = 4096
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


def token_counts(source: Source, chat: Chat, *, cache: Path, progress: Progress = lambda *_: None) -> Counts:
    """The counts of every sample of `source`, memory-mapped; counted now where they are not in `cache`.

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
                _count_all(source, chat, folder, progress)
    elif read_json(folder / "bad.json", Bad):
        with only_writer(folder):
            _count_bad_again(source, chat, folder)
    counts = np.load(folder / "counts.npy", mmap_mode="r", allow_pickle=False)
    if counts.shape != (len(source), 3) or counts.dtype != np.int32:
        raise InputError(f"{folder / 'counts.npy'}: {counts.dtype} {counts.shape}; expected int32 ({len(source)}, 3). Delete it.")
    bad = {int(position): reason for position, reason in read_json(folder / "bad.json", Bad).items()}
    tokens, supervised, media = (np.asarray(counts[:, column]) for column in range(3))
    return Counts(tokens, supervised, media, key, bad)


def _count_all(source: Source, chat: Chat, folder: Path, progress: Progress) -> None:
    starts = range(0, len(source), ROWS_A_PART)
    what = f"tokens of {source.name}"
    for part, start in enumerate(starts):
        end = min(start + ROWS_A_PART, len(source))
        if not (folder / f"part-{part:05d}.npy").is_file():
            counts, bad = _count(source, chat, range(start, end), progress=lambda done: progress(what, done, len(source)))
            write_json(folder / f"bad-{part:05d}.json", bad)
            write_whole(folder / f"part-{part:05d}.npy", _npy(counts))
        progress(what, end, len(source))
    parts = [folder / f"part-{part:05d}.npy" for part in range(len(starts))]
    bad_parts = [folder / f"bad-{part:05d}.json" for part in range(len(starts))]
    write_json(folder / "bad.json", {key: reason for path in bad_parts for key, reason in read_json(path, Bad).items()})
    write_whole(folder / "counts.npy", _npy(np.concatenate([np.load(path, allow_pickle=False) for path in parts])))
    for path in (*parts, *bad_parts):
        path.unlink()


def _count(
    source: Source, chat: Chat, positions: Sequence[int], *, progress: Callable[[int], None]
) -> tuple[Int32[np.ndarray, "n 3"], Bad]:
    counts = np.zeros((len(positions), 3), np.int32)
    bad: Bad = {}
    for row, position in enumerate(positions):
        try:
            counts[row] = chat.count(source[position])
        except (InputError, FileNotFoundError) as error:  # kept with its reason; the plan stops or drops, as asked
            bad[str(position)] = str(error)
        if row % 64 == 63:
            progress(position + 1)
    return counts, bad


def _count_bad_again(source: Source, chat: Chat, folder: Path) -> None:
    positions = [int(position) for position in read_json(folder / "bad.json", Bad)]
    found, bad = _count(source, chat, positions, progress=lambda _: None)
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
