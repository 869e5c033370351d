"""Which frames of a clip a question shows, and those frames as the question's pictures.

Policies: `uniform` takes frames evenly spread from the first to the last (ten even ones at the box pipeline's inference), `random`
draws without replacement and sorts (its five in training), `keyframes` takes the first and the last and between them those where
the objects change most, `fps` one frame for each 1/fps of a second from the first on, `all` every frame. Only frames with a picture
are taken. Frames that together see most of a room: `tasks.space_aware`.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from sightline.errors import InputError
from sightline.tasks.clips import SeenClip, SeenTrack
from sightline.tasks.pictures import Studio
from sightline.types import ImageRef, Panel, Record, VideoPart

Policy = Literal["uniform", "random", "keyframes", "fps", "all"]


class Sampling(Record):
    """How many frames a question shows and which; `num_frames` does not count for `all` and `fps`, but `max_frames` does: a longer
    clip is refused, never cut. `assumed_fps` stands in where the data set does not say how fast its frames follow each other."""

    policy: Policy = "uniform"
    num_frames: int = 8
    max_frames: int = 128
    assumed_fps: float = 6.0
    fps: float = 1.0


class ClipOptions(Record):
    """How clips become questions, whatever the task. `wording` and `seed` are those of `crossview.CrossViewOptions`."""

    sampling: Sampling = Sampling()
    seed: int = 0
    wording: int | Literal["first", "mixed"] = "first"


class Footage(Record):
    """Frames of a clip as pictures: `frames` are their positions in the clip, `part` the media slot that shows them all."""

    frames: tuple[int, ...]
    images: tuple[ImageRef, ...]
    panels: tuple[Panel, ...]
    part: VideoPart


def sample_frames(
    frames: Sequence[int],
    sampling: Sampling,
    *,
    rng: np.random.Generator,
    tracks: Sequence[SeenTrack] = (),
    rate: float | None = None,
) -> tuple[int, ...]:
    """The chosen ones of `frames` (positions in the clip, sorted), in order; all of them where there are not more than asked for.

    `rng` is used by `random` only; `tracks` are the objects that `keyframes` looks at; `rate` is the clip's frames a second, for
    `fps` (`assumed_fps` where it is not known).

    Raises:
        InputError: there is no frame, or `all` or `fps` takes more than `max_frames`.
    """
    if not frames:
        raise InputError("none of the clip's frames can be shown: pictures are missing or unreadable.")
    if sampling.policy in ("all", "fps"):
        kept = frames if sampling.policy == "all" else _each_moment(frames, rate or sampling.assumed_fps, sampling.fps)
        if len(kept) > sampling.max_frames:
            raise InputError(
                f"{len(kept)} frames to show, at most {sampling.max_frames} are allowed. Sample them (uniform, random, "
                "keyframes), or raise the limit."
            )
        return tuple(kept)
    count = min(sampling.num_frames, len(frames))
    match sampling.policy:
        case "uniform":
            chosen = np.linspace(0, len(frames) - 1, count).round().astype(int).tolist()
        case "random":
            chosen = sorted(rng.choice(len(frames), size=count, replace=False).tolist())
        case "keyframes":
            chosen = _keyframes(frames, tracks, count)
    return tuple(frames[place] for place in chosen)


def show(seen: SeenClip, frames: Sequence[int], studio: Studio, *, sampling: Sampling) -> Footage:
    """The frames as pictures of a question, timed from the clip's first frame.

    Raises:
        FileNotFoundError, InputError: a frame has no picture, or it cannot be read.
    """
    rate = seen.clip.fps or sampling.assumed_fps
    images: list[ImageRef] = []
    for frame in frames:
        path = seen.clip.frames[frame].image
        if path is None:
            raise InputError(
                f"{seen.clip.clip_id}: frame {seen.clip.frames[frame].frame_id} has no picture. Extract the frames first."
            )
        images.append(studio.original(path))
    panels = tuple(
        Panel(role="frame", image_index=index, source=image, view_id=seen.clip.frames[frame].frame_id)
        for index, (frame, image) in enumerate(zip(frames, images, strict=True))
    )
    part = VideoPart(image_indices=tuple(range(len(images))), times_s=tuple(round(frame / rate, 3) for frame in frames))
    return Footage(frames=tuple(frames), images=tuple(images), panels=panels, part=part)


def _each_moment(frames: Sequence[int], rate: float, fps: float) -> list[int]:
    """Of the frames in each stretch of 1/fps seconds since the first, the first; of slower clips all."""
    if fps <= 0:
        raise InputError(f"fps is {fps:g}: give how many frames a second to show, above 0.")
    stretches: dict[int, int] = {}
    for frame in frames:
        stretches.setdefault(int((frame - frames[0]) * fps / rate + 1e-9), frame)
    return list(stretches.values())


def _keyframes(frames: Sequence[int], tracks: Sequence[SeenTrack], count: int) -> list[int]:
    """The first, the last, and for each stretch of equal change (of the objects' boxes and presence) the frame in its middle."""
    change = np.array([0.0, *(_change(tracks, a, b) for a, b in pairwise(frames))])
    passed = np.cumsum(change + 1e-6)  # where nothing changes, evenly in time
    wanted = np.linspace(passed[0], passed[-1], count)
    chosen = np.searchsorted(passed, wanted).clip(0, len(frames) - 1).tolist()
    for place in range(1, count):  # no frame twice
        chosen[place] = max(chosen[place], chosen[place - 1] + 1)
    for place in range(count - 1, -1, -1):
        chosen[place] = min(chosen[place], len(frames) - count + place)
    return chosen


def _change(tracks: Sequence[SeenTrack], before: int, after: int) -> float:
    """How much the objects change between two frames: 1 for each that comes or goes, else 1 - overlap of its boxes."""
    total = 0.0
    for track in tracks:
        a, b = track.places[before], track.places[after]
        if a is None or b is None:
            total += a is not b
            continue
        width = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
        height = min(a.box[3], b.box[3]) - max(a.box[1], b.box[1])
        common = max(width, 0.0) * max(height, 0.0)
        areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a.box, b.box))
        total += 1 - common / (areas - common)
    return total
