"""Frames from folders and video files, whichever way they are asked for; prompts from files, and what is wrong with them."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from sightline.errors import InputError
from sightline.geometry.masks import encode_mask
from sightline.models.tracking.clip_files import FolderFrames, VideoFrames, open_frames
from sightline.models.tracking.prompt_files import parse_label_picture, read_label_picture, read_prompts
from tests.davis_tree import HEIGHT, WIDTH, labels, save_palette, save_picture
from tests.video_file import write_video


def test_pictures_stand_in_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (9, 10, 2):
        save_picture(tmp_path / f"frame_{number}.jpg", seed=number)
    (tmp_path / "notes.txt").write_text("not a picture")
    frames = open_frames(tmp_path)
    assert frames.names == ["frame_2", "frame_9", "frame_10"]
    assert (len(frames), frames.width, frames.height) == (3, WIDTH, HEIGHT)
    assert frames.rgb(2).shape == (HEIGHT, WIDTH, 3)


def test_a_video_has_the_same_frames_forwards_backwards_and_at_random(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", num_frames=12)
    frames = VideoFrames(path, kept_bytes=4 * WIDTH * HEIGHT * 3)
    assert (len(frames), frames.names[-1], frames.width, frames.height) == (12, "00011", WIDTH, HEIGHT)
    forwards = [frames.rgb(index) for index in range(12)]
    for level, picture in enumerate(forwards):
        assert abs(float(picture.mean()) - (20 + 10 * level)) < 3  # the grey that was written
    for index in (*range(11, -1, -1), 5, 3, 3, 9, 0):
        assert (frames.rgb(index) == forwards[index]).all()


def test_going_back_keeps_no_more_frames_than_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "clip.mp4", num_frames=12)
    frames = VideoFrames(path, kept_bytes=4 * WIDTH * HEIGHT * 3)
    starts: list[int] = []
    decode = frames._decode_to
    monkeypatch.setattr(frames, "_decode_to", lambda index: starts.append(index) or decode(index))
    for index in range(11, -1, -1):
        frames.rgb(index)
        assert len(frames._kept) <= 4
    assert starts == [11, 10, 6, 2]  # 11 from the start, then four frames at a time


def test_a_folder_without_pictures_and_pictures_of_two_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no picture"):
        FolderFrames(tmp_path)
    save_picture(tmp_path / "0.jpg", seed=0)
    save_picture(tmp_path / "1.jpg", seed=0, width=WIDTH + 2)
    with pytest.raises(InputError, match=r"1\.jpg has 50x32 pixels, the first frame 48x32"):
        FolderFrames(tmp_path).rgb(1)
    save_picture(tmp_path / "1.png", seed=0)
    with pytest.raises(InputError, match="two pictures are called '1'"):
        FolderFrames(tmp_path)


def test_a_video_that_cannot_be_decoded_is_refused_before_anything_is_followed(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", num_frames=3)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(InputError, match=r"clip\.mp4"):
        open_frames(path)
    with pytest.raises(FileNotFoundError, match="no such video file"):
        open_frames(tmp_path / "gone.mp4")


@pytest.fixture
def frames(tmp_path: Path) -> FolderFrames:
    for number in range(3):
        save_picture(tmp_path / "clip" / f"{number:05d}.jpg", seed=number)
    return FolderFrames(tmp_path / "clip")


def test_masks_boxes_and_points_are_read_with_their_frames(tmp_path: Path, frames: FolderFrames) -> None:
    first = labels({1: (4, 6, 14, 16)})
    save_palette(tmp_path / "first.png", first)
    code = encode_mask(first == 1)
    objects = {
        "1": [{"frame": 0, "mask": "first.png"}, {"frame": 2, "points": [[5, 7.5, True], [30, 20, False]]}],
        "dog": [{"frame": 1, "box": [4, 6, 14, 16]}],
        "coded": [{"frame": 1, "mask": msgspec.to_builtins(code)}],
    }
    (tmp_path / "prompts.json").write_bytes(msgspec.json.encode({"objects": objects}))
    shown = read_prompts(tmp_path / "prompts.json", frames)
    assert [(each.object_id, each.frame) for each in shown] == [("1", 0), ("1", 2), ("dog", 1), ("coded", 1)]
    assert (np.asarray(shown[0].mask) == (first == 1)).all()
    assert shown[1].points == ((5.0, 7.5, True), (30.0, 20.0, False))
    assert shown[2].box == (4.0, 6.0, 14.0, 16.0)
    assert (np.asarray(shown[3].mask) == (first == 1)).all()


def test_a_label_picture_shows_all_its_objects_but_void(tmp_path: Path, frames: FolderFrames) -> None:
    save_palette(tmp_path / "first.png", labels({1: (4, 6, 14, 16), 3: (20, 8, 40, 24), 255: (0, 0, 2, 2)}))
    assert parse_label_picture(f"2={tmp_path / 'first.png'}") == (2, tmp_path / "first.png")
    assert parse_label_picture("a=b.png") == (0, Path("a=b.png"))
    shown = list(read_label_picture(tmp_path / "first.png", 2, frames))
    assert [(each.object_id, each.frame, int(np.asarray(each.mask).sum())) for each in shown] == [("1", 2, 100), ("3", 2, 320)]
    save_palette(tmp_path / "empty.png", labels({}))
    with pytest.raises(InputError, match="shows no object"):
        list(read_label_picture(tmp_path / "empty.png", 0, frames))


EMPTY = msgspec.to_builtins(encode_mask(np.zeros((HEIGHT, WIDTH), bool)))
SMALL = msgspec.to_builtins(encode_mask(np.ones((5, 6), bool)))


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        ({}, "no object; expected at least one"),
        ({"1": []}, "object '1' has no prompt"),
        ({"1": [{"frame": 3, "box": [0, 0, 5, 5]}]}, "object '1', frame 3: the clip has the frames 0 to 2"),
        ({"1": [{"frame": 0}]}, "give a mask, a box or points, one of them"),
        ({"1": [{"frame": 0, "box": [0, 0, 5, 5], "points": [[1, 1, True]]}]}, "give a mask, a box or points, one of them"),
        ({"1": [{"frame": 0, "mask": SMALL}]}, "a mask of 6x5 pixels for frames of 48x32"),
        ({"1": [{"frame": 0, "mask": EMPTY}]}, "the mask is empty"),
        ({"1": [{"frame": 0, "box": [5, 0, 5, 5]}]}, "is no box inside 48x32"),
        ({"1": [{"frame": 0, "points": [[49, 1, True]]}]}, r"point \(49, 1\) lies outside"),
        ({"1": [{"frame": 0, "boxes": []}]}, "unknown field `boxes`"),
        ({"1": [{"frame": 0, "mask": "../first.png"}]}, "leaves its root"),
    ],
)
def test_what_shows_nothing_is_named_with_its_file_object_and_frame(
    tmp_path: Path, frames: FolderFrames, objects: Any, words: str
) -> None:
    (tmp_path / "prompts.json").write_bytes(msgspec.json.encode({"objects": objects}))
    with pytest.raises(InputError, match=words):
        read_prompts(tmp_path / "prompts.json", frames)
