"""The frames of a clip from a folder of pictures or a video file, decoded when a tracker asks for them."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from sightline import media, picture_header, video
from sightline.errors import InputError

PICTURES = (".jpg", ".jpeg", ".png", ".webp")
KEPT_BYTES = 256 * 2**20  # of decoded frames of a video that is followed backwards


class FolderFrames:
    """The pictures of a folder, in order of the numbers in their names. All must have the size of the first.

    Raises:
        InputError: there is no picture in the folder, or the first cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        found = [path for path in folder.iterdir() if path.suffix.lower() in PICTURES and not path.name.startswith(".")]
        if not found:
            raise InputError(f"{folder} holds no picture ({', '.join(PICTURES)}): there is nothing to follow.")
        self._paths = sorted(found, key=lambda path: _in_order(path.stem))
        self.names = [path.stem for path in self._paths]
        self.files = [path.name for path in self._paths]
        if len(set(self.names)) < len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise InputError(f"{folder}: two pictures are called {twice!r}. Each frame needs a name of its own.")
        first = picture_header.probe(self._paths[0])
        self.width, self.height = first.width, first.height

    def __len__(self) -> int:
        return len(self._paths)

    def rgb(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        path = self._paths[index]
        rgb = media.read_rgb(path)
        if rgb.shape[:2] != (self.height, self.width):
            raise InputError(
                f"{path} has {rgb.shape[1]}x{rgb.shape[0]} pixels, the first frame {self.width}x{self.height}. "
                "A clip has one size: is a frame of another clip among them?"
            )
        return rgb


class VideoFrames:
    """The frames of a video file. They are decoded in order; going back begins the file again and keeps as many frames before the
    one that is asked for as fit into `kept_bytes`, so that a video can be followed backwards.

    Raises:
        FileNotFoundError, InputError: as `video.read_frames`, also for a frame in the middle: all are decoded once.
    """

    def __init__(
        self, path: video.Source, *, kept_bytes: int = KEPT_BYTES, limits: video.VideoLimits = video.DEFAULT_LIMITS
    ) -> None:
        self._path, self._limits = path, limits
        self._first = self._last = 0
        self._kept: dict[int, UInt8[np.ndarray, "h w 3"]] = {}
        self._running: Iterator[video.Frame] = iter(())
        self._next = 0
        count = 0
        for frame in video.read_frames(path, lambda number: number == 0, limits):
            if frame.rgb is not None:
                self.height, self.width = frame.rgb.shape[:2]
            count += 1
        if count == 0:
            raise InputError(f"{path}: no frame of the video can be decoded. Get the file again.")
        self.names = [f"{number:05d}" for number in range(count)]
        self.files: list[str] = []
        self._most = max(kept_bytes // (self.width * self.height * 3), 1)

    def __len__(self) -> int:
        return len(self.names)

    def rgb(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        if index not in self._kept:
            self._decode_to(index)
        return self._kept[index]

    def _decode_to(self, index: int) -> None:
        self._first = self._last = index
        if index < self._next:
            self._first = max(index - self._most + 1, 0)
            self._next = 0
        self._kept = {}
        if self._next == 0:
            self._running = video.read_frames(self._path, lambda number: self._first <= number <= self._last, self._limits)
        for frame in self._running:
            self._next = frame.number + 1
            if frame.rgb is not None:
                self._kept[frame.number] = frame.rgb
            if frame.number == index:
                return
        raise InputError(
            f"{self._path}: frame {index} of {len(self)} could be decoded before and cannot now: has the file changed?"
        )


def open_frames(place: Path) -> FolderFrames | VideoFrames:
    """A folder of pictures, or a video file.

    Raises:
        FileNotFoundError, InputError: nothing there, or nothing that can be decoded.
    """
    return FolderFrames(place) if place.is_dir() else VideoFrames(place)


def _in_order(name: str) -> list[tuple[int, str]]:
    """The name with its numbers as numbers: frame_9 comes before frame_10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name) if part]
