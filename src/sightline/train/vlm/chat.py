"""A checkpoint's way of writing conversations, without its weights: processor, pixel limits, end tokens, frames of videos."""

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sightline.dialects import Dialect
from sightline.errors import InputError
from sightline.files import read_json
from sightline.models.checkpoint import SMALL_FILES, open_checkpoint
from sightline.models.huggingface_inputs import Inputs
from sightline.models.options import ModelOptions
from sightline.train.vlm.depth import depth_taker
from sightline.train.vlm.frames import MAX_FRAMES, Layout, lay_out
from sightline.train.vlm.labels import Labelled, Labeller
from sightline.train.vlm.media_tokens import media_rule
from sightline.train.vlm.samples import Sample

GENERATION = "generation_config.json"
PACKAGES = ("torch", "transformers")


@dataclass(frozen=True)
class Chat:
    """`labeller` turns what is shown of a sample into tokens; `fingerprint` changes with anything that changes them."""

    labeller: Labeller
    dialect: Dialect
    fingerprint: str
    max_frames: int = MAX_FRAMES

    def layout(self, sample: Sample) -> Layout:
        """What is shown of a sample (`frames.lay_out`)."""
        return lay_out(sample, max_frames=self.max_frames)

    def label(self, sample: Sample) -> Labelled:
        """A sample as tokens.

        Raises:
            FileNotFoundError, InputError: as `frames.lay_out` and `Labeller.label`; the message names the sample.
        """
        layout = self.layout(sample)
        try:
            return self.labeller.label(layout)
        except InputError as error:
            raise _named(sample, error) from error

    def count(self, sample: Sample) -> tuple[int, int, int]:
        """Tokens in all, supervised ones, and those of pictures: the lengths of `label`, without decoding or expanding anything."""
        layout = self.layout(sample)
        try:
            return self.labeller.count(layout)
        except InputError as error:
            raise _named(sample, error) from error


def open_chat(folder: Path, options: ModelOptions, *, max_frames: int = MAX_FRAMES, with_depth: bool = False) -> Chat:
    """The processor of the checkpoint in `folder`, with the pixel limits and the dialect of `options`.

    Raises:
        FileNotFoundError: no such folder.
        InputError: torch or transformers are not installed; no whole checkpoint, no processor or chat template; limits that mean
            nothing to it; an unknown family without a dialect; less than one frame; or `with_depth` of a family that takes none.
    """
    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise InputError(f"training needs {' and '.join(missing)}, not installed here. Run: pip install 'sightline[models]'.")
    if max_frames < 1:
        raise InputError(f"max_frames {max_frames}: expected at least 1.")
    from transformers import AutoConfig  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra

    checkpoint = open_checkpoint(folder)
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=options.trust_remote_code)
    inputs = Inputs(checkpoint, options, config=config)
    processor = inputs.processor
    if with_depth:
        depth_taker(processor, where=str(folder))
    labeller = Labeller(processor, media_rule(processor), ends=_end_tokens(folder, processor), where=str(folder))
    return Chat(labeller, inputs.dialect, _fingerprint(folder, inputs, max_frames), max_frames)


def _named(sample: Sample, error: InputError) -> InputError:
    return InputError(f"{sample.source}, sample {sample.id!r}: {error}")


def _end_tokens(folder: Path, processor: Any) -> frozenset[int]:  # noqa: ANN401 - transformers'
    """The tokens at which prediction stops."""
    path = folder / GENERATION
    declared = read_json(path, dict[str, Any]).get("eos_token_id") if path.is_file() else None
    ends = declared if isinstance(declared, list) else [declared]
    ends = frozenset(token for token in [*ends, processor.tokenizer.eos_token_id] if token is not None)
    if processor.tokenizer.eos_token_id is None:
        raise InputError(f"{folder}: its tokenizer names no end token (eos_token), so a model could not learn to stop. Set it.")
    return ends


def _fingerprint(folder: Path, inputs: Inputs, max_frames: int) -> str:
    files = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in SMALL_FILES
        if name != "config.json" and (folder / name).is_file()
    }
    said = [files, inputs.limits, max_frames, version("transformers")]
    return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16).hexdigest()
