"""One prediction against one truth, and a whole run of them. No model, no torch.

Protocol "sightline-1": the point of an answer is its *first* point; a box stands for its centre. A point outside the picture, in
another picture, in another view of the same picture (the reference half of a concatenated one) or on no view at all is a miss;
nothing is clamped. Where a box or a mask is asked, its overlap with the true one decides (`evaluate.overlaps`); where "yes" or "no"
is asked, the word is the claim that the object is visible.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Bool

from sightline.errors import InputError
from sightline.evaluate.measured import ACCEPTED_IOU, Measured
from sightline.evaluate.outcomes import outcome
from sightline.evaluate.over_time import measure_over_time
from sightline.evaluate.overlaps import in_other_picture, overlap
from sightline.evaluate.run import SCORES, read_predictions, read_run
from sightline.evaluate.several import measure_boxes, measure_mask, measure_points
from sightline.evaluate.spatial_answers import measure_answer
from sightline.files import only_writer, whole_file
from sightline.geometry.boxes import box_area, box_centre
from sightline.geometry.masks import rle_area
from sightline.geometry.points import pixel_index
from sightline.taskset.store import TaskSet
from sightline.types import (
    HIDDEN,
    NO,
    YES,
    Answer,
    Boxes,
    BoxTrack,
    Choice,
    Example,
    MaskAnswer,
    MaskTrack,
    NotVisible,
    Panel,
    Points,
    Prediction,
    Question,
    Reading,
    Record,
    Score,
)

PROGRESS_EVERY = 1000
NEAR_NORM = 0.05
EXPRESSION_MASKS = ("refer_mask",)
SPATIAL_QA = "spatial_qa"


class Place(Record):
    """Where an answer's point lies: `point` in pixels of the truth's view, and its `pixel` (row, column); None if elsewhere."""

    point: tuple[float, float] | None = None
    pixel: tuple[int, int] | None = None
    wrong_panel: bool = False


def score_example(example: Example, prediction: Prediction, masks: Callable[[str], Bool[np.ndarray, "h w"]]) -> Score:
    """The outcome of one example. `masks` gives the mask of a hash; fields are explained at `types.Score`.

    Raises:
        InputError: the example's task has no rule here.
    """
    truth, reading = example.truth, prediction.reading
    said_visible = claim(reading)
    measured = _measure(example, reading, masks, said_visible=said_visible)
    return Score(
        id=example.id,
        task=example.question.task,
        group=example.group,
        tier=example.tier,
        status=reading.status,
        visible=truth.visible,
        correct=outcome(example)(truth.visible, said_visible, measured.hit),
        said_visible=said_visible,
        pair_id=example.pair_id,
        **msgspec.structs.asdict(measured),
    )


def claim(reading: Reading) -> bool | None:
    """Whether the answer says that the object is visible: it gave a place or said yes, or it said not visible or no; None if it did
    neither or both."""
    match reading.status:
        case "ok" | "out_of_range":
            return not _says_no(reading.answer)
        case "not_visible":
            return False
        case "truncated" if reading.answer is not None:
            return not _says_no(reading.answer)
    return None


def _says_no(answer: Answer | None) -> bool:
    match answer:
        case NotVisible() | Choice(value="no"):
            return True
        case MaskAnswer(rle=rle):
            return rle_area(rle) == 0
        case MaskTrack(frames=frames) | BoxTrack(frames=frames):
            return not any(frames)
    return False


def _measure(
    example: Example, reading: Reading, masks: Callable[[str], Bool[np.ndarray, "h w"]], *, said_visible: bool | None
) -> Measured:
    truth, form = example.truth, example.question.form
    match form.shape:
        case "choice" | "number" | "text" if example.question.task == SPATIAL_QA:
            return measure_answer(example, reading)
        case "choice":
            return Measured(hit=_said_option(example, reading))
        case "box_track" | "mask_track" | "span":
            return measure_over_time(example, reading)
        case "box" if form.several:
            return measure_boxes(example, reading, said_visible=said_visible)
        case "mask" if example.question.task in EXPRESSION_MASKS:
            return measure_mask(example, reading, said_visible=said_visible)
        case "box" | "mask":
            iou = overlap(example, reading, masks) if truth.visible else None
            hit = None if iou is None else iou >= ACCEPTED_IOU
            return Measured(hit=hit, wrong_panel=in_other_picture(example, reading), iou=iou)
    place = locate(reading, example.question, truth.panel_index)
    if not truth.visible:
        return Measured(wrong_panel=place.wrong_panel)
    if truth.mask is None:
        return _near(example, place)
    hit = _hits(place, masks(truth.mask))
    values = measure_points(example, reading, masks, hit=hit) if form.several and truth.objects else {}
    if len(truth.objects) > 1:
        return Measured(hit=hit, wrong_panel=place.wrong_panel, values=values)
    l2_px, l2_norm, l2_over_size = (None, None, None) if place.point is None else _distances(example, place.point)
    return Measured(
        hit=hit,
        hit_dilated=None if truth.mask_dilated is None else _hits(place, masks(truth.mask_dilated)),
        wrong_panel=place.wrong_panel,
        l2_px=l2_px,
        l2_norm=l2_norm,
        l2_over_size=l2_over_size,
        values=values,
    )


def _said_option(example: Example, reading: Reading) -> bool | None:
    """Whether the right one of several options was said; None of yes and no, which are a claim."""
    if set(example.question.form.options) == {YES, NO}:
        return None
    return reading.status in ("ok", "truncated") and reading.answer == example.truth.answer


def _near(example: Example, place: Place) -> Measured:
    """Where points are right and no region is known: the distance to the nearest one; a hit is closer than `NEAR_NORM`."""
    truth = example.truth
    assert isinstance(truth.answer, Points), "a place without a mask is known by points"
    if place.point is None:
        return Measured(hit=False, wrong_panel=place.wrong_panel)
    source = example.question.panels[truth.panel_index].source
    offsets = np.array(truth.answer.points) - place.point
    l2_norm = np.hypot(*(offsets / (source.width, source.height)).T)
    nearest = int(l2_norm.argmin())
    return Measured(
        hit=bool(l2_norm[nearest] < NEAR_NORM), l2_px=float(np.hypot(*offsets[nearest])), l2_norm=float(l2_norm[nearest])
    )


def _hits(place: Place, mask: Bool[np.ndarray, "h w"]) -> bool:
    return place.pixel is not None and bool(mask[place.pixel])


def locate(reading: Reading, question: Question, panel_index: int) -> Place:
    """Where the answer's first point lies, seen from the view in panel `panel_index`."""
    point = first_point(reading.answer)
    if reading.status not in ("ok", "truncated") or point is None:
        return Place()
    assert isinstance(reading.answer, Points | Boxes), "it has a point"
    asked = question.panels[panel_index]
    if reading.answer.image_index != asked.image_index:
        return Place(wrong_panel=True)
    picture = question.images[asked.image_index]
    pixel = pixel_index(*point, picture.width, picture.height)
    if pixel is None:
        return Place()
    if not _covers(asked, pixel):
        others = (panel for panel in question.panels if panel.image_index == asked.image_index and panel is not asked)
        return Place(wrong_panel=any(_covers(panel, pixel) for panel in others))
    return Place(point=(point[0] - asked.x, point[1] - asked.y), pixel=(pixel[0] - asked.y, pixel[1] - asked.x))


def first_point(answer: Answer | None) -> tuple[float, float] | None:
    """The point an answer is scored by, in pixels of its picture."""
    match answer:
        case Points(points=points) if points:
            return points[0]
        case Boxes(boxes=boxes) if boxes:
            return box_centre(boxes[0])
    return None


def score_run(
    folder: Path,
    *,
    taskset: Path | None = None,
    partial: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write `scores.jsonl` of a run, whole, and return how many scores it has.

    `taskset` is where the task set lies now if it has moved. `partial`: score what has a prediction; the summary then counts the
    missing ones and is marked by them.

    Raises:
        FileNotFoundError: no run, no task set, or no predictions.
        InputError: another task set than the run's, or missing predictions without `partial`.
    """
    questions = open_taskset(folder, taskset)
    with only_writer(folder), whole_file(folder / SCORES) as file:
        count = 0
        for score in _scores(folder, questions):
            file.write(msgspec.json.encode(score) + b"\n")
            count += 1
            if on_progress and count % PROGRESS_EVERY == 0:
                on_progress(count, len(questions))
        missing = len(questions) - count
        if missing and not partial:
            info = read_run(folder)
            raise InputError(
                f"{folder}: {missing:,} of {len(questions):,} examples have no prediction yet. Finish the run with "
                f"`sightline predict {info.taskset_path} --model {info.model} --out {folder}`, "
                "or score what is there with --partial."
            )
        if on_progress:
            on_progress(count, len(questions))
    return count


def open_taskset(folder: Path, path: Path | None = None) -> TaskSet:
    """The task set of a run, at `path` or where it was.

    Raises:
        FileNotFoundError: it is not there.
        InputError: another one is there.
    """
    info = read_run(folder)
    taskset = TaskSet(path or Path(info.taskset_path))
    if taskset.manifest.fingerprint != info.taskset_fingerprint:
        raise InputError(
            f"{taskset.path} is not the task set of run {folder}: its fingerprint is {taskset.manifest.fingerprint}, the run was "
            f"made on {info.taskset_name!r} with {info.taskset_fingerprint}. Give that one, or predict again on this one."
        )
    return taskset


def _scores(folder: Path, taskset: TaskSet) -> Iterator[Score]:
    for example, prediction in answered(folder, taskset):
        if example.tier == HIDDEN:
            raise InputError(
                f"{folder}: the data set holds back what {example.id!r} means, so that nothing can be scored here. Send the "
                f"answers to the benchmark's server: `sightline export submission {folder} --layout LAYOUT --out FILE`."
            )
        yield score_example(example, prediction, taskset.read_mask)


def answered(folder: Path, taskset: TaskSet) -> Iterator[tuple[Example, Prediction]]:
    """The examples of a run's task set with their predictions, one at a time, as far as there are any.

    Raises:
        InputError: the predictions are not in the order of the task set.
    """
    examples = iter(taskset)
    for prediction in read_predictions(folder):
        example = next(examples, None)
        if example is None or example.id != prediction.id:
            expected = f"that of {example.id!r}" if example else "no more"
            raise InputError(
                f"{folder}: a prediction of {prediction.id!r} stands where {expected} belongs (the order of the task set). "
                "The file was edited: move it away and predict again."
            )
        yield example, prediction


def _distances(example: Example, point: tuple[float, float]) -> tuple[float, float, float]:
    """From `point` (view pixels) to the true point: in pixels, in (width, height), and in square roots of the object's box area."""
    truth = example.truth
    target = first_point(truth.answer)
    assert target is not None, "a visible object has a true point"
    assert truth.box is not None, "a visible object has a box"
    panel = example.question.panels[truth.panel_index]
    dx, dy = point[0] - (target[0] - panel.x), point[1] - (target[1] - panel.y)
    l2_px = float(np.hypot(dx, dy))
    l2_norm = float(np.hypot(dx / panel.source.width, dy / panel.source.height))
    return l2_px, l2_norm, l2_px / float(np.sqrt(box_area(truth.box)))


def _covers(panel: Panel, pixel: tuple[int, int]) -> bool:
    row, column = pixel
    return panel.y <= row < panel.y + panel.source.height and panel.x <= column < panel.x + panel.source.width
