"""Pictures of a room: every pixel's nearest hit, and the twin that lacks an object."""

from dataclasses import replace

import numpy as np
import pytest

from sightline.demo import render
from sightline.demo.layout import draw_layout, look_at
from sightline.demo.render import Lens
from sightline.demo.solids import entry, room_exit

LENS = Lens(120, 90)


@pytest.fixture(scope="module")
def layout():
    drawn = draw_layout(np.random.default_rng(3))
    assert drawn is not None
    return drawn


def test_the_middle_of_the_picture_looks_at_the_aim_and_is_upright():
    pose = look_at(np.array([1.0, 2.0, 1.6]), np.array([4.0, 3.0, 0.4]))
    assert pose[:3, :3] @ pose[:3, :3].T == pytest.approx(np.eye(3), abs=1e-9)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1.0)
    corner_rays = render.ray_directions(Lens(2, 2), pose)  # four pixels around the axis: their mean is the axis itself
    toward = corner_rays.mean(axis=0)
    assert toward / np.linalg.norm(toward) == pytest.approx(np.array([3.0, 1.0, -1.2]) / np.sqrt(11.44))
    assert pose[2, 0] == 0.0  # x right stays level
    assert pose[2, 1] < 0.0  # y points down


def test_pixel_centres_carry_the_rays():
    # focal = 0.8 * 4 = 3.2, centre (2, 1): the first pixel's centre (0.5, 0.5) is at x = -1.5 / 3.2, y = -0.5 / 3.2
    assert render.ray_directions(Lens(4, 2), np.eye(4))[0] == pytest.approx([-1.5 / 3.2, -0.5 / 3.2, 1.0])


def test_every_pixel_shows_the_nearest_part_of_all(layout):
    for pose in layout.poses:
        hits = render.cast(layout, pose, lens=LENS)
        rays = render.ray_directions(LENS, pose)
        every = [room_exit(layout.shell.size, pose[:3, 3], rays), *(entry(part.solid, pose[:3, 3], rays) for part in layout.parts)]
        assert (hits.depth.ravel() == np.min(every, axis=0)).all()
        assert (hits.part.ravel() == np.argmin(every, axis=0) - 1).all()
        assert hits.amodal == tuple(int(np.isfinite(one).sum()) for one in every[1:])


def test_the_twin_is_the_picture_of_the_room_without_the_object(layout):
    for pose in layout.poses:
        hits = render.cast(layout, pose, lens=LENS)
        original = render.colour(layout, hits, pose, lens=LENS)
        for part_index, part in enumerate(layout.parts):
            if part.uid is None:
                continue
            emptier = replace(layout, parts=layout.parts[:part_index] + layout.parts[part_index + 1 :])
            expected = render.cast(emptier, pose, lens=LENS)
            assert (render.depth_without(hits, part_index) == expected.depth).all()
            twin = render.colour_without(layout, hits, pose, lens=LENS, part_index=part_index, original=original)
            assert (twin == render.colour(emptier, expected, pose, lens=LENS)).all()


def test_depth_is_stored_in_rounded_millimetres():
    assert render.to_millimetres(np.array([[1.2344, 1.2346, 0.0]])).tolist() == [[1234, 1235, 0]]
