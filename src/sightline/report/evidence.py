"""What decided the truth of an example, for the page: the rule in words and numbers, and the objects it looked at by name.

    Example.evidence   {"rule": "left_of", "slack": 0.11, "threshold": 0.02, "frame_id": "00012",
                        "boxes": "{\\"1\\": [40.0, 60.0, 120.0, 200.0]}", "called": "{\\"1\\": \\"object A\\"}", ...}

`boxes` are in pixels of the picture whose view is `frame_id`. A text of another form is shown as it stands.
"""

from typing import Any

import msgspec

from sightline.geometry.boxes import Box
from sightline.report.markup import shorten, show_hidden
from sightline.types import Example

LIMIT = 600  # characters of one fact
MOST_BOXES = 24
FIRST = ("rule", "side", "label", "slack", "threshold", "runs")
DRAWN = ("boxes", "called")
PLAN = "plan"  # of `report.floor_plan`
LABELS = {
    "slack": "margin",
    "threshold": "least margin",
    "frame_id": "deciding frame",
    "called": "names",
    "referred_by": "called by",
}


def evidence_detail(example: Example) -> dict[str, Any]:
    """`facts`, pairs of name and text, the rule first; `boxes`, each with its picture and the words that stand beside it."""
    evidence = example.evidence
    boxes: dict[str, Box] | None = _decoded(evidence.get("boxes"), dict[str, Box])
    names: dict[str, str] = _decoded(evidence.get("called"), dict[str, str]) or {}
    images = _pictures_of(example, str(evidence.get("frame_id", "")))
    drawn = [
        {"image": image, "box": box, "words": shorten(_words(example, name, names), limit=80)[0]}
        for name, box in list((boxes or {}).items())[:MOST_BOXES]
        for image in images
    ]
    order = [*(name for name in FIRST if name in evidence), *(name for name in evidence if name not in FIRST)]
    facts = [
        (show_hidden(LABELS.get(name, name)), shorten(_text(evidence[name]), limit=LIMIT)[0])
        for name in order
        if not (drawn and name in DRAWN) and name != PLAN
    ]
    return {"facts": facts, "boxes": drawn}


def _pictures_of(example: Example, view_id: str) -> list[int]:
    """The pictures that show the view, but for one in which an object is marked to be recognised in another."""
    panels = [panel for panel in example.question.panels if view_id and panel.view_id == view_id]
    asked = [panel.image_index for panel in panels if panel.role != "reference"]
    return list(dict.fromkeys(asked or [panel.image_index for panel in panels]))


def _words(example: Example, object_id: str, names: dict[str, str]) -> str:
    """The object's part in the rule (a, b), its name, or its id."""
    part = next((part for part in ("a", "b") if str(example.evidence.get(part, "")) == object_id), "")
    name = names.get(object_id) or f"object {object_id}"
    return f"{part}: {name}" if part else name


def _text(value: str | float | int) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _decoded(value: str | float | int | None, kind: Any) -> Any:  # noqa: ANN401 - `dict[str, T]` is no type
    """A text of the JSON form `kind`, or None: the page then shows the text."""
    try:
        return msgspec.json.decode(str(value), type=kind) if value is not None else None
    except msgspec.DecodeError:
        return None
