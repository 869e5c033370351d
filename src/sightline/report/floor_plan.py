"""The floor plan of a spatial question for the page: boxes from above, the camera's path, and the lines of the answer.

From `Example.evidence["plan"]` (`tasks.spatial.asking.Plan`, metres, y up) to shapes in units of the drawing (y down), which the
page's script makes elements of; nothing of it is markup. A plan that cannot be read or drawn is left away.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from sightline.report.markup import shorten
from sightline.tasks.spatial.asking import Plan
from sightline.types import Example

WIDTH = 640.0
MOST_HEIGHT = 900.0
MARGIN = 24.0
MOST_BOXES = 400
MOST_POINTS = 4000
HEADING = 14.0  # length of the stroke that shows where a camera looks
STEPS_M = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 50.0, 100.0)

Point = tuple[float, float]


def plan_detail(example: Example) -> dict[str, Any] | None:
    """`size`, `boxes` (outline, words, whether asked about), `path`, `headings`, `lines` and the `ruler`; None without a plan."""
    plan = _read(example.evidence.get("plan"))
    if plan is None:
        return None
    points = [point for outline in _outlines(plan) for point in outline]
    if not points or len(points) > MOST_POINTS or not all(math.isfinite(number) for point in points for number in point):
        return None
    low = min(x for x, _ in points), min(y for _, y in points)
    high = max(x for x, _ in points), max(y for _, y in points)
    spans = max(high[0] - low[0], 0.1), max(high[1] - low[1], 0.1)
    scale = min((WIDTH - 2 * MARGIN) / spans[0], (MOST_HEIGHT - 2 * MARGIN) / spans[1])

    def drawn(outline: Iterable[Point]) -> list[Point]:
        return [(round(MARGIN + (x - low[0]) * scale, 2), round(MARGIN + (high[1] - y) * scale, 2)) for x, y in outline]

    return {
        "size": [WIDTH, round(2 * MARGIN + spans[1] * scale, 2)],
        "boxes": [
            {"outline": drawn(box.outline), "words": shorten(box.label, limit=40)[0], "asked": box.asked}
            for box in sorted(plan.boxes[:MOST_BOXES], key=lambda box: box.asked)
        ],
        "path": drawn(plan.path),
        "headings": [
            (at, (round(at[0] + HEADING * x, 2), round(at[1] - HEADING * y, 2)))
            for at, (x, y) in zip(drawn(plan.path), plan.headings, strict=False)
        ],
        "lines": [drawn(line) for line in plan.lines],
        "ruler": _ruler(scale, spans[0]),
    }


def _read(value: str | float | int | None) -> Plan | None:
    try:
        return msgspec.json.decode(str(value), type=Plan) if value is not None else None
    except msgspec.DecodeError:
        return None


def _outlines(plan: Plan) -> list[Sequence[Point]]:
    return [*(box.outline for box in plan.boxes[:MOST_BOXES]), plan.path, *plan.lines]


def _ruler(scale: float, span_m: float) -> dict[str, Any]:
    """A round length of about a fifth of the width."""
    length = max((step for step in STEPS_M if step <= span_m / 4), default=STEPS_M[0])
    return {"length": round(length * scale, 2), "words": f"{length:g} m"}
