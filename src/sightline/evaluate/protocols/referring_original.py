"""A run on a referring benchmark by the rules of its authors, and beside it ours.

    RUN/summary.refcoco-original.json      (and grefcoco, mevis, ref-youtube-vos, ref-davis17, revos)

| protocol | of the task | figures |
|---|---|---|
| refcoco-original | refer_box | Acc@t and mean IoU of the first box as written, not clipped (InternVL); Center_ACC (lmms-eval) |
| | refer_mask | cIoU and gIoU of Sa2VA and of LISA |
| grefcoco-original | refer_box | share of expressions with F1 = 1 at IoU 0.5, N-acc |
| | refer_mask | gIoU, cIoU, N-acc, T-acc, Pr@0.7, 0.8, 0.9 (ReLA) |
| mevis-original, ref-youtube-vos-original | refer_mask_track | J, F, J&F: means over expressions |
| ref-davis17-original | refer_mask_track | the same, averaged over the annotators' passes |
| revos-original | refer_mask_track | J, F, J&F, A (R where the data root has mask_dict_foreground.json) by kind of expression |
| revos-published | refer_mask_track | the same, overlapping objects and rounding as in the official script |

The video rules look at every frame, so they need a task set of every frame. All of them take the answers as our dialects read
them: what a script makes of a text is not repeated. Nor are the sums of polygons of RefCOCO's scripts: the truth is the union.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from sightline.errors import InputError
from sightline.evaluate.measured import says_nothing, usable
from sightline.evaluate.protocols.referring_tracks_original import revos_figures, track_figures
from sightline.evaluate.referring_boxes import centre_hit, match_boxes, score_boxes, score_matched
from sightline.evaluate.referring_masks import MaskOverlap, score_masks
from sightline.evaluate.run import RunInfo, read_run
from sightline.evaluate.score import answered, claim, open_taskset
from sightline.evaluate.several import mask_overlap
from sightline.files import write_json
from sightline.geometry.boxes import Box
from sightline.taskset.store import TaskSet
from sightline.types import Boxes, Example, Prediction, Record

Answered = tuple[Example, Prediction]


class Figure(Record):
    """One number of a protocol, 0..1, over `n` expressions; None for 0/0. `ours` is the metric of ours that it stands beside."""

    name: str
    value: float | None
    n: int
    ours: str | None = None


class ReferringSummary(Record):
    """`summary.{protocol}.json`. `num_unusable` expressions of the split are not in the task set: then the figures are not the
    benchmark's."""

    protocol: str
    run: RunInfo
    figures: tuple[Figure, ...]
    num_answers: int
    num_unusable: int


Rule = Callable[[Iterable[Answered], TaskSet], list[Figure]]


def summary_file(protocol: str) -> str:
    """The name of the summary beside ours."""
    return f"summary.{protocol}.json"


def summarise_referring(folder: Path, protocol: str, *, taskset: Path | None = None, partial: bool = False) -> ReferringSummary:
    """Score a run by a protocol of `PROTOCOLS`, and write the summary.

    Raises:
        FileNotFoundError: no run or no task set.
        InputError: another task set than the run's, a task that the protocol does not score, a clip of which not every frame is
            asked about, or missing predictions without `partial`.
    """
    questions, info = open_taskset(folder, taskset), read_run(folder)
    rules = PROTOCOLS[protocol]
    if info.task not in rules:
        raise InputError(f"{folder}: protocol {protocol} is for {', '.join(rules)}, the run answers {info.task}.")
    counted = _Counted(answered(folder, questions))
    figures = rules[info.task](counted, questions)
    if (missing := len(questions) - counted.num) and not partial:
        raise InputError(f"{folder}: {missing:,} of {len(questions):,} examples have no prediction yet. Finish the run first.")
    summary = ReferringSummary(
        protocol=protocol,
        run=info,
        figures=tuple(figures),
        num_answers=counted.num,
        num_unusable=sum(questions.manifest.dropped.values()),
    )
    write_json(folder / summary_file(protocol), summary)
    return summary


class _Counted:
    """A stream that knows how many came through it."""

    def __init__(self, stream: Iterator[Answered]) -> None:
        self._stream = stream
        self.num = 0

    def __iter__(self) -> Iterator[Answered]:
        for pair in self._stream:
            self.num += 1
            yield pair


def figure(name: str, value: float, n: int, ours: str | None = None) -> Figure:
    """A figure of a value that may be nan."""
    return Figure(name=name, value=float(value) if np.isfinite(value) else None, n=n, ours=ours)


def _refcoco_boxes(pairs: Iterable[Answered], _taskset: TaskSet) -> list[Figure]:
    truths: list[Box] = []
    found: list[Box | None] = []
    for example, prediction in pairs:
        truth, boxes = example.truth.answer, _written_boxes(example, prediction)
        if not isinstance(truth, Boxes) or len(truth.boxes) != 1:
            raise InputError(f"example {example.id!r} does not mean exactly one object; use --protocol grefcoco-original.")
        truths.append(truth.boxes[0])
        found.append(boxes[0] if boxes else None)
    score = score_boxes(truths, found)
    centres = [centre_hit(*pair, missing_at_origin=True) for pair in zip(truths, found, strict=True)]
    figures = [figure(f"Acc@{at}", value, score.n, f"acc_iou_{round(100 * at):03d}") for at, value in score.accuracy.items()]
    return [
        *figures,
        figure("Mean IoU", score.mean_iou, score.n, "iou_mean"),
        figure("Center_ACC", float(np.mean(centres)) if centres else np.nan, score.n),
    ]


def _refcoco_masks(pairs: Iterable[Answered], _taskset: TaskSet) -> list[Figure]:
    overlaps = _overlaps(pairs)
    found = []
    for name in ("sa2va", "lisa"):
        score = score_masks(overlaps, protocol=name)
        found += [
            figure(f"cIoU ({name})", score.cumulative_iou, score.n, "ciou"),
            figure(f"gIoU ({name})", score.mean_iou, score.n, "giou"),
        ]
    return found


def _grefcoco_boxes(pairs: Iterable[Answered], _taskset: TaskSet) -> list[Figure]:
    matched = []
    for example, prediction in pairs:
        truth = example.truth.answer
        matched.append(match_boxes(truth.boxes if isinstance(truth, Boxes) else (), _written_boxes(example, prediction)))
    score = score_matched(matched)
    return [
        figure("Pr@(F1=1, IoU>=0.5)", score.perfect, score.n, "joint_accuracy"),
        figure("N-acc", score.no_target_accuracy, score.n_no_target, "n_acc"),
    ]


def _grefcoco_masks(pairs: Iterable[Answered], _taskset: TaskSet) -> list[Figure]:
    score = score_masks(_overlaps(pairs), protocol="grefcoco")
    with_target = score.n - score.n_no_target
    return [
        figure("gIoU", score.mean_iou, score.n, "giou"),
        figure("cIoU", score.cumulative_iou, score.n, "ciou"),
        figure("N-acc", score.no_target_accuracy, score.n_no_target, "n_acc"),
        figure("T-acc", score.target_accuracy, with_target, "t_acc"),
        *(figure(f"Pr@{at}", value, with_target, f"precision_{round(100 * at):03d}") for at, value in score.precision.items()),
    ]


def _overlaps(pairs: Iterable[Answered]) -> list[MaskOverlap]:
    return [mask_overlap(example, prediction.reading, said_visible=claim(prediction.reading)) for example, prediction in pairs]


def _written_boxes(example: Example, prediction: Prediction) -> tuple[Box, ...]:
    """The boxes as answered: theirs are not clipped to the picture."""
    answer = None if says_nothing(prediction.reading) else usable(prediction.reading)
    asked = example.question.form.image_index
    return answer.boxes if isinstance(answer, Boxes) and answer.image_index == asked else ()


def _tracks(pairs: Iterable[Answered], _taskset: TaskSet) -> list[Figure]:
    return [figure(*each) for each in track_figures(pairs, passes=False)]


def _passes(pairs: Iterable[Answered], _taskset: TaskSet) -> list[Figure]:
    return [figure(*each) for each in track_figures(pairs, passes=True)]


def _revos(pairs: Iterable[Answered], taskset: TaskSet) -> list[Figure]:
    return [figure(*each) for each in revos_figures(pairs, taskset.roots.get("data"))]


def _revos_published(pairs: Iterable[Answered], taskset: TaskSet) -> list[Figure]:
    return [figure(*each) for each in revos_figures(pairs, taskset.roots.get("data"), published=taskset.masks)]


PROTOCOLS: dict[str, dict[str, Rule]] = {
    "refcoco-original": {"refer_box": _refcoco_boxes, "refer_mask": _refcoco_masks},
    "grefcoco-original": {"refer_box": _grefcoco_boxes, "refer_mask": _grefcoco_masks},
    "mevis-original": {"refer_mask_track": _tracks},
    "ref-youtube-vos-original": {"refer_mask_track": _tracks},
    "ref-davis17-original": {"refer_mask_track": _passes},
    "revos-original": {"refer_mask_track": _revos},
    "revos-published": {"refer_mask_track": _revos_published},
}
