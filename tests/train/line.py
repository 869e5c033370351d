"""The smallest thing that can be trained: a line through points, with dropout, so that random numbers matter."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sightline.train.config.compose import Composed
from sightline.train.folder import is_first_process, open_run
from sightline.train.loop import Outcome, train
from sightline.train.settings import EngineSettings, RunSettings
from sightline.train.trainable import BatchNote, Processes

ROWS = 4  # of a batch, over all processes


class Line:
    """Learns y = 2a - 3b. Batch n holds rows 4n to 4n+3; `spoilt` is the batch whose target is not a number."""

    def __init__(self, *, width: int = 8, spoilt: int = -1, dropout: float = 0.1) -> None:
        torch.manual_seed(0)
        self.module = nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Dropout(dropout), nn.Linear(width, 1))
        self.spoilt = spoilt
        self.seen: list[int] = []
        self.scores: dict[int, float] = {}

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"name": "all", "params": list(self.module.parameters()), "lr": 0.05, "weight_decay": 0.01}]

    def batches(self, numbers: range, processes: Processes) -> Iterator[tuple[int, Tensor, Tensor]]:
        share = ROWS // processes.count
        for number in numbers:
            points = np.random.default_rng((7, number)).normal(size=(ROWS, 2)).astype(np.float32)
            mine = torch.from_numpy(points[processes.rank * share : (processes.rank + 1) * share])
            target = 2 * mine[:, :1] - 3 * mine[:, 1:]
            yield number, mine, target * float("nan") if number == self.spoilt else target

    def to_device(self, batch: tuple[int, Tensor, Tensor], device: torch.device) -> tuple[int, Tensor, Tensor]:
        return batch[0], batch[1].to(device), batch[2].to(device)

    def note(self, batch: tuple[int, Tensor, Tensor]) -> BatchNote:
        rows = range(ROWS * batch[0], ROWS * batch[0] + len(batch[1]))
        return BatchNote(ids=[f"row-{row}" for row in rows], counts={"rows": len(batch[1])})

    def losses(self, batch: tuple[int, Tensor, Tensor], number: int) -> Mapping[str, Tensor]:
        assert number == batch[0], "the loop and the data agree on the number"
        self.seen.append(number)
        answer = self.module(batch[1])
        return {"square": ((answer - batch[2]) ** 2).mean(), "size": 0.01 * answer.abs().mean()}

    def evaluate(self, step: int) -> dict[str, float]:
        assert not self.module.training, "evaluation is without dropout"
        points = torch.from_numpy(np.random.default_rng(11).normal(size=(64, 2)).astype(np.float32))
        error = float(((self.module(points) - (2 * points[:, :1] - 3 * points[:, 1:])) ** 2).mean())
        return {"error": self.scores.get(step, error)}


def composed(**values: Any) -> Composed:
    """A configuration as Hydra would give it."""
    return Composed("line", "config", {"seed": 0, **values}, (), ())


def run_line(folder: Path, settings: EngineSettings, *, resume: str | None = None, line: Line | None = None) -> Outcome:
    with open_run(composed(), RunSettings(dir=str(folder)), resume=resume, keep=settings.checkpoints.keep) as run:
        return train(line or Line(), settings, run, quiet=True)


if __name__ == "__main__":  # a run by several processes: folder, settings as JSON
    import msgspec

    given = msgspec.json.decode(sys.argv[2], type=EngineSettings)
    outcome = run_line(Path(sys.argv[1]), given, resume="last", line=Line(dropout=0.0))
    if is_first_process():
        print(outcome.step, outcome.reason)  # noqa: T201 - the test reads it
