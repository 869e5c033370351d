"""Boxes over the frames of a clip as text. Frames without the object are left out; a box is in the numbers of its own frame.

    timed      [{"time": 1.0, "bbox_2d": [10, 20, 30, 40], "label": "target"}]      Qwen2.5-VL and Qwen3-VL
               [{"time": 1.0, "box": [10, 20, 30, 40]}]                             families without a form of their own
    numbered   Frame1: <box>[[10, 20, 30, 40]]</box>                                InternVL, a line a frame
    (the form of the Sa2VA fork is in `sa2va_box`)

A time is that of the nearest frame shown, at most half a step away; entries of other times are left out and counted
(`unmatched_times_2`), as are entries without a time (`entries_without_time_1`) and boxes without four numbers (`bad_boxes_1`).
Several objects are several entries of one time. An absence phrase beside boxes is noted (`absence_phrase`), no contradiction: an
object can be absent from a part of the clip. Source of the timed form: QwenLM/Qwen3-VL, cookbook of video understanding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sightline.dialects.convention import Convention, Number, Size
from sightline.dialects.reading import EMPTY_LIST, Body, says_absent
from sightline.types import AnswerForm, BoxTrack, NotVisible, Reading, Status

Box = tuple[float, float, float, float]


@runtime_checkable
class TrackForm(Protocol):
    """How a family writes boxes over time. `frames` are the sizes and times of the clip's pictures, in order."""

    @property
    def instruction(self) -> str:
        """The sentences that tell the model how to write; they do not offer "not visible"."""
        ...

    def write(self, track: BoxTrack, frames: Sequence[Size]) -> str: ...

    def read(self, text: str, form: AnswerForm, frames: Sequence[Size]) -> Reading:
        """What a text says. Never raises; takes time linear in its length. The track has one entry a frame."""
        ...


@dataclass(frozen=True)
class FoundTrack:
    """The boxes found in a text: (position of the frame, numbers) in their order. `problems`: why others were not counted."""

    boxes: tuple[tuple[int, tuple[Number, ...]], ...] = ()
    truncated: bool = False
    problems: tuple[str, ...] = ()


def clip_frames(pictures: Sequence[Size]) -> tuple[Size, ...]:
    """Those of a question's pictures that are frames of its clip; all of them where none has a time."""
    return tuple(picture for picture in pictures if picture.time_s is not None) or tuple(pictures)


def counted(**problems: int) -> tuple[str, ...]:
    """`("bad_boxes_2",)` of bad_boxes=2, other=0."""
    return tuple(f"{name}_{count}" for name, count in problems.items() if count)


def written(track: BoxTrack, frames: Sequence[Size], convention: Convention) -> list[list[tuple[str, ...]]]:
    """The numerals of each box, frame by frame."""
    return [[convention.write(box, frame) for box in boxes] for boxes, frame in zip(track.frames, frames, strict=True)]


def track_reading(found: FoundTrack, body: Body, form: AnswerForm, frames: Sequence[Size], convention: Convention) -> Reading:
    """What boxes of frames amount to."""
    notes = dict.fromkeys((*body.notes, *found.problems))
    absent = says_absent(body.text)
    truncated = found.truncated or body.cut_off
    if not found.boxes:
        return _without_boxes(body, form, absent=absent, truncated=truncated, problems=found.problems)
    if absent:
        notes["absence_phrase"] = None
    boxes: list[list[Box]] = [[] for _ in frames]
    outside: list[bool] = []
    for position, numbers in found.boxes:
        frame = frames[position]
        x0, y0, x1, y1 = convention.read(numbers, frame)
        if x1 < x0 or y1 < y0:
            notes["reversed_corners"] = None
        box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        boxes[position].append(box)
        outside.append(box[0] < 0 or box[1] < 0 or box[2] > frame.width or box[3] > frame.height)
    status: Status = "out_of_range" if outside[0] else "truncated" if truncated else "ok"
    if any(outside[1:]):
        notes["some_out_of_range"] = None
    if truncated and status != "truncated":
        notes["truncated"] = None
    answer = BoxTrack(frames=tuple(tuple(found) for found in boxes))
    return Reading(status=status, answer=answer, num_found=len(outside), notes=tuple(notes))


def _without_boxes(body: Body, form: AnswerForm, *, absent: bool, truncated: bool, problems: tuple[str, ...]) -> Reading:
    if absent and not problems:
        return Reading(status="not_visible", answer=NotVisible(), notes=body.notes)
    if truncated:
        return Reading(status="truncated", notes=(*body.notes, *problems))
    if not body.text.strip():
        return Reading(status="empty", notes=body.notes)
    if not problems and EMPTY_LIST.search(body.text):
        if form.offers_not_visible:
            return Reading(status="not_visible", answer=NotVisible(), notes=body.notes)
        return Reading(status="empty", notes=body.notes)
    return Reading(status="unreadable", notes=(*body.notes, *problems, "no_coordinates"))
