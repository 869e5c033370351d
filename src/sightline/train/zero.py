"""One model divided among processes by DeepSpeed (ZeRO): the strategy, and whole tensors of what it divides.

Stage 1 divides the optimiser's state, stage 2 gradients too, stage 3 weights too. DeepSpeed keeps all parameters of a group in one
flat tensor and each process a part of it. Its own checkpoints are files of these parts, one a process, which appear one by one.
They are not used: `whole_model` and `whole_optimizer` give what one process would save, and `restore` divides it again.

Lightning lets its strategy run on NVIDIA GPUs alone. DeepSpeed itself knows CPUs (gloo), and there it is tested here.

Source: ZeRO (Rajbhandari et al. 2020).
"""

import os
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.plugins import DeepSpeedPrecision
from lightning.pytorch.strategies import DeepSpeedStrategy
from torch import Tensor, nn

from sightline.errors import InputError
from sightline.train.settings import TrainerSettings

if TYPE_CHECKING:
    from datetime import timedelta

MOMENTS = ("exp_avg", "exp_avg_sq")  # AdamW's state of each parameter beside the count of steps
KEPT_WHOLE = 100_000  # stage 3: parameters of fewer elements stay whole on every process, which is DeepSpeed's own default
COMPILED = "deepspeed_shm_comm"  # it would be compiled at the first start on a CPU; gloo does the same


class ZeroStrategy(DeepSpeedStrategy):
    """Lightning's strategy with our settings, also on a CPU.

    Args:
        timeout: how long a process waits for the others.

    Raises:
        InputError: DeepSpeed is not installed.
    """

    def __init__(self, settings: TrainerSettings, *, timeout: "timedelta") -> None:
        on_cpu = settings.accelerator == "cpu" or not torch.cuda.is_available()
        if on_cpu:
            os.environ["DS_ACCELERATOR"] = "cpu"
        require_deepspeed()
        super().__init__(config=config(settings), timeout=timeout, precision_plugin=ZeroPrecision(settings, on_cpu=on_cpu))
        self.grouped: list[list[nn.Parameter]] = []

    def setup_environment(self) -> None:
        if isinstance(self.accelerator, CPUAccelerator):
            super(DeepSpeedStrategy, self).setup_environment()  # past the check that there is a GPU
        else:
            super().setup_environment()

    def setup_distributed(self) -> None:
        if not isinstance(self.accelerator, CPUAccelerator):
            super().setup_distributed()
            return
        import deepspeed  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

        deepspeed.ops.__compatible_ops__[COMPILED] = False
        self.set_world_ranks()
        self._init_deepspeed_distributed()

    def _setup_model_and_optimizer(self, model: nn.Module, optimizer: Any, lr_scheduler: Any = None) -> Any:  # noqa: ANN401
        """DeepSpeed's engine and optimiser. The parameters are remembered in the order of a checkpoint: it flattens them."""
        import deepspeed  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

        self.grouped = [list(group["params"]) for group in optimizer.param_groups]
        initialize: Any = deepspeed.initialize  # its annotations are narrower than it is
        engine, own, _, _ = initialize(
            args=Namespace(device_rank=self.local_rank),  # Lightning gives the device's index, which a CPU has not
            config=self.config,
            model=model,
            model_parameters=[parameter for parameters in self.grouped for parameter in parameters],
            optimizer=optimizer,
            lr_scheduler=lr_scheduler,
            dist_init_required=False,
        )
        return engine, own

    def backward(self, closure_loss: Tensor, optimizer: Any, *args: Any, **kwargs: Any) -> Tensor:  # noqa: ANN401
        """Lightning has divided the loss by the number of batches of an update already; DeepSpeed would do it again."""
        return super().backward(closure_loss, optimizer, *args, scale_wrt_gas=False, **kwargs)

    @property
    def divides_weights(self) -> bool:
        """Whether no process has the whole model."""
        return self.zero_stage_3

    def norm(self) -> float:
        """Of the gradient of the update that was just made, before clipping; nan where DeepSpeed left the update out because the
        gradient was not finite."""
        return float("nan") if self._zero.overflow else float(self.deepspeed_engine.get_global_grad_norm() or 0.0)

    def whole_model(self, module: nn.Module, *, keep: bool) -> dict[str, Any]:
        """The state dict on the CPU with whole tensors. All processes must call it.

        Args:
            keep: whether this process wants them; without, they are None and take no memory.
        """
        whole: dict[int, Tensor | None] = {}  # tied parameters stay one tensor
        state = module.state_dict(keep_vars=True)
        for value in state.values():
            if isinstance(value, Tensor) and id(value) not in whole:
                whole[id(value)] = _gathered(value, keep=keep)
        return {name: whole.get(id(value), value) for name, value in state.items()}

    def whole_optimizer(self, *, keep: bool) -> dict[str, Any]:
        """The state of the optimiser as torch's AdamW of whole parameters gives it. All processes must call it.

        Args:
            keep: as in `whole_model`.
        """
        from deepspeed.utils import safe_get_full_optimizer_state  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

        inner = self._zero.optimizer
        self._link()
        step = next(iter(inner.state.values()))["step"]
        state: dict[int, dict[str, Any]] = {}
        for index, parameter in enumerate(self._trained()):
            moments: dict[str, Any] = {name: safe_get_full_optimizer_state(parameter, name) for name in MOMENTS}
            state[index] = {name: value.cpu() if keep else None for name, value in moments.items()} | {"step": step.cpu().clone()}
        groups, first = [], 0
        for group, parameters in zip(inner.param_groups, self.grouped, strict=True):
            indices = list(range(first, first + len(parameters)))
            groups.append({**group, "params": indices})
            first += len(parameters)
        return {"state": state, "param_groups": groups}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Give the optimiser the state that `whole_optimizer` gave.

        Raises:
            ValueError: it is of other parameters.
        """
        sizes = [len(group["params"]) for group in state["param_groups"]]
        if sizes != [len(parameters) for parameters in self.grouped]:
            raise ValueError(f"groups of {sizes} parameters, expected {[len(parameters) for parameters in self.grouped]}")
        own = state["state"]
        for each in self._flat():
            self._zero.optimizer.state[each] = {name: torch.zeros_like(each) for name in MOMENTS} | {"step": own[0]["step"].clone()}
        self._link()
        for index, parameter in enumerate(self._trained()):
            for name in MOMENTS:
                self._set(parameter, name, own[index][name].to(self.root_device))

    def _set(self, parameter: nn.Parameter, name: str, value: Tensor) -> None:
        from deepspeed.utils import (  # noqa: PLC0415 # pyright: ignore[reportMissingImports]
            safe_set_full_optimizer_state,
            safe_set_local_optimizer_state,
        )

        divided: Any = parameter
        shape = divided.ds_shape if self.zero_stage_3 else parameter.shape
        if value.shape != shape:
            raise ValueError(f"a parameter of shape {tuple(value.shape)}, expected {tuple(shape)}")
        if not self.zero_stage_3:
            safe_set_full_optimizer_state(parameter, value, name)
            return
        each = divided.ds_tensor.numel()  # the last part is filled up
        part = torch.zeros(each, dtype=value.dtype, device=value.device)
        mine = value.flatten()[self.global_rank * each : (self.global_rank + 1) * each]
        part[: mine.numel()] = mine
        safe_set_local_optimizer_state(parameter, part, name)

    def _flat(self) -> list[Tensor]:
        """This process's part of the parameters, a tensor for each group."""
        zero = self._zero
        return zero.fp32_partitioned_groups_flat if self.zero_stage_3 else zero.single_partition_of_fp32_groups

    def _link(self) -> None:
        """Tell each parameter where its moments are. In stages 1 and 2 DeepSpeed 0.19.8 does it once, when the first group has been
        updated and the others have none yet."""
        from deepspeed.utils import lazy_init_hp_params_optimizer_state  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

        if not self.zero_stage_3:
            for group, flat in zip(self._zero.bit16_groups, self._flat(), strict=True):
                lazy_init_hp_params_optimizer_state(group, flat, self._zero.optimizer.state)

    @property
    def _zero(self) -> Any:  # noqa: ANN401 - DeepSpeed's optimiser around torch's
        return self.optimizers[0]

    def _trained(self) -> list[nn.Parameter]:
        return [parameter for parameters in self.grouped for parameter in parameters]


class ZeroPrecision(DeepSpeedPrecision):
    """Weights, gradients and their sums in float32, computation in bfloat16 where that is asked for, as with the other strategies.

    Lightning would set DeepSpeed's own bf16 mode instead, which keeps a second set of weights. DeepSpeed begins autocast itself in
    a training step, and ends one that it finds.
    """

    def __init__(self, settings: TrainerSettings, *, on_cpu: bool) -> None:
        super().__init__("32-true")
        self.on = settings.precision == "bf16-mixed"
        self.device_type = "cpu" if on_cpu else "cuda"

    def convert_input(self, data: Any) -> Any:  # noqa: ANN401 - our batches are frozen, and as they should be
        return data

    def forward_context(self) -> AbstractContextManager[Any]:  # of evaluation
        return torch.autocast(self.device_type, torch.bfloat16, enabled=self.on)

    @contextmanager
    def train_step_context(self) -> Iterator[None]:
        yield


def require_deepspeed() -> None:
    """Raise where it is not installed.

    Raises:
        InputError: that, with the remedy.
    """
    try:
        import deepspeed  # noqa: F401, PLC0415 # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise InputError(
            f"trainer.strategy=deepspeed needs the package deepspeed, which cannot be imported ({error}): "
            "pip install 'sightline[deepspeed]'. trainer.strategy=fsdp2 divides the model without it."
        ) from error


def config(settings: TrainerSettings) -> dict[str, Any]:
    """What DeepSpeed is told; Lightning adds the number of batches of an update."""
    return {
        "zero_optimization": {
            "stage": settings.zero_stage,
            "contiguous_gradients": True,
            "overlap_comm": False,
            "stage3_param_persistence_threshold": KEPT_WHOLE,
        },
        "zero_allow_untested_optimizer": True,  # torch's own AdamW, so that one process and several make the same update
        "torch_autocast": {
            "enabled": settings.precision == "bf16-mixed",
            "dtype": "bfloat16",
            "lower_precision_safe_modules": [],  # whose gradients would be summed in bfloat16
        },
        "gradient_clipping": settings.clip,
        "train_micro_batch_size_per_gpu": 1,  # for its log alone
    }


def _gathered(value: Tensor, *, keep: bool) -> Tensor | None:
    """A parameter or buffer as one tensor on the CPU."""
    if not hasattr(value, "ds_id"):
        return value.detach().cpu() if keep else None
    import deepspeed  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    with deepspeed.zero.GatheredParameters([cast("nn.Parameter", value)], modifier_rank=None):
        return value.detach().cpu().clone() if keep else None
