"""Each guard on both of its sides: what lies a little within is asked, what lies a little beyond is not."""

import math

import msgspec
import numpy as np
import pytest

from sightline.demo.layout import look_at
from sightline.errors import InputError
from sightline.tasks.spatial import appearance, direction, measures, motion, nearest, route
from sightline.tasks.spatial.facts import Found, Scene, evened
from sightline.tasks.spatial.floor import floor_of_points, floor_of_polygon, free_cells, polygon_area, straight
from sightline.tasks.spatial.options import SpatialOptions, read_options
from sightline.tasks.spatial.place import Moment, Place, PlacedObject
from tests.tasks.spatial.rooms import box, cube

SMALL_ROOM, LARGE_ROOM = (20.0,), (40.1,)


def scene(*objects: PlacedObject, areas=SMALL_ROOM, moments=(), floor=None, **options) -> Scene:
    return Scene(Place("s", objects, tuple(moments), floor, areas), SpatialOptions(**options))


def around(*gaps: float) -> list[PlacedObject]:
    """A cube of 20 cm at the origin, and others whose nearest faces are so far from it, each to another side."""
    sides = [(1, 0), (-1, 0), (0, 1), (0, -1)]
    return [
        cube("a", 0, 0),
        *(cube(f"{n}", x * (0.2 + gap), y * (0.2 + gap)) for n, ((x, y), gap) in enumerate(zip(sides, gaps, strict=True))),
    ]


def asked_of_a(found) -> list:
    return [fact for fact in found.facts if fact.object_ids[0] == "a"]


@pytest.mark.parametrize(
    ("areas", "gap", "is_asked"),
    [(SMALL_ROOM, 0.151, True), (SMALL_ROOM, 0.149, False), (LARGE_ROOM, 0.301, True), (LARGE_ROOM, 0.299, False),
     ((40.0,), 0.2, True), ((), 0.299, False)],
)  # fmt: skip
def test_the_nearest_is_asked_only_if_any_two_differ_by_more_than_the_gap(areas, gap, is_asked):
    found = nearest.nearest(scene(*around(0.5, 0.5 + gap, 1.5, 2.5), areas=areas))
    assert bool(asked_of_a(found)) is is_asked
    assert all(fact.answer == "0" for fact in asked_of_a(found))
    last_two = nearest.nearest(scene(*around(0.5, 1.5, 2.5, 2.5 + gap), areas=areas))
    assert bool(asked_of_a(last_two)) is is_asked


@pytest.mark.parametrize(("least", "is_asked"), [(0.151, True), (0.149, False)])
def test_the_nearest_is_not_asked_where_it_all_but_touches(least, is_asked):
    assert bool(asked_of_a(nearest.nearest(scene(*around(least, 1.0, 2.0, 3.0))))) is is_asked


def test_of_a_kind_the_nearest_instance_counts():
    far = cube("9", 8, 8, label="0")
    (fact,) = asked_of_a(nearest.nearest(scene(*around(0.5, 1.0, 1.5, 2.0), far)))
    assert fact.answer == "0"
    assert fact.measured["to_0_m"] == pytest.approx(0.5)


def turned_to(angle_deg: float, *, side: float = 0.1, far: float = 3.0) -> Scene:
    """Stand at the origin, face +x; what is asked for is a small cube at an angle."""
    x, y = far * math.cos(math.radians(angle_deg)), far * math.sin(math.radians(angle_deg))
    return scene(cube("a", 0, 0), cube("b", 2, 0), cube("c", x, y, side=side))


def answer_of(level: str, what: Scene) -> str | None:
    """What is said of a, b and c, the first three objects; None where that is not asked."""
    ruled = direction.rulings(what, np.array([[0, 1, 2]]), direction.LEVELS[level], Found())
    return ruled.answers[0] if ruled.clear[0] else None


@pytest.mark.parametrize(
    ("angle", "answer"),
    [(5, None), (9.9, None), (10.1, "front-left"), (45, "front-left"), (79.9, "front-left"), (80.1, None), (85, None), (95, None),
     (100.1, "back-left"), (169.9, "back-left"), (175, None), (185, None), (190.1, "back-right"), (259.9, "back-right"),
     (265, None), (275, None), (280.1, "front-right"), (349.9, "front-right"), (350.1, None), (355, None)],
)  # fmt: skip
def test_quarters_are_asked_ten_degrees_from_their_borders_on_both_sides(angle, answer):
    assert answer_of("hard", turned_to(angle)) == answer


@pytest.mark.parametrize(
    ("angle", "medium", "easy"),
    [(5, None, None), (10.1, "left", "left"), (90, "left", "left"), (124.9, "left", "left"), (125.1, None, None), (140, None, None),
     (145.1, "back", None), (180, "back", None), (214.9, "back", None), (216, None, None), (235.1, "right", "right"),
     (349.9, "right", "right"), (355, None, None)],
)  # fmt: skip
def test_left_right_and_back_have_the_same_margin(angle, medium, easy):
    assert answer_of("medium", turned_to(angle)) == medium
    assert answer_of("easy", turned_to(angle)) == easy


def test_an_object_of_which_too_many_corners_lie_across_a_border_is_not_asked_for():
    # at 45 degrees and 3 m a box of 7 m across reaches over both axes; one of 1 m does not
    for length, answer in ((7.0, None), (1.0, "front-left")):
        wide = PlacedObject(object_id="c", label="c", box=box((2.12, 2.12, 0.5), (0.1, length, 0.1), 45))
        assert answer_of("hard", scene(cube("a", 0, 0), cube("b", 2, -1e-9), wide, near_m=0.0)) == answer


@pytest.mark.parametrize(("far", "is_asked"), [(0.499, False), (0.501, True), (5.19, True), (5.21, False)])
def test_the_three_of_a_direction_are_not_too_near_and_not_too_far(far, is_asked):
    # cubes of 20 cm side by side: the gap of a and b is the centres' distance less 20 cm, so 0.3 m and 5.0 m
    of_three = scene(cube("a", 0, 0), cube("b", far, 0), cube("c", 0.6, 1.2))
    assert (answer_of("hard", of_three) is not None) is is_asked


def test_what_lies_above_another_has_no_direction():
    above = PlacedObject(object_id="c", label="c", box=box((0.1, 0.1, 2), (0.2, 0.2, 0.2)))
    assert answer_of("hard", scene(cube("a", 0, 0), cube("b", 2, 0), above)) is None


def test_of_three_objects_at_most_three_roles_are_asked():
    facts = direction.easy(turned_to(50)).facts
    assert 0 < len(facts) <= 3


@pytest.mark.parametrize(("gap", "distances"), [(0.19, []), (0.21, [0.2]), (1.26, [1.3])])
def test_absolute_distances_begin_at_20_cm_and_are_told_to_10(gap, distances):
    found = measures.distances(scene(cube("a", 0, 0), cube("b", 0.2 + gap, 0)))
    assert [fact.answer for fact in found.facts] == distances
    assert bool(found.drops["too_near"]) is (not distances)


def test_only_objects_that_are_alone_of_their_label_are_asked_for_and_others_are_counted():
    of_three = scene(cube("1", 0, 0, label="chair"), cube("2", 2, 0, label="chair"), cube("3", 4, 0, label="table"))
    assert not measures.distances(of_three).facts
    assert [fact.key for fact in measures.sizes(of_three).facts] == ["3"]
    assert [(fact.key, fact.answer) for fact in measures.counts(of_three).facts] == [("chair", 2.0)]


def test_sizes_are_whole_centimetres_of_the_longest_side():
    one = PlacedObject(object_id="1", label="bed", box=box((0, 0, 1), (0.8, 2.037, 0.5), 30))
    (fact,) = measures.sizes(scene(one)).facts
    assert (fact.answer, fact.unit) == (204.0, "cm")
    assert not measures.sizes(scene(one, min_size_m=2.04)).facts


@pytest.mark.parametrize(("areas", "answer"), [((20.06, 21.0), 20.1), ((20.0, 22.1), None), ((), None), ((0.01,), None)])
def test_a_rooms_size_is_asked_where_all_measures_agree(areas, answer):
    found = measures.room(scene(areas=areas))
    assert [fact.answer for fact in found.facts] == ([] if answer is None else [answer])


def moments_of(*shares: dict[str, float], step_s: float = 1.5) -> list[Moment]:
    return [Moment(frame_id=f"{n}", time_s=n * step_s, shares=each) for n, each in enumerate(shares)]


def test_what_is_known_not_to_be_shown_is_not_asked_for():
    objects = [cube("a", 0, 0), cube("b", 2, 0), cube("c", 4, 0)]
    shown = moments_of({"a": 0.1, "b": 0.0009}, {"b": 0.2})
    found = measures.distances(scene(*objects, moments=shown))
    assert [fact.key for fact in found.facts] == ["a-b"]
    assert found.drops["not_shown"] == 1
    unknown = [*shown, Moment(frame_id="2", time_s=3.0)]
    assert len(measures.distances(scene(*objects, moments=unknown)).facts) == 3
    assert len(measures.distances(scene(*objects, moments=shown, shown=False)).facts) == 3


@pytest.mark.parametrize(("step_s", "is_asked"), [(1.01, True), (0.99, False)])
def test_appearances_are_more_than_a_second_apart(step_s, is_asked):
    objects = [cube(name, n, 0) for n, name in enumerate("abcd")]
    shown = moments_of({"a": 0.1}, {"b": 0.1}, {"c": 0.1}, {"d": 0.1}, step_s=step_s)
    found = appearance.order(scene(*objects, moments=shown))
    assert [fact.answer for fact in found.facts] == (["a, b, c, d"] if is_asked else [])


def test_an_object_that_may_have_been_noticed_earlier_makes_the_order_unclear():
    objects = [cube(name, n, 0) for n, name in enumerate("abcd")]
    frames = ({"a": 0.1, "d": 0.0001}, {"b": 0.1}, {"c": 0.1}, {"d": 0.1})
    found = appearance.order(scene(*objects, moments=moments_of(*frames)))
    assert not found.facts
    assert found.drops["too_close_in_time"]
    assert not appearance.order(scene(*objects, moments=[Moment(frame_id="0", time_s=0)])).facts


def seen_from(*places, aim=(0.0, 100.0, 1.0)) -> list[Moment]:
    poses = [look_at(np.array(place, dtype=float), np.array(place, dtype=float) * 0 + aim) for place in places]
    return [Moment(frame_id=f"{n}", time_s=n, camera_to_world=tuple(pose.ravel().tolist())) for n, pose in enumerate(poses)]


@pytest.mark.parametrize(("x", "y", "answer"), [(1, 0, "right"), (-1, 0, "left"), (0, 1, "forward"), (0, -1, "backward"),
                                                (math.tan(math.radians(34)), 1, "forward"), (math.tan(math.radians(36)), 1, None),
                                                (0.2, 0.2, None), (0.29, 0, None), (0.31, 0, "right")])  # fmt: skip
def test_movement_is_asked_along_an_axis_and_from_30_cm(x, y, answer):
    moments = seen_from((0, 0, 1), (x, y, 1))
    found = motion.movement(scene(moments=moments))
    assert [fact.answer for fact in found.facts] == ([] if answer is None else [answer])
    far_enough = math.hypot(x, y) >= 0.3
    assert [fact.answer for fact in motion.displacement(scene(moments=moments)).facts] == (
        [round(math.hypot(x, y), 1)] if far_enough else []
    )


@pytest.mark.parametrize(
    ("angle", "answer"),
    [
        (19, None),
        (21, "left"),
        (-21, "right"),
        (124, "left"),
        (126, None),
        (144, None),
        (146, "back"),
        (-146, "back"),
        (180, "back"),
    ],
)
def test_a_view_is_turned_from_20_degrees_and_not_near_135(angle, answer):
    poses = []
    for heading in (30.0, 30.0 + angle):
        aim = np.array([math.cos(math.radians(heading)), math.sin(math.radians(heading)), 1.4])
        poses.append(
            Moment(
                frame_id=f"{heading}", time_s=heading, camera_to_world=tuple(look_at(np.array([0, 0, 1.5]), aim).ravel().tolist())
            )
        )
    found = motion.view_change(scene(moments=poses))
    assert [fact.answer for fact in found.facts] == ([] if answer is None else [answer])


@pytest.mark.parametrize(
    ("angle", "turn"),
    [(0, ""), (19, ""), (21, None), (54, None), (56, "turn left"), (-56, "turn right"), (124, "turn left"), (126, None),
     (-134, None), (144, None), (146, "turn back"), (-146, "turn back"), (180, "turn back")],
)  # fmt: skip
def test_turns_are_clear_or_not_asked(angle, turn):
    after = (math.cos(math.radians(70 + angle)), math.sin(math.radians(70 + angle)))
    before = (2 * math.cos(math.radians(70)), 2 * math.sin(math.radians(70)))
    assert route.turn_of(before, after, margin_deg=10.0) == turn


def test_the_shortest_way_is_found_around_a_wall():
    stations = {0: (0.0, 0.0), 1: (2.0, 1.0), 2: (4.0, 0.0), 3: (2.0, -3.0)}
    ways = {
        0: [(1, 5**0.5), (3, 13**0.5)],
        1: [(0, 5**0.5), (2, 5**0.5)],
        2: [(1, 5**0.5), (3, 13**0.5)],
        3: [(0, 13**0.5), (2, 13**0.5)],
    }
    assert route.shortest(stations, ways, 0, 2) == [0, 1, 2]
    assert route.shortest(stations, {**ways, 1: [], 3: []} | {0: [], 2: []}, 0, 2) is None


def test_floor_cells_are_those_inside_and_free_ones_keep_clear_of_boxes():
    floor = floor_of_polygon(((0.0, 0.0), (4.0, 0.0), (4.0, 3.0), (0.0, 3.0)))
    assert floor.area_m2 == pytest.approx(12.0)
    assert polygon_area(((0.0, 0.0), (4.0, 0.0), (4.0, 3.0), (0.0, 3.0))) == 12.0
    boxes = scene(cube("a", 2, 1.5, side=1.0)).boxes
    free = free_cells(floor, boxes, clearance_m=0.2)
    assert not straight(floor, free, (0.5, 1.5), (3.5, 1.5))  # through the box
    assert straight(floor, free, (0.5, 0.5), (3.5, 0.5))  # half a metre beside it
    assert not straight(floor, free, (0.5, 0.85), (3.5, 0.85))  # 15 cm beside it
    assert not straight(floor, free, (0.5, 0.5), (4.5, 0.5))  # out of the room
    hung = scene(PlacedObject(object_id="a", label="a", box=box((2, 1.5, 2.3), (1, 1, 0.4))), cube("b", 0.3, 2.8, side=0.1)).boxes
    assert straight(floor, free_cells(floor, hung, clearance_m=0.2), (0.5, 1.5), (3.5, 1.5))  # below a lamp


def test_the_area_of_points_closes_small_gaps_only():
    grid = np.array([[x, y] for x in np.arange(0.025, 4, 0.1) for y in np.arange(0.025, 3, 0.1)])
    inside = 3.95 * 2.95  # from the first point's cell to the last one's
    assert floor_of_points(grid, reach_m=0.2).area_m2 == pytest.approx(inside, rel=0.05)
    holed = grid[(np.abs(grid - (2, 1.5)) > 0.8).any(axis=1)]  # a hole of 1.6 m
    assert floor_of_points(holed, reach_m=0.2).area_m2 == pytest.approx(inside - 1.6**2, rel=0.08)
    with pytest.raises(InputError, match="cells"):
        floor_of_points(np.array([[0.0, 0.0], [1e6, 1e6]]), reach_m=0.2)
    with pytest.raises(InputError, match="finite"):
        floor_of_points(np.array([[0.0, math.nan]]), reach_m=0.2)


def test_answers_are_evened_by_the_rarest():
    facts = [("left", n) for n in range(7)] + [("right", n) for n in range(2)]
    kept = evened(facts, lambda fact: fact[0], limit=20)
    assert kept == [("left", 0), ("right", 0), ("left", 1), ("right", 1)]
    assert evened(facts, lambda fact: fact[0], limit=3) == kept[:3]
    assert evened(facts[:7], lambda fact: fact[0], limit=20) == [("left", 0)]


def test_options_are_read_and_refused():
    assert read_options(["margin_deg=12", "limit_route=3"], seed=4) == msgspec.structs.replace(
        SpatialOptions(), margin_deg=12.0, limit_route=3, seed=4
    )
    for wrong in ("margin=3", "margin_deg", "margin_deg=x", "margin_deg=-1", "margin_deg=50", "margin_deg=nan", "limit_route=1.5"):
        with pytest.raises(InputError):
            read_options([wrong])
