"""A model that is asked without its pictures: what it knows from the words alone."""

from collections.abc import Sequence
from typing import Any

import msgspec

from sightline.dialects import Dialect
from sightline.models.model import Model, NotApplicable, Reply
from sightline.taskset.store import TaskSet
from sightline.types import BoxPart, ImagePart, PointPart, Question, VideoPart

WORDED = ("choice", "number", "text")


class Blind:
    """The model, given each question without media and panels. Only letters, numbers and words can be answered so."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.name = f"{model.name}-blind"

    @property
    def dialect(self) -> Dialect | None:
        return self._model.dialect

    @property
    def batch_size(self) -> int:
        return self._model.batch_size

    def describe(self) -> dict[str, Any]:
        return self._model.describe() | {"blind": True}

    def check(self, taskset: TaskSet) -> None:
        for example in taskset:
            question = example.question
            if question.form.shape not in WORDED or any(isinstance(part, PointPart | BoxPart) for part in question.prompt):
                raise NotApplicable(
                    f"model {self.name!r} cannot answer task set {taskset.manifest.name!r}: example {example.id!r} asks or speaks "
                    "of a place in a picture, and no picture is shown. Ask it with its pictures."
                )
        self._model.check(taskset)

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> Sequence[Reply]:
        return self._model.answer([blinded(question) for question in questions], taskset)


def blinded(question: Question) -> Question:
    """The question without its media slots, pictures, panels and reference."""
    prompt = tuple(part for part in question.prompt if not isinstance(part, ImagePart | VideoPart))
    return msgspec.structs.replace(question, prompt=prompt, images=(), panels=(), reference=None)
