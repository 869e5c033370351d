"""Held-out videos while SAM 2 trains: every object followed from the first frame that shows it, J and F by exact kernels.

The frame of the prompt and the last frame are left out, as DAVIS does, and so are frames in which nothing is known of an object.
Beside each object stands what copying the mask of its first frame to all others would have scored.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from jaxtyping import Bool
from torch import Tensor

from sightline.errors import InputError
from sightline.evaluate.video.packed import PackedMask, pack_mask
from sightline.evaluate.video.region_boundary import score_frames
from sightline.evaluate.vos.table import to_csv
from sightline.files import inside
from sightline.geometry.boxes import mask_to_box
from sightline.geometry.masks import decode_mask
from sightline.models.baselines.baseline import deepest_pixel
from sightline.models.sam2.clip import ClipModel
from sightline.models.sam2.prompts import BOTTOM_RIGHT, POSITIVE, TOP_LEFT
from sightline.models.sam2.propagate import ObjectPrompt, propagate
from sightline.models.sam2.track import PictureFrames, ready_mask
from sightline.tasks.clips import SeenClip, SeenTrack
from sightline.train.sam2.memory import is_out_of_memory
from sightline.train.sam2.settings import PromptOnFirst, ValidationSettings
from sightline.train.sam2.videos import Videos


@dataclass(frozen=True)
class VideoScore:
    """One object of a video: mean J and F, 0..1, over `num_frames` scored frames, and those of the copied first mask."""

    clip_id: str
    object_id: str
    region: float
    boundary: float
    copied_region: float
    copied_boundary: float
    num_frames: int


@dataclass(frozen=True)
class _Followed:
    """An object to be followed: the frame that shows it first, the scored frames after it, and its true masks there."""

    track: SeenTrack
    start: int
    scored: tuple[int, ...]


def score_videos(model: ClipModel, videos: Videos, settings: ValidationSettings) -> Iterator[VideoScore]:
    """The scores of each object, video by video. The model's mode is as it was afterwards.

    An object that is seen in one frame alone, or only in the last, has nothing to score and is left out.

    Raises:
        FileNotFoundError, InputError: a picture or mask cannot be used, or a video does not fit into memory; the message names it.
    """
    count = len(videos) if settings.num_videos == 0 else min(settings.num_videos, len(videos))
    training = model.training
    model.eval()
    try:
        for video in range(count):
            try:
                yield from _score_video(model, videos, video, settings)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                raise InputError(
                    f"out of memory: held-out video {videos.name(video)!r}, {len(videos.clip(video).tracks)} object(s) followed "
                    f"together at {model.image_size} px. Leave it out (data.val_only), or take fewer pixels (model.image_size). "
                    "Checkpoints so far are intact."
                ) from error
    finally:
        model.train(training)


def means(scores: Sequence[VideoScore]) -> dict[str, float]:
    """J&F, J and F, 0..1, each the mean over all objects, and J&F of the copied first masks; nan without objects."""
    values = np.array([(each.region, each.boundary, each.copied_region, each.copied_boundary) for each in scores])
    region, boundary, copied_region, copied_boundary = values.mean(axis=0).tolist() if scores else [float("nan")] * 4
    return {
        "J&F": (region + boundary) / 2,
        "J": region,
        "F": boundary,
        "copied J&F": (copied_region + copied_boundary) / 2,
        "copied J": copied_region,
    }


def table(scores: Sequence[VideoScore]) -> bytes:
    """CSV, one object a line."""
    rows: list[tuple[object, ...]] = [("clip", "object", "J&F", "J", "F", "copied_J", "copied_F", "num_frames")]
    for each in scores:
        both = (each.region + each.boundary) / 2
        numbers = (both, each.region, each.boundary, each.copied_region, each.copied_boundary)
        rows.append((each.clip_id, each.object_id, *(f"{number:.6f}" for number in numbers), each.num_frames))
    return to_csv(rows)


def _score_video(model: ClipModel, videos: Videos, video: int, settings: ValidationSettings) -> Iterator[VideoScore]:
    length = videos.num_frames(video)
    seen = videos.see(video, range(length))
    followed = [each for track in seen.tracks if (each := _followed(track, length)) is not None]
    if not followed:
        return
    paths = [inside(seen.root, frame.image) for frame in seen.clip.frames if frame.image is not None]
    frames = PictureFrames(paths, model.image_size)
    size = (frames.height, frames.width) if settings.resolution == "video" else (model.image_size, model.image_size)
    prompts = []
    for place, each in enumerate(followed):
        shown = _true_mask(seen, each.track, each.start, (frames.height, frames.width))
        prompts.append(_prompt(str(place), shown, each.start, image_size=model.image_size, kind=settings.prompt))
    found: list[dict[int, PackedMask]] = [{} for _ in followed]
    for result in propagate(model, frames, prompts):
        masks = _masks(result.low_res, size)
        for name, mask in zip(result.object_ids, masks, strict=True):
            place = int(name)
            if result.frame in followed[place].scored:
                found[place][result.frame] = pack_mask(mask)
    for each, predicted in zip(followed, found, strict=True):
        yield _score(seen, each, predicted, size)


def _followed(track: SeenTrack, length: int) -> _Followed | None:
    start = next((frame for frame in range(length) if track.places[frame]), None)
    scored = () if start is None else tuple(frame for frame in range(start + 1, length - 1) if track.known[frame])
    return None if start is None or not scored else _Followed(track, start, scored)


def _score(seen: SeenClip, followed: _Followed, predicted: Mapping[int, PackedMask], size: tuple[int, int]) -> VideoScore:
    truth = [pack_mask(_true_mask(seen, followed.track, frame, size)) for frame in followed.scored]
    first = pack_mask(_true_mask(seen, followed.track, followed.start, size))
    scores = score_frames(truth, [predicted[frame] for frame in followed.scored])
    copied = score_frames(truth, [first] * len(truth))
    return VideoScore(
        clip_id=seen.clip.clip_id,
        object_id=followed.track.object_id,
        region=float(scores.region.mean()),
        boundary=float(scores.boundary.mean()),
        copied_region=float(copied.region.mean()),
        copied_boundary=float(copied.boundary.mean()),
        num_frames=len(truth),
    )


def _true_mask(seen: SeenClip, track: SeenTrack, frame: int, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """A true mask in the size that is compared; all False where the object is absent."""
    if (rle := seen.mask(track, frame)) is None:
        return np.zeros(size, bool)
    mask = decode_mask(rle)
    return mask if mask.shape == size else ready_mask(mask, size[0]).numpy()


def _prompt(name: str, mask: Bool[np.ndarray, "h w"], frame: int, *, image_size: int, kind: PromptOnFirst) -> ObjectPrompt:
    """What an object is shown by: its mask in the picture's own pixels, the box around it, or the point deepest inside."""
    if kind == "mask":
        return ObjectPrompt(frame=frame, object_id=name, mask=ready_mask(mask, image_size))
    if kind == "box":
        box = mask_to_box(mask)
        assert box is not None, "the frame shows the object"
        corners, labels = np.array(box, np.float64).reshape(2, 2), [TOP_LEFT, BOTTOM_RIGHT]
    else:
        row, column, _ = deepest_pixel(mask)
        corners, labels = np.array([[column + 0.5, row + 0.5]]), [POSITIVE]
    height, width = mask.shape
    coords = torch.from_numpy(corners * image_size / (width, height) - 0.5).float()
    return ObjectPrompt(frame=frame, object_id=name, coords=coords, labels=torch.tensor(labels, dtype=torch.int32))


def _masks(low_res: Tensor, size: tuple[int, int]) -> Bool[np.ndarray, "o h w"]:
    logits = F.interpolate(low_res.float().unsqueeze(1), size=size, mode="bilinear", align_corners=False)[:, 0]
    return (logits > 0).cpu().numpy()
