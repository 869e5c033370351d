"""Clips for tests of relations: coded rectangles on plain pictures, and a seen clip's masks as the checker wants them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from sightline.geometry.masks import decode_mask, encode_mask
from sightline.tasks import CLIP_TASKS
from sightline.tasks.clips import SeenClip
from sightline.tasks.pictures import Studio
from sightline.tasks.relations.options import RelationOptions
from sightline.types import Clip, ClipFrame, Example, LedgerEntry, MaskRle, Track
from tests.tasks.relations.checker import ClipChecker

Rectangle = tuple[int, int, int, int]
Track_ = Sequence[Rectangle | None]
WIDTH, HEIGHT = 100, 60
PICTURE = "picture.jpg"
TASKS = tuple(name for name in CLIP_TASKS if name.startswith("relation_"))


def write_picture(root: Path, *, width: int = WIDTH, height: int = HEIGHT) -> None:
    """One picture that stands for every frame."""
    root.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(root / PICTURE)


def rectangle(box: Rectangle) -> MaskRle:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return encode_mask(mask)


def coded(
    tracks: Mapping[str, Track_], *, fps: float = 10.0, annotated: Sequence[int] | None = None, pictures: bool = True
) -> Clip:
    """A clip of rectangles. `annotated`: the labelled frames; all by default."""
    count = len(next(iter(tracks.values())))
    frames = tuple(ClipFrame(frame_id=f"{number:05d}", image=PICTURE if pictures else None) for number in range(count))
    known = None if annotated is None else tuple(annotated)
    made = tuple(
        Track(object_id=name, masks=tuple(None if box is None else rectangle(box) for box in boxes), annotated=known)
        for name, boxes in tracks.items()
    )
    return Clip(clip_id="clip", split="train", frames=frames, tracks=made, width=WIDTH, height=HEIGHT, fps=fps)


def outcomes(seen: SeenClip, task: str, options: RelationOptions) -> tuple[list[Example], list[LedgerEntry]]:
    found = list(CLIP_TASKS[task]()(seen, Studio(seen.root), options))
    examples = [one for one in found if isinstance(one, Example)]
    return examples, [one for one in found if isinstance(one, LedgerEntry)]


def checker(seen: SeenClip, options: RelationOptions) -> ClipChecker:
    """The checker of a clip, from its decoded masks."""

    def mask_at(name: str, frame: int) -> np.ndarray | None:
        track = seen.track(name)
        rle = seen.mask(track, frame)
        if rle is not None:
            return decode_mask(rle)
        size = seen.sizes[frame]
        assert size is not None
        return np.zeros((size[1], size[0]), bool) if track.absent(frame) else None

    frame_ids = [frame.frame_id for frame in seen.clip.frames]
    fps = seen.clip.fps or options.sampling.assumed_fps
    return ClipChecker([track.object_id for track in seen.tracks], frame_ids, fps, mask_at, options)
