"""The chain of docs/spatial-mllm.md, run as it stands there: posed RGB-D frames, features, questions, training, scores, report."""

import re
import shlex
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the models extra")

from sightline.cli import run
from sightline.evaluate.run import read_predictions
from sightline.evaluate.summary import read_summary

pytest.importorskip("lightning", reason="needs the train extra")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "spatial-mllm.md"
SECTION = "### From frames to a report"


def commands(section: str) -> list[list[str]]:
    """The commands of a section's indented lines, each as its words."""
    text = PAGE.read_text().partition(f"{section}\n")[2]
    block = re.split(r"^##", text, maxsplit=1, flags=re.MULTILINE)[0]
    lines = "\n".join(line.strip() for line in block.splitlines() if line.startswith("    "))
    return [shlex.split(line) for line in lines.replace("\\\n", " ").splitlines()]


def test_the_page_shows_the_whole_way():
    names = [words[:3] for words in commands(SECTION)]
    assert [words[0] for words in names] == ["sightline"] * len(names)
    assert [" ".join(words[1:3]) for words in names[:2]] == ["prepare scan", "build scan-qa"]
    assert [words[1] for words in names[2:]] == ["assemble-spatial-mllm", "cache-features", "train", "eval"]


@pytest.mark.slow
def test_its_commands_lead_from_the_sample_to_a_report(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    sample = shared_data / "icl_nuim_5view"
    if not sample.is_dir():
        pytest.skip(f"the posed RGB-D sample is not here ({sample})")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "icl_nuim").symlink_to(sample)
    for words in commands(SECTION):
        assert run(words[1:]) == 0, shlex.join(words)
    capsys.readouterr()
    runs = [path for path in (tmp_path / "runs").iterdir() if path.is_dir() and path.name != "report"]
    assert {path.name for path in runs} == {"chance", "before", "after"}
    summaries = {path.name: read_summary(path / "spatial_qa-train") for path in runs}
    assert len({summary.num_scored for summary in summaries.values()}) == 1
    right = {name: summary.metrics["qa"].value or 0.0 for name, summary in summaries.items()}
    assert right["after"] > right["before"]
    assert all(prediction.text for prediction in read_predictions(tmp_path / "runs" / "after" / "spatial_qa-train"))
    assert (tmp_path / "runs" / "report" / "index.html").is_file()
