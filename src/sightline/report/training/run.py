"""What a training left in its folder (`train.folder`), as far as it is there: a run that was killed can be looked at, too."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv
from jaxtyping import Float

from sightline.errors import InputError
from sightline.files import read_json
from sightline.train.checkpoints import MAX_RECORD_BYTES, Pointer
from sightline.train.config.compose import flatten
from sightline.train.folder import CONFIG, RUN, RunRecord, read_config
from sightline.train.metrics import METRICS
from sightline.train.vlm.shown import BATCHES, SAMPLES, DecodedBatch, Shown, read_lines
from sightline.types import LedgerEntry

NUM_PAINTS = 7
LEDGERS = {"left-out.jsonl": "before the run", "ledger.jsonl": "while it trained"}


class TrainedPart(msgspec.Struct, frozen=True):
    """A line of `parts.json`."""

    name: str
    how: str
    lr: float
    num_tensors: int
    num_parameters: int
    num_trained: int


@dataclass(frozen=True)
class Stage:
    """A stage of a curriculum: its updates are `first` to `last`, counted from 1."""

    name: str
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class Curve:
    """A number by step: finite values only, steps ascending."""

    steps: Float[np.ndarray, " n"]
    values: Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """A run as the page shows it. `settings` are the leaves of `config.yaml` by their dotted keys."""

    folder: Path
    name: str
    number: int
    record: RunRecord
    settings: Mapping[str, object]
    numbers: Mapping[str, Curve]
    parts: tuple[TrainedPart, ...]

    @property
    def letter(self) -> str:
        """A to Z, then A1 to Z1, ..."""
        turn, place = divmod(self.number, 26)
        return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[place] + (str(turn) if turn else "")

    @property
    def paint(self) -> str:
        """The style class of the run's colour."""
        return f"run-{self.number % NUM_PAINTS}"

    @property
    def step(self) -> int:
        """The last update that a number is known of; 0: none."""
        return max((int(curve.steps[-1]) for curve in self.numbers.values()), default=0)

    @property
    def metric(self) -> str | None:
        """What the best evaluation is judged by."""
        found = self.settings.get("evaluation.metric")
        return found if isinstance(found, str) and f"eval/{found}" in self.numbers else None

    @cached_property
    def best(self) -> Pointer | None:
        """The content of `best.json`."""
        path = self.folder / "checkpoints" / "best.json"
        return read_json(path, Pointer, max_bytes=MAX_RECORD_BYTES) if path.is_file() else None

    @property
    def best_step(self) -> int | None:
        """After how many updates the best evaluation was."""
        return None if self.best is None else int(self.best.checkpoint.rpartition("-")[2])

    @property
    def max_steps(self) -> int:
        """The updates that the run was to make."""
        found = self.settings.get("trainer.max_steps")
        return found if isinstance(found, int) else self.step

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The curriculum, none where there is one stage only."""
        stages, first = [], 1
        for each in _mappings(self.settings.get("stages")):
            until = each.get("until_step")
            last = until if isinstance(until, int) else self.max_steps
            stages.append(Stage(str(each.get("name")), first, last))
            first = last + 1
        return tuple(stages)

    @cached_property
    def shown(self) -> list[Shown]:
        """Answers of the evaluations."""
        return read_lines(self.folder / SAMPLES, Shown) if (self.folder / SAMPLES).is_file() else []

    @cached_property
    def batches(self) -> list[DecodedBatch]:
        """First batches of the stages."""
        return read_lines(self.folder / BATCHES, DecodedBatch) if (self.folder / BATCHES).is_file() else []

    def left_out(self) -> dict[str, Counter[str]]:
        """For each ledger that is there, when it was written and how many entries there are by reason."""
        paths = {words: self.folder / name for name, words in LEDGERS.items()}
        return {words: Counter(entry.reason for entry in _entries(path)) for words, path in paths.items() if path.is_file()}

    def scored_objects(self) -> tuple[int, list[str], list[list[str]]] | None:
        """The scores of held-out objects (`train.sam2`) of the best evaluation or else the last: its step, header and rows."""
        paths = sorted((self.folder / "validation").glob("step-*.csv"))
        if not paths:
            return None
        best = self.folder / "validation" / f"step-{self.best_step or 0:08d}.csv"
        path = best if best in paths else paths[-1]
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        return int(path.stem.rpartition("-")[2]), header, rows

    def told(self, pattern: str) -> list[str]:
        """The names of numbers that begin with `pattern`, or end with it where it begins with "*"."""
        if pattern.startswith("*"):
            return [name for name in self.numbers if name.endswith(pattern[1:])]
        return [name for name in self.numbers if name.startswith(pattern)]


def read_training(folder: Path, *, name: str, number: int) -> TrainingRun:
    """The run in `folder`.

    Raises:
        InputError: a file in it is not what it should be.
    """
    parts = folder / "parts.json"
    return TrainingRun(
        folder=folder,
        name=name,
        number=number,
        record=read_json(folder / RUN, RunRecord),
        settings=dict(flatten(read_config(folder / CONFIG))),
        numbers=read_numbers(folder / METRICS) if (folder / METRICS).is_file() else {},
        parts=read_json(parts, tuple[TrainedPart, ...]) if parts.is_file() else (),
    )


def read_numbers(path: Path) -> dict[str, Curve]:
    """The columns of a `metrics.csv`; cells that are empty or not finite are left out, as is a last row that was cut off.

    Raises:
        InputError: rows that are no numbers, or without a step.
    """
    content = path.read_bytes()
    content = content[: content.rfind(b"\n") + 1]
    if content.count(b"\n") < 2:
        return {}
    try:
        names = _table(content[: content.index(b"\n") + 1]).column_names
        table = _table(content, dict.fromkeys(names, pa.float64()))
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: not every row is numbers: {error}. Delete the row, or the file.") from error
    if "step" not in table.column_names:
        raise InputError(f"{path}: no column 'step'; it is not a training's. Delete the file.")
    steps = table["step"].to_numpy()
    curves = {}
    for name in table.column_names[1:]:
        values = table[name].to_numpy()
        known = np.isfinite(values)
        if known.any():
            curves[name] = Curve(steps[known], values[known])
    return curves


def _table(content: bytes, types: Mapping[str, pa.DataType] | None = None) -> pa.Table:
    return pyarrow.csv.read_csv(pa.BufferReader(content), convert_options=pyarrow.csv.ConvertOptions(column_types=types))


def _mappings(value: object) -> Iterator[Mapping[str, object]]:
    return (each for each in (value if isinstance(value, Sequence) else ()) if isinstance(each, Mapping))


def _entries(path: Path) -> Iterator[LedgerEntry]:
    decoder = msgspec.json.Decoder(LedgerEntry)
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            yield decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}, line {number}: {error}. Delete the line.") from error
