"""Any scan as a plain folder (`datasets.scans.prepared`): frames at a rate and size, cameras rescaled, masks from the mesh.

    {out}/prepare.json                    what is made of what; other options against it are refused
    {out}/{scan}/colour/, depth/, instances/
    {out}/{scan}/checksums.json           {"colour/000012.jpg": ["bytes", "BLAKE2b"], ...} of every picture
    {out}/{scan}/scan.json                the record, written last: with it the scan is complete
    {out}/.done/{scan}.{k}.json           a part of the scan's frames is complete
    {out}/ledger.jsonl                    everything dropped or altered, written last

A part whose pictures are there is not made again. Colour that needs no change is copied byte for byte, else written as JPEG of
quality 95; depth keeps its own size unless that is larger than the pictures, then the nearest pixel is taken.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import msgspec

import sightline
from sightline.datasets.scans import ScanOptions, ScanReader
from sightline.errors import InputError
from sightline.files import inside, only_writer, read_json, remove_temporaries, write_json, write_whole
from sightline.prepare.mask_overlap import added, disagreements
from sightline.prepare.run import run_jobs
from sightline.prepare.scan_frames import FrameWriter
from sightline.types import LedgerEntry, Record, Scan, ScanFrame

PART_FRAMES = 64
PICTURES = ("colour", "depth", "instances")


class ScanFrameOptions(Record):
    """Which frames, and how large.

    `fps`: so many a second, by their time stamps; `every`: each n-th; `max_frames`: evenly that many of what is left. `size`:
    (width, height), turned for portrait pictures; None keeps theirs. `masks`: instance pictures, too.
    """

    fps: float | None = None
    every: int = 1
    max_frames: int | None = None
    size: tuple[int, int] | None = None
    masks: bool = True

    def check(self) -> None:
        """Raises InputError if a number is out of its range."""
        if self.fps is not None and not 0 < self.fps <= 240:
            raise InputError(f"--fps {self.fps:g}: expected a number above 0 and up to 240.")
        if self.every < 1 or (self.max_frames is not None and self.max_frames < 1):
            raise InputError(f"--every {self.every}, --max-frames {self.max_frames}: expected 1 or more.")
        if self.size is not None and not all(8 <= side <= 16_384 for side in self.size):
            raise InputError(f"--size {self.size[0]}x{self.size[1]}: expected sides of 8 to 16384.")


class ScansRecord(Record):
    """`prepare.json`. `reading`: how the numbers of a plain folder were said to be meant (`ScanOptions`)."""

    dataset: str
    options: dict[str, Any]
    package_version: str
    opencv_version: str
    reading: dict[str, Any] = {}


class PartDone(Record):
    """`.done/{scan}.{k}.json`. `files`: (bytes, BLAKE2b) by name from the scan's folder. `overlaps`: of instance pictures and mesh,
    (pixels of both, of either) by label."""

    frames: tuple[ScanFrame, ...] = ()
    ledger: tuple[LedgerEntry, ...] = ()
    files: dict[str, tuple[int, str]] = {}
    overlaps: dict[int, tuple[int, int]] = {}


class PreparedScansSummary(Record):
    """What is there when all scans are done."""

    path: str
    num_scans: int
    num_frames: int
    num_objects: int
    dropped: dict[str, int]
    altered: dict[str, int]


def prepare_scans(
    reader: ScanReader,
    out: Path,
    *,
    dataset: str,
    options: ScanFrameOptions,
    scan_ids: Sequence[str] = (),
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> PreparedScansSummary:
    """Write the scans (all, or those named) that are not complete yet.

    Raises:
        InputError: an option out of range, an unknown scan, or `out` holds something else or scans of other options.
        FileNotFoundError, InputError: as the reader.
    """
    options.check()
    report = on_progress or (lambda *_: None)
    known = reader.scan_ids()
    if unknown := [name for name in scan_ids if name not in known]:
        raise InputError(
            f"{reader.root}: no scan {unknown[0]!r}; there are {', '.join(known[:8])}{', ...' if len(known) > 8 else ''}."
        )
    chosen = [index for index, name in enumerate(known) if not scan_ids or name in scan_ids]
    with only_writer(out):
        _check_record(out, dataset, options, reader.options)
        remove_temporaries(out)
        for count, index in enumerate(chosen):
            report(count, len(chosen))
            if not (out / known[index] / "scan.json").is_file():
                _prepare_one(reader[index], reader.root, out, options=options, workers=workers)
        report(len(chosen), len(chosen))
        return _finish(out)


def selected_frames(scan: Scan, options: ScanFrameOptions) -> list[ScanFrame]:
    """The frames that the options keep: at a rate, the first one in each 1/fps seconds from the first frame's time.

    Raises:
        InputError: a rate is asked for, but frames have no times.
    """
    frames = list(scan.frames)
    if options.fps is not None and frames:
        times = [frame.timestamp_s for frame in frames]
        start = times[0]
        if start is None or None in times:
            raise InputError(f"{scan.scan_id}: its frames have no times, so no --fps can be kept. Give --every or --max-frames.")
        slots = [int((time - start) * options.fps + 1e-6) for time in times if time is not None]
        frames = [frame for place, frame in enumerate(frames) if place == 0 or slots[place] != slots[place - 1]]
    frames = frames[:: options.every]
    if options.max_frames is not None and len(frames) > options.max_frames:
        frames = [frames[place * len(frames) // options.max_frames] for place in range(options.max_frames)]
    return frames


def damaged_files(out: Path, scan_id: str) -> list[str]:
    """The pictures of a prepared scan that are missing or no longer what was written, by name.

    Raises:
        FileNotFoundError: the scan has no checksums: it is not complete, or not a prepared one.
    """
    path = inside(out, f"{scan_id}/checksums.json")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no checksums; {scan_id} is not a scan that `sightline prepare scan` completed.")
    expected = read_json(path, dict[str, tuple[int, str]])
    return [name for name, sum_ in expected.items() if not _is_whole(out / scan_id, name, sum_, deep=True)]


def _prepare_one(scan: Scan, root: Path, out: Path, *, options: ScanFrameOptions, workers: int) -> None:
    jobs = [
        _Job(root, out, msgspec.structs.replace(scan, frames=tuple(part), problems=()), index, options, _last_index(scan))
        for index, part in enumerate(_parts(selected_frames(scan, options)))
    ]
    for folder in (".done", scan.scan_id, *(f"{scan.scan_id}/{kind}" for kind in PICTURES)):
        remove_temporaries(inside(out, folder))
    for _ in run_jobs([job for job in jobs if not job.is_done()], workers):
        pass
    done = [read_json(job.done_path, PartDone) for job in jobs]
    files = {name: sum_ for each in done for name, sum_ in each.files.items()}
    write_json(out / scan.scan_id / "checksums.json", files)
    record = msgspec.structs.replace(
        scan,
        frames=tuple(frame for each in done for frame in each.frames),
        problems=(
            *scan.problems,
            *(entry for each in done for entry in each.ledger),
            *disagreements(scan, added(each.overlaps for each in done)),
        ),
        mesh=None,
        fps=options.fps or scan.fps,
    )
    write_json(out / scan.scan_id / "scan.json", record)


def _last_index(scan: Scan) -> int | None:
    """The number of the last frame, if every frame of a video has its pose; else nothing can be said of frames without one."""
    indices = [frame.image_index for frame in scan.frames]
    is_video = bool(indices) and indices[0] is not None and not scan.frames[0].image.endswith(".sens")
    return len(indices) - 1 if is_video and indices == list(range(len(indices))) else None


def _parts(frames: Sequence[ScanFrame]) -> Iterator[Sequence[ScanFrame]]:
    """Frames of a video stay together: it can only be decoded from its start."""
    if any(frame.image_index is not None and not frame.image.endswith(".sens") for frame in frames):
        yield frames
        return
    for start in range(0, len(frames), PART_FRAMES):
        yield frames[start : start + PART_FRAMES]


@dataclass(frozen=True)
class _Job:
    """Some frames of one scan."""

    root: Path
    out: Path
    scan: Scan
    part: int
    options: ScanFrameOptions
    last_index: int | None

    @property
    def done_path(self) -> Path:
        return inside(self.out, f".done/{self.scan.scan_id}.{self.part}.json")

    def is_done(self) -> bool:
        """Whether the record and all its pictures are there, by their sizes."""
        if not self.done_path.is_file():
            return False
        files = read_json(self.done_path, PartDone).files
        return all(_is_whole(self.out / self.scan.scan_id, name, sum_, deep=False) for name, sum_ in files.items())

    def run(self) -> None:
        """Write the pictures, then the record."""
        writer = FrameWriter(self.scan, self.root, size=self.options.size, masks=self.options.masks, last_index=self.last_index)
        frames, files = [], {}
        for frame, pictures in writer.pictures():
            for name, content in pictures.items():
                write_whole(inside(self.out, f"{self.scan.scan_id}/{name}"), content)
                files[name] = (len(content), _digest(content))
            frames.append(frame)
        done = PartDone(frames=tuple(frames), ledger=tuple(writer.ledger), files=files, overlaps=added(writer.overlaps))
        write_json(self.done_path, done)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _is_whole(folder: Path, name: str, expected: tuple[int, str], *, deep: bool) -> bool:
    path = inside(folder, name)
    if not path.is_file() or path.stat().st_size != expected[0]:
        return False
    return not deep or _digest(path.read_bytes()) == expected[1]


def _check_record(out: Path, dataset: str, options: ScanFrameOptions, reading: ScanOptions) -> None:
    record = ScansRecord(
        dataset=dataset,
        reading=msgspec.to_builtins(reading),
        options=msgspec.to_builtins(options),
        package_version=sightline.__version__,
        opencv_version=cv2.__version__,
    )
    path = out / "prepare.json"
    if not path.is_file():
        if found := [each.name for each in out.iterdir() if not each.name.startswith(".")]:
            raise InputError(
                f"{out} holds {found[0]} but no prepare.json: it is not a folder of prepared scans. Give another --out."
            )
        write_json(path, record)
        return
    old, new = (_settings(each) for each in (read_json(path, ScansRecord), record))
    if differing := [f"{name}: {old.get(name)} there, {new.get(name)} now" for name in old | new if old.get(name) != new.get(name)]:
        raise InputError(
            f"{out} was made with other options or versions ({', '.join(differing)}). Give another --out, or delete it."
        )


def _settings(record: ScansRecord) -> dict[str, Any]:
    """The settings as they are after writing and reading (a tuple is a list then), one by one."""
    read = msgspec.json.decode(msgspec.json.encode(record))
    return {**read.pop("options"), **read.pop("reading", {}), **read}


def _finish(out: Path) -> PreparedScansSummary:
    scans = [read_json(path, Scan) for path in sorted(out.glob("*/scan.json"))]
    encoder = msgspec.json.Encoder()
    entries = [entry for scan in scans for entry in scan.problems]
    write_whole(out / "ledger.jsonl", b"".join(encoder.encode(entry) + b"\n" for entry in entries))
    counts = {action: Counter(entry.reason for entry in entries if entry.action == action) for action in ("dropped", "altered")}
    return PreparedScansSummary(
        path=str(out),
        num_scans=len(scans),
        num_frames=sum(len(scan.frames) for scan in scans),
        num_objects=sum(len(scan.objects) for scan in scans),
        dropped=dict(sorted(counts["dropped"].items())),
        altered=dict(sorted(counts["altered"].items())),
    )
