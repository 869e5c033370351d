"""The numbers of a run by step: `metrics.csv`, and the loggers of Lightning.

`metrics.csv` has one row a step, and a column for every name that came up; a cell is empty where a number was not measured. Numbers
are written so that they read back as the same bits. Going on from a checkpoint drops the rows after it.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.errors import InputError
from sightline.files import sync_path, write_whole
from sightline.train.settings import EngineSettings

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

METRICS = "metrics.csv"


class MetricsFile:
    """Rows of numbers, appended.

    Args:
        path: `RUN/metrics.csv`.
        start: rows after this step are dropped: they will come again.
    """

    def __init__(self, path: Path, *, start: int) -> None:
        self.path = path
        rows = [row for row in read_metrics(path) if row["step"] <= start] if path.exists() else []
        self.names = list(dict.fromkeys(["step", *(name for row in rows for name in row)]))
        self._rewrite(rows)

    def append(self, step: int, numbers: Mapping[str, float]) -> None:
        """One row. A name that is new makes a column, for which the file is written anew."""
        row = {"step": float(step), **numbers}
        new = [name for name in row if name not in self.names]
        if new:
            rows = read_metrics(self.path)
            self.names += new
            self._rewrite([*rows, row])
            return
        with self.path.open("a", newline="") as file:
            file.write(self._line(row))

    def sync(self) -> None:
        """Make the rows durable."""
        sync_path(self.path)

    def _rewrite(self, rows: Sequence[Mapping[str, float]]) -> None:
        header = self._csv(self.names)
        write_whole(self.path, (header + "".join(self._line(row) for row in rows)).encode())

    def _line(self, row: Mapping[str, float]) -> str:
        return self._csv([_cell(name, row[name]) if name in row else "" for name in self.names])

    @staticmethod
    def _csv(cells: Sequence[str]) -> str:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(cells)
        return line.getvalue()


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The rows of a `metrics.csv`. A last row that was cut off while it was written is left out.

    Raises:
        InputError: a row that is no numbers.
    """
    text = path.read_text("utf-8")
    lines = text.splitlines()
    if not text.endswith("\n"):
        lines = lines[:-1]
    if not lines:
        return []
    names, *rows = csv.reader(lines)
    try:
        return [{name: float(cell) for name, cell in zip(names, row, strict=True) if cell} for row in rows]
    except ValueError as error:
        raise InputError(f"{path}: not every row has {len(names)} numbers: {error}. Delete the row, or the file.") from error


def lightning_loggers(settings: EngineSettings, folder: Path) -> "list[Logger]":
    """The logger that is asked for beside `metrics.csv`.

    Raises:
        InputError: its package is not installed.
    """
    try:
        if settings.logger == "tensorboard":
            import tensorboard  # noqa: F401, PLC0415 # pyright: ignore[reportMissingImports]
            from lightning.pytorch.loggers import TensorBoardLogger  # noqa: PLC0415

            return [TensorBoardLogger(save_dir=folder, name="", version="tensorboard")]
        if settings.logger == "wandb":
            import wandb  # noqa: F401, PLC0415 # pyright: ignore[reportMissingImports]
            from lightning.pytorch.loggers import WandbLogger  # noqa: PLC0415

            name = settings.run.name or folder.name
            return [WandbLogger(name=name, project=settings.run.project, save_dir=folder, id=_wandb_id(folder), resume="allow")]
    except ImportError as error:
        raise InputError(
            f"logger={settings.logger} needs the package {settings.logger}, which is not installed ({error}). "
            f"`pip install {settings.logger}`, or use logger=csv."
        ) from error
    return []


def _wandb_id(folder: Path) -> str:
    """Of the run's own place, so that a resumed run goes on in the same curve."""
    return "-".join(folder.resolve().parts[-3:]).replace("=", "-").replace(",", "-")[:120]


def _cell(name: str, value: float) -> str:
    return str(int(value)) if name == "step" else repr(float(value))
