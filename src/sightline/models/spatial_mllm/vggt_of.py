"""A VGGT by itself: from its own weights, or out of a checkpoint of Spatial-MLLM, whose other parts are not read."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from loguru import logger

from sightline.errors import InputError
from sightline.files import read_json
from sightline.models.checkpoint import CONFIG, weight_files
from sightline.models.named_weights import take
from sightline.models.spatial_mllm.settings import MODEL_TYPE, settings_of_config
from sightline.models.vggt.model import HEADS, HeadName, Vggt
from sightline.models.vggt.weights import LICENCE, LoadedVggt, converted, is_left_out, load_vggt

PREFIX = "spatial_encoder.vggt_model."


def open_vggt(path: Path, *, heads: Collection[HeadName] = HEADS, dtype: torch.dtype = torch.float32) -> LoadedVggt:
    """The network at `path`, as `load_vggt`; also the one inside a Spatial-MLLM, where its heads were kept with it.

    Raises:
        FileNotFoundError: no weights there.
        InputError: not such a checkpoint, or a head that it does not have.
    """
    values = read_json(path / CONFIG, dict[str, Any]) if (path / CONFIG).is_file() else {}
    if values.get("model_type") != MODEL_TYPE:
        return load_vggt(path, heads=heads, dtype=dtype)
    from safetensors import safe_open  # noqa: PLC0415

    sizes = settings_of_config(values, where=str(path / CONFIG)).vggt
    tensors, num_ignored = {}, 0
    for file in weight_files(path):
        with safe_open(file, "pt") as stored:
            for published in stored.keys():  # noqa: SIM118 - no mapping
                name = published.removeprefix(PREFIX)
                if name == published or is_left_out(name, heads):
                    num_ignored += name != published
                else:
                    tensors[name] = converted(name, stored.get_tensor(published), dtype)
    if missing := [head for head in heads if not any(name.startswith(f"{head}_head.") for name in tensors)]:
        raise InputError(
            f"{path}: a Spatial-MLLM without VGGT's {' and '.join(missing)} head, which it does not use itself and which training "
            "leaves out. Give the published checkpoint, or VGGT's own weights."
        )
    with torch.device("meta"):
        model = Vggt(sizes, heads=heads)
    take(model, tensors, where=str(path))
    logger.info("{}: {} tensors of VGGT, {} ignored. {}", path, len(tensors), num_ignored, LICENCE)
    return LoadedVggt(model.eval(), num_ignored)
