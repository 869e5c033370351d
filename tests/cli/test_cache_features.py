"""`sightline assemble-spatial-mllm --tiny` and `sightline cache-features`, one after the other."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the models extra")

from sightline.cli import run
from tests.train.vlm.spatial_samples import write_rows


def test_features_of_a_file_of_conversations_are_kept_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from sightline.demo.tiny_spatial_mllm import tiny_spatial_mllm  # noqa: PLC0415

    tiny_spatial_mllm(tmp_path / "tiny", ["How"])
    rows = write_rows(tmp_path / "data")
    command = ["cache-features", str(tmp_path / "kept"), f"model.path={tmp_path / 'tiny'}", f"data.path={rows}", "--json"]
    assert run([*command, "--device", "cpu"]) == 0
    assert json.loads(capsys.readouterr().out) == {"num_units": 2, "num_new": 2, "new_bytes": 2 * 2 * 24 * (32 + 2 * 64) * 2}
    assert run([*command, "--device", "cpu"]) == 0
    assert json.loads(capsys.readouterr().out)["num_new"] == 0


def test_an_unknown_device_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["cache-features", str(tmp_path / "kept"), "model.path=x", "data.path=y", "--device", "tpux"]) == 2
    assert "expected cpu, cuda or cuda:N" in capsys.readouterr().err


def test_a_model_is_made_of_two_or_is_tiny(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["assemble-spatial-mllm", "--out", str(tmp_path / "out"), "--qwen", "x"]) == 2
    assert "expected --qwen and --vggt, or --tiny TASKSET" in capsys.readouterr().err
