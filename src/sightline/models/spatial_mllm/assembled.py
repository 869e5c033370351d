"""A Spatial-MLLM to be trained as a checkpoint folder, with the processor of the Qwen-VL it is made from."""

import shutil
from pathlib import Path
from typing import Any

import torch

from sightline.errors import InputError
from sightline.files import read_json, whole_folder
from sightline.models.checkpoint import CONFIG, SMALL_FILES
from sightline.models.spatial_mllm.qwen3 import assemble_spatial_qwen3, write_qwen3_parts
from sightline.models.spatial_mllm.settings import Fusion
from sightline.models.spatial_mllm.weights import assemble_spatial_mllm, write_parts

FAMILIES = {
    "qwen2_5_vl": (assemble_spatial_mllm, write_parts),
    "qwen3_vl": (assemble_spatial_qwen3, write_qwen3_parts),
}
"""By `model_type` of the language model: what puts one together, and what writes it."""


def write_assembled(qwen: Path, vggt: Path, folder: Path, *, fusion: Fusion, layer: int = -1, seed: int = 0) -> None:
    """Write a new model in bfloat16 with the language model's processor; the folder appears whole or not at all.

    Raises:
        FileNotFoundError: no such weights.
        InputError: either is no such checkpoint, their sizes do not fit, or `folder` is there already.
    """
    model_type = read_json(qwen / CONFIG, dict[str, Any]).get("model_type")
    if model_type not in FAMILIES:
        raise InputError(f"{qwen}: a checkpoint of type {model_type!r}; geometry is fused into {' and '.join(FAMILIES)}.")
    assemble, write = FAMILIES[model_type]
    model: Any = assemble(qwen, vggt, fusion=fusion, layer=layer, seed=seed, dtype=torch.bfloat16)
    with whole_folder(folder) as partial:
        write(model, partial)
        for name in SMALL_FILES:
            if name != CONFIG and (qwen / name).is_file():
                shutil.copyfile(qwen / name, partial / name)
