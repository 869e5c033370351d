"""Sources of a training that are about scenes which benchmarks test on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sightline.cli import run
from sightline.dialects import get_dialect
from sightline.errors import InputError
from sightline.tasks.spatial_qa import TASK, QaOptions
from sightline.taskset.build import BuildRequest, build
from sightline.train.vlm.json_source import JsonSource
from sightline.train.vlm.mixture import Opening, open_path
from sightline.train.vlm.scene_guard import check_scenes
from tests.qa_trees import mix_row, write_lines


@pytest.mark.parametrize(
    "record",
    [
        {"video": "scannet/videos/scene0011_01.mp4"},
        {"image": ["frames/scene0011_00/1.jpg", "frames/scene0011_00/9.jpg"]},
        {"dataset": "ScanNet", "scene_id": "scene0011_02"},
        {"data_source": "scannetpp", "scene_name": "7b6477cb95"},
        {"video": "arkitscenes/videos/41069025.mp4"},
    ],
)
def test_a_record_about_a_tested_scene_is_refused_by_name(record: dict[str, Any], tmp_path: Path) -> None:
    path = write_lines(tmp_path / "talk.jsonl", [mix_row() | {"video": None} | record])
    with pytest.raises(InputError, match=r"trained on .*(scene0011|7b6477cb95|41069025) \(talk, train\).*allow_shared_scenes"):
        check_scenes([JsonSource(path)])


def test_other_scenes_pass(tmp_path: Path) -> None:
    rows = [mix_row(), {"conversations": []}, {"image": "a/b.png"}, {"video": 7}]
    check_scenes([JsonSource(write_lines(tmp_path / "talk.jsonl", rows))])


def set_about_a_tested_scene(tmp_path: Path) -> Path:
    """A task set for training about a scene of VSI-Bench, made by someone who meant it."""
    write_lines(tmp_path / "root" / "mix.jsonl", [mix_row() | {"video": "scannet/videos/scene0011_00.mp4"}])
    request = BuildRequest(
        reader="spatial-mllm",
        root=str(tmp_path / "root"),
        splits=("mix",),
        tasks=(TASK,),
        options=QaOptions(missing_media="keep"),
        allow_shared_scenes=True,
    )
    (built,) = build(request, tmp_path / "sets")
    return Path(built.path)


def test_a_task_set_about_a_tested_scene_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="scannet/scene0011"):
        check_scenes([open_path(set_about_a_tested_scene(tmp_path), Opening(get_dialect("qwen3")))])


def test_a_training_on_a_mixture_with_such_a_task_set_names_the_scene_and_trains_nothing(
    tmp_path: Path, saved: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for package in ("torch", "transformers", "hydra", "lightning"):
        pytest.importorskip(package, reason="needs the models and train extras")
    taskset = set_about_a_tested_scene(tmp_path)
    (tmp_path / "mix.yaml").write_text(f"rooms: {{taskset: {taskset}}}\n")
    given = [f"model.path={saved('qwen3_vl')}", f"data.registry={tmp_path / 'mix.yaml'}", "data.mixture=[rooms%50]"]
    assert run(["train", "vlm", *given, f"run.dir={tmp_path / 'run'}", "trainer.accelerator=cpu"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "1 recording(s) are trained on and tested on: trained on scannet/scene0011 (spatial-mllm, train)" in said
    assert "data.allow_shared_scenes=true" in said
    assert not list(tmp_path.rglob("*.safetensors"))


def test_records_may_be_packed_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    path.write_text(json.dumps(mix_row()) + '\n{"video": "scannet/videos/scene0011_00\n')
    assert [str(scene) for scene in JsonSource(path).scenes()] == ["scannet/scene0191_00"]
