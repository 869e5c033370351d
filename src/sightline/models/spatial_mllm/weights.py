"""Spatial-MLLM checkpoints: v1.1 as published, read and written; and new ones put together from a Qwen2.5-VL and a VGGT.

    FOLDER/config.json                        see `settings`, with the keys of Qwen2.5-VL at the top
    FOLDER/model-00001-of-00003.safetensors   and model.safetensors.index.json; or model.safetensors

Names: see `names`. VGGT's heads are in the published files and are not used; they are counted and left out unless asked for, as is
its tracking head. `lm_head.weight` is not stored where it is tied to the embedding. The licence of VGGT's weights holds for
checkpoints that contain them (see `vggt.weights`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from loguru import logger
from torch import Tensor
from transformers import PreTrainedConfig, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.initialization import no_init_weights

from sightline.errors import InputError
from sightline.files import read_json, whole_folder, write_json
from sightline.models.checkpoint import weight_files
from sightline.models.named_weights import take
from sightline.models.spatial_mllm.connector import CONNECTORS, FRAMES, MERGE
from sightline.models.spatial_mllm.frames import GEOMETRY_PATCH
from sightline.models.spatial_mllm.model import SpatialMllm, SpatialQwen3
from sightline.models.spatial_mllm.names import EMBEDDING, LM_HEAD, from_published, to_published
from sightline.models.spatial_mllm.settings import (
    TOKENS_PER_SECOND,
    VERSIONS,
    Fusion,
    SpatialSettings,
    settings_of_config,
    values_of_settings,
)
from sightline.models.vggt.model import HEADS, HeadName, Vggt
from sightline.models.vggt.weights import LICENCE, TRACK_HEAD, load_vggt, read_tensors

CONFIG = "config.json"
SHARD_BYTES = 5 * 10**9
ARCHITECTURE = "SpatialMLLMForConditionalGeneration"
KEPT_KEYS = ("transformers_version",)
ENCODER = "spatial_encoder."
Model = TypeVar("Model", SpatialMllm, SpatialQwen3)


@dataclass(frozen=True)
class LoadedSpatialMllm:
    """`num_ignored`: tensors of the files that belong to VGGT's heads and were left out."""

    model: SpatialMllm
    num_ignored: int


def load_spatial_mllm(
    folder: Path,
    *,
    settings: SpatialSettings | None = None,
    heads: Sequence[HeadName] = (),
    dtype: torch.dtype | None = None,
) -> LoadedSpatialMllm:
    """The model in `folder`, on the CPU, in evaluation mode; the licence of VGGT's weights is logged.

    Args:
        folder: a checkpoint of version 1.1.
        settings: other than those of its config.json.
        heads: heads of VGGT to keep; no output depends on them.
        dtype: of all tensors; None keeps theirs.

    Raises:
        FileNotFoundError: no such folder or file.
        InputError: not a checkpoint of version 1.1, or tensors missing, unknown or of another size.
    """
    path = folder / CONFIG
    values = read_json(path, dict[str, Any])
    spatial = settings or settings_of_config(values, where=str(path))
    tensors: dict[str, Tensor] = {}
    num_ignored = 0
    for file in weight_files(folder):
        for published, tensor in read_tensors(file).items():
            name = from_published(published)
            if _is_left_out(name, heads):
                num_ignored += 1
            else:
                tensors[name] = tensor if dtype is None else tensor.to(dtype)
    _check_connector(tensors, spatial, where=str(folder))
    model = filled(SpatialMllm, _config(values, path), spatial, tensors, heads=heads, where=str(folder))
    logger.info("{}: {} tensors of VGGT's heads ignored. {}", folder, num_ignored, LICENCE)
    return LoadedSpatialMllm(model, num_ignored)


def assemble_spatial_mllm(
    qwen: Path, vggt: Path, *, fusion: Fusion = "mlp_add", layer: int = -1, seed: int = 0, dtype: torch.dtype = torch.bfloat16
) -> SpatialMllm:
    """A model to be trained: the weights of a Qwen2.5-VL and of a VGGT, and a connector drawn from `seed`.

    Raises:
        FileNotFoundError: no such folder.
        InputError: either is no such checkpoint, their patches differ, or the language model counts time otherwise than
            Spatial-MLLM does.
    """
    language: Any = Qwen2_5_VLForConditionalGeneration.from_pretrained(qwen, local_files_only=True, weights_only=True, dtype=dtype)
    vision = language.config.vision_config
    if (speed := language.config.vision_config.tokens_per_second) != TOKENS_PER_SECOND:
        raise InputError(
            f"{qwen}: {speed} tokens per second of video; Spatial-MLLM counts {TOKENS_PER_SECOND}. Put that into the "
            "vision_config of its config.json."
        )
    encoder = load_vggt(vggt, heads=(), dtype=dtype).model
    if vision.patch_size != encoder.config.patch_size:
        raise InputError(
            f"{qwen}: patches of {vision.patch_size} pixels, and of {encoder.config.patch_size} in {vggt}. Both see the same "
            "frames here, so they must be equal, as those of Qwen2.5-VL and VGGT-1B are."
        )
    spatial = SpatialSettings(vggt=encoder.config, fusion=fusion, layer=layer)
    tensors = joined_tensors(language, encoder, spatial, seed=seed, dtype=dtype)
    return filled(SpatialMllm, language.config, spatial, tensors, where=f"{qwen} with {vggt}")


def joined_tensors(language: Any, encoder: Vggt, spatial: SpatialSettings, *, seed: int, dtype: torch.dtype) -> dict[str, Tensor]:  # noqa: ANN401
    """The tensors of a language model and a VGGT under the names of both together, with a connector drawn from `seed`.

    Raises:
        InputError: another number of patches a token, or frames a step, than the connector joins; or no such layer.
    """
    vision = language.config.vision_config
    if encoder.config.patch_size != GEOMETRY_PATCH:
        raise InputError(f"a VGGT with patches of {encoder.config.patch_size} pixels; frames are cut for {GEOMETRY_PATCH}.")
    if (vision.spatial_merge_size, vision.temporal_patch_size) != (MERGE, FRAMES):
        raise InputError(
            f"a visual encoder with {vision.spatial_merge_size} x {vision.spatial_merge_size} patches a token and "
            f"{vision.temporal_patch_size} frames a step; the connectors join {MERGE} x {MERGE} patches of {FRAMES} frames. Take "
            "another language model."
        )
    _ = spatial.layer_index  # refuses a layer that is not there
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        width = language.config.get_text_config().hidden_size
        connector = CONNECTORS[spatial.fusion](2 * encoder.config.width, width).to(dtype)
    return {
        **language.state_dict(),
        **{f"{ENCODER}{name}": tensor for name, tensor in encoder.state_dict().items()},
        **{f"connector.{name}": tensor for name, tensor in connector.state_dict().items()},
    }


def write_spatial_mllm(model: SpatialMllm, folder: Path, *, shard_bytes: int = SHARD_BYTES) -> None:
    """Write `model` under the published names; the folder appears whole or not at all. Its processor is not written.

    Raises:
        InputError: `folder` exists already.
    """
    with whole_folder(folder) as partial:
        write_parts(model, partial, shard_bytes=shard_bytes)


def write_parts(model: SpatialMllm, folder: Path, *, shard_bytes: int = SHARD_BYTES) -> None:
    """The files of `write_spatial_mllm` into a folder that is there."""
    from huggingface_hub import save_torch_state_dict  # noqa: PLC0415

    tensors = {to_published(name): tensor.detach() for name, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        del tensors[LM_HEAD]
    save_torch_state_dict(tensors, folder, max_shard_size=shard_bytes, metadata={"format": "pt"})
    write_json(folder / CONFIG, config_values(model))


def config_of(folder: Path) -> Qwen2_5_VLConfig:
    """The configuration of the language model in a checkpoint's folder.

    Raises:
        FileNotFoundError: no such folder or file.
        InputError: no configuration of a Qwen2.5-VL.
    """
    path = folder / CONFIG
    return _config(read_json(path, dict[str, Any]), path)


def config_values(model: SpatialMllm) -> dict[str, Any]:
    """config.json as published: the language model's sizes at the top, rotary settings in both the older and the newer spelling."""
    general = PreTrainedConfig().to_dict().keys() - set(KEPT_KEYS)  # what every configuration of transformers has
    whole = {key: value for key, value in model.config.to_dict().items() if key not in general}
    text, vision = (
        {key: value for key, value in whole.pop(part).items() if key not in {*general, "layer_types"}}
        for part in ("text_config", "vision_config")
    )
    rotary = text["rope_parameters"]
    older = {
        "rope_theta": rotary["rope_theta"],
        "rope_scaling": {key: value for key, value in rotary.items() if key != "rope_theta"} | {"type": rotary["rope_type"]},
    }
    ours = {
        "architectures": [ARCHITECTURE],
        "torch_dtype": str(model.dtype).removeprefix("torch."),
        **values_of_settings(model.spatial),
    }
    return {**text, **older, **whole, "vision_config": vision, **ours}


def _config(values: dict[str, Any], path: Path) -> Qwen2_5_VLConfig:
    """The language model's own, of the values in `path`."""
    kept = {
        key: value
        for key, value in values.items()
        if key not in ("model_type", "architectures", "connector_config", "spatial_config")
    }
    vision = {"tokens_per_second": TOKENS_PER_SECOND, **kept.get("vision_config", {})}
    try:
        return Qwen2_5_VLConfig(**{**kept, "vision_config": vision})
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(f"{path}: no configuration of a Qwen2.5-VL ({error}). Get the file again.") from error


def filled(
    kind: Callable[..., Model],
    config: Any,  # noqa: ANN401 - transformers'
    spatial: SpatialSettings,
    tensors: dict[str, Tensor],
    *,
    heads: Sequence[HeadName] = (),
    where: str,
) -> Model:
    """A model of this class with exactly these tensors, in evaluation mode.

    Raises:
        InputError: tensors missing, unknown or of another size.
    """
    with no_init_weights():  # all of them are replaced
        model = kind(config, spatial, heads=heads)
    if config.tie_word_embeddings and LM_HEAD not in tensors and EMBEDDING in tensors:
        tensors = {**tensors, LM_HEAD: tensors[EMBEDDING]}
    take(model, tensors, where=where)
    model.tie_weights()
    return model.eval()


def _check_connector(tensors: dict[str, Tensor], spatial: SpatialSettings, *, where: str) -> None:
    """Tell a connector of another layout from one with a tensor too few."""
    start = "connector."
    found = {name.removeprefix(start) for name in tensors if name.startswith(start)}
    with torch.device("meta"):
        expected = CONNECTORS[spatial.fusion](8, 8).state_dict().keys()
    if found != set(expected):
        raise InputError(
            f"{where}: a connector of {sorted(found) or 'no tensors'}; expected {sorted(expected)} ({spatial.fusion!r}). "
            f"{VERSIONS}. Get a v1.1 checkpoint."
        )


def _is_left_out(name: str, heads: Sequence[HeadName]) -> bool:
    if not name.startswith(ENCODER):
        return False
    rest = name.removeprefix(ENCODER)
    return rest.startswith((TRACK_HEAD, *(f"{head}_head." for head in HEADS if head not in heads)))
