"""Frames by name: the positions that the published tools take, clips that are too short, and names that are none."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import InputError
from sightline.tasks.frame_rules import FrameRule, candidates, read_rule, ruled_frames, shortfall


def chosen(written: str, num_frames: int, count: int, rate: float = 24.0) -> tuple[int, ...]:
    rule = read_rule(written, num_frames=count)
    return ruled_frames(num_frames, rule, rng=np.random.default_rng(0), rate=rate)


def test_uniform_frames_and_candidates_are_those_of_the_published_tool(shared_data: Path):
    path = shared_data.parent / "golden" / "space_aware_sampling" / "frame_indices.json"
    if not path.is_file():
        pytest.skip("the golden frames are not here")
    for each in json.loads(path.read_text()):
        num_frames = each["video_frames"]
        assert list(candidates(num_frames, FrameRule())) == each["candidates"]
        for count in (4, 8, 16, 32):
            assert list(chosen("uniform", num_frames, count)) == each[f"uniform_{count}"]


def test_evenly_spread_positions_are_cut_not_rounded():
    # 5 frames, 4 of them: 0, 4/3, 8/3, 4
    assert chosen("uniform", 5, 4) == (0, 1, 2, 4)
    # 200 frames have 128 candidates: the last of four is candidate 127, which is frame 199; the second is candidate 42,
    # which is frame 42 * 199 / 127 = 65.8
    assert chosen("uniform", 200, 4)[1::2] == (65, 199)


def test_frames_by_rate_start_at_the_first_and_are_thinned_to_the_number():
    assert chosen("fps:2", 60, 16, rate=24.0) == (0, 12, 24, 36, 48)
    assert chosen("fps", 60, 16, rate=24.0) == (0, 24, 48)
    # 30 moments of 2 frames, 4 of them: moments 0, 29/3, 58/3, 29, cut
    assert chosen("fps:12", 60, 4, rate=24.0) == (0, 18, 38, 58)
    assert chosen("fps:100", 5, 16, rate=24.0) == (0, 1, 2, 3, 4)  # no faster than the video


@given(num_frames=st.integers(1, 600), count=st.integers(1, 200), name=st.sampled_from(["uniform", "random"]))
def test_exactly_as_many_as_asked_each_once_in_order(num_frames: int, count: int, name: str):
    rule = FrameRule(policy="uniform" if name == "uniform" else "random", num_frames=min(count, 128))
    frames = ruled_frames(num_frames, rule, rng=np.random.default_rng(count), rate=1.0)
    assert len(frames) == min(rule.num_frames, num_frames)
    assert list(frames) == sorted(set(frames))
    assert 0 <= frames[0] <= frames[-1] < num_frames


def test_a_short_video_is_noted_where_a_number_was_asked_for():
    entry = shortfall("val/3", 5, FrameRule(), path="scannet/s.mp4")
    assert entry is not None
    assert (entry.unit, entry.reason, entry.action) == ("val/3", "fewer_frames", "altered")
    assert entry.detail == "scannet/s.mp4 has 5 frames, 16 were asked for: each is shown once"
    assert shortfall("val/3", 16, FrameRule(), path="p") is None
    assert shortfall("val/3", 5, FrameRule(policy="fps"), path="p") is None


@pytest.mark.parametrize("written", ["fps:0", "fps:fast", "fps:nan", "fps:", "uniform:3", "space", "space-aware:2"])
def test_a_rule_that_is_none_says_which_there_are(written: str):
    with pytest.raises(InputError, match=r"uniform, random, fps:RATE, space-aware, points-aware, points-reference or all|fps:2"):
        read_rule(written, num_frames=4)


def test_all_frames_are_refused_beyond_the_limit():
    rule = FrameRule(policy="all", max_frames=4)
    assert ruled_frames(4, rule, rng=np.random.default_rng(0), rate=1.0) == (0, 1, 2, 3)
    with pytest.raises(InputError, match="5 frames to show, at most 4"):
        ruled_frames(5, rule, rng=np.random.default_rng(0), rate=1.0)
