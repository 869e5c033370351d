"""Rays against solids: distances worked by hand, and points that must lie on the surface they were cast at."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.demo import solids
from sightline.demo.solids import Ball, Can, Cuboid

AHEAD = np.array([[1.0, 0.0, 0.0]])
ORIGIN = np.zeros(3)


@pytest.mark.parametrize(
    ("solid", "distance"),
    [
        (Ball((5.0, 0.0, 0.0), 1.0), 4.0),  # 5 - 1
        (Ball((5.0, 0.6, 0.0), 1.0), 4.2),  # 0.6 off the axis: half chord sqrt(1 - 0.36) = 0.8
        (Ball((5.0, 1.1, 0.0), 1.0), math.inf),  # passes 0.1 beside it
        (Ball((-5.0, 0.0, 0.0), 1.0), math.inf),  # lies behind
        (Cuboid((5.0, 0.0, 0.0), (2.0, 2.0, 2.0)), 4.0),
        (Cuboid((5.0, 0.0, 0.0), (2.0, 2.0, 2.0), yaw=math.pi / 4), 5.0 - math.sqrt(2)),  # its edge faces the ray
        (Cuboid((5.0, 0.0, 1.1), (2.0, 2.0, 2.0)), math.inf),  # passes 0.1 below it
        (Can((5.0, 0.0, 0.0), 1.0, 2.0), 4.0),
        (Can((5.0, 0.0, 1.1), 1.0, 2.0), math.inf),
    ],
)
def test_a_ray_enters_where_hand_calculation_says(solid, distance):
    assert solids.entry(solid, ORIGIN, AHEAD)[0] == pytest.approx(distance)


def test_a_can_is_entered_through_its_lid_from_above():
    down = np.array([[0.0, 0.0, -1.0]])
    can = Can((0.0, 0.0, 0.2), 0.15, 0.4)
    assert solids.entry(can, np.array([0.1, 0.0, 2.0]), down)[0] == pytest.approx(1.6)  # lid at 0.2 + 0.4 / 2
    assert solids.normals(can, np.array([[0.1, 0.0, 0.2]]))[0] == pytest.approx([0.0, 0.0, 1.0])


def test_rays_in_a_room_end_at_its_walls():
    rays = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, -1.0]])
    ends = solids.room_exit((6.0, 5.0, 3.0), np.array([2.0, 1.0, 1.5]), rays)
    assert ends == pytest.approx([4.0, 2.0, 2.0, 1.5])  # (5 - 1) / 2 for the ray of length 2


@given(
    solid=st.one_of(
        st.builds(Ball, st.just((4.0, 0.3, -0.2)), st.floats(0.2, 1.5)),
        st.builds(Can, st.just((4.0, 0.3, -0.2)), st.floats(0.2, 1.5), st.floats(0.2, 2.0), st.floats(-4, 4)),
        st.builds(Cuboid, st.just((4.0, 0.3, -0.2)), st.tuples(*[st.floats(0.2, 2.0)] * 3), st.floats(-4, 4)),
    ),
    seed=st.integers(0, 2**32),
)
def test_where_a_ray_enters_is_on_the_surface_and_faces_the_ray(solid, seed):
    rays = np.random.default_rng(seed).uniform((1.0, -0.4, -0.4), (1.0, 0.4, 0.4), (50, 3))
    distance = solids.entry(solid, ORIGIN, rays)
    met = np.isfinite(distance)
    local = solids.to_local(solid, rays[met] * distance[met][:, None])
    assert _outside_by(solid, local) == pytest.approx(np.zeros(met.sum()), abs=1e-9)
    facing = (solids.normals(solid, local) * rays[met]).sum(axis=1)
    assert (facing < 1e-4).all()
    corners = solids.bounding_corners(solid)
    world = rays[met] * distance[met][:, None]
    reach = np.linalg.norm(corners - solid.centre, axis=1).max()
    assert (np.linalg.norm(world - solid.centre, axis=1) <= reach + 1e-9).all()


def _outside_by(solid, local):
    """Signed distance-like measure: 0 on the surface, written apart from the code under test."""
    match solid:
        case Ball(radius=radius):
            return np.sqrt((local**2).sum(axis=1)) - radius
        case Can(radius=radius, height=height):
            return np.maximum(np.sqrt(local[:, 0] ** 2 + local[:, 1] ** 2) - radius, np.abs(local[:, 2]) - height / 2)
        case Cuboid(size=size):
            return np.max([np.abs(local[:, k]) - size[k] / 2 for k in range(3)], axis=0)
