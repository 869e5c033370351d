"""The loop that every training shares: Lightning runs the updates, everything that must survive an interruption is ours.

Lightning chooses no sample, writes no checkpoint and draws no random number that matters: batches have numbers, random numbers
follow from them, and the state is the model, the optimiser and the step. A run that was interrupted goes on with the same losses,
bit for bit, on the same machine.
"""

import os
import warnings
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, Strategy
from loguru import logger
from rich.console import Console

from sightline.errors import InputError
from sightline.train.callbacks import BetweenUpdates, Standing, Surroundings
from sightline.train.checkpoints import Checkpoint
from sightline.train.engine import Engine
from sightline.train.folder import RunFolder, is_first_process
from sightline.train.half import WholeBfloat16
from sightline.train.logs import run_log
from sightline.train.metrics import METRICS, MetricsFile, lightning_loggers
from sightline.train.progress import Bar
from sightline.train.settings import EngineSettings, TrainerSettings
from sightline.train.sharding import shardable
from sightline.train.signals import StopRequest, watched
from sightline.train.trainable import Trainable
from sightline.train.zero import ZeroStrategy

LONGEST_WAIT = timedelta(hours=12)  # of the other processes while the first one evaluates


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    `finished` is False where a signal stopped it: `resume=last` goes on. `reason` is "all steps", "early stopping" or the signal's
    name. `metrics` are those of the last evaluation.
    """

    step: int
    finished: bool
    reason: str
    last: Path | None
    best: Path | None
    metrics: dict[str, float]


def train(trainable: Trainable, settings: EngineSettings, run: RunFolder, *, quiet: bool = False) -> Outcome:
    """Train from the run's checkpoint, or from the beginning, to `max_steps`; write checkpoints, metrics and the log into the run.

    Args:
        quiet: no progress bar and no lines on the terminal.

    Raises:
        InputError: a loss or gradient is not finite (the batches are named), the checkpoint is of another model, a metric or a
            logger's package is missing.
        OSError: the disk is full, for example; the checkpoints before are intact.
    """
    first_process = is_first_process()
    console = Console(stderr=True) if first_process and not quiet else None
    with run_log(run.path, rank=0 if first_process else _local_rank(), console=console):
        if settings.trainer.strategy in ("fsdp2", "deepspeed"):  # said before other processes are started
            shardable(trainable, strategy=settings.trainer.strategy)
        begin = Beginning() if run.start is None else _restore(trainable, run.start)
        first, standing = begin.step, begin.standing
        if first >= settings.trainer.max_steps:
            logger.info("{} has all {} steps", run.path, settings.trainer.max_steps)
            return _outcome(run, first, "all steps", standing)
        logger.info("run {}: steps {} to {}", run.path, first + 1, settings.trainer.max_steps)
        reason, step = _fit(trainable, settings, run, begin=begin, console=console)
        outcome = _outcome(run, step, reason, standing)
        logger.info("ended after step {}: {}{}", step, reason, "" if outcome.finished else "; resume=last goes on")
        return outcome


@dataclass
class Beginning:
    """Where a run starts: after how many updates, with which optimiser's state (None: a new one)."""

    step: int = 0
    standing: Standing = field(default_factory=Standing)
    optimizer_state: dict[str, Any] | None = None


def _fit(
    trainable: Trainable, settings: EngineSettings, run: RunFolder, *, begin: Beginning, console: Console | None
) -> tuple[str, int]:
    """Why it ended, and after which step."""
    first = begin.step
    keeps = is_first_process() and settings.logger != "none"
    metrics = MetricsFile(run.path / METRICS, start=first) if keeps else None
    stop = StopRequest()
    engine = Engine(trainable, settings, first=first, folder=run.path)
    with watched(stop) as rearm, Bar(console, first=first, max_steps=settings.trainer.max_steps) as bar:
        around = Surroundings(settings, run, begin.standing, stop, rearm, metrics, bar)
        between = BetweenUpdates(around, first, optimizer_state=begin.optimizer_state)
        begin.optimizer_state = None  # the callback lets go of it once the optimiser has it
        trainer = _trainer(settings, run.path, between, first)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            warnings.filterwarnings("ignore", r"`torch\.distributed\.\w+` is deprecated", FutureWarning)  # DeepSpeed calls them
            trainer.fit(engine)
    return between.reason or "all steps", between.step


def _trainer(settings: EngineSettings, folder: Path, between: BetweenUpdates, first: int) -> Trainer:
    """Lightning's trainer with everything switched off that we do ourselves."""
    own = settings.trainer
    return Trainer(
        accelerator=own.accelerator,
        devices=own.devices,
        num_nodes=own.num_nodes,
        strategy=_strategy(own),
        precision=None if own.strategy == "deepspeed" or own.precision == "bf16-true" else own.precision,  # these have their own
        max_epochs=1,
        max_steps=own.max_steps - first,
        accumulate_grad_batches=own.accumulate,
        deterministic=own.deterministic or None,
        callbacks=[between],
        logger=lightning_loggers(settings, folder),
        plugins=_plugins(own),
        default_root_dir=folder,
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        log_every_n_steps=own.log_every,
    )


def _strategy(settings: TrainerSettings) -> Strategy | str:
    if settings.strategy == "auto" and settings.devices * settings.num_nodes == 1:
        return "auto"
    if settings.strategy == "deepspeed":
        return ZeroStrategy(settings, timeout=LONGEST_WAIT)
    if settings.strategy == "fsdp2":
        processes = settings.devices * settings.num_nodes
        return ModelParallelStrategy(data_parallel_size=processes, tensor_parallel_size=1, timeout=LONGEST_WAIT)
    unused = settings.strategy == "ddp_find_unused_parameters_true"
    return DDPStrategy(find_unused_parameters=unused, timeout=LONGEST_WAIT)


def _plugins(settings: TrainerSettings) -> list[Any]:
    """Under SLURM, Lightning would save and requeue by itself from inside a signal handler; ours does it between updates."""
    cluster: list[Any] = [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else []
    return [*cluster, *([WholeBfloat16()] if settings.precision == "bf16-true" else [])]


def _restore(trainable: Trainable, start: Checkpoint) -> Beginning:
    """Put the checkpoint's weights into the model; the optimiser follows when there is one."""
    logger.info("going on from {}", start.path)
    state = start.load()
    try:
        trainable.module.load_state_dict(state["model"], strict=True)
    except (KeyError, RuntimeError) as error:
        raise InputError(
            f"{start.path} is of another model: {' '.join(str(error).split())[:1000]}. Resume with the settings it was made with."
        ) from error
    return Beginning(int(state["step"]), Standing(**state["standing"]), state["optimizer"])


def _outcome(run: RunFolder, step: int, reason: str, standing: Standing) -> Outcome:
    last, best = run.checkpoints.newest(), run.checkpoints.best()
    return Outcome(
        step=step,
        finished=reason in ("all steps", "early stopping"),
        reason=reason,
        last=last.path if last else None,
        best=best.path if best else None,
        metrics=standing.latest,
    )


def _local_rank() -> int:
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")))
