"""The GPU benchmark of RoboRefer: its whole path on the CPU, and the shape it speaks of."""

import json

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers looks at it

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from benchmarks.gpu_roborefer import COLUMNS, main, model_of_shape  # noqa: E402


def test_every_row_is_measured_on_the_cpu_and_written_as_json(tmp_path, capsys):
    path = tmp_path / "rows.json"
    main(["--tiny", "--device", "cpu", "--seconds", "0", "--new-tokens", "3", "--out", str(path)])
    rows = json.loads(path.read_text())["rows"]
    tasks = ("train", "answer 8", "answer 1")
    expected = [(mode, depth, task) for mode in ("resize", "dynamic") for depth in (False, True) for task in tasks]
    assert [(row["mode"], row["depth"], row["task"]) for row in rows] == expected
    assert all(set(row) == set(COLUMNS) for row in rows)
    assert all(row["tokens/s"] > row["samples/s"] > 0 for row in rows)
    assert capsys.readouterr().out.count("answer 8") == 4


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_is_measured_and_it_says_why(capsys):
    main([])
    assert "no CUDA device" in capsys.readouterr().out
    main(["--device", "cpu"])
    assert "not for a CPU" in capsys.readouterr().out


def test_a_picture_has_the_tokens_of_the_published_2b_model():
    model = model_of_shape(device="meta", tiny=False)
    towers = sum(p.numel() for name, p in model.named_parameters() if "tower" in name)
    # 27 layers of 4 * 1152 * 1153 + 4304 * 1153 + 1152 * 4305 + 4 * 1152 = 15,239,504 each = 411,466,608; patches of 3 * 14 * 14
    # with a bias: 1152 * 589 = 678,528; 1024 places of 1152 = 1,179,648; the last norm 2 * 1152: 413,327,088 a tower, two towers
    assert towers == 2 * 413_327_088
    # 11 x 11 blocks of 3 x 3 patches: 121 tokens and a newline
    assert model.config.tiling.side // model.config.vision_config.patch_size == 32
