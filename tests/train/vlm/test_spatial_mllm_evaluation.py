"""Spatial-MLLM is asked VSI-Bench's questions while it trains; the numbers are those of asking its weights afterwards."""

import json
from pathlib import Path

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.evaluate.predict import predict  # noqa: E402
from sightline.evaluate.score import score_run  # noqa: E402
from sightline.evaluate.summary import summarise  # noqa: E402
from sightline.models import get_model  # noqa: E402
from sightline.models.options import ModelOptions  # noqa: E402
from sightline.tasks.frame_rules import FrameRule  # noqa: E402
from sightline.tasks.spatial_qa import TASK, QaOptions  # noqa: E402
from sightline.taskset.build import BuildRequest, build  # noqa: E402
from sightline.taskset.store import TaskSet  # noqa: E402
from sightline.train.metrics import read_metrics  # noqa: E402
from tests.models.spatial_mllm.checkpoint import save_spatial  # noqa: E402
from tests.train.vlm.small import trained  # noqa: E402
from tests.train.vlm.spatial_samples import frame  # noqa: E402

SIDES = ["A. left", "B. right"]
ASKED = (
    ("object_counting", "How many chairs are in this room?", "4", None),
    ("object_abs_distance", "How far apart are the chair and the door, in meters?", "2.5", None),
    ("object_rel_direction_easy", "Is the chair to the left or to the right of the door?", "B", SIDES),
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task set of two rooms with three questions each, read as VSI-Bench is published; videos are folders of three frames."""
    root = tmp_path_factory.mktemp("vsi")
    rows = []
    for room in range(2):
        for number in range(3):
            path = frame(root, 10 * room + number).path
            path.rename(_folder(root / f"arkitscenes/room{room}") / f"{number}.png")
        rows += [
            {"id": len(rows) + number, "dataset": "arkitscenes", "scene_name": f"room{room}"}
            | {"question_type": kind, "question": question, "ground_truth": truth, "options": options}
            for number, (kind, question, truth, options) in enumerate(ASKED)
        ]
    (root / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = QaOptions(words="published", frames=FrameRule(num_frames=3))
    request = BuildRequest(
        reader="vsi-bench", root=str(root), splits=("test",), tasks=(TASK,), options=options, allow_shared_scenes=True
    )
    (built,) = build(request, root / "tasks")
    return Path(built.path)


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.mark.parametrize("geometry", ["given", "none"])
def test_the_numbers_of_the_run_are_those_of_its_weights_asked_afterwards(tmp_path, bench, geometry):
    model = save_spatial(tmp_path / "tiny")
    asked = (f"validation.tasksets=[{bench}]", "validation.max_new_tokens=4", "evaluation={every: 2, metric: qa}")
    done = trained(
        tmp_path,
        model,
        bench,
        *asked,
        "trainer.max_steps=2",
        "data.pack_by=prefix",
        "data.allow_shared_scenes=true",
        f"model.geometry={geometry}",
        "rates.lr=5e-3",
    )
    assert done.weights is not None
    last = read_metrics(done.run / "metrics.csv")[-1]
    found = {name.removeprefix("eval/"): value for name, value in last.items() if name.startswith("eval/") and value is not None}
    assert {"qa", "mra", "joint_accuracy"} <= found.keys()
    run = tmp_path / "after"
    taskset = TaskSet(bench)
    predict(taskset, get_model(f"hf:{done.weights}", ModelOptions(max_new_tokens=4)), run)
    score_run(run, taskset=bench)
    after = summarise(run, taskset=bench).metrics
    assert found == pytest.approx({name: after[name].value for name in found}, nan_ok=True)
    assert len((done.run / "samples.jsonl").read_text().splitlines()) == 4
