"""A checkpoint's configuration and tokenizer, read and held against each other; the weights come later (`weights`).

FOLDER/llm/, vision_tower/, ...                      the published layout (`layout`)
FOLDER/config.json {"model_type": "roborefer"}, ...  one folder as transformers writes it, the tokenizer in it
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.errors import InputError
from sightline.files import read_json
from sightline.models.checkpoint import Checkpoint, weight_files
from sightline.models.roborefer.configuration import MODEL_TYPE, RoboReferConfig, register
from sightline.models.roborefer.layout import CONFIG, PUBLISHED_TYPE, parts_of, published_config
from sightline.models.roborefer.text_forms import SENTINEL, TOKENS

SEVERAL_SCALES = "dynamic_s2"


@dataclass(frozen=True)
class RoboReferFolder:
    """A checkpoint whose configuration and tokenizer have been read. `published`: in the layout of the original."""

    path: Path
    config: RoboReferConfig
    tokenizer: Any
    published: bool

    @property
    def tokenizer_path(self) -> Path:
        return self.path / "llm" if self.published else self.path

    def weights(self) -> tuple[Path, ...]:
        """Every file with weights.

        Raises:
            InputError: a part has none, or not all that its index names.
        """
        return tuple(path for folder in self._folders() for path in weight_files(folder))

    def revision(self) -> str:
        """32 hexadecimal digits that tell this checkpoint from any other (`Checkpoint.revision` of each part)."""
        digest = hashlib.blake2b((self.path / CONFIG).read_bytes(), digest_size=16)
        for folder in self._folders():
            files = weight_files(folder)
            part = Checkpoint(folder, folder.name, "", files, safetensors=files[0].suffix == ".safetensors")
            digest.update(f"{folder.relative_to(self.path)} {part.revision()}\0".encode())
        return digest.hexdigest()

    def _folders(self) -> list[Path]:
        return [self.path / part for part in parts_of(self.path)] if self.published else [self.path]


def open_roborefer(path: Path, *, image_mode: str | None = None, max_tiles: int | None = None) -> RoboReferFolder:
    """Read all but the weights. `image_mode` and `max_tiles` take the place of the checkpoint's own.

    Raises:
        FileNotFoundError: no such folder.
        InputError: another model, a part missing, parts or tokenizer that do not fit together, an image mode that is none.
    """
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is no folder. Expected a RoboRefer checkpoint; nothing is fetched from a hub.")
    if not (path / CONFIG).is_file():
        raise InputError(f"{path}: no {CONFIG}. Expected the folder of a RoboRefer, with llm/, vision_tower/ and the others in it.")
    model_type = read_json(path / CONFIG, dict[str, Any]).get("model_type")
    if model_type not in (PUBLISHED_TYPE, MODEL_TYPE):
        raise InputError(f"{path / CONFIG}: model_type {model_type!r}; a RoboRefer has {PUBLISHED_TYPE!r} or {MODEL_TYPE!r}.")
    register()
    published = model_type == PUBLISHED_TYPE
    config = published_config(path) if published else RoboReferConfig.from_pretrained(path, local_files_only=True)
    tokenizer = _tokenizer(path / "llm" if published else path, config)
    trained = config.image_mode
    config.image_mode, config.max_tiles = image_mode or trained, max_tiles or config.max_tiles
    _ = config.tiling  # its rule checks itself
    if (trained == SEVERAL_SCALES) != (config.image_mode == SEVERAL_SCALES):
        raise InputError(
            f"{path}: image mode {config.image_mode!r} for a checkpoint of {trained!r}: the projector of {SEVERAL_SCALES} "
            "takes several scales at once, that of the other modes one."
        )
    return RoboReferFolder(path, config, tokenizer, published)


def _tokenizer(folder: Path, config: RoboReferConfig) -> Any:  # noqa: ANN401 - transformers'
    """The tokenizer; the ids of its media and newline tokens are put into `config`."""
    from transformers import AutoTokenizer  # noqa: PLC0415 - slow to import

    if not (folder / "tokenizer_config.json").is_file():
        raise InputError(f"{folder}: no tokenizer (tokenizer_config.json, tokenizer.json). Download the checkpoint again.")
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder}: its tokenizer cannot be read ({error}). Download the checkpoint again.") from error
    known = tokenizer.get_vocab()
    for token in (*TOKENS.values(), SENTINEL, "<|im_end|>"):
        if token not in known and not (token == TOKENS["depth"] and config.depth_projector_type is None):
            raise InputError(f"{folder}: its tokenizer has no token {token!r}. Expected the tokenizer of a RoboRefer.")
    rows: Any = config.text_config
    if len(tokenizer) > rows.vocab_size:
        raise InputError(
            f"{folder}: wrong vocabulary size: its tokenizer has {len(tokenizer):,} tokens, but vocab_size in its config.json is "
            f"{rows.vocab_size:,}. Get the tokenizer and the config.json that belong together."
        )
    newline = tokenizer("\n", add_special_tokens=False)["input_ids"]
    if len(newline) != 1:
        raise InputError(f"{folder}: its tokenizer makes {len(newline)} tokens of a newline; RoboRefer ends each tile with one.")
    config.image_token_id, config.newline_token_id = known[TOKENS["image"]], newline[0]
    config.depth_token_id = known.get(TOKENS["depth"], config.depth_token_id)
    return tokenizer
