"""Protocol "x3-original": the definitions of the x3 pipeline's evaluator, mistakes included, so that old numbers can be compared.

Source: tools/eval_spatial_tasks.py and tools/build_spatial_tasks_x3.py of Solvement/RoboRefer-FineTuning.

- Mask: the dilated one if there is one, else the exact one; set where the value is above 0. Read from the file beside the query's
  original; where that is not at hand, the task set's stored mask (set from 128) takes its place, and both are counted.
- Truth: the centre of the mask's box from its smallest to its largest pixel index, rounded (halves to even), if the mask is set
  there, as (px + 0.5) / w with three decimals. Else they draw a pixel with a shared generator; the task set's own point stands in.
  For concatenated pictures it is in shares of view B, while the answer is in shares of the whole picture.
- Answer: `NOT_VISIBLE` anywhere in the text, else the first `[(x, y)]`, numbers of digits and dots. Answers without text, or in
  another dialect than roborefer, are written in that one first.
- Hit: over the parsed points only. The point is clamped to 0..1; its pixel is round(x * (w - 1)). Concatenated: x < 0.5 is a miss,
  else x becomes (x - 0.5) * 2.
- L2: in shares, over the parsed points only. Success: that distance below the limit (whether they count the limit itself is not
  known), over all visible objects, without regard to the mask.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from sightline import media
from sightline.dialects import Size, get_dialect
from sightline.errors import InputError
from sightline.evaluate.run import RunInfo, read_predictions, read_run
from sightline.evaluate.score import open_taskset
from sightline.export.x3.prompts import DIALECT
from sightline.export.x3.results import GroundTruth, Metrics, Parsed, Result, Results
from sightline.export.x3.rows import name_of_ours, read_answer, write_answer
from sightline.files import inside, write_json
from sightline.taskset.store import TaskSet
from sightline.types import Boxes, Example, NotVisible, Points, Prediction, Record

PROTOCOL = "x3-original"
SUMMARY = "summary.x3-original.json"
SUCCESS = 0.10


class X3Summary(Record):
    """`summary.x3-original.json`. `num_mask_files` visible examples were scored by a mask file, `num_stored_masks` by a stored
    mask; `num_rewritten` answers were written in the roborefer dialect first."""

    protocol: str
    run: RunInfo
    num_mask_files: int
    num_stored_masks: int
    num_rewritten: int
    metrics: Metrics


@dataclass
class _Tally:
    """Where masks and texts came from."""

    mask_files: int = 0
    stored_masks: int = 0
    rewritten: int = 0
    results: list[Result] = field(default_factory=list)


def evaluate_x3(folder: Path, *, taskset: Path | None = None, partial: bool = False) -> tuple[X3Summary, Results]:
    """Score a run by their definitions. Writes nothing.

    Raises:
        FileNotFoundError: no run or no task set.
        InputError: another task set than the run's, a task they do not have, predictions out of order, or missing ones without
            `partial`.
    """
    questions = open_taskset(folder, taskset)
    info = read_run(folder)
    tally = _Tally()
    scorer = _Scorer(questions, tally, verbatim=info.dialect == DIALECT)
    for example, prediction in _pairs(folder, questions):
        tally.results.append(scorer.score(example, prediction))
    missing = len(questions) - len(tally.results)
    if missing and not partial:
        raise InputError(f"{folder}: {missing:,} of {len(questions):,} examples have no prediction yet. Finish the run first.")
    results = Results(metrics=measure(tally.results), results=tuple(tally.results))
    summary = X3Summary(
        protocol=PROTOCOL,
        run=info,
        num_mask_files=tally.mask_files,
        num_stored_masks=tally.stored_masks,
        num_rewritten=tally.rewritten,
        metrics=results.metrics,
    )
    return summary, results


def summarise_x3(folder: Path, *, taskset: Path | None = None, partial: bool = False) -> X3Summary:
    """`evaluate_x3`, and its summary beside ours."""
    summary, _ = evaluate_x3(folder, taskset=taskset, partial=partial)
    write_json(folder / SUMMARY, summary)
    return summary


def export_results(folder: Path, path: Path, *, taskset: Path | None = None) -> Results:
    """Write a run's answers and metrics as the pipeline's evaluator does."""
    _, results = evaluate_x3(folder, taskset=taskset)
    write_json(path, results)
    return results


def measure(results: list[Result]) -> Metrics:
    """The metrics of their definitions; 0/0 is None."""
    visible = [result for result in results if not result.gt.is_not_visible]
    absent = [result for result in results if result.gt.is_not_visible]
    errors = np.array([result.l2_error for result in visible if result.l2_error is not None])
    hits = [result.hit_mask for result in visible if result.hit_mask is not None]

    def success(limit: float) -> float | None:
        return _share(int(np.count_nonzero(errors < limit)), len(visible))

    return Metrics(
        total=len(results),
        gt_not_visible=len(absent),
        visible_gt=len(visible),
        not_visible_accuracy=_share(sum(result.pred_parsed.is_not_visible for result in absent), len(absent)),
        mean_l2_error=float(errors.mean()) if errors.size else None,
        std_l2_error=float(errors.std()) if errors.size else None,
        median_l2_error=float(np.median(errors)) if errors.size else None,
        success_002=success(0.02),
        success_005=success(0.05),
        success_010=success(SUCCESS),
        hit_at_mask=_share(sum(hits), len(hits)),
        hit_at_mask_count=sum(hits),
        hit_at_mask_total=len(hits),
    )


def box_centre_point(mask: Bool[np.ndarray, "h w"]) -> tuple[float, float] | None:
    """Their truth point of a mask as shares with three decimals; None if the rounded centre of its box is not on it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    row, column = round((int(rows[0]) + int(rows[-1])) / 2), round((int(columns[0]) + int(columns[-1])) / 2)
    height, width = mask.shape
    return (round((column + 0.5) / width, 3), round((row + 0.5) / height, 3)) if mask[row, column] else None


def hit_at_mask(mask: Bool[np.ndarray, "h w"], coord: tuple[float, float], *, concatenated: bool) -> bool:
    """Their hit test of a point in shares of the picture that was shown."""
    x, y = coord
    if concatenated:
        if x < 0.5:
            return False
        x = (x - 0.5) * 2
    height, width = mask.shape
    return bool(mask[round(min(max(y, 0.0), 1.0) * (height - 1)), round(min(max(x, 0.0), 1.0) * (width - 1))])


class _Scorer:
    def __init__(self, taskset: TaskSet, tally: _Tally, *, verbatim: bool) -> None:
        self.taskset = taskset
        self.tally = tally
        self.verbatim = verbatim
        self.dialect = get_dialect(DIALECT)
        self.mask_of_file = lru_cache(maxsize=64)(_mask_above_zero)

    def score(self, example: Example, prediction: Prediction) -> Result:
        name = name_of_ours(example.id)
        text = self._text(example, prediction)
        said = read_answer(text)
        coord = None
        l2_error = success = hit = None
        if example.truth.visible:
            mask = self._mask(example)
            coord = box_centre_point(mask) or _own_point(example)
            if said.coord is not None:
                l2_error = float(np.hypot(said.coord[0] - coord[0], said.coord[1] - coord[1]))
                success = l2_error < SUCCESS
                hit = hit_at_mask(mask, said.coord, concatenated=example.question.task == "t1_concat")
        return Result(
            id=name.theirs if name else example.id,
            pred_text=text,
            pred_parsed=Parsed(is_not_visible=said.is_not_visible, coord=said.coord),
            gt=GroundTruth(text=write_answer(coord), is_not_visible=coord is None, coord=coord),
            l2_error=l2_error,
            success_l2_010=success,
            hit_mask=hit,
        )

    def _text(self, example: Example, prediction: Prediction) -> str:
        """The answer as their parser gets it. An answer of which no geometry is known is an empty text."""
        if self.verbatim and prediction.text is not None:
            return prediction.text
        answer = prediction.reading.answer
        sizes = [Size.of(image) for image in example.question.images]
        match answer:
            case Points(image_index=index) | Boxes(image_index=index) if not 0 <= index < len(sizes):
                return ""
            case Points() | Boxes() | NotVisible():
                self.tally.rewritten += 1
                return self.dialect.encode(answer, sizes)
        return ""

    def _mask(self, example: Example) -> Bool[np.ndarray, "h w"]:
        truth = example.truth
        assert truth.mask is not None, "a visible object has a mask"
        stored = self.taskset.read_mask(truth.mask_dilated or truth.mask)
        for path in self._mask_files(example):
            found = self.mask_of_file(path)
            if found.shape == stored.shape and found.any():
                self.tally.mask_files += 1
                return found
        self.tally.stored_masks += 1
        return stored

    def _mask_files(self, example: Example) -> Iterator[Path]:
        """The mask files beside the query's original that are there, the dilated one first."""
        name = name_of_ours(example.id)
        root = self.taskset.roots.get("data")
        if name is None or root is None:
            return
        for kind in ("mask_dialated", "mask"):
            path = inside(root, f"{example.split}/{name.scene}/uid_{name.uid}/{name.views[-1]}_{kind}.png")
            if path.is_file():
                yield path


def _mask_above_zero(path: Path) -> Bool[np.ndarray, "h w"]:
    return media.read_rgb(path).max(axis=2) > 0


def _own_point(example: Example) -> tuple[float, float]:
    """The task set's true point as shares of the query's view, three decimals."""
    answer = example.truth.answer
    assert isinstance(answer, Points), "these tasks ask for a point"
    panel = example.question.panels[example.truth.panel_index]
    x, y = answer.points[0]
    return round((x - panel.x) / panel.source.width, 3), round((y - panel.y) / panel.source.height, 3)


def _pairs(folder: Path, taskset: TaskSet) -> Iterator[tuple[Example, Prediction]]:
    examples = iter(taskset)
    for prediction in read_predictions(folder):
        example = next(examples, None)
        if example is None or example.id != prediction.id:
            raise InputError(f"{folder}: the prediction of {prediction.id!r} is out of the task set's order. Predict again.")
        if example.question.form.shape != "point":
            shape = example.question.form.shape
            raise InputError(f"{folder}: {example.id!r} asks for a {shape}; the protocol {PROTOCOL} knows points only.")
        yield example, prediction


def _share(count: int, total: int) -> float | None:
    return count / total if total else None
