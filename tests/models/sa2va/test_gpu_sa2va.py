"""The benchmarks of Sa2VA: their whole path on the CPU with a tiny model, and the shapes they speak of."""

import json

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from benchmarks import gpu_sa2va  # noqa: E402
from benchmarks.sa2va_clip import EXPRESSIONS, Frames, differing, says_seg, tracks  # noqa: E402


@pytest.fixture(scope="module")
def model():
    found = gpu_sa2va.model_of_size("tiny", "cpu")
    says_seg(found)
    return found


@pytest.mark.parametrize("mode", ["official", "consistent"])
def test_expressions_together_have_the_masks_that_each_has_alone(model, mode):
    frames = Frames(6, 64, 48)
    together = tracks(model, frames, EXPRESSIONS[:2], mode)
    alone = [track for words in EXPRESSIONS[:2] for track in tracks(model, frames, (words,), mode)]
    assert differing(together, alone) <= 1  # a pixel whose logit is 0 up to rounding
    assert differing(together[:1], together[1:]) > 0


def test_every_answer_is_one_seg(model):
    from sightline.models.sa2va.modes import MODES  # noqa: PLC0415
    from sightline.models.sa2va.segment import asking, segment  # noqa: PLC0415

    found = segment(model, Frames(1, 64, 48), [asking("the dog")], MODES["official"], max_new_tokens=8)
    assert (found[0].heard.text, found[0].heard.cut, len(found[0].tracks)) == ("[SEG]", False, 1)


def test_a_training_step_reaches_every_part(model):
    steps = {name: run for name, (_, run) in gpu_sa2va.tasks(model, tiny=True).items() if name.startswith("training")}
    assert list(steps) == ["training step, official", "training step, consistent"]
    model.zero_grad(set_to_none=True)
    steps["training step, consistent"]()
    reached = {name.split(".")[0] for name, weight in model.named_parameters() if weight.grad is not None and weight.grad.any()}
    model.zero_grad(set_to_none=True)
    assert reached == {"language", "grounding"}


@pytest.mark.slow
def test_the_table_is_written_on_the_cpu(tmp_path, capsys):
    path = tmp_path / "rows.json"
    gpu_sa2va.main(["--tiny", "--device", "cpu", "--peak-tflops", "1", "--out", str(path)])
    rows = json.loads(path.read_text())["rows"]
    assert len(rows) == 7
    printed = capsys.readouterr().out
    for row in rows:
        assert set(row) == set(gpu_sa2va.COLUMNS)
        assert row["per second"] > 0
        assert row["task"] in printed
        assert (row["mfu"] is not None) == row["task"].startswith("training")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_is_measured_and_it_says_why(capsys):
    gpu_sa2va.main([])
    assert "no CUDA device" in capsys.readouterr().out
    gpu_sa2va.main(["--device", "cpu"])
    assert "not for a CPU" in capsys.readouterr().out


# Without embeddings, in billions, as the model cards of Qwen2.5-0.5B and 3B say; SAM 2.0 large as its authors say.
@pytest.mark.parametrize(("size", "billions"), [("1b", 0.36), ("4b", 2.77)])
def test_the_parts_have_as_many_parameters_as_the_published_ones(size, billions):
    model = gpu_sa2va.model_of_size(size, "meta")
    language_model, tower = model.language.model.language_model, model.language.model.vision_tower
    parts = {"layers": language_model.layers, "tower": tower, "sam2": model.grounding.clip}
    found = {name: sum(weight.numel() for weight in part.parameters()) / 1e9 for name, part in parts.items()}
    assert found["layers"] == pytest.approx(billions, abs=0.005)
    assert found["tower"] == pytest.approx(0.304, abs=0.001)  # InternViT-300M
    assert found["sam2"] == pytest.approx(0.2244, abs=0.0002)
