"""A question about a clip as the page's strip shows it: frames with the truth and the answers drawn in, and the overlap over time.

Of a long clip `MOST_FRAMES` frames are shown, evenly, and the worst frame of every run beside them, so that a report stays bounded;
the overlap is given for all of them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sightline.evaluate.measured import says_nothing, usable
from sightline.evaluate.over_time import frame_overlaps, score_masks_of
from sightline.geometry.masks import decode_mask, rle_box
from sightline.report.outlines import outline_path
from sightline.types import Answer, BoxTrack, Example, MaskTrack, Prediction, Reading, Span

MOST_FRAMES = 48


def overlaps_of(example: Example, prediction: Prediction) -> list[float | None] | None:
    """The overlap in each frame of the clip (`evaluate.over_time`); None where no track is asked for."""
    if example.question.form.shape not in ("box_track", "mask_track"):
        return None
    return frame_overlaps(example, prediction.reading)


def boundaries_of(example: Example, prediction: Prediction) -> list[float | None] | None:
    """F in each frame of the clip: 1 where nothing is there and nothing is answered, None where the truth is not known, 0 in all
    others of an answer that cannot be read. None where no mask track is asked for or nothing is truly there (no F is measured)."""
    clip, truth = example.question.clip, example.truth.answer
    if clip is None or not isinstance(truth, MaskTrack):
        return None
    answer, count = usable(prediction.reading), len(clip.image_indices)
    scored = range(count) if example.truth.scored_frames is None else example.truth.scored_frames
    found: list[float | None] = [None] * count
    if says_nothing(prediction.reading):
        answer = MaskTrack(frames=(None,) * count)
    values = (
        score_masks_of(example, truth, answer.frames).boundary.tolist() if isinstance(answer, MaskTrack) else [0.0] * len(scored)
    )
    for frame, value in zip(scored, values, strict=True):
        found[frame] = value
    return found


def worst_frame(overlaps: Sequence[float | None] | None) -> int | None:
    """The first of the frames with the least overlap; None where no frame has one."""
    known = [(overlap, frame) for frame, overlap in enumerate(overlaps or ()) if overlap is not None]
    return min(known)[1] if known else None


def shown_frames(example: Example, overlaps: Sequence[Sequence[float | None] | None]) -> tuple[int, ...]:
    """The positions of the clip's frames that the page shows; none where no clip is asked about. `overlaps`: those of each run."""
    clip = example.question.clip
    if clip is None:
        return ()
    count = len(clip.image_indices)
    even = set(np.linspace(0, count - 1, min(count, MOST_FRAMES)).round().astype(int).tolist())
    worst = {frame for each in overlaps if (frame := worst_frame(each)) is not None}
    return tuple(sorted(even | worst))


def hidden_images(example: Example, shown: Sequence[int]) -> frozenset[int]:
    """The pictures of the question that the page leaves out: frames of the clip that are not shown, if nothing else shows them."""
    clip = example.question.clip
    if clip is None:
        return frozenset()
    return frozenset(clip.image_indices) - {clip.image_indices[frame] for frame in shown}


def clip_detail(example: Example, shown: Sequence[int]) -> dict[str, Any] | None:
    """The clip without any run's answer: all its times, and of the frames shown their picture, whether they are scored, and what is
    truly there. None where no clip is asked about."""
    clip, scored = example.question.clip, example.truth.scored_frames
    if clip is None:
        return None
    places = places_over_time(example.truth.answer, shown)
    for frame, place in zip(shown, places, strict=True):
        if place["outline"] and example.truth.objects:  # what is meant may be several objects
            place["boxes"] = tuple(box for each in example.truth.objects if (box := each.boxes[frame]) is not None)
    return {
        "times": list(clip.times_s),
        "span": _span(example.truth.answer),
        "frames": [
            {"position": frame, "image": clip.image_indices[frame], "scored": scored is None or frame in scored, **place}
            for frame, place in zip(shown, places, strict=True)
        ],
    }


def track_detail(reading: Reading, overlaps: Sequence[float | None] | None, shown: Sequence[int]) -> dict[str, Any]:
    """One answer over a clip: places in the frames shown, the overlap in all frames ([]: none is measured), the worst frame."""
    answer = usable(reading)
    return {
        "frames": places_over_time(answer, shown),
        "overlaps": list(overlaps or ()),
        "worst": worst_frame(overlaps),
        "span": _span(answer),
    }


def places_over_time(answer: Answer | None, shown: Sequence[int]) -> list[dict[str, Any]]:
    """Boxes and outline in each of the frames shown, of a mask also the box around it; neither where the answer has none there."""
    places: list[dict[str, Any]] = []
    for frame in shown:
        place: dict[str, Any] = {"boxes": (), "outline": ""}
        match answer:
            case BoxTrack(frames=frames) if frame < len(frames):
                place["boxes"] = frames[frame]
            case MaskTrack(frames=masks) if frame < len(masks) and (rle := masks[frame]) is not None:
                box = rle_box(rle)
                place |= {"outline": outline_path(decode_mask(rle)), "boxes": () if box is None else (box,)}
        places.append(place)
    return places


def _span(answer: Answer | None) -> tuple[float, float] | None:
    return (answer.start_s, answer.end_s) if isinstance(answer, Span) else None
