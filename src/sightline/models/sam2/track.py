"""Following objects through a folder of frames: pictures in, masks of the pictures' own size out.

Pictures are made square without keeping their aspect, by bilinear filtering with antialiasing, and normalised by ImageNet's mean
and deviation, as in training. A point (x, y) in continuous pixels of a picture w wide becomes the network's pixel index
x * R / w - 0.5.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from jaxtyping import Bool, UInt8
from torch import Tensor

from sightline import media, picture_header
from sightline.errors import InputError
from sightline.geometry.masks import encode_mask
from sightline.models.sam2.clip import ClipModel
from sightline.models.sam2.prompts import BOTTOM_RIGHT, NEGATIVE, POSITIVE, TOP_LEFT
from sightline.models.sam2.propagate import Frames, ObjectPrompt, propagate
from sightline.models.tracking.shown import Shown
from sightline.types import MaskRle

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


@runtime_checkable
class SizedFrames(Frames, Protocol):
    """Frames made ready for the network, and the size that they have as pictures."""

    width: int
    height: int


class PictureFrames:
    """Frames as files, made ready when they are asked for. All must have the size of the first.

    Args:
        paths: the pictures, in order of time.
        image_size: the side R of the square they become.

    Raises:
        InputError: there is no frame, or one cannot be read.
    """

    def __init__(self, paths: Sequence[Path], image_size: int) -> None:
        if not paths:
            raise InputError("a clip without frames: there is nothing to follow.")
        self._paths = list(paths)
        self._size = image_size
        first = picture_header.probe(self._paths[0])
        self.width, self.height = first.width, first.height

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> Tensor:
        """(3, R, R), normalised."""
        path = self._paths[index]
        rgb = media.read_rgb(path)
        if rgb.shape[:2] != (self.height, self.width):
            raise InputError(
                f"{path} has {rgb.shape[1]}x{rgb.shape[0]} pixels, the first frame {self.width}x{self.height}. "
                "A clip has one size: is a frame of another clip among them?"
            )
        return ready(rgb, self._size)


def ready(rgb: UInt8[np.ndarray, "h w 3"], image_size: int) -> Tensor:
    """A picture as the network takes it: (3, R, R)."""
    picture = torch.from_numpy(np.array(rgb)).permute(2, 0, 1).unsqueeze(0).float() / 255
    square = F.interpolate(picture, size=(image_size, image_size), mode="bilinear", align_corners=False, antialias=True)[0]
    return (square - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]


def ready_mask(mask: Bool[np.ndarray, "h w"], image_size: int) -> Tensor:
    """A mask as the network takes it: (R, R) bool, set where at least half of a new pixel was."""
    picture = torch.from_numpy(np.ascontiguousarray(mask, dtype=np.float32))[None, None]
    square = F.interpolate(picture, size=(image_size, image_size), mode="bilinear", align_corners=False, antialias=True)
    return square[0, 0] >= 0.5


def track_frames(
    model: ClipModel, frames: SizedFrames, shown: Sequence[Shown], *, both_directions: bool = False, offload: bool = False
) -> Iterator[tuple[int, dict[str, MaskRle]]]:
    """Frame by frame, the mask of every object that is followed there; an object that is not in the picture has an empty mask.

    Frames come in the order of `propagate`, which also says what `offload` does.

    Raises:
        InputError: nothing is shown, or a mask is of another size than the frames.
    """
    size = (frames.height, frames.width)
    prompts = [_prompt(each, size, model.image_size) for each in shown]
    for found in propagate(model, frames, prompts, both_directions=both_directions, offload=offload):
        logits = F.interpolate(found.low_res.unsqueeze(1), size=size, mode="bilinear", align_corners=False)[:, 0]
        masks = (logits > 0).cpu().numpy()
        yield found.frame, {name: encode_mask(mask) for name, mask in zip(found.object_ids, masks, strict=True)}


def _prompt(shown: Shown, size: tuple[int, int], image_size: int) -> ObjectPrompt:
    given = (shown.mask is not None) + (shown.box is not None) + bool(shown.points)
    if given != 1:
        raise InputError(f"object {shown.object_id!r}, frame {shown.frame}: give a mask, a box or points, one of them.")
    if shown.mask is not None:
        if shown.mask.shape != size:
            raise InputError(
                f"object {shown.object_id!r}: a mask of {shown.mask.shape[1]}x{shown.mask.shape[0]} pixels for frames of "
                f"{size[1]}x{size[0]}. Give it in the size of the frames."
            )
        return ObjectPrompt(frame=shown.frame, object_id=shown.object_id, mask=ready_mask(shown.mask, image_size))
    if shown.box is not None:
        x0, y0, x1, y1 = shown.box
        corners, labels = [(x0, y0), (x1, y1)], [TOP_LEFT, BOTTOM_RIGHT]
    else:
        corners = [(x, y) for x, y, _ in shown.points]
        labels = [POSITIVE if on else NEGATIVE for _, _, on in shown.points]
    scale = torch.tensor([image_size / size[1], image_size / size[0]])
    coords = torch.tensor(corners, dtype=torch.float32) * scale - 0.5
    return ObjectPrompt(frame=shown.frame, object_id=shown.object_id, coords=coords, labels=torch.tensor(labels, dtype=torch.int32))
