"""What a model must offer to be trained by `train.loop`: batches by number, losses, rates, and an evaluation.

A kind of training is one class with these methods. It is no LightningModule and does not know Lightning: the loop wraps it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this is, over all nodes."""

    rank: int = 0
    count: int = 1


@dataclass(frozen=True)
class BatchNote:
    """What is said of a batch: the ids in it, for messages, and how many units of each kind, for rates.

    `counts` are of this process, for example {"clips": 2, "frames": 16}: the progress bar and `metrics.csv` show each a second.
    `measured` are sums with the counts they are divided by, for example {"padding": (96, 1024)}: `metrics.csv` has the mean over
    the batches of an update and all processes, and none where the count is 0. Every process must give the same names.
    """

    ids: Sequence[str]
    counts: Mapping[str, int] = field(default_factory=dict)
    measured: Mapping[str, tuple[float | Tensor, float]] = field(default_factory=dict)


@runtime_checkable
class Trainable(Protocol):
    """A model with its data. All that is random in it must follow from the seed and the step's number (and the rank), never from
    what came before: `losses` is called with torch's, numpy's and Python's random numbers seeded by exactly these."""

    @property
    def module(self) -> nn.Module:
        """What is trained and saved. Its state dict is the model part of a checkpoint."""
        ...

    def parameter_groups(self) -> Sequence[Mapping[str, Any]]:
        """As torch's optimisers take them: `params`, `lr`, `weight_decay`, and a `name`. The schedule multiplies `lr`."""
        ...

    def batches(self, numbers: range, processes: Processes) -> Iterator[Any]:
        """The batches of these numbers in order, this process's share. Batch `n` belongs to update `n // accumulate`.

        Called once in a run, with the numbers that are left after resuming.
        """
        ...

    def to_device(self, batch: Any, device: torch.device) -> Any:  # noqa: ANN401 - whatever `batches` gives
        """The batch on a device."""
        ...

    def note(self, batch: Any) -> BatchNote:  # noqa: ANN401
        """What the batch holds."""
        ...

    def losses(self, batch: Any, number: int) -> Mapping[str, Tensor]:  # noqa: ANN401
        """The weighted terms, each a scalar; their sum is minimised. With several processes gradients are averaged over them.

        Args:
            number: of the batch. Every trained parameter should get a gradient; where some do not, processes need
                `trainer.strategy=ddp_find_unused_parameters_true`.
        """
        ...

    def evaluate(self, step: int) -> Mapping[str, float]:
        """Numbers by name after `step` updates, on held-out data. Called on rank 0 alone, without gradients, in eval mode;
        must not use the other processes. Only called where `evaluation.every` is above 0."""
        ...
