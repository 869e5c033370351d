"""Which weights features were made with: digests of a checkpoint's encoders, without reading all of them."""

import hashlib
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from sightline.errors import InputError
from sightline.models.checkpoint import weight_files

ENCODERS = {"vision": ("visual.",), "geometry": ("spatial_encoder.vggt_model.aggregator.",)}
"""How the published names of each encoder's tensors begin. The merger is trained with the connector and is none of it."""
NOT_FROZEN = ("visual.merger.",)
SAMPLES = 64


def weights_digests(folder: Path) -> dict[str, str]:
    """32 hexadecimal digits for each of `ENCODERS`: names, shapes, and 64 numbers from the middle of each tensor, as float32, so
    that a copy in another file, or one that was widened, is the same.

    Raises:
        InputError: weights that are not safetensors, or that lack an encoder.
    """
    sampled: dict[str, dict[str, bytes]] = {part: {} for part in ENCODERS}
    for path in weight_files(folder):
        if path.suffix != ".safetensors":
            raise InputError(f"{path}: features are kept for weights in safetensors alone. Save the model in that form.")
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is no dict
                for part, starts in ENCODERS.items():
                    if name.startswith(starts) and not name.startswith(NOT_FROZEN):
                        sampled[part][name] = _sample(file.get_tensor(name))
    if empty := [part for part, tensors in sampled.items() if not tensors]:
        raise InputError(f"{folder}: no weights of the encoder {' or '.join(empty)}. Get a v1.1 checkpoint of Spatial-MLLM.")
    return {part: _digest(tensors) for part, tensors in sampled.items()}


def _sample(tensor: Tensor) -> bytes:
    flat = tensor.flatten()
    start = max(0, (flat.numel() - SAMPLES) // 2)
    return f"{tuple(tensor.shape)} ".encode() + flat[start : start + SAMPLES].to(torch.float32).numpy().tobytes()


def _digest(tensors: dict[str, bytes]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        digest.update(f"{name}\0".encode() + tensors[name])
    return digest.hexdigest()
