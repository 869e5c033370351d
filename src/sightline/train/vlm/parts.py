"""What is trained of a vision-language model: its parts, each frozen, whole or by LoRA, and its own learning rate.

    vision           the tower that sees the pictures
    projector        what brings its features to the width of the language model (merger, multi-modal projector)
    depth            the tower that sees depth, in families that have one; as `vision` where nothing is said of it
    depth_projector  what brings its features to the width of the language model; as `projector` where nothing is said of it
    geometry         Spatial-MLLM's VGGT; frozen where nothing is said of it. Its connector is part of the projector
    language_model   with its word embeddings
    head             states to words; none of its own in models that share the word embeddings with it

Every parameter is in exactly one part. LoRA (Hu et al. 2022, by `peft`) is put beside the linear layers of a part; everything else
in the part is frozen. QLoRA is LoRA beside layers that bitsandbytes holds in four bits (Dettmers et al. 2023).
"""

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, get_args

import torch
from torch import nn

from sightline.errors import InputError, unknown_name
from sightline.train.vlm.lora import Lora, add_lora, is_adapter

PartName = Literal["vision", "projector", "depth", "depth_projector", "geometry", "language_model", "head"]
How = Literal["frozen", "full", "lora"]
PARTS: tuple[PartName, ...] = get_args(PartName)
_QWEN: tuple[tuple[str, PartName], ...] = (
    ("model.visual.merger.", "projector"),
    ("model.visual.deepstack_merger_list.", "projector"),
    ("model.visual.", "vision"),
)
_TOWER: tuple[tuple[str, PartName], ...] = (("model.vision_tower.", "vision"), ("model.multi_modal_projector.", "projector"))
_TEXT: tuple[tuple[str, PartName], ...] = (("model.language_model.", "language_model"), ("lm_head.", "head"))
FOLLOWS: Mapping[PartName, PartName] = {"depth": "vision", "depth_projector": "projector"}
STARTS: Mapping[str, tuple[tuple[str, PartName], ...]] = {
    "qwen2_vl": _QWEN + _TEXT,
    "qwen2_5_vl": (*_QWEN, *_TEXT, ("spatial_encoder.", "geometry"), ("connector.", "projector")),
    "qwen3_vl": _QWEN + _TEXT,
    "internvl": _TOWER + _TEXT,
    "llava": _TOWER + _TEXT,
    "roborefer": (
        ("model.vision_tower.", "vision"),
        ("model.mm_projector.", "projector"),
        ("model.depth_tower.", "depth"),
        ("model.depth_projector.", "depth_projector"),
        *_TEXT,
    ),
}
"""By family: how the names of a part's parameters begin; the first that fits counts."""


@dataclass(frozen=True)
class Part:
    """How a part is trained. `lr` is its learning rate, None for that of the run."""

    how: How = "full"
    lr: float | None = None


@dataclass(frozen=True)
class PartRow:
    """A line of the table of what is trained: tensors and numbers of a part, and how many of the latter have gradients."""

    name: PartName
    how: How
    lr: float
    num_tensors: int
    num_parameters: int
    num_trained: int


class ParameterGroup(TypedDict):
    """One entry of what torch's optimisers take."""

    name: str
    params: list[nn.Parameter]
    lr: float
    weight_decay: float


def part_of(model: Any, name: str) -> PartName:  # noqa: ANN401 - any of transformers' models
    """The part that the parameter `name` of `model` is in.

    Raises:
        InputError: a family whose parts are not known.
    """
    family = model.config.model_type
    if family not in STARTS:
        raise InputError(
            f"the parts of {family} are not known; they are of {', '.join(STARTS)}. Train it whole: leave out settings of parts."
        )
    for start, part in STARTS[family]:
        if name.startswith(start):
            return part
    raise InputError(
        f"{family}: the parameter {name!r} is in no known part of this family. Use the transformers we are tested with."
    )


def set_parts(
    model: Any,  # noqa: ANN401
    parts: Mapping[str, Part],
    *,
    lora: Lora | None = None,
    unused: tuple[str, ...] = (),
) -> None:
    """Freeze, free, or give LoRA to each part, in place; one that is not named is trained whole, or as the part that it follows.

    Args:
        unused: how the names of parameters begin that no loss ever reaches: they stay as they are, whatever their part does.

    Raises:
        InputError: an unknown part or family, LoRA of bad settings or not installed, settings for a head or a depth part that the
            model does not have, or nothing is left to train.
    """
    for name in parts:
        if name not in PARTS:
            raise unknown_name("part of a VLM", name, PARTS)
    _check_head(model, parts)
    _check_depth(model, parts)
    with_lora = [name for name in PARTS if _how(parts, name) == "lora"]
    for name, parameter in model.named_parameters():
        if parameter.is_floating_point():  # weights in four bits are frozen as they are
            parameter.requires_grad_(_how(parts, part_of(model, name)) == "full" and not name.startswith(unused))
    if with_lora:
        linear = [name for name, _ in _linear_layers(model) if not name.startswith(unused)]
        targets = [name for name in linear if part_of(model, f"{name}.weight") in with_lora]
        add_lora(model, targets, lora or Lora())
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InputError(
            "all parts are frozen, or of no use in this run (depth without data.with_depth=true): nothing is left to train. Set at "
            "least one to full or lora."
        )


def parameter_groups(
    model: Any,  # noqa: ANN401
    parts: Mapping[str, Part],
    *,
    lr: float,
    weight_decay: float,
) -> list[ParameterGroup]:
    """Every parameter with a gradient in exactly one group: by part, and whether weight decay is for it (matrices alone)."""
    groups: dict[str, ParameterGroup] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            part = part_of(model, name)
            decay = weight_decay if parameter.ndim > 1 and not name.endswith("embed_tokens.weight") else 0.0
            label = f"{part} decay={decay:g}"
            group = groups.setdefault(label, ParameterGroup(name=label, params=[], lr=_lr(parts, part, lr), weight_decay=decay))
            group["params"].append(parameter)
    return list(groups.values())


def part_table(model: Any, parts: Mapping[str, Part], *, lr: float) -> tuple[PartRow, ...]:  # noqa: ANN401
    """What is trained of each part that has parameters, as the model stands."""
    rows = []
    for name in PARTS:
        own = [parameter for key, parameter in model.named_parameters() if part_of(model, key) == name]
        if own:
            trained = sum(parameter.numel() for parameter in own if parameter.requires_grad)
            total = sum(parameter.numel() for parameter in own)
            rows.append(PartRow(name, _how(parts, name), _lr(parts, name, lr), len(own), total, trained))
    return tuple(rows)


def trained_names(model: Any) -> Iterator[str]:  # noqa: ANN401
    """The names of the parameters that are trained."""
    return (name for name, parameter in model.named_parameters() if parameter.requires_grad)


def checkpoint_gradients(model: Any) -> None:  # noqa: ANN401
    """Compute the layers' inner states a second time in the backward pass instead of keeping them, where transformers can."""
    model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})


def four_bits(compute: torch.dtype = torch.bfloat16) -> Any:  # noqa: ANN401 - transformers'
    """What `from_pretrained` takes as `quantization_config` for QLoRA: NF4 with doubly quantised scales; the vision tower, the
    projector and the head stay as they are.

    Raises:
        InputError: bitsandbytes is not installed, or there is no GPU for it.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise InputError("QLoRA needs the package bitsandbytes, not installed here: pip install bitsandbytes, or use lora.")
    if not torch.cuda.is_available():
        raise InputError(f"QLoRA needs an NVIDIA GPU; torch {torch.__version__} sees none here. Use lora without four bits.")
    from transformers import BitsAndBytesConfig  # noqa: PLC0415

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
        llm_int8_skip_modules=["lm_head", "visual", "vision_tower", "multi_modal_projector"],
    )


def _how(parts: Mapping[str, Part], name: PartName) -> How:
    found = _said(parts, name)
    unsaid: How = "frozen" if name == "geometry" else "full"
    return unsaid if found is None else found.how


def _lr(parts: Mapping[str, Part], name: PartName, lr: float) -> float:
    own = _said(parts, name)
    return lr if own is None or own.lr is None else own.lr


def _said(parts: Mapping[str, Part], name: PartName) -> Part | None:
    """What is said of a part, or of the one that it follows."""
    return parts.get(name, parts.get(FOLLOWS.get(name, name)))


def _check_depth(model: Any, parts: Mapping[str, Part]) -> None:  # noqa: ANN401
    for name in (*FOLLOWS, "geometry"):
        if name in parts and not any(part_of(model, key) == name for key, _ in model.named_parameters()):
            raise InputError(f"model.parts.{name}: this model ({model.config.model_type}) has no such part. Leave it out.")


def _check_head(model: Any, parts: Mapping[str, Part]) -> None:  # noqa: ANN401
    """A head that is the word embeddings is trained as they are."""
    if "head" not in parts or any(part_of(model, name) == "head" for name, _ in model.named_parameters()):
        return
    head, words = parts["head"], parts.get("language_model", Part())
    if head.how == "lora" or (head.how == "full") != (words.how == "full") or (head.how == "full" and head.lr != words.lr):
        raise InputError(
            f"this model's head is its word embeddings, a part of language_model ({words}); it cannot be {head}. Leave out head."
        )


def _linear_layers(model: Any) -> Iterator[tuple[str, nn.Linear]]:  # noqa: ANN401
    """Linear layers; those of four bits are such too. Not inside LoRA that is there already."""
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear) and not is_adapter(name):
            yield name, layer
