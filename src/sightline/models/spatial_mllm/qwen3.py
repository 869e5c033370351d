"""A Qwen3-VL that sees VGGT's geometry, as a checkpoint. Nothing of the kind is published: the folder is ours.

    FOLDER/config.json         that of the Qwen3-VL, with `model_type` "spatial-mllm-qwen3" and the keys of `settings`
    FOLDER/model.safetensors   the Qwen3-VL's names, and connector.X, spatial_encoder.X (VGGT's without heads)

Patches of 16 pixels and VGGT's of 14 fit because VGGT is given the same frames at 14/16 of the size (`frames`).
"""

from pathlib import Path
from typing import Any

import torch
from loguru import logger
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from sightline.errors import InputError
from sightline.files import read_json, write_json
from sightline.models.checkpoint import CONFIG, weight_files
from sightline.models.spatial_mllm.model import SpatialQwen3
from sightline.models.spatial_mllm.names import LM_HEAD
from sightline.models.spatial_mllm.settings import QWEN3_TYPE, Fusion, SpatialSettings, settings_of_config, values_of_settings
from sightline.models.spatial_mllm.weights import SHARD_BYTES, filled, joined_tensors
from sightline.models.vggt.weights import LICENCE, load_vggt, read_tensors

OWN_KEYS = ("model_type", "architectures", "connector_config", "spatial_config")


def assemble_spatial_qwen3(
    qwen: Path, vggt: Path, *, fusion: Fusion = "mlp_add", layer: int = -1, seed: int = 0, dtype: torch.dtype = torch.bfloat16
) -> SpatialQwen3:
    """A model to be trained: the weights of a Qwen3-VL and of a VGGT, and a connector drawn from `seed`.

    Raises:
        FileNotFoundError: no such folder.
        InputError: either is no such checkpoint, or an encoder that the connectors do not fit.
    """
    language: Any = Qwen3VLForConditionalGeneration.from_pretrained(qwen, local_files_only=True, weights_only=True, dtype=dtype)
    encoder = load_vggt(vggt, heads=(), dtype=dtype).model
    spatial = SpatialSettings(vggt=encoder.config, fusion=fusion, layer=layer)
    tensors = joined_tensors(language, encoder, spatial, seed=seed, dtype=dtype)
    return filled(SpatialQwen3, language.config, spatial, tensors, where=f"{qwen} with {vggt}")


def load_spatial_qwen3(folder: Path, *, dtype: torch.dtype | None = None) -> SpatialQwen3:
    """The model in `folder`, on the CPU, in evaluation mode; the licence of VGGT's weights is logged.

    Raises:
        FileNotFoundError: no such folder or file.
        InputError: no such checkpoint, or tensors missing, unknown or of another size.
    """
    values = read_json(folder / CONFIG, dict[str, Any])
    spatial = settings_of_config(values, where=str(folder / CONFIG), model_type=QWEN3_TYPE)
    tensors = {name: tensor for file in weight_files(folder) for name, tensor in read_tensors(file).items()}
    kept = {name: tensor if dtype is None else tensor.to(dtype) for name, tensor in tensors.items()}
    logger.info("{}: {}", folder, LICENCE)
    config = config_of_qwen3(folder)
    if config.tie_word_embeddings:
        kept.setdefault(LM_HEAD, kept["model.language_model.embed_tokens.weight"])
    return filled(SpatialQwen3, config, spatial, kept, where=str(folder))


def write_qwen3_parts(model: SpatialQwen3, folder: Path, *, shard_bytes: int = SHARD_BYTES) -> None:
    """Weights and config.json into a folder that is there."""
    from huggingface_hub import save_torch_state_dict  # noqa: PLC0415

    tensors = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        del tensors[LM_HEAD]
    save_torch_state_dict(tensors, folder, max_shard_size=shard_bytes, metadata={"format": "pt"})
    write_json(folder / CONFIG, model.config.to_dict() | values_of_settings(model.spatial, model_type=QWEN3_TYPE))


def config_of_qwen3(folder: Path) -> Qwen3VLConfig:
    """The configuration of the language model in a checkpoint's folder.

    Raises:
        FileNotFoundError: no such folder or file.
        InputError: no configuration of a Qwen3-VL.
    """
    path = folder / CONFIG
    kept = {key: value for key, value in read_json(path, dict[str, Any]).items() if key not in OWN_KEYS}
    try:
        return Qwen3VLConfig(**kept)
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(f"{path}: no configuration of a Qwen3-VL ({error}). Get the file again.") from error
