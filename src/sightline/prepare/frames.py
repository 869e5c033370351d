"""Frames of the videos of a data set (SA-V), as JPEG files that its reader finds: resumable, each video whole or not at all.

    {out}/JPEGImages_6fps/{clip}/00004.jpg      the number of the decoded frame, whatever the rate
    {out}/JPEGImages_6fps/frames.json           of what, and with which versions; anything else against it is refused
    {out}/JPEGImages_6fps/.done/{clip}.json     the video is complete: its size, frames decoded, its part of the ledger
    {out}/JPEGImages_6fps/ledger.jsonl          written last: videos that cannot be read, or gave fewer frames than are annotated
    {out}/sav_train/sav_000/..._manual.json     where `out` is not the data set's root: its annotation files, as hard links

At N frames a second the frames k * rate / N are kept, rounded down; the rate is the one that the annotation counts by (SA-V: 24),
whatever the file says. Each rate has a folder of its own.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Literal

import cv2
import msgspec

import sightline
from sightline import media, video
from sightline.datasets import CLIP_READERS, ClipReader
from sightline.datasets.clips.sav_frames import frames_folder
from sightline.errors import InputError
from sightline.files import inside, only_writer, read_json, remove_temporaries, whole_folder, write_json, write_whole
from sightline.prepare.links import link_file
from sightline.prepare.run import run_jobs
from sightline.types import Clip, LedgerEntry, Record

MAX_FPS = 240


class FramesRecord(Record):
    """`frames.json`."""

    reader: str
    split: str
    fps: float
    package_version: str
    opencv_version: str
    av_version: str


class VideoDone(Record):
    """`.done/{clip}.json`. `video` is the file from the data set's root, empty where there is none; `num_bytes` its size."""

    clip_id: str
    video: str = ""
    num_bytes: int = 0
    num_decoded: int = 0
    num_pictures: int = 0
    ledger: tuple[LedgerEntry, ...] = ()


class ExtractedFrames(Record):
    """What is there when all videos are done: the folder, its numbers, and what was dropped and altered, by reason."""

    path: str
    num_videos: int
    num_pictures: int
    dropped: dict[str, int]
    altered: dict[str, int]


def extract_frames(
    reader: str,
    root: Path,
    out: Path,
    *,
    split: str,
    fps: float,
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> ExtractedFrames:
    """Extract the videos of one split that are not complete yet.

    Raises:
        FileNotFoundError, InputError: as the reader; the clips have no video; a rate out of range; `out` holds pictures of other
            origin or options, or of a video that has changed since.
    """
    report = on_progress or (lambda *_: None)
    if not 0 < fps <= MAX_FPS:
        raise InputError(f"--fps {fps:g}: expected a number above 0 and up to {MAX_FPS}.")
    _open_reader.cache_clear()  # the data may have changed since this process listed it
    clips = _open_reader(reader, root, split)
    folder = out / frames_folder(fps)
    with only_writer(folder):
        _check_folder(folder, _record(reader, split, fps))
        _link_annotations(clips, out)
        jobs = [_Job(reader, root, split, index, clip_id, folder, fps) for index, clip_id in enumerate(clips.clip_ids())]
        todo = [job for job in jobs if not job.is_done()]
        for partial in folder.glob(".*.partial"):
            shutil.rmtree(partial)
        for place in (folder, folder / ".done"):
            remove_temporaries(place)
        report(len(jobs) - len(todo), len(jobs))
        for count, _ in enumerate(run_jobs(todo, workers), start=len(jobs) - len(todo) + 1):
            report(count, len(jobs))
        done = [read_json(path, VideoDone) for path in sorted((folder / ".done").glob("*.json"))]
        encoder = msgspec.json.Encoder()
        write_whole(folder / "ledger.jsonl", b"".join(encoder.encode(entry) + b"\n" for each in done for entry in each.ledger))
    return _summary(folder, done)


def _record(reader: str, split: str, fps: float) -> FramesRecord:
    import av  # noqa: PLC0415

    return FramesRecord(
        reader=reader,
        split=split,
        fps=fps,
        package_version=sightline.__version__,
        opencv_version=cv2.__version__,
        av_version=av.__version__,
    )


@dataclass(frozen=True)
class _Job:
    """One video. The worker reads the clip again: its masks are too much to send."""

    reader: str
    root: Path
    split: str
    index: int
    clip_id: str
    folder: Path
    fps: float

    @property
    def done_path(self) -> Path:
        return self.folder / ".done" / f"{self.clip_id}.json"

    def is_done(self) -> bool:
        """A video that gave no pictures is tried again once it has changed. Raises InputError if one that gave some has."""
        if not self.done_path.is_file():
            return False
        done = read_json(self.done_path, VideoDone)
        same = bool(done.video) and _num_bytes(self.root, done.video) == done.num_bytes
        if done.num_pictures and not same:
            raise InputError(
                f"{self.root}: {done.video} has changed since {self.folder / self.clip_id} was made of it. Delete that folder and "
                f"{self.done_path}, or give another --out."
            )
        return same and (done.num_pictures == 0 or (self.folder / self.clip_id).is_dir())

    def run(self) -> None:
        """Extract the video. One whose record was lost in a kill is extracted again."""
        clip = _open_reader(self.reader, self.root, self.split)[self.index]
        target = self.folder / self.clip_id
        if target.exists():
            shutil.rmtree(target)
        write_json(self.done_path, _extract(clip, self.root, target, self.fps))


@lru_cache(maxsize=1)
def _open_reader(reader: str, root: Path, split: str) -> ClipReader:
    """Listing tens of thousands of files once a process is enough."""
    if reader not in CLIP_READERS:
        raise InputError(f"no data with clips is called {reader!r}. Choose from: {', '.join(CLIP_READERS)}.")
    return CLIP_READERS[reader][0]()(root, split)


def _num_bytes(root: Path, path: str) -> int:
    """The size of a file, -1 if it is not there."""
    file = inside(root, path)
    return file.stat().st_size if file.is_file() else -1


@dataclass
class _Written:
    """What came of a video: frames decoded, pictures written, the size of both, and why decoding ended early, if it did."""

    num_decoded: int = 0
    num_pictures: int = 0
    size: tuple[int, int] = (0, 0)
    damage: str = ""


def _extract(clip: Clip, root: Path, target: Path, fps: float) -> VideoDone:
    """The record of one video, whose pictures then are in `target`, or nowhere if there are none."""
    if clip.video is None:
        problems = [entry for entry in clip.problems if entry.reason != "picture_missing"]
        entry = _entry(clip, "video_missing", f"there is no {clip.clip_id}.mp4 beside its annotation", action="dropped")
        return VideoDone(clip_id=clip.clip_id, ledger=(*problems, entry))
    path = inside(root, clip.video)
    done = VideoDone(clip_id=clip.clip_id, video=clip.video, num_bytes=path.stat().st_size)
    try:
        says = video.frame_rate(path)
        rate = _meant_rate(clip) or says
        with whole_folder(target) as place:
            written = _write_pictures(path, place, rate, fps)
            if not written.num_pictures:
                raise InputError(f"{path}: no frame can be decoded. {written.damage or 'Get the file again.'}")
    except InputError as error:
        return msgspec.structs.replace(done, ledger=(_entry(clip, "unreadable", str(error), action="dropped"),))
    return msgspec.structs.replace(
        done,
        num_decoded=written.num_decoded,
        num_pictures=written.num_pictures,
        ledger=tuple(_shortcomings(clip, says, fps, written)),
    )


def _meant_rate(clip: Clip) -> Fraction | None:
    """Frames a second by which the annotation counts, None where it does not say."""
    numbers = [frame.video_frame for frame in clip.frames[:2] if frame.video_frame is not None]
    return Fraction(str(clip.fps)) * (numbers[1] - numbers[0]) if clip.fps and len(numbers) == 2 else None


def _write_pictures(path: Path, place: Path, rate: Fraction, fps: float) -> _Written:
    """Write the frames that the rate keeps. A damaged video gives those before the damage."""
    written = _Written()
    kept = Fraction(str(fps))
    try:
        for frame in video.read_frames(path, lambda number: keeps(number, rate, kept)):
            written.num_decoded += 1
            if frame.rgb is not None:
                (place / f"{frame.number:05d}.jpg").write_bytes(media.encode_jpeg(frame.rgb))
                written.num_pictures += 1
                written.size = frame.rgb.shape[1], frame.rgb.shape[0]
    except InputError as error:
        written.damage = str(error)
    return written


def keeps(number: int, rate: Fraction, fps: Fraction) -> bool:
    """Whether the frame is one of those of `fps` a second: k * rate / fps, rounded down, for a whole k."""
    k = -(-number * fps // rate)
    return k * rate // fps == number


def _shortcomings(clip: Clip, rate: Fraction, fps: float, written: _Written) -> Iterator[LedgerEntry]:
    """What the user has to know of a video that gave pictures."""
    numbers = [frame.video_frame for frame in clip.frames if frame.video_frame is not None]
    if written.damage or (numbers and numbers[-1] >= written.num_decoded):
        detail = f"{written.num_decoded} frames are decoded, the last mask is at frame {numbers[-1] if numbers else '(none)'}"
        yield _entry(clip, "frames_lost", f"{detail}. {written.damage}" if written.damage else detail)
    if clip.width and clip.height and written.size != (clip.width, clip.height):
        detail = f"frames of {written.size[0]}x{written.size[1]}, masks of {clip.width}x{clip.height}"
        yield _entry(clip, "size_mismatch", detail)
    meant = _meant_rate(clip) or rate
    if meant != rate:
        detail = f"the video has {float(rate):g} frames a second, its annotation means {float(meant):g}"
        yield _entry(clip, "other_rate", detail)
    if fps > meant:
        yield _entry(clip, "rate_too_low", f"all frames are taken: there are {float(meant):g} a second, {fps:g} were asked for")


def _entry(clip: Clip, reason: str, detail: str, *, action: Literal["dropped", "altered"] = "altered") -> LedgerEntry:
    return LedgerEntry(unit=clip.clip_id, reason=reason, detail=detail, action=action, path=clip.video)


def _check_folder(folder: Path, record: FramesRecord) -> None:
    """Another decoder gives other pixels: it may not go on with the frames of another one."""
    path = folder / "frames.json"
    if not path.is_file():
        if found := [each.name for each in folder.iterdir() if not each.name.startswith(".")]:
            raise InputError(
                f"{folder} holds {found[0]} but no frames.json: these frames were not extracted by this command, which would "
                "replace them. The reader finds them as they are; or give another --out."
            )
        write_json(path, record)
        return
    found, wanted = msgspec.structs.asdict(read_json(path, FramesRecord)), msgspec.structs.asdict(record)
    if differing := [f"{name}: {found[name]} there, {wanted[name]} now" for name in found if found[name] != wanted[name]]:
        raise InputError(
            f"{folder} was begun with other options or versions ({', '.join(differing)}). Delete it, or give another --out."
        )


def _link_annotations(clips: ClipReader, out: Path) -> None:
    """Make `out` a root of its own, whose clips are found without their videos."""
    if out.resolve() == clips.root.resolve():
        return
    for source in clips.sources():
        if source.is_file():
            link_file(source, inside(out, str(source.relative_to(clips.root))))


def _summary(folder: Path, done: Sequence[VideoDone]) -> ExtractedFrames:
    counts: dict[str, Counter[str]] = {"dropped": Counter(), "altered": Counter()}
    for each in done:
        for entry in each.ledger:
            counts[entry.action][entry.reason] += 1
    return ExtractedFrames(
        path=str(folder),
        num_videos=sum(each.num_pictures > 0 for each in done),
        num_pictures=sum(each.num_pictures for each in done),
        dropped=dict(sorted(counts["dropped"].items())),
        altered=dict(sorted(counts["altered"].items())),
    )
