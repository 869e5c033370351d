"""Training wholly in bfloat16 (`trainer.precision=bf16-true`): weights, gradients and the optimiser's state.

Lightning's own way casts everything, buffers too, so that rotary angles and positions would be rounded; and it writes into batches,
which are frozen here. So the weights are loaded in bfloat16 by the training itself, as it loads them, and the module brings what is
in a batch to its own numbers where they are needed.
"""

from typing import Any

import torch
from lightning.pytorch.plugins.precision import Precision
from torch import nn

from sightline.errors import InputError


class WholeBfloat16(Precision):
    """Leaves batches and buffers alone, and sees that the trained weights are in bfloat16."""

    precision = "bf16-true"

    def convert_input(self, data: Any) -> Any:  # noqa: ANN401 - our batches
        return data

    def convert_module(self, module: nn.Module) -> nn.Module:
        """The module as it is.

        Raises:
            InputError: its training does not load weights in bfloat16.
        """
        trained = {parameter.dtype for parameter in module.parameters() if parameter.requires_grad}
        if trained - {torch.bfloat16}:
            raise InputError(
                "trainer.precision=bf16-true is not for this kind of training: it holds its weights in "
                f"{', '.join(sorted(str(dtype).removeprefix('torch.') for dtype in trained))}. Use trainer.precision=bf16-mixed."
            )
        return module
