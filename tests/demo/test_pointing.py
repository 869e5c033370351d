"""Pictures of rooms with one red object: what is on them, what they depend on, and that no room is in two splits."""

import json
from pathlib import Path

import numpy as np
import pytest

from sightline.datasets import clip_format
from sightline.demo.pointing import EXPRESSION, draw_pointing, write_pointing
from sightline.errors import InputError
from sightline.geometry.masks import decode_mask
from sightline.media import read_rgb

NUM_TRAIN, NUM_VALIDATION = 5, 3
NAMES = [f"room_{number:06d}" for number in range(NUM_TRAIN + NUM_VALIDATION)]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("pointing") / "rooms"
    write_pointing(root, num_train=NUM_TRAIN, num_validation=NUM_VALIDATION, seed=1)
    return root


def _pictures(root: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((root / "train2014").iterdir())]


def test_one_object_is_red_and_large_enough_and_nothing_else_is_as_red(root):
    for clip in (clip for split in ("train", "val") for clip in clip_format("grefcoco")(root, split)):
        (track,), (frame,) = clip.tracks, clip.frames
        assert frame.image is not None
        assert track.masks[0] is not None
        picture, mask = read_rgb(root / frame.image).astype(float), decode_mask(track.masks[0])
        redness = picture[..., 0] - picture[..., 1:].max(axis=-1)
        assert picture.shape == (48, 64, 3)
        assert mask.mean() >= 0.02
        assert redness[mask].min() > 60
        assert redness[~mask].max() < 60


def test_the_expression_means_the_object_and_no_room_is_in_two_splits(root):
    clips = {split: list(clip_format("grefcoco")(root, split)) for split in clip_format("grefcoco").splits(root)}
    assert {split: [clip.clip_id for clip in found] for split, found in clips.items()} == {"train": NAMES[:5], "val": NAMES[5:]}
    for clip in (clip for found in clips.values() for clip in found):
        ((text, targets),) = ((each.text, each.object_ids) for each in clip.expressions)
        assert text == EXPRESSION
        assert targets == (clip.tracks[0].object_id,)
        assert not clip.problems
    assert len(set(_pictures(root))) == len(NAMES)


def test_a_picture_depends_on_seed_and_number_alone(root, tmp_path):
    write_pointing(tmp_path / "other", num_train=1, num_validation=2, seed=1, workers=2)
    assert _pictures(tmp_path / "other") == _pictures(root)[:3]
    assert draw_pointing(0, seed=2).png != draw_pointing(0, seed=1).png


def test_objects_lie_anywhere_in_the_picture():
    centres = np.array([np.argwhere(decode_mask(draw_pointing(number, seed=0).rle)).mean(axis=0) for number in range(60)])
    halves = centres > np.array([24, 32])
    assert 15 <= halves[:, 0].sum() <= 45
    assert 15 <= halves[:, 1].sum() <= 45


def test_the_same_request_keeps_what_is_there_and_another_one_is_refused(root):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    write_pointing(root, num_train=NUM_TRAIN, num_validation=NUM_VALIDATION, seed=1)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    with pytest.raises(InputError, match=r"seed=1.*seed=2"):
        write_pointing(root, num_train=NUM_TRAIN, num_validation=NUM_VALIDATION, seed=2)


def test_another_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine").write_text("x")
    with pytest.raises(InputError, match=r"has no rooms\.json"):
        write_pointing(tmp_path, num_train=1, num_validation=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_train": 0}, "num_train is 0; expected 1"),
        ({"num_validation": 0}, "num_validation is 0; expected 1"),
        ({"seed": -1}, "seed is -1"),
        ({"workers": 0}, "workers is 0"),
    ],
)
def test_a_request_out_of_range_is_refused(tmp_path, wrong, message):
    with pytest.raises(InputError, match=message):
        write_pointing(tmp_path / "new", **({"num_train": 1, "num_validation": 1} | wrong))
    assert not (tmp_path / "new").exists()


def test_boxes_are_those_of_the_masks(root):
    annotations = json.loads((root / "grefcoco/instances.json").read_text())["annotations"]
    for number, annotation in enumerate(annotations):
        rows, columns = np.nonzero(decode_mask(draw_pointing(number, seed=1).rle))
        width, height = columns.max() + 1 - columns.min(), rows.max() + 1 - rows.min()
        assert annotation["bbox"] == [columns.min(), rows.min(), width, height]
