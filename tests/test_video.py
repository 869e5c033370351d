"""Videos are decoded in order, upright, and not beyond their limits."""

import struct
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.errors import InputError
from sightline.video import VideoLimits, frame_rate, read_frames
from tests.video_file import write_video


def test_frames_come_in_order_with_the_pixels_of_the_wanted_ones(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", num_frames=7)
    frames = list(read_frames(path, lambda number: number % 3 == 0))
    assert [frame.number for frame in frames] == list(range(7))
    shown = [frame.rgb for frame in frames if frame.rgb is not None]
    assert [round(float(rgb.mean())) for rgb in shown] == pytest.approx([20, 50, 80], abs=3)  # frame k is grey of 20 + 10 k


@pytest.mark.parametrize(("rate", "meant"), [("24", 24), ("24000/1001", 24), ("25/2", Fraction(25, 2))])
def test_a_rate_near_a_whole_number_is_meant_as_that(tmp_path: Path, rate: str, meant: Fraction) -> None:
    assert frame_rate(write_video(tmp_path / "a.mp4", num_frames=3, rate=Fraction(rate))) == meant


@pytest.mark.parametrize(
    ("matrix", "shape"),
    [((0, 1, -1, 0), (48, 32)), ((-1, 0, 0, -1), (32, 48)), ((0, -1, 1, 0), (48, 32))],
    ids=["quarter", "half", "three quarters"],
)
def test_a_turned_video_is_set_upright_as_opencv_does(tmp_path: Path, matrix: tuple[int, ...], shape: tuple[int, int]) -> None:
    path = write_video(tmp_path / "a.mp4", num_frames=1, slope=True)
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 4 + 20 + 16  # version and flags, times and track, layer and volume
    a, b, c, d = (16 * 4096 * value for value in matrix)
    content[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    rgb = next(read_frames(path, lambda _: True)).rgb
    assert rgb is not None
    assert rgb.shape[:2] == shape
    read, bgr = cv2.VideoCapture(str(path)).read()
    assert read
    assert np.abs(rgb.astype(int) - cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)).mean() < 1


def test_a_cut_off_video_gives_its_frames_up_to_the_damage(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", num_frames=40, noise=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    seen = []
    try:
        seen.extend(frame.number for frame in read_frames(path, lambda _: False))
    except InputError as error:
        assert "the video is damaged" in str(error)  # noqa: PT017 - it may as well end without an error
    assert 0 < len(seen) < 40


def test_what_is_no_video_is_refused_and_a_playlist_is_not_followed(tmp_path: Path) -> None:
    write_video(tmp_path / "real.mp4", num_frames=3)
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile real.mp4\n")
    with pytest.raises(InputError, match=r"list\.mp4: cannot be read as mp4 video"):
        frame_rate(tmp_path / "list.mp4")
    (tmp_path / "a.gif").write_bytes(b"GIF89a")
    with pytest.raises(InputError, match=r"a\.gif: expected a video named \.mp4"):
        frame_rate(tmp_path / "a.gif")
    with pytest.raises(FileNotFoundError, match="no such video file"):
        frame_rate(tmp_path / "none.mp4")


def test_limits_hold_before_anything_is_decoded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", num_frames=5)
    with pytest.raises(InputError, match="at most 10 are read"):
        frame_rate(path, VideoLimits(max_file_bytes=10))
    with pytest.raises(InputError, match="frames of 48 x 32 pixels; expected 1 to 1,000 pixels"):
        frame_rate(path, VideoLimits(max_pixels=1000))
    with pytest.raises(InputError, match=r"frame 3: .* at most 3 frames"):
        list(read_frames(path, lambda _: False, VideoLimits(max_frames=3)))


def test_a_real_video_has_the_pixels_that_opencv_reads(shared_data: Path) -> None:
    path = shared_data / "sam2_gallery" / "01_dog.mp4"
    assert frame_rate(path) == 30
    capture = cv2.VideoCapture(str(path))
    for frame, _ in zip(read_frames(path, lambda number: number % 2 == 0), range(5), strict=False):
        _, bgr = capture.read()
        assert frame.rgb is None or (frame.rgb == cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)).all()
