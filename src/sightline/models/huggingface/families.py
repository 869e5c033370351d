"""Which dialect a model family writes: what its makers document or trained it on, by `model_type` of the checkpoint's config.json.

A family that is not here has no documented way of writing coordinates, or one that we do not know: name a dialect with `--dialect`.
A fine-tune keeps the `model_type` of its base but may write otherwise (RoboBrain 2 is a qwen2_5_vl, say): name its dialect then.
"""

from sightline.dialects import DIALECTS, Dialect, get_dialect
from sightline.errors import InputError

FAMILIES: dict[str, str] = {
    "qwen2_vl": "qwen2",
    "qwen2_5_vl": "qwen25",
    "spatial-mllm": "qwen25",
    "spatial-mllm-qwen3": "qwen3",
    "qwen3_vl": "qwen3",
    "qwen3_vl_moe": "qwen3",
    "qwen3_5": "qwen3",
    "qwen3_5_moe": "qwen3",
    "internvl": "internvl",
    "molmo2": "molmo2",
    "paligemma": "paligemma",
    "gemma4": "gemini",
    # trained on RefCOCO and Visual Genome with places as shares of the picture
    "llava": "roborefer",
    "llava_next": "roborefer",
    "llava_onevision": "roborefer",
}

PLAIN_PROMPT = frozenset({"paligemma"})
"""Families without a chat template: the pictures, then the text."""


def family_dialect(model_type: str, asked: str | None, *, where: str) -> Dialect:
    """The dialect of a checkpoint under default options: the one that is asked for, or its family's.

    Raises:
        InputError: an unknown family and no dialect asked for, or no dialect of that name; the message lists the choices.
    """
    if asked is None and model_type not in FAMILIES:
        raise InputError(
            f"{where}: how models of type {model_type!r} write coordinates is not known here, and that is never guessed. Name it "
            f"with --dialect: {', '.join(DIALECTS)}. The types that need none: {', '.join(FAMILIES)}."
        )
    return get_dialect(FAMILIES[model_type] if asked is None else asked)
