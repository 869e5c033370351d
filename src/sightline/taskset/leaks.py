"""The leak check over data sets: no recording is trained on that another data set, or another split, tests on.

Data sets of video share recordings under other names and splits: MeViS, ReVOS and MOSE overlap, Ref-YouTube-VOS is made of
YouTube-VOS. A recording is known again by its id, by the perceptual hash of its first frame, or by a picture that is the same pixel
for pixel. It is known of the task sets at hand (their `sources.jsonl`), of what a registry file lists (see `registry`), and of the
scenes that `scene_lists` names.

What cannot be known: a recording whose copy starts at another moment, is mirrored, or is cropped has another hash; where its id
differs as well, only a picture with the very same pixels gives it away.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from jaxtyping import UInt64

from sightline.errors import InputError
from sightline.files import read_json
from sightline.geometry.perceptual_hash import SAME_PICTURE, near_hashes
from sightline.taskset.recordings import Recording
from sightline.taskset.registry import Different, Sighting, held_out, read_registry
from sightline.taskset.scene_lists import listed_sightings
from sightline.taskset.splits import NAMED, same_pictures
from sightline.taskset.store import Manifest
from sightline.types import Record

SIGHTINGS_AT_A_TIME = 50_000
LISTED = 50  # how many recordings an error names, beside those of which it says more


class Leak(Record):
    """A recording that is trained on and tested on, and how it was found; `distance` is in bits, given where by the hash."""

    trained: Sighting
    tested: Sighting
    found_by: Literal["id", "first frame"]
    distance: int | None = None

    def __str__(self) -> str:
        how = "the same id" if self.found_by == "id" else f"first frames that differ in {self.distance} of 64 bits"
        return f"trained on {self.trained}, tested on {self.tested}: {how}"


def read_sightings(taskset: Path) -> Iterator[Sighting]:
    """The recordings of a task set, complete or just assembled; none where it was not made of clips.

    Raises:
        InputError: a damaged `sources.jsonl`.
    """
    manifest = read_json(taskset / "manifest.json", Manifest)
    split = _role(taskset, manifest)
    path = taskset / "sources.jsonl"
    if not path.is_file():
        return
    decoder = msgspec.json.Decoder(Recording)
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                found = decoder.decode(line)
            except msgspec.DecodeError as error:
                raise InputError(f"{path}, line {number}: {error}. The task set is damaged: build it again.") from error
            dataset = str(manifest.recipe.get("reader", manifest.name))
            yield Sighting(video_id=found.video_id, dataset=dataset, split=split, first_frame=found.first_frame)


def _role(taskset: Path, manifest: Manifest) -> str:
    """The split of a task set's examples: files of questions have names of their own ("tinybench")."""
    if manifest.task != "spatial_qa" or not manifest.num_examples:
        return manifest.split
    import pyarrow.parquet as pq  # noqa: PLC0415

    first = next(pq.ParquetFile(taskset / "index.parquet").iter_batches(1, columns=["split"]))
    return str(first.column(0)[0].as_py())


class HeldOut:
    """Recordings that are tested on, to look others up among. `different` are pairs that only look alike."""

    def __init__(self, tested: Sequence[Sighting], *, different: Iterable[Different] = ()) -> None:
        self._apart = {frozenset(pair.video_ids) for pair in different}
        self._by_id: dict[str, list[Sighting]] = {}
        for sighting in tested:
            self._by_id.setdefault(sighting.video_id, []).append(sighting)
        self._hashed = [sighting for sighting in tested if sighting.first_frame is not None]
        self._hashes = _hashes(self._hashed)

    def find(self, trained: Sequence[Sighting]) -> list[Leak]:
        """Each of the given recordings that is tested on, once for each place where it is."""
        found = {
            Leak(trained=sighting, tested=twin, found_by="id"): None
            for sighting in trained
            for twin in self._by_id.get(sighting.video_id, ())
        }
        with_hash = [sighting for sighting in trained if sighting.first_frame is not None]
        hashes = _hashes(with_hash)
        for left, right in near_hashes(hashes, self._hashes, at_most=SAME_PICTURE).tolist():
            ids = {with_hash[left].video_id, self._hashed[right].video_id}
            if len(ids) == 2 and ids not in self._apart:
                distance = int(np.bitwise_count(hashes[left] ^ self._hashes[right]))
                found[Leak(trained=with_hash[left], tested=self._hashed[right], found_by="first frame", distance=distance)] = None
        return list(found)


def find_leaks(trained: Iterable[Sighting], tested: Sequence[Sighting], *, different: Iterable[Different] = ()) -> list[Leak]:
    """Each recording that stands on both sides. `trained` may be long: it is read once, some at a time."""
    held = HeldOut(tested, different=different)
    rest = iter(trained)
    found: list[Leak] = []
    while some := list(islice(rest, SIGHTINGS_AT_A_TIME)):
        found += held.find(some)
    return found


def _hashes(sightings: Sequence[Sighting]) -> UInt64[np.ndarray, " n"]:
    return np.array([int(sighting.first_frame or "", 16) for sighting in sightings], np.uint64)


def registered_as_held_out(registry: Path) -> HeldOut:
    """What a registry holds out, and the listed scenes.

    Raises:
        FileNotFoundError, InputError: as `read_registry`.
    """
    sightings, different = read_registry(registry)
    known = [sighting for sighting in sightings if held_out(sighting.split)]
    return HeldOut([*known, *listed_sightings()], different=different)


def check_scenes_of(trained: Iterable[Sighting]) -> None:
    """Raise InputError if one of these scenes is in the lists of `scene_lists`; the message names them."""
    check_scenes_among(trained, ())


def check_scenes_among(trained: Iterable[Sighting], tested: Sequence[Sighting]) -> None:
    """As `check_scenes_of`, with more that is tested on."""
    _refuse(find_leaks(trained, [*tested, *listed_sightings()]))


def check_mixture(train_sets: Sequence[Path], test_sets: Sequence[Path], *, registry: Path | None = None) -> None:
    """Raise InputError if a recording or picture of the training sets is tested on.

    Args:
        train_sets: folders of task sets to train on, whatever their splits are called.
        test_sets: folders of task sets to test on; empty where only the registry is looked at.
        registry: a registry file, whose held-out recordings are tested on as well.

    Raises:
        FileNotFoundError, InputError: a folder that is no task set, a damaged file, or a leak; the message names the recording,
            both data sets, and how it was found.
    """
    known, different = _read_registry(registry)
    tested = [sighting for path in test_sets for sighting in read_sightings(path)]
    tested += [*(sighting for sighting in known if held_out(sighting.split)), *listed_sightings()]
    _refuse(find_leaks((sighting for path in train_sets for sighting in read_sightings(path)), tested, different=different))
    shared = same_pictures(train_sets, test_sets)
    if shared:
        named = "; ".join(f"{group} of {ours} is {other} of {theirs}" for (ours, group), (theirs, other) in shared[:NAMED])
        raise InputError(
            f"{len(shared)} scene(s) or clip(s) of the training sets share a picture with the test sets: {named}. "
            "Leave them out of one side."
        )


def check_recordings(sets: Sequence[Path], *, registry: Path | None = None) -> None:
    """Raise InputError if the task sets, and what a registry lists, train on a recording that they test on, by their splits' names.

    Leaks between entries of the registry alone are not looked for.
    """
    known, different = _read_registry(registry)
    splits = {path: _role(path, read_json(path / "manifest.json", Manifest)) for path in sets}
    trained = [path for path, split in splits.items() if not held_out(split)]
    tested = [sighting for path, split in splits.items() if held_out(split) for sighting in read_sightings(path)]
    registered = [sighting for sighting in known if held_out(sighting.split)]
    trained_elsewhere = (sighting for sighting in known if not held_out(sighting.split))
    ours = find_leaks(
        (sighting for path in trained for sighting in read_sightings(path)),
        [*tested, *registered, *listed_sightings()],
        different=different,
    )
    _refuse([*ours, *find_leaks(trained_elsewhere, tested, different=different)])


def _read_registry(registry: Path | None) -> tuple[list[Sighting], list[Different]]:
    return read_registry(registry) if registry is not None else ([], [])


def _refuse(leaks: Sequence[Leak]) -> None:
    if not leaks:
        return
    each = list({leak.trained.video_id: leak for leak in reversed(leaks)}.values())[::-1]  # one of each recording
    named = "; ".join(str(leak) for leak in each[:NAMED])
    more = ", ".join(leak.trained.video_id for leak in each[NAMED : NAMED + LISTED])
    further = f"; and {more}{', ...' if len(each) > NAMED + LISTED else ''}" if more else ""
    raise InputError(
        f"{len(each)} recording(s) are trained on and tested on: {named}{further}. Leave them out of the training data "
        "(`sightline build ... --leaks REGISTRY --drop-leaks` does). Two that look alike but "
        "are not the same: `sightline leaks different REGISTRY ID ID`."
    )
