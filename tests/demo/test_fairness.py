"""One small room that is fair, and the same room with one guarantee broken at a time: each must be refused.

Two cans A and B stand on either side of a screen. View 1 sees both along the screen; view 2 looks across it, past A, and does not
see B; view 3 looks from a corner and has A out of view.
"""

from dataclasses import replace

import numpy as np

from sightline.demo.fairness import cast_fair
from sightline.demo.layout import Layout, Part, Shell, look_at
from sightline.demo.paint import WOOD, boards
from sightline.demo.render import Lens
from sightline.demo.solids import Can, Cuboid

LENS = Lens(640, 480)
PLAIN = boards(WOOD)
A = Part(Can((3.0, 2.1, 0.2), 0.17, 0.4), PLAIN, uid=1, label="can")
B = Part(Can((3.0, 3.9, 0.2), 0.17, 0.4), PLAIN, uid=2, label="can")
SCREEN = Part(Cuboid((3.0, 3.0, 0.6), (1.4, 0.1, 1.2)), PLAIN)


def _look(eye, aim):
    return look_at(np.array(eye), np.array(aim))


ALONG = _look((0.5, 3.0, 1.9), (3.0, 3.0, 0.3))
ACROSS = _look((3.0, 0.4, 1.9), (3.0, 3.0, 0.3))
CORNER = _look((5.5, 4.5, 1.9), (3.0, 5.0, 0.3))


def _room(parts, poses=(ALONG, ACROSS, CORNER)):
    shell = Shell((7.0, 6.0, 2.7), floor=PLAIN, ceiling=PLAIN, walls=(PLAIN, PLAIN, PLAIN, PLAIN))
    return Layout(shell, tuple(parts), tuple(poses), frame_ids=(10, 20, 30))


def _is_fair(parts, poses=(ALONG, ACROSS, CORNER)):
    return cast_fair(_room(parts, poses), lens=LENS) is not None


def test_the_room_is_fair_and_shows_what_it_was_made_to_show():
    views = cast_fair(_room([A, B, SCREEN]), lens=LENS)
    assert views is not None
    assert [[bool((hits.part == target).any()) for target in (0, 1)] for hits in views] == [
        [True, True],
        [True, False],
        [False, True],
    ]
    assert views[1].amodal[1] > 0
    assert views[2].amodal[0] == 0


def test_an_object_of_a_few_pixels_is_refused():
    tiles = [Part(Cuboid((2.6, 2.4, 0.015), (side, side, 0.03)), PLAIN, uid=3, label="box") for side in (0.12, 0.09)]
    assert _is_fair([A, B, SCREEN, tiles[0]])  # the smaller shows 284 pixels; 0.001 of 640 x 480 is 307
    assert not _is_fair([A, B, SCREEN, tiles[1]])


def test_a_first_view_that_does_not_show_every_target_is_refused():
    assert not _is_fair([A, B, SCREEN], (ACROSS, ALONG, CORNER))


def test_a_hidden_object_half_out_of_view_is_refused():
    # the picture ends atan(0.5 / 0.8) = 32 degrees from the axis along the floor, a little more towards its lower edge
    poses = [_look((3.0, 0.4, 1.9), (3.0 + 2.6 * np.tan(np.radians(degrees)), 3.0, 0.3)) for degrees in (33, 38)]
    assert _is_fair([A, B, SCREEN], (ALONG, poses[0], CORNER))
    assert not _is_fair([A, B, SCREEN], (ALONG, poses[1], CORNER))


def test_targets_that_hide_each_other_are_refused():
    before_a = Part(Can((2.3, 2.3, 0.2), 0.14, 0.4), PLAIN, uid=3, label="ball")
    assert not _is_fair([A, B, SCREEN, before_a])
    assert _is_fair([A, B, SCREEN, replace(before_a, uid=None, label=None)])


def test_a_room_without_a_hidden_object_is_refused():
    assert not _is_fair([A, B])


def test_a_room_without_a_distractor_is_refused():
    assert not _is_fair([A, replace(B, label="ball"), SCREEN])


def test_an_object_right_behind_what_hides_it_is_refused():
    panel = Part(Cuboid((3.0, 3.68, 0.5), (0.8, 0.02, 1.0)), PLAIN)
    assert not _is_fair([A, B, panel])
    farther = Part(Cuboid((3.0, 3.3, 0.5), (0.8, 0.02, 1.0)), PLAIN)
    assert _is_fair([A, B, farther])


def test_a_mat_as_thin_as_the_depth_test_is_refused():
    mats = [Part(Cuboid((2.0, 2.4, height / 2), (0.5, 0.5, height)), PLAIN, uid=3, label="mat") for height in (0.2, 0.006)]
    assert _is_fair([A, B, SCREEN, mats[0]])
    assert not _is_fair([A, B, SCREEN, mats[1]])


def test_an_object_seen_from_opposite_sides_only_is_refused():
    poses = (ALONG, ACROSS, CORNER, _look((5.9, 3.0, 1.9), (3.0, 3.0, 0.3)))
    box = Part(Cuboid((3.2, 1.55, 0.2), (0.2, 0.2, 0.4)), PLAIN, uid=3, label="box")
    assert _is_fair([A, B, SCREEN, box], poses)  # all see its top
    plate = replace(box, solid=Cuboid((3.2, 1.55, 1.15), (0.01, 0.2, 2.3)))
    assert not _is_fair([A, B, SCREEN, plate], poses)
