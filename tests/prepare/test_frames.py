"""Frames of SA-V videos: the right ones, whole or not at all, going on where it stopped."""

import json
import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from sightline import media
from sightline.datasets.clips.sav import Sav
from sightline.errors import InputError
from sightline.prepare.frames import extract_frames, keeps
from tests.video_file import write_video
from tests.video_tree import write_masklets

SQUARE = (4, 4, 14, 14)


def write_sav(root: Path, *, videos: int = 1, rows: int = 3, num_frames: int = 12) -> Path:
    """Videos of 24 frames a second with masks at every fourth."""
    for number in range(1, videos + 1):
        folder = root / "sav_train" / "sav_000"
        write_masklets(folder, f"sav_{number:06d}", [[SQUARE]] * rows)
        write_video(folder / f"sav_{number:06d}.mp4", num_frames=num_frames)
    return root


def pictures(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.jpg"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_at_six_a_second_every_fourth_frame_is_kept_under_its_number(tmp_path: Path) -> None:
    found = extract_frames("sav", write_sav(tmp_path), tmp_path, split="train", fps=6.0)
    assert (found.num_videos, found.num_pictures, found.dropped, found.altered) == (1, 3, {}, {})
    assert pictures(tmp_path) == [f"JPEGImages_6fps/sav_000001/{number:05d}.jpg" for number in (0, 4, 8)]
    levels = [float(media.read_rgb(tmp_path / name).mean()) for name in pictures(tmp_path)]
    assert levels == pytest.approx([20, 60, 100], abs=4)  # frame k of the video is grey of 20 + 10 k


def test_the_reader_finds_them(tmp_path: Path) -> None:
    extract_frames("sav", write_sav(tmp_path), tmp_path, split="train", fps=6.0)
    (clip,) = Sav(tmp_path, "train")
    assert [frame.image for frame in clip.frames] == pictures(tmp_path)
    assert clip.problems == ()


@pytest.mark.parametrize(
    ("fps", "kept"),
    [("24", list(range(12))), ("12", [0, 2, 4, 6, 8, 10]), ("10", [0, 2, 4, 7, 9]), ("1.5", [0]), ("30", list(range(12)))],
)
def test_a_rate_keeps_frames_evenly(fps: str, kept: list[int]) -> None:
    # at 10 of 24: 0, 2.4, 4.8, 7.2, 9.6, rounded down
    assert [number for number in range(12) if keeps(number, Fraction(24), Fraction(fps))] == kept


def test_another_out_is_a_root_of_its_own_without_the_videos(tmp_path: Path) -> None:
    write_sav(tmp_path / "sav")
    extract_frames("sav", tmp_path / "sav", tmp_path / "out", split="train", fps=6.0)
    linked = tmp_path / "out" / "sav_train" / "sav_000" / "sav_000001_manual.json"
    assert linked.samefile(tmp_path / "sav" / "sav_train" / "sav_000" / "sav_000001_manual.json")
    (clip,) = Sav(tmp_path / "out", "train")
    assert [frame.image is not None for frame in clip.frames] == [True] * 3
    assert (clip.video, clip.problems) == (None, ())


def test_another_annotation_file_under_the_same_name_is_not_overwritten(tmp_path: Path) -> None:
    write_sav(tmp_path / "sav")
    write_masklets(tmp_path / "out" / "sav_train" / "sav_000", "sav_000001", [[SQUARE]] * 9)
    with pytest.raises(InputError, match=r"sav_000001_manual\.json is there already, and is not"):
        extract_frames("sav", tmp_path / "sav", tmp_path / "out", split="train", fps=6.0)


def test_a_video_with_fewer_frames_than_masks_is_used_up_to_its_end(tmp_path: Path) -> None:
    write_sav(tmp_path, rows=5, num_frames=10)
    found = extract_frames("sav", tmp_path, tmp_path, split="train", fps=6.0)
    assert found.altered == {"frames_lost": 1}
    line = json.loads((tmp_path / "JPEGImages_6fps" / "ledger.jsonl").read_text())
    assert (line["unit"], line["detail"]) == ("sav_000001", "10 frames are decoded, the last mask is at frame 16")
    (clip,) = Sav(tmp_path, "train")
    assert [frame.frame_id for frame in clip.frames] == ["00000", "00004", "00008"]
    assert [entry.reason for entry in clip.problems] == ["frames_lost"]


def test_what_does_not_fit_the_annotation_is_told(tmp_path: Path) -> None:
    folder = write_sav(tmp_path) / "sav_train" / "sav_000"
    write_video(folder / "sav_000001.mp4", num_frames=12, rate=Fraction(5))
    path = folder / "sav_000001_manual.json"
    path.write_text(path.read_text().replace('"video_width": 48.0', '"video_width": 40.0'))
    found = extract_frames("sav", tmp_path, tmp_path, split="train", fps=30.0)
    assert found.altered == {"other_rate": 1, "rate_too_low": 1, "size_mismatch": 1}
    assert found.num_pictures == 12


def test_masks_are_at_every_fourth_decoded_frame_whatever_rate_the_video_says(tmp_path: Path) -> None:
    write_video(write_sav(tmp_path) / "sav_train" / "sav_000" / "sav_000001.mp4", num_frames=12, rate=Fraction(30))
    found = extract_frames("sav", tmp_path, tmp_path, split="train", fps=6.0)
    assert pictures(tmp_path) == [f"JPEGImages_6fps/sav_000001/{number:05d}.jpg" for number in (0, 4, 8)]
    assert found.altered == {"other_rate": 1}


def test_videos_that_are_missing_or_damaged_go_to_the_ledger_and_the_others_go_on(tmp_path: Path) -> None:
    folder = write_sav(tmp_path, videos=3) / "sav_train" / "sav_000"
    (folder / "sav_000001.mp4").unlink()
    (folder / "sav_000002.mp4").write_bytes(b"no video")
    found = extract_frames("sav", tmp_path, tmp_path, split="train", fps=6.0)
    assert (found.num_videos, found.dropped) == (1, {"unreadable": 1, "video_missing": 1})
    assert {name.split("/")[1] for name in pictures(tmp_path)} == {"sav_000003"}
    write_video(folder / "sav_000001.mp4", num_frames=12)
    write_video(folder / "sav_000002.mp4", num_frames=12)
    assert extract_frames("sav", tmp_path, tmp_path, split="train", fps=6.0).num_videos == 3  # mended files are tried again


def test_videos_that_came_later_are_extracted_too(tmp_path: Path) -> None:
    extract_frames("sav", write_sav(tmp_path), tmp_path, split="train", fps=6.0)
    assert extract_frames("sav", write_sav(tmp_path, videos=2), tmp_path, split="train", fps=6.0).num_videos == 2


def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    write_sav(tmp_path / "sav", videos=3)
    root, out = tmp_path / "sav", tmp_path / "sav" / "JPEGImages_6fps"

    def stop(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_frames("sav", root, root, split="train", fps=6.0, on_progress=stop)
    assert len(list((out / ".done").iterdir())) == 2
    (out / ".done" / "sav_000002.json").unlink()  # killed between the pictures and their record
    (out / "sav_000002" / "00004.jpg").unlink()
    (out / ".sav_000003.1.ab.partial").mkdir()
    extract_frames("sav", root, root, split="train", fps=6.0)
    resumed = contents(out)
    assert not (out / ".sav_000003.1.ab.partial").exists()
    shutil.rmtree(out)
    extract_frames("sav", root, root, split="train", fps=6.0, workers=2)
    assert resumed == contents(out)


def test_frames_of_other_origin_or_of_a_changed_video_are_not_replaced(tmp_path: Path) -> None:
    write_sav(tmp_path, videos=1)
    (tmp_path / "JPEGImages_6fps" / "sav_000001").mkdir(parents=True)
    with pytest.raises(InputError, match=r"holds sav_000001 but no frames\.json"):
        extract_frames("sav", tmp_path, tmp_path, split="train", fps=6.0)
    (tmp_path / "JPEGImages_6fps" / "sav_000001").rmdir()
    extract_frames("sav", tmp_path, tmp_path, split="train", fps=6.0)
    path = tmp_path / "JPEGImages_6fps" / "frames.json"
    path.write_text(path.read_text().replace('"reader": "sav"', '"reader": "other"'))
    with pytest.raises(InputError, match=r"begun with other options or versions \(reader: other there, sav now\)"):
        extract_frames("sav", tmp_path, tmp_path, split="train", fps=6.0)
    path.write_text(path.read_text().replace('"reader": "other"', '"reader": "sav"'))
    write_video(tmp_path / "sav_train" / "sav_000" / "sav_000001.mp4", num_frames=30)
    with pytest.raises(InputError, match=r"sav_000001\.mp4 has changed since"):
        extract_frames("sav", tmp_path, tmp_path, split="train", fps=6.0)


@pytest.mark.parametrize("fps", [0.0, -6.0, 1000.0, float("nan")])
def test_a_rate_out_of_range_is_refused(tmp_path: Path, fps: float) -> None:
    with pytest.raises(InputError, match="expected a number above 0 and up to 240"):
        extract_frames("sav", tmp_path, tmp_path, split="train", fps=fps)


def test_a_name_that_no_reader_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no data with clips is called 'savv'\. Choose from: davis"):
        extract_frames("savv", tmp_path, tmp_path, split="train", fps=6.0)
