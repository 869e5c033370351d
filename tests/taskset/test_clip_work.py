"""One function over many clips, in several processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sightline.errors import InputError
from sightline.taskset.clip_work import ClipSource, chunks_of, over_clips
from sightline.types import Clip
from tests.davis_tree import write_list, write_sequence
from tests.video_tree import write_json


def name_of(clip: Clip, root: Path) -> str:
    return f"{clip.clip_id} {root.name}"


def die_at_5(clip: Clip, root: Path) -> str:
    if clip.clip_id == "c05":
        os._exit(1)
    return name_of(clip, root)


def source(root: Path, count: int) -> ClipSource:
    for number in range(count):
        write_sequence(root, f"c{number:02d}", [{}], pictures=False)
    write_list(root, "2017", "train", [f"c{number:02d}" for number in range(count)])
    return ClipSource(reader="davis", root=str(root), split="train")


def test_results_come_in_the_order_of_the_chunks_however_many_there_are(tmp_path: Path) -> None:
    davis = source(tmp_path / "data", 30)
    chunks = chunks_of(30, 1)
    for workers in (1, 2):
        found = list(over_clips(davis, name_of, chunks, workers=workers))
        assert [chunk for chunk, _ in found] == chunks
        assert [name for _, names in found for name in names] == [f"c{number:02d} data" for number in range(30)]


def test_a_process_that_dies_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a worker process died"):
        list(over_clips(source(tmp_path, 12), die_at_5, chunks_of(12, 2), workers=2))


def reasons_of(clip: Clip, root: Path) -> list[str]:  # noqa: ARG001 - the form of work
    return [entry.reason for entry in clip.problems]


def test_a_clip_whose_annotation_cannot_be_read_stays_and_says_why(tmp_path: Path) -> None:
    said = {"0": {"exp": "x", "obj_id": [1], "anno_id": [5]}}
    write_json(tmp_path / "train/meta_expressions.json", {"videos": {"v": {"frames": ["00000"], "expressions": said}}})
    write_json(tmp_path / "train/mask_dict.json", {"5": "no list"})
    mevis = ClipSource(reader="mevis", root=str(tmp_path), split="train")
    assert [reasons for _, found in over_clips(mevis, reasons_of, [range(1)], workers=1) for reasons in found] == [
        ["clip_unreadable"]
    ]


def test_an_unknown_reader_is_named_with_the_others() -> None:
    with pytest.raises(InputError, match=r"no reader of clips is called 'x3'\. Choices: davis"):
        ClipSource(reader="x3", root="/", split="train").open()


def test_processes_do_not_load_what_only_the_whole_needs() -> None:
    # Arrow and the tasks take as long to load as hundreds of clips to check
    code = (
        "import sys, sightline.taskset.check_clips, sightline.export.boxes, sightline.export.coco_video;"
        "print('pyarrow' in sys.modules, 'sightline.taskset.units' in sys.modules, 'numba' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert said.split() == ["False", "False", "False"]
