"""Scenes that are known to be tested on: the lists, and builds of training data that hold one of them."""

from pathlib import Path
from typing import Any

import pytest

from sightline.errors import InputError
from sightline.tasks.spatial_qa import TASK, QaOptions
from sightline.taskset.build import BuildRequest, Built, build
from sightline.taskset.leaks import check_mixture, read_sightings
from sightline.taskset.recordings import canonical_id
from sightline.taskset.registry import add_to_registry
from sightline.taskset.scene_lists import listed_sightings, scene_lists
from tests.qa_trees import mix_row, write_lines, write_mindcube, write_vsi

TRAINED, TESTED = "scene0191_00", "scene0011_01"  # of ScanNet's training split; a scan of a room of its validation split


def made(name: str, root: Path, out: Path, splits: tuple[str, ...], **more: Any) -> list[Built]:
    options = QaOptions(missing_media="keep")
    return build(BuildRequest(reader=name, root=str(root), splits=splits, tasks=(TASK,), options=options, **more), out)


def write_about(root: Path, *scenes: str) -> Path:
    rows = [mix_row() | {"id": scene, "video": f"scannet/videos/{scene}.mp4"} for scene in scenes]
    write_lines(root / "mix.jsonl", rows)
    return root


def test_the_lists_are_as_long_as_their_sources() -> None:
    lists = {each.name: each for each in scene_lists()}
    vsi = lists["vsi-bench"]
    assert (len(vsi.scannet), len(vsi.scannetpp), len(vsi.arkitscenes)) == (88, 50, 150)
    assert len(lists["scannet"].scannet) == 312
    assert set(vsi.scannet) <= set(lists["scannet"].scannet)
    assert set(vsi.scannetpp) == set(lists["scannetpp"].scannetpp)
    assert set(vsi.arkitscenes) <= set(lists["arkitscenes"].arkitscenes)
    assert all(len(set(each.scenes)) == len(each.scenes) and each.source for each in lists.values())


def test_a_scan_is_known_by_its_room_and_its_data_set_in_any_spelling() -> None:
    assert canonical_id("ScanNet/scene0011_01") == canonical_id("scannet_v2/scene0011_00") == "scannet/scene0011"
    assert canonical_id("ScanNet++/7b6477cb95") == canonical_id("scannet-pp/7b6477cb95") == "scannetpp/7b6477cb95"
    assert canonical_id("YouTube-VOS/scene0011_01") == "youtube_vos/scene0011_01"


def test_training_data_about_a_scene_that_is_tested_on_is_refused_by_name(tmp_path: Path) -> None:
    root = write_about(tmp_path / "root", TRAINED, TESTED)
    with pytest.raises(InputError, match=r"1 recording\(s\) .* scannet/scene0011 \(spatial-mllm, train\)"):
        made("spatial-mllm", root, tmp_path / "out", ("mix",))
    write_about(tmp_path / "other", TRAINED)
    (built,) = made("spatial-mllm", tmp_path / "other", tmp_path / "out2", ("mix",))
    assert [each.video_id for each in read_sightings(Path(built.path))] == ["scannet/scene0191"]


def test_it_is_built_where_that_is_meant_or_without_the_scene(tmp_path: Path) -> None:
    root = write_about(tmp_path / "root", TRAINED, TESTED)
    (meant,) = made("spatial-mllm", root, tmp_path / "a", ("mix",), allow_shared_scenes=True)
    assert meant.manifest.num_examples == 2
    with pytest.raises(InputError, match="scannet/scene0011"):
        check_mixture([Path(meant.path)], [])
    registry = tmp_path / "held_out.jsonl"
    assert add_to_registry(registry, listed_sightings()) == len(set(listed_sightings()))
    (without,) = made("spatial-mllm", root, tmp_path / "b", ("mix",), leaks=str(registry), drop_leaks=True)
    assert (without.manifest.num_examples, without.manifest.dropped) == (1, {"leak": 1})


def test_many_scenes_are_all_named(tmp_path: Path) -> None:
    scenes = next(each for each in scene_lists() if each.name == "vsi-bench").scannet[:12]
    rooms = {canonical_id(f"scannet/{scene}") for scene in scenes}
    with pytest.raises(InputError) as caught:
        made("spatial-mllm", write_about(tmp_path / "root", *scenes), tmp_path / "out", ("mix",))
    assert all(room in str(caught.value) for room in rooms)


def test_a_benchmark_itself_is_built(tmp_path: Path) -> None:
    (built,) = made("vsi-bench", write_vsi(tmp_path / "root"), tmp_path / "out", ("test",))
    assert built.manifest.num_examples == 2


def test_mindcube_is_not_trained_and_tested_on_the_same_place(tmp_path: Path) -> None:
    root = write_mindcube(tmp_path / "root")
    made("mindcube", root, tmp_path / "out", ("tinybench",))
    assert [each.split for each in read_sightings(tmp_path / "out" / f"{TASK}-tinybench")] == ["test"]
    with pytest.raises(InputError, match="among/group001"):
        made("mindcube", root, tmp_path / "out", ("train",))
