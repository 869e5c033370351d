"""What VGGT looks at: a video, a folder of pictures, or a prepared scan, whose pictures stand in its record."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from sightline.errors import InputError
from sightline.files import inside, read_json
from sightline.media import read_rgb
from sightline.tasks.video_frames import PICTURES
from sightline.types import Scan
from sightline.video import PARSERS, frame_rate, read_frames

RECORD = "scan.json"


@dataclass(frozen=True)
class FrameSource:
    """`pictures` are the frames' files, () of a video; `rate`: frames a second, None where nobody says; `scan`: its record."""

    path: Path
    num_frames: int
    pictures: tuple[Path, ...] = ()
    rate: float | None = None
    scan: Scan | None = None

    @property
    def name(self) -> str:
        """The folder's name, or the video's without its suffix."""
        return source_name(self.path)

    def read(self, positions: Sequence[int]) -> list[UInt8[np.ndarray, "_h _w 3"]]:
        """The frames at these positions, ascending.

        Raises:
            FileNotFoundError, InputError: one of them cannot be read.
        """
        if self.pictures:
            return [read_rgb(self.pictures[position]) for position in positions]
        wanted = frozenset(positions)
        return [frame.rgb for frame in read_frames(self.path, wanted.__contains__) if frame.rgb is not None]


def source_name(path: Path) -> str:
    """What a source is called, which need not be opened for that."""
    return path.resolve().name if path.is_dir() else path.stem


def open_source(path: Path) -> FrameSource:
    """The frames at `path`.

    Raises:
        FileNotFoundError: there is nothing.
        InputError: no frames in it, or neither a folder nor a video.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such folder of pictures or video.")
    if path.is_dir():
        scan = read_json(path / RECORD, Scan) if (path / RECORD).is_file() else None
        pictures = _pictures(path) if scan is None else _of_scan(scan, path.resolve().parent)
        found = FrameSource(path, len(pictures), pictures, scan=scan)
    elif path.suffix.lower() in PARSERS:
        total = sum(1 for _ in read_frames(path, lambda _: False))
        found = FrameSource(path, total, rate=float(frame_rate(path)))
    else:
        raise InputError(f"{path}: expected a folder of pictures, a prepared scan, or a video ({', '.join(PARSERS)}).")
    if not found.num_frames:
        raise InputError(f"{path}: no frames in it; expected pictures ({', '.join(sorted(PICTURES))}) or a video.")
    return found


def _pictures(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(each for each in folder.iterdir() if each.suffix.lower() in PICTURES))


def _of_scan(scan: Scan, root: Path) -> tuple[Path, ...]:
    if not all(frame.image_index is None for frame in scan.frames):
        raise InputError(f"{root / scan.scan_id}: its frames are no files of their own. Prepare it: `sightline prepare scan`.")
    return tuple(inside(root, frame.image) for frame in scan.frames)
