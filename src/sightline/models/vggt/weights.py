"""VGGT's published weights: read strictly, name by name.

    FOLDER/model.safetensors (or model.pt), config.json     as facebook/VGGT-1B has them
    FILE.safetensors, FILE.pt                               the same tensors

The modules here carry the published names, so nothing is renamed. `track_head.*` (394 tensors) is not built here; it is left out
and counted, as are the heads that are not asked for. A `.pt` is unpickled by torch's weights-only reader.

Licence: the weights called VGGT-1B are for non-commercial use only. Their makers give out others, VGGT-1B-Commercial, on request,
whose licence allows commercial use. Neither comes with Sightline.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from loguru import logger
from torch import Tensor

from sightline.errors import InputError
from sightline.models.named_weights import take
from sightline.models.vggt.config import VggtConfig, config_of_folder
from sightline.models.vggt.model import HEADS, HeadName, Vggt

LICENCE = (
    "The weights VGGT-1B are for non-commercial use only. For commercial use, their makers publish VGGT-1B-Commercial under "
    "another licence."
)
FILES = ("model.safetensors", "model.pt")
TRACK_HEAD = "track_head."


@dataclass(frozen=True)
class LoadedVggt:
    """`num_ignored`: tensors of the file that belong to the tracking head or to heads not asked for."""

    model: Vggt
    num_ignored: int


def load_vggt(
    path: Path, *, heads: Collection[HeadName] = HEADS, config: VggtConfig | None = None, dtype: torch.dtype = torch.float32
) -> LoadedVggt:
    """The network with the weights at `path`, on the CPU, in evaluation mode; their licence is logged.

    Args:
        path: a folder, or a file of weights.
        heads: which heads are wanted.
        config: sizes other than those of FOLDER/config.json.
        dtype: of the aggregator; heads are float32.

    Raises:
        FileNotFoundError: no such file, or a folder without one.
        InputError: not a file of weights alone, or weights missing, unknown or of another size.
    """
    file = weight_file(path)
    sizes = config or config_of_folder(file.parent)
    tensors = read_tensors(file)
    wanted = {name: tensor for name, tensor in tensors.items() if not is_left_out(name, heads)}
    with torch.device("meta"):
        model = Vggt(sizes, heads=heads)
    take(model, {name: converted(name, tensor, dtype) for name, tensor in wanted.items()}, where=str(file))
    logger.info("{}: {} tensors of VGGT, {} ignored. {}", file, len(wanted), len(tensors) - len(wanted), LICENCE)
    return LoadedVggt(model.eval(), len(tensors) - len(wanted))


def weight_file(path: Path) -> Path:
    """The file of weights that `path` is, or that lies in it.

    Raises:
        FileNotFoundError: there is none.
    """
    if path.is_file():
        return path
    found = next((path / name for name in FILES if (path / name).is_file()), None)
    if found is None:
        raise FileNotFoundError(f"{path}: no weights of VGGT; expected a folder with {' or '.join(FILES)}, or such a file.")
    return found


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file by their names; nothing in the file is executed.

    Raises:
        InputError: damaged, or anything but tensors by name.
    """
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError  # noqa: PLC0415
        from safetensors.torch import load_file  # noqa: PLC0415

        try:
            return load_file(path)
        except SafetensorError as error:
            raise InputError(f"{path} cannot be read ({error}). Copy it again.") from error
    import pickle  # noqa: PLC0415 - only for the name of its error

    try:
        stored: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(f"{path}: not a file of weights alone ({error}). Expected the model.pt of VGGT-1B.") from error
    if not isinstance(stored, dict) or not all(isinstance(tensor, Tensor) for tensor in stored.values()):
        raise InputError(f"{path}: expected tensors by name, as in the model.pt of VGGT-1B.")
    return stored


def is_left_out(name: str, heads: Collection[HeadName]) -> bool:
    return name.startswith((TRACK_HEAD, *(f"{head}_head." for head in HEADS if head not in heads)))


def converted(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype if name.startswith("aggregator.") else torch.float32)
