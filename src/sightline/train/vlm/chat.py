"""A checkpoint's way of writing conversations, without its weights: processor, pixel limits, end tokens, frames of videos."""

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

from sightline.dialects import Dialect
from sightline.errors import InputError
from sightline.models.architectures import TrainedCheckpoint, TrainingView, open_for_training
from sightline.models.options import ModelOptions
from sightline.train.vlm.depth import depth_taker
from sightline.train.vlm.films import TakesFilms, check_sizes
from sightline.train.vlm.frames import MAX_FRAMES, Layout, lay_out
from sightline.train.vlm.labels import Labelled, Labeller
from sightline.train.vlm.media_tokens import media_rule
from sightline.train.vlm.samples import Sample

PACKAGES = ("torch", "transformers")


@dataclass(frozen=True)
class Chat:
    """`labeller` turns what is shown of a sample into tokens of `checkpoint`; `fingerprint` changes with whatever changes them."""

    checkpoint: TrainedCheckpoint
    labeller: Labeller
    fingerprint: str
    max_frames: int = MAX_FRAMES

    @property
    def dialect(self) -> Dialect:
        """How coordinates are written."""
        return self.checkpoint.dialect

    def layout(self, sample: Sample) -> Layout:
        """What is shown of a sample (`frames.lay_out`)."""
        processor = self.labeller.processor
        layout = lay_out(sample, max_frames=self.max_frames, whole_clips=isinstance(processor, TakesFilms))
        if isinstance(processor, TakesFilms):
            try:
                check_sizes(processor, layout)
            except InputError as error:
                raise _named(sample, error) from error
        return layout

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


def open_chat(
    folder: Path,
    options: ModelOptions,
    *,
    max_frames: int = MAX_FRAMES,
    view: TrainingView = TrainingView(),  # noqa: B008 - frozen
) -> Chat:
    """The processor of the checkpoint in `folder`, with the pixel limits and the dialect of `options`, shown what `view` says.

    Raises:
        FileNotFoundError: no such folder.
        InputError: torch or transformers are not installed; no whole checkpoint, no processor or chat template; limits that mean
            nothing to it; an unknown family without a dialect; less than one frame; or depth for a family that takes none.
    """
    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise InputError(f"training needs {' and '.join(missing)}, not installed here. Run: pip install 'sightline[models]'.")
    if max_frames < 1:
        raise InputError(f"max_frames {max_frames}: expected at least 1.")
    checkpoint = open_for_training(folder, options, view)
    processor = checkpoint.processor
    if view.with_depth:
        depth_taker(processor, where=str(folder))
    labeller = Labeller(processor, media_rule(processor), ends=checkpoint.end_tokens(), where=str(folder))
    return Chat(checkpoint, labeller, _fingerprint(checkpoint, max_frames), max_frames)


def _named(sample: Sample, error: InputError) -> InputError:
    return InputError(f"{sample.source}, sample {sample.id!r}: {error}")


def _fingerprint(checkpoint: TrainedCheckpoint, max_frames: int) -> str:
    said = checkpoint.what_changes_tokens() | {"max_frames": max_frames}
    return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16).hexdigest()
