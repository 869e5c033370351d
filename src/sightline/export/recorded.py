"""A model made of texts that were written elsewhere, so that they are read and scored like any other run's."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from sightline.dialects import Dialect
from sightline.errors import InputError
from sightline.taskset.store import TaskSet
from sightline.types import Question

NAMED = 3


@dataclass(frozen=True)
class RecordedTexts:
    """Answers `texts` by example id, found in the file `path` of format `kind`; `dialect` is how their model writes."""

    name: str
    kind: str
    path: Path
    texts: Mapping[str, str]
    dialect: Dialect
    batch_size: int = 256

    def describe(self) -> dict[str, Any]:
        digest = hashlib.sha256(msgspec.json.encode(sorted(self.texts.items()))).hexdigest()[:32]
        return {"kind": self.kind, "name": self.name, "answers": digest}

    def check(self, taskset: TaskSet) -> None:
        """Raise InputError unless every example of the task set has a text."""
        missing = [example_id for example_id in taskset.ids if example_id not in self.texts]
        if missing:
            raise InputError(
                f"{self.path}: {len(missing)} of the {len(taskset)} examples of {taskset.path} have no answer in it "
                f"(first: {', '.join(missing[:NAMED])}). Give the task set that was asked, and all of the answers."
            )

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> list[str]:  # noqa: ARG002 - every model is given it
        """The recorded texts."""
        return [self.texts[question.id] for question in questions]
