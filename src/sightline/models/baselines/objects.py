"""Baselines of referring in pictures and clips that know the objects and not the words.

    largest-object    of the objects of the picture or clip, the one that covers the most over all frames
    center-object     the one whose mask is nearest to the centre of the picture, on the mean over the frames that show it

Both answer with the true masks of one object that any expression about the same pictures means: they see these truths, and not
which of them is asked for. So their score is what a perfect segmenter gets that does not read. Of objects that are alike the first
by name is taken.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sightline.errors import InputError
from sightline.geometry.masks import decode_mask, encode_mask, rle_area
from sightline.models.model import NotApplicable
from sightline.taskset.store import TaskSet
from sightline.types import Answer, Example, MaskAnswer, MaskRle, MaskTrack, NotVisible, Question

TASKS = ("refer_mask", "refer_mask_track")
REVISION = 1
Frames = tuple[MaskRle | None, ...]
Rank = Callable[[Frames], float]


class ObjectModel:
    """Answers with the object of the highest rank."""

    batch_size = 256
    dialect = None

    def __init__(self, name: str, rank: Rank) -> None:
        self.name = name
        self._rank = rank
        self._of: tuple[str, dict[str, Frames | None]] | None = None

    def describe(self) -> dict[str, Any]:
        return {"kind": "baseline", "name": self.name, "revision": REVISION}

    def check(self, taskset: TaskSet) -> None:
        if taskset.manifest.task not in TASKS:
            raise NotApplicable(
                f"model {self.name!r} cannot answer task set {taskset.manifest.name!r}: it knows the objects of "
                f"{' and '.join(TASKS)}. Leave this model out here."
            )

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> Sequence[Answer]:
        if self._of is None or self._of[0] != taskset.manifest.fingerprint:
            self._of = taskset.manifest.fingerprint, self._chosen(taskset)
        return [_answer(question, self._of[1].get(_pictures(question))) for question in questions]

    def _chosen(self, taskset: TaskSet) -> dict[str, Frames | None]:
        """The object that is answered, by the pictures of a question."""
        found: dict[str, dict[str, Frames]] = {}
        for example in taskset:
            found.setdefault(_pictures(example.question), {}).update(_objects(example, taskset))
        return {
            pictures: max((objects[name] for name in sorted(objects)), key=self._rank) if objects else None
            for pictures, objects in found.items()
        }


def largest(masks: Frames) -> float:
    """How many pixels it covers, over all frames."""
    return float(sum(rle_area(mask) for mask in masks if mask is not None))


def most_central(masks: Frames) -> float:
    """Minus the distance of its centre of mass from the picture's, in shares of the picture, mean over the frames that show it."""
    gaps = []
    for mask in masks:
        if mask is not None and rle_area(mask):
            rows, columns = np.nonzero(decode_mask(mask))
            gaps.append(np.hypot((rows.mean() + 0.5) / mask.height - 0.5, (columns.mean() + 0.5) / mask.width - 0.5))
    return -float(np.mean(gaps)) if gaps else -float("inf")


def _pictures(question: Question) -> str:
    indices = question.clip.image_indices if question.clip else (question.form.image_index,)
    return "/".join(question.images[index].digest for index in indices)


def _objects(example: Example, taskset: TaskSet) -> dict[str, Frames]:
    return {
        item.object_id: tuple(None if mask is None else taskset.masks[mask] for mask in item.masks)
        for item in example.truth.objects
        if item.masks
    }


def _answer(question: Question, masks: Frames | None) -> Answer:
    if masks is None:
        return NotVisible()
    if question.clip is not None:
        return MaskTrack(frames=masks)
    if len(masks) != 1:
        raise InputError(f"example {question.id!r}: one picture and {len(masks)} masks of an object. Build the task set again.")
    image = question.images[question.form.image_index]
    empty = encode_mask(np.zeros((image.height, image.width), dtype=bool))
    return MaskAnswer(rle=masks[0] or empty, image_index=question.form.image_index)
