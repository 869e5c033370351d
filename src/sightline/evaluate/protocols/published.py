"""A benchmark's run by its authors' own rule, and beside it ours.

    RUN/summary.refspatial-original.json      (where2place-original, robospatial-original)

Their rules read texts. An answer without text, or in a dialect that their script has no parser for, is written as RoboRefer writes
points first, and counted (`num_rewritten`). Masks are read from the benchmark's own files; where these are not at hand, the task
set's mask (set from 128) takes their place, and is counted (`num_stored_masks`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from sightline import media
from sightline.datasets.questions.cells import picture_source
from sightline.datasets.questions.point_text import parse_points
from sightline.dialects import Size, get_dialect
from sightline.errors import InputError
from sightline.evaluate.protocols.refspatial_original import PARSERS, Parser, ParserFails, ScriptStops, share_on_mask
from sightline.evaluate.protocols.robospatial_original import begins_with, first_point, inside
from sightline.evaluate.protocols.where2place_original import in_shares_of_vga
from sightline.evaluate.run import RunInfo, read_predictions, read_run
from sightline.evaluate.score import open_taskset
from sightline.files import write_json
from sightline.taskset.store import TaskSet
from sightline.types import Boxes, Choice, Example, Points, Prediction, Record

WRITTEN_AS = "roborefer"
Outcome = Literal["counted", "left_out", "stopped", "ill_formed"]


class PublishedSummary(Record):
    """`summary.{protocol}.json`. `accuracy` is the mean over `n` answers; `num_left_out` of the `num_answers` made their parser
    fail, `num_stopped` would have ended their script (counted 0), `num_ill_formed` had no point (counted 0). `num_unusable`
    questions of the benchmark are not in the task set: then the number is not the benchmark's."""

    protocol: str
    run: RunInfo
    accuracy: float | None
    n: int
    num_answers: int
    num_left_out: int
    num_stopped: int
    num_ill_formed: int
    num_rewritten: int
    num_stored_masks: int
    num_unusable: int


@dataclass(frozen=True)
class Counted:
    """One answer by their rule: its share (0..1), and what became of it."""

    value: float
    outcome: Outcome = "counted"
    rewritten: bool = False
    stored_mask: bool = False


def summary_file(protocol: str) -> str:
    """The name of the summary beside ours."""
    return f"summary.{protocol}.json"


def protocol_of(task: str) -> str | None:
    """The authors' protocol of a task; None where they have none."""
    return next((name for name, (tasks, _) in PROTOCOLS.items() if task in tasks), None)


def summarise_published(folder: Path, protocol: str, *, taskset: Path | None = None, partial: bool = False) -> PublishedSummary:
    """Score a run by a protocol of `PROTOCOLS`, and write the summary.

    Raises:
        FileNotFoundError: no run or no task set.
        InputError: another task set than the run's, a task of another benchmark, or missing predictions without `partial`.
    """
    questions, info = open_taskset(folder, taskset), read_run(folder)
    tasks, count = PROTOCOLS[protocol]
    if info.task not in tasks:
        own = protocol_of(info.task)
        advice = f"Its authors' protocol is {own}." if own else "No benchmark's authors have one for it."
        raise InputError(f"{folder}: protocol {protocol} is for {', '.join(tasks)}, the run answers {info.task}. {advice}")
    scorer = _Scorer(questions, info)
    counted = [count(scorer, example, prediction) for example, prediction in _pairs(folder, questions)]
    if missing := (0 if partial else len(questions) - len(counted)):
        raise InputError(f"{folder}: {missing:,} of {len(questions):,} examples have no prediction yet. Finish the run first.")
    values = [one.value for one in counted if one.outcome != "left_out"]
    outcomes = [one.outcome for one in counted]
    summary = PublishedSummary(
        protocol=protocol,
        run=info,
        accuracy=float(np.mean(values)) if values else None,
        n=len(values),
        num_answers=len(counted),
        num_left_out=outcomes.count("left_out"),
        num_stopped=outcomes.count("stopped"),
        num_ill_formed=outcomes.count("ill_formed"),
        num_rewritten=sum(one.rewritten for one in counted),
        num_stored_masks=sum(one.stored_mask for one in counted),
        num_unusable=sum(questions.manifest.dropped.values()),
    )
    write_json(folder / summary_file(protocol), summary)
    return summary


class _Scorer:
    """What the answers of one run have in common."""

    def __init__(self, taskset: TaskSet, info: RunInfo) -> None:
        self.taskset = taskset
        self.spoken = info.dialect
        self.written = get_dialect(WRITTEN_AS)

    def refspatial(self, example: Example, prediction: Prediction) -> Counted:
        grey, stored = self._grey(example)
        mask = (grey > 0).astype(np.float64)
        return self._share(example, prediction, parsers=PARSERS, weights=mask, stored_mask=stored)

    def where2place(self, example: Example, prediction: Prediction) -> Counted:
        grey, stored = self._grey(example)
        return self._share(example, prediction, parsers={WRITTEN_AS: in_shares_of_vga}, weights=grey / 255, stored_mask=stored)

    def robospatial(self, example: Example, prediction: Prediction) -> Counted:
        assert example.published is not None, "a benchmark's example has its published form"
        is_word = isinstance(example.truth.answer, Choice)
        text, rewritten = self._text(example, prediction, verbatim=is_word or self.spoken == WRITTEN_AS)
        if isinstance(example.truth.answer, Choice):
            outcome: Outcome = "counted" if text.strip() else "ill_formed"
            return Counted(float(begins_with(text, example.truth.answer.value)), outcome, rewritten)
        corners, point = parse_points(example.published.answer), first_point(text)
        assert corners is not None, "the reader takes no other answer"
        if point is None:
            return Counted(0.0, "ill_formed", rewritten)
        return Counted(float(inside(point, corners)), "counted", rewritten)

    def _share(
        self,
        example: Example,
        prediction: Prediction,
        *,
        parsers: dict[str, Parser],
        weights: Float[np.ndarray, "h w"],
        stored_mask: bool,
    ) -> Counted:
        text, rewritten = self._text(example, prediction, verbatim=self.spoken in parsers)
        parse = parsers[WRITTEN_AS if rewritten or self.spoken is None else self.spoken]
        height, width = weights.shape
        try:
            return Counted(share_on_mask(parse(text, width, height), weights), "counted", rewritten, stored_mask)
        except ParserFails:
            return Counted(0.0, "left_out", rewritten, stored_mask)
        except ScriptStops:
            return Counted(0.0, "stopped", rewritten, stored_mask)

    def _text(self, example: Example, prediction: Prediction, *, verbatim: bool) -> tuple[str, bool]:
        """The answer as their parser gets it, and whether it was written anew. An answer that says nothing is an empty text."""
        if verbatim and prediction.text is not None:
            return prediction.text, False
        answer = prediction.reading.answer
        sizes = [Size.of(image) for image in example.question.images]
        match answer:
            case Points(image_index=index) | Boxes(image_index=index) if not 0 <= index < len(sizes):
                return "", True
            case Points() | Boxes() | Choice():
                return self.written.encode(answer, sizes), True
        return "", True

    def _grey(self, example: Example) -> tuple[Float[np.ndarray, "h w"], bool]:
        """The mask file's first channel (0..255), and whether the stored mask stands in for it."""
        truth, published, root = example.truth, example.published, self.taskset.roots.get("data")
        assert truth.mask is not None, "a region has a mask"
        assert published is not None, "a benchmark's example has its published form"
        if published.mask is not None and root is not None and (root / published.mask.path).is_file():
            return media.read_rgb(picture_source(root, published.mask))[:, :, 0].astype(np.float64), False
        return self.taskset.read_mask(truth.mask) * 255.0, True


Rule = Callable[[_Scorer, Example, Prediction], Counted]
PROTOCOLS: dict[str, tuple[tuple[str, ...], Rule]] = {
    "refspatial-original": (("refspatial_bench",), _Scorer.refspatial),
    "where2place-original": (("where2place",), _Scorer.where2place),
    "robospatial-original": (("robospatial_home", "robospatial_home_yesno"), _Scorer.robospatial),
}


def _pairs(folder: Path, taskset: TaskSet) -> Iterator[tuple[Example, Prediction]]:
    examples = iter(taskset)
    for prediction in read_predictions(folder):
        example = next(examples, None)
        if example is None or example.id != prediction.id:
            raise InputError(f"{folder}: the prediction of {prediction.id!r} is out of the task set's order. Predict again.")
        yield example, prediction
