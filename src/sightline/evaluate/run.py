"""A run on disk: one model's answers to one task set, their scores and their summary.

    DIR/run.json            which model, dialect, settings and task set, and with which packages (written first, whole)
        predictions.jsonl   one `types.Prediction` a line, in the order of the task set; only ever appended to
        scores.jsonl        one `types.Score` a line, same order (written whole by `score`)
        summary.json        every metric with n and interval (written whole by `summary`)
        waiting.jsonl       answers that came before their turn, only while there are any (`evaluate.journal`)
        timing.json         wall-clock figures and what the answers took, the only file that differs between two runs

Predictions stand in the order of the task set, so what is done is always a prefix, and "how many" is all that resuming needs.
A line without its newline is what a killed process left; it is cut off when the run is opened for writing and not read before.
"""

import json
import os
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sightline.errors import InputError
from sightline.files import read_json, write_json
from sightline.models import Model
from sightline.taskset.store import TaskSet
from sightline.types import Prediction, Record, Score

FORMAT = 1
T = TypeVar("T")
RUN, PREDICTIONS, SCORES, SUMMARY, TIMING = "run.json", "predictions.jsonl", "scores.jsonl", "summary.json", "timing.json"
WAITING = "waiting.jsonl"
PACKAGES = ("sightline", "numpy", "opencv-python-headless", "pycocotools", "msgspec")


class RunInfo(Record):
    """`run.json`. `model` is the name, `description` what `Model.describe` says; `taskset_path` is absolute, on this machine."""

    format: int
    model: str
    description: dict[str, Any]
    dialect: str | None
    dialect_options: dict[str, Any]
    task: str
    split: str
    taskset_name: str
    taskset_fingerprint: str
    taskset_path: str
    versions: dict[str, str]


def describe_run(taskset: TaskSet, model: Model) -> RunInfo:
    """What `run.json` says of this model on this task set."""
    dialect = model.dialect
    return RunInfo(
        format=FORMAT,
        model=model.name,
        description=model.describe(),
        dialect=dialect.name if dialect else None,
        dialect_options=dict(dialect.options()) if dialect else {},
        task=taskset.manifest.task,
        split=taskset.manifest.split,
        taskset_name=taskset.manifest.name,
        taskset_fingerprint=taskset.manifest.fingerprint,
        taskset_path=str(taskset.path.resolve()),
        versions={"python": ".".join(platform.python_version_tuple()[:2])} | {name: version(name) for name in PACKAGES},
    )


def set_names(sets: Sequence[tuple[str, str]]) -> list[str]:
    """What task sets, each a name and a path, are called beside each other: where several have one name, that of the folder they
    lie in stands before it (`tasks/vsi/spatial_qa-test` is `vsi-spatial_qa-test`)."""
    names = [name for name, _ in sets]
    return [name if names.count(name) == 1 else f"{Path(path).resolve().parent.name}-{name}" for name, path in sets]


def open_run(folder: Path, info: RunInfo) -> None:
    """Begin a run in `folder`, or accept the one that stands there if it is the same in everything but the task set's place.

    Raises:
        InputError: another model, option, task set or package version; the message names each difference. Or the folder holds
            predictions without a `run.json`.
    """
    path = folder / RUN
    if not path.exists():
        if (folder / PREDICTIONS).exists():
            raise InputError(f"{folder} has a {PREDICTIONS} but no {RUN}: it is not a run of ours. Choose another folder.")
        write_json(path, info)
        return
    stored = read_run(folder)
    differences = list(_differences(_identity(stored), _identity(info)))
    if differences:
        raise InputError(
            f"{folder} holds another run, and runs are never mixed: {'; '.join(differences)}. "
            "Choose another folder for this run, or give the stored options to go on with that one."
        )
    if stored.taskset_path != info.taskset_path:  # the same task set, moved
        write_json(path, info)


def read_run(folder: Path) -> RunInfo:
    """`run.json` of a run.

    Raises:
        FileNotFoundError: no run there.
        InputError: unreadable, or of another format.
    """
    path = folder / RUN
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} is not a run (no {RUN} in it). Make one with `sightline predict TASKSET --model M --out RUN`."
        )
    info = read_json(path, RunInfo)
    if info.format != FORMAT:
        raise InputError(f"{path}: format {info.format}; this version reads format {FORMAT}. Predict again into another folder.")
    return info


def read_predictions(folder: Path) -> Iterator[Prediction]:
    """The predictions of a run in stored order, one at a time: none before the first; a torn last line is not one.

    Raises:
        InputError: a complete line that is not a prediction; the message names file and line.
    """
    path = folder / PREDICTIONS
    return _read_lines(path, Prediction) if path.exists() else iter(())


def read_scores(folder: Path) -> Iterator[Score]:
    """The scores of a run in stored order, one at a time.

    Raises:
        FileNotFoundError: the run has not been scored since its last prediction.
        InputError: a line that is not a score.
    """
    if not (folder / SCORES).is_file():
        raise FileNotFoundError(f"{folder} has no {SCORES}. Score it first: `sightline score {folder}`.")
    return _read_lines(folder / SCORES, Score)


def count_predictions(folder: Path, ids: Sequence[str]) -> int:
    """How many of the examples `ids` (all of the task set, in order) have a prediction. Cuts a torn last line off.

    Raises:
        InputError: the predictions are not those of the first examples in order, so this file is not ours or was edited.
    """
    path = folder / PREDICTIONS
    if not path.exists():
        return 0
    cut_torn_line(path)
    done = 0
    for done, prediction in enumerate(read_predictions(folder), start=1):
        if done > len(ids) or prediction.id != ids[done - 1]:
            expected = repr(ids[done - 1]) if done <= len(ids) else "no more lines"
            raise InputError(
                f"{path}, line {done}: prediction of {prediction.id!r}, expected {expected} (the order of the task set). "
                "The file was edited or belongs to another run: move it away and predict again."
            )
    return done


def _identity(info: RunInfo) -> dict[str, Any]:
    plain = msgspec.to_builtins(info)
    return {name: value for name, value in plain.items() if name != "taskset_path"}


def _differences(stored: dict[str, Any], given: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name in sorted(stored.keys() | given.keys()):
        old, new = stored.get(name), given.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, f"{prefix}{name}.")
        elif old != new:
            yield f"{prefix}{name} is {json.dumps(old)} there and {json.dumps(new)} here"


def cut_torn_line(path: Path) -> None:
    """Truncate the file after its last newline."""
    with path.open("r+b") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(end - 65_536, 0)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            file.truncate(end)
            os.fsync(file.fileno())


def _read_lines(path: Path, kind: type[T]) -> Iterator[T]:
    decoder = msgspec.json.Decoder(kind)
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise InputError(f"{path}, line {number}: {error}. Move the file away and make it again.") from error
