"""What happens between updates: numbers are written, the model is evaluated, a checkpoint is published, the run is stopped.

One callback, because the order matters: evaluation before the checkpoint that keeps its number, both before the end.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from loguru import logger

from sightline.errors import InputError
from sightline.train.engine import Engine
from sightline.train.folder import RunFolder
from sightline.train.metrics import MetricsFile
from sightline.train.progress import Bar, Rates, memory_gb
from sightline.train.settings import EngineSettings
from sightline.train.sharding import Shardable, divided, undivided
from sightline.train.signals import StopRequest


@dataclass
class Standing:
    """What a run knows of its evaluations; it is part of a checkpoint."""

    best: float | None = None
    best_step: int | None = None
    without_gain: int = 0  # evaluations since the best one
    latest: dict[str, float] = field(default_factory=dict)

    def see(self, value: float, step: int, settings: EngineSettings) -> bool:
        """Take in the metric's value; whether it is the best so far."""
        sign = 1.0 if settings.evaluation.mode == "max" else -1.0
        gained = self.best is None or sign * (value - self.best) > settings.evaluation.min_delta
        if gained:
            self.best, self.best_step, self.without_gain = value, step, 0
        else:
            self.without_gain += 1
        return gained


@dataclass(frozen=True)
class Surroundings:
    """What the callback works with. `metrics` is None on other ranks than 0, and where none are kept."""

    settings: EngineSettings
    run: RunFolder
    standing: Standing
    stop: StopRequest
    rearm: Callable[[], None]
    metrics: MetricsFile | None
    bar: Bar


class BetweenUpdates(Callback):
    """See the module. `reason` says afterwards why the run ended.

    Args:
        first: updates that were made before.
        optimizer_state: of the checkpoint that is gone on from.
    """

    def __init__(self, around: Surroundings, first: int, *, optimizer_state: dict[str, Any] | None = None) -> None:
        self.around = around
        self.optimizer_state = optimizer_state
        self.settings = around.settings
        self.step = self.saved = first
        self.reason = ""
        self.rates = Rates()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.around.rearm()
        engine = _engine(pl_module)
        if self.optimizer_state is not None:
            restore_optimizer(trainer, self.optimizer_state)
            self.optimizer_state = None
        engine.trained.train()
        self.rates = Rates()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:  # noqa: ANN401, ARG002
        self.rates.batch_came()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401, ARG002 - Lightning's signature
        batch: Any,  # noqa: ANN401, ARG002
        batch_idx: int,
    ) -> None:
        engine = _engine(pl_module)
        if (batch_idx + 1) % self.settings.trainer.accumulate == 0:
            self.step = engine.first + (batch_idx + 1) // self.settings.trainer.accumulate
            self._after_update(trainer, engine)
        self.rates.idle()

    def _after_update(self, trainer: Trainer, engine: Engine) -> None:
        self.rates.update_done(engine.update.counts())
        due = evaluates(self.settings, self.step)
        logged = self.step == 1 or due or self.step % self.settings.trainer.log_every == 0 or self.step == self._last
        numbers = self._numbers(trainer, engine) if logged else {}
        gained = False
        if due:
            values = evaluate(trainer, engine, self.step)
            numbers |= {f"eval/{name}": value for name, value in values.items()}
            gained = self._judge(values)
        self._stop_where_asked(trainer)
        if logged:  # before the checkpoint: what lies after it is dropped on resuming, what is missing before it would stay so
            self._write(trainer, numbers)
        every = self.settings.checkpoints.every
        if gained or self.reason or self.step == self._last or (every and self.step % every == 0):
            self._save(trainer, engine, gained=gained)

    @property
    def _last(self) -> int:
        return self.settings.trainer.max_steps

    def _numbers(self, trainer: Trainer, engine: Engine) -> dict[str, float]:
        """Losses are means over all processes."""
        losses, measured = engine.update.means(), engine.update.measured()
        if trainer.world_size > 1:
            pairs = [number for pair in measured.values() for number in pair]
            summed = torch.tensor([*losses.values(), *pairs], dtype=torch.float64, device=_reducing_device(engine))
            torch.distributed.all_reduce(summed)
            rest = iter(summed[len(losses) :].tolist())
            measured = dict(zip(measured, zip(rest, rest, strict=True), strict=True))
            losses = dict(zip(losses, (summed / trainer.world_size).tolist(), strict=False))
        rate = max(group["lr"] for group in trainer.optimizers[0].param_groups)
        own = {"lr": rate, "grad_norm": engine.update.grad_norm, "memory_gb": memory_gb()}
        means = {name: total / count for name, (total, count) in measured.items() if count}
        return {**losses, **means, **own, **self.rates.read(trainer.world_size)}

    def _judge(self, values: dict[str, float]) -> bool:
        """Whether this is the best evaluation so far; without a metric none is."""
        metric, standing = self.settings.evaluation.metric, self.around.standing
        standing.latest = values
        if metric is None:
            return False
        if metric not in values or math.isnan(values[metric]):
            found = f"it is {values[metric]}" if metric in values else f"there are {', '.join(values)}"
            raise InputError(f"evaluation.metric={metric} at step {self.step}: expected a number of this name, {found}.")
        return standing.see(values[metric], self.step, self.settings)

    def _stop_where_asked(self, trainer: Trainer) -> None:
        """All ranks stop at one step: a signal may come to one of them only."""
        name = self.around.stop.name
        asked = name is not None
        if trainer.world_size > 1:
            flag = torch.tensor([float(asked)], device=_reducing_device(trainer.lightning_module))
            torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
            asked = bool(flag)
        patience = self.settings.evaluation.patience
        if asked:
            self.reason = name or "signal"
        elif patience and self.around.standing.without_gain >= patience and evaluates(self.settings, self.step):
            self.reason = "early stopping"
        if self.reason:
            trainer.should_stop = True

    def _save(self, trainer: Trainer, engine: Engine, *, gained: bool) -> None:
        """On rank 0; the others wait, so that none runs on from a step that is not safe."""
        state = state_of(trainer, engine, self.around.standing)
        if trainer.is_global_zero:
            checkpoints = self.around.run.checkpoints
            if self.around.metrics is not None:
                self.around.metrics.sync()
            metrics = self.around.standing.latest if evaluates(self.settings, self.step) else {}
            saved = checkpoints.publish(self.step, state, metrics=metrics)
            if gained:
                checkpoints.point("best", saved, metric=self.settings.evaluation.metric)
            checkpoints.prune()
            logger.debug("saved {}{}", saved.path, " (the best so far)" if gained else "")
        self.saved = self.step
        trainer.strategy.barrier("saved")

    def _write(self, trainer: Trainer, numbers: dict[str, float]) -> None:
        if not trainer.is_global_zero:
            return
        if self.around.metrics is not None:
            self.around.metrics.append(self.step, numbers)
        for each in trainer.loggers:
            each.log_metrics(numbers, step=self.step)
        standing = {f"eval/{name}": value for name, value in self.around.standing.latest.items()}
        self.around.bar.show(self.step, {**standing, **numbers})
        self.around.bar.say(self.step, numbers)


def evaluates(settings: EngineSettings, step: int) -> bool:
    """Whether there is an evaluation after `step` updates: every so many, and at the end."""
    every = settings.evaluation.every
    return bool(every) and (step % every == 0 or step == settings.trainer.max_steps)


def evaluate(trainer: Trainer, engine: Engine, step: int) -> dict[str, float]:
    """The trainable's own evaluation on rank 0, its numbers on all ranks. Every module is left in the mode it was in."""
    values: dict[str, float] = {}
    divided = engine.sharded is not None or bool(engine.zero and engine.zero.divides_weights)
    weights = whole_model(trainer, engine) if divided else {}
    if trainer.is_global_zero:
        modes = [(module, module.training) for module in engine.trained.modules()]
        engine.trained.eval()
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            trainable = engine.trainable
            if divided:
                assert isinstance(trainable, Shardable), "it was divided"
                found = trainable.evaluate_whole(step, weights, engine.device)
            else:
                found = trainable.evaluate(step)
            values = {name: float(value) for name, value in found.items()}
        for module, training in modes:
            module.training = training
    return trainer.strategy.broadcast(values)


def state_of(trainer: Trainer, engine: Engine, standing: Standing) -> dict[str, Any]:
    """What a checkpoint holds. The schedule and all random numbers follow from the step, so nothing of them is in it.

    All ranks must call it; of a divided model rank 0 alone gets the tensors.
    """
    return {
        "step": engine.first + trainer.global_step,
        "model": whole_model(trainer, engine),
        "optimizer": _whole_optimizer(trainer, engine),
        "standing": {
            "best": standing.best,
            "best_step": standing.best_step,
            "without_gain": standing.without_gain,
            "latest": standing.latest,
        },
    }


def whole_model(trainer: Trainer, engine: Engine) -> dict[str, Any]:
    """The model's state. All ranks must call it; of a divided one rank 0 alone gets the tensors."""
    if engine.zero:
        return engine.zero.whole_model(engine.trained, keep=trainer.is_global_zero)
    state = engine.trained.state_dict()
    return undivided(state, keep=trainer.is_global_zero) if engine.sharded else state


def _whole_optimizer(trainer: Trainer, engine: Engine) -> dict[str, Any]:
    if engine.zero:
        return engine.zero.whole_optimizer(keep=trainer.is_global_zero)
    state = trainer.optimizers[0].state_dict()
    return undivided(state, keep=trainer.is_global_zero) if engine.sharded else state


def restore_optimizer(trainer: Trainer, state: dict[str, Any]) -> None:
    """Give the optimiser the state of a checkpoint.

    Raises:
        InputError: the state is of other parameters.
    """
    zero = _engine(trainer.lightning_module).zero
    try:
        if zero:
            zero.restore(state)
        else:
            trainer.optimizers[0].load_state_dict(divided(state, trainer.optimizers[0]))
    except ValueError as error:
        raise InputError(
            f"the checkpoint's optimiser is of other parameters: {error}. Resume with the settings it was made with."
        ) from error


def _engine(module: LightningModule) -> Engine:
    assert isinstance(module, Engine), "the loop trains nothing else"
    return module


def _reducing_device(module: LightningModule) -> torch.device:
    """Where numbers are summed over processes: NCCL knows GPUs only, gloo is given the CPU."""
    return module.device
