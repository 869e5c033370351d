"""Names of a Spatial-MLLM's tensors in its published checkpoints and here, both ways.

visual.X                          model.visual.X
model.X                           model.language_model.X
spatial_encoder.vggt_model.X      spatial_encoder.X
connector.X, lm_head.X            as they are
"""

from sightline.errors import InputError

_STARTS = (
    ("visual.", "model.visual."),
    ("model.", "model.language_model."),
    ("spatial_encoder.vggt_model.", "spatial_encoder."),
    ("connector.", "connector."),
    ("lm_head.", "lm_head."),
)
LM_HEAD = "lm_head.weight"
EMBEDDING = "model.language_model.embed_tokens.weight"


def from_published(name: str) -> str:
    """Our name of a published tensor.

    Raises:
        InputError: no part of a Spatial-MLLM has a tensor of this name.
    """
    return _renamed(name, _STARTS, "a published Spatial-MLLM")


def to_published(name: str) -> str:
    """The inverse of `from_published`.

    Raises:
        InputError: no part of a Spatial-MLLM has a tensor of this name.
    """
    return _renamed(name, tuple((ours, published) for published, ours in _STARTS), "a Spatial-MLLM")


def _renamed(name: str, starts: tuple[tuple[str, str], ...], what: str) -> str:
    for start, renamed in starts:
        if name.startswith(start):
            return renamed + name.removeprefix(start)
    raise InputError(f"{name!r} is no tensor of {what}.")
