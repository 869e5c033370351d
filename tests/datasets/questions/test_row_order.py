"""Rows about the same media stand together, whatever the file's order; what one shows is decoded once for all."""

from pathlib import Path

import pytest

from sightline import video
from sightline.datasets.questions import QA_READERS
from sightline.datasets.questions.qa_files import find_medium, grouped
from sightline.tasks.frame_rules import FrameRule
from sightline.tasks.spatial_qa import TASK, QaOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from tests.qa_trees import (
    mix_row,
    save_frames,
    vsi_rows,
    write_lines,
    write_mindcube,
    write_scanqa,
    write_sqa3d,
    write_viewspatial,
)
from tests.video_file import write_video


def about(scene: str, number: int) -> dict:
    return mix_row() | {"id": str(number), "video": f"scannet/videos/{scene}.mp4"}


def test_groups_are_in_order_of_their_first_row_and_keep_the_files_order():
    assert grouped(["b", "a", "b", "c", "a"]).tolist() == [0, 2, 1, 4, 3]
    assert grouped([]).tolist() == []


def test_rows_of_a_video_of_pictures_and_packed_rows_are_grouped(tmp_path: Path):
    pictures = mix_row() | {"video": None, "image": ["a/1.png", "a/2.png"]}
    rows = [
        about("scene0191_00", 0),
        pictures,
        [about("scene0192_00", 1)],
        about("scene0191_00", 2),
        pictures,
        [about("scene0192_00", 3)],
    ]
    path = write_lines(tmp_path / "mix.jsonl", rows)
    with path.open("a") as file:
        file.write('{"video": "scannet/vid')
    assert QA_READERS["spatial-mllm"][0]()(tmp_path, "mix").order().tolist() == [0, 3, 1, 4, 2, 5, 6]


@pytest.mark.parametrize(
    ("reader", "split", "write"),
    [
        ("mindcube", "train", write_mindcube),
        ("scanqa", "val", write_scanqa),
        ("sqa3d", "test", write_sqa3d),
        ("viewspatial-bench", "test", write_viewspatial),
    ],
)
def test_every_reader_tells_an_order_of_all_its_rows(reader: str, split: str, write, tmp_path: Path):
    opened = QA_READERS[reader][0]()(write(tmp_path), split)
    assert sorted(opened.order().tolist()) == list(range(len(opened)))


def test_a_benchmark_groups_its_scenes(tmp_path: Path):
    rows = [each | {"id": 10 * turn + each["id"]} for turn in range(2) for each in vsi_rows()]
    write_lines(tmp_path / "test.jsonl", rows)
    assert QA_READERS["vsi-bench"][0]()(tmp_path, "test").order().tolist() == [0, 2, 1, 3]


def test_a_shuffled_file_decodes_each_video_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    scenes = [f"scene0{number}_00" for number in range(191, 197)]
    write_lines(
        tmp_path / "root" / "mix.jsonl",
        [about(scene, 10 * turn + place) for turn in range(3) for place, scene in enumerate(scenes)],
    )
    for scene in scenes:
        write_video(tmp_path / "root" / "scannet" / "videos" / f"{scene}.mp4", num_frames=4)
    real = video.read_frames
    decoded: list[str] = []

    def counted(path: Path, wanted):
        decoded.append(path.stem)
        return real(path, wanted)

    monkeypatch.setattr(video, "read_frames", counted)
    options = QaOptions(frames=FrameRule(num_frames=2))
    request = BuildRequest(
        reader="spatial-mllm",
        root=str(tmp_path / "root"),
        splits=("mix",),
        tasks=(TASK,),
        options=options,
        allow_shared_scenes=True,
    )
    (built,) = build(request, tmp_path / "sets")
    assert built.manifest.num_examples == 18
    assert [example.object_id for example in TaskSet(Path(built.path))][:4] == ["0-0", "6-0", "12-0", "1-0"]
    assert sorted(decoded) == sorted([*scenes, *scenes])  # once to count its frames, once to take them


def test_a_medium_that_was_not_there_is_found_when_it_is(tmp_path: Path):
    assert find_medium(tmp_path, ("a.mp4", "b.mp4")) == "a.mp4"
    save_frames(tmp_path / "visuals" / "b", 1)
    assert find_medium(tmp_path, ("a.mp4", "b.mp4")) == "visuals/b"
