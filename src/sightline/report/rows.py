"""Every example of every run as one table, `FILE.csv` or `FILE.parquet`: a row for each example and model, in stored order.

    task_set,task,split,model,id,scene,tier,object,label,visible,area,others,megapixels,slices,status,kind,right,..,values,answer,text

`slices`, `values` (further measurements of the score, by name) and `answer` are JSON, `area` a share of the view, `others` and
`megapixels` as in `report.bins`; the outcome is that of `types.Score`, empty where the run has not come to the example. In CSV
(UTF-8 with a byte order mark, so that spreadsheets know it) a text that a spreadsheet would take for a formula is led by a quote;
Parquet has texts as they came. The page's own CSV has fewer columns, in the same order.
"""

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from sightline.errors import InputError
from sightline.evaluate.taxonomy import ErrorKind
from sightline.files import whole_file
from sightline.report.gallery import Outcome, Row, aligned
from sightline.report.runs import AnsweredSet, Collection, collect
from sightline.types import Example

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_A_TIME = 10_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
COLUMNS: dict[str, str] = (
    dict.fromkeys(("task_set", "task", "split", "model", "id", "scene", "tier", "object", "label"), "string")
    | {"visible": "bool", "area": "double", "others": "double", "megapixels": "double", "slices": "string"}
    | {"status": "string", "kind": "string"}
    | dict.fromkeys(("right", "hit", "hit_dilated", "said_visible", "wrong_panel"), "bool")
    | dict.fromkeys(("l2_px", "l2_norm", "l2_over_size", "iou"), "double")
    | {"values": "string", "answer": "string", "text": "string"}
)
Progress = Callable[[int, int], None]


def check_rows_path(path: Path, report: Path | None = None) -> None:
    """Refuse a file of an unknown kind, and one inside the folder of the report, which is replaced as a whole.

    Raises:
        InputError: either of them.
    """
    if path.suffix not in WRITERS:
        raise InputError(f"--rows {path}: expected a name that ends in {' or '.join(WRITERS)}, which says how to write it.")
    if report is not None and path.resolve().is_relative_to(report.resolve()):
        raise InputError(f"--rows {path} lies in the report's folder {report}, which is replaced as a whole. Put it elsewhere.")


def write_rows(runs: Sequence[Path], path: Path, *, on_progress: Progress | None = None) -> int:
    """Write the table of scored runs, whole or not at all, and return its number of rows.

    `on_progress` is called with (rows done, rows in all).

    Raises:
        FileNotFoundError: a run, its scores or its task set is not there.
        InputError: a path of an unknown kind, or a run that does not belong to its task set.
    """
    check_rows_path(path)
    collection = collect(runs)
    total = sum(len(answered.taskset) * len(answered.runs) for answered in collection.sets)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        WRITERS[path.suffix](file, _noted(_all_rows(collection), total, on_progress))
    return total


def guard(text: str) -> str:
    """The text as a spreadsheet leaves it alone."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _noted(rows: Iterator[dict[str, Any]], total: int, on_progress: Progress | None) -> Iterator[dict[str, Any]]:
    for done, row in enumerate(rows, start=1):
        yield row
        if on_progress and (done % ROWS_AT_A_TIME == 0 or done == total):
            on_progress(done, total)


def _all_rows(collection: Collection) -> Iterator[dict[str, Any]]:
    for answered in collection.sets:
        labels = [collection.models[run.model_index].label for run in answered.runs]
        for row in aligned(answered):
            example = _example(answered, row)
            for label, outcome, kind in zip(labels, row.outcomes, row.kinds, strict=True):
                yield example | {"model": label} | _outcome(outcome, kind)


def _example(answered: AnsweredSet, row: Row) -> dict[str, Any]:
    example: Example = row.example
    numbers = {name: None if math.isnan(value) else value for name, value in row.numbers.items()}
    return {
        "task_set": answered.name,
        "task": example.question.task,
        "split": example.split,
        "id": example.id,
        "scene": example.group,
        "tier": example.tier,
        "object": example.object_id,
        "label": example.label,
        "visible": example.truth.visible,
        "area": numbers["area"],
        "others": numbers["others"],
        "megapixels": numbers["resolution"],
        "slices": msgspec.json.encode(example.slices).decode(),
    }


def _outcome(outcome: Outcome | None, kind: ErrorKind | None) -> dict[str, Any]:
    if outcome is None:
        return {}
    prediction, score = outcome
    answer = prediction.reading.answer
    return {
        "status": score.status,
        "kind": kind,
        "right": score.correct,
        "hit": score.hit,
        "hit_dilated": score.hit_dilated,
        "said_visible": score.said_visible,
        "wrong_panel": score.wrong_panel,
        "l2_px": score.l2_px,
        "l2_norm": score.l2_norm,
        "l2_over_size": score.l2_over_size,
        "iou": score.iou,
        "values": msgspec.json.encode(score.values).decode(),
        "answer": None if answer is None else msgspec.json.encode(answer).decode(),
        "text": prediction.text,
    }


def _write_csv(file: BinaryIO, rows: Iterator[dict[str, Any]]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        writer.writerows([_cell(row.get(name)) for name in COLUMNS] for row in rows)
    finally:
        text.detach()  # the file is the caller's to close


def _cell(value: object) -> object:
    """Truth values as JSON writes them, as the page's own CSV has them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return guard(value) if isinstance(value, str) else value


def _write_parquet(file: BinaryIO, rows: Iterator[dict[str, Any]]) -> None:
    import pyarrow as pa  # noqa: PLC0415 - 0.2 s that only this should pay
    import pyarrow.parquet as pq  # noqa: PLC0415

    schema = pa.schema([(name, _arrow_type(kind)) for name, kind in COLUMNS.items()])
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while some := list(islice(rows, ROWS_AT_A_TIME)):
            writer.write_table(pa.Table.from_pylist(some, schema=schema))


def _arrow_type(kind: str) -> "pa.DataType":
    import pyarrow as pa  # noqa: PLC0415

    return {"string": pa.string(), "bool": pa.bool_(), "double": pa.float64()}[kind]


WRITERS: dict[str, Callable[[BinaryIO, Iterator[dict[str, Any]]], None]] = {".csv": _write_csv, ".parquet": _write_parquet}
