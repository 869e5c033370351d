"""Baselines without weights: what a model must beat before its number means anything.

Each is a function of one question; `Baseline` makes a model of it. They answer in pixels of the picture that is asked about, so for
a concatenated picture they answer inside its query half. Where a box, a mask or a word is asked, `forms` makes it of their answer.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool

from sightline.models.baselines.forms import as_asked, whole_span
from sightline.models.model import NotApplicable
from sightline.taskset.store import TaskSet
from sightline.types import YES, Answer, Boxes, Choice, NotVisible, Panel, Points, Question, Span

ASKED_ROLES = ("query", "after", "frame")
REGIONS = ("box", "mask", "box_track", "mask_track", "span")
REVISION = 1


@dataclass(frozen=True)
class Baseline:
    """A model made of a function of one question. `requires` names what a question lacks for it, or gives None."""

    name: str
    function: Callable[[Question, TaskSet], Answer]
    requires: Callable[[Question], str | None] | None = None
    settings: dict[str, int | float] = field(default_factory=dict)
    batch_size: int = 16
    dialect: None = None

    def describe(self) -> dict[str, Any]:
        return {"kind": "baseline", "name": self.name, "revision": REVISION, "settings": self.settings}

    def check(self, taskset: TaskSet) -> None:
        for example in taskset:
            lack = self._lack(example.question)
            if lack is None and self.requires is None and example.question.form.shape != "choice":
                return  # all questions of a task offer words, or none does; which words they offer may differ
            if lack is not None:
                raise NotApplicable(
                    f"model {self.name!r} cannot answer task set {taskset.manifest.name!r}: {lack} (example {example.id!r}). "
                    "Leave this model out for this task set."
                )

    def _lack(self, question: Question) -> str | None:
        """A place or its absence can be said as yes or no, but not as one of other options; chance can choose among any."""
        options = question.form.options
        if question.form.shape in ("number", "text"):
            return f"it cannot answer with a {question.form.shape} (chance and frequent can)"
        if not question.panels:
            return "no picture is shown"
        if options and YES not in options and self.function is not random_point:
            return f"it cannot choose among {', '.join(options)}"
        return self.requires(question) if self.requires is not None else None

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> list[Answer]:
        return [as_asked(self.function(question, taskset), question, asked_panel(question)) for question in questions]


def center(question: Question, _taskset: TaskSet) -> Answer:
    """The centre of the view that is asked about."""
    panel = asked_panel(question)
    return point_in(panel, panel.source.width / 2, panel.source.height / 2)


def random_point(question: Question, _taskset: TaskSet) -> Answer:
    """A uniform point of the view that is asked about, one of the offered words, or the time between two uniform moments; always
    the same for the same question id."""
    seed = int.from_bytes(hashlib.blake2b(question.id.encode(), digest_size=16).digest(), "big")
    rng = np.random.default_rng(seed)
    if question.form.shape == "choice":
        return Choice(value=question.form.options[int(rng.integers(len(question.form.options)))])
    panel = asked_panel(question)
    x, y = rng.random(2)
    if question.form.shape == "span":
        clip = whole_span(question)
        start, end = (clip.start_s + float(share) * (clip.end_s - clip.start_s) for share in sorted((x, y)))
        return Span(start_s=start, end_s=end)
    return point_in(panel, float(x) * panel.source.width, float(y) * panel.source.height)


def whole(question: Question, _taskset: TaskSet) -> Answer:
    """All of the view that is asked about."""
    panel = asked_panel(question)
    box = (panel.x, panel.y, panel.x + panel.source.width, panel.y + panel.source.height)
    return Boxes(boxes=((float(box[0]), float(box[1]), float(box[2]), float(box[3])),), image_index=panel.image_index)


def require_region(question: Question) -> str | None:
    """What keeps a region from being an answer to this question; None if it can be one."""
    shape = question.form.shape
    return None if shape in REGIONS else f"it answers with a whole picture, and a {shape} is asked for"


def not_visible(_question: Question, _taskset: TaskSet) -> Answer:
    """Always "not visible"."""
    return NotVisible()


def copy_reference(question: Question, taskset: TaskSet) -> Answer:
    """The reference's point at the same relative position of the other view; the centre where nothing is marked."""
    if question.reference is None:
        return center(question, taskset)
    shown, panel = question.panels[question.reference.panel_index], asked_panel(question)
    x, y = question.reference.point
    return point_in(panel, x / shown.source.width * panel.source.width, y / shown.source.height * panel.source.height)


def asked_panel(question: Question) -> Panel:
    """The panel in which the answer lies."""
    image_index = question.form.image_index
    return next(panel for panel in question.panels if panel.image_index == image_index and panel.role in ASKED_ROLES)


def point_in(panel: Panel, x: float, y: float) -> Points:
    """The answer (x, y), given in pixels of the panel's view."""
    return Points(points=((panel.x + x, panel.y + y),), image_index=panel.image_index)


def deepest_pixel(mask: Bool[np.ndarray, "h w"]) -> tuple[int, int, float]:
    """Row, column and depth of the set pixel farthest from every unset pixel and from the picture's border.

    The depth is the Euclidean distance in pixels to the nearest unset pixel: 1 for a lone pixel, 2 in the middle of a 3x3 block,
    0 if no pixel is set. Of several, the first in row order.
    """
    padded = np.pad(mask, 1).astype(np.uint8)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    row, column = divmod(int(distance.argmax()), mask.shape[1])
    return row, column, float(distance[row, column])
