"""Which clips are trained on: from which videos, and the same ones for the same seed and step. Needs no torch."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import InputError
from sightline.train.sam2.options import GapStage, Jitter, WindowOptions
from sightline.train.sam2.videos import Videos, VideoSource
from sightline.train.sam2.windows import WindowPlan, covering_starts, evaluation_windows, rows_of
from tests import davis_tree
from tests.train.sam2.trees import code_of, write_json

SMALL = WindowOptions(num_frames=3, image_size=32)


@pytest.fixture
def videos(tmp_path: Path) -> Videos:
    return Videos([VideoSource(write_json(tmp_path))])


def windows_of(plan: WindowPlan, steps: int = 12) -> list:
    return [plan.window(step, row) for step in range(steps) for row in range(plan.batch_size)]


def test_the_same_seed_and_step_give_the_same_clip_in_any_order_and_another_seed_others(videos):
    options = replace(SMALL, reverse=0.5, gaps=(GapStage(0, 1, 2),))
    expected = windows_of(WindowPlan(videos, options, batch_size=2, seed=4))
    again = WindowPlan(videos, options, batch_size=2, seed=4)
    assert [again.window(step, row) for step in reversed(range(12)) for row in (1, 0)] == expected[::-1]
    assert windows_of(WindowPlan(videos, options, batch_size=2, seed=5)) != expected


def test_every_video_comes_once_before_any_comes_again(videos):
    plan = WindowPlan(videos, SMALL, batch_size=1)
    seen = [plan.window(step, 0).clip_id for step in range(20)]
    assert {tuple(sorted(seen[at : at + 2])) for at in range(0, 20, 2)} == {("left", "right")}
    assert seen != ["left", "right"] * 10  # the order is drawn anew
    assert plan.steps_per_epoch == 2


def test_clips_start_where_an_object_is_seen_and_every_such_place_is_reached(videos):
    plan = WindowPlan(videos, replace(SMALL, num_frames=2), batch_size=2)
    starts = {(window.clip_id, window.frames[0]) for window in windows_of(plan, 60)}
    # `left` can start at 0..4, and 4 is not annotated; `right` at 0..2, and in 1 the object is absent
    assert starts == {("left", 0), ("left", 1), ("left", 2), ("left", 3), ("right", 0), ("right", 2)}


def test_the_gap_follows_its_stages_and_the_length_of_the_video(videos):
    options = replace(SMALL, gaps=(GapStage(0, 1, 1), GapStage(10, 1, 5)))
    windows = [(step, WindowPlan(videos, options).window(step, 0)) for step in range(60)]
    gaps = {(step >= 10, window.clip_id): set() for step, window in windows}
    for step, window in windows:
        first, second, third = window.frames
        assert second - first == third - second
        gaps[step >= 10, window.clip_id].add(second - first)
    # three frames of 6 are at most 2 apart, of 4 at most 1
    assert gaps == {(False, "left"): {1}, (False, "right"): {1}, (True, "left"): {1, 2}, (True, "right"): {1}}


def test_reversed_clips_run_backwards(videos):
    plan = WindowPlan(videos, replace(SMALL, reverse=1.0), batch_size=2)
    assert all(window.frames[0] > window.frames[1] > window.frames[2] for window in windows_of(plan))


def test_a_clip_longer_than_its_video_is_an_error_with_both_numbers(videos):
    plan = WindowPlan(videos, replace(SMALL, num_frames=5))
    with pytest.raises(InputError, match="clip 'right': 4 frames; a clip of 5 frames, 1 apart, needs 5"):
        plan.check()
    with pytest.raises(InputError, match="'right': 4 frames; a clip of 3 frames, 2 apart, needs 5"):
        WindowPlan(videos, replace(SMALL, gaps=(GapStage(), GapStage(100, 2, 2)))).check()
    WindowPlan(videos, SMALL).check()


def test_processes_share_the_rows_of_a_step():
    assert [row for rank in range(4) for row in rows_of(rank, num_processes=4, batch_size=8)] == list(range(8))
    with pytest.raises(InputError, match="batch of 3 clips cannot be divided among 2"):
        rows_of(0, num_processes=2, batch_size=3)


@given(whole=st.integers(1, 200), length=st.integers(1, 200))
def test_evaluation_covers_every_frame_with_whole_clips(whole, length):
    length = min(whole, length)
    starts = covering_starts(whole, length)
    assert {frame for start in starts for frame in range(start, start + length)} == set(range(whole))
    assert len(starts) == -(-whole // length)


def test_evaluation_windows_are_every_video_cut_up(videos):
    windows = evaluation_windows(videos, 4)
    assert [(window.clip_id, window.frames) for window in windows] == [
        ("left", (0, 1, 2, 3)),
        ("left", (2, 3, 4, 5)),
        ("right", (0, 1, 2, 3)),
    ]
    assert [len(window.frames) for window in evaluation_windows(videos, None)] == [6, 4]
    with pytest.raises(InputError, match="'right': 4 frames cannot be cut into clips of 5"):
        evaluation_windows(videos, 5)


def test_davis_and_a_json_are_numbered_one_after_the_other(tmp_path):
    davis = VideoSource(davis_tree.write_tree(tmp_path / "davis"), format="davis", split="train")
    videos = Videos([davis, VideoSource(write_json(tmp_path / "json"))])
    assert [videos.name(video) for video in range(len(videos))] == ["duel", "left", "right"]
    assert [videos.num_frames(video) for video in range(3)] == [6, 6, 4]
    # DAVIS lists no objects: a clip has those that its frames show, and object 2 is in none of the last two
    assert [track.object_id for track in videos.see(0, [3, 4]).tracks] == ["1", "2"]
    assert [track.object_id for track in videos.see(0, [4, 5]).tracks] == ["1"]


def test_single_videos_of_a_source_can_be_named(tmp_path):
    path = write_json(tmp_path)
    videos = Videos([VideoSource(path, only=("right",))])
    assert [(videos.name(video), videos.num_frames(video)) for video in range(len(videos))] == [("right", 4)]
    with pytest.raises(InputError, match=r"has no video 'rigth' among its 2; it has right"):
        Videos([VideoSource(path, only=("rigth",))])


def test_codes_are_kept_until_the_room_is_used_up(tmp_path):
    videos = Videos([VideoSource(write_json(tmp_path))], max_bytes=1)
    first = videos.clip(0)
    assert videos.clip(0) is first
    one = videos.kept_bytes
    videos.clip(1)
    assert 0 < videos.kept_bytes < one  # the shorter one alone
    assert videos.clip(0) is not first
    wide = Videos([VideoSource(write_json(tmp_path))])
    first = wide.clip(0)
    wide.clip(1)
    assert wide.clip(0) is first


def _twice(content):
    content["images"][1]["order_in_video"] = 0


def _same_file(content):
    content["images"][1]["file_name"] = "left/00000.jpg"


def _unsorted(content):
    content["images"][1]["order_in_video"], content["images"][2]["order_in_video"] = 2, 1


def _other_size(content):
    content["annotations"][0]["segmentation"] = code_of((0, 0, 4, 4), width=20, height=20)


def _empty_object(content):
    for index in (4, 6):  # all of object 2
        content["annotations"][index]["segmentation"] = code_of((0, 0, 0, 0))


def _no_picture(content):
    content["images"][2]["file_name"] = "left/99999.jpg"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_twice, r"video 1: 6 images with 5 places in time"),
        (_same_file, r"'left': the picture left/00000.jpg stands for two frames"),
        (_unsorted, r"'left': frame 00001 comes after frame 00002"),
        (_other_size, r"'left': frame 00000, object '1': a mask of 20x20 for pictures of 48x32"),
        (_empty_object, r"'left': object '2' is in no frame"),
        (_no_picture, r"'left'.*picture_missing"),
    ],
)
def test_what_would_teach_the_wrong_thing_is_an_error_that_names_the_clip(tmp_path, change, message):
    path = write_json(tmp_path, change)
    with pytest.raises(InputError, match=message):
        WindowPlan(Videos([VideoSource(path)]), SMALL).check()


def test_a_picture_of_another_size_than_its_masks_is_named(tmp_path):
    path = write_json(tmp_path)
    davis_tree.save_picture(tmp_path / "left/00001.jpg", seed=1, width=30, height=20)
    with pytest.raises(InputError, match=r"left/00001.jpg: left/00001: size_mismatch.*30x20.*48x32"):
        Videos([VideoSource(path)]).see(0, [0, 1])


def test_sources_that_are_none_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"):
        Videos([VideoSource(tmp_path / "gone")])
    with pytest.raises(InputError, match="clip format 'davids'; expected one of davis"):
        Videos([VideoSource(tmp_path, format="davids")])
    (tmp_path / "other.json").write_text('{"rows": []}')
    with pytest.raises(InputError, match="no COCO-style video JSON"):
        Videos([VideoSource(tmp_path / "other.json")])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_frames": 0}, "num_frames 0"),
        ({"reverse": 1.5}, "reverse 1.5"),
        ({"image_size": 100}, "multiple of 32"),
        ({"gaps": (GapStage(5),)}, "the first 0"),
        ({"gaps": (GapStage(0, 3, 2),)}, "smallest <= largest"),
        ({"clip_jitter": Jitter(1.0)}, "below 1"),
    ],
)
def test_options_out_of_range_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        WindowOptions(**wrong)
