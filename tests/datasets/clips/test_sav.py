"""The SA-V readers on tiny trees in the true layout, and on the real sample."""

import json
from pathlib import Path

import pytest

from sightline.datasets import CLIP_READERS, ClipFormat, ClipReader
from sightline.datasets.clips.sav import Sav, SavAuto
from sightline.datasets.clips.sav_frames import extracted_folders, frames_folder
from sightline.errors import InputError
from sightline.tasks.clips import SeenClip
from sightline.types import ClipFrame
from tests.davis_tree import HEIGHT, WIDTH, save_picture
from tests.video_tree import rle, save_binary, write_json, write_masklets

MAN, HAND = (4, 4, 24, 24), (10, 10, 16, 16)  # they overlap
ROWS = [[MAN, None], [MAN, HAND], [None, HAND]]


def write_sav(root: Path) -> Path:
    write_masklets(root / "sav_train" / "sav_000", "sav_000002", ROWS)
    (root / "sav_train" / "sav_000" / "sav_000002.mp4").write_bytes(b"a video")
    return root


def extract(root: Path, numbers: list[int], fps: float = 6.0) -> None:
    for number in numbers:
        save_picture(root / frames_folder(fps) / "sav_000002" / f"{number:05d}.jpg", seed=number)


def test_both_are_clip_readers(tmp_path: Path) -> None:
    assert all(isinstance(CLIP_READERS[name][0](), ClipFormat) for name in ("sav", "sav-auto"))
    assert isinstance(Sav(write_sav(tmp_path), "train"), ClipReader)


def test_a_row_of_masks_is_every_fourth_decoded_frame(tmp_path: Path) -> None:
    (clip,) = Sav(write_sav(tmp_path), "train")
    assert [(frame.frame_id, frame.video_frame) for frame in clip.frames] == [("00000", 0), ("00004", 4), ("00008", 8)]
    assert (clip.video, clip.video_id, clip.fps) == ("sav_train/sav_000/sav_000002.mp4", "sav/sav_000002", 6.0)
    assert (clip.width, clip.height) == (WIDTH, HEIGHT)


def test_an_object_is_its_column_not_its_masklet_id_and_masks_may_overlap(tmp_path: Path) -> None:
    (clip,) = Sav(write_sav(tmp_path), "train")
    seen = SeenClip(clip, tmp_path)
    assert [track.object_id for track in seen.tracks] == ["0", "1"]  # their masklet_ids are 0 and 7
    man, hand = seen.tracks
    assert [place and place.box for place in man.places] == [(4, 4, 24, 24), (4, 4, 24, 24), None]
    assert [place and place.box for place in hand.places] == [None, (10, 10, 16, 16), (10, 10, 16, 16)]
    assert man.absent(2)
    assert hand.absent(0)


def test_extracted_frames_are_found_the_slowest_that_has_every_mask_first(tmp_path: Path) -> None:
    write_sav(tmp_path)
    assert [entry.reason for entry in Sav(tmp_path, "train")[0].problems] == ["picture_missing"]
    extract(tmp_path, list(range(12)), fps=24.0)
    extract(tmp_path, [0, 4, 8], fps=6.0)
    extract(tmp_path, [0, 8], fps=3.0)
    assert extracted_folders(tmp_path) == ["JPEGImages_6fps", "JPEGImages_24fps", "JPEGImages_3fps"]
    reader = Sav(tmp_path, "train")
    assert reader[0].problems == ()
    assert reader[0].frames[1] == ClipFrame(frame_id="00004", image="JPEGImages_6fps/sav_000002/00004.jpg", video_frame=4)
    assert tmp_path / "JPEGImages_24fps" / "sav_000002" in reader.sources()


def test_at_a_lower_rate_the_frames_between_have_masks_but_no_picture(tmp_path: Path) -> None:
    extract(write_sav(tmp_path), [0, 8], fps=3.0)
    (clip,) = Sav(tmp_path, "train")
    assert [frame.image is not None for frame in clip.frames] == [True, False, True]
    assert clip.problems == ()


def test_a_clip_ends_with_the_pictures_that_the_decoder_gave(tmp_path: Path) -> None:
    extract(write_sav(tmp_path), [0, 4])
    (clip,) = Sav(tmp_path, "train")
    assert [(entry.reason, entry.action, entry.detail) for entry in clip.problems] == [
        ("frames_lost", "altered", "masks at 3 frames, but the decoded video ends in frame 4: 2 are used")
    ]
    assert (len(clip.frames), [len(track.masks) for track in clip.tracks]) == (2, [2, 2])


def test_a_hole_in_the_pictures_is_a_problem(tmp_path: Path) -> None:
    extract(write_sav(tmp_path), [0, 8])
    assert [(entry.reason, entry.detail) for entry in Sav(tmp_path, "train")[0].problems] == [
        ("picture_missing", "1 of 3 frames have no picture: 00004.jpg")
    ]


def test_masks_after_the_videos_end_are_cut_off(tmp_path: Path) -> None:
    write_masklets(tmp_path / "sav_train" / "sav_000", "sav_000002", ROWS, num_frames=8.0)
    (clip,) = Sav(tmp_path, "train")
    assert len(clip.frames) == 2
    first = clip.problems[0]
    assert (first.reason, first.detail) == ("masks_after_end", "3 rows of masks, 8 frames have 2")


@pytest.mark.parametrize(
    "place", ["", "sav_000", "sav_train/sav_000", "sav_000/sav_train/sav_000", "sav_train/sav_000/sav_train/sav_000"]
)
def test_files_are_found_in_their_chunk_and_where_an_archive_repeats_folders(tmp_path: Path, place: str) -> None:
    write_masklets(tmp_path / place, "sav_000002", ROWS)
    assert Sav.splits(tmp_path) == ["train"]
    assert Sav(tmp_path, "train").clip_ids() == ["sav_000002"]


def test_a_video_found_twice_is_read_once(tmp_path: Path) -> None:
    write_sav(tmp_path)
    extract(tmp_path, [0, 4, 8])
    write_masklets(tmp_path / "sav_train" / "sav_000" / "sav_train" / "sav_000", "sav_000002", ROWS)
    (clip,) = Sav(tmp_path, "train")
    (entry,) = clip.problems
    assert (entry.reason, entry.action) == ("found_twice", "altered")
    assert "sav_000/sav_train/sav_000/sav_000002_manual.json" in entry.detail


def test_automatic_masks_are_a_reader_of_their_own(tmp_path: Path) -> None:
    write_sav(tmp_path)
    with pytest.raises(InputError, match=r"expected sav_train/sav_000/sav_000001_auto\.json"):
        SavAuto.splits(tmp_path)
    write_masklets(tmp_path / "sav_train" / "sav_000", "sav_000003", [[MAN]], kind="auto")
    assert SavAuto(tmp_path, "train").clip_ids() == ["sav_000003"]
    assert Sav(tmp_path, "train").clip_ids() == ["sav_000002"]


def test_a_broken_file_is_a_clip_without_frames_and_says_why(tmp_path: Path) -> None:
    path = write_masklets(tmp_path, "sav_000002", ROWS)
    path.write_bytes(path.read_bytes()[:300])
    write_masklets(tmp_path, "sav_000003", ROWS)
    (tmp_path / "sav_000003_manual.json").rename(tmp_path / "sav_000004_manual.json")
    ragged = {"video_id": "sav_000005", "video_frame_count": 8.0, "video_height": 32.0, "video_width": 48.0}
    write_json(tmp_path / "sav_000005_manual.json", ragged | {"masklet": [[rle(MAN)], [rle(MAN), rle(HAND)]]})
    clips = list(Sav(tmp_path, "train"))
    assert [len(clip.frames) for clip in clips] == [0, 0, 0]
    assert [clip.problems[0].reason for clip in clips] == ["unreadable", "bad_annotation", "bad_annotation"]
    assert "of video 'sav_000003'" in clips[1].problems[0].detail
    assert "rows of [1, 2] objects" in clips[2].problems[0].detail


def test_codes_that_cannot_be_masks_of_these_frames_leave_the_object_unknown(tmp_path: Path) -> None:
    path = write_masklets(tmp_path, "sav_000002", [[MAN], [MAN], [MAN]])
    value = json.loads(path.read_text())
    value["masklet"][0][0]["counts"] = "1"  # one run of one pixel, not 48 * 32
    value["masklet"][1][0]["size"] = [10**6, 10**6]
    write_json(path, value)
    seen = SeenClip(Sav(tmp_path, "train")[0], tmp_path)
    assert [entry.reason for entry in seen.ledger if entry.unit != "sav_000002"] == ["bad_mask", "size_mismatch"]
    assert [track.known for track in seen.tracks] == [(False, False, True)]


@pytest.mark.parametrize("place", ["sav_val", "sav_val/sav_val"])
def test_val_has_one_binary_picture_an_object_every_fourth_frame(tmp_path: Path, place: str) -> None:
    for number in range(10):
        save_picture(tmp_path / place / "JPEGImages_24fps" / "sav_000005" / f"{number:05d}.jpg", seed=number)
    masks = tmp_path / place / "Annotations_6fps" / "sav_000005"
    for number, man, hand in [(0, MAN, HAND), (4, None, HAND)]:
        save_binary(masks / "000" / f"{number:05d}.png", man)
        save_binary(masks / "003" / f"{number:05d}.png", hand)
    (masks / "000" / "00004.png").unlink()
    assert Sav.splits(tmp_path) == ["val"]
    (clip,) = Sav(tmp_path, "val")
    assert [frame.frame_id for frame in clip.frames] == ["00000", "00004", "00008"]
    assert (clip.fps, clip.video_id, clip.problems) == (6.0, "sav/sav_000005", ())
    man, hand = SeenClip(clip, tmp_path).tracks
    assert [track.object_id for track in (man, hand)] == ["000", "003"]
    assert [place and place.box for place in man.places] == [(4, 4, 24, 24), None, None]
    assert man.known == hand.known == (True, True, False)  # frame 8 has no mask of any object: not annotated
    assert man.absent(1)


def test_bad_roots_and_splits_say_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        Sav(tmp_path / "none", "train")
    with pytest.raises(InputError, match="is not an SA-V tree"):
        Sav(tmp_path, "train")
    with pytest.raises(InputError, match="no split 'val' of manual masks; it has train"):
        Sav(write_sav(tmp_path), "val")


def test_the_real_sample_has_five_manual_masklets_one_empty_at_first(shared_data: Path) -> None:
    (clip,) = Sav(shared_data / "sav", "train")
    assert (clip.clip_id, len(clip.frames), clip.frames[-1].video_frame, clip.fps) == ("sav_000001", 121, 480, 6.0)
    seen = SeenClip(clip, shared_data / "sav")
    assert len(seen.tracks) == 5
    assert [track.absent(0) for track in seen.tracks] == [False, False, False, True, False]
    assert seen.tracks[3].places[113] is not None  # its masklet_first_appeared_frame
    assert seen.tracks[3].places[112] is None
    (auto,) = SavAuto(shared_data / "sav", "train")
    assert len(auto.tracks) == 9
