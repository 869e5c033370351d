"""A whole training, from settings to weights: small, real, and interrupted in the ways that users meet."""

import errno
import json
import shutil
from pathlib import Path

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.errors import InputError  # noqa: E402
from sightline.train import checkpoints  # noqa: E402
from sightline.train.metrics import read_metrics  # noqa: E402
from tests.train.vlm.small import exact_rows, trained  # noqa: E402


@pytest.fixture
def taskset(rooms) -> Path:
    return rooms["t2a"].path


@pytest.fixture
def own_taskset(taskset, tmp_path) -> Path:
    """A task set whose files may be changed, media and all."""
    from sightline.taskset.store import TaskSet  # noqa: PLC0415

    copied = Path(shutil.copytree(taskset, tmp_path / "tasks"))
    roots = json.loads((copied / "roots.json").read_text())
    for name, root in roots.items():
        if not Path(root).is_relative_to(taskset):
            shutil.copytree(root, tmp_path / "media" / name)
            roots[name] = str(tmp_path / "media" / name)
    (copied / "roots.json").write_text(json.dumps(roots))
    assert len(TaskSet(copied)) == len(TaskSet(taskset))
    return copied


def pictures(taskset: Path) -> list[Path]:
    """All pictures of a task set of `own_taskset`."""
    return sorted((taskset.parent / "media").rglob("*.png")) + sorted((taskset / "media").rglob("*.png"))


def test_training_lowers_the_loss_and_says_it_by_source(tmp_path, saved, taskset):
    done = trained(tmp_path, saved("qwen3_vl"), taskset, "trainer.max_steps=12", "rates.lr=3e-3", "checkpoints.every=0")
    rows = read_metrics(done.run / "metrics.csv")
    assert rows[-1]["loss"] < 0.8 * rows[0]["loss"]
    for row in rows:
        assert row[f"loss of {taskset.name}"] == pytest.approx(row["loss"], rel=1e-4)
        assert row["tokens_per_s"] > row["supervised_per_s"] > 0
        assert 0 <= row["padding"] < 1
    assert (done.run / "train.log").read_text().count("step") > 3
    parts = json.loads((done.run / "parts.json").read_text())
    assert [part["name"] for part in parts] == ["vision", "projector", "language_model", "head"]
    assert all(part["num_trained"] == part["num_parameters"] for part in parts)


def test_a_run_stopped_by_an_error_goes_on_with_the_same_losses(tmp_path, saved, taskset, monkeypatch):
    whole = trained(tmp_path / "whole", saved("qwen3_vl"), taskset)
    publish = checkpoints.Checkpoints.publish

    def full(self, step, state, *, metrics=None):
        if step == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return publish(self, step, state, metrics=metrics)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.Checkpoints, "publish", full)
        with pytest.raises(OSError, match="No space left"):
            trained(tmp_path / "part", saved("qwen3_vl"), taskset)
    assert [path.name for path in sorted((tmp_path / "part/run/checkpoints").glob("step-*"))][-1] == "step-00000002"
    done = trained(tmp_path / "part", saved("qwen3_vl"), taskset, "resume=last")
    assert done.outcome.finished
    assert exact_rows(done.run) == exact_rows(whole.run)


def test_accumulation_gives_the_losses_of_undivided_steps(tmp_path, saved, taskset):
    whole = trained(tmp_path / "whole", saved("qwen3_vl"), taskset, "trainer.max_steps=2")
    divided = trained(tmp_path / "divided", saved("qwen3_vl"), taskset, "trainer.max_steps=2", "trainer.accumulate=2")
    for one, other in zip(exact_rows(whole.run), exact_rows(divided.run), strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-4)
        assert other["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-3)


def test_a_curriculum_takes_each_stage_to_its_step_with_its_own_rate_and_samples(tmp_path, saved, taskset):
    short = (
        "trainer.max_steps=6",
        "stages=[{name: positives, until_step: 2, select: {visible: true}},"
        "{name: all, until_step: 4, rate: 0.5},{name: hard, select: {where: {tier: [N2, N3]}}}]",
        "schedule.shape=constant",
    )
    done = trained(tmp_path, saved("qwen3_vl"), taskset, *short)
    rows = read_metrics(done.run / "metrics.csv")
    assert [row["stage"] for row in rows] == [0, 0, 1, 1, 2, 2]
    assert [row["lr"] for row in rows] == pytest.approx([1e-3, 1e-3, 5e-4, 5e-4, 1e-3, 1e-3])


def test_the_packages_own_curriculum_has_its_three_stages(saved, taskset, tmp_path):
    from sightline.train.vlm.prepare import prepare  # noqa: PLC0415
    from tests.train.vlm.small import composed, settings_of  # noqa: PLC0415

    settings = settings_of(composed(tmp_path, saved("qwen3_vl"), taskset, "trainer.max_steps=200", config_name="curriculum"))
    training = prepare(settings).training
    assert training.plan.first_steps.tolist() == [0, 40, 100, 200]
    tiers = [
        {name.split("/")[-1].split("_")[0] for step in (start, start + 1) for name in training.ids(step)} for start in (0, 100)
    ]
    assert tiers[0] <= {"V", "VC"}
    assert tiers[1] <= {"V", "VC", "N2", "N3"}


def test_a_picture_that_is_gone_when_its_step_comes_stops_the_run_with_its_id(tmp_path, saved, own_taskset, monkeypatch):
    _take_away_after_counting(own_taskset, monkeypatch)
    with pytest.raises(InputError, match=r"step \d+: .*sample 't2a/.*\.png: no such picture file.*data\.on_missing=skip"):
        trained(tmp_path, saved("qwen3_vl"), own_taskset)


def test_a_picture_that_is_gone_is_left_out_and_stands_in_the_ledger_where_asked(tmp_path, saved, own_taskset, monkeypatch):
    _take_away_after_counting(own_taskset, monkeypatch)
    done = trained(tmp_path, saved("qwen3_vl"), own_taskset, "data.on_missing=skip", "trainer.max_steps=3")
    assert done.outcome.finished
    entries = [json.loads(line) for line in (done.run / "ledger.jsonl").read_text().splitlines()]
    assert entries
    assert all(entry["reason"] == "sample_not_loaded" and "t2a/" in entry["detail"] for entry in entries)


def _take_away_after_counting(taskset: Path, monkeypatch) -> None:
    """Half of the pictures disappear between the plan and the first step."""
    from sightline.train.vlm import run  # noqa: PLC0415

    taken = pictures(taskset)
    prepare = run.prepare

    def prepared(*args, **kwargs):
        made = prepare(*args, **kwargs)
        for path in taken[::2]:
            path.unlink()
        return made

    monkeypatch.setattr(run, "prepare", prepared)


def test_resuming_with_other_data_or_another_model_is_refused_and_says_what_changed(tmp_path, saved, taskset, rooms, copy):
    trained(tmp_path, saved("qwen3_vl"), taskset, "trainer.max_steps=2")
    with pytest.raises(InputError, match=r"(?s)cannot go on.*data\.path: was"):
        trained(tmp_path, saved("qwen3_vl"), rooms["t1_multi"].path, "trainer.max_steps=2", "resume=last")
    other = copy("qwen3_vl")
    generation = json.loads((other / "generation_config.json").read_text())
    (other / "generation_config.json").write_text(json.dumps(generation | {"max_length": 33}))
    with pytest.raises(InputError, match=r"(?s)cannot go on.*model: its content is another"):
        trained(tmp_path, other, taskset, "trainer.max_steps=2", "resume=last")


def test_a_second_run_in_one_folder_is_refused(tmp_path, saved, taskset):
    done = trained(tmp_path, saved("qwen3_vl"), taskset, "trainer.max_steps=1")
    before = (done.run / "metrics.csv").read_bytes()
    with pytest.raises(InputError, match=r"holds a run\. Go on with it"):
        trained(tmp_path, saved("qwen3_vl"), taskset, "trainer.max_steps=1")
    assert (done.run / "metrics.csv").read_bytes() == before


def test_a_checkpoint_of_another_model_is_refused_by_name(tmp_path, saved, taskset):
    done = trained(tmp_path, saved("qwen3_vl"), taskset, "trainer.max_steps=2")
    newest = done.outcome.last
    assert newest is not None
    state = torch.load(newest / "state.pt", weights_only=True)
    state["model"].pop("model.language_model.norm.weight")
    shutil.rmtree(newest)
    checkpoints.Checkpoints(newest.parent).publish(2, state)
    with pytest.raises(InputError, match=r"is of another model.*model\.language_model\.norm\.weight"):
        trained(tmp_path, saved("qwen3_vl"), taskset, "trainer.max_steps=3", "resume=last")


def test_a_loss_that_is_no_number_names_the_samples(tmp_path, saved, taskset, monkeypatch):
    from sightline.train.vlm import module  # noqa: PLC0415

    loss = module.batch_loss
    monkeypatch.setattr(module, "batch_loss", lambda *args, **kwargs: loss(*args, **kwargs) * float("nan"))
    with pytest.raises(InputError, match=rf"step 1: a loss or the gradient is not finite.*Batch: {taskset.name}/t2a/room"):
        trained(tmp_path, saved("qwen3_vl"), taskset)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "internvl", "llava"])
def test_other_families_train_and_their_weights_are_written(tmp_path, saved, taskset, rooms, family):
    data = rooms["t1_concat"].path if family == "llava" else taskset
    done = trained(tmp_path, saved(family), data, "trainer.max_steps=2")
    assert done.weights is not None
    assert {path.name for path in done.weights.iterdir()} == {path.name for path in saved(family).iterdir()}
