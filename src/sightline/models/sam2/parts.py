"""The parts of a SAM 2 by name: which parameters each has, freezing them, and starting them anew.

Every parameter is in exactly one part. `conv_s0` and `conv_s1`, which thin out the encoder's fine levels, are the mask decoder's;
`mask_downsample`, which takes a prompted mask to the pointer's size, is the prompt encoder's. Fresh weights are drawn as
facebookresearch/sam2 draws them: torch's defaults for linear layers, convolutions, norms and embedding tables; a normal
distribution of deviation 0.02, cut at +-2, for the single embeddings of the memory; 1e-6 for the fuser's layer scale; 0 for the
encoder's position embeddings. transformers' own start (deviation 0.02 everywhere, memory embeddings and layer scale 0) is not it.
"""

from collections.abc import Collection, Iterator, Mapping

import torch
from torch import Tensor, nn
from transformers import Sam2VideoConfig, Sam2VideoModel

from sightline.errors import InputError, unknown_name

PARTS: Mapping[str, tuple[str, ...]] = {
    "image_encoder": ("vision_encoder.",),
    "memory_attention": ("memory_attention.",),
    "memory_encoder": ("memory_encoder.",),
    "memory_embeddings": (
        "memory_temporal_positional_encoding",
        "no_memory_embedding",
        "no_memory_positional_encoding",
        "occlusion_spatial_embedding_parameter",
    ),
    "object_pointer": ("object_pointer_proj.", "temporal_positional_encoding_projection_layer.", "no_object_pointer"),
    "prompt_encoder": ("prompt_encoder.", "mask_downsample."),
    "mask_decoder": ("mask_decoder.",),
}
MEMORY_PARTS = ("memory_attention", "memory_encoder", "memory_embeddings", "object_pointer")
UNUSED = "no_memory_positional_encoding"  # stands in every checkpoint, and nothing reads it
EMBEDDING_DEVIATION = 0.02
LAYER_SCALE = 1e-6
EMPTY_AT_START = ("vision_encoder.backbone.pos_embed", "vision_encoder.backbone.pos_embed_window")


def part_of(name: str) -> str:
    """The part that the parameter `name` (of `Sam2VideoModel`) is in; KeyError if it is in none."""
    for part, starts in PARTS.items():
        if name.startswith(starts):
            return part
    raise KeyError(name)


def check_parts(parts: Collection[str]) -> None:
    """Refuse names that are no parts.

    Raises:
        InputError: an unknown part; the message names the nearest one and all.
    """
    for part in parts:
        if part not in PARTS:
            raise unknown_name("part of SAM 2", part, PARTS)


def named_parameters(model: Sam2VideoModel, parts: Collection[str]) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters of some parts, in the model's order.

    Raises:
        InputError: an unknown part.
    """
    check_parts(parts)
    return ((name, parameter) for name, parameter in model.named_parameters() if part_of(name) in parts)


def freeze(model: Sam2VideoModel, parts: Collection[str]) -> int:
    """Take the gradients from whole parts; returns how many numbers are still trained.

    `UNUSED` is always frozen: it never has a gradient, and distributed training would wait for one. A frozen part costs no memory
    for its backward pass where nothing before it is trained.

    Raises:
        InputError: an unknown part, or nothing is left to train.
    """
    for _, parameter in named_parameters(model, parts):
        parameter.requires_grad_(False)
    model.get_parameter(UNUSED).requires_grad_(False)
    left = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    if not left:
        raise InputError(f"all parts are frozen ({', '.join(parts)}): nothing is left to train. Leave out at least one.")
    return left


def reset(model: Sam2VideoModel, parts: Collection[str], seed: int) -> None:
    """Draw the weights of some parts anew, in place; `MEMORY_PARTS` are those of the memory ablation.

    Each part is drawn from a stream of its own, so that it gets the same weights whichever others are reset with it, and torch's
    global random state stays as it was. The same seed gives other numbers on another kind of device: reset before moving the model.

    Raises:
        InputError: an unknown part.
    """
    check_parts(parts)
    devices = sorted({parameter.device.index for parameter in model.parameters() if parameter.device.type == "cuda"})
    with torch.random.fork_rng(devices=devices), torch.no_grad():
        for number, part in enumerate(PARTS):
            if part in parts:
                torch.manual_seed(seed * len(PARTS) + number)
                _reset_part(model, part)


def fresh_model(config: Sam2VideoConfig, seed: int) -> Sam2VideoModel:
    """A model for training from scratch, the same for the same configuration and seed, in float32 on the CPU."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Sam2VideoModel(config)
        matrix = model.shared_image_embedding.positional_embedding  # drawn once by the reference, and a scale of 1 is its own
        with torch.no_grad():
            matrix.normal_()
            model.prompt_encoder.shared_embedding.positional_embedding.copy_(matrix)
    reset(model, tuple(PARTS), seed)
    return model


def _reset_part(model: Sam2VideoModel, part: str) -> None:
    starts = PARTS[part]
    for name, module in model.named_modules():
        draw = getattr(module, "reset_parameters", None)
        if f"{name}.".startswith(starts) and draw is not None:
            draw()
    for name, parameter in named_parameters(model, (part,)):
        _reset_single(name, parameter)


def _reset_single(name: str, parameter: Tensor) -> None:
    """The parameters that stand in no layer of torch."""
    if name in EMPTY_AT_START:
        parameter.zero_()
    elif name.startswith("memory_encoder.memory_fuser.") and name.endswith(".scale"):
        parameter.fill_(LAYER_SCALE)
    elif "." not in name:
        nn.init.trunc_normal_(parameter, std=EMBEDDING_DEVIATION)
