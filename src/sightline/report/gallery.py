"""The data of a report's gallery: one pass over each task set and its runs, a chunk of rows at a time."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sightline.errors import InputError
from sightline.evaluate.run import read_predictions, read_scores
from sightline.evaluate.taxonomy import ErrorKind, Neighbours, error_kind
from sightline.report.bins import bin_values, bins_of
from sightline.report.clips import boundaries_of, hidden_images, overlaps_of, shown_frames, track_detail
from sightline.report.columns import RowColumns, RunColumns
from sightline.report.confusions import Companions, Confusion, marks, refers
from sightline.report.depths import DepthPictures
from sightline.report.details import confusion_detail, example_detail, mask_ids, prediction_detail
from sightline.report.markup import script, shorten
from sightline.report.outlines import outline_path
from sightline.report.pictures import Pictures
from sightline.report.runs import AnsweredSet, Collection, Run
from sightline.report.saw import Eyes
from sightline.report.tally import Contents, Counts, Tally
from sightline.taskset.store import TaskSet
from sightline.types import Example, ImageRef, Prediction, Score

CHUNK_ROWS = 40
NUM_SEARCHED = 300  # characters of each text that a search looks at
Outcome = tuple[Prediction, Score]


@dataclass(frozen=True)
class Row:
    """An example with what each run of its task set made of it, the kind of error and the other object that the answer overlaps
    most; None where a run has not come to it. `numbers` are those that `report.bins` bins by."""

    example: Example
    outcomes: tuple[Outcome | None, ...]
    kinds: tuple[ErrorKind | None, ...]
    numbers: Mapping[str, float]
    confusions: tuple[Confusion | None, ...]

    @functools.cached_property
    def overlaps(self) -> tuple[list[float | None] | None, ...]:
        """Frame by frame, of each run; None where no track is asked for."""
        return tuple(overlaps_of(self.example, outcome[0]) if outcome else None for outcome in self.outcomes)

    @property
    def shown(self) -> tuple[int, ...]:
        """The frames of the clip that the page shows."""
        return shown_frames(self.example, self.overlaps)

    @property
    def pictures(self) -> list[ImageRef]:
        """The pictures that the page shows."""
        left_out = hidden_images(self.example, self.shown)
        return [ref for index, ref in enumerate(self.example.question.images) if index not in left_out]


class Gallery:
    """Writes `data/` and the pictures into `folder`.

    Args:
        pool: where pictures and outlines are made.
        max_examples: how many of each task set to show; None is all.

    """

    def __init__(self, folder: Path, pool: Executor, *, max_examples: int | None = None) -> None:
        self.folder = folder
        self.pool = pool
        self.max_examples = max_examples
        self.pictures = Pictures(folder / "assets", pool)
        self.depths = DepthPictures(folder / "assets", pool)
        self.has_masks = self.has_evidence = False
        self.rows = RowColumns()
        self.counts = Counts()
        self.pending: list[dict[str, Any]] = []
        self.outlines: dict[str, str] = {}
        self.num_chunks = 0

    def write(self, collection: Collection, *, on_rows: Callable[[int], None]) -> None:
        """Write all rows and the index; `on_rows` is called with the number of rows done so far.

        Raises:
            FileNotFoundError, InputError: a picture, a mask, a prediction or a score is missing, damaged or of another example.
        """
        sets, runs = [], []
        for answered in collection.sets:
            first = len(self.rows.ids)
            columns = self._write_set(answered, on_rows=on_rows)
            manifest = answered.taskset.manifest
            count = len(self.rows.ids) - first
            sets.append({"name": answered.name, "task": manifest.task, "first": first, "count": count})
            for run, (run_columns, texts) in zip(answered.runs, columns, strict=True):
                has_texts = any(texts)
                if has_texts:
                    self._write_data(f"texts-{len(runs)}", texts)
                place = {"set": run.set_index, "model": run.model_index, "has_texts": has_texts}
                runs.append(place | run_columns.columns())
        self._flush()
        models = [{"label": model.label, "letter": model.letter} for model in collection.models]
        layers = {"depth": bool(self.depths.written), "agreement": self.has_masks, "evidence": self.has_evidence}
        index = {"sets": sets, "models": models, "runs": runs, "chunk_rows": CHUNK_ROWS, "layers": layers}
        self._write_data("index", index | self.rows.columns())

    def _write_set(self, answered: AnsweredSet, *, on_rows: Callable[[int], None]) -> list[tuple[RunColumns, list[str]]]:
        columns = [(RunColumns(self.rows.mark_sets), list[str]()) for _ in answered.runs]
        eyes = [Eyes(run.info) for run in answered.runs]
        shown_in = {seen_by.name: seen_by.dialect for seen_by in eyes if seen_by.dialect} or {"": None}
        depth_of = functools.partial(self.depths.of, answered.taskset)
        everything = self._counted(answered)
        rows = islice(everything, self.max_examples)
        while batch := list(islice(rows, CHUNK_ROWS - len(self.pending))):
            self._draw(answered.taskset, batch, eyes)
            for row in batch:
                self.rows.add(row.example, row.numbers)
                self.has_masks |= row.example.question.form.shape in ("mask", "mask_track")
                self.has_evidence |= "boxes" in row.example.evidence
                for (run_columns, texts), outcome, kind, confusion in zip(
                    columns, row.outcomes, row.kinds, row.confusions, strict=True
                ):
                    run_columns.add(
                        outcome[1] if outcome else None, kind, marks(row.example, outcome[0], confusion) if outcome else ()
                    )
                    texts.append(_searched(outcome))
                self.pending.append(_detail(row, eyes, functools.partial(example_detail, row.example, shown_in, depth_of)))
            if len(self.pending) == CHUNK_ROWS:
                self._flush()
            on_rows(len(self.rows.ids))
        for _ in everything:  # those that are not shown are counted all the same
            pass
        return columns

    def _counted(self, answered: AnsweredSet) -> Iterator[Row]:
        tallies = [self.counts.runs.setdefault(run.folder, Tally()) for run in answered.runs]
        contents = self.counts.sets.setdefault(answered.name, Contents())
        for row in aligned(answered):
            bins = bins_of(row.numbers)
            contents.add(row.example, bins)
            for tally, outcome, kind, confusion in zip(tallies, row.outcomes, row.kinds, row.confusions, strict=True):
                if outcome and kind is not None:
                    tally.add(row.example, outcome[1], kind, bins)
                    if refers(row.example.question):
                        tally.referring.add(row.example, outcome[0], confusion)
            yield row

    def _draw(self, taskset: TaskSet, rows: Sequence[Row], eyes: Sequence[Eyes]) -> None:
        """The pictures and outlines that these rows need."""
        self.pictures.add_previews(taskset, (ref for row in rows for ref in row.pictures))
        seen = (
            picture
            for row in rows
            for outcome, seen_by in zip(row.outcomes, eyes, strict=True)
            if outcome
            for picture in seen_by.processed(row.example, outcome[0])
        )
        self.pictures.add_processed(taskset, seen)
        self.depths.add(taskset, (panel.depth for row in rows for panel in row.example.question.panels if panel.depth is not None))
        wanted = list(dict.fromkeys(mask for row in rows for mask in mask_ids(row.example)))
        self.outlines |= zip(wanted, self.pool.map(lambda mask: outline_path(taskset.read_mask(mask)), wanted), strict=True)

    def _flush(self) -> None:
        if not self.pending:
            return
        self._write_data(f"rows-{self.num_chunks}", {"rows": self.pending, "outlines": self.outlines})
        self.num_chunks += 1
        self.pending, self.outlines = [], {}

    def _write_data(self, name: str, value: object) -> None:
        (self.folder / "data" / f"{name}.js").write_bytes(script(name, value))


def _detail(row: Row, eyes: Sequence[Eyes], about: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """A row as the page reads it; `about` makes the part without answers."""
    answers: list[dict[str, Any] | None] = []
    for outcome, overlaps, seen_by, confusion in zip(row.outcomes, row.overlaps, eyes, row.confusions, strict=True):
        answer = prediction_detail(row.example, *outcome, seen_by) if outcome else None
        if outcome and answer is not None and row.example.question.clip is not None:
            boundaries = boundaries_of(row.example, outcome[0])
            answer["track"] = track_detail(outcome[0].reading, overlaps, row.shown) | {"boundaries": boundaries or []}
        if answer is not None:
            answer["confusion"] = confusion_detail(confusion)
        answers.append(answer)
    return about(shown=row.shown) | {"runs": answers}


def aligned(answered: AnsweredSet) -> Iterator[Row]:
    """Each example with every run's prediction and score; runs end where they were stopped.

    Raises:
        InputError: a run's lines are not in the order of the task set, or its scores are not of its predictions.
    """
    streams = [_outcomes(run) for run in answered.runs]
    neighbours = Neighbours(answered.taskset)
    companions = Companions(answered.taskset, answered.taskset.masks)
    masks = answered.taskset.read_mask
    for example in answered.taskset:
        outcomes = tuple(next(stream, None) for stream in streams)
        for run, outcome in zip(answered.runs, outcomes, strict=True):
            if outcome and outcome[1].id != example.id:
                raise InputError(
                    f"{run.folder}: a score of {outcome[1].id!r} stands where that of {example.id!r} belongs (the order of the "
                    "task set). The file was edited: score the run again."
                )
        others = neighbours.of(example)
        kinds: list[ErrorKind | None] = [
            error_kind(example, *outcome, masks, others=others) if outcome else None for outcome in outcomes
        ]
        confusions = tuple(companions.confusion(example, outcome[0].reading) if outcome else None for outcome in outcomes)
        yield Row(example, outcomes, tuple(kinds), bin_values(example, others, answered.taskset.masks), confusions)


def _outcomes(run: Run) -> Iterator[Outcome]:
    """Predictions with their scores. A partial scoring ends early; so do the rows of the run."""
    for prediction, score in zip(read_predictions(run.folder), read_scores(run.folder), strict=False):
        if prediction.id != score.id:
            raise InputError(
                f"{run.folder}: the score of {score.id!r} stands beside the prediction of {prediction.id!r}. "
                f"Score the run again: `sightline score {run.folder}`."
            )
        yield prediction, score


def _searched(outcome: Outcome | None) -> str:
    """The start of a run's text as a search compares it: lower case, hidden characters shown."""
    if outcome is None or outcome[0].text is None:
        return ""
    return shorten(outcome[0].text, limit=NUM_SEARCHED)[0].lower()
