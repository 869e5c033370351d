"""The GPU benchmark of VLM training: its whole path on the CPU, the shapes it speaks of, and its count of work."""

import json

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers looks at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "accelerate"):
    pytest.importorskip(package, reason="needs the models extra")

from benchmarks.gpu_vlm import COLUMNS, main, ways  # noqa: E402
from benchmarks.gpu_vlm_shapes import Sizes, model_of_shape, processor_folder  # noqa: E402


@pytest.mark.slow
def test_every_way_is_measured_on_the_cpu_and_written_as_json(tmp_path, capsys):
    path = tmp_path / "rows.json"
    given = ["--tiny", "--device", "cpu", "--seconds", "0", "--workers", "0", "--peak-tflops", "1", "--out", str(path)]
    main([*given, "--model", "qwen3-vl-2b"])
    rows = json.loads(path.read_text())["rows"]
    assert [(row["data"], row["way"]) for row in rows] == [(way.data, way.name) for way in ways(tiny=True)]
    printed = capsys.readouterr().out
    assert "least work = 3 * " in printed
    for row in rows:
        assert set(row) == set(COLUMNS)
        assert row["way"] in printed
        assert row["tokens/s"] > row["supervised/s"] > row["samples/s"] > 0
        assert 0 < row["mfu"] < 1
        assert 0 <= row["stall"] < 1
        assert row["steps"] >= 1
    padding = {row["way"]: row["padding"] for row in rows if row["data"] == "mixture"}
    assert padding["packed"] == 0 < 0.1 < padding["padded, at random"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_is_measured_and_it_says_why(capsys):
    main([])
    assert "no CUDA device" in capsys.readouterr().out
    main(["--device", "cpu"])
    assert "not for a CPU" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "parameters"),
    # as transformers counts them; the published models are said to have 3.75, 2.13 and 4.44 billion
    [("qwen2.5-vl-3b", 3_754_622_976), ("qwen3-vl-2b", 2_127_532_032), ("qwen3-vl-4b", 4_437_815_808)],
)
def test_the_shapes_have_as_many_parameters_as_the_published_models(tmp_path, name, parameters):
    model = model_of_shape(name, processor_folder(name, tmp_path), device="meta", tiny=False)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    sizes = Sizes.of(model)
    embeddings = sum(p.numel() for n, p in model.named_parameters() if "pos_embed" in n)
    assert sizes.layers + sizes.head + sizes.blocks + sizes.merger + embeddings == parameters


def test_the_work_of_a_batch_is_that_of_its_formula():
    sizes = Sizes(layers=100, head=50, blocks=10, merger=8, text=(2, 4), vision=(1, 3, 6, 16), merged=4)
    # products: 100 * 30 tokens + 50 * 5 supervised + 10 * 32 patches + 8 * 32 / 4 = 3000 + 250 + 320 + 64 = 3634
    # text attention: 2 * 2 layers * 4 wide * (10^2 + 20^2) = 8000
    # vision: 4 * 6 wide * (1 * 32^2 + 3 blocks * 32 patches * 16 of a window) = 24 * (1024 + 1536) = 61440
    assert sizes.flops([10, 20], 5, [32]) == 3 * (2 * 3634 + 8000 + 61440)
