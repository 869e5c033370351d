"""SAM 2 checkpoints on disk, in both published forms, read and written.

    FOLDER/config.json, model.safetensors           transformers, `Sam2VideoModel.save_pretrained`
    FILE.pt                                         facebookresearch/sam2: {"model": state}, with its YAML beside it

A `.pt` is unpickled by torch's weights-only reader, which builds nothing but tensors and plain containers.
"""

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Sam2VideoConfig, Sam2VideoModel

from sightline.errors import InputError
from sightline.files import read_json, whole_file
from sightline.models.named_weights import fill
from sightline.models.sam2.architecture import config_of_yaml, resized
from sightline.models.sam2.names import from_original, to_original


def load_sam2(checkpoint: Path, *, config: Path | None = None, image_size: int | None = None) -> Sam2VideoModel:
    """A model with the weights of a checkpoint, in float32 on the CPU.

    Args:
        checkpoint: a transformers folder, or an original `.pt` file.
        config: the YAML of an original checkpoint (`sam2.1_hiera_t.yaml`).
        image_size: another side of the square input than the checkpoint's, a multiple of 32.

    Raises:
        FileNotFoundError: no such folder or file.
        InputError: not a SAM 2 checkpoint, weights missing, unknown or of another size, or no YAML for a `.pt`.
    """
    if checkpoint.is_dir():
        return _load_folder(checkpoint, image_size)
    if not checkpoint.is_file():
        raise FileNotFoundError(f"{checkpoint} is neither a transformers folder nor an original .pt file of SAM 2.")
    if config is None:
        raise InputError(f"{checkpoint}: an original checkpoint needs its YAML (model.config_path=sam2.1_hiera_t.yaml).")
    found = config_of_yaml(config)
    model = Sam2VideoModel(found if image_size is None else resized(found, image_size))
    fill(model, from_original(read_original(checkpoint)), where=str(checkpoint))
    return model


def read_original(path: Path) -> dict[str, Tensor]:
    """The tensors of an original `.pt` by their own names.

    Raises:
        InputError: no torch file, or one that holds anything but weights.
    """
    import pickle  # noqa: PLC0415 - only for the name of its error

    try:
        stored: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(
            f"{path}: not a file of weights alone ({error}). Expected a checkpoint of facebookresearch/sam2."
        ) from error
    state = stored.get("model") if isinstance(stored, dict) else None
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise InputError(f"{path}: expected the weights under 'model', as facebookresearch/sam2 writes them.")
    return state


def write_original(model: Sam2VideoModel, path: Path) -> None:
    """Write `{"model": state}` under the original names; the file appears whole or not at all."""
    state = to_original({name: tensor.detach().cpu() for name, tensor in model.state_dict().items()})
    with whole_file(path) as file:
        torch.save({"model": state}, file)


def write_folder(model: Sam2VideoModel, folder: Path) -> None:
    """Write a transformers folder; it appears whole or not at all.

    Raises:
        InputError: `folder` exists already.
    """
    if folder.exists():
        raise InputError(f"{folder} exists already; give another folder.")
    staging = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    model.save_pretrained(staging)
    staging.rename(folder)


def _load_folder(folder: Path, image_size: int | None) -> Sam2VideoModel:
    from safetensors import SafetensorError  # noqa: PLC0415
    from safetensors.torch import load_file  # noqa: PLC0415

    if not (folder / "config.json").is_file() or not (folder / "model.safetensors").is_file():
        raise InputError(f"{folder}: expected config.json and model.safetensors of a transformers Sam2VideoModel.")
    kind = read_json(folder / "config.json", dict[str, Any]).get("model_type")
    if kind not in ("sam2_video", "edgetam_video"):  # transformers tries to make one of any other
        raise InputError(f"{folder}: a checkpoint of {kind!r}; expected 'sam2_video'.")
    found = Sam2VideoConfig.from_pretrained(folder, local_files_only=True)
    model = Sam2VideoModel(found if image_size is None else resized(found, image_size))
    try:
        tensors = load_file(folder / "model.safetensors")
    except SafetensorError as error:
        raise InputError(f"{folder / 'model.safetensors'} cannot be read ({error}). Copy it again.") from error
    fill(model, tensors, where=str(folder))
    return model
