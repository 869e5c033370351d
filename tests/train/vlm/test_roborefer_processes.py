"""RoboRefer by two processes: what one trains, with depth and without in one run, in both modes, whole and with LoRA."""

import json

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning", "peft"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.models.roborefer.opening import open_roborefer  # noqa: E402
from sightline.models.roborefer.weights import load_roborefer  # noqa: E402
from sightline.train.metrics import read_metrics  # noqa: E402
from tests.models.roborefer.conftest import golden  # noqa: E402
from tests.train.vlm.dividing import by_two  # noqa: E402
from tests.train.vlm.small import exact_rows, trained  # noqa: E402

__all__ = ["golden"]

DDP, FSDP2 = "trainer.strategy=ddp", "trainer.strategy=fsdp2"
WHOLE = ("model.image_mode=resize",)
LORA = (
    "model.image_mode=dynamic",
    "model.max_tiles=2",
    "model.parts.vision.how=frozen",
    "model.parts.language_model.how=lora",
    "model.checkpointing=true",
    "trainer.accumulate=2",
    "data.rows_per_step=4",
)


@pytest.fixture
def mixed(rooms, tmp_path) -> tuple[str, ...]:
    """Samples with depth, samples whose depth is left aside, and some without pictures: in many a batch a process has no depth."""
    said = [{"from": "human", "value": "How many?"}, {"from": "gpt", "value": "7"}]
    (tmp_path / "words.json").write_text(json.dumps([{"id": f"w{number}", "conversations": said} for number in range(12)]))
    registry = {
        "deep": {"taskset": str(rooms["t1_multi"].path)},
        "plain": {"taskset": str(rooms["t2a"].path), "with_depth": False},
        "words": {"annotation_path": str(tmp_path / "words.json"), "with_depth": False},
    }
    (tmp_path / "mixture.yaml").write_text(json.dumps(registry))
    return (f"data.registry={tmp_path / 'mixture.yaml'}", "data.mixture=[deep,plain,words]", "data.with_depth=true")


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [pytest.param(DDP, marks=pytest.mark.long), FSDP2])
@pytest.mark.parametrize("own", [WHOLE, pytest.param(LORA, marks=pytest.mark.long)])
def test_two_processes_train_as_one_does(golden, mixed, rooms, tmp_path, strategy, own):
    model, taskset = golden / "checkpoint", rooms["t1_multi"].path
    held = (f"validation.tasksets=[{taskset}]", "validation.num_examples=2", "validation.max_new_tokens=4", "evaluation.every=2")
    given = (*mixed, *own, *held, "data.tokens_per_sample=1400", "rates.lr=1e-4")
    alone = trained(tmp_path / "alone", model, None, *given)
    assert by_two(tmp_path / "two", model, taskset, "data.path=null", *given, strategy) == (0, "")
    found = [read_metrics(run / "metrics.csv") for run in (alone.run, tmp_path / "two/run")]
    assert [row["step"] for row in found[1]] == [1, 2, 3, 4]
    for one, two in zip(*found, strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert two["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-4)
        assert {name: value for name, value in two.items() if name.startswith("eval/")} == {
            name: value for name, value in one.items() if name.startswith("eval/")
        }
    assert alone.weights is not None
    ours, theirs = (
        load_roborefer(open_roborefer(folder)).state_dict()
        for folder in (tmp_path / "two/run/weights" / alone.weights.name, alone.weights)
    )
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert torch.allclose(ours[name], tensor, atol=1e-4), name


@pytest.mark.slow
@pytest.mark.long
def test_a_divided_roborefer_goes_on_after_a_kill_with_the_same_numbers(golden, mixed, rooms, tmp_path):
    model, taskset = golden / "checkpoint", rooms["t1_multi"].path
    given = ("data.path=null", *mixed, *WHOLE, "data.tokens_per_sample=1400", FSDP2)
    assert by_two(tmp_path / "two", model, taskset, *given) == (0, "")
    assert by_two(tmp_path / "killed", model, taskset, *given, killed_at=3)[0] == -9
    assert by_two(tmp_path / "killed", model, taskset, *given, "resume=last") == (0, "")
    assert exact_rows(tmp_path / "killed/run") == exact_rows(tmp_path / "two/run")
