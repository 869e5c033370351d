"""An answer over the frames of a clip against the truth: boxes, masks, or a stretch of time.

Values, by name (each 0..1, decay -1..1), of every example with a target; an answer that says nothing is there is a track without
boxes, and one that cannot be read is worth 0 in all of them:

    viou, tiou, gt_viou   of boxes: `video.tracks`, VidSTG's definitions on the frames shown
    frame_iou             of boxes: mean over all frames, those in which the object is rightly absent counting 1
    f1                    of boxes where several objects may be meant: mean over the frames of the F1 at IoU 0.5
    j, f, jf              of masks: `video.referring`, means over the frames
    j_recall, j_decay     of masks of an object that is given (segment), and the same of F: `video.clip_statistics`
    tiou                  of a stretch of time: `video.spans`

Only frames in which the truth is known count (`Truth.scored_frames`).
"""

from collections.abc import Sequence

import numpy as np

from sightline.errors import InputError
from sightline.evaluate.measured import ACCEPTED_IOU, Measured, says_nothing, usable
from sightline.evaluate.referring_boxes import match_boxes
from sightline.evaluate.video.clip_statistics import object_statistics
from sightline.evaluate.video.referring import pack_prediction, pack_truth
from sightline.evaluate.video.region_boundary import FrameScores, region, score_frames
from sightline.evaluate.video.spans import span_iou
from sightline.evaluate.video.tracks import FrameBoxes, box_set_iou_or_absent, score_box_sets
from sightline.geometry.boxes import Box, clip_box
from sightline.types import BoxTrack, Example, MaskRle, MaskTrack, Reading, Span

BOX_VALUES, MASK_VALUES = ("viou", "tiou", "gt_viou", "frame_iou"), ("j", "f", "jf")
GIVEN_VALUES = ("j_recall", "f_recall", "j_decay", "f_decay")


def measure_over_time(example: Example, reading: Reading) -> Measured:
    """`iou` is `viou` of boxes, `j` of masks, `tiou` of a stretch of time; `hit` says that it is at least 0.5.

    Raises:
        InputError: a mask of another size than the clip, or a broken mask code.
    """
    match example.truth.answer:
        case BoxTrack() as truth:
            values = _boxes(example, truth, reading)
            return _measured(values["viou"], values)
        case MaskTrack() as truth:
            values = _masks(example, truth, reading)
            return _measured(values["j"], values)
        case Span() as truth:
            answer = usable(reading)
            found = (answer.start_s, answer.end_s) if isinstance(answer, Span) else None
            tiou = span_iou((truth.start_s, truth.end_s), found)
            return _measured(tiou, {"tiou": tiou})
    return Measured()


def frame_overlaps(example: Example, reading: Reading) -> list[float | None]:
    """The overlap in each frame of the clip: box or mask IoU, 1 where nothing is there and nothing is answered.

    None in a frame where the truth is not known; 0 in all others of an answer that cannot be read.
    """
    clip = example.question.clip
    assert clip is not None, f"{example.id}: a clip is asked about"
    num_frames, scored = len(clip.image_indices), _scored_frames(example)
    overlaps: list[float | None] = [None] * num_frames
    if example.question.form.shape == "mask_track":
        found, true = _found_masks(example, reading), _true_masks(example)
        if found is None:
            return [0.0 if index in set(scored) else None for index in range(num_frames)]
        size = _size(example)
        pairs = zip(
            pack_truth([[true[index] for index in scored]], num_frames=len(scored), size=size),
            pack_prediction([found[index] for index in scored], num_frames=len(scored), size=size),
            strict=True,
        )
        ious = [region(*pair) for pair in pairs]
    else:
        boxes, true_boxes = _found_boxes(example, reading), _true_boxes(example)
        ious = [0.0 if boxes is None else box_set_iou_or_absent(true_boxes[index], boxes[index]) for index in scored]
    for index, iou in zip(scored, ious, strict=True):
        overlaps[index] = iou
    return overlaps


def _measured(iou: float, values: dict[str, float]) -> Measured:
    return Measured(hit=iou >= ACCEPTED_IOU, iou=iou, values=values)


def _boxes(example: Example, truth: BoxTrack, reading: Reading) -> dict[str, float]:
    several = example.question.form.several
    found = _found_boxes(example, reading)
    if found is None:
        return dict.fromkeys((*BOX_VALUES, "f1") if several else BOX_VALUES, 0.0)
    scored = _scored_frames(example)
    pairs = [(truth.frames[index], found[index]) for index in scored]
    score = score_box_sets(*zip(*pairs, strict=True))
    values = {name: getattr(score, name) for name in BOX_VALUES}
    return values | {"f1": float(np.mean([match_boxes(*pair).f1 for pair in pairs]))} if several else values


def _masks(example: Example, truth: MaskTrack, reading: Reading) -> dict[str, float]:
    found = _found_masks(example, reading)
    given = example.question.reference is not None
    if found is None:
        return dict.fromkeys((*MASK_VALUES, *GIVEN_VALUES) if given else MASK_VALUES, 0.0)
    scores = score_masks_of(example, truth, found)
    j, f = float(np.mean(scores.region)), float(np.mean(scores.boundary))
    values = {"j": j, "f": f, "jf": (j + f) / 2}
    if not given:
        return values
    over_time = object_statistics(scores)
    return values | {
        "j_recall": over_time.region.recall,
        "f_recall": over_time.boundary.recall,
        "j_decay": over_time.region.decay,
        "f_decay": over_time.boundary.decay,
    }


def score_masks_of(example: Example, truth: MaskTrack, found: Sequence[MaskRle | None]) -> FrameScores:
    """J and F in each scored frame.

    Raises:
        InputError: a mask of another size than the clip, or a broken mask code.
    """
    scored, size = _scored_frames(example), _size(example)
    try:
        true_masks = pack_truth([[truth.frames[index] for index in scored]], num_frames=len(scored), size=size)
        return score_frames(true_masks, pack_prediction([found[index] for index in scored], num_frames=len(scored), size=size))
    except InputError as error:
        raise InputError(f"example {example.id!r}: {error}") from error


def _found_boxes(example: Example, reading: Reading) -> list[FrameBoxes] | None:
    """The answered boxes frame by frame, clipped to their frame; the first of each where one object is asked for. None where the
    answer cannot be compared."""
    clip, images = example.question.clip, example.question.images
    assert clip is not None, f"{example.id}: a clip is asked about"
    if says_nothing(reading):
        return [()] * len(clip.image_indices)
    answer = usable(reading)
    if not isinstance(answer, BoxTrack):
        return None
    most = None if example.question.form.several else 1
    frames = zip(clip.image_indices, answer.frames, strict=True)
    return [tuple(_clipped(box, images[index].width, images[index].height) for box in boxes[:most]) for index, boxes in frames]


def _clipped(box: Box, width: int, height: int) -> Box:
    return clip_box(box, width, height) or (0.0, 0.0, 0.0, 0.0)


def _found_masks(example: Example, reading: Reading) -> tuple[MaskRle | None, ...] | None:
    clip = example.question.clip
    assert clip is not None, f"{example.id}: a clip is asked about"
    if says_nothing(reading):
        return (None,) * len(clip.image_indices)
    answer = usable(reading)
    return answer.frames if isinstance(answer, MaskTrack) else None


def _true_boxes(example: Example) -> Sequence[FrameBoxes]:
    answer, clip = example.truth.answer, example.question.clip
    assert clip is not None, f"{example.id}: a clip is asked about"
    return answer.frames if isinstance(answer, BoxTrack) else [()] * len(clip.image_indices)


def _true_masks(example: Example) -> Sequence[MaskRle | None]:
    answer, clip = example.truth.answer, example.question.clip
    assert clip is not None, f"{example.id}: a clip is asked about"
    return answer.frames if isinstance(answer, MaskTrack) else [None] * len(clip.image_indices)


def _scored_frames(example: Example) -> Sequence[int]:
    scored, clip = example.truth.scored_frames, example.question.clip
    assert clip is not None, f"{example.id}: a clip is asked about"
    return range(len(clip.image_indices)) if scored is None else scored


def _size(example: Example) -> tuple[int, int]:
    """Height and width of the clip."""
    clip = example.question.clip
    assert clip is not None, f"{example.id}: a clip is asked about"
    picture = example.question.images[clip.image_indices[0]]
    return picture.height, picture.width
