"""The MOSE reader on tiny trees in the true layout."""

from pathlib import Path

import pytest
from PIL import Image

from sightline.datasets import CLIP_READERS, ClipFormat, ClipReader
from sightline.datasets.clips.mose import Mose
from sightline.errors import InputError
from sightline.tasks.clips import SeenClip
from sightline.types import ClipFrame
from tests.davis_tree import HEIGHT, WIDTH
from tests.video_tree import write_frames

SQUARE = (4, 4, 14, 14)


def write_mose(root: Path) -> Path:
    """One training clip whose object leaves and comes back, one validation clip of three frames."""
    write_frames(root / "train", "0a1b2c3d", {0: {1: SQUARE}, 1: {}, 2: {1: SQUARE}})
    write_frames(root / "valid", "ffee0011", {0: {1: SQUARE, 2: (20, 20, 30, 30)}, 1: None, 2: None})
    return root


def test_it_is_a_clip_reader_with_folders_as_splits(tmp_path: Path) -> None:
    assert isinstance(CLIP_READERS["mose"][0](), ClipFormat)
    assert Mose.splits(write_mose(tmp_path)) == ["train", "valid"]
    assert isinstance(Mose(tmp_path, "train"), ClipReader)


def test_a_clip_has_its_frames_its_identity_and_no_rate(tmp_path: Path) -> None:
    (clip,) = Mose(write_mose(tmp_path), "train")
    assert (clip.clip_id, clip.video_id, clip.fps, clip.problems) == ("0a1b2c3d", "mose/0a1b2c3d", None, ())
    assert clip.frames[1] == ClipFrame(
        frame_id="00001", image="train/JPEGImages/0a1b2c3d/00001.jpg", labels="train/Annotations/0a1b2c3d/00001.png"
    )


def test_an_object_that_leaves_is_absent_and_comes_back_under_its_number(tmp_path: Path) -> None:
    (clip,) = Mose(write_mose(tmp_path), "train")
    (track,) = SeenClip(clip, tmp_path).tracks
    assert [place is not None for place in track.places] == [True, False, True]
    assert track.absent(1)


def test_frames_without_labels_of_the_validation_split_are_unknown_not_absent(tmp_path: Path) -> None:
    (clip,) = Mose(write_mose(tmp_path), "valid")
    assert [(entry.reason, entry.action) for entry in clip.problems] == [("first_masks_only", "altered")]
    assert clip.problems[0].detail == "2 of 3 frames have no labels, by design"
    assert [track.known for track in SeenClip(clip, tmp_path).tracks] == [(True, False, False)] * 2


def test_missing_labels_of_the_training_split_are_a_problem(tmp_path: Path) -> None:
    write_frames(tmp_path / "train", "gappy", {0: {1: SQUARE}, 1: None, 2: {1: SQUARE}})
    write_frames(tmp_path / "train", "poor", {0: {1: SQUARE}, 1: None})
    gappy, poor = Mose(tmp_path, "train")
    assert [(entry.reason, entry.detail) for entry in gappy.problems] == [
        ("labels_missing", "1 of 3 frames have no labels: train/JPEGImages/gappy/00001.jpg")
    ]
    assert [entry.reason for entry in poor.problems] == ["labels_missing"]


def test_frame_numbers_with_gaps_are_told(tmp_path: Path) -> None:
    write_frames(tmp_path / "train", "gappy", {0: {1: SQUARE}, 1: {}, 2: {}, 7: {1: SQUARE}})
    (clip,) = Mose(tmp_path, "train")
    assert [(entry.reason, entry.detail) for entry in clip.problems] == [
        ("frame_gap", "1 of 3 steps between frame numbers are not 1: 00002 to 00007")
    ]


def test_labels_saved_in_colours_leave_the_object_unknown(tmp_path: Path) -> None:
    path = write_mose(tmp_path) / "train" / "Annotations" / "0a1b2c3d" / "00001.png"
    Image.new("RGB", (WIDTH, HEIGHT)).save(path)
    seen = SeenClip(Mose(tmp_path, "train")[0], tmp_path)
    assert [entry.reason for entry in seen.ledger] == ["unreadable"]
    assert [track.known for track in seen.tracks] == [(True, False, True)]


def test_a_root_without_splits_is_one_split(tmp_path: Path) -> None:
    write_frames(tmp_path, "0a1b2c3d", {0: {1: SQUARE}, 1: {1: SQUARE}})
    assert Mose.splits(tmp_path) == ["all"]
    (clip,) = Mose(tmp_path, "all")
    assert clip.frames[0].image == "JPEGImages/0a1b2c3d/00000.jpg"
    assert Mose(tmp_path, "all").sources() == [tmp_path / "JPEGImages" / "0a1b2c3d", tmp_path / "Annotations" / "0a1b2c3d"]


def test_bad_roots_and_splits_say_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        Mose(tmp_path / "none", "train")
    with pytest.raises(InputError, match="is not a MOSE tree: expected JPEGImages/"):
        Mose(tmp_path, "train")
    with pytest.raises(InputError, match="has no split 'test'; it has train, valid"):
        Mose(write_mose(tmp_path), "test")
    (tmp_path / "test" / "JPEGImages").mkdir(parents=True)
    with pytest.raises(InputError, match="split 'test' has no clip"):
        Mose(tmp_path, "test")
