"""A Spatial-MLLM to be trained as a checkpoint folder, with the processor of the Qwen2.5-VL it is made from."""

import shutil
from pathlib import Path

import torch

from sightline.files import whole_folder
from sightline.models.checkpoint import CONFIG, SMALL_FILES
from sightline.models.spatial_mllm.settings import Fusion
from sightline.models.spatial_mllm.weights import assemble_spatial_mllm, write_parts


def write_assembled(qwen: Path, vggt: Path, folder: Path, *, fusion: Fusion, layer: int = -1, seed: int = 0) -> None:
    """Write `weights.assemble_spatial_mllm` in bfloat16 with its processor; the folder appears whole or not at all.

    Raises:
        FileNotFoundError: no such weights.
        InputError: either is no such checkpoint, or `folder` is there already.
    """
    model = assemble_spatial_mllm(qwen, vggt, fusion=fusion, layer=layer, seed=seed, dtype=torch.bfloat16)
    with whole_folder(folder) as partial:
        write_parts(model, partial)
        for name in SMALL_FILES:
            if name != CONFIG and (qwen / name).is_file():
                shutil.copyfile(qwen / name, partial / name)
