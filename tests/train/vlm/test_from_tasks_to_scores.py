"""The whole way by its commands: task sets of two data sets in one mixture, a training that is killed and goes on, its weights,
their scores, and the page on it."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.cli import run  # noqa: E402
from sightline.demo.rooms import write_rooms  # noqa: E402
from sightline.demo.tiny_vlm import tiny_vlm  # noqa: E402
from sightline.dialects import get_dialect  # noqa: E402
from sightline.export.rendered import render_all  # noqa: E402
from sightline.taskset.store import TaskSet  # noqa: E402
from sightline.train.metrics import read_metrics  # noqa: E402
from tests.train.vlm.small import exact_rows  # noqa: E402

TASKS = ("t1_multi", "t1_concat", "t2a", "t2b")
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def config(shared_data, tmp_path_factory) -> Path:
    """A folder with one configuration, `both`: all cross-view tasks of x3_icl_nuim and of two rooms, and a tiny model."""
    folder = tmp_path_factory.mktemp("done")
    write_rooms(folder / "rooms", num_train=1, num_validation=1, width=160, height=120, seed=4)
    for name, root in (("x3", shared_data / "x3_icl_nuim"), ("rooms", folder / "rooms")):
        line = ["build", "x3", "--root", str(root), "--out", str(folder / name), "--concat", "--allow-shared-scenes", "--json"]
        assert run(line) == 0
    sets = {f"{name}_{task}": folder / name / f"{task}-train" for name in ("x3", "rooms") for task in TASKS}
    words = [
        words for path in sets.values() for each in render_all(TaskSet(path), get_dialect("roborefer")) for words in _words(each)
    ]
    tiny_vlm(folder / "tiny", words)
    (folder / "data.yaml").write_text(yaml.safe_dump({name: {"taskset": str(path)} for name, path in sets.items()}))
    asked = [str(folder / name / "t2b-validation") for name in ("x3", "rooms")]
    settings = {
        "defaults": ["config", "_self_"],
        "model": {"path": str(folder / "tiny"), "dialect": "roborefer"},
        "data": {
            "registry": str(folder / "data.yaml"),
            "mixture": [f"{name}*2" if name.startswith("x3") else name for name in sets],
            "tokens_per_sample": 512,
            "rows_per_step": 2,
            "num_workers": 0,
            "counts_dir": str(folder / "counts"),
        },
        "rates": {"lr": 2e-3},
        "trainer": {"max_steps": 6, "accelerator": "cpu", "log_every": 1},
        "evaluation": {"every": 3, "metric": "hit_exact"},
        "validation": {"tasksets": asked, "max_new_tokens": 12},
        "checkpoints": {"every": 2},
    }
    (folder / "both.yaml").write_text(yaml.safe_dump(settings))
    return folder


def _words(rendered) -> tuple[str, str]:
    return rendered.without_tokens(), rendered.answer


def _train(config: Path, name: str, *more: str) -> list[str]:
    return ["train", "vlm", "--config-dir", str(config), "--config-name", "both", f"run.dir={config / name}", *more]


def _killed_at(step: int, line: list[str]) -> int:
    """Run the command until its log has told of this step, then kill it without a chance to clean up; its exit code."""
    with subprocess.Popen([sys.executable, "-m", "sightline", *line], cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for words in process.stderr:
            if f"step {step}/" in words:
                process.send_signal(signal.SIGKILL)
                break
    return process.returncode


@pytest.mark.slow
def test_a_mixture_is_trained_killed_resumed_exported_scored_and_shown(config, capsys):
    assert _killed_at(4, _train(config, "killed")) == -signal.SIGKILL
    assert run(_train(config, "killed", "resume=last")) == 0
    assert run(_train(config, "whole", "--json")) == 0
    undisturbed = exact_rows(config / "whole")
    assert len(undisturbed) == 6
    assert exact_rows(config / "killed") == undisturbed
    for name in ("samples.jsonl", "batches.jsonl"):
        assert (config / "killed" / name).read_bytes() == (config / "whole" / name).read_bytes()
    capsys.readouterr()

    weights = next((config / "killed" / "weights").iterdir())
    kept = next(
        row for row in read_metrics(config / "killed/metrics.csv") if row["step"] == int(weights.name.removeprefix("step-"))
    )
    for name in ("x3", "rooms"):
        asked = [
            "eval",
            str(config / name / "t2b-validation"),
            "--model",
            f"tiny=hf:{weights}",
            "--out",
            str(config / "eval" / name),
        ]
        assert run([*asked, "--dialect", "roborefer", "--max-new-tokens", "12", "--json"]) == 0
        (summary,) = json.loads(capsys.readouterr().out)["summaries"]
        of_set = {key.rpartition("/")[2]: value for key, value in kept.items() if key.startswith(f"eval/{name}/t2b-validation/")}
        assert {key: summary["metrics"][key]["value"] for key in of_set} == of_set
        assert "hit_exact" in of_set
        logged = config / "killed/evaluation" / weights.name / name / "t2b-validation/scores.jsonl"
        scored = next((config / "eval" / name).rglob("scores.jsonl"))
        assert scored.read_bytes() == logged.read_bytes()

    assert run(["report", str(config / "killed"), "--out", str(config / "page"), "--json"]) == 0
    html = (config / "page/index.html").read_text()
    assert len(re.findall(r"<figcaption>Loss by source", html)) == 1
    assert html.count('<mark title="to be learnt">') > 0
    assert "went on" in html
