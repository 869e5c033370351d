"""The GPU table's path, on a tiny model and a CPU."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the models extra")

from benchmarks import gpu_spatial_mllm


def test_all_ways_have_the_same_loss_and_a_rate(tmp_path: Path):
    out = tmp_path / "rows.json"
    tiny = ["--tiny", "--device", "cpu", "--seconds", "0", "--questions", "2", "--peak-tflops", "1"]
    gpu_spatial_mllm.main([*tiny, "--out", str(out)])
    rows = json.loads(out.read_text())["rows"]
    assert [(row["encoders"], row["samples"]) for row in rows] == [
        ("run", "apart"),
        ("run", "one beginning"),
        ("kept", "apart"),
        ("kept", "one beginning"),
    ]
    assert [row["loss"] for row in rows] == pytest.approx([rows[0]["loss"]] * 4, rel=1e-5)
    assert all(row["mfu"] > 0 and row["questions/s"] > 0 for row in rows)
