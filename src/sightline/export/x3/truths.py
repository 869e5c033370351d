"""A row's truth and reference point, checked against the object's masks before they are used.

"Not visible" needs an empty mask; a point must lie on the exact or the dilated mask, up to the rounding of three decimals and of a
centre to a pixel. For a concatenated picture this also tells the two frames apart in which its truth is found.
"""

import math
import re
from collections.abc import Iterator

import msgspec
import numpy as np
from jaxtyping import Bool

from sightline.export.x3.placed import Frame, FrameTally, Unusable
from sightline.export.x3.rows import Row, read_answer
from sightline.geometry.masks import decode_mask
from sightline.tasks.seen import SeenView
from sightline.types import Example, ImageRef, Panel, PointPart, Points

NUMBER_PAIR = re.compile(r"\(\s*([0-9.]+)\s*,\s*([0-9.]+)\s*\)")
HALF_STEP = 0.0005  # of numbers with three decimals
MASK_EDGE = 1.5  # pixels: their centre is rounded to a pixel, and their masks are set where the value is above 0
Pixel = tuple[float, float]


def with_truth(example: Example, row: Row, query: SeenView, tally: FrameTally) -> Example:
    """The example with the truth of its row; `query` is the object's own view that the row asks about.

    Raises:
        Unusable: there is no readable truth, or the mask contradicts it.
    """
    text = row.said("gpt")
    answer = None if text is None else read_answer(text)
    if answer is None or (answer.coord is None and not answer.is_not_visible):
        raise Unusable("answer_unreadable", f"the answer is {text!r}, expected [(x, y)] or NOT_VISIBLE")
    if answer.is_not_visible == example.truth.visible:
        seen = "shows" if example.truth.visible else "does not show"
        raise Unusable("truth_contradicts_mask", f"the answer is {text!r}, but by its mask the query {seen} the object")
    if answer.coord is None:
        return example
    panel = example.question.panels[example.truth.panel_index]
    picture = example.question.images[panel.image_index]
    x, y = _point(answer.coord, query, panel=panel, picture=picture, row=row, tally=tally)
    truth = msgspec.structs.replace(example.truth, answer=Points(points=((x, y),), image_index=panel.image_index))
    return msgspec.structs.replace(example, truth=truth)


def with_reference_point(example: Example, row: Row, reference: SeenView) -> Example:
    """The example of a concatenated picture with the reference's point of its row.

    That is the first pair of numbers in the prompt that lies on the object, as shares of the whole picture, or else of view A.

    Raises:
        Unusable: no pair of numbers does.
    """
    shown = example.question.reference
    assert shown is not None, "a concatenated picture has a reference"
    panel, picture = example.question.panels[shown.panel_index], example.question.images[0]
    mask = _accepted(reference)
    for size in ((picture.width, picture.height), (panel.source.width, panel.source.height)):
        for share in _shares(row.said("human") or ""):
            point = share[0] * size[0], share[1] * size[1]
            if _near(mask, point, _tolerance(size)):
                return _refer(example, point)
    raise Unusable("reference_point_unusable", f"the prompt names no point on the object in view {panel.view_id}")


def _refer(example: Example, point: Pixel) -> Example:
    question = example.question
    assert question.reference is not None, "a concatenated picture has a reference"
    parts = tuple(
        PointPart(x=point[0], y=point[1], image_index=part.image_index) if isinstance(part, PointPart) else part
        for part in question.prompt
    )
    reference = msgspec.structs.replace(question.reference, point=point)
    return msgspec.structs.replace(example, question=msgspec.structs.replace(question, prompt=parts, reference=reference))


def _point(coord: tuple[float, float], query: SeenView, *, panel: Panel, picture: ImageRef, row: Row, tally: FrameTally) -> Pixel:
    """The truth in pixels of the picture, from the declared frame."""
    mask = _accepted(query)
    is_concat = (picture.width, picture.height) != (panel.source.width, panel.source.height)
    points: dict[Frame, Pixel] = {
        "whole": (coord[0] * picture.width, coord[1] * picture.height),
        "local": (coord[0] * panel.source.width + panel.x, coord[1] * panel.source.height + panel.y),
    }
    tolerance = _tolerance((picture.width, picture.height))
    fits = {frame: _near(mask, (x - panel.x, y - panel.y), tolerance) for frame, (x, y) in points.items()}
    declared: Frame = tally.declared
    if not is_concat:
        declared = "whole"
    if fits[declared]:
        if is_concat and all(fits.values()):
            tally.both.append(row.id)
        else:
            tally.agree += is_concat
        return points[declared]
    if any(fits.values()):
        tally.other.append(row.id)
    raise Unusable("truth_off_the_mask", f"{coord} is not on the object's mask in view {panel.view_id}")


def _accepted(view: SeenView) -> Bool[np.ndarray, "h w"]:
    return view.mask if view.rle_dilated is None else view.mask | decode_mask(view.rle_dilated)


def _tolerance(size: tuple[int, int]) -> float:
    return HALF_STEP * max(size) + MASK_EDGE


def _near(mask: Bool[np.ndarray, "h w"], point: Pixel, tolerance: float) -> bool:
    """Whether a mask pixel lies within `tolerance` pixels of the point, across or down."""
    x, y = point
    columns = slice(max(0, math.floor(x - tolerance)), max(0, math.floor(x + tolerance) + 1))
    rows = slice(max(0, math.floor(y - tolerance)), max(0, math.floor(y + tolerance) + 1))
    return bool(mask[rows, columns].any())


def _shares(text: str) -> Iterator[tuple[float, float]]:
    for x, y in NUMBER_PAIR.findall(text):
        if x.count(".") <= 1 and y.count(".") <= 1 and x != "." and y != ".":
            yield float(x), float(y)
