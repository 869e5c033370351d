"""The published folder of a RoboRefer, read without its weights: which parts there are, and how they fit together.

    config.json         {"model_type": "llava_llama", "image_aspect_ratio": "dynamic", "max_tiles": 12, "llm_cfg": {...}, ...}
    llm/                config.json (qwen2), weights, tokenizer files, generation_config.json
    vision_tower/       config.json (siglip_vision_model), weights, preprocessor_config.json
    depth_tower/        the same
    mm_projector/       config.json {"mm_projector_type": "mlp_downsample_3x3_fix", ...}, weights
    depth_projector/    the same

A part is there if the top config has `PART_cfg`; what is in that copy is not looked at, the sub-folder's own config.json decides.
Paths of the training run (`_name_or_path`, `resume_path`, ...) and fields that nothing here reads are passed over. The sampling
settings in generation_config.json are not used: RoboRefer is asked greedily, without a penalty.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
from transformers import Qwen2Config, SiglipVisionConfig

from sightline.errors import InputError
from sightline.files import read_json
from sightline.models.roborefer.configuration import RoboReferConfig, check_projector
from sightline.models.roborefer.names import PARTS, PartName

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
PUBLISHED_TYPE = "llava_llama"
NEEDED: tuple[PartName, ...] = ("llm", "vision_tower", "mm_projector")
STALE = ("_name_or_path", "model_name_or_path", "resume_path")
DEFAULT_ENCODER = "BasicImageEncoder"
BICUBIC = 3


class _Top(msgspec.Struct):
    """What is read of the top `config.json`."""

    model_type: str
    image_aspect_ratio: str = "resize"
    min_tiles: int = 1
    max_tiles: int = 12
    mm_vision_select_layer: int = -2
    mm_vision_select_feature: str = "cls_patch"
    use_depth_tower: bool = True
    enable_depth: bool = False
    s2_scales: str | list[int] = "336,672,1008"
    s2_resize_output_to_scale_idx: int = 0
    image_encoder: dict[str, Any] | str | None = None
    depth_encoder: dict[str, Any] | str | None = None


class _Preprocessor(msgspec.Struct):
    """What is read of a tower's `preprocessor_config.json`."""

    size: dict[str, int] | int
    image_mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    image_std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    resample: int = BICUBIC


def is_published(folder: Path) -> bool:
    """Whether this looks like the published layout, whole or not: its top config says so."""
    return (folder / CONFIG).is_file() and read_json(folder / CONFIG, dict[str, Any]).get("model_type") == PUBLISHED_TYPE


def parts_of(folder: Path) -> tuple[PartName, ...]:
    """The parts that a published folder says it has, all of them there.

    Raises:
        InputError: one of them is missing.
    """
    top = read_json(folder / CONFIG, dict[str, Any])
    asked: list[PartName] = [part for part in PARTS if part in NEEDED or top.get(f"{part}_cfg") is not None]
    if not top.get("use_depth_tower", True):
        asked = [part for part in asked if part != "depth_tower"]
    if top.get("enable_depth") and "depth_projector" not in asked:
        asked.append("depth_projector")
    for part in asked:
        if not (folder / part / CONFIG).is_file():
            what = "no sub-folder" if not (folder / part).is_dir() else f"no {CONFIG} in the sub-folder"
            raise InputError(
                f"{folder}: {what} {part}/. A RoboRefer has {', '.join(f'{each}/' for each in asked)}, each with its {CONFIG} and "
                "weights. Download the checkpoint again."
            )
    return tuple(asked)


def published_config(folder: Path) -> RoboReferConfig:
    """The configuration of a published folder; ids of tokens are those of the class until a tokenizer is read (`weights`).

    Raises:
        FileNotFoundError: no such folder.
        InputError: another model, a part missing, an unknown projector, encoder or image mode, or parts that do not fit together;
            the message names the file.
    """
    if not (folder / CONFIG).is_file():
        raise FileNotFoundError(f"{folder} is no folder of a RoboRefer (no {CONFIG} in it).")
    plain = read_json(folder / CONFIG, dict[str, Any])
    if plain.get("model_type") != PUBLISHED_TYPE:
        raise InputError(f"{folder / CONFIG}: model_type {plain.get('model_type')!r}; expected {PUBLISHED_TYPE!r}.")
    top = read_json(folder / CONFIG, _Top)
    parts = parts_of(folder)
    _check_top(top, folder)
    vision = _tower(folder, "vision_tower")
    depth = _tower(folder, "depth_tower") if "depth_tower" in parts else None
    prepared = _preprocessor(folder / "vision_tower", vision)
    if depth is not None:
        _check_towers(folder, vision, depth, prepared)
    config = RoboReferConfig(
        vision_config=vision,
        depth_config=depth,
        text_config=_language_model(folder),
        mm_projector_type=_projector(folder, "mm_projector"),
        depth_projector_type=_projector(folder, "depth_projector") if "depth_projector" in parts else None,
        feature_layer=top.mm_vision_select_layer,
        image_mode=top.image_aspect_ratio,
        min_tiles=top.min_tiles,
        max_tiles=top.max_tiles,
        scales=_scales(top, folder),
        scale_index=top.s2_resize_output_to_scale_idx,
        image_mean=list(prepared.image_mean),
        image_std=list(prepared.image_std),
        published={name: value for name, value in plain.items() if name not in STALE and not name.endswith("_cfg")},
    )
    try:
        _ = config.tiling  # its rule checks itself
    except InputError as error:
        raise InputError(f"{folder / CONFIG}: {error}") from error
    return config


def _check_top(top: _Top, folder: Path) -> None:
    where = folder / CONFIG
    if top.mm_vision_select_feature != "cls_patch":
        raise InputError(f"{where}: mm_vision_select_feature {top.mm_vision_select_feature!r}; only 'cls_patch' is known here.")
    if top.mm_vision_select_layer >= 0:
        raise InputError(f"{where}: mm_vision_select_layer {top.mm_vision_select_layer}; expected one below 0, such as -2.")
    for name, encoder in (("image_encoder", top.image_encoder), ("depth_encoder", top.depth_encoder)):
        found = _decoded(encoder, f"{where}: {name}")
        others = {key: value for key, value in found.items() if key != "_target_"}
        if found and (str(found.get("_target_", "")).rpartition(".")[2] != DEFAULT_ENCODER or others):
            raise InputError(
                f"{where}: {name} {found}; only {DEFAULT_ENCODER} in its default form (a newline after each tile) is known here."
            )


def _decoded(encoder: dict[str, Any] | str | None, where: str) -> dict[str, Any]:
    """An encoder as a dictionary; some checkpoints have it as a JSON string."""
    if not isinstance(encoder, str):
        return encoder or {}
    try:
        found = json.loads(encoder)
    except ValueError as error:
        raise InputError(f"{where}: not JSON ({error}).") from error
    if not isinstance(found, dict):
        raise InputError(f"{where}: expected an object, found {encoder!r}.")
    return found


def _scales(top: _Top, folder: Path) -> list[int]:
    if isinstance(top.s2_scales, list):
        return top.s2_scales
    try:
        return sorted(int(scale) for scale in top.s2_scales.split(","))
    except ValueError as error:
        raise InputError(f"{folder / CONFIG}: s2_scales {top.s2_scales!r}; expected numbers such as '448,896,1344'.") from error


def _tower(folder: Path, part: PartName) -> SiglipVisionConfig:
    path = folder / part / CONFIG
    plain = read_json(path, dict[str, Any])
    if plain.get("model_type") != "siglip_vision_model":
        raise InputError(f"{path}: model_type {plain.get('model_type')!r}; expected 'siglip_vision_model'.")
    # the pooling head is never used, and is not built
    config = SiglipVisionConfig.from_dict(_fresh(plain) | {"vision_use_head": False})
    if not isinstance(config.image_size, int) or not isinstance(config.patch_size, int):
        raise InputError(
            f"{path}: image_size {config.image_size}, patch_size {config.patch_size}; expected squares, one number each."
        )
    return config


def _language_model(folder: Path) -> Qwen2Config:
    path = folder / "llm" / CONFIG
    plain = read_json(path, dict[str, Any])
    if plain.get("model_type") != "qwen2":
        raise InputError(f"{path}: model_type {plain.get('model_type')!r}; expected 'qwen2'.")
    return Qwen2Config.from_dict(_fresh(plain))


def _projector(folder: Path, part: PartName) -> str:
    path = folder / part / CONFIG
    return check_projector(str(read_json(path, dict[str, Any]).get("mm_projector_type")), str(path))


def _fresh(plain: dict[str, Any]) -> dict[str, Any]:
    """Without paths of the training run, and without the number format that weights happen to be stored in."""
    return {name: value for name, value in plain.items() if name not in (*STALE, "torch_dtype", "dtype", "transformers_version")}


def _preprocessor(folder: Path, config: SiglipVisionConfig) -> _Preprocessor:
    """How pictures are made ready for a tower; the published defaults where there is no file.

    Raises:
        InputError: another size than the tower's, or not bicubic.
    """
    if not (folder / PREPROCESSOR).is_file():
        return _Preprocessor(size=int(config.image_size))  # pyright: ignore[reportArgumentType] - checked in `_tower`
    found = read_json(folder / PREPROCESSOR, _Preprocessor)
    size = found.size if isinstance(found.size, dict) else {"height": found.size, "width": found.size}
    if any(side != config.image_size for side in size.values()) or found.resample != BICUBIC:
        raise InputError(
            f"{folder / PREPROCESSOR}: size {size}, resample {found.resample}; expected {config.image_size} (the tower's "
            f"image_size) and {BICUBIC} (bicubic)."
        )
    return found


def _check_towers(folder: Path, vision: SiglipVisionConfig, depth: SiglipVisionConfig, prepared: _Preprocessor) -> None:
    other = _preprocessor(folder / "depth_tower", depth)
    if (depth.image_size, depth.patch_size) != (vision.image_size, vision.patch_size):
        raise InputError(
            f"{folder / 'depth_tower' / CONFIG}: tiles of {depth.image_size} pixels, patches of {depth.patch_size}; those of "
            f"vision_tower/ are {vision.image_size} and {vision.patch_size}. RoboRefer cuts both alike."
        )
    if (other.image_mean, other.image_std) != (prepared.image_mean, prepared.image_std):
        raise InputError(f"{folder / 'depth_tower' / PREPROCESSOR}: another mean or std than vision_tower/; both must be alike.")
