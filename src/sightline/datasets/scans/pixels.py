"""The pixels of a scan's frames, whatever they lie in: files, `.sens`, a video, a depth stream. Everything comes out upright.

Frames of a video are asked for in rising order: it is decoded once, from the start.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import cv2
import msgspec
import numpy as np
from jaxtyping import Float32, UInt8, UInt16

from sightline import media, picture_header, video
from sightline.datasets.scans.depth_stream import DepthStream
from sightline.datasets.scans.sens import SensFile
from sightline.errors import InputError
from sightline.files import inside
from sightline.geometry.camera import scale_camera, turn_camera
from sightline.types import Camera, Scan, ScanFrame

MAX_ASPECT_ERROR = 0.02


class ScanPixels:
    """Opened sources of one scan; a context manager that closes them."""

    def __init__(self, scan: Scan, root: Path) -> None:
        self.scan = scan
        self.root = root
        self._stack = contextlib.ExitStack()
        self._sens: dict[str, SensFile] = {}
        self._streams: dict[str, DepthStream] = {}
        self._videos: dict[str, Iterator[video.Frame]] = {}

    def __enter__(self) -> "ScanPixels":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def rgb(self, frame: ScanFrame) -> UInt8[np.ndarray, "h w 3"]:
        """The colour picture.

        Raises:
            FileNotFoundError, InputError: it is missing or damaged, or of another size than its camera.
        """
        if frame.image_index is None:
            rgb = media.read_rgb(inside(self.root, frame.image))
        elif frame.image.endswith(".sens"):
            rgb = self._sens_file(frame.image).colour(frame.image_index)
        else:
            rgb = self._video_frame(frame.image, frame.image_index)
        rgb = np.ascontiguousarray(np.rot90(rgb, k=frame.quarter_turns))
        if frame.camera is not None and rgb.shape[1::-1] != (frame.camera.width, frame.camera.height):
            raise InputError(
                f"{self.scan.scan_id}, frame {frame.frame_id}: picture of {rgb.shape[1]} x {rgb.shape[0]}, camera of "
                f"{frame.camera.width} x {frame.camera.height}. Give the intrinsics of these pictures."
            )
        return rgb

    def stored_colour(self, frame: ScanFrame) -> tuple[bytes, str] | None:
        """The picture's file and its suffix as stored, where it stands alone and upright; else None."""
        if frame.quarter_turns % 4:
            return None
        if frame.image_index is None:
            path = inside(self.root, frame.image)
            header = picture_header.probe(path)
            wanted = {"PNG": ".png", "JPEG": ".jpg"}.get(header.format)
            return (path.read_bytes(), wanted) if wanted and header.orientation == 1 else None
        if frame.image.endswith(".sens"):
            file = self._sens_file(frame.image)
            return file.colour_content(frame.image_index), file.header.colour_suffix
        return None

    def depth_units(self, frame: ScanFrame) -> UInt16[np.ndarray, "h w"] | None:
        """Depth in units of `frame.metres_per_unit`, 0 = none, in its own size; None if the frame has none.

        Raises:
            FileNotFoundError, InputError: it is missing or damaged, or shows another field of view than the colour picture.
        """
        if frame.depth is None:
            return None
        match frame.depth_form:
            case "u16_png":
                metres = media.read_depth(inside(self.root, frame.depth), 1.0)
                units = metres.astype(np.uint16)
            case "sens":
                units = self._sens_file(frame.depth).depth_units(_index(frame.depth_index))
            case "iphone_bin":
                metres = self._stream(frame.depth).metres(_index(frame.depth_index))
                units = np.rint(np.clip(metres / frame.metres_per_unit, 0, 65535)).astype(np.uint16)
        units = np.ascontiguousarray(np.rot90(units, k=frame.quarter_turns))
        self._check_aspect(frame, units.shape[1::-1])
        return units

    def depth_m(self, frame: ScanFrame) -> Float32[np.ndarray, "h w"] | None:
        """Depth in metres, 0 = none, in its own size; None if the frame has none. `depth_camera` is the camera of it.

        Raises:
            FileNotFoundError, InputError: as `depth_units`.
        """
        units = self.depth_units(frame)
        return None if units is None else np.multiply(units, np.float32(frame.metres_per_unit), dtype=np.float32)

    def instances(self, frame: ScanFrame) -> UInt8[np.ndarray, "h w"] | None:
        """Object labels in the size of the colour picture (nearest pixel), upright; None if the frame has none."""
        if frame.instances is None:
            return None
        labels = np.ascontiguousarray(np.rot90(media.read_indices(inside(self.root, frame.instances)), k=frame.quarter_turns))
        if frame.camera is not None and labels.shape != (frame.camera.height, frame.camera.width):
            self._check_aspect(frame, labels.shape[1::-1])
            labels = cv2.resize(labels, (frame.camera.width, frame.camera.height), interpolation=cv2.INTER_NEAREST_EXACT)
        return labels

    def goes_on_after(self, path: str, index: int) -> bool:
        """Whether the video has a frame behind number `index`; nothing can be read of it afterwards."""
        return any(frame.number > index for frame in self._videos.get(path, ()))

    def _check_aspect(self, frame: ScanFrame, size: tuple[int, int]) -> None:
        camera = frame.depth_camera or frame.camera
        if camera is not None and abs(size[0] / size[1] / (camera.width / camera.height) - 1) > MAX_ASPECT_ERROR:
            raise InputError(
                f"{self.scan.scan_id}, frame {frame.frame_id}: depth or labels of {size[0]} x {size[1]} for a camera of "
                f"{camera.width} x {camera.height}: another shape, so another field of view. Give depth of the same camera."
            )

    def _sens_file(self, path: str) -> SensFile:
        if path not in self._sens:
            self._sens[path] = self._stack.enter_context(SensFile(inside(self.root, path)))
        return self._sens[path]

    def _stream(self, path: str) -> DepthStream:
        if path not in self._streams:
            self._streams[path] = self._stack.enter_context(DepthStream(inside(self.root, path)))
        return self._streams[path]

    def _video_frame(self, path: str, index: int) -> UInt8[np.ndarray, "h w 3"]:
        if path not in self._videos:
            wanted = frozenset(frame.image_index for frame in self.scan.frames if frame.image == path)
            self._videos[path] = video.read_frames(inside(self.root, path), wanted.__contains__)
        for frame in self._videos[path]:
            if frame.number == index and frame.rgb is not None:
                return frame.rgb
        raise InputError(
            f"{self.root / path}: frame {index} is not in the video, though it has a pose. The video and the pose file have "
            "different numbers of frames: get both again."
        )


def depth_camera(frame: ScanFrame, depth: np.ndarray) -> Camera:
    """The camera of a depth picture of this frame, upright; the frame must have a camera."""
    assert frame.camera is not None, f"frame {frame.frame_id} has no pose"
    if frame.depth_camera is not None:
        return frame.depth_camera
    return scale_camera(frame.camera, depth.shape[1], depth.shape[0])


def upright(frame: ScanFrame) -> ScanFrame:
    """The frame with cameras of the stored pictures, as it is with cameras of the upright ones."""
    turned = {
        name: turn_camera(camera, frame.quarter_turns)
        for name, camera in (("camera", frame.camera), ("depth_camera", frame.depth_camera))
        if camera is not None
    }
    return msgspec.structs.replace(frame, **turned)


def _index(index: int | None) -> int:
    assert index is not None, "a stream's frame has a number"
    return index
