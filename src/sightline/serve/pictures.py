"""The pictures of requests: decoded from base64 in memory, and shown to models as a task set shows its own.

The size stands in a picture's header and is taken off the request's allowance of pixels before any pixel is decoded.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from jaxtyping import Bool, Float, UInt8

from sightline import media, picture_header
from sightline.errors import InputError
from sightline.geometry.camera import check_pose
from sightline.geometry.masks import decode_mask
from sightline.serve.refusal import Refusal, wrong
from sightline.taskset.store import TaskSet
from sightline.types import Camera, DepthRef, ImageRef, MaskRle, Question

ROOT = "request"
NEVER_FETCHED = (
    "Send the picture itself: base64, plain or as a data URL (data:image/png;base64,...). Nothing is fetched or opened here."
)
FORMATS = "Send a PNG, JPEG or still WebP picture; masks as grey PNG, depth as PNG with one 16-bit channel."


class PostedCamera(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """As `types.Camera`, for a picture of the size it is sent in."""

    fx: float
    fy: float
    cx: float
    cy: float
    camera_to_world: Annotated[tuple[float, ...], msgspec.Meta(min_length=16, max_length=16)]


class PostedPicture(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A picture with what is known of it."""

    image: str
    depth: str | None = None
    metres_per_unit: float = 0.001
    camera: PostedCamera | None = None


@dataclass(frozen=True, eq=False)
class Shown:
    """A decoded picture, its depth in metres and its camera, where they were sent."""

    image: ImageRef
    rgb: UInt8[np.ndarray, "h w 3"]
    camera: Camera | None = None
    depth: DepthRef | None = None
    depth_m: Float[np.ndarray, "hd wd"] | None = None


@dataclass(frozen=True, eq=False)
class Posed:
    """A question and all that its references refer to."""

    question: Question
    rgb: dict[str, UInt8[np.ndarray, "_ _ 3"]]
    depths: dict[DepthRef, Float[np.ndarray, "_ _"]] = field(default_factory=dict)
    masks: dict[str, MaskRle] = field(default_factory=dict)
    depth_pictures: dict[DepthRef, UInt8[np.ndarray, "_ _ 3"]] = field(default_factory=dict)


class PostedSet(TaskSet):
    """The questions of one batch as models see a task set; it lies in memory, has no folder and no truth."""

    def __init__(self, posed: Iterable[Posed]) -> None:
        self.path, self.roots = Path(ROOT), {}
        self._pictures: dict[str, UInt8[np.ndarray, "_ _ 3"]] = {}
        self._depths: dict[DepthRef, Float[np.ndarray, "_ _"]] = {}
        self._codes: dict[str, MaskRle] = {}
        self._depth_pictures: dict[DepthRef, UInt8[np.ndarray, "_ _ 3"]] = {}
        for one in posed:
            self._pictures |= one.rgb
            self._depths |= one.depths
            self._codes |= one.masks
            self._depth_pictures |= one.depth_pictures

    def __len__(self) -> int:
        return 0

    def read_rgb(self, ref: ImageRef) -> UInt8[np.ndarray, "h w 3"]:
        return self._pictures[ref.digest]

    def read_mask(self, mask: str) -> Bool[np.ndarray, "h w"]:
        return decode_mask(self._codes[mask])

    def read_depth(self, ref: DepthRef) -> Float[np.ndarray, "h w"]:
        return self._depths[ref]

    def depth_picture(self, ref: DepthRef) -> UInt8[np.ndarray, "h w 3"] | None:
        """Depth that was sent as RoboRefer takes it; None for depth in metres."""
        return self._depth_pictures.get(ref)

    def forget(self) -> None:
        """Let the pictures go: a model may keep this set in a cache for long."""
        self._pictures, self._depths, self._codes, self._depth_pictures = {}, {}, {}, {}


class PictureReader:
    """Decodes the pictures of one request, `max_pixels` of all kinds together."""

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = self._left = max_pixels

    def shown(self, posted: str | PostedPicture, name: str) -> Shown:
        """A picture of the request; `name` is its field.

        Raises:
            Refusal: not base64, no picture, too many pixels, a depth that is none, or a camera that can be none.
        """
        if isinstance(posted, str):
            posted = PostedPicture(image=posted)
            field_name = name
        else:
            field_name = f"{name}.image"
        rgb = self._decoded(posted.image, field_name)
        height, width = rgb.shape[:2]
        digest = media.pixel_digest(rgb)
        image = ImageRef(root=ROOT, path=digest, width=width, height=height, digest=digest)
        camera = None if posted.camera is None else _camera(posted.camera, image, f"{name}.camera")
        if posted.depth is None:
            return Shown(image=image, rgb=rgb, camera=camera)
        depth_m = self._depth(posted.depth, posted.metres_per_unit, f"{name}.depth")
        depth_id = hashlib.blake2b(depth_m.tobytes(), digest_size=16).hexdigest()
        depth = DepthRef(root=ROOT, path=depth_id, metres_per_unit=posted.metres_per_unit)
        return Shown(image=image, rgb=rgb, camera=camera, depth=depth, depth_m=depth_m)

    def mask(self, text: str, name: str) -> Bool[np.ndarray, "h w"]:
        """A mask that was sent as a picture."""
        content = self._allowed(text, name)
        try:
            return media.read_mask(content)
        except InputError as error:
            raise wrong(str(error), where=name, remedy=FORMATS) from error

    def rgb(self, text: str, name: str) -> UInt8[np.ndarray, "h w 3"]:
        """The pixels of a picture alone, one channel repeated; raises as `shown`."""
        return self._decoded(text, name)

    def _decoded(self, text: str, name: str) -> UInt8[np.ndarray, "h w 3"]:
        content = self._allowed(text, name)
        try:
            return media.read_rgb(content)
        except InputError as error:
            raise wrong(str(error), where=name, remedy=FORMATS) from error

    def _depth(self, text: str, metres_per_unit: float, name: str) -> Float[np.ndarray, "h w"]:
        content = self._allowed(text, name)
        try:
            return media.read_depth(content, metres_per_unit)
        except InputError as error:
            raise wrong(str(error), where=name, remedy=FORMATS) from error

    def _allowed(self, text: str, name: str) -> picture_header.Content:
        """The bytes of a picture whose pixels have been taken off the allowance."""
        content = picture_header.Content(name, from_base64(text, name))
        try:
            header = picture_header.probe(content)
        except InputError as error:
            raise wrong(str(error), where=name, remedy=FORMATS) from error
        num_pixels = header.width * header.height
        if num_pixels > self._left:
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"{name} has {num_pixels:,} pixels; {self._left:,} are left of the {self._max_pixels:,} that one request may hold",
                where=name,
                remedy="Send smaller pictures; models see them smaller anyway. --max-request-pixels of `sightline serve` sets it.",
            )
        self._left -= num_pixels
        return content


def from_base64(text: str, name: str) -> bytes:
    """The bytes of a field, plain or as a data URL.

    Raises:
        Refusal: no base64.
    """
    head, comma, tail = text.partition(",") if text.startswith("data:") else ("", "", text)
    if comma and not head.endswith(";base64"):
        raise wrong(f"a data URL that begins {head[:40]!r}; expected one in base64", where=name, remedy=NEVER_FETCHED)
    try:
        return base64.b64decode(tail, validate=True)
    except (binascii.Error, ValueError) as error:
        raise wrong(f"not base64 ({error}); it begins {text[:24]!r}", where=name, remedy=NEVER_FETCHED) from error


def _camera(posted: PostedCamera, image: ImageRef, name: str) -> Camera:
    if posted.fx == 0 or posted.fy == 0:
        raise wrong("a focal length of 0", where=name, remedy="Send fx and fy in pixels of this picture.")
    try:
        check_pose(np.array(posted.camera_to_world, dtype=np.float64).reshape(4, 4))
    except InputError as error:
        raise wrong(str(error), where=name, remedy="Send 16 numbers, row by row, of a rigid camera-to-world transform.") from error
    return Camera(
        width=image.width,
        height=image.height,
        fx=posted.fx,
        fy=posted.fy,
        cx=posted.cx,
        cy=posted.cy,
        camera_to_world=posted.camera_to_world,
        world=ROOT,
    )
