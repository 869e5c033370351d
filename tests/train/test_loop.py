"""The loop: what it learns, what it writes, how it ends."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

import sightline  # noqa: F401 - mends torchvision before lightning looks at it

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("lightning", reason="needs the train extra")

from sightline.errors import InputError  # noqa: E402
from sightline.train.metrics import read_metrics  # noqa: E402
from sightline.train.settings import (  # noqa: E402
    CheckpointSettings,
    EngineSettings,
    EvaluationSettings,
    ScheduleSettings,
    TrainerSettings,
)
from tests.train.line import Line, run_line  # noqa: E402


def settings(**trainer) -> EngineSettings:
    own = TrainerSettings(**{"max_steps": 6, "log_every": 1, "accelerator": "cpu", **trainer})
    return EngineSettings(trainer=own, checkpoints=CheckpointSettings(every=2))


def losses(folder: Path) -> list[tuple[float, ...]]:
    names = ("step", "loss", "loss/square", "loss/size", "grad_norm", "lr")
    return [tuple(row[name] for name in names) for row in read_metrics(folder / "metrics.csv")]


def test_a_line_is_learnt(tmp_path):
    line = Line(dropout=0.0)
    given = replace(settings(max_steps=150, log_every=50), schedule=ScheduleSettings(warmup_steps=5))
    before = _error(line)
    outcome = run_line(tmp_path / "run", given, line=line)
    assert before > 8.0
    assert _error(line) < 0.5
    assert (outcome.step, outcome.finished, outcome.reason) == (150, True, "all steps")


def test_rows_checkpoints_and_log_are_in_the_run(tmp_path):
    outcome = run_line(tmp_path / "run", settings())
    assert [row["step"] for row in read_metrics(tmp_path / "run/metrics.csv")] == [1, 2, 3, 4, 5, 6]
    assert {"loss", "loss/square", "lr", "grad_norm", "memory_gb", "rows_per_s", "stall"} <= read_metrics(
        tmp_path / "run/metrics.csv"
    )[0].keys()
    assert sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir()) == ["last.json", "step-00000004", "step-00000006"]
    assert outcome.last == tmp_path / "run/checkpoints/step-00000006"
    log = (tmp_path / "run/train.log").read_text()
    assert "steps 1 to 6" in log
    assert "ended after step 6: all steps" in log
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        ".lock", "checkpoints", "config.yaml", "metrics.csv", "run.json", "train.log"
    ]  # fmt: skip


def test_accumulated_batches_are_one_update_of_their_mean(tmp_path):
    """Two batches of four rows a step are what one batch with the mean of both losses would be."""
    line = Line(dropout=0.0)
    run_line(tmp_path / "run", settings(max_steps=1, accumulate=2), line=line)
    by_hand = Line(dropout=0.0)
    optimizer = torch.optim.AdamW(by_hand.parameter_groups(), betas=(0.9, 0.999))
    both = [by_hand.losses(batch, batch[0]) for batch in by_hand.batches(range(2), _alone())]
    (torch.stack([loss for each in both for loss in each.values()]).sum() / 2).backward()
    torch.nn.utils.clip_grad_norm_(by_hand.module.parameters(), 1.0)
    optimizer.step()
    assert line.seen == [0, 1]
    for found, expected in zip(line.module.parameters(), by_hand.module.parameters(), strict=True):
        assert torch.allclose(found, expected, atol=1e-7)


def test_the_clip_bounds_the_gradient(tmp_path):
    free, bound = Line(dropout=0.0), Line(dropout=0.0)
    run_line(tmp_path / "free", settings(max_steps=1, clip=0.0), line=free)
    run_line(tmp_path / "bound", settings(max_steps=1, clip=1e-9), line=bound)
    weight = "3.weight"  # Adam's epsilon of 1e-8 is ten times a gradient of 1e-9: the step nearly vanishes
    start = Line(dropout=0.0).module.state_dict()[weight]
    moved = [float((line.module.state_dict()[weight] - start).abs().max()) for line in (free, bound)]
    assert moved[0] > 0.04 > 0.01 > moved[1]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_run_in_two_parts_has_the_losses_of_one_in_one_part(tmp_path, accumulate):
    run_line(tmp_path / "whole", settings(accumulate=accumulate))
    stopping = Line()
    plain = stopping.losses
    stopping.losses = lambda batch, number: _stop(number == 3 * accumulate) or plain(batch, number)  # during the fourth update
    outcome = run_line(tmp_path / "parts", settings(accumulate=accumulate), line=stopping)
    assert (outcome.step, outcome.finished, outcome.reason) == (4, False, "SIGTERM")
    line = Line()
    again = run_line(tmp_path / "parts", settings(accumulate=accumulate), resume="last", line=line)
    assert again.finished
    assert line.seen == list(range(4 * accumulate, 6 * accumulate))
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")


def test_signal_handlers_are_given_back(tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)]
    run_line(tmp_path / "run", settings(max_steps=1))
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)] == before


def test_going_on_with_a_finished_run_changes_nothing(tmp_path):
    run_line(tmp_path / "run", settings())
    before = losses(tmp_path / "run")
    line = Line()
    assert run_line(tmp_path / "run", settings(), resume="last", line=line).step == 6
    assert line.seen == []
    assert losses(tmp_path / "run") == before


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_batch(tmp_path):
    line = Line(spoilt=3)
    with pytest.raises(
        InputError, match=r"step 4: a loss or the gradient is not finite .*square nan.*Batch: row-12, row-13, row-14, row-15\."
    ):
        run_line(tmp_path / "run", settings(), line=line)
    assert all(torch.isfinite(each).all() for each in line.module.parameters())
    told = json.loads((tmp_path / "run/not_finite.rank0.json").read_text())
    assert (told["step"], told["ids"]) == (4, ["row-12", "row-13", "row-14", "row-15"])
    assert read_metrics(tmp_path / "run/metrics.csv")[-1]["step"] == 3
    assert (tmp_path / "run/checkpoints/step-00000002/record.json").exists()
    assert run_line(tmp_path / "run", settings(), resume="last").step == 6


def test_the_best_by_the_metric_is_kept_and_training_stops_without_a_better_one(tmp_path):
    line = Line()
    line.scores = {2: 5.0, 4: 3.0, 6: 3.5, 8: 3.2}
    given = replace(
        settings(max_steps=50),
        evaluation=EvaluationSettings(every=2, metric="error", mode="min", patience=2),
        checkpoints=CheckpointSettings(every=0, keep=1),
    )
    outcome = run_line(tmp_path / "run", given, line=line)
    assert (outcome.step, outcome.finished, outcome.reason) == (8, True, "early stopping")
    assert outcome.best == tmp_path / "run/checkpoints/step-00000004"
    assert json.loads((tmp_path / "run/checkpoints/best.json").read_text())["value"] == 3.0
    assert sorted(path.name for path in (tmp_path / "run/checkpoints").glob("step-*")) == ["step-00000004", "step-00000008"]
    rows = {row["step"]: row.get("eval/error") for row in read_metrics(tmp_path / "run/metrics.csv")}
    assert rows == {1: None, 2: 5.0, 3: None, 4: 3.0, 5: None, 6: 3.5, 7: None, 8: 3.2}


def test_what_was_the_best_is_still_known_after_resuming(tmp_path):
    given = replace(settings(max_steps=4), evaluation=EvaluationSettings(every=2, metric="error", mode="min"))
    line = Line()
    line.scores = {2: 1.0, 4: 2.0}
    run_line(tmp_path / "run", given, line=line)
    line = Line()
    line.scores = {6: 1.5, 8: 0.5}
    more = replace(given, trainer=replace(given.trainer, max_steps=7))
    assert run_line(tmp_path / "run", more, resume="last", line=line).best == tmp_path / "run/checkpoints/step-00000002"
    more = replace(given, trainer=replace(given.trainer, max_steps=8))
    line = Line()
    line.scores = {8: 0.5}
    assert run_line(tmp_path / "run", more, resume="last", line=line).best == tmp_path / "run/checkpoints/step-00000008"


def test_a_metric_that_the_evaluation_does_not_give_is_told(tmp_path):
    given = replace(settings(), evaluation=EvaluationSettings(every=1, metric="J&F"))
    with pytest.raises(InputError, match=r"evaluation\.metric=J&F at step 1: .* there are error"):
        run_line(tmp_path / "run", given)


def test_a_checkpoint_of_another_model_is_told(tmp_path):
    run_line(tmp_path / "run", settings(max_steps=2))
    with pytest.raises(InputError, match="step-00000002 is of another model"):
        run_line(tmp_path / "run", settings(), resume="last", line=Line(width=9))


def test_evaluation_leaves_frozen_modes_as_they_were(tmp_path):
    line = Line()
    modes: list[tuple[bool, ...]] = []
    plain = line.losses
    line.losses = lambda batch, number: modes.append(tuple(each.training for each in line.module.modules())) or plain(batch, number)
    run_line(tmp_path / "run", replace(settings(max_steps=3), evaluation=EvaluationSettings(every=1)), line=line)
    assert modes == [(True,) * 5] * 3


def test_a_logger_without_its_package_is_told(tmp_path):
    given = replace(settings(), logger="wandb")
    try:
        import wandb  # noqa: F401, PLC0415 # pyright: ignore[reportMissingImports]
    except ImportError:
        with pytest.raises(InputError, match="logger=wandb needs the package wandb, which is not installed"):
            run_line(tmp_path / "run", given)
    else:
        pytest.skip("wandb is installed here")


def test_tensorboard_gets_the_numbers(tmp_path):
    pytest.importorskip("tensorboard", reason="needs tensorboard")
    run_line(tmp_path / "run", replace(settings(max_steps=2), logger="tensorboard"))
    [events] = (tmp_path / "run/tensorboard").glob("events.*")
    assert b"loss/square" in events.read_bytes()


def test_without_a_logger_there_are_no_numbers_but_checkpoints(tmp_path):
    run_line(tmp_path / "run", replace(settings(max_steps=2), logger="none"))
    assert not (tmp_path / "run/metrics.csv").exists()
    assert (tmp_path / "run/checkpoints/last.json").exists()


def test_bfloat16_losses_are_near_those_in_full_precision(tmp_path):
    run_line(tmp_path / "full", settings(max_steps=3), line=Line(dropout=0.0))
    run_line(tmp_path / "half", settings(max_steps=3, precision="bf16-mixed"), line=Line(dropout=0.0))
    full, half = ([row["loss"] for row in read_metrics(tmp_path / name / "metrics.csv")] for name in ("full", "half"))
    assert half == pytest.approx(full, rel=0.03)
    assert half != full


def _error(line: Line) -> float:
    line.module.eval()
    with torch.no_grad():
        return line.evaluate(0)["error"]


def _alone():
    from sightline.train.trainable import Processes  # noqa: PLC0415

    return Processes()


def _stop(now: bool) -> None:
    if now:
        os.kill(os.getpid(), signal.SIGTERM)
