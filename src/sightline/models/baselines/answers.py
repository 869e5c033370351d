"""Baselines of spatial QA that look at no picture: what answers are worth that know only the kind of question.

    frequent           the most frequent answer of each question type, of the benchmark's own truths; of equally frequent ones the
                       first by value ("chance by frequency" of VSI-Bench's paper)
    frequent:TASKSET   the same fitted on another task set, as a rule the training split; a type that it lacks is answered by the
                       most frequent answer of the same form
    chance             of a choice one of the options, evenly; else the truth of a question of the same type, drawn evenly

The first and the last see the truths of the task set they answer, in bulk; no other model does. The question type is the tier.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sightline.models.model import NotApplicable
from sightline.taskset.store import TaskSet
from sightline.types import Answer, Choice, Number, Question, TextAnswer

FORMS = ("choice", "number", "text")
REVISION = 1


class AnswerPool:
    """The truths of a task set by question type, in its order."""

    def __init__(self, taskset: TaskSet) -> None:
        self.fingerprint = taskset.manifest.fingerprint
        self.types: dict[str, str] = {}
        self.by_type: dict[str, list[Answer]] = {}
        self.by_form: dict[str, list[Answer]] = {}
        for example in taskset:
            self.types[example.id] = example.tier
            self.by_type.setdefault(example.tier, []).append(example.truth.answer)
            self.by_form.setdefault(example.question.form.shape, []).append(example.truth.answer)


class PoolModel:
    """A model that answers from the truths of a task set: the most frequent one, or a drawn one."""

    batch_size = 256
    dialect = None

    def __init__(self, name: str, *, fitted_on: Path | None = None) -> None:
        self.name = name if fitted_on is None else f"{name}-{fitted_on.name}"
        self._draws = name == "chance"
        self._fitted = AnswerPool(TaskSet(fitted_on)) if fitted_on is not None else None
        self._pool: AnswerPool | None = None

    def describe(self) -> dict[str, Any]:
        fitted = self._fitted.fingerprint if self._fitted else "the task set itself"
        return {"kind": "baseline", "name": self.name, "revision": REVISION, "fitted_on": fitted}

    def check(self, taskset: TaskSet) -> None:
        for example in taskset:
            if example.question.form.shape not in FORMS:
                raise NotApplicable(
                    f"model {self.name!r} cannot answer task set {taskset.manifest.name!r}: it gives letters, numbers and words, "
                    f"and a {example.question.form.shape} is asked for (example {example.id!r}). Leave this model out here."
                )

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> Sequence[Answer]:
        if self._pool is None or self._pool.fingerprint != taskset.manifest.fingerprint:
            self._pool = AnswerPool(taskset)
        return [self._one(question, self._pool) for question in questions]

    def _one(self, question: Question, asked: AnswerPool) -> Answer:
        seed = hashlib.blake2b(f"{self.name}/{question.id}".encode(), digest_size=16).digest()
        rng = np.random.default_rng(int.from_bytes(seed, "big"))
        form = question.form
        if self._draws and form.shape == "choice":
            return Choice(value=form.options[int(rng.integers(len(form.options)))])
        known = self._fitted or asked
        pool = known.by_type.get(asked.types[question.id]) or known.by_form.get(form.shape)
        if not pool:
            raise NotApplicable(
                f"model {self.name!r} was fitted on a task set without any {form.shape} to answer {question.id!r} by."
            )
        if self._draws:
            return pool[int(rng.integers(len(pool)))]
        found = most_frequent(pool)
        if isinstance(found, Choice) and found.value not in form.options:  # a question with fewer options
            return Choice(value=form.options[0])
        return found


def most_frequent(answers: Sequence[Answer]) -> Answer:
    """The answer that stands most often; of equally frequent ones the smallest number, or the first by its letters."""
    counts = Counter(answers)
    top = max(counts.values())
    return min((answer for answer, count in counts.items() if count == top), key=_rank)


def _rank(answer: Answer) -> tuple[float, str]:
    match answer:
        case Number(value=value):
            return float(value), ""
        case Choice(value=text) | TextAnswer(text=text):
            return 0.0, text
    return np.inf, str(answer)
