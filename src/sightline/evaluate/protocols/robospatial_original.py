"""Protocol "robospatial-original": how RoboSpatial-Home's authors count an answer, mistakes included.

Source: evaluation.py of chanhee-luke/RoboSpatial-Eval. The share of right answers over all questions that have one. In detail:

- Yes or no: the text begins with the right word, after blanks, in any case: "yes" also begins "yesterday", "no" also "nothing", and
  "The answer is no" is wrong.
- A point: the first `(x, y)` of unsigned numbers anywhere in the text, also in its reasoning; else the first `[x, y]`; else the
  first list, read as Python writes lists, and of it the first point. Later points do not count.
- It is right if it lies inside the outline of the published answer, corner by corner in shares of the picture (even-odd rule). The
  mask is not looked at. Coordinates in pixels are always outside.
- A text without a point is wrong, stays in the denominator, and is counted as ill-formed.
"""

import ast
import re
from collections.abc import Sequence
from typing import Any

ROUND = re.compile(r"\(\s*(\d+(?:\.\d*)?)\s*,\s*(\d+(?:\.\d*)?)\s*\)")
SQUARE = re.compile(r"\[\s*(\d+(?:\.\d*)?)\s*,\s*(\d+(?:\.\d*)?)\s*\]")
MAX_LIST = 20_000  # characters; a longer list is not read here, there it would take time and memory

Point = tuple[float, float]


def begins_with(text: str, word: str) -> bool:
    """Whether the text begins with the right word ("yes" or "no")."""
    return text.strip().lower().startswith(word)


def first_point(text: str) -> Point | None:
    """The point that is scored; None where they find none."""
    for pattern in (ROUND, SQUARE):
        if match := pattern.search(text):
            return float(match[1]), float(match[2])
    _, opening, rest = text.partition("[")
    content, closing, _ = rest.partition("]")
    if not opening or not closing or len(content) > MAX_LIST:
        return None
    content = re.sub(r",(\S)", r", \1", content).strip().removesuffix(",")
    try:
        return _point_of(ast.literal_eval(f"[{content}]"))
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError, OverflowError):
        return None


def inside(point: Point, corners: Sequence[Point]) -> bool:
    """Whether the point lies inside the outline, by the even-odd rule."""
    x, y = point
    odd = False
    for (x1, y1), (x0, y0) in zip(corners, [corners[-1], *corners[:-1]], strict=True):
        if (y1 > y) != (y0 > y) and x < (x0 - x1) * (y - y1) / (y0 - y1) + x1:
            odd = not odd
    return odd


def _point_of(found: list[Any]) -> Point | None:
    """The first point of a list: two numbers, or tuples, or lists of two."""
    if not found:
        return None
    first: Any = found[0]
    if len(found) == 2 and all(isinstance(value, int | float) for value in found):
        first = tuple(found)
    if not isinstance(first, tuple | list) or len(first) != 2:
        return None
    return float(first[0]), float(first[1])
