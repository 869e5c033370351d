"""Objects of video JSON that says of which category a mask is, but not of which object."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.datasets.coco.coco_video import CocoVideo, CocoVideoCategories
from sightline.geometry.masks import decode_mask, encode_mask
from sightline.types import Clip, Track
from tests.datasets.referring.refer_trees import save_json

SIZE = {"height": 20, "width": 40}


def _box(left: int, right: int, *, top: int = 4, bottom: int = 14) -> dict[str, Any]:
    mask = np.zeros((20, 40), dtype=bool)
    mask[top:bottom, left:right] = True
    return {"size": [20, 40], "counts": encode_mask(mask).counts}


def _read(root: Path, frames: list[list[tuple[int, dict[str, Any]]] | None]) -> Clip:
    """A video with the id "10_": category and mask of each annotation in each frame; None: not a key frame."""
    images = [
        {"id": k, "video_id": "10_", "order_in_video": k, "file_name": f"10_/{k:03d}.png", "is_det_keyframe": each is not None}
        for k, each in enumerate(frames)
    ]
    annotations = [
        {"image_id": k, "category_id": category, "segmentation": mask}
        for k, each in enumerate(frames)
        for category, mask in each or ()
    ]
    numbered = [{"id": number, **each} for number, each in enumerate(annotations)]
    categories = [{"id": 1, "name": "grasper"}, {"id": 2, "name": "liver"}]
    file = {"images": [image | SIZE for image in images], "annotations": numbered, "categories": categories}
    save_json(root / "annotations/train.json", file)
    return CocoVideoCategories(root, "train")[0]


def _spans(track: Track) -> list[tuple[int, int] | None]:
    """First column and the one after the last in each frame."""
    columns = [None if rle is None else np.flatnonzero(decode_mask(rle).any(axis=0)) for rle in track.masks]
    return [None if each is None or not each.size else (int(each[0]), int(each[-1]) + 1) for each in columns]


def test_masks_of_a_category_are_one_and_its_parts_are_the_objects(tmp_path: Path) -> None:
    clip = _read(tmp_path, [[(1, _box(0, 6)), (1, _box(4, 10)), (1, _box(20, 30))], [(1, _box(1, 11)), (1, _box(22, 32))]])
    assert [(track.object_id, track.category) for track in clip.tracks] == [("grasper-1", "grasper"), ("grasper-2", "grasper")]
    assert [_spans(track) for track in clip.tracks] == [[(0, 10), (1, 11)], [(20, 30), (22, 32)]]
    assert clip.clip_id == "10_"


def test_the_opening_breaks_thin_bridges_and_drops_specks(tmp_path: Path) -> None:
    bridge = _box(0, 30, top=8, bottom=10)  # two rows: an ellipse of five does not fit
    clip = _read(tmp_path, [[(1, _box(0, 10)), (1, _box(20, 30)), (1, bridge), (1, _box(35, 37))]])
    assert [_spans(track) for track in clip.tracks] == [[(0, 10)], [(20, 30)]]


def test_a_category_too_thin_for_the_opening_keeps_its_own_parts(tmp_path: Path) -> None:
    clip = _read(tmp_path, [[(2, _box(0, 30, top=8, bottom=10))]])
    assert [_spans(track) for track in clip.tracks] == [[(0, 30)]]


def test_a_category_of_one_object_is_that_object_wherever_it_is(tmp_path: Path) -> None:
    clip = _read(tmp_path, [[], [(2, _box(0, 8))], [(2, _box(20, 28)), (2, _box(32, 38))], []])
    (liver,) = clip.tracks
    assert _spans(liver) == [None, (0, 8), (20, 38), None]
    assert liver.annotated is None  # it is late, and absent in the last frame


def test_frames_in_which_parts_cannot_be_told_apart_are_unknown(tmp_path: Path) -> None:
    apart = [(1, _box(0, 8)), (1, _box(20, 28))]
    clip = _read(tmp_path, [apart, [(1, _box(0, 28))], [(1, _box(32, 38))], [(1, _box(18, 26))]])
    # frame 1: one part meets both; frame 2: it meets none; frame 3: it meets the second where that was last seen
    assert [_spans(track) for track in clip.tracks] == [[(0, 8), None, None, None], [(20, 28), None, None, (18, 26)]]
    assert {track.annotated for track in clip.tracks} == {(0, 3)}


def test_frames_that_are_no_key_frames_are_unknown_and_keep_their_place(tmp_path: Path) -> None:
    clip = _read(tmp_path, [[(2, _box(0, 8))], None, []])
    assert [frame.frame_id for frame in clip.frames] == ["000", "001", "002"]
    assert clip.tracks[0].annotated == (0, 2)


def test_a_code_that_is_none_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    clip = _read(tmp_path, [[(1, {"size": [20, 40], "counts": "zz"}), (2, _box(0, 8))]])
    assert [track.object_id for track in clip.tracks] == ["liver-1"]
    assert "bad_mask" in {problem.reason for problem in clip.problems}


@pytest.mark.parametrize(("old", "known"), [(True, (0, 1)), (False, (0,))])
def test_the_older_name_of_is_labeled_counts_in_files_with_numbers_too(tmp_path: Path, old: bool, known: tuple[int, ...]) -> None:
    images = [{"id": k, "video_id": "a", "order_in_video": k, "file_name": f"a/{k}.png", **SIZE} for k in (0, 1)]
    images[1]["is_det_keyframe"] = old
    annotation = {"id": 1, "image_id": 0, "category_id": 1, "track_id": 4, "segmentation": _box(0, 8)}
    file = {"images": images, "annotations": [annotation], "categories": [{"id": 1, "name": "x"}]}
    save_json(tmp_path / "annotations/train.json", file)
    (track,) = CocoVideo(tmp_path, "train")[0].tracks
    assert (track.annotated or (0, 1)) == known
