"""DeepSpeed's processes stop together, and stop before anything that is not finite reaches the parameters.

What they train is compared with one process in `tests.train.vlm.test_zero`.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import sightline  # noqa: F401 - mends torchvision before lightning looks at it

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("lightning", reason="needs the train extra")
if importlib.util.find_spec("deepspeed") is None:
    pytest.skip("needs the deepspeed extra", allow_module_level=True)

from sightline.train.checkpoints import Checkpoints  # noqa: E402
from sightline.train.metrics import read_metrics  # noqa: E402
from sightline.train.settings import CheckpointSettings, EngineSettings, EvaluationSettings, TrainerSettings  # noqa: E402
from tests.train.line import Line, run_line  # noqa: E402

ROOT = Path(__file__).parents[2]


def settings(**trainer) -> EngineSettings:
    own = TrainerSettings(**{"max_steps": 5, "log_every": 1, "accelerator": "cpu", "accumulate": 2, **trainer})
    return EngineSettings(trainer=own, evaluation=EvaluationSettings(every=5), checkpoints=CheckpointSettings(every=2))


def by_two(folder: Path, stage: int, *, spoilt: int = -1, stopped_at: int = -1) -> tuple[int, str, str]:
    """Exit code and what was said."""
    given = msgspec.json.encode(settings(devices=2, strategy="deepspeed", zero_stage=stage)).decode()
    command = [sys.executable, "-m", "tests.train.shared_line", str(folder), given, str(spoilt), str(stopped_at)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip(), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("stage", [1, 3])
def test_a_signal_to_one_process_stops_both_with_a_checkpoint_they_go_on_from(tmp_path, stage):
    assert by_two(tmp_path / "run", stage, stopped_at=5) == (0, "3 signal", "")  # batches 4 and 5 are the third update
    assert by_two(tmp_path / "run", stage) == (0, "5 all steps", "")
    run_line(tmp_path / "one", settings(), line=Line(dropout=0.0))
    both = (read_metrics(tmp_path / name / "metrics.csv") for name in ("run", "one"))
    for two, one in zip(*both, strict=True):
        for name in ("step", "loss", "loss/size", "grad_norm", "eval/error"):
            assert two.get(name, 0.0) == pytest.approx(one.get(name, 0.0), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("stage", [2, 3])
def test_a_loss_that_is_no_number_stops_both_before_the_update(tmp_path, stage):
    code, said, told = by_two(tmp_path / "run", stage, spoilt=7)  # of the fourth update
    assert (code, said) == (1, "")
    assert "step 4: a loss or the gradient is not finite" in told
    assert (tmp_path / "run/not_finite.rank1.json").exists()
    newest = Checkpoints(tmp_path / "run/checkpoints").newest()
    assert newest is not None
    assert newest.step == 2
    assert [row["step"] for row in read_metrics(tmp_path / "run/metrics.csv")] == [1, 2, 3]
