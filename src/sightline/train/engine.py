"""A trainable as Lightning's module: the losses of a batch, the update, and what is known of the update that is being made."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from sightline.errors import InputError
from sightline.files import write_json
from sightline.train.schedule import adamw, set_rates, staged_factor
from sightline.train.seeding import seed_batch
from sightline.train.settings import EngineSettings
from sightline.train.sharding import Sharded, shardable, whole_number
from sightline.train.trainable import BatchNote, Processes, Trainable
from sightline.train.zero import ZeroStrategy


@dataclass
class Update:
    """The batches of one update so far."""

    notes: list[BatchNote] = field(default_factory=list)
    losses: list[dict[str, Tensor]] = field(default_factory=list)
    grad_norm: float = 0.0

    def means(self) -> dict[str, float]:
        """The mean over the batches: "loss", their sum, and each term as "loss/<name>"."""
        names = self.losses[0]
        means = {f"loss/{name}": sum(float(each[name]) for each in self.losses) / len(self.losses) for name in names}
        return {"loss": sum(means.values()), **means}

    def measured(self) -> dict[str, tuple[float, float]]:
        """Sum and count of what the batches measured beside their losses, by name."""
        names = dict.fromkeys(name for note in self.notes for name in note.measured)
        pairs = {name: [note.measured[name] for note in self.notes if name in note.measured] for name in names}
        return {name: (sum(float(pair[0]) for pair in each), sum(pair[1] for pair in each)) for name, each in pairs.items()}

    def counts(self) -> dict[str, int]:
        """Units of all batches, by kind."""
        kinds = dict.fromkeys(kind for note in self.notes for kind in note.counts)
        return {kind: sum(note.counts.get(kind, 0) for note in self.notes) for kind in kinds}


class Batches:
    """What Lightning iterates over: a trainable's batches from a number on."""

    def __init__(self, trainable: Trainable, numbers: range, processes: Processes) -> None:
        self.trainable = trainable
        self.numbers = numbers
        self.processes = processes

    def __iter__(self) -> Iterator[Any]:
        return iter(self.trainable.batches(self.numbers, self.processes))


class Engine(LightningModule):
    """Runs a trainable from update `first` on.

    Args:
        folder: where the batches of an update that is not finite are written down.
    """

    def __init__(self, trainable: Trainable, settings: EngineSettings, *, first: int, folder: Path) -> None:
        super().__init__()
        self.trainable = trainable
        self.trained = trainable.module
        self.settings = settings
        self.first = first
        self.folder = folder
        self.update = Update()
        self.sharded: Sharded | None = None

    def configure_model(self) -> None:
        """Divide the model where that is asked for; Lightning calls it before the optimiser is made."""
        own = self.settings.trainer
        if own.strategy == "fsdp2" and self.sharded is None:
            assert self.device_mesh is not None, "the strategy has made it"
            self.sharded = Sharded(shardable(self.trainable), self.device_mesh["data_parallel"], precision=own.precision)

    def train_dataloader(self) -> Batches:
        each = self.settings.trainer.accumulate
        numbers = range(self.first * each, self.settings.trainer.max_steps * each)
        return Batches(self.trainable, numbers, Processes(self.trainer.global_rank, self.trainer.world_size))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return adamw(self.trainable.parameter_groups(), self.settings.adamw)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:  # noqa: ANN401, ARG002
        return self.trainable.to_device(batch, device)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:  # noqa: ANN401, ARG002 - Lightning's signature
        done, part = divmod(batch_idx, self.settings.trainer.accumulate)
        if part == 0:
            self.update = Update()
            settings = self.settings
            scale = staged_factor(self.first + done, settings.trainer.max_steps, settings.schedule, settings.stages)
            set_rates(self.trainer.optimizers[0], scale)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:  # noqa: ANN401
        number = self.first * self.settings.trainer.accumulate + batch_idx
        seed_batch(self.settings.seed, number, self.trainer.global_rank)
        losses = (self.sharded or self.trainable).losses(batch, number)
        self.update.notes.append(self.trainable.note(batch))
        self.update.losses.append({name: loss.detach() for name, loss in losses.items()})
        return torch.stack([loss.float() for loss in losses.values()]).sum()

    @property
    def zero(self) -> ZeroStrategy | None:
        """DeepSpeed's strategy, where that divides the model: it clips, and leaves an update out that is not finite."""
        strategy = self.trainer.strategy
        return strategy if isinstance(strategy, ZeroStrategy) else None

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:  # noqa: ANN401
        """Make the update; DeepSpeed knows the norm of the gradient only then."""
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        if self.zero and len(self.update.losses) == self.settings.trainer.accumulate:
            self._refuse_what_is_not_finite(torch.tensor(self.zero.norm(), device=self.device))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip the gradient, and stop before the parameters are touched where anything is not finite."""
        if self.zero:
            self._refuse_what_is_not_finite(None)
            return
        parameters = [each for group in optimizer.param_groups for each in group["params"] if each.grad is not None]
        norm = whole_number(torch.nn.utils.clip_grad_norm_(parameters, self.settings.trainer.clip or float("inf")))
        self._refuse_what_is_not_finite(norm)

    def _refuse_what_is_not_finite(self, norm: Tensor | None) -> None:
        """Look at the losses, and at the norm of the gradient where it is known; keep it."""
        finite = torch.stack([torch.isfinite(loss).all() for each in self.update.losses for loss in each.values()]).all()
        wrong = ~(finite & (True if norm is None else torch.isfinite(norm))).reshape(1)
        if self.trainer.world_size > 1:
            wrong = wrong.float()
            torch.distributed.all_reduce(wrong, torch.distributed.ReduceOp.MAX)
        if bool(wrong):
            self._refuse("not known" if norm is None else str(float(norm)))
        self.update.grad_norm = 0.0 if norm is None else float(norm)

    def _refuse(self, norm: str) -> None:
        """Name the batches. With several processes each names its own."""
        step = self.first + self.trainer.global_step + 1
        ids = [each for note in self.update.notes for each in note.ids]
        terms = [{name: str(float(loss)) for name, loss in each.items()} for each in self.update.losses]
        path = self.folder / f"not_finite.rank{self.trainer.global_rank}.json"
        write_json(path, {"step": step, "grad_norm": norm, "ids": ids, "losses": terms})
        told = "; ".join(", ".join(f"{name} {value}" for name, value in each.items()) for each in terms)
        raise InputError(
            f"step {step}: a loss or the gradient is not finite (losses: {told}; norm of the gradient: {norm}). Batch: "
            f"{', '.join(ids)}. The parameters are those before this step; checkpoints are intact. A lower rate, a longer warm-up "
            f"or trainer.precision=32-true may help, or look at the data named here ({path})."
        )
