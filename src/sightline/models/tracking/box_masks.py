"""Box to mask: a tracker (SAM 2) that is prompted with the boxes that were answered elsewhere, on all frames that have one, in one
pass over the clip.

A frame without a box of an object is not prompted for it; there the tracker says whether it is in the picture (`absent_empty`: it
is not, if the frame was asked about). All objects of all expressions of a clip are followed together, so that each frame is encoded
once for all of them. The mask of an expression is the union of its objects' masks.

An answer without boxes has the status it had as boxes: what said that nothing is there says so again, and what could not be read
has no mask and stays unreadable, so that both are counted. Parts of boxes outside the picture are cut off; boxes that lie outside
altogether prompt nothing (note `boxes_outside_2`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import msgspec
import numpy as np

from sightline.errors import InputError
from sightline.geometry.boxes import Box, clip_box
from sightline.geometry.masks import encode_mask, rle_box, union_masks
from sightline.models.model import Drawn, Failure, NotApplicable, Replies, Reply
from sightline.models.tracking.shown import QuestionFrames, Shown, clips_of
from sightline.models.tracking.trackers import Tracker, whole_tracks
from sightline.taskset.store import TaskSet
from sightline.types import Answer, Boxes, BoxTrack, MaskAnswer, MaskRle, MaskTrack, Prediction, Question

SHAPES = ("mask", "mask_track", "box", "box_track")
QUESTIONS_TOGETHER = 64
Track = Sequence[MaskRle | None]


@dataclass(frozen=True)
class Pointed:
    """What was answered about a question in boxes.

    `objects`: of each object its box (pixels, not clipped) by position among the question's frames; `asked`: the positions that
    were asked about. `prediction`: the answer as it was read; None of the truth.
    """

    objects: Sequence[Mapping[int, Box]]
    asked: frozenset[int] = field(default_factory=frozenset)
    prediction: Prediction | None = None


@runtime_checkable
class BoxSource(Protocol):
    """Where boxes come from: a run of a model, or a truth. `describe` tells it from any other, in plain JSON values."""

    def describe(self) -> dict[str, Any]: ...

    def pointed(self, question: Question) -> Pointed | Failure:
        """The boxes that belong to a question; a Failure where the model had no answer.

        Raises:
            InputError: nothing was asked that belongs to this question, or about other pictures.
        """
        ...


@dataclass(frozen=True)
class BoxMasks:
    """A tracker and the boxes that prompt it as a model of ours. It also answers where boxes are asked: with those of its masks."""

    name: str
    tracker: Tracker
    source: BoxSource
    both_directions: bool = True
    absent_empty: bool = False
    batch_size: int = QUESTIONS_TOGETHER
    dialect: None = None

    def describe(self) -> dict[str, Any]:
        return {
            "kind": "boxes",
            "name": self.name,
            "boxes": self.source.describe(),
            "tracker": self.tracker.describe(),
            "both_directions": self.both_directions,
            "absent": "empty" if self.absent_empty else "followed",
        }

    def check(self, taskset: TaskSet) -> None:
        first = next(iter(taskset), None)
        if first is not None and first.question.form.shape not in SHAPES:
            raise NotApplicable(
                f"model {self.name!r} cannot answer task set {taskset.manifest.name!r}: it makes masks of boxes, and a "
                f"{first.question.form.shape} is asked for (example {first.id!r}). Build refer_mask or refer_mask_track, or leave "
                "this model out."
            )

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> list[Reply]:
        found = {question.id: reply for some in self.replies(questions, taskset) for question, reply in some}
        return [found[question.id] for question in questions]

    def replies(self, questions: Iterable[Question], taskset: TaskSet) -> Replies:
        """The questions about one picture or clip together."""
        for together in clips_of(questions, self.batch_size):
            given = [self.source.pointed(question) for question in together]
            yield list(zip(together, self._replies(together, given, taskset), strict=True))

    def _replies(self, together: Sequence[Question], given: Sequence[Pointed | Failure], taskset: TaskSet) -> list[Reply]:
        frames = QuestionFrames(together[0], taskset)
        prompts = [() if isinstance(one, Failure) else _inside(one, (frames.width, frames.height)) for one in given]
        shown = [
            Shown(frame=frame, object_id=f"{place}/{index}", box=box)
            for place, objects in enumerate(prompts)
            for index, boxes in enumerate(objects)
            for frame, box in sorted(boxes.items())
        ]
        names = list(dict.fromkeys(each.object_id for each in shown))
        found = self.tracker.follow(frames, shown, both_directions=self.both_directions) if shown else iter(())
        tracks = whole_tracks(found, names, len(frames))
        replies: list[Reply] = []
        for place, (question, one) in enumerate(zip(together, given, strict=True)):
            own = [self._kept(tracks[f"{place}/{index}"], boxes, one) for index, boxes in enumerate(prompts[place])]
            replies.append(one if isinstance(one, Failure) else self._reply(question, one, own))
        return replies

    def _kept(self, track: Track, boxes: Mapping[int, Box], given: Pointed | Failure) -> Track:
        """The masks of one object, without those in frames where the answer says that it is absent, if that counts."""
        if not self.absent_empty or isinstance(given, Failure):
            return track
        return [None if at in given.asked and at not in boxes else rle for at, rle in enumerate(track)]

    def _reply(self, question: Question, given: Pointed, tracks: Sequence[Track]) -> Reply:
        prediction = given.prediction
        if prediction is not None and not tracks:
            return _without_boxes(question, prediction, num_outside=sum(map(len, given.objects)))
        answer = _answer(question, tracks)
        if prediction is None:
            return answer
        outside = sum(map(len, given.objects)) - sum(len(boxes) for boxes in _inside(given, _size(question)))
        notes = (f"boxes_outside_{outside}",) if outside else ()
        return Drawn(answer=answer, text=prediction.text or "", notes=notes, exposure=prediction.exposure)


def _without_boxes(question: Question, prediction: Prediction, *, num_outside: int) -> Prediction:
    """What an answer without boxes in the picture says of the question; never a mask."""
    reading = prediction.reading
    if num_outside:
        notes = (*reading.notes, f"boxes_outside_{num_outside}")
        reading = msgspec.structs.replace(reading, status="out_of_range", answer=None, notes=notes)
    elif reading.status != "not_visible":
        reading = msgspec.structs.replace(reading, answer=None, num_found=0, notes=(*reading.notes, "no_boxes"))
    return msgspec.structs.replace(prediction, id=question.id, reading=reading)


def _inside(given: Pointed, size: tuple[int, int]) -> list[dict[int, Box]]:
    """The parts of the boxes inside the picture, of the objects that have any."""
    clipped = [{at: part for at, box in boxes.items() if (part := clip_box(box, *size))} for boxes in given.objects]
    return [boxes for boxes in clipped if boxes]


def _size(question: Question) -> tuple[int, int]:
    """Width and height of the question's frames, which are of one size."""
    image = question.images[question.clip.image_indices[0] if question.clip else question.form.image_index]
    return image.width, image.height


def _answer(question: Question, tracks: Sequence[Track]) -> Answer:
    """The masks of the objects in the form that is asked for."""
    num_frames = len(question.clip.image_indices) if question.clip else 1
    masks = [[track[frame] for track in tracks] for frame in range(num_frames)]
    found = [[rle for rle in some if rle is not None] for some in masks]
    match question.form.shape:
        case "mask_track":
            return MaskTrack(frames=tuple(union_masks(some) if some else None for some in found))
        case "box_track":
            return BoxTrack(frames=tuple(tuple(box for rle in some if (box := rle_box(rle))) for some in found))
        case "box":
            boxes = tuple(box for rle in found[0] if (box := rle_box(rle)))
            return Boxes(boxes=boxes, image_index=question.form.image_index)
        case "mask":
            width, height = _size(question)
            rle = union_masks(found[0]) if found[0] else encode_mask(np.zeros((height, width), dtype=bool))
            return MaskAnswer(rle=rle, image_index=question.form.image_index)
    raise InputError(f"example {question.id!r}: a {question.form.shape} is asked for, and boxes become masks or boxes.")
