"""One model divided among processes (FSDP2): each holds a part of every weight, of its gradient and of the optimiser's state.

A unit, a layer as a rule, is put together on every process just before it computes, and taken apart after it. What is in no unit
is put together for the whole of `losses`, which therefore has to be known to torch as the module's way of being called. Checkpoints
do not show any of this: they hold whole tensors, so that a run may go on with another number of processes.

Source: torch's `fully_shard` (PyTorch FSDP, Zhao et al. 2023, in its second form with a tensor a parameter).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from sightline.errors import InputError
from sightline.train.trainable import Trainable

LOSSES = "losses_of_batch"


@runtime_checkable
class Shardable(Trainable, Protocol):
    """A trainable whose module can be divided. All processes must use the same units in the same order in every batch."""

    def units(self) -> Sequence[nn.Module]:
        """The modules that are put together one at a time; each is used by calling it, and none lies in another.

        Raises:
            InputError: this model cannot be divided; the message says why.
        """
        ...

    def evaluate_whole(self, step: int, weights: Mapping[str, Tensor], device: torch.device) -> Mapping[str, float]:
        """`evaluate` on rank 0 alone by an undivided model of these weights, computed on `device`."""
        ...


def shardable(trainable: Trainable, *, strategy: str = "fsdp2") -> Shardable:
    """The trainable, if its module can be divided.

    Args:
        strategy: what divides it, for the message.

    Raises:
        InputError: this kind of training, or this model, cannot.
    """
    if not isinstance(trainable, Shardable):
        raise InputError(
            f"trainer.strategy={strategy} is not for this kind of training ({type(trainable).__name__}): it has not been shown to "
            "compute the same. Use trainer.strategy=ddp."
        )
    if not trainable.units():
        raise InputError(
            f"trainer.strategy={strategy}: no layers are known by which this model could be divided. Use trainer.strategy=ddp."
        )
    return trainable


class Sharded:
    """A trainable whose module is divided, in place, over the processes of `mesh` (one dimension).

    Args:
        precision: with "bf16-mixed" weights are put together in bfloat16; gradients are summed in float32 in any case.
    """

    def __init__(self, trainable: Shardable, mesh: DeviceMesh, *, precision: str) -> None:
        self.trainable = trainable
        policy = MixedPrecisionPolicy(
            param_dtype=torch.bfloat16 if precision == "bf16-mixed" else None,
            reduce_dtype=torch.float32,
            cast_forward_inputs=False,  # autocast does it, in the computation that checkpointing repeats too
        )
        for unit in trainable.units():
            fully_shard(unit, mesh=mesh, mp_policy=policy)
        root = trainable.module
        fully_shard(root, mesh=mesh, mp_policy=policy)
        setattr(root, LOSSES, trainable.losses)
        register_fsdp_forward_method(root, LOSSES)

    def losses(self, batch: Any, number: int) -> Mapping[str, Tensor]:  # noqa: ANN401
        """Those of the trainable, with its module put together as it is needed."""
        return getattr(self.trainable.module, LOSSES)(batch, number)


def undivided(state: Any, *, keep: bool) -> Any:  # noqa: ANN401 - a tree of dicts and lists
    """The same tree with whole tensors on the CPU in place of divided ones. All processes must call it, with the same tree.

    Args:
        keep: whether this process wants them; without, tensors are None and take no memory.
    """
    if isinstance(state, Mapping):
        return {name: undivided(each, keep=keep) for name, each in state.items()}
    if isinstance(state, list):
        return [undivided(each, keep=keep) for each in state]
    if not isinstance(state, Tensor):
        return state
    whole = state.full_tensor() if isinstance(state, DTensor) else state
    return whole.cpu() if keep else None


def divided(state: dict[str, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """A whole state of the optimiser, its tensors divided as the parameters are that they belong to."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    own = {
        index: {name: _like(value, parameters[index]) for name, value in values.items()} for index, values in state["state"].items()
    }
    return {**state, "state": own}


def is_divided(module: nn.Module) -> bool:
    """Whether the parameters of a module lie on several processes, so that it cannot be used or written by one alone."""
    return any(isinstance(parameter, DTensor) or hasattr(parameter, "ds_id") for parameter in module.parameters())


def is_shared(module: nn.Module) -> bool:
    """Whether all processes must use the same layers in every batch: the module is divided, or DeepSpeed's first and second stage
    sum gradients in the order in which they come."""
    return is_divided(module) or any(hasattr(parameter, "_hp_mapping") for parameter in module.parameters())


def whole_number(value: Tensor) -> Tensor:
    """A number that may be spread over the processes, such as the norm of a divided gradient."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def _like(value: Any, parameter: Tensor) -> Any:  # noqa: ANN401
    if not (isinstance(parameter, DTensor) and isinstance(value, Tensor) and value.shape == parameter.shape):
        return value
    return distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements, src_data_rank=None)
