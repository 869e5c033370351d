"""Several data sets of clips as one, under ids that name the source: pictures as hard links, annotations as one record a clip.

The layout stands in `datasets.merged`; beside it `.done/{clip}.json` says of each clip whether it was taken, and why not:

* `duplicate_video`: an earlier source has the same recording (`video_id`), as LVOS v2 has all of v1.
* `duplicate_picture`: its first picture looks like that of a clip of an earlier source (`geometry.perceptual_hash`).
* `no_pictures`: its frames have no pictures (SA-V before `sightline prepare frames`).

Earlier sources win; two clips of one source are not compared, its ids tell them apart. Sources can be added to a finished merge.
"""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import msgspec
import numpy as np
from jaxtyping import UInt64

from sightline import media
from sightline.datasets import CLIP_READERS, ClipReader
from sightline.errors import InputError
from sightline.files import inside, only_writer, read_json, remove_temporaries, write_json, write_whole
from sightline.geometry.perceptual_hash import hash_distance, near_hashes, picture_hash
from sightline.prepare.links import link_file
from sightline.types import Clip, ClipFrame, LedgerEntry, Record, Track

SOURCE = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}")


class MergeSource(Record):
    """One split of one data set; `name` becomes the first part of its clips' ids."""

    name: str
    reader: str
    split: str
    root: str


class MergeRecord(Record):
    """`merge.json`."""

    sources: tuple[MergeSource, ...]
    keep_lookalikes: bool


class MergeDone(Record):
    """`.done/{clip}.json`: one clip of a source. `first_picture` is its hash, None where there is none."""

    clip_id: str
    source: str
    video_id: str
    taken: bool
    first_picture: str | None = None
    ledger: tuple[LedgerEntry, ...] = ()


class MergedCollection(Record):
    """What is there at the end: clips by source, and how many were dropped or altered, by reason."""

    path: str
    clips: dict[str, int]
    dropped: dict[str, int]
    altered: dict[str, int]


def merge_sources(
    sources: Sequence[MergeSource],
    out: Path,
    *,
    keep_lookalikes: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> MergedCollection:
    """Merge what is not merged yet. `keep_lookalikes`: a clip that only looks like another one is taken, with an entry.

    Raises:
        FileNotFoundError, InputError: as the readers; names that are none or stand twice; `out` holds something else, or a merge of
            other sources than these and more.
    """
    report = on_progress or (lambda *_: None)
    _check_sources(sources)
    readers = [CLIP_READERS[source.reader][0]()(Path(source.root), source.split) for source in sources]
    total = sum(len(reader) for reader in readers)
    with only_writer(out):
        _check_out(out, MergeRecord(sources=tuple(sources), keep_lookalikes=keep_lookalikes))
        (out / "ledger.jsonl").unlink(missing_ok=True)
        for place in (out, out / ".done", *(path for path in (out / "clips").glob("*") if path.is_dir())):
            remove_temporaries(place)
        known = _Known(total)
        done = []
        report(0, total)
        for source, reader in zip(sources, readers, strict=True):
            for each in _merge_source(source, reader, out, known, keep_lookalikes=keep_lookalikes):
                done.append(each)
                report(len(done), total)
        encoder = msgspec.json.Encoder()
        write_whole(out / "ledger.jsonl", b"".join(encoder.encode(entry) + b"\n" for each in done for entry in each.ledger))
    return _summary(out, done)


class _Known:
    """The recordings that were taken: their ids, and the hashes of their first pictures."""

    def __init__(self, room: int) -> None:
        self._by_video: dict[str, MergeDone] = {}
        self._hashed: list[MergeDone] = []
        self._hashes: UInt64[np.ndarray, " n"] = np.zeros(room, np.uint64)

    def add(self, done: MergeDone) -> None:
        self._by_video.setdefault(done.video_id, done)
        if done.first_picture is not None:
            self._hashes[len(self._hashed)] = int(done.first_picture, 16)
            self._hashed.append(done)

    def same_video(self, done: MergeDone) -> MergeDone | None:
        found = self._by_video.get(done.video_id)
        return found if found is not None and found.source != done.source else None

    def same_picture(self, done: MergeDone) -> MergeDone | None:
        """The most alike first picture of another source, if it is alike enough to be the same."""
        if done.first_picture is None:
            return None
        own = int(done.first_picture, 16)
        near = near_hashes(np.array([own], np.uint64), self._hashes[: len(self._hashed)])
        twins = [self._hashed[place] for place in near[:, 1] if self._hashed[place].source != done.source]
        return min(twins, key=lambda twin: hash_distance(own, int(twin.first_picture or "0", 16)), default=None)


def _merge_source(
    source: MergeSource, reader: ClipReader, out: Path, known: _Known, *, keep_lookalikes: bool
) -> Iterator[MergeDone]:
    merged_ids = [f"{source.name}_{clip_id.replace('/', '_')}" for clip_id in reader.clip_ids()]
    if twice := [name for name, count in Counter(merged_ids).items() if count > 1]:
        raise InputError(f"{source.root}: two clips would both be called {', '.join(twice[:3])}. Rename one of each.")
    for index, merged_id in enumerate(merged_ids):
        path = inside(out, f".done/{merged_id}.json")
        if path.is_file():
            done = read_json(path, MergeDone)
        else:
            done = _merge_clip(reader[index], merged_id, source, out, known, keep_lookalikes=keep_lookalikes)
            write_json(path, done)
        if done.taken:
            known.add(done)
        yield done


def _merge_clip(clip: Clip, merged_id: str, source: MergeSource, out: Path, known: _Known, *, keep_lookalikes: bool) -> MergeDone:
    done = MergeDone(
        clip_id=merged_id, source=source.name, video_id=clip.video_id or f"{source.reader}/{clip.clip_id}", taken=False
    )
    root = Path(source.root)
    first = next((frame.image for frame in clip.frames if frame.image), None)
    if first is None:
        problems = "; ".join(entry.detail for entry in clip.problems) or "its frames have no pictures"
        return _with(done, _entry(done, "no_pictures", problems))
    try:
        hashed = picture_hash(media.read_rgb(inside(root, first)))
        done = msgspec.structs.replace(done, first_picture=None if hashed is None else f"{hashed:016x}")
    except (InputError, FileNotFoundError) as error:
        return _with(done, _entry(done, "unreadable", str(error)))
    if twin := known.same_video(done):
        return _with(done, _entry(done, "duplicate_video", f"{done.video_id} is there as {twin.clip_id}"))
    lookalike = known.same_picture(done)
    if lookalike is not None:
        entry = _entry(done, "duplicate_picture", f"its first picture looks like that of {lookalike.clip_id}")
        if not keep_lookalikes:
            return _with(done, entry)
        done = _with(done, msgspec.structs.replace(entry, reason="lookalike", action="altered"))
    merged = _link(clip, root, merged_id, out)
    write_json(inside(out, f"clips/{clip.split}/{merged_id}.json"), merged)
    return msgspec.structs.replace(done, taken=True)


def _link(clip: Clip, root: Path, merged_id: str, out: Path) -> Clip:
    """The clip as it is in the collection, with its files there. What a killed run left is replaced."""
    places = {kind: f"{kind}/{merged_id}" for kind in ("JPEGImages", "Annotations", "Masks")}
    for place in places.values():
        if inside(out, place).is_dir():
            shutil.rmtree(inside(out, place))

    def link(path: str | None, place: str) -> str | None:
        if path is None:
            return None
        target = f"{place}/{PurePosixPath(path).name}"
        link_file(inside(root, path), inside(out, target))
        return target

    def frame(each: ClipFrame) -> ClipFrame:
        image, labels = link(each.image, places["JPEGImages"]), link(each.labels, places["Annotations"])
        return msgspec.structs.replace(each, image=image, labels=labels)

    def track(each: Track) -> Track:
        paths = tuple(link(path, f"{places['Masks']}/{each.object_id}") for path in each.mask_paths)
        return msgspec.structs.replace(each, mask_paths=paths)

    return msgspec.structs.replace(
        clip,
        clip_id=merged_id,
        frames=tuple(frame(each) for each in clip.frames),
        tracks=tuple(track(each) for each in clip.tracks),
        problems=tuple(_renamed(entry, clip.clip_id, merged_id) for entry in clip.problems),
        video=None,
    )


def _renamed(entry: LedgerEntry, clip_id: str, merged_id: str) -> LedgerEntry:
    """Its path is one of the source's root, so it goes."""
    return msgspec.structs.replace(entry, unit=merged_id + entry.unit.removeprefix(clip_id), path=None)


def _with(done: MergeDone, entry: LedgerEntry) -> MergeDone:
    return msgspec.structs.replace(done, ledger=(*done.ledger, entry))


def _entry(done: MergeDone, reason: str, detail: str) -> LedgerEntry:
    return LedgerEntry(unit=done.clip_id, reason=reason, detail=detail)


def _check_sources(sources: Sequence[MergeSource]) -> None:
    names = Counter(source.name for source in sources)
    for source in sources:
        if not SOURCE.fullmatch(source.name) or names[source.name] > 1:
            raise InputError(
                f"the source name {source.name!r}: expected small letters, digits, '-' and '.', and another one for each source. "
                f"Name it: {source.name.lower()}2={source.reader}:{source.split}:{source.root}."
            )
        if source.reader not in CLIP_READERS:
            raise InputError(f"no data with clips is called {source.reader!r}. Choose from: {', '.join(CLIP_READERS)}.")


def _check_out(out: Path, record: MergeRecord) -> None:
    path = out / "merge.json"
    if not path.is_file():
        if found := [each.name for each in out.iterdir() if not each.name.startswith(".")]:
            raise InputError(f"{out} holds {found[0]} but no merge.json: it is not a merge. Give another --out.")
    else:
        found = read_json(path, MergeRecord)
        if found.keep_lookalikes != record.keep_lookalikes or found.sources != record.sources[: len(found.sources)]:
            there = ", ".join(f"{each.name}={each.reader}:{each.split}:{each.root}" for each in found.sources)
            raise InputError(
                f"{out} is a merge of other sources or options ({there}; keep_lookalikes {found.keep_lookalikes}). Give these "
                "sources in this order, further ones after them, or another --out."
            )
    write_json(path, record)


def _summary(out: Path, done: Sequence[MergeDone]) -> MergedCollection:
    counts: dict[str, Counter[str]] = {"dropped": Counter(), "altered": Counter()}
    for each in done:
        for entry in each.ledger:
            counts[entry.action][entry.reason] += 1
    return MergedCollection(
        path=str(out),
        clips=dict(Counter(each.source for each in done if each.taken)),
        dropped=dict(sorted(counts["dropped"].items())),
        altered=dict(sorted(counts["altered"].items())),
    )
