"""What every kind of training is told: devices, steps, schedule, checkpoints, evaluation and where the run is kept.

A kind of training puts these beside its own settings in one frozen class, which `train.config.typed` fills from YAML.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from sightline.errors import InputError

LoggerKind = Literal["csv", "tensorboard", "wandb", "none"]


@dataclass(frozen=True)
class TrainerSettings:
    """How the steps are run. A step is one update of the parameters.

    Args:
        max_steps: the updates of the whole run, counted from its beginning.
        accumulate: batches whose gradients are averaged into one update.
        devices: processes, one device each, on every node.
        strategy: how processes work together (`auto`: ddp where there are several); `fsdp2` and `deepspeed` divide the model among
            them.
        zero_stage: what deepspeed divides: the optimiser's state (1), gradients too (2), weights too (3).
        clip: the largest norm of the gradient; 0: no limit.
        log_every: updates between two rows of `metrics.csv`.
        deterministic: algorithms of torch that give the same bits again, where a faster one does not.

    Raises:
        InputError: a number out of its range.
    """

    max_steps: int
    accumulate: int = 1
    devices: int = 1
    num_nodes: int = 1
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "bf16-true"] = "32-true"
    strategy: Literal["auto", "ddp", "ddp_find_unused_parameters_true", "fsdp2", "deepspeed"] = "auto"
    zero_stage: Literal[1, 2, 3] = 2
    clip: float = 1.0
    log_every: int = 10
    deterministic: bool = False

    def __post_init__(self) -> None:
        _at_least(self, 1, "max_steps", "accumulate", "devices", "num_nodes", "log_every")
        _at_least(self, 0, "clip")
        if self.strategy == "deepspeed" and self.precision == "bf16-true":
            raise InputError(
                "trainer.strategy=deepspeed with trainer.precision=bf16-true is not offered: DeepSpeed then keeps a second set of "
                "weights, which one process does not. Use trainer.precision=bf16-mixed, or trainer.strategy=fsdp2."
            )


@dataclass(frozen=True)
class ScheduleSettings:
    """The factor on every group's rate: rises linearly from 0 in `warmup_steps`, then stays or falls along half a cosine to
    `final` at the last step. `shape="constant"` stays at 1.

    Raises:
        InputError: a number out of its range.
    """

    shape: Literal["cosine", "constant"] = "cosine"
    warmup_steps: int = 0
    final: float = 0.1

    def __post_init__(self) -> None:
        _at_least(self, 0, "warmup_steps", "final")


@dataclass(frozen=True)
class AdamWSettings:
    """Constants of AdamW; rates and weight decay stand in the parameter groups."""

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1 and self.epsilon > 0):
            raise InputError(f"{self}: expected betas from 0 to below 1, and an epsilon above 0.")


@dataclass(frozen=True)
class EvaluationSettings:
    """Evaluation while training.

    Args:
        every: updates between two evaluations; 0: none, also not at the end.
        metric: which of its numbers the best checkpoint and early stopping go by; it must be among what the evaluation gives.
        mode: whether more or less of it is better.
        patience: evaluations without a better number after which training stops; 0: never.
        min_delta: a number is better if it is better by more than this.
    """

    every: int = 0
    metric: str | None = None
    mode: Literal["max", "min"] = "max"
    patience: int = 0
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        _at_least(self, 0, "every", "patience", "min_delta")
        if self.patience and (self.metric is None or not self.every):
            raise InputError(f"patience {self.patience}: early stopping needs `every` above 0 and a `metric`.")


@dataclass(frozen=True)
class CheckpointSettings:
    """Checkpoints every so many updates, at the end, and where evaluation found the best so far.

    Args:
        every: updates between two; 0: at the end only.
        keep: how many of the newest stay; `best` stays beside them.
    """

    every: int = 1000
    keep: int = 2

    def __post_init__(self) -> None:
        _at_least(self, 0, "every")
        _at_least(self, 1, "keep")


@dataclass(frozen=True)
class RunSettings:
    """Where a run is kept.

    Args:
        dir: its folder; None: `root`/<date>/<time>.
        root: the folder of all runs.
        name: for loggers with names (wandb); None: the folder's.
        project: wandb's project.
    """

    dir: str | None = None
    root: str = "outputs"
    name: str | None = None
    project: str = "sightline"


@dataclass(frozen=True)
class RateStage:
    """A stretch of the run with a factor `rate` on all learning rates, up to step `until_step` (cumulative). With `own_shape`
    warm-up and decay begin anew in it; else they go over the whole run."""

    until_step: int
    rate: float = 1.0
    own_shape: bool = False


@dataclass(frozen=True)
class EngineSettings:
    """All that `train.loop.train` reads; a kind of training builds it from its own settings."""

    trainer: TrainerSettings
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    adamw: AdamWSettings = field(default_factory=AdamWSettings)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    checkpoints: CheckpointSettings = field(default_factory=CheckpointSettings)
    run: RunSettings = field(default_factory=RunSettings)
    logger: LoggerKind = "csv"
    seed: int = 0
    stages: tuple[RateStage, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """What a kind of training is told beside its model, data and losses; its own class has these too.

    Args:
        resume: go on with a run: "last", or the path of a run or of one of its checkpoints.
    """

    trainer: TrainerSettings
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    adamw: AdamWSettings = field(default_factory=AdamWSettings)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    checkpoints: CheckpointSettings = field(default_factory=CheckpointSettings)
    run: RunSettings = field(default_factory=RunSettings)
    logger: LoggerKind = "csv"
    seed: int = 0
    resume: str | None = None

    def told(self, *, evaluates: bool, some_unused: bool = False, stages: tuple[RateStage, ...] = ()) -> EngineSettings:
        """What the shared loop reads.

        Args:
            evaluates: whether there is anything held out.
            some_unused: whether a batch may leave trained parameters out, which processes must then look for.
        """
        trainer = self.trainer
        if some_unused and trainer.strategy == "auto" and trainer.devices * trainer.num_nodes > 1:
            trainer = replace(trainer, strategy="ddp_find_unused_parameters_true")
        return EngineSettings(
            trainer=trainer,
            schedule=self.schedule,
            adamw=self.adamw,
            evaluation=self.evaluation if evaluates else EvaluationSettings(),
            checkpoints=self.checkpoints,
            run=self.run,
            logger=self.logger,
            seed=self.seed,
            stages=stages,
        )


def _at_least(settings: object, least: int, *names: str) -> None:
    for name in names:
        if getattr(settings, name) < least:
            raise InputError(f"{name} {getattr(settings, name)}: expected at least {least}.")
