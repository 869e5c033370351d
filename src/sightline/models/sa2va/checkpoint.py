"""Sa2VA checkpoints on disk, under their published names, read and written.

    FOLDER/config.json            {"model_type": "sa2va_chat", "template": "qwen_chat", "llm_config": {..}, ..}
    FOLDER/model.safetensors      or in numbered parts with their index
    FOLDER/tokenizer.json, ...    the tokenizer; for InternLM2 tokenizer.model, tokenizer_config.json and added_tokens.json,
                                  for Qwen-VL also preprocessor_config.json and chat_template.jinja

The code in such a folder is never run. Weights of no use, or missing ones, are an error: nothing stays a random number.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers.initialization import no_init_weights

from sightline.errors import InputError
from sightline.files import read_json, whole_folder, write_whole
from sightline.models.checkpoint import SMALL_FILES, open_checkpoint
from sightline.models.named_weights import fill
from sightline.models.sa2va.family import Family
from sightline.models.sa2va.grounding import Grounding
from sightline.models.sa2va.internlm2_tokenizer import MODEL, internlm2_tokenizer
from sightline.models.sa2va.internvl import InternVl
from sightline.models.sa2va.names import from_published, is_grounding, to_published
from sightline.models.sa2va.network import Sa2Va
from sightline.models.sa2va.qwenvl import GENERATIONS, QwenVl
from sightline.models.sa2va.sizes import sam2_config

MODEL_TYPE = "sa2va_chat"
EMBEDDING, HEAD = "model.language_model.embed_tokens.weight", "lm_head.weight"


def load_sa2va(folder: Path, *, dtype: torch.dtype = torch.float32) -> Sa2Va:
    """The checkpoint on the CPU, in evaluation mode; the grounding path is float32 whatever the language model's `dtype`.

    Raises:
        FileNotFoundError: no such folder.
        InputError: it is no Sa2VA checkpoint, of a family that is not known, or weights and config.json do not belong together.
    """
    checkpoint = open_checkpoint(folder, processor=False)
    if checkpoint.model_type != MODEL_TYPE or not checkpoint.safetensors:
        kind = checkpoint.model_type if checkpoint.safetensors else "pickled .bin files"
        raise InputError(f"{folder}: {kind}; expected model_type {MODEL_TYPE!r} with safetensors weights, as Sa2VA is published.")
    config = read_json(folder / "config.json", dict[str, Any])
    tensors = read_tensors(checkpoint.weights)
    tokenizer = read_tokenizer(folder)
    family = read_family(config, tokenizer, folder)
    own = family.from_published({name: tensor for name, tensor in tensors.items() if not is_grounding(name)})
    tied = HEAD not in own
    if tied and EMBEDDING in own:
        own[HEAD] = own[EMBEDDING]
    with no_init_weights():  # all of them are about to be replaced, and drawing billions of numbers takes minutes
        language: Any = family.network(dtype, tied=tied)
    language.tie_weights()  # was left out with the numbers
    fill(language, own, where=str(folder))
    grounding = Grounding(sam2_config(config, where=folder), language.config.get_text_config().hidden_size)
    fill(grounding, from_published(tensors), where=f"{folder} (its SAM 2)")
    return Sa2Va(language, grounding, family, tokenizer).eval()


def published_state(model: Sa2Va) -> dict[str, Tensor]:
    """All weights under their published names, as they are."""
    language = dict(model.language.state_dict())
    if language[HEAD].data_ptr() == language[EMBEDDING].data_ptr():
        del language[HEAD]
    return model.family.to_published(language) | to_published(model.grounding.state_dict())


def write_sa2va(model: Sa2Va, folder: Path, *, source: Path) -> None:
    """Write a checkpoint; it appears whole or not at all. Configuration and tokenizer are those of `source`, the folder that the
    model was loaded from.

    Raises:
        InputError: `folder` is there already.
    """
    from safetensors.torch import save_file  # noqa: PLC0415

    with whole_folder(folder) as partial:
        for name in SMALL_FILES:
            if (source / name).is_file():
                write_whole(partial / name, (source / name).read_bytes())
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in published_state(model).items()}
        save_file(tensors, partial / "model.safetensors", metadata={"format": "pt"})


def read_family(config: Mapping[str, Any], tokenizer: Any, folder: Path) -> Family:  # noqa: ANN401 - transformers'
    """The family of a config.json; `folder` is where its processor lies.

    Raises:
        InputError: none that is known.
    """
    if "llm_config" in config:
        return InternVl(config, tokenizer, where=str(folder))
    kind = (config.get("text_config") or {}).get("model_type")
    if kind in GENERATIONS:
        return QwenVl(config, tokenizer, folder=folder)
    raise InputError(
        f"{folder}: a Sa2VA on {kind or 'an unnamed language model'!r}. Those on InternVL (llm_config), Qwen2.5-VL and Qwen3-VL "
        "are known."
    )


def read_tensors(paths: tuple[Path, ...]) -> dict[str, Tensor]:
    """All tensors of a checkpoint's files."""
    from safetensors.torch import load_file  # noqa: PLC0415

    found: dict[str, Tensor] = {}
    for path in paths:
        found |= load_file(path)
    return found


def read_tokenizer(folder: Path) -> Any:  # noqa: ANN401 - transformers'
    """The tokenizer of a Sa2VA, or of what one is put together from.

    Raises:
        InputError: it cannot be loaded.
    """
    from transformers import AutoConfig, AutoTokenizer  # noqa: PLC0415

    if (folder / MODEL).is_file() and not (folder / "tokenizer.json").is_file():
        return internlm2_tokenizer(folder)
    config = AutoConfig.for_model("qwen2")  # the folder's own is of a model type that transformers does not have
    try:
        return AutoTokenizer.from_pretrained(folder, config=config, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder}: its tokenizer cannot be loaded ({error}). Copy the tokenizer's files there.") from error
