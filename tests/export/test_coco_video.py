"""`sightline export coco-video`: the JSON of its schema, read back by pycocotools and by our own reader."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco

from sightline.cli import run
from sightline.datasets.clips.davis import Davis
from sightline.datasets.coco.coco_video import CocoVideo
from sightline.export.coco_video import clip_frames
from sightline.tasks.clips import SeenClip
from sightline.types import Clip, ClipFrame, Track
from tests.davis_tree import HEIGHT, WIDTH, labels, save_palette, save_picture, write_tree
from tests.video_tree import write_frames, write_json, write_masklets


def export(root: Path, out: Path, *, data: str = "davis", split: str = "train", code: int = 0) -> dict[str, Any]:
    command = ["export", "coco-video", "--data", data, "--root", str(root), "--split", split, "--out", str(out), "--workers", "1"]
    assert run(command) == code
    return json.loads(out.read_text()) if out.is_file() else {}


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools with numpy 2
def test_the_file_follows_the_schema_and_other_tools_read_its_masks(tmp_path: Path) -> None:
    root = write_tree(tmp_path)
    written = export(root, root / "annotations" / "train.json")
    assert written["videos"] == [{"id": 1, "name": "duel", "length": 6, "fps": 24.0, "width": WIDTH, "height": HEIGHT}]
    assert written["categories"] == [{"id": 1, "name": "object"}]
    assert [image["order_in_video"] for image in written["images"]] == list(range(6))
    assert all(image["is_labeled"] for image in written["images"])
    assert all((root / image["file_name"]).is_file() for image in written["images"])
    # object 1 in six frames, object 2 in the first four
    assert [(row["image_id"], row["track_id"]) for row in written["annotations"]] == [
        *((image, track) for image in range(1, 5) for track in (1, 2)),
        (5, 1),
        (6, 1),
    ]
    second = written["annotations"][1]
    assert (second["bbox"], second["area"]) == ([30, 18, 12, 10], 120)
    assert np.array_equal(coco.decode(second["segmentation"]) == 1, labels({2: (30, 18, 42, 28)}) == 2)


def tracks_of(clip: Clip, root: Path) -> dict[str, list[object]]:
    """By object: in each frame its mask, None where it is absent, "unknown" where that is not known."""
    seen = SeenClip(clip, root)
    return {
        track.object_id: [seen.mask(track, k) if track.known[k] else "unknown" for k in range(len(clip.frames))]
        for track in seen.tracks
    }


def test_our_reader_gives_the_same_clip_back(tmp_path: Path) -> None:
    root = write_tree(tmp_path)
    export(root, root / "annotations" / "mine.json")
    source, back = Davis(root, "train")[0], CocoVideo(root, "mine")[0]
    assert (back.clip_id, back.width, back.height) == ("duel", WIDTH, HEIGHT)
    assert [frame.image for frame in back.frames] == [frame.image for frame in source.frames]
    assert tracks_of(back, root) == tracks_of(source, root)


def test_absent_and_unknown_survive_the_way_out_and_back(tmp_path: Path) -> None:
    # a dog known in all four frames and absent in the last, a cat the third frame says nothing of; the last frame has no labels
    shown = {0: {1: (2, 2, 12, 12), 2: (20, 2, 30, 12)}, 5: {1: (4, 2, 14, 12)}, 10: {1: (6, 2, 16, 12)}, 15: {}, 20: None}
    write_frames(tmp_path / "train", "late", shown)
    stems = [f"{number:05d}" for number in (0, 5, 10, 15)]
    objects = {"1": {"category": "dog", "frames": stems}, "2": {"category": "cat", "frames": [stems[0], stems[1], stems[3]]}}
    write_json(tmp_path / "train" / "meta.json", {"videos": {"late": {"objects": objects}}})
    written = export(tmp_path, tmp_path / "annotations" / "mine.json", data="youtube-vos")
    assert [image["is_labeled"] for image in written["images"]] == [True, True, False, True, False]
    assert [image["frame_number"] for image in written["images"]] == [0, 5, 10, 15, 20]
    assert {row["name"] for row in written["categories"]} == {"dog", "cat"}
    back = tracks_of(CocoVideo(tmp_path, "mine")[0], tmp_path)
    assert [mark if mark in (None, "unknown") else "there" for mark in back["1"]] == ["there", "there", "there", None, "unknown"]
    assert [mark if mark in (None, "unknown") else "there" for mark in back["2"]] == ["there", None, "unknown", None, "unknown"]


def test_numbers_from_0_are_counted_from_1_because_0_is_the_background(tmp_path: Path) -> None:
    write_masklets(tmp_path / "sav_train/sav_000", "sav_000001", [[(2, 2, 12, 12), None], [None, (20, 2, 30, 12)]])
    for number in (0, 4):
        save_picture(tmp_path / f"JPEGImages_6fps/sav_000001/{number:05d}.jpg", seed=number)
    written = export(tmp_path, tmp_path / "sav.json", data="sav")
    assert [(row["image_id"], row["track_id"]) for row in written["annotations"]] == [(1, 1), (2, 2)]
    assert [image["frame_number"] for image in written["images"]] == [0, 4]


def test_frames_without_pictures_and_objects_without_masks_are_left_out_and_named(tmp_path: Path) -> None:
    save_palette(tmp_path / "a.png", labels({1: (2, 2, 12, 12)}))
    save_picture(tmp_path / "a.jpg", seed=1)
    frames = (ClipFrame(frame_id="a", image="a.jpg", labels="a.png"), ClipFrame(frame_id="b", labels="a.png"))
    tracks = (Track(object_id="1", label=1), Track(object_id="2", boxes=((0.0, 0.0, 4.0, 4.0), None)))
    found = clip_frames(Clip(clip_id="c", split="train", frames=frames, tracks=tracks), tmp_path)
    assert [frame.file_name for frame in found.frames] == ["a.jpg"]
    assert [entry.reason for entry in found.entries] == ["no_masks", "picture_missing"]


def test_nothing_to_train_on_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_masklets(tmp_path / "sav_train/sav_000", "sav_000001", [[(2, 2, 12, 12)]])
    export(tmp_path, tmp_path / "sav.json", data="sav", code=2)
    assert "no frame has a picture and a mask. Dropped: picture_missing 1" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["sav_train"]
