"""A round: questions, the answers drawn to them, what these are worth. It is judged once and learnt from one or several times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sightline.evaluate.predict import read_reply
from sightline.export.rendered import render
from sightline.models.architectures import HeldModel
from sightline.models.model import Said
from sightline.train.reward.advantages import Scale, advantages, has_spread
from sightline.train.reward.prompts import Prompt
from sightline.train.reward.rewards import Reward, reward_of
from sightline.train.reward.sampling import Drawn
from sightline.train.reward.settings import RewardWeights
from sightline.train.vlm.collate import Batch
from sightline.train.vlm.shown import Shown, keep

ANSWERS = "answers.jsonl"
PARTS = ("hit", "not_visible", "format")


class ShownAnswer(Shown, frozen=True, kw_only=True):
    """One line of `answers.jsonl`: an answer that was drawn while training, in the round of update `step`. `parts` are those of its
    reward that apply."""

    reward: float
    advantage: float
    parts: dict[str, float]


@dataclass(frozen=True)
class Round:
    """One process's piece of a round. `groups`, `rewards` and the arrays (questions, answers) go with `prompts`; `old` (n,) are the
    log-probabilities of all tokens when they were drawn, None until they are known."""

    index: int
    prompts: tuple[Prompt, ...]
    groups: tuple[tuple[Drawn, ...], ...]
    rewards: tuple[tuple[Reward, ...], ...]
    totals: Float[np.ndarray, "groups size"]
    advantages: Float[np.ndarray, "groups size"]
    batch: Batch
    old: Tensor | None = None

    @property
    def lengths(self) -> list[int]:
        """Tokens of each answer, in the order of the batch's rows."""
        return [len(drawn.tokens) for group in self.groups for drawn in group]

    def measured(self) -> dict[str, tuple[float, float]]:
        """Sums with what they are divided by: reward and its parts, groups without spread, tokens of an answer, cut answers."""
        rewards = [reward for group in self.rewards for reward in group]
        drawn = [each for group in self.groups for each in group]
        found: dict[str, tuple[float, float]] = {"reward": (float(self.totals.sum()), float(self.totals.size))}
        for name in PARTS:
            values = [value for reward in rewards if (value := getattr(reward, name)) is not None]
            found[f"reward of {name}"] = (float(sum(values)), float(len(values)))
        found["groups without spread"] = (float((~has_spread(self.totals)).sum()), float(len(self.groups)))
        found["answer tokens"] = (float(sum(self.lengths)), float(len(drawn)))
        found["answers cut"] = (float(sum(each.cut for each in drawn)), float(len(drawn)))
        return found


@dataclass(frozen=True)
class Judge:
    """How answers are read and what they are worth. `asked` is the model as prediction knows it."""

    asked: HeldModel
    weights: RewardWeights
    scale: Scale

    def rewards(self, prompt: Prompt, group: Sequence[Drawn]) -> tuple[Reward, ...]:
        """Of each answer to a question."""
        question, masks = prompt.example.question, prompt.taskset.read_mask
        predictions = [read_reply(self.asked, question, Said(text=drawn.text, cut=drawn.cut)) for drawn in group]
        return tuple(reward_of(prompt.example, prediction, masks) for prediction in predictions)

    def round(self, index: int, prompts: Sequence[Prompt], groups: Sequence[Sequence[Drawn]], batch: Batch) -> Round:
        """The answers with their rewards and advantages."""
        rewards = tuple(self.rewards(prompt, group) for prompt, group in zip(prompts, groups, strict=True))
        totals = np.array([[reward.total(self.weights) for reward in group] for group in rewards])
        return Round(
            index=index,
            prompts=tuple(prompts),
            groups=tuple(tuple(group) for group in groups),
            rewards=rewards,
            totals=totals,
            advantages=advantages(totals, scale=self.scale),
            batch=batch,
        )

    def write(self, made: Round, run: Path, *, step: int, limit: int) -> None:
        """Write the answers to the first `limit` questions down."""
        lines: list[Shown] = [
            ShownAnswer(
                step=step,
                taskset=prompt.sample.source,
                id=prompt.example.id,
                said=drawn.text,
                truth=render(prompt.example, self.asked.dialect).answer,
                correct=reward.correct,
                reward=float(made.totals[group, place]),
                advantage=float(made.advantages[group, place]),
                parts=parts_of(reward),
            )
            for group, prompt in enumerate(made.prompts[:limit])
            for place, (drawn, reward) in enumerate(zip(made.groups[group], made.rewards[group], strict=True))
        ]
        if lines:
            keep(run / ANSWERS, lines, step=step)


def parts_of(reward: Reward) -> dict[str, float]:
    """The parts that apply, by name."""
    named: Mapping[str, float | None] = {name: getattr(reward, name) for name in PARTS}
    return {name: value for name, value in named.items() if value is not None}
