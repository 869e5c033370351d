"""From windows to tensors: pictures made square and normalised, masks of the objects that were chosen, and where they are known.

Pictures and masks become square without keeping their aspect, as `models.sam2.track` does it for inference. Colours are changed as
torchvision's `ColorJitter` does (brightness, contrast and saturation in this order), before the normalisation. An object that is
smaller than half a pixel of the network's picture is absent there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sightline import media
from sightline.errors import InputError
from sightline.files import inside
from sightline.geometry.masks import decode_mask
from sightline.models.sam2.track import DEVIATION, MEAN, ready, ready_mask
from sightline.tasks.clips import SeenClip, SeenTrack
from sightline.train.sam2.options import Jitter, WindowOptions
from sightline.train.sam2.prepared import Prepared
from sightline.train.sam2.videos import Videos
from sightline.train.sam2.windows import Window
from sightline.types import MaskRle

LUMA = (0.2989, 0.587, 0.114)  # as torchvision rounds them


@dataclass(frozen=True)
class Batch:
    """Clips of one length side by side. T frames, B videos, O objects of all videos together, R the square input's side."""

    images: Tensor  # (T, B, 3, R, R) float32, normalised
    masks: Tensor  # (T, O, R, R) bool; all False where an object is absent or unknown
    known: Tensor  # (T, O) bool: whether the annotation says if the object is there
    video_of_object: Tensor  # (O,) int64, which of the B videos an object is in
    names: tuple[str, ...]  # (O,) "clip/object"
    windows: tuple[Window, ...]  # (B,)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on a device."""
        moved = [each.to(device, non_blocking=True) for each in (self.images, self.masks, self.known, self.video_of_object)]
        return Batch(*moved, names=self.names, windows=self.windows)


def load(videos: Videos, window: Window, options: WindowOptions, *, prepared: Prepared | None = None) -> Batch:
    """One window as a batch of one video.

    For training, at most `max_objects` objects, of which the first frame shows one at least; for evaluation all that any of the
    frames shows, which may be none. Objects are in the data set's order. `prepared` keeps what was read.

    Raises:
        FileNotFoundError, InputError: a picture or mask is missing, cannot be read or is of another size; the message names it.
    """
    seen = videos.see(window.video, window.frames)
    rng = None if window.seed is None else window.stream()
    tracks = [each for each in seen.tracks if any(each.places)] if rng is None else choose_objects(seen, options, rng)
    size = options.image_size
    kept = Prepared(0) if prepared is None else prepared
    masks = torch.zeros((len(window.frames), len(tracks), size, size), dtype=torch.bool)
    for place, track in enumerate(tracks):
        for frame in range(len(window.frames)):
            if (rle := seen.mask(track, frame)) is not None:
                key = (window.video, window.frames[frame], track.object_id)
                masks[frame, place] = kept.get(key, partial(_ready_mask, rle, size))
    images = torch.stack(
        [kept.get((window.video, number), partial(_picture, seen, place, size)) for place, number in enumerate(window.frames)]
    )
    if rng is not None:
        images = recolour(images, options, rng)
    if window.flip:
        images, masks = images.flip(-1), masks.flip(-1)
    return Batch(
        images=images.unsqueeze(1),
        masks=masks,
        known=torch.tensor([track.known for track in tracks], dtype=torch.bool).reshape(len(tracks), len(window.frames)).T,
        video_of_object=torch.zeros(len(tracks), dtype=torch.long),
        names=tuple(f"{window.clip_id}/{track.object_id}" for track in tracks),
        windows=(window,),
    )


def join(batches: Sequence[Batch]) -> Batch:
    """Several batches, at least one, of clips of one length and size, as one: videos and objects one after the other."""
    before = np.cumsum([0, *(batch.images.shape[1] for batch in batches)])
    return Batch(
        images=torch.cat([batch.images for batch in batches], dim=1),
        masks=torch.cat([batch.masks for batch in batches], dim=1),
        known=torch.cat([batch.known for batch in batches], dim=1),
        video_of_object=torch.cat([batch.video_of_object + int(at) for batch, at in zip(batches, before, strict=False)]),
        names=tuple(name for batch in batches for name in batch.names),
        windows=tuple(window for batch in batches for window in batch.windows),
    )


def choose_objects(seen: SeenClip, options: WindowOptions, rng: np.random.Generator) -> list[SeenTrack]:
    """At most `max_objects`: one that the first frame shows, and others of the same kind or, by the odds of `late_objects`, any."""
    first = [index for index, track in enumerate(seen.tracks) if track.places[0]]
    late = [index for index, track in enumerate(seen.tracks) if not track.places[0] and any(track.places)]
    anchor = int(rng.choice(first))
    takes_late = bool(rng.random() < options.late_objects)
    others = [index for index in (*first, *(late if takes_late else ())) if index != anchor]
    count = min(options.max_objects - 1, len(others))
    chosen = [anchor, *rng.choice(others, size=count, replace=False).tolist()] if count else [anchor]
    return [seen.tracks[index] for index in sorted(chosen)]


def recolour(images: Tensor, options: WindowOptions, rng: np.random.Generator) -> Tensor:
    """Normalised pictures (T, 3, R, R) with other colours: one change for the clip, its colours gone by odds, one a frame."""
    clip = _factors(options.clip_jitter, rng)
    grey = bool(rng.random() < options.grey)
    frames = [_factors(options.frame_jitter, rng) for _ in images]
    if not grey and all((factors == 1).all() for factors in (clip, *frames)):
        return images
    mean, deviation = (images.new_tensor(each)[:, None, None] for each in (MEAN, DEVIATION))
    changed = []
    for image, factors in zip(images, frames, strict=True):
        picture = _jittered((image * deviation + mean).clamp(0, 1), clip)
        if grey:
            picture = _luma(picture).expand(3, -1, -1)
        changed.append((_jittered(picture, factors) - mean) / deviation)
    return torch.stack(changed)


def _ready_mask(rle: MaskRle, size: int) -> Tensor:
    return ready_mask(decode_mask(rle), size)


def _picture(seen: SeenClip, place: int, size: int) -> Tensor:
    """One frame, (3, R, R), normalised."""
    frame, declared = seen.clip.frames[place], seen.sizes[place]
    assert frame.image is not None, "clips without pictures are refused when they are opened"
    path = inside(seen.root, frame.image)
    rgb = media.read_rgb(path)
    if declared != (rgb.shape[1], rgb.shape[0]) or declared != seen.sizes[0]:
        first = seen.sizes[0] or (0, 0)
        raise InputError(
            f"{path} has {rgb.shape[1]}x{rgb.shape[0]} pixels, the clip's first frame {first[0]}x{first[1]}. A clip has one "
            "size: is a frame of another video among them?"
        )
    return ready(rgb, size)


def _factors(jitter: Jitter, rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    """Of brightness, contrast and saturation."""
    return 1 + rng.uniform(-1, 1, size=3) * np.array(jitter.amounts)


def _jittered(picture: Tensor, factors: Float[np.ndarray, "3"]) -> Tensor:
    """A picture (3, R, R) of values 0..1."""
    brightness, contrast, saturation = factors.tolist()
    picture = (picture * brightness).clamp(0, 1)
    picture = torch.lerp(_luma(picture).mean(), picture, contrast).clamp(0, 1)
    return torch.lerp(_luma(picture), picture, saturation).clamp(0, 1)


def _luma(picture: Tensor) -> Tensor:
    """(1, R, R), as the eye weighs the colours."""
    return (picture * picture.new_tensor(LUMA)[:, None, None]).sum(dim=0, keepdim=True)
