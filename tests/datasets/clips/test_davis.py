"""The DAVIS reader on tiny trees in the true layout."""

from pathlib import Path

import pytest

from sightline.datasets import CLIP_READERS, ClipFormat, ClipReader
from sightline.datasets.clips.davis import Davis
from sightline.errors import InputError
from sightline.types import ClipFrame
from tests.davis_tree import labels, save_palette, save_picture, write_list, write_sequence, write_tree


def test_it_is_a_clip_reader(tmp_path: Path) -> None:
    assert isinstance(CLIP_READERS["davis"][0](), ClipFormat)
    assert isinstance(Davis(write_tree(tmp_path), "train"), ClipReader)


def test_clips_list_frames_in_order_of_time_with_paths_from_the_root(tmp_path: Path) -> None:
    reader = Davis(write_tree(tmp_path), "train")
    (clip,) = list(reader)
    assert (clip.clip_id, clip.split, len(clip.frames), clip.problems) == ("duel", "train", 6, ())
    assert clip.frames[2] == ClipFrame(
        frame_id="00002", image="JPEGImages/480p/duel/00002.jpg", labels="Annotations/480p/duel/00002.png"
    )


def test_the_lists_are_the_splits_2017_before_2016(tmp_path: Path) -> None:
    write_tree(tmp_path)
    write_list(tmp_path, "2016", "val", ["duel"])
    write_list(tmp_path, "480p", "trainval", ["/JPEGImages/480p/duel/00000.jpg /Annotations/480p/duel/00000.png"])
    assert Davis.splits(tmp_path) == ["train", "val"]
    assert [clip.clip_id for clip in Davis(tmp_path, "val")] == ["nowhere", "solo", "unseen"]


def test_without_lists_all_sequences_are_one_split(tmp_path: Path) -> None:
    write_sequence(tmp_path, "b", [{1: (1, 1, 5, 5)}] * 2)
    write_sequence(tmp_path, "a", [None] * 2)  # pictures only
    assert Davis.splits(tmp_path) == ["all"]
    assert [clip.clip_id for clip in Davis(tmp_path, "all")] == ["a", "b"]


def test_a_2016_list_names_frames_some_of_which_are_absent(tmp_path: Path) -> None:
    write_sequence(tmp_path, "solo", [{1: (1, 1, 9, 9)}] * 3, grey=True)
    lines = [f"/JPEGImages/480p/solo/{k:05d}.jpg /Annotations/480p/solo/{k:05d}.png" for k in range(5)]
    write_list(tmp_path, "480p", "val", lines)
    (clip,) = Davis(tmp_path, "val")
    assert len(clip.frames) == 3
    (problem,) = clip.problems
    assert (problem.reason, problem.detail) == ("listed_but_absent", "2 of 5 listed pictures are absent: 00003.jpg, 00004.jpg")


def test_missing_pictures_labels_and_sequences_are_problems_with_counts(tmp_path: Path) -> None:
    by_id = {clip.clip_id: clip for clip in Davis(write_tree(tmp_path), "val")}
    assert [(problem.reason, problem.detail) for problem in by_id["unseen"].problems] == [
        (
            "picture_missing",
            "3 of 3 frames have no picture: Annotations/480p/unseen/00000.png, Annotations/480p/unseen/00001.png, "
            "Annotations/480p/unseen/00002.png",
        )
    ]
    assert all(frame.image is None and frame.labels for frame in by_id["unseen"].frames)
    assert [problem.reason for problem in by_id["nowhere"].problems] == ["clip_missing"]
    write_sequence(tmp_path, "solo", [{1: (1, 1, 9, 9)}, *[None] * 6])  # as test-dev: labels of the first frame only
    (tmp_path / "Annotations" / "480p" / "solo" / "00004.png").unlink()
    clip = next(clip for clip in Davis(tmp_path, "val") if clip.clip_id == "solo")
    assert [problem.reason for problem in clip.problems] == ["labels_missing"]
    assert clip.problems[0].detail.startswith("3 of 7 frames have no labels")


def test_files_that_are_no_frames_are_passed_over(tmp_path: Path) -> None:
    write_tree(tmp_path)
    (tmp_path / "JPEGImages" / "480p" / "duel" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "Annotations" / "480p" / "duel" / "._00000.png").write_bytes(b"x")
    assert len(Davis(tmp_path, "train")[0].frames) == 6


def test_another_resolution_and_the_unsupervised_package_are_found(tmp_path: Path) -> None:
    save_palette(tmp_path / "Annotations_unsupervised" / "Full-Resolution" / "a" / "00000.png", labels({1: (0, 0, 4, 4)}))
    save_picture(tmp_path / "JPEGImages" / "Full-Resolution" / "a" / "00000.jpg", seed=0)
    (clip,) = Davis(tmp_path, "all")
    assert clip.frames[0].labels == "Annotations_unsupervised/Full-Resolution/a/00000.png"
    assert clip.frames[0].image == "JPEGImages/Full-Resolution/a/00000.jpg"
    (tmp_path / "Annotations_unsupervised" / "1080p").mkdir()
    with pytest.raises(InputError, match="expected a folder 480p, or one folder of another resolution; it holds 1080p, Full-Res"):
        Davis.splits(tmp_path)


@pytest.mark.parametrize("line", ["../../etc", "a/b", "/JPEGImages/480p/../00000.jpg x", "two words", ".hidden"])
def test_a_line_that_is_no_sequence_is_refused_by_number(tmp_path: Path, line: str) -> None:
    write_tree(tmp_path)
    write_list(tmp_path, "2017", "train", ["duel", line])
    with pytest.raises(InputError, match=r"train\.txt, line 2"):
        Davis(tmp_path, "train")


def test_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "davis")
    write_sequence(tmp_path / "other", "away", [{1: (1, 1, 9, 9)}])
    (root / "JPEGImages" / "480p" / "away").symlink_to(tmp_path / "other" / "JPEGImages" / "480p" / "away")
    write_list(root, "2017", "train", ["away"])
    with pytest.raises(InputError, match="leaves its root"):
        Davis(root, "train")[0]


def test_bad_roots_and_splits_say_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        Davis(tmp_path / "none", "val")
    with pytest.raises(InputError, match="is not a DAVIS tree: expected the folders JPEGImages/ and Annotations/"):
        Davis(tmp_path, "val")
    with pytest.raises(InputError, match="has no split 'test'; it has train, val"):
        Davis(write_tree(tmp_path / "davis"), "test")
    write_list(tmp_path / "davis", "2017", "train", [])
    with pytest.raises(InputError, match="split 'train' has no sequence"):
        Davis(tmp_path / "davis", "train")


def test_the_real_sample_lists_ten_sequences_of_which_three_have_pictures(shared_data: Path) -> None:
    reader = Davis(shared_data / "davis", "val")
    with_pictures = [clip.clip_id for clip in reader if any(frame.image for frame in clip.frames)]
    assert (len(reader), with_pictures) == (10, ["blackswan", "car-shadow", "libby"])
    assert all(clip.problems[0].reason == "picture_missing" for clip in reader if clip.clip_id not in with_pictures)
    assert {clip.clip_id: len(clip.frames) for clip in reader}["cows"] == 104
