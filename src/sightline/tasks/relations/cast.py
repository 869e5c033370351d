"""The objects of a question and how it calls them: all by name, or all by a mark (or a box in numbers) in one picture."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal

from sightline.geometry.boxes import Box
from sightline.tasks.relations.facts import Facts
from sightline.tasks.relations.names import Names
from sightline.tasks.relations.options import RelationOptions
from sightline.tasks.relations.shown import LETTERS, Frames


@dataclasses.dataclass(frozen=True)
class Cast:
    """`phrases` by object, in the order of the letters. `frame` is the picture with the marks, None where names do."""

    phrases: Mapping[str, str]
    by: Literal["name", "mark", "box"]
    frame: int | None = None
    boxes: Mapping[str, Box] = dataclasses.field(default_factory=dict)

    def all(self, ids: Sequence[str]) -> list[str]:
        return [self.phrases[name] for name in ids]


class Casting:
    """Chooses how the objects of one clip are called.

    Args:
        pictures: which frames can be shown.
        rate: frames a second.
    """

    def __init__(self, facts: Facts, names: Names, pictures: Frames, *, options: RelationOptions, rate: float) -> None:
        self._facts, self._names, self._options = facts, names, options
        self._gap = round(options.mark_gap_s * rate)
        self._shown = [frame for frame in range(len(facts.standings.labelled)) if pictures.has_picture(frame)]

    def cast(self, ids: Sequence[str], frames: Sequence[int]) -> Cast | str:
        """How to call these objects in a question about these frames, or the reason why nothing will do: `no_name`,
        `too_many_objects`, `no_mark_frame` (no picture shows all of them)."""
        if all(name in self._names.of for name in ids) and self._options.refer in ("auto", "name"):
            return Cast({name: self._names.of[name].text for name in ids}, "name")
        if self._options.refer == "name":
            return "no_name"
        if len(ids) > len(LETTERS):
            return "too_many_objects"
        frame = self._mark_frame(ids, frames)
        if frame is None:
            return "no_mark_frame"
        phrases = {name: f"object {letter}" for name, letter in zip(ids, LETTERS, strict=False)}
        by = "box" if self._options.refer == "box" else "mark"
        return Cast(phrases, by, frame, self._facts.standings.boxes(frame, ids))

    def _mark_frame(self, ids: Sequence[str], frames: Sequence[int]) -> int | None:
        """The nearest picture that shows all of them, at least the gap away from one single frame that is asked about; else a
        nearer one, at last that frame itself."""
        usable = [frame for frame in self._shown if len(self._facts.standings.boxes(frame, ids)) == len(ids)]
        if len(frames) > 1 or not usable:
            return next(iter(usable), None)
        asked = frames[0]
        far = [frame for frame in usable if abs(frame - asked) >= max(self._gap, 1)]
        if far:
            return min(far, key=lambda frame: (abs(frame - asked), frame))
        return max(usable, key=lambda frame: (abs(frame - asked), -frame))
