"""Which tokens stand for a picture of some size, by the rule of the checkpoint's processor, without its pixels.

Closed forms, proven equal to the processors by the tests:

    Qwen2-VL, Qwen2.5-VL, Qwen3-VL   one token a patch_size * merge_size square of the smart-resized picture
    InternVL                         image_seq_length a tile between a start and an end token; tiles by the nearest aspect ratio,
                                     and one more for the whole picture where there are several
    LLaVA 1.5                        the same number for every picture

A processor of ours that says it itself (`CountsTokens`) is believed; any other is asked: it is given a black picture of each size
that occurs, once (`closed_form` is False).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64

from sightline.errors import InputError
from sightline.geometry.resize import smart_resize
from sightline.models.huggingface.inputs import SMART_RESIZE

MAX_SIZES = 2**16


@dataclass(frozen=True)
class MediaRule:
    """`tokens(width, height)` are the token ids that take the place of a picture's slot."""

    tokens: Callable[[int, int], Int64[np.ndarray, " n"]]
    closed_form: bool


@runtime_checkable
class CountsTokens(Protocol):
    """A processor that knows the tokens of a picture without its pixels."""

    def picture_tokens(self, width: int, height: int) -> Int64[np.ndarray, " n"]:
        """Those that take the place of the slot of a picture of this size."""
        ...


def media_rule(processor: Any) -> MediaRule:  # noqa: ANN401 - any processor of transformers
    """The rule of a processor whose pixel limits are set."""
    if isinstance(processor, CountsTokens):
        return MediaRule(processor.picture_tokens, closed_form=True)
    kind, images = type(processor).__name__, processor.image_processor
    if type(images).__name__.startswith(SMART_RESIZE):
        return MediaRule(_repeated(processor, _smart_resized(images)), closed_form=True)
    if kind == "InternVLProcessor" and type(images).__name__.startswith("GotOcr2ImageProcessor"):
        return MediaRule(_repeated(processor, _tiled(processor), edges=True), closed_form=True)
    if kind == "LlavaProcessor" and images.do_center_crop:
        return MediaRule(_repeated(processor, _fixed(processor)), closed_form=True)
    return MediaRule(_asked(processor), closed_form=False)


def _repeated(processor: Any, count: Callable[[int, int], int], *, edges: bool = False) -> Callable[[int, int], Any]:  # noqa: ANN401
    token = processor.tokenizer.convert_tokens_to_ids(processor.image_token)
    before, after = ([processor.start_image_token_id], [processor.end_image_token_id]) if edges else ([], [])

    @lru_cache(maxsize=MAX_SIZES)
    def tokens(width: int, height: int) -> Int64[np.ndarray, " n"]:
        ids = np.array([*before, *[token] * count(width, height), *after], np.int64)
        ids.flags.writeable = False
        return ids

    return tokens


def _smart_resized(images: Any) -> Callable[[int, int], int]:  # noqa: ANN401
    factor = images.patch_size * images.merge_size
    least, most = images.size["shortest_edge"], images.size["longest_edge"]

    def count(width: int, height: int) -> int:
        columns, rows = smart_resize(width, height, factor=factor, min_pixels=least, max_pixels=most)
        return (columns // factor) * (rows // factor)

    return count


def _tiled(processor: Any) -> Callable[[int, int], int]:  # noqa: ANN401
    images = processor.image_processor
    side = images.size["height"], images.size["width"]
    grids = sorted(
        (
            (columns, rows)
            for columns, rows in product(range(1, images.max_patches + 1), repeat=2)
            if images.min_patches <= columns * rows <= images.max_patches
        ),
        key=lambda grid: grid[0] * grid[1],
    )

    def count(width: int, height: int) -> int:
        best, least = (1, 1), float("inf")
        for columns, rows in grids:
            distance = abs(width / height - columns / rows)
            # of equally good shapes the larger one, as long as it is not more than twice the picture
            if distance < least or (distance == least and width * height > 0.5 * side[0] * side[1] * columns * rows):
                best, least = (columns, rows), distance
        tiles = best[0] * best[1]
        return processor.image_seq_length * (tiles + (tiles > 1))

    return count


def _fixed(processor: Any) -> Callable[[int, int], int]:  # noqa: ANN401
    crop = processor.image_processor.crop_size
    number = (crop["height"] // processor.patch_size) * (crop["width"] // processor.patch_size)
    number += processor.num_additional_image_tokens - (processor.vision_feature_select_strategy == "default")
    return lambda _width, _height: number


def _asked(processor: Any) -> Callable[[int, int], Any]:  # noqa: ANN401
    from PIL import Image  # noqa: PLC0415

    @lru_cache(maxsize=MAX_SIZES)
    def tokens(width: int, height: int) -> Int64[np.ndarray, " n"]:
        try:
            made = processor(text=[processor.image_token], images=[Image.new("RGB", (width, height))], add_special_tokens=False)
        except ValueError as error:
            raise InputError(f"{type(processor).__name__} refuses a picture of {width} x {height} pixels: {error}.") from error
        return np.asarray(made["input_ids"][0], np.int64)

    return tokens
