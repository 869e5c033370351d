"""The mark in the first picture of a request, drawn there as the tasks draw theirs.

A mask may be drawn in each of the four ways (tinted, unless `drawn` says otherwise); a box is drawn as a box, a point as a dot.
"""

import math
from dataclasses import dataclass

import msgspec
import numpy as np
from jaxtyping import Bool, UInt8

from sightline import media
from sightline.errors import InputError
from sightline.geometry.boxes import Box, mask_to_box
from sightline.geometry.masks import decode_mask, encode_mask, mask_id
from sightline.geometry.points import pixel_index, truth_point
from sightline.serve.pictures import PictureReader, Shown
from sightline.serve.refusal import wrong
from sightline.tasks.crossview import CrossViewOptions, example_rng
from sightline.tasks.pictures import Mark, draw_mark
from sightline.types import ImageRef, MaskRle, Reference

FIELD = "mark"
OPTIONS = CrossViewOptions()


class CocoRle(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A mask as COCO files hold it: `size` is (height, width), `counts` the compressed code."""

    size: tuple[int, int]
    counts: str


class PostedMark(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One of `mask` (COCO RLE, or a PNG in base64), `box` (x0, y0, x1, y1) and `point` (x, y), in pixels of the first picture."""

    mask: CocoRle | str | None = None
    box: tuple[float, float, float, float] | None = None
    point: tuple[float, float] | None = None
    drawn: Mark | None = None

    @property
    def style(self) -> Mark:
        """How it is drawn."""
        return self.drawn or ("box" if self.box is not None else "point" if self.point is not None else OPTIONS.mark)


@dataclass(frozen=True, eq=False)
class Marked:
    """The picture as the model is shown it, and what a question says of the marked object."""

    image: ImageRef
    rgb: UInt8[np.ndarray, "h w 3"]
    reference: Reference
    rle: MaskRle


def check_mark(mark: PostedMark) -> None:
    """Look at a mark before any picture is decoded.

    Raises:
        Refusal: none or several of mask, box and point, or a way of drawing that needs a mask.
    """
    given = [name for name in ("mask", "box", "point") if getattr(mark, name) is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        raise wrong(f"expected one of mask, box and point, found {found}", where=FIELD, remedy="Keep one, or leave `mark` out.")
    if mark.drawn is not None and mark.mask is None and mark.drawn != given[0]:
        message = f"a {given[0]} cannot be drawn as {mark.drawn}"
        raise wrong(message, where=f"{FIELD}.drawn", remedy="Send a mask, or leave `drawn` out.")


def mark_object(mark: PostedMark, picture: Shown, reader: PictureReader, *, seed: str) -> Marked:
    """Draw the mark. `seed` decides where in a mask the dot is put if its middle is not on it.

    Raises:
        Refusal: a mask of another size, unreadable or empty; a box or a point that does not lie in the picture.
    """
    mask = _region(mark, picture, reader)
    box = mark.box or mask_to_box(mask)
    if box is None:
        raise wrong("the mask has no pixel", where=f"{FIELD}.mask", remedy="Send the mask of the object in the first picture.")
    point = mark.point or truth_point(mask, example_rng(OPTIONS.seed, seed))
    drawn = draw_mark(picture.rgb, mask, mark=mark.style, alpha=OPTIONS.alpha, point=point)
    digest = media.pixel_digest(drawn)
    rle = encode_mask(mask)
    return Marked(
        image=msgspec.structs.replace(picture.image, path=digest, digest=digest),
        rgb=drawn,
        reference=Reference(panel_index=0, point=point, box=box, mask=mask_id(rle)),
        rle=rle,
    )


def _region(mark: PostedMark, picture: Shown, reader: PictureReader) -> Bool[np.ndarray, "h w"]:
    """The pixels that are marked."""
    width, height = picture.image.width, picture.image.height
    region = np.zeros((height, width), dtype=bool)
    match mark:
        case PostedMark(point=(x, y)):
            region[_pixel(x, y, width, height)] = True
        case PostedMark(box=(_, _, _, _) as box):
            x0, y0, x1, y1 = _checked_box(box, width, height)
            region[math.floor(y0) : math.ceil(y1), math.floor(x0) : math.ceil(x1)] = True
        case PostedMark(mask=CocoRle() | str() as mask):
            region = reader.mask(mask, f"{FIELD}.mask") if isinstance(mask, str) else _decoded(mask, width, height)
    if region.shape != (height, width):
        message = f"a mask of {region.shape[1]} x {region.shape[0]} pixels for a picture of {width} x {height}"
        raise wrong(message, where=f"{FIELD}.mask", remedy="Send it in the size of the first picture.")
    return region


def _decoded(mask: CocoRle, width: int, height: int) -> Bool[np.ndarray, "h w"]:
    try:
        return decode_mask(MaskRle(height=mask.size[0], width=mask.size[1], counts=mask.counts), max_pixels=width * height)
    except InputError as error:
        raise wrong(str(error), where=f"{FIELD}.mask", remedy="Send `pycocotools.mask.encode(...)`, counts as text.") from error


def _pixel(x: float, y: float, width: int, height: int) -> tuple[int, int]:
    found = pixel_index(x, y, width, height)
    if found is None:
        raise wrong(f"({x:g}, {y:g}) is not in the picture of {width} x {height}", where=f"{FIELD}.point", remedy="Send pixels.")
    return found


def _checked_box(box: Box, width: int, height: int) -> Box:
    x0, y0, x1, y1 = box
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        message = f"{list(box)} is no box in the picture of {width} x {height}"
        raise wrong(message, where=f"{FIELD}.box", remedy="Send x0 < x1 and y0 < y1 in pixels, ends exclusive.")
    return box
