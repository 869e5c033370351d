"""The pictures of a batch, made ready one by one by the checkpoint's own processor, each distinct one once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from sightline import media, video
from sightline.errors import InputError
from sightline.train.vlm.depth import DEPTH, TakesDepth, blank, check_rows, depth_taker, read_depth
from sightline.train.vlm.frames import Film, Picture
from sightline.train.vlm.samples import MediaRef

TEXT_TENSORS = frozenset({"input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids", "labels"})
GRIDS = "image_grid_thw"


@dataclass(frozen=True)
class Pictures:
    """`tensors`: what the processor made of the distinct pictures, one after the other, by name. `tiles[i]` is how many rows of
    `pixel_values` picture i has. `uses[j]` is the picture in slot j, slots in the order of the rows; empty where a batch has none,
    and then there is one black picture, so that the vision tower is used in every batch.

    For a model that takes depth `tensors` has `depth_values`: `depth_tiles[i]` rows of it, as many as `tiles[i]`, are picture i's,
    0 where it has none. A picture with and without depth counts as two. Where none has depth there is one map that is none's.
    """

    tensors: dict[str, Tensor]
    tiles: tuple[int, ...]
    uses: Tensor  # (slots,)
    depth_tiles: tuple[int, ...] = ()


class MadePictures:
    """The pictures of a batch, ready for the vision tower. `tokens[i]` are those that stand for picture i.

    `shared`: make each distinct picture ready once; else once for each slot.
    """

    def __init__(self, processor: Any, *, shared: bool) -> None:  # noqa: ANN401
        self.tokens: list[np.ndarray] = []
        self._processor = processor
        self._shared = shared
        self._made: list[dict[str, Tensor]] = []
        self._by_place: dict[object, int] = {}
        self._by_digest: dict[object, int] = {}
        self._depths: list[Tensor | None] = []

    def numbers(self, pictures: Sequence[Picture | Film]) -> tuple[int, ...]:
        """`number` of each."""
        return tuple(self.number(picture) for picture in pictures if isinstance(picture, Picture))

    def number(self, picture: Picture) -> int:
        """Which of the pictures of the batch it is. Raises FileNotFoundError or InputError where it cannot be read."""
        depth = None if picture.depth is None else picture.depth.path
        place = picture.ref.path, picture.frame, depth
        if self._shared and place in self._by_place:
            return self._by_place[place]
        rgb = _read_rgb(picture)
        digest = media.pixel_digest(rgb), depth
        if not self._shared or digest not in self._by_digest:
            self._by_digest[digest] = self._add(rgb, picture.depth)
        self._by_place[place] = self._by_digest[digest]
        return self._by_digest[digest]

    def grids(self) -> Tensor | None:
        """(pictures, 3), in families that have them."""
        grids = [made[GRIDS] for made in self._made if GRIDS in made]
        return torch.cat(grids) if grids else None

    def stacked(self, uses: list[int]) -> Pictures:
        """All of them, `uses[j]` being the picture in slot j; a black one where there is none."""
        if not self._made:
            self._add(np.zeros((64, 64, 3), np.uint8))
        tensors = {name: torch.cat([made[name] for made in self._made]) for name in self._made[0]}
        tiles = tuple(made["pixel_values"].shape[0] for made in self._made)
        places = torch.tensor(uses, dtype=torch.long)
        if not isinstance(self._processor, TakesDepth):
            return Pictures(tensors, tiles, places)
        given = [depth for depth in self._depths if depth is not None]
        depths = torch.cat(given or [torch.zeros_like(self._processor.depth_values(blank(self._processor.depth_form)))])
        depth_tiles = tuple(0 if depth is None else depth.shape[0] for depth in self._depths)
        return Pictures(tensors | {DEPTH: depths}, tiles, places, depth_tiles)

    def _add(self, rgb: UInt8[np.ndarray, "h w 3"], depth: MediaRef | None = None) -> int:
        from PIL import Image  # noqa: PLC0415

        made = self._processor(
            text=[self._processor.image_token], images=[Image.fromarray(rgb)], add_special_tokens=False, return_tensors="pt"
        )
        tokens = made["input_ids"][0].numpy()
        values = None
        if depth is not None:
            height, width = rgb.shape[:2]
            taker = depth_taker(self._processor, where=str(depth.path))
            values = taker.depth_values(read_depth(depth, (width, height), taker.depth_form))
            check_rows(values, made["pixel_values"], depth)
            tokens = np.concatenate([tokens, taker.depth_tokens(width, height)])
        self.tokens.append(tokens)
        self._depths.append(values)
        self._made.append({name: tensor for name, tensor in made.items() if name not in TEXT_TENSORS})
        return len(self._made) - 1


def _read_rgb(picture: Picture) -> UInt8[np.ndarray, "h w 3"]:
    if picture.frame is None:
        return media.read_rgb(picture.ref.path)
    wanted: Callable[[int], bool] = picture.frame.__eq__
    for frame in video.read_frames(picture.ref.path, wanted):
        if frame.rgb is not None:
            return frame.rgb
    raise InputError(f"{picture.ref.path}: no frame {picture.frame}; the video has changed since it was counted.")
