"""A registry of recordings: a file of JSON lines that says in which split of which data set a recording stands.

    {"kind":"video","video_id":"mose/0a1b2c3d","dataset":"mevis","split":"valid_u","first_frame":"6d2f0c9b81e4a357"}
    {"kind":"different","video_ids":["davis/bear","mose/0a1b2c3d"]}

Entries come from finished task sets, from a data set on disk, or from a list of ids; nothing is in it that no file of the user's
has said. The file is sorted, each entry stands once, and it appears whole.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from sightline.datasets import clip_format
from sightline.errors import InputError
from sightline.files import write_whole
from sightline.tasks.pictures import Studio
from sightline.taskset.recordings import canonical_id, see_recording
from sightline.types import Record

MAX_BYTES = 1 << 30
HELD_OUT = ("val", "test", "dev", "minival")


class Sighting(Record, tag_field="kind", tag="video"):
    """A recording in a split of a data set. `first_frame` is the hash of `recordings`; None where it is not known."""

    video_id: str
    dataset: str
    split: str
    first_frame: str | None = None

    def __str__(self) -> str:
        return f"{self.video_id} ({self.dataset}, {self.split})"


class Different(Record, tag_field="kind", tag="different"):
    """Two recordings that look alike but are not the same, as a person has seen."""

    video_ids: tuple[str, str]


def held_out(split: str) -> bool:
    """Whether a split is for validation or test, by its name (val, valid_u, testA, test-dev); any other is taken for training."""
    return split.lower().startswith(HELD_OUT)


def read_registry(path: Path) -> tuple[list[Sighting], list[Different]]:
    """The entries of a registry file.

    Raises:
        FileNotFoundError: no such file.
        InputError: a line that is no entry, named by its number; or a file too large.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such registry. Make one with `sightline leaks add`.")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: a registry of {path.stat().st_size:,} bytes; at most {MAX_BYTES:,} are read.")
    decoder = msgspec.json.Decoder(Sighting | Different)
    entries = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                entry = decoder.decode(line)
                _check_hash(entry)
            except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
                raise InputError(f"{path}, line {number}: {error}. See `sightline.taskset.registry` for the two kinds.") from error
            entries.append(entry)
    return [entry for entry in entries if isinstance(entry, Sighting)], [entry for entry in entries if isinstance(entry, Different)]


def _check_hash(entry: Sighting | Different) -> None:
    if isinstance(entry, Sighting) and entry.first_frame is not None:
        if len(entry.first_frame) != 16:
            raise ValueError(f"first_frame {entry.first_frame!r}; expected 16 hexadecimal digits")
        int(entry.first_frame, 16)


def add_to_registry(path: Path, entries: Iterable[Sighting | Different]) -> int:
    """Add entries to a registry, which is made if it is not there; returns how many were new."""
    encoder = msgspec.json.Encoder()
    old = {encoder.encode(entry) for kind in (read_registry(path) if path.exists() else ()) for entry in kind}
    every = old | {encoder.encode(entry) for entry in entries}
    if every != old:
        write_whole(path, b"".join(line + b"\n" for line in sorted(every)))
    return len(every) - len(old)


def sightings_of_data(reader: str, root: Path, split: str) -> Iterator[Sighting]:
    """The recordings of a split on disk, without building anything of it; hashed where their first frames are there.

    Raises:
        FileNotFoundError, InputError: no reader of clips has this name, or it cannot read the root.
    """
    for clip in clip_format(reader)(root, split):
        found, _ = see_recording(clip, Studio(root), reader=reader)
        yield Sighting(video_id=found.video_id, dataset=reader, split=split, first_frame=found.first_frame)


def sightings_of_list(path: Path, *, dataset: str, split: str) -> Iterator[Sighting]:
    """The recordings of a list, one id a line ("mose/0a1b2c3d"; a name alone is of `dataset`). Empty lines do not count.

    Raises:
        FileNotFoundError: no such file.
        InputError: a file too large.
    """
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: a list of {path.stat().st_size:,} bytes; at most {MAX_BYTES:,} are read.")
    for line in path.read_text().splitlines():
        if name := line.strip():
            yield Sighting(video_id=canonical_id(name if "/" in name else f"{dataset}/{name}"), dataset=dataset, split=split)
