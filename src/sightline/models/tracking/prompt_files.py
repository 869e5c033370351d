"""What shows objects in a clip, from files: a JSON of prompts, or label pictures of single frames.

    {"objects": {"1": [{"frame": 0, "mask": "first.png"}, {"frame": 40, "points": [[412, 97, true], [380, 60, false]]}],
                 "dog": [{"frame": 12, "box": [30, 40, 180, 220]}]}}

`frame` counts from 0. `mask` is a picture beside the JSON (grey, 1-bit or one label) or an RLE (`{"height", "width", "counts"}`).
Boxes and points are continuous pixels of the frames, ends of boxes exclusive; a point says whether it is on the object.
"""

from collections.abc import Iterator
from pathlib import Path

from sightline import media
from sightline.errors import InputError
from sightline.files import inside, read_json
from sightline.geometry.masks import decode_mask
from sightline.models.tracking.shown import RgbFrames, Shown
from sightline.types import MaskRle, Record

VOID = 255


class Given(Record):
    """One prompt of an object: exactly one of mask, box and points."""

    frame: int
    mask: str | MaskRle | None = None
    box: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float, bool], ...] = ()


class Prompts(Record):
    """A file of prompts: by object, in the order of its frames or not."""

    objects: dict[str, tuple[Given, ...]]


def read_prompts(path: Path, frames: RgbFrames) -> list[Shown]:
    """The prompts of a JSON file.

    Raises:
        FileNotFoundError: no such file, or no such mask.
        InputError: another form; no object, or one without a prompt; a prompt for a frame that is not there, outside the picture,
            of another size, or of more than one kind.
    """
    found = read_json(path, Prompts)
    if not found.objects:
        raise InputError(f"{path}: no object; expected at least one under 'objects'.")
    shown = []
    for name, prompts in found.objects.items():
        if not prompts:
            raise InputError(f"{path}: object {name!r} has no prompt. Give a mask, a box or points on some frame, or leave it out.")
        for given in prompts:
            shown.append(_shown(path, name, given))
            check_prompt(shown[-1], frames, where=str(path))
    return shown


def read_label_picture(path: Path, frame: int, frames: RgbFrames) -> Iterator[Shown]:
    """Every object of a label picture of one frame; 255 is void.

    Raises:
        FileNotFoundError, InputError: no such picture, none of labels, of another size, or without an object.
    """
    labels = media.read_labels(path)
    numbers = sorted({int(number) for number in set(labels.ravel().tolist())} - {0, VOID})
    if not numbers:
        raise InputError(f"{path} shows no object: all its labels are 0 or void ({VOID}).")
    for number in numbers:
        shown = Shown(frame=frame, object_id=str(number), mask=labels == number)
        check_prompt(shown, frames, where=str(path))
        yield shown


def parse_label_picture(text: str) -> tuple[int, Path]:
    """`FILE` (of the first frame) or `FRAME=FILE`."""
    frame, equals, name = text.partition("=")
    if equals and frame.isdecimal():
        return int(frame), Path(name)
    return 0, Path(text)


def check_prompt(shown: Shown, frames: RgbFrames, *, where: str) -> None:
    """Raise InputError if a prompt does not fit the clip."""
    what = f"{where}: object {shown.object_id!r}, frame {shown.frame}"
    if not 0 <= shown.frame < len(frames):
        raise InputError(f"{what}: the clip has the frames 0 to {len(frames) - 1}.")
    if (shown.mask is not None) + (shown.box is not None) + bool(shown.points) != 1:
        raise InputError(f"{what}: give a mask, a box or points, one of them.")
    if shown.mask is not None:
        height, width = shown.mask.shape
        if (height, width) != (frames.height, frames.width):
            raise InputError(
                f"{what}: a mask of {width}x{height} pixels for frames of {frames.width}x{frames.height}. "
                "Give it in the size of the frames."
            )
        if not shown.mask.any():
            raise InputError(f"{what}: the mask is empty, so it shows no object.")
    if shown.box is not None:
        x0, y0, x1, y1 = shown.box
        if not (0 <= x0 < x1 <= frames.width and 0 <= y0 < y1 <= frames.height):
            raise InputError(f"{what}: box {list(shown.box)} is no box inside {frames.width}x{frames.height} (x0, y0, x1, y1).")
    for x, y, _ in shown.points:
        if not (0 <= x <= frames.width and 0 <= y <= frames.height):
            raise InputError(f"{what}: point ({x:g}, {y:g}) lies outside {frames.width}x{frames.height}.")


def _shown(path: Path, name: str, given: Given) -> Shown:
    match given.mask:
        case None:
            mask = None
        case MaskRle():
            mask = decode_mask(given.mask)
        case str(picture):
            mask = media.read_mask(inside(path.parent, picture))
    return Shown(frame=given.frame, object_id=name, mask=mask, box=given.box, points=given.points)
