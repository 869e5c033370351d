"""The processor of a Spatial-MLLM: that of its Qwen2.5-VL for words, and for frames the rule of `frames`.

A clip is one video, not single pictures: two frames make a step, and a step is `STEP_S` long in the positions whatever the clip's
own rate is, as in the published training. What training asks of it beyond a processor of transformers stands in `train.vlm.films`.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from sightline.errors import InputError
from sightline.models.spatial_mllm.encoding import tensors_of
from sightline.models.spatial_mllm.frames import FRAMES, GEOMETRY_PATCH, FrameRule
from sightline.models.spatial_mllm.positions import AXES
from sightline.models.spatial_mllm.sequences import Kind, grids_of, num_tokens, prepare_sequence
from sightline.models.spatial_mllm.settings import TOKENS_PER_SECOND

STEP_S = 0.5
STEP = int(STEP_S * TOKENS_PER_SECOND)
"""By how much a step's position is above that of the one before it."""


class SpatialProcessor:
    """`inner` is the language model's, its pixel limits set; `patch_size` the side of the patches that it must cut.

    Raises:
        InputError: patches of another size.
    """

    def __init__(self, inner: Any, *, where: str, patch_size: int = GEOMETRY_PATCH) -> None:  # noqa: ANN401 - transformers'
        self.inner = inner
        self.rule = rule_of(inner.image_processor, where=where, patch_size=patch_size)
        self.tokenizer = inner.tokenizer
        self.image_processor = inner.image_processor
        self.chat_template = inner.chat_template
        self.image_token: str = inner.image_token
        self.video_token: str = inner.video_token
        self._ids: dict[Kind, int] = {
            "image": self.tokenizer.convert_tokens_to_ids(self.image_token),
            "video": self.tokenizer.convert_tokens_to_ids(self.video_token),
        }

    def apply_chat_template(self, *given: Any, **named: Any) -> Any:  # noqa: ANN401 - transformers'
        """As the inner processor's."""
        return self.inner.apply_chat_template(*given, **named)

    def save_pretrained(self, folder: Path) -> None:
        """As the inner processor's, with the pixel limits that are set."""
        self.inner.save_pretrained(folder)

    def picture_tokens(self, width: int, height: int) -> Int64[np.ndarray, " n"]:
        """The ids that take the place of a picture's slot."""
        return _repeated(self._ids["image"], num_tokens(grids_of("image", [(width, height)], self.rule)[0], self.rule))

    def film_tokens(self, width: int, height: int, num_frames: int) -> Int64[np.ndarray, " n"]:
        """The ids that take the place of a clip's slot."""
        (grid,) = grids_of("video", [(width, height)] * num_frames, self.rule)
        return _repeated(self._ids["video"], num_tokens(grid, self.rule))

    def tokens_of_grids(self, kind: Kind, grids: Tensor) -> list[Int64[np.ndarray, " _"]]:
        """The ids that take the place of the slots of media of these grids (media, 3)."""
        counts = [num_tokens((steps, rows, columns), self.rule) for steps, rows, columns in grids.tolist()]
        return [_repeated(self._ids[kind], count) for count in counts]

    def check_sizes(self, kind: Kind, sizes: Sequence[tuple[int, int]]) -> None:
        """See that frames of these sizes (width, height) can be seen together.

        Raises:
            InputError: frames of a video in several sizes, or pictures that have several after resizing.
        """
        grids = grids_of(kind, sizes, self.rule)
        if len(set(grids)) > 1:
            side = self.rule.patch_size
            listed = ", ".join(f"{columns * side} x {rows * side}" for _, rows, columns in sorted(set(grids)))
            raise InputError(
                f"pictures of one record must have one size after resizing, because VGGT sees them together; found {listed}. Crop "
                "or pad them to one size, or ask about them one at a time."
            )

    def unit(self, index: int, kind: Kind, frames: Sequence[UInt8[np.ndarray, "_h _w 3"]]) -> dict[str, Tensor]:
        """The tensors of frames that are seen together (`encoding`), as unit `index` of a batch."""
        return tensors_of(index, prepare_sequence(kind, frames, self.rule))

    def blank_unit(self) -> dict[str, Tensor]:
        """A black picture of one token."""
        side = self.rule.patch_size * self.rule.merge
        small = FrameRule(side**2, side**2, self.rule.patch_size, self.rule.merge, self.rule.mean, self.rule.deviation)
        return tensors_of(0, prepare_sequence("image", [np.zeros((side, side, 3), np.uint8)], small))

    def places(self, ids: Tensor, grids: Tensor | None) -> Tensor:
        """Positions (3, n) of one sample's tokens (n,), by the grids (m, 3) of its media in the order of their slots.

        Text counts one by one on all axes; a medium begins one above the highest position before it (see `positions`).
        """
        media = torch.isin(ids, torch.tensor(list(self._ids.values())))
        parts: list[Tensor] = []
        done = following = 0
        for steps, rows, columns in [] if grids is None else grids.tolist():
            start = done + int(media[done:].nonzero()[0, 0])
            parts.append(torch.arange(following, following + start - done).expand(AXES, -1))
            following += start - done
            step = STEP if int(ids[start]) == self._ids["video"] else 0
            axes = (torch.arange(steps) * step, torch.arange(rows // self.rule.merge), torch.arange(columns // self.rule.merge))
            grid = torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1)  # (3, tokens)
            parts.append(following + grid)
            following = int(parts[-1].max()) + 1
            done = start + grid.shape[1]
        parts.append(torch.arange(following, following + ids.numel() - done).expand(AXES, -1))
        return torch.cat(parts, dim=1)


def rule_of(images: Any, *, where: str, patch_size: int = GEOMETRY_PATCH) -> FrameRule:  # noqa: ANN401 - transformers'
    """How an image processor cuts frames.

    Raises:
        InputError: patches of another side than `patch_size`, or frames a step that are not those of the connector.
    """
    if images.patch_size != patch_size or images.merge_size != 2 or images.temporal_patch_size != FRAMES:
        raise InputError(
            f"{where}: its processor cuts patches of {images.patch_size} pixels, {images.merge_size} x {images.merge_size} to a "
            f"token and {images.temporal_patch_size} frames to a step; expected {patch_size}, 2 x 2 and {FRAMES}, as the model's "
            "own encoder and the connector take them. Copy the processor's files of the Qwen-VL that the model was made from."
        )
    return FrameRule(
        min_pixels=images.size["shortest_edge"],
        max_pixels=images.size["longest_edge"],
        patch_size=images.patch_size,
        merge=images.merge_size,
        mean=tuple(images.image_mean),
        deviation=tuple(images.image_std),
    )


@lru_cache(maxsize=4096)
def _repeated(token: int, count: int) -> Int64[np.ndarray, " n"]:
    ids = np.full(count, token, np.int64)
    ids.flags.writeable = False
    return ids
