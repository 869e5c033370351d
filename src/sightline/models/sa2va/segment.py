"""Questions about a picture or a clip, answered with text and a mask for every `[SEG]` in it.

All questions about one clip go together: what the language model reads of the frames is read once, each frame is encoded once for
SAM 2, and all objects of all answers are followed in one pass. The masks are those of one question after another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from sightline.geometry.masks import encode_mask
from sightline.models.sa2va.modes import Mode
from sightline.models.sa2va.network import Heard, Sa2Va
from sightline.models.sa2va.pictures import SquareFrames, at_picture_size
from sightline.models.tracking.shown import RgbFrames
from sightline.types import MaskRle

MOST_MASKS = 32  # of an answer: a model that says nothing but [SEG] is not followed into thousands of objects


@dataclass(frozen=True)
class Segmented:
    """An answer, and for each `[SEG]`, or the first so many, its masks, one a frame; a mask may be empty."""

    heard: Heard
    tracks: tuple[tuple[MaskRle, ...], ...]


@torch.no_grad()
def segment(
    model: Sa2Va,
    frames: RgbFrames,
    texts: Sequence[str],
    mode: Mode,
    *,
    max_new_tokens: int = 512,
    most_masks: int = MOST_MASKS,
) -> list[Segmented]:
    """Answer questions about the frames of a clip, or about a picture (a clip of one frame).

    Args:
        texts: questions with `<image>` where the frames stand; `asking` makes one of an expression.
        mode: which frames the language model sees and SAM 2 is prompted on.
        most_masks: how many `[SEG]` of an answer are followed, the first ones.
    """
    video = len(frames) > 1
    keys = mode.key_frames(len(frames))
    media = model.family.show([frames.rgb(frame) for frame in keys], video=video)
    heard = model.answers(media, texts, max_new_tokens=max_new_tokens)
    tokens = {
        f"{place}/{index}": token
        for place, own in enumerate(heard)
        for index, token in enumerate(model.grounding.project(own.states[:most_masks]))
    }
    tracks: dict[str, list[MaskRle]] = {name: [] for name in tokens}
    if tokens:
        side, size = model.grounding.image_size, (frames.height, frames.width)
        for found in model.grounding.follow(SquareFrames(frames, side), tokens, mode):
            masks = (at_picture_size(found.low_res, side, size) > 0).cpu().numpy()
            for name, mask in zip(found.object_ids, masks, strict=True):
                tracks[name].append(encode_mask(mask))
    return [
        Segmented(own, tuple(tuple(tracks[f"{place}/{index}"]) for index in range(len(own.states[:most_masks]))))
        for place, own in enumerate(heard)
    ]


def asking(expression: str) -> str:
    """The published evaluation's question for an expression; one that is a question itself is put as it is, a mask asked for."""
    if "?" in expression:
        return f"<image>\n{expression} Please respond with a segmentation mask."
    return f"<image>\nPlease segment {expression.rstrip('.')}."
