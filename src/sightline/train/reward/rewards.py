"""What an answer is worth, by the scoring of `sightline score`: nothing is learnt that the tables do not count.

    hit           of an object that is there: 1 if the answer is right by the task's own rule (the point lies in the mask), else 0
    not_visible   of an object that is not there: 1 if the answer says so, else 0
    format        1 if the answer could be read, whole and within the picture, else 0

Of `hit` and `not_visible` one applies to each question. The reward is the sum of those that apply, each times its weight.

Verifiable are answers that are right or wrong: points, boxes and given words. Masks are not written in text, and of tracks, spans,
numbers and free text the scores are shares for which no one threshold is the task's.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from sightline.errors import InputError
from sightline.evaluate.outcomes import OUTCOMES
from sightline.evaluate.score import score_example
from sightline.taskset.store import TaskSet
from sightline.train.reward.settings import RewardWeights
from sightline.types import Example, Prediction

VERIFIABLE = ("point", "box", "choice")
READABLE = ("ok", "not_visible")
"""The statuses of a readable answer; one that was cut off or points outside the picture is none."""


@dataclass(frozen=True)
class Reward:
    """The parts of an answer's reward, each 0 or 1; None where it does not apply. `correct`: by the task's own rule."""

    hit: float | None
    not_visible: float | None
    format: float
    correct: bool

    def total(self, weights: RewardWeights) -> float:
        """The weighted sum of the parts that apply."""
        return weights.hit * (self.hit or 0.0) + weights.not_visible * (self.not_visible or 0.0) + weights.format * self.format


def reward_of(example: Example, prediction: Prediction, masks: Callable[[str], Bool[np.ndarray, "h w"]]) -> Reward:
    """The reward of one answer. `masks` gives the mask of a hash."""
    score = score_example(example, prediction, masks)
    right = float(score.correct)
    return Reward(
        hit=right if score.visible else None,
        not_visible=None if score.visible else right,
        format=float(score.status in READABLE),
        correct=score.correct,
    )


def check_verifiable(example: Example, taskset: TaskSet) -> None:
    """See that answers to this example can be rewarded.

    Raises:
        InputError: they cannot; the message names task set, example, task and shape.
    """
    task, shape = example.question.task, example.question.form.shape
    if shape not in VERIFIABLE or task not in OUTCOMES:
        raise InputError(
            f"{taskset.path}, example {example.id!r}: answers of task {task!r} (shape {shape!r}) have no verifiable reward, a rule "
            f"by which text is right or wrong. Train by rewards on task sets that ask for one of: {', '.join(VERIFIABLE)}."
        )
