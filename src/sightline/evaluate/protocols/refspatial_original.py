"""Protocol "refspatial-original": how RefSpatial-Bench's authors count an answer, mistakes included.

Source: Evaluation/summarize_acc.py of Zhoues/RoboRefer. Of each answer, the share of its points that lie on the mask; of the
benchmark, the mean of these shares over the answers that did not make the script's parser fail. In detail:

- Which parser reads an answer depends on the model's name there, on its dialect here (`PARSERS`): tuples in shares of the picture
  (RoboRefer, RoboPoint), tuples in pixels (Qwen, RoboBrain), `x1="12.3" y1="45.6"` in percent (Molmo), JSON in a fence (Gemini).
- Tuples: `(x, y)` right behind the bracket, no blanks, no brackets inside. With a decimal point in it, it is in shares: int(x * w)
  cuts towards zero, so that x = -0.001 is column 0, and x = 1.0 is column w, outside. Without one it is in pixels: (1, 1).
- `(x0, y0, x1, y1)` stands for every pixel of the box, each a point; whole numbers are multiplied by the picture's size too. A box
  whose corners are reversed makes the parser fail: the answer is left out of the mean.
- A point outside the picture is a miss; an answer without points counts 0. The mask is set where its first channel is above 0.
- Tuples in pixels that have a decimal point stop the script with an error. Here such an answer counts 0 and is counted.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

TUPLE = re.compile(r"\(([-+]?\d+(?:\.\d*)?(?:,\s*[-+]?\d+(?:\.\d*)?)*)\)")
XML = re.compile(r'(?:x\d+)="(-?\d+(?:\.\d*)?)"\s+(?:y\d+)="(-?\d+(?:\.\d*)?)"')
FENCE = re.compile(r"```(?:\w+)?\n(.*?)```", re.DOTALL)
INT64 = 2**63
MAX_BOX = 2**40  # pixels; their array of a larger box does not fit into any memory, and the parser fails
Box = tuple[int, int, int, int]


class ParserFails(Exception):  # noqa: N818 - says what happens there
    """Their parser raises; they leave the answer out of the mean."""


class ScriptStops(Exception):  # noqa: N818
    """Their script ends with an error at this answer."""


@dataclass(frozen=True)
class Pixels:
    """What an answer points at: pixels (column, row), and boxes (x0, y0, x1, y1) of which every pixel counts."""

    points: tuple[tuple[int, int], ...] = ()
    boxes: tuple[Box, ...] = field(default=())


Parser = Callable[[str, int, int], Pixels]


def share_on_mask(pixels: Pixels, weights: Float[np.ndarray, "h w"]) -> float:
    """The mean weight (0..1) of all pixels pointed at; 0 outside the picture, and where there is none.

    Raises:
        ScriptStops: a number that is no index.
    """
    height, width = weights.shape
    if any(abs(value) >= INT64 for point in pixels.points for value in point):
        raise ScriptStops
    hits = sum(float(weights[y, x]) for x, y in pixels.points if 0 <= x < width and 0 <= y < height)
    count = len(pixels.points)
    for x0, y0, x1, y1 in pixels.boxes:
        count += (x1 - x0) * (y1 - y0)
        hits += float(weights[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)].sum())
    return hits / count if count else 0.0


def tuples(text: str) -> list[list[int | float]]:
    """The numbers of every bracket: int without a decimal point, float with one.

    Raises:
        ParserFails: a whole number of more digits than Python reads.
    """
    try:
        return [[float(word) if "." in word else int(word) for word in group.split(",")] for group in TUPLE.findall(text)]
    except ValueError as error:
        raise ParserFails from error


def in_shares(text: str, width: int, height: int) -> Pixels:
    """Tuples in shares of the picture."""
    points, boxes = [], []
    for numbers in tuples(text):
        if len(numbers) == 2:
            points.append(point_of(numbers, width, height))
        elif len(numbers) == 4:
            x0, y0, x1, y1 = (_whole(value * (width, height)[index % 2]) for index, value in enumerate(numbers))
            boxes.append(_checked((x0, y0, x1, y1)))
    return Pixels(tuple(points), tuple(boxes))


def point_of(numbers: list[int | float], width: int, height: int) -> tuple[int, int]:
    """Two numbers as a pixel: shares if either has a decimal point, else pixels."""
    x, y = numbers
    if isinstance(x, float) or isinstance(y, float):
        return _whole(x * width), _whole(y * height)
    return x, y


def in_pixels(text: str, _width: int, _height: int) -> Pixels:
    """Tuples in pixels."""
    found = tuples(text)
    points = [numbers for numbers in found if len(numbers) == 2]
    boxes = [numbers for numbers in found if len(numbers) == 4]
    if any(isinstance(value, float) for numbers in boxes for value in numbers):
        raise ParserFails
    corners = tuple(_checked((int(x0), int(y0), int(x1), int(y1))) for x0, y0, x1, y1 in boxes)
    if any(isinstance(value, float) for numbers in points for value in numbers):
        raise ScriptStops
    return Pixels(tuple((int(x), int(y)) for x, y in points), corners)


def in_percent(text: str, width: int, height: int) -> Pixels:
    """`x1="12.3" y1="45.6"`; a single Molmo point (`x=`, without a number) is not found."""
    return Pixels(tuple((_whole(float(x) / 100 * width), _whole(float(y) / 100 * height)) for x, y in XML.findall(text)))


def in_json(text: str, width: int, height: int) -> Pixels:
    """`[{"point": [y, x]}]` in thousandths, in a fence; without a fence, or with broken JSON in it, there are no points."""
    match = FENCE.search(text)
    if match is None:
        return Pixels()
    try:
        found: Any = json.loads(match.group(1).strip())
    except json.JSONDecodeError:
        return Pixels()
    except (RecursionError, ValueError) as error:
        raise ParserFails from error
    try:
        pairs = [
            entry["point"] for entry in found if "point" in entry and isinstance(entry["point"], list) and len(entry["point"]) == 2
        ]
        return Pixels(tuple((_whole(x / 1000 * width), _whole(y / 1000 * height)) for y, x in pairs))
    except (TypeError, KeyError, OverflowError) as error:
        raise ParserFails from error


PARSERS: dict[str, Parser] = {
    "roborefer": in_shares,
    "robobrain": in_pixels,
    "qwen2": in_pixels,
    "qwen25": in_pixels,
    "molmo": in_percent,
    "gemini": in_json,
}


def _checked(box: Box) -> Box:
    x0, y0, x1, y1 = box
    if x1 < x0 or y1 < y0 or (x1 - x0) * (y1 - y0) > MAX_BOX or max(x1 - x0, y1 - y0) >= INT64:
        raise ParserFails
    return box


def _whole(value: int | float) -> int:
    try:
        return int(value)
    except (OverflowError, ValueError) as error:
        raise ParserFails from error
