"""The line of `tests.train.line`, trained by two processes that share it.

    python -m tests.train.shared_line FOLDER SETTINGS SPOILT STOPPED_AT

SETTINGS as JSON. SPOILT: the batch whose target is not a number. STOPPED_AT: the batch in which the second process is told to end.
Goes on where there is a checkpoint. The second process is started by Lightning with the same command.
"""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import torch
from torch import Tensor, nn

import sightline  # noqa: F401 - mends torchvision before lightning looks at it
from sightline.train import zero
from sightline.train.folder import is_first_process
from sightline.train.settings import EngineSettings
from tests.train.line import Line, run_line


class SharedLine(Line):
    """A line whose module can be divided."""

    def __init__(self, *, spoilt: int = -1, stopped_at: int = -1) -> None:
        super().__init__(dropout=0.0, spoilt=spoilt)
        self.stopped_at = stopped_at

    def units(self) -> Sequence[nn.Module]:
        return [self.module[0], self.module[3]]

    def losses(self, batch: tuple[int, Tensor, Tensor], number: int) -> Mapping[str, Tensor]:
        if number == self.stopped_at and not is_first_process():
            os.kill(os.getpid(), signal.SIGTERM)
        return super().losses(batch, number)

    def evaluate_whole(self, step: int, weights: Mapping[str, Tensor], device: torch.device) -> Mapping[str, float]:
        whole = Line(dropout=0.0)
        whole.module.load_state_dict(weights)
        whole.module.to(device).eval()
        return whole.evaluate(step)


def main() -> None:
    torch.set_num_threads(1)
    zero.KEPT_WHOLE = 0  # every parameter is small
    given = msgspec.json.decode(sys.argv[2], type=EngineSettings)
    line = SharedLine(spoilt=int(sys.argv[3]), stopped_at=int(sys.argv[4]))
    outcome = run_line(Path(sys.argv[1]), given, resume="last", line=line)
    if is_first_process():
        print(outcome.step, outcome.reason)  # noqa: T201 - the test reads it


if __name__ == "__main__":
    main()
