"""Which frames a question shows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import InputError
from sightline.tasks.clips import Place, SeenTrack
from sightline.tasks.footage import Policy, Sampling, sample_frames
from sightline.types import Track


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _track(*boxes: tuple[float, float, float, float] | None) -> SeenTrack:
    places = tuple(None if box is None else Place(box, 1.0) for box in boxes)
    return SeenTrack(track=Track(object_id="1", boxes=boxes), places=places, known=(True,) * len(boxes))


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, (0,)), (2, (0, 9)), (4, (0, 3, 6, 9)), (10, tuple(range(10))), (99, tuple(range(10)))],
)
def test_uniform_frames_are_spread_from_the_first_to_the_last(count: int, expected: tuple[int, ...]) -> None:
    assert sample_frames(range(10), Sampling(num_frames=count), rng=_rng()) == expected


def test_only_the_offered_frames_are_taken() -> None:
    assert sample_frames([3, 7, 40], Sampling(num_frames=2), rng=_rng()) == (3, 40)


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_random_frames_are_distinct_sorted_and_of_the_clip(total: int, count: int, seed: int) -> None:
    chosen = sample_frames(range(total), Sampling(policy="random", num_frames=count), rng=np.random.default_rng(seed))
    assert list(chosen) == sorted(set(chosen))
    assert len(chosen) == min(total, count)
    assert set(chosen) <= set(range(total))


def test_random_frames_differ_between_examples() -> None:
    chosen = {
        sample_frames(range(50), Sampling(policy="random", num_frames=3), rng=np.random.default_rng(seed)) for seed in range(5)
    }
    assert len(chosen) == 5


def test_all_frames_are_refused_when_too_many_and_never_cut() -> None:
    assert sample_frames(range(5), Sampling(policy="all", max_frames=5), rng=_rng()) == (0, 1, 2, 3, 4)
    with pytest.raises(InputError, match="6 frames to show, at most 5"):
        sample_frames(range(6), Sampling(policy="all", max_frames=5), rng=_rng())


def test_no_frame_is_an_error() -> None:
    with pytest.raises(InputError, match="none of the clip's frames"):
        sample_frames([], Sampling(), rng=_rng())


def test_keyframes_lie_where_the_object_moves() -> None:
    still, moved = (0.0, 0.0, 10.0, 10.0), (20.0, 0.0, 30.0, 10.0)
    track = _track(still, still, still, still, still, moved, None, None, None, None)
    # change: 1 at frame 5 (no overlap), 1 at frame 6 (gone); passed: 0 ... 0, 1, 2, 2, 2, 2. Wanted: 0, 1, 2
    assert sample_frames(range(10), Sampling(policy="keyframes", num_frames=3), rng=_rng(), tracks=[track]) == (0, 5, 9)


@given(st.integers(1, 12), st.integers(1, 14))
def test_keyframes_of_a_still_clip_are_distinct_and_as_many_as_asked(total: int, count: int) -> None:
    track = _track(*[(0.0, 0.0, 1.0, 1.0)] * total)
    policy: Policy = "keyframes"
    chosen = sample_frames(range(total), Sampling(policy=policy, num_frames=count), rng=_rng(), tracks=[track])
    assert list(chosen) == sorted(set(chosen))
    assert len(chosen) == min(total, count)


def test_fps_takes_one_frame_a_stretch_of_time():
    rng = np.random.default_rng(0)
    # 24 frames a second, 8 wanted: every third; frame 3 has no picture, so the first that follows it in its stretch stands in
    assert sample_frames([0, 1, 2, 4, 5, 6, 9], Sampling(policy="fps", fps=8.0), rng=rng, rate=24.0) == (0, 4, 6, 9)
    assert sample_frames(range(4), Sampling(policy="fps", fps=60.0), rng=rng, rate=24.0) == (0, 1, 2, 3)
    assert sample_frames(range(13), Sampling(policy="fps", fps=1.0, assumed_fps=6.0), rng=rng) == (0, 6, 12)
    with pytest.raises(InputError, match="at most 2"):
        sample_frames(range(13), Sampling(policy="fps", fps=1.0, max_frames=2), rng=rng)
    with pytest.raises(InputError, match="above 0"):
        sample_frames(range(13), Sampling(policy="fps", fps=0.0), rng=rng)
