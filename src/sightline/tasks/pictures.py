"""The pictures of a task: originals as they are, and the two that are derived, marked and side by side.

A `Studio` decodes each file once, draws each mark once, and keeps the encoded results of one scene until the builder takes them.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Literal

import cv2
import msgspec
import numpy as np
from jaxtyping import Bool, Float, UInt8

from sightline import media, png
from sightline.errors import InputError
from sightline.files import inside
from sightline.geometry.boxes import mask_to_box
from sightline.geometry.masks import encode_mask, mask_id
from sightline.types import DepthRef, ImageRef, MaskRle

Mark = Literal["overlay", "box", "contour", "point"]
RED = (255, 0, 0)
WHITE = (255, 255, 255)
DECODED_PIXELS = 64_000_000  # what a studio keeps decoded: 192 MB
RECENT_DEPTHS = 32
RECENT_STRIPS = 16


class Studio:
    """Decodes, draws and encodes for one scene at a time.

    Args:
        root: the data root that original paths are relative to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._decoded: OrderedDict[str, UInt8[np.ndarray, "h w 3"]] = OrderedDict()
        self._depths: OrderedDict[tuple[str, float], Float[np.ndarray, "h w"]] = OrderedDict()
        self._refs: dict[str, ImageRef] = {}
        self._first_names: dict[str, str] = {}
        self._by_content: dict[bytes, str] = {}
        self._encoded: dict[str, bytes] = {}
        self._strips: OrderedDict[tuple[str, int], png.Strip] = OrderedDict()
        self._used_once: set[str] = set()
        self.made_masks: dict[str, MaskRle] = {}

    def keep_mask(self, mask: Bool[np.ndarray, "h w"]) -> str:
        """Hold a mask that no file of the scene has (of a changed picture) for the builder; returns its hash."""
        return self.keep_code(encode_mask(mask))

    def keep_code(self, rle: MaskRle) -> str:
        """As `keep_mask`, of a mask that has its code already."""
        name = mask_id(rle)
        self.made_masks[name] = rle
        return name

    def rgb(self, path: str) -> UInt8[np.ndarray, "h w 3"]:
        """The pixels of an original, decoded once while they stay among the recent ones, under however many names it stands."""
        path = self._first_name(path)
        if path in self._decoded:
            self._decoded.move_to_end(path)
            return self._decoded[path]
        pixels = media.read_rgb(inside(self.root, path))
        self._decoded[path] = pixels
        while len(self._decoded) > 1 and sum(image.size // 3 for image in self._decoded.values()) > DECODED_PIXELS:
            self._decoded.popitem(last=False)
        return pixels

    def depth(self, ref: DepthRef) -> Float[np.ndarray, "h w"]:
        """Depth in metres, decoded once while it stays among the recent ones, under however many names it stands."""
        key = (self._first_name(ref.path), ref.metres_per_unit)
        if key not in self._depths:
            self._depths[key] = media.read_depth(inside(self.root, ref.path), ref.metres_per_unit)
            while len(self._depths) > RECENT_DEPTHS:
                self._depths.popitem(last=False)
        return self._depths[key]

    def original(self, path: str) -> ImageRef:
        """The reference to an original picture.

        Raises:
            InputError: unreadable, too large, or outside the root.
        """
        if path not in self._refs:
            first = self._first_name(path)
            if first == path:
                pixels = self.rgb(path)
                height, width = pixels.shape[:2]
                self._refs[path] = ImageRef(root="data", path=path, width=width, height=height, digest=media.pixel_digest(pixels))
            else:
                self._refs[path] = msgspec.structs.replace(self.original(first), path=path)
        return self._refs[path]

    def _first_name(self, path: str) -> str:
        """The first path at which a file with these bytes was seen: a frame stands in the folder of each of its objects."""
        if path not in self._first_names:
            file_path = inside(self.root, path)
            if not file_path.is_file():
                raise FileNotFoundError(f"{file_path} is missing; it was there when the folder was listed.")
            with file_path.open("rb") as file:
                key = hashlib.file_digest(file, "sha256").digest()
            self._first_names[path] = self._by_content.setdefault(key, path)
        return self._first_names[path]

    def derived(self, path: str, draw: Callable[[], UInt8[np.ndarray, "h w 3"]]) -> ImageRef:
        """The reference to a derived picture (a PNG below `media/`), drawn at the first call only."""
        if path not in self._refs:
            pixels = draw()
            height, width = pixels.shape[:2]
            self._encoded[path] = media.encode_png(pixels)
            self._refs[path] = ImageRef(root="media", path=path, width=width, height=height, digest=media.pixel_digest(pixels))
        return self._refs[path]

    def drawn_on(self, path: str, original: str, draw: Callable[[], UInt8[np.ndarray, "h w 3"]]) -> ImageRef:
        """As `derived`, of a picture that is `original` with something drawn on it: only the rows that changed are compressed."""
        if path not in self._refs:
            pixels = draw()
            height, width = pixels.shape[:2]
            self._encoded[path] = png.splice([png.altered(self._strip(original, height), self.rgb(original), pixels)])
            self._refs[path] = ImageRef(root="media", path=path, width=width, height=height, digest=media.pixel_digest(pixels))
        return self._refs[path]

    def beside(self, path: str, left: str, right: str) -> ImageRef:
        """The reference to a derived picture that shows two originals side by side; each original is compressed once."""
        pixels = side_by_side(self.rgb(left), self.rgb(right))
        height, width = pixels.shape[:2]
        self._encoded[path] = png.splice([self._strip(left, height), self._strip(right, height)])
        self._used_once.add(path)
        return ImageRef(root="media", path=path, width=width, height=height, digest=media.pixel_digest(pixels))

    def _strip(self, path: str, height: int) -> png.Strip:
        path = self._first_name(path)
        if (path, height) not in self._strips:
            self._strips[path, height] = png.strip(self.rgb(path), height=height)
            while len(self._strips) > RECENT_STRIPS:
                self._strips.popitem(last=False)
        return self._strips[path, height]

    def encoded(self, ref: ImageRef) -> bytes:
        """The file content of a derived picture; a side-by-side one is handed out once."""
        if ref.path in self._used_once:
            self._used_once.remove(ref.path)
            return self._encoded.pop(ref.path)
        return self._encoded[ref.path]


def derived_path(kind: str, *names: str) -> str:
    """Where a derived picture stands below `media/`. Refuses names that would leave it."""
    path = PurePosixPath(kind, *names)
    if ".." in path.parts or path.is_absolute():
        raise InputError(f"{path}: names of scenes and objects may not contain '..' or start with '/'.")
    return f"{path}.png"


def draw_mark(
    rgb: UInt8[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"], *, mark: Mark, alpha: float, point: tuple[float, float]
) -> UInt8[np.ndarray, "h w 3"]:
    """A copy of `rgb` with the object marked in red.

    `overlay` blends: out = round((1 - alpha) * rgb + alpha * red) on the mask. `box` and `contour` are lines drawn just outside the
    object, `point` a dot with a white rim at `point` (continuous pixels). Line width: 1/200 of the longer side, at least 2.
    """
    height, width = mask.shape
    line = max(2, round(max(height, width) / 200))
    out = rgb.copy()
    if mark == "overlay":
        tinted = (1 - alpha) * rgb[mask].astype(np.float32) + alpha * np.array(RED, np.float32)
        out[mask] = np.rint(tinted).astype(np.uint8)
    elif mark == "box":
        box = mask_to_box(mask)
        assert box is not None, "a reference view shows its object"
        x0, y0, x1, y1 = (int(value) for value in box)
        ring = np.zeros((height, width), bool)
        ring[max(0, y0 - line) : y1 + line, max(0, x0 - line) : x1 + line] = True
        ring[y0:y1, x0:x1] = False
        out[ring] = RED
    elif mark == "contour":
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * line + 1, 2 * line + 1))
        grown = cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)
        out[grown & ~mask] = RED
    else:
        column, row = int(point[0]), int(point[1])
        cv2.circle(out, (column, row), 3 * line, WHITE, -1)
        cv2.circle(out, (column, row), 2 * line, RED, -1)
    return out


def side_by_side(left: UInt8[np.ndarray, "h w 3"], right: UInt8[np.ndarray, "h2 w2 3"]) -> UInt8[np.ndarray, "h3 w3 3"]:
    """Two pictures in one, unscaled: left at (0, 0), right at (left width, 0); the shorter one is filled up with black below."""
    if left.shape[0] == right.shape[0]:
        return np.concatenate((left, right), axis=1)
    height = max(left.shape[0], right.shape[0])
    canvas = np.zeros((height, left.shape[1] + right.shape[1], 3), np.uint8)
    canvas[: left.shape[0], : left.shape[1]] = left
    canvas[: right.shape[0], left.shape[1] :] = right
    return canvas
