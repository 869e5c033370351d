"""VSI-Bench, MindCube, ScanQA and SQA3D: one command, several processes, every published rule."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")

from sightline.cli import run  # noqa: E402
from sightline.demo.tiny_spatial_mllm import tiny_spatial_mllm  # noqa: E402
from sightline.evaluate.run import read_predictions  # noqa: E402
from tests.qa_trees import WRITERS  # noqa: E402

SETS = {"vsi-bench": "test", "mindcube": "tinybench", "scanqa": "val", "sqa3d": "test"}
RULES = {
    "vsi-bench": ("vsi-official", "vsi-lmms-eval", "vsi-vlmevalkit", "vsi-spatial-mllm"),
    "mindcube": ("mindcube", "mindcube-lmms-eval", "mindcube-vlmevalkit"),
    "scanqa": ("scanqa", "scanqa-leo", "scanqa-llava3d"),
    "sqa3d": ("sqa3d",),
}
RUNS = {"vsi-bench": "vsi-bench-spatial_qa-test", "mindcube": "spatial_qa-tinybench", "scanqa": "spatial_qa-val"}
RUNS["sqa3d"] = "sqa3d-spatial_qa-test"  # two sets have this name: that of their folder stands before it


@pytest.fixture(scope="module")
def tasksets(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The four, from made files, by the command; videos are shown by four frames."""
    folder = tmp_path_factory.mktemp("benchmarks")
    for name, split in SETS.items():
        WRITERS[name](folder / name)
        out = folder / "tasks" / name
        shown = ["--num-frames", "4", "--workers", "1", "--json"]
        assert run(["build", "qa", "--data", name, "--root", str(folder / name), "--split", split, "--out", str(out), *shown]) == 0
    return [str(folder / "tasks" / name / f"spatial_qa-{split}") for name, split in SETS.items()]


@pytest.mark.slow
def test_one_command_scores_all_four_by_their_rules_and_two_processes_answer_the_same(
    tasksets: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tiny_spatial_mllm(tmp_path / "tiny", ["How", " many"])
    asked = [
        "--model",
        f"hf:{model}",
        "--max-new-tokens",
        "2",
        "--batch-size",
        "1",
        "--device",
        "cpu",
        "--protocol",
        "qa",
        "--json",
    ]
    capsys.readouterr()  # of the builds
    assert run(["eval", *tasksets, *asked, "--out", str(tmp_path / "one")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["skipped"] == []
    assert [each["protocol"] for each in found["qa"]] == [rule for rules in RULES.values() for rule in rules]
    for name, rules in RULES.items():
        folder = tmp_path / "one" / "tiny" / RUNS[name]
        assert {f"summary.{rule}.json" for rule in rules} <= {path.name for path in folder.iterdir()}
        assert all(prediction.text for prediction in read_predictions(folder))

    assert run(["eval", tasksets[0], *asked, "--out", str(tmp_path / "two"), "--workers", "2"]) == 0
    capsys.readouterr()
    one, two = tmp_path / "one" / "tiny" / RUNS["vsi-bench"], tmp_path / "two" / "tiny" / "spatial_qa-test"
    written = sorted(path.name for path in one.iterdir() if path.suffix in (".json", ".jsonl") and path.name != "timing.json")
    assert {"predictions.jsonl", "scores.jsonl", "summary.vsi-official.json"} < set(written)
    assert {name: (two / name).read_bytes() for name in written} == {name: (one / name).read_bytes() for name in written}
