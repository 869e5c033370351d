"""Spatial-MLLM by two processes: what one trains, from pixels and from kept features, whole and with LoRA, killed or not."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning", "peft"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.models.spatial_mllm.weights import load_spatial_mllm  # noqa: E402
from sightline.train.metrics import read_metrics  # noqa: E402
from sightline.train.vlm.chat import open_chat  # noqa: E402
from sightline.train.vlm.kept_features import fill  # noqa: E402
from sightline.train.vlm.run import Trained  # noqa: E402
from tests.train.vlm.dividing import by_two  # noqa: E402
from tests.train.vlm.small import composed, exact_rows, settings_of, trained  # noqa: E402
from tests.train.vlm.spatial_samples import write_rows  # noqa: E402

FROZEN = ("model.parts.vision={how: frozen}",)
SHORT = ("trainer.max_steps=3", "data.tokens_per_sample=200", "data.pack_by=prefix", "data.rows_per_step=4")
LORA = ("model.parts.language_model.how=lora", "model.lora.rank=4", "model.checkpointing=true", "trainer.accumulate=2")
DDP, FSDP2 = "trainer.strategy=ddp", "trainer.strategy=fsdp2"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.models.spatial_mllm.checkpoint import save_spatial  # noqa: PLC0415

    return save_spatial(tmp_path_factory.mktemp("spatial") / "tiny")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes of two questions, and two records that show nothing."""
    path = write_rows(tmp_path_factory.mktemp("rows"), num_scenes=3)
    said = [{"from": "human", "value": "How many?"}, {"from": "gpt", "value": "7"}]
    records = [*json.loads(path.read_text()), *({"id": f"words-{number}", "conversations": said} for number in range(2))]
    path.write_text(json.dumps(records))
    return path


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory, model: Path, rows: Path) -> str:
    """`data.features=` of what the rows show, in float32."""
    root = tmp_path_factory.mktemp("kept")
    given = f"data.features={root / 'features'}"
    settings = settings_of(composed(root, model, rows, *FROZEN, given))
    fill(settings, open_chat(model, settings.model.options), stored="float32", device=torch.device("cpu"), progress=lambda *_: None)
    return given


def _by_two(folder: Path, model: Path, rows: Path, *overrides: str) -> None:
    code, said = by_two(folder, model, rows, *overrides)
    assert code == 0, said


def _numbers(run: Path) -> list[dict[str, float]]:
    return [{name: cast("float", row[name]) for name in ("loss", "grad_norm")} for row in read_metrics(run / "metrics.csv")]


def _alike(one: Path, two: Path) -> None:
    first, second = _numbers(one), _numbers(two)
    assert len(first) == len(second) == 3
    for ours, theirs in zip(second, first, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
        assert ours["grad_norm"] == pytest.approx(theirs["grad_norm"], rel=1e-4)


def _tensors(folder: Path) -> dict[str, Any]:
    return dict(load_spatial_mllm(folder).model.state_dict())


def _same_weights(alone: Trained, run: Path) -> None:
    """The same files under the published names, and nearly the same numbers."""
    assert alone.weights is not None
    folder = run / "weights" / alone.weights.name
    assert {path.name for path in folder.iterdir()} == {path.name for path in alone.weights.iterdir()}
    ours, theirs = _tensors(folder), _tensors(alone.weights)
    assert ours.keys() == theirs.keys()
    assert not any("lora" in name for name in ours)
    for name, tensor in theirs.items():
        assert torch.allclose(ours[name], tensor, atol=1e-4), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "kept"),
    [pytest.param(DDP, False, marks=pytest.mark.long), pytest.param(FSDP2, False, marks=pytest.mark.long), (FSDP2, True)],
)
def test_two_processes_train_what_one_does(tmp_path, model, rows, features, strategy, kept):
    own = (*SHORT, *FROZEN, *([features] if kept else []))
    alone = trained(tmp_path / "alone", model, rows, *own)
    _by_two(tmp_path / "two", model, rows, *own, strategy)
    _alike(alone.run, tmp_path / "two/run")
    _same_weights(alone, tmp_path / "two/run")


@pytest.mark.slow
@pytest.mark.long
def test_vggt_is_trained_by_two_processes_too(tmp_path, model, rows):
    own = (*SHORT, "model.parts.geometry={how: full, lr: 1e-4}")
    alone = trained(tmp_path / "alone", model, rows, *own)
    _by_two(tmp_path / "two", model, rows, *own, FSDP2)
    _alike(alone.run, tmp_path / "two/run")
    _same_weights(alone, tmp_path / "two/run")


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("strategy", [DDP, FSDP2])
def test_lora_of_two_processes_is_that_of_one_and_is_written_into_the_published_names(tmp_path, model, rows, features, strategy):
    own = (*SHORT, *FROZEN, *LORA, features)
    alone = trained(tmp_path / "alone", model, rows, *own)
    _by_two(tmp_path / "two", model, rows, *own, strategy)
    _alike(alone.run, tmp_path / "two/run")
    _same_weights(alone, tmp_path / "two/run")


@pytest.mark.slow
@pytest.mark.long
def test_two_processes_that_are_killed_go_on_to_the_bit(tmp_path, model, rows, features):
    own = (*SHORT, *FROZEN, *LORA, features, FSDP2)
    _by_two(tmp_path / "two", model, rows, *own)
    assert by_two(tmp_path / "killed", model, rows, *own, killed_at=2)[0] == -9
    _by_two(tmp_path / "killed", model, rows, *own, "resume=last")
    assert exact_rows(tmp_path / "killed/run") == exact_rows(tmp_path / "two/run")
