"""A real server: `transformers serve` says of a checkpoint what we say of it."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from sightline.evaluate.predict import predict
from sightline.evaluate.run import read_predictions
from sightline.models import ModelOptions, get_model
from sightline.taskset.store import TaskSet

NEEDED = ("torch", "transformers", "fastapi", "uvicorn", "openai")
MISSING = [package for package in NEEDED if importlib.util.find_spec(package) is None]
# The server decodes pictures by torchvision where that is installed, and torchvision cannot where it was built for another torch.
# Without it, server and checkpoint take Pillow's processors: both are started so.
WITHOUT_TORCHVISION = "import sys; sys.modules['torchvision'] = None; "
SERVE = WITHOUT_TORCHVISION + "sys.argv[0] = 'transformers'; from transformers.cli.transformers import main; main()"
SIGHTLINE = WITHOUT_TORCHVISION + "from sightline.cli import main; main()"
OPTIONS = ModelOptions(dialect="roborefer", max_new_tokens=24, retries=1)
NUM_EXAMPLES = 12


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The URL of `transformers serve` for a checkpoint, on a port that the system chooses."""
    command = [sys.executable, "-c", SERVE, "serve", str(folder), "--host", "127.0.0.1", "--port", "0", "--device", "cpu"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    assert server.stderr is not None
    try:
        said: list[str] = []
        for line in server.stderr:
            said.append(line)
            if "Uvicorn running on " in line:
                break
        assert said, "the server said nothing"
        assert "Uvicorn running on " in said[-1], "".join(said)
        yield f"{said[-1].partition('running on ')[2].split()[0]}/v1"
    finally:
        server.terminate()
        server.communicate()


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (pip install 'transformers[serving]')")
def test_a_checkpoint_says_the_same_behind_a_server(rooms: Mapping[str, TaskSet], tmp_path: Path) -> None:
    from tests.models.huggingface.checkpoints import save_llava  # noqa: PLC0415 - needs an extra

    taskset, checkpoint = rooms["t1_multi"], save_llava(tmp_path / "tiny")
    given = ["--model", f"hf:{checkpoint}", "--max-new-tokens", "24", "--limit", str(NUM_EXAMPLES), "--out", str(tmp_path / "here")]
    subprocess.run([sys.executable, "-c", SIGHTLINE, "predict", str(taskset.path), *given], check=True, capture_output=True)
    with serving(checkpoint) as url:
        predict(taskset, get_model(f"openai:{url}#{checkpoint}", OPTIONS), tmp_path / "there", limit=NUM_EXAMPLES)
    here, there = (list(read_predictions(tmp_path / run)) for run in ("here", "there"))
    assert [prediction.text for prediction in there] == [prediction.text for prediction in here]
    assert [prediction.reading for prediction in there] == [prediction.reading for prediction in here]
    assert len({prediction.text for prediction in here}) > NUM_EXAMPLES // 2  # the texts depend on the pictures
    (session,) = json.loads((tmp_path / "there" / "timing.json").read_text())
    assert session["usage"]["num_requests"] == NUM_EXAMPLES
    assert session["usage"]["prompt_tokens"] == sum(
        prediction.exposure.num_prompt_tokens or 0 for prediction in here if prediction.exposure
    )
