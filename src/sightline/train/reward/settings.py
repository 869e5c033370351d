"""What a training by rewards is told: one frozen class, filled from `conf/reward/*.yaml` and overrides.

    model.path=weights 'data.tasksets=[sets/t1_multi-train]' sampling.group_size=8 trainer.max_steps=500

The model, its parts, the schedule and the evaluation are those of `train vlm`; what is here is what rewards add.
"""

from dataclasses import dataclass, field, fields
from typing import Literal

from sightline.errors import InputError
from sightline.train.reward.advantages import Scale
from sightline.train.settings import EngineSettings, TrainingSettings
from sightline.train.vlm.settings import (
    DataSettings,
    ModelSettings,
    RateSettings,
    SelectSettings,
    ValidationSettings,
    VlmSettings,
)

Per = Literal["answer", "budget"]


@dataclass(frozen=True)
class PromptSettings:
    """What is asked while it trains.

    Args:
        tasksets: folders of task sets, at least one; all their examples are shuffled together.
        select: filters on every one of them.
        groups_per_step: questions of an update, over all processes and all pieces of `trainer.accumulate`.
        with_depth: each picture comes with the task set's own depth, for models that take it.
        shared_images: one vision pass for each distinct picture of a batch.
        allow_shared_scenes: train although a task set is about scenes that benchmarks test on.

    Raises:
        InputError: no task set, or no question in an update.
    """

    tasksets: tuple[str, ...]
    select: SelectSettings = field(default_factory=SelectSettings)
    groups_per_step: int = 8
    with_depth: bool = False
    shared_images: bool = True
    allow_shared_scenes: bool = False

    def __post_init__(self) -> None:
        if not self.tasksets:
            raise InputError("data.tasksets is empty: give at least one folder of a task set.")
        if self.groups_per_step < 1:
            raise InputError(f"data.groups_per_step {self.groups_per_step}: expected 1 or more.")


@dataclass(frozen=True)
class SamplingSettings:
    """How answers are drawn.

    Args:
        group_size: answers to one question; they are compared with each other.
        temperature: logits are divided by it, in drawing and in the loss.
        max_new_tokens: longer answers are cut and read as truncated.
        batch_size: questions whose answers are drawn at once.

    Raises:
        InputError: a number out of its range.
    """

    group_size: int = 8
    temperature: float = 1.0
    max_new_tokens: int = 64
    batch_size: int = 8

    def __post_init__(self) -> None:
        if self.group_size < 2:
            raise InputError(
                f"sampling.group_size {self.group_size}: an answer's advantage is its reward less the mean of its group, which is "
                "always 0 in a group of one. Give 2 or more."
            )
        if self.temperature <= 0:
            raise InputError(
                f"sampling.temperature {self.temperature:g}: without chance all answers of a group are the same, and nothing can "
                "be learnt from comparing them. Give a number above 0, for example 1."
            )
        for name in ("max_new_tokens", "batch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"sampling.{name} {getattr(self, name)}: expected 1 or more.")


@dataclass(frozen=True)
class RewardWeights:
    """What each part of a reward counts (`rewards`); 0 switches a part off, but its value is still logged.

    Raises:
        InputError: a negative weight, or nothing that is rewarded.
    """

    hit: float = 1.0
    not_visible: float = 1.0
    format: float = 0.1

    def __post_init__(self) -> None:
        weights = (self.hit, self.not_visible, self.format)
        if min(weights) < 0 or not any(weights):
            raise InputError(f"{self}: expected weights of at least 0, one of them above.")


@dataclass(frozen=True)
class PolicyLossSettings:
    """The loss (`loss`).

    Args:
        scale: divide the advantages of a group by its standard deviation ("std") or leave them ("none").
        per: the mean over answers of the mean over their tokens ("answer"), or each answer's sum over `sampling.max_new_tokens`
            ("budget"), so that a token counts the same in a long answer.
        clip_low, clip_high: how far below and above 1 the ratio of new to old probability is followed.
        beta: weight of the divergence from the model before training; 0: none, and no second model is held.
        inner_epochs: updates made from the same answers.

    Raises:
        InputError: a number out of its range.
    """

    scale: Scale = "std"
    per: Per = "answer"
    clip_low: float = 0.2
    clip_high: float = 0.2
    beta: float = 0.0
    inner_epochs: int = 1

    def __post_init__(self) -> None:
        if not (0 < self.clip_low < 1 and self.clip_high > 0):
            raise InputError(
                f"loss.clip_low {self.clip_low:g}, clip_high {self.clip_high:g}: expected 0 < clip_low < 1 and 0 < clip_high."
            )
        if self.beta < 0:
            raise InputError(f"loss.beta {self.beta:g}: expected 0 or more.")
        if self.inner_epochs < 1:
            raise InputError(f"loss.inner_epochs {self.inner_epochs}: expected 1 or more.")


@dataclass(frozen=True, kw_only=True)
class RewardSettings(TrainingSettings):
    """A whole run.

    Args:
        num_shown: questions whose drawn answers are written down at each update that is logged.

    Raises:
        InputError: settings that contradict each other; the message names them.
    """

    model: ModelSettings
    data: PromptSettings
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    rewards: RewardWeights = field(default_factory=RewardWeights)
    loss: PolicyLossSettings = field(default_factory=PolicyLossSettings)
    num_shown: int = 2
    rates: RateSettings = field(default_factory=RateSettings)
    validation: ValidationSettings = field(default_factory=ValidationSettings)

    def __post_init__(self) -> None:
        if self.num_shown < 0:
            raise InputError(f"num_shown {self.num_shown}: expected 0 or more.")
        if self.data.groups_per_step % self.pieces:
            raise InputError(
                f"data.groups_per_step {self.data.groups_per_step}: an update is divided into {self.pieces} pieces (trainer."
                f"devices * num_nodes * accumulate), and no group is cut. Give a multiple of {self.pieces}."
            )
        if self.loss.inner_epochs > 1 and self.trainer.devices * self.trainer.num_nodes > 1:
            raise InputError(
                f"loss.inner_epochs {self.loss.inner_epochs} with several processes: the answers of an unfinished round stand in "
                "the checkpoint, which is written by one process. Use one process, or loss.inner_epochs=1."
            )
        if self.model.four_bits and self.loss.beta:
            raise InputError("loss.beta with model.four_bits is not offered: the second model is a copy. Use loss.beta=0.")
        _ = self.vlm  # refuses what `train vlm` refuses

    @property
    def pieces(self) -> int:
        """Into how many batches an update is divided."""
        return self.trainer.devices * self.trainer.num_nodes * self.trainer.accumulate

    @property
    def vlm(self) -> VlmSettings:
        """The same model and evaluation as `train vlm` is told of them; an answer is a row."""
        data = DataSettings(
            path=self.data.tasksets[0],
            batching="grouped",
            rows_per_step=self.data.groups_per_step,
            with_depth=self.data.with_depth,
        )
        return VlmSettings(
            model=self.model,
            data=data,
            rates=self.rates,
            validation=self.validation,
            **{each.name: getattr(self, each.name) for each in fields(TrainingSettings)},
        )

    def engine(self) -> EngineSettings:
        """What the shared loop reads."""
        return self.vlm.engine()
