"""The runs of a sweep beside each other: what was varied, the last loss, the best evaluation."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.files import read_json
from sightline.train.checkpoints import MAX_RECORD_BYTES, Pointer
from sightline.train.metrics import METRICS, read_metrics


@dataclass(frozen=True)
class RunLine:
    """A run in the comparison. `loss` is that of its last row, `best` is what `best.json` says; None: there is none."""

    varied: str
    step: int
    loss: float | None
    metric: str | None
    best: float | None
    best_step: int | None
    folder: str


def compare_runs(folders: Sequence[Path], varied: Sequence[str]) -> tuple[RunLine, ...]:
    """One line a run that has begun, in the given order; `varied` says of each what is its own."""
    return tuple(_line(folder, words) for folder, words in zip(folders, varied, strict=True) if folder.is_dir())


def comparison_csv(lines: Sequence[RunLine]) -> bytes:
    """The lines as CSV with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("run", "step", "loss", "metric", "best", "best_step", "folder"))
    for line in lines:
        writer.writerow((line.varied, line.step, line.loss, line.metric, line.best, line.best_step, line.folder))
    return text.getvalue().encode()


def _line(folder: Path, varied: str) -> RunLine:
    path = folder / METRICS
    rows = read_metrics(path) if path.is_file() else []
    last = rows[-1] if rows else {}
    found = folder / "checkpoints" / "best.json"
    best = read_json(found, Pointer, max_bytes=MAX_RECORD_BYTES) if found.is_file() else None
    return RunLine(
        varied=varied,
        step=int(last.get("step", 0)),
        loss=last.get("loss"),
        metric=best and best.metric,
        best=best and best.value,
        best_step=best and int(best.checkpoint.rpartition("-")[2]),
        folder=str(folder),
    )
