"""RoboRefer checkpoints on disk, read and written: the published folder (`layout`), and one folder as transformers writes it.

    FOLDER/llm/model.safetensors, FOLDER/vision_tower/model.safetensors, ...     published; also in numbered parts, or `.bin`
    FOLDER/config.json {"model_type": "roborefer"}, model.safetensors, tokenizer.json    one folder

A `.bin` is unpickled by torch's weights-only reader, which builds nothing but tensors and plain containers. Every tensor that the
model has must be there, and no other.
"""

import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from sightline.errors import InputError
from sightline.files import whole_folder, write_json
from sightline.models.checkpoint import weight_files
from sightline.models.roborefer.configuration import RoboReferConfig
from sightline.models.roborefer.layout import CONFIG, parts_of
from sightline.models.roborefer.modeling import RoboReferForConditionalGeneration
from sightline.models.roborefer.names import HEAD, PARTS, POOLING, PartName, to_model, to_published
from sightline.models.roborefer.opening import RoboReferFolder
from sightline.models.roborefer.written import part_configs, top_config

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)
EMBEDDING = "model.language_model.embed_tokens.weight"


def load_roborefer(folder: RoboReferFolder, *, dtype: torch.dtype = torch.float32) -> RoboReferForConditionalGeneration:
    """The model with its weights, on the CPU, in evaluation mode; `generate` is greedy, without a penalty.

    Raises:
        InputError: weights missing, unknown, of another shape, unreadable, or a file that holds more than weights.
    """
    from transformers.utils import logging  # noqa: PLC0415 - slow to import

    logging.disable_progress_bar()  # ours is on the screen
    tensors = read_tensors(folder)
    model = fill(folder.config, tensors, dtype=dtype, where=str(folder.path))
    model.generation_config = greedy_settings(folder.tokenizer)
    return model.eval()


def greedy_settings(tokenizer: Any) -> Any:  # noqa: ANN401 - transformers'
    """Settings of `generate`: greedy, no penalty, up to the end token."""
    from transformers import GenerationConfig  # noqa: PLC0415 - slow to import

    end, padding = (tokenizer.convert_tokens_to_ids(token) for token in ("<|im_end|>", tokenizer.pad_token))
    return GenerationConfig(do_sample=False, num_beams=1, eos_token_id=end, pad_token_id=padding)


def read_tensors(folder: RoboReferFolder) -> dict[str, Tensor]:
    """All tensors by our names, in the number format they are stored in.

    Raises:
        InputError: a name that is none of its part's, a tensor twice, or a file that cannot be read.
    """
    if not folder.published:
        return _part_tensors(folder.path)
    found: dict[str, Tensor] = {}
    for part in parts_of(folder.path):
        tensors = _part_tensors(folder.path / part)
        kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(POOLING)}
        found |= {to_model(part, name): tensor for name, tensor in kept.items()}
    return found


def fill(
    config: RoboReferConfig, tensors: Mapping[str, Tensor], *, dtype: torch.dtype, where: str
) -> RoboReferForConditionalGeneration:
    """A model of exactly these tensors.

    Raises:
        InputError: names missing or unknown, or another shape; the message names the first ones, and the vocabulary if it is that.
    """
    with torch.device("meta"):
        expected = RoboReferForConditionalGeneration(config).state_dict()
    given = dict(tensors)
    if config.tie_word_embeddings:
        expected.pop(HEAD)
        head = given.pop(HEAD, None)
        if head is not None and not torch.equal(head, given.get(EMBEDDING, head.new_empty(0))):
            raise InputError(
                f"{where}: tie_word_embeddings is true, but lm_head.weight is not the word embedding. Correct the flag."
            )
    _refuse_misfits(expected, given, where)
    return RoboReferForConditionalGeneration.from_pretrained(None, config=config, state_dict=given, dtype=dtype)


def write_published(model: RoboReferForConditionalGeneration, folder: Path, *, tokenizer_from: Path) -> None:
    """Write the published layout; it appears whole or not at all. `tokenizer_from`: the folder with the tokenizer's files.

    Raises:
        InputError: `folder` is there already.
    """
    by_part: dict[PartName, dict[str, Tensor]] = {part: {} for part in PARTS}
    for name, tensor in _own_tensors(model).items():
        part, published = to_published(name)
        by_part[part][published] = tensor.detach().cpu().contiguous()
    configs = part_configs(model.config, str(model.dtype).removeprefix("torch."))
    with whole_folder(folder) as partial:
        for part, tensors in by_part.items():
            if tensors:
                write_json(partial / part / CONFIG, configs[part])
                save_file(tensors, partial / part / "model.safetensors", metadata={"format": "pt"})
        write_json(partial / CONFIG, top_config(model.config, configs))
        for part in ("vision_tower", "depth_tower"):
            if by_part[part]:
                write_json(partial / part / "preprocessor_config.json", _preprocessor(model.config))
        _copy_tokenizer(tokenizer_from, partial / "llm")
        settings = tokenizer_from / "generation_config.json"
        if settings.is_file():
            shutil.copyfile(settings, partial / "llm" / settings.name)


def write_single(model: RoboReferForConditionalGeneration, folder: Path, *, tokenizer_from: Path) -> None:
    """Write one folder as transformers does, with the tokenizer; it appears whole or not at all.

    Raises:
        InputError: `folder` is there already.
    """
    with whole_folder(folder) as partial:
        model.save_pretrained(partial)
        _copy_tokenizer(tokenizer_from, partial)


def _own_tensors(model: RoboReferForConditionalGeneration) -> dict[str, Tensor]:
    """Every tensor once: a head that is the word embedding is left out."""
    tensors = model.state_dict()
    if model.config.tie_word_embeddings:
        tensors.pop(HEAD, None)
    return tensors


def _refuse_misfits(expected: Mapping[str, Tensor], given: Mapping[str, Tensor], where: str) -> None:
    for name in (EMBEDDING, HEAD):
        if name in expected and name in given and given[name].shape[0] != expected[name].shape[0]:
            raise InputError(
                f"{where}: wrong vocabulary size: {to_published(name)[1]} has {given[name].shape[0]:,} rows, but vocab_size in "
                f"llm/{CONFIG} is {expected[name].shape[0]:,}. Get the weights and the config.json that belong together."
            )
    other = [
        f"{_shown(name)} is {tuple(given[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in given and given[name].shape != tensor.shape
    ]
    missing = [_shown(name) for name in sorted(expected.keys() - given.keys())]
    unknown = [_shown(name) for name in sorted(given.keys() - expected.keys())]
    problems = [
        f"{len(names)} {what}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
        for what, names in (("missing", missing), ("unknown", unknown), ("of another size", other))
        if names
    ]
    if problems:
        raise InputError(f"{where}: its tensors do not fit its configuration ({'; '.join(problems)}). Download it again.")


def _shown(name: str) -> str:
    """A tensor as it stands in the published folder; one that never does by its own name."""
    try:
        return "/".join(to_published(name))
    except InputError:
        return name


def _part_tensors(folder: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for path in weight_files(folder):
        tensors = _read_file(path)
        if twice := sorted(found.keys() & tensors.keys()):
            raise InputError(f"{path}: {twice[0]!r} is also in another file of {folder}. Download the checkpoint again.")
        found |= tensors
    return found


def _read_file(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        stored: Any = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise InputError(f"{path} cannot be read ({error}). Download it again.") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(f"{path}: not a file of weights alone ({error}). Download it again, as safetensors if you can.") from error
    if not isinstance(stored, dict) or not all(isinstance(tensor, Tensor) for tensor in stored.values()):
        raise InputError(f"{path}: expected tensors by name, found {type(stored).__name__}.")
    return stored


def _copy_tokenizer(source: Path, target: Path) -> None:
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def _preprocessor(config: RoboReferConfig) -> dict[str, Any]:
    side = config.tiling.side
    return {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": list(config.image_mean),
        "image_processor_type": "SiglipImageProcessor",
        "image_std": list(config.image_std),
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"height": side, "width": side},
    }
