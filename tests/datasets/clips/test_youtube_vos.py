"""The YouTube-VOS reader on tiny trees in the true layout."""

from pathlib import Path

import pytest

from sightline.datasets import CLIP_READERS, ClipFormat, ClipReader
from sightline.datasets.clips.youtube_vos import YouTubeVos, YouTubeVosAllFrames
from sightline.errors import InputError
from sightline.tasks.clips import SeenClip
from tests.davis_tree import save_picture
from tests.video_tree import write_frames, write_json

FIRST, LATER = (4, 4, 14, 14), (20, 10, 30, 20)


def _meta(**objects: list[str]) -> dict[str, object]:
    return {
        "videos": {"00ab12cd34": {"objects": {name[1:]: {"category": "penguin", "frames": at} for name, at in objects.items()}}}
    }


def write_youtube_vos(root: Path) -> Path:
    """Object 1 in three frames (gone in the last of them), object 4 only from frame 10 on; frame 15 speaks of object 4 alone."""
    shown = {0: {1: FIRST}, 5: {1: FIRST}, 10: {4: LATER}, 15: {4: LATER}}
    write_frames(root / "train", "00ab12cd34", shown)
    write_json(root / "train" / "meta.json", _meta(o4=["00010", "00015"], o1=["00000", "00005", "00010"]))
    write_frames(root / "valid", "00ab12cd34", {0: {1: FIRST}, 5: None, 10: {4: LATER}, 15: None})
    write_json(root / "valid" / "meta.json", _meta(o1=["00000", "00005", "00010"], o4=["00010", "00015"]))
    return root


def test_both_are_clip_readers(tmp_path: Path) -> None:
    write_youtube_vos(tmp_path)
    assert all(isinstance(CLIP_READERS[name][0](), ClipFormat) for name in ("youtube-vos", "youtube-vos-30fps"))
    assert YouTubeVos.splits(tmp_path) == ["train", "valid"]
    assert isinstance(YouTubeVos(tmp_path, "train"), ClipReader)


def test_objects_have_their_category_and_their_number_with_its_gaps(tmp_path: Path) -> None:
    (clip,) = YouTubeVos(write_youtube_vos(tmp_path), "train")
    assert [(track.object_id, track.label, track.category) for track in clip.tracks] == [("1", 1, "penguin"), ("4", 4, "penguin")]
    assert (clip.fps, clip.video_id, clip.problems) == (6.0, "youtube_vos/00ab12cd34", ())
    assert [frame.frame_id for frame in clip.frames] == ["00000", "00005", "00010", "00015"]


def test_an_object_is_known_in_its_own_frames_and_nowhere_else(tmp_path: Path) -> None:
    (clip,) = YouTubeVos(write_youtube_vos(tmp_path), "train")
    first, later = SeenClip(clip, tmp_path).tracks
    assert first.known == (True, True, True, False)
    assert [first.absent(frame) for frame in range(4)] == [False, False, True, False]
    assert later.known == (False, False, True, True)  # before it starts, no pixel of it proves nothing


def test_in_valid_an_object_is_known_at_its_first_frame_alone(tmp_path: Path) -> None:
    (clip,) = YouTubeVos(write_youtube_vos(tmp_path), "valid")
    # frame 10 shows object 4 alone: object 1 may be there, its mask is held back
    assert [track.annotated for track in clip.tracks] == [(0,), (2,)]
    assert [(entry.reason, entry.action, entry.detail) for entry in clip.problems] == [
        ("first_masks_only", "altered", "2 of 4 listed frames have no labels: 00005, 00015")
    ]


def test_a_valid_split_with_all_masks_is_used_in_full(tmp_path: Path) -> None:
    write_youtube_vos(tmp_path)
    write_frames(tmp_path / "valid", "00ab12cd34", {0: {1: FIRST}, 5: {1: FIRST}, 10: {4: LATER}, 15: {4: LATER}})
    (clip,) = YouTubeVos(tmp_path, "valid")
    assert [track.annotated for track in clip.tracks] == [(0, 1, 2), (2, 3)]


def test_all_frames_are_thirty_a_second_with_labels_at_every_fifth(tmp_path: Path) -> None:
    write_youtube_vos(tmp_path)
    for number in range(16):
        save_picture(tmp_path / "all_frames/train_all_frames/JPEGImages/00ab12cd34" / f"{number:05d}.jpg", seed=number)
    assert YouTubeVosAllFrames.splits(tmp_path) == ["train"]
    (clip,) = YouTubeVosAllFrames(tmp_path, "train")
    assert (len(clip.frames), clip.fps, clip.problems) == (16, 30.0, ())
    assert [track.annotated for track in clip.tracks] == [(0, 5, 10), (10, 15)]
    assert clip.frames[5].image == "all_frames/train_all_frames/JPEGImages/00ab12cd34/00005.jpg"
    (tmp_path / "all_frames" / "train_all_frames").rename(tmp_path / "train_all_frames")
    assert YouTubeVosAllFrames(tmp_path, "train")[0].frames[5].image == "train_all_frames/JPEGImages/00ab12cd34/00005.jpg"


def test_what_only_the_meta_file_or_only_the_disk_has_is_a_problem(tmp_path: Path) -> None:
    write_youtube_vos(tmp_path)
    (tmp_path / "train" / "JPEGImages" / "00ab12cd34").rename(tmp_path / "train" / "JPEGImages" / "unlisted")
    (tmp_path / "train" / "Annotations" / "00ab12cd34").rename(tmp_path / "train" / "Annotations" / "unlisted")
    listed, unlisted = YouTubeVos(tmp_path, "train")
    assert (listed.clip_id, listed.frames, [entry.reason for entry in listed.problems]) == ("00ab12cd34", (), ["clip_missing"])
    assert [entry.reason for entry in unlisted.problems] == ["not_in_meta"]
    assert [frame.labels for frame in unlisted.frames] == [None] * 4  # whose absence they could prove is not known


def test_missing_label_pictures_and_odd_objects_are_problems(tmp_path: Path) -> None:
    write_youtube_vos(tmp_path)
    write_json(tmp_path / "train" / "meta.json", _meta(o1=["00000", "00005"], o300=["00000"]))
    (tmp_path / "train" / "Annotations" / "00ab12cd34" / "00005.png").unlink()
    (clip,) = YouTubeVos(tmp_path, "train")
    assert [(entry.reason, entry.detail) for entry in clip.problems] == [
        ("bad_object", "object '300': expected a number from 1 to 254"),
        ("labels_missing", "1 of 2 listed frames have no labels: 00005"),
    ]
    assert [(track.object_id, track.annotated) for track in clip.tracks] == [("1", (0,))]


def test_bad_roots_splits_and_meta_files_say_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        YouTubeVos(tmp_path / "none", "train")
    with pytest.raises(InputError, match=r"not a YouTube-VOS tree for this reader: expected train/meta.json and train/JPEGImages/"):
        YouTubeVos(tmp_path, "train")
    write_youtube_vos(tmp_path)
    with pytest.raises(InputError, match=r"expected train/meta.json and all_frames/train_all_frames/JPEGImages/"):
        YouTubeVosAllFrames(tmp_path, "train")
    with pytest.raises(InputError, match="has no split 'test'; it has train, valid"):
        YouTubeVos(tmp_path, "test")
    write_json(tmp_path / "train" / "meta.json", {"videos": {"00ab12cd34": {"expressions": {}}}})
    with pytest.raises(InputError, match=r"meta\.json: Object missing required field `objects`"):
        YouTubeVos(tmp_path, "train")
