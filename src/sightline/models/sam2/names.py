"""Names of SAM 2's tensors in facebookresearch/sam2 checkpoints and in transformers, both ways.

One rule a module, tried from the top; the rest of a name stays as it is. Two tensors are not renamed but reshaped: the four
`point_embeddings.N.weight` rows are one `point_embed.weight`, and the positional matrix stands twice in transformers.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from sightline.errors import InputError

# Three-layer perceptrons: layers.0, layers.1, layers.2 are proj_in, layers.0, proj_out.
_PERCEPTRON = {"layers.0.": "proj_in.", "layers.1.": "layers.0.", "layers.2.": "proj_out."}
_TWO_LAYERS = {"layers.0.": "proj_in.", "layers.1.": "proj_out."}
_MASK_EMBED = {"0.": "conv1.", "1.": "layer_norm1.", "3.": "conv2.", "4.": "layer_norm2.", "6.": "conv3."}
_UPSCALING = {"0.": "upscale_conv1.", "1.": "upscale_layer_norm.", "3.": "upscale_conv2."}
_DOWNSAMPLER = {
    f"{3 * index + kind}.": f"layers.{index}.{name}." for index in range(4) for kind, name in ((0, "conv"), (1, "layer_norm"))
} | {"12.": "final_conv."}

# (module in the original, module in transformers, names within it)
_MODULES: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("image_encoder.trunk.", "vision_encoder.backbone.", {"patch_embed.proj.": "patch_embed.projection."}),
    *((f"image_encoder.neck.convs.{level}.conv.", f"vision_encoder.neck.convs.{level}.", {}) for level in range(4)),
    ("sam_prompt_encoder.mask_downscaling.", "prompt_encoder.mask_embed.", _MASK_EMBED),
    ("sam_prompt_encoder.", "prompt_encoder.", {}),
    ("sam_mask_decoder.output_upscaling.", "mask_decoder.", _UPSCALING),
    ("sam_mask_decoder.iou_prediction_head.", "mask_decoder.iou_prediction_head.", _PERCEPTRON),
    ("sam_mask_decoder.pred_obj_score_head.", "mask_decoder.pred_obj_score_head.", _PERCEPTRON),
    *(
        (f"sam_mask_decoder.output_hypernetworks_mlps.{index}.", f"mask_decoder.output_hypernetworks_mlps.{index}.", _PERCEPTRON)
        for index in range(4)
    ),
    ("sam_mask_decoder.", "mask_decoder.", {}),
    ("obj_ptr_proj.", "object_pointer_proj.", _PERCEPTRON),
    ("obj_ptr_tpos_proj.", "temporal_positional_encoding_projection_layer.", {}),
    ("memory_attention.", "memory_attention.", {}),
    ("memory_encoder.mask_downsampler.encoder.", "memory_encoder.mask_downsampler.", _DOWNSAMPLER),
    ("memory_encoder.pix_feat_proj.", "memory_encoder.feature_projection.", {}),
    ("memory_encoder.out_proj.", "memory_encoder.projection.", {}),
    ("memory_encoder.fuser.", "memory_encoder.memory_fuser.", {}),
    ("mask_downsample.", "mask_downsample.", {}),
)
# Words inside the names of one module's blocks, whole words between dots.
_WORDS: Mapping[str, Mapping[str, str]] = {
    "image_encoder.trunk.": {"norm1": "layer_norm1", "norm2": "layer_norm2"},
    "sam_mask_decoder.": {
        **{f"norm{index}": f"layer_norm{index}" for index in (1, 2, 3, 4)},
        "norm_final_attn": "layer_norm_final_attn",
        "out_proj": "o_proj",
    },
    "memory_attention.": {
        "norm": "layer_norm",
        **{f"norm{index}": f"layer_norm{index}" for index in (1, 2, 3)},
        "out_proj": "o_proj",
    },
    "memory_encoder.fuser.": {
        "dwconv": "depthwise_conv",
        "pwconv1": "pointwise_conv1",
        "pwconv2": "pointwise_conv2",
        "norm": "layer_norm",
        "gamma": "scale",
    },
}
# Of these modules every tensor is in the table; of the others the table names the exceptions.
_WHOLE = (_PERCEPTRON, _MASK_EMBED, _UPSCALING, _DOWNSAMPLER)
_TWO_LAYERS_BACK = {new: old for old, new in _TWO_LAYERS.items()}
_TWO_LAYER_MLPS = re.compile(r"(?P<block>(?:blocks|transformer\.layers)\.\d+\.mlp\.)(?P<layer>layers\.[01]\.)")
_TWO_LAYER_MLPS_RENAMED = re.compile(r"(?P<block>(?:blocks|transformer\.layers)\.\d+\.mlp\.)(?P<layer>proj_(?:in|out)\.)")
_PARAMETERS = {
    "maskmem_tpos_enc": "memory_temporal_positional_encoding",
    "no_mem_embed": "no_memory_embedding",
    "no_mem_pos_enc": "no_memory_positional_encoding",
    "no_obj_ptr": "no_object_pointer",
    "no_obj_embed_spatial": "occlusion_spatial_embedding_parameter",
}
_POINTS = "sam_prompt_encoder.point_embeddings.{}.weight"
_MATRIX = "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
_POINT_EMBED = "prompt_encoder.point_embed.weight"
_MATRICES = ("prompt_encoder.shared_embedding.positional_embedding", "shared_image_embedding.positional_embedding")


def to_transformers(name: str) -> str:
    """The transformers name of an original tensor that is only renamed.

    Raises:
        InputError: no module of SAM 2 has a tensor of this name.
    """
    if name in _PARAMETERS:
        return _PARAMETERS[name]
    for original, renamed, inside in _MODULES:
        if name.startswith(original):
            rest = _replace_start(name.removeprefix(original), inside)
            words = _words(original)
            rest = ".".join(words.get(word, word) for word in rest.split("."))
            return renamed + _TWO_LAYER_MLPS.sub(lambda match: match["block"] + _TWO_LAYERS[match["layer"]], rest)
    raise InputError(f"{name!r} is no tensor of SAM 2. Expected a checkpoint of facebookresearch/sam2 (weights under 'model').")


def to_original_name(name: str) -> str:
    """The original name of a transformers tensor that is only renamed; the inverse of `to_transformers`.

    Raises:
        InputError: no module of SAM 2 has a tensor of this name.
    """
    for original, renamed in _PARAMETERS.items():
        if name == renamed:
            return original
    for original, renamed, inside in _MODULES:
        if not name.startswith(renamed):
            continue
        rest = name.removeprefix(renamed)
        restored = _replace_start(rest, {new: old for old, new in inside.items()})
        if inside in _WHOLE and restored == rest:
            continue
        words = {new: old for old, new in _words(original).items()}
        restored = ".".join(words.get(word, word) for word in restored.split("."))
        return original + _TWO_LAYER_MLPS_RENAMED.sub(lambda match: match["block"] + _TWO_LAYERS_BACK[match["layer"]], restored)
    raise InputError(f"{name!r} is no tensor of transformers' Sam2VideoModel.")


def from_original(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A whole original state as transformers has it.

    Raises:
        InputError: an unknown name, or an incomplete prompt encoder.
    """
    points = [_POINTS.format(index) for index in range(4)]
    missing = [name for name in (*points, _MATRIX) if name not in tensors]
    if missing:
        raise InputError(f"the checkpoint lacks {', '.join(missing)}: it is no whole SAM 2, or of another version.")
    found = {_POINT_EMBED: torch.cat([tensors[name] for name in points])} | dict.fromkeys(_MATRICES, tensors[_MATRIX])
    special = {*points, _MATRIX}
    return found | {to_transformers(name): tensor for name, tensor in tensors.items() if name not in special}


def to_original(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `from_original`."""
    rows = tensors[_POINT_EMBED]
    found = {_POINTS.format(index): rows[index : index + 1].clone() for index in range(4)} | {_MATRIX: tensors[_MATRICES[0]]}
    special = {_POINT_EMBED, *_MATRICES}
    return found | {to_original_name(name): tensor for name, tensor in tensors.items() if name not in special}


def _words(module: str) -> Mapping[str, str]:
    return next((table for start, table in _WORDS.items() if module.startswith(start)), {})


def _replace_start(rest: str, table: Mapping[str, str]) -> str:
    for start, renamed in table.items():
        if rest.startswith(start):
            return renamed + rest.removeprefix(start)
    return rest
