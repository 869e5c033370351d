"""Least distances between oriented boxes: worked by hand, and against a general solver's answer."""

import numpy as np
import pytest

from sightline.geometry.oriented_boxes import Boxes3, box_distances, point_distances

SQUARE = np.eye(3)


def turn(yaw: float, tilt: float = 0.0) -> np.ndarray:
    """Axes as rows: turned about the vertical, then tilted about the own x axis."""
    about_z = np.array([[np.cos(yaw), np.sin(yaw), 0], [-np.sin(yaw), np.cos(yaw), 0], [0, 0, 1.0]])
    about_x = np.array([[1.0, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]])
    return about_x @ about_z


def boxes(*each: tuple) -> Boxes3:
    centres, axes, lengths = zip(*each, strict=True)
    return Boxes3(np.array(centres, dtype=float), np.array(axes), np.array(lengths, dtype=float))


def random_boxes(rng: np.random.Generator, count: int) -> Boxes3:
    axes = np.linalg.qr(rng.normal(size=(count, 3, 3)))[0]
    return Boxes3(rng.uniform(-2, 2, (count, 3)), axes, rng.uniform(0.05, 1.5, (count, 3)))


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (((3, 0, 0), SQUARE, (2, 2, 2)), 1.0),  # faces at x = 1 and x = 2
        (((3, 3, 0), SQUARE, (2, 2, 2)), np.sqrt(2)),  # edges (1, 1) and (2, 2)
        (((3, 3, 3), SQUARE, (2, 2, 2)), np.sqrt(3)),  # corners (1, 1, 1) and (2, 2, 2)
        (((4, 0, 0), turn(np.pi / 4), (2, 2, 2)), 3 - np.sqrt(2)),  # an edge at x = 4 - sqrt 2 before a face at 1
        (((1.5, 0, 0), SQUARE, (2, 2, 2)), 0.0),  # they overlap
        (((0.1, 0, 0), SQUARE, (0.2, 0.2, 0.2)), 0.0),  # one inside the other
        (((2, 0, 0), SQUARE, (2, 2, 2)), 0.0),  # they touch
    ],
)
def test_distances_worked_by_hand(second, expected):
    both = boxes(((0, 0, 0), SQUARE, (2, 2, 2)), second)
    assert box_distances(both) == pytest.approx(np.array([[0, expected], [expected, 0]]), abs=1e-9)


def test_two_crossed_edges_are_measured_between_vertices():
    # a bar along x with its upper edge at z = sqrt(1/2), and above it a bar along y with its lower edge at 2 - sqrt(1/2)
    along_x = boxes(((0, 0, 0), turn(0, np.pi / 4), (10, 1, 1)), ((0, 0, 2), turn(np.pi / 2, np.pi / 4), (10, 1, 1)))
    assert box_distances(along_x)[0, 1] == pytest.approx(2 - 2 * np.sqrt(0.5))


def test_bars_that_cross_without_a_corner_in_each_other_meet():
    crossed = boxes(((0, 0, 0), SQUARE, (10, 1, 1)), ((0, 0, 0), SQUARE, (0.5, 10, 0.5)))
    assert box_distances(crossed)[0, 1] == 0.0


def test_any_two_boxes_are_as_far_apart_as_alternating_projections_say():
    found = random_boxes(np.random.default_rng(5), 40)
    measured = box_distances(found)
    assert (measured == measured.T).all()
    for a, b in [(first, second) for first in range(0, 40, 3) for second in range(first + 1, 40, 5)]:
        assert measured[a, b] == pytest.approx(by_projections(found, a, b), abs=2e-3)
    assert (measured[~np.eye(40, dtype=bool)] == 0).any()  # some meet, so both cases are there


def by_projections(found: Boxes3, a: int, b: int) -> float:
    """Project a point onto one box and the other in turn: it converges to the nearest two points of convex bodies."""
    point = on_b = found.centres[a]
    for _ in range(3000):
        on_b = clamp(found, b, point)
        point = clamp(found, a, on_b)
    return float(np.linalg.norm(point - on_b))


def clamp(found: Boxes3, index: int, point: np.ndarray) -> np.ndarray:
    local = found.axes[index] @ (point - found.centres[index])
    half = found.lengths[index] / 2
    return found.centres[index] + np.clip(local, -half, half) @ found.axes[index]


def test_a_flat_box_is_a_plate():
    plate = boxes(((0, 0, 0), SQUARE, (2, 2, 0)), ((0, 0, 1), SQUARE, (1, 1, 1)))
    assert box_distances(plate)[0, 1] == pytest.approx(0.5)


def test_points_are_measured_from_the_surface_and_0_inside():
    one = boxes(((1, 1, 1), turn(np.pi / 2), (4, 2, 2)))  # 4 m along y, 2 m along x
    points = np.array([[[1, 4, 1], [3, 1, 1], [1, 2.5, 1.0]]], dtype=float)
    assert point_distances(one, points)[0] == pytest.approx([1.0, 1.0, 0.0])


def test_more_pairs_than_are_measured_at_once_are_all_measured():
    many = random_boxes(np.random.default_rng(6), 40)  # 780 pairs
    whole = box_distances(many)
    some = [1, 20, 39]
    assert box_distances(many.take(some)) == pytest.approx(whole[np.ix_(some, some)], abs=1e-9)
