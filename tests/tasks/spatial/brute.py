"""Checks a generated example from the scene alone, in other ways than the generator: points strewn over boxes, headings as
differences of atan2, steps along the route, pixels of the renderer. Shares no code with it but the records."""

import json
import math
import re
from functools import lru_cache
from itertools import pairwise

import numpy as np

from sightline.tasks.spatial.place import Place, PlacedObject
from sightline.types import Choice, Example, Number, OrientedBox, TextPart

CM = 0.01


def check(example: Example, place: Place) -> None:
    """Fails if the answer is not what the scene says."""
    kind = example.id.split("/")[2]
    CHECKS[kind](example, place)


def number(example: Example) -> float:
    assert isinstance(example.truth.answer, Number)
    return example.truth.answer.value


def chosen(example: Example) -> str:
    """The text beside the right letter, as it stands in the prompt."""
    assert isinstance(example.truth.answer, Choice)
    text = "".join(part.text for part in example.question.prompt if isinstance(part, TextPart))
    lines = [line for line in text.splitlines() if line.startswith(f"{example.truth.answer.value}. ")]
    assert len(lines) == 1
    return lines[0].split(". ", 1)[1]


def offered(example: Example) -> list[str]:
    text = "".join(part.text for part in example.question.prompt if isinstance(part, TextPart))
    return [line.split(". ", 1)[1] for line in text.splitlines() if line[:1] in "ABCDEFGH" and line[1:3] == ". "]


def named(place: Place, object_id: str) -> PlacedObject:
    return next(each for each in place.objects if each.object_id == object_id)


def alone(place: Place, each: PlacedObject) -> bool:
    return sum(other.label == each.label for other in place.objects) == 1


def grid(box: OrientedBox, per_side: int = 9) -> np.ndarray:
    """Points all over a box and in it, its corners with them."""
    ticks = np.linspace(-0.5, 0.5, per_side)
    local = np.array([[x, y, z] for x in ticks for y in ticks for z in ticks]) * box.lengths
    return local @ np.array(box.axes).reshape(3, 3) + box.centre


@lru_cache(maxsize=4096)
def least(first: OrientedBox, second: OrientedBox) -> float:
    """The least distance between points strewn over both boxes, more and more densely about the nearest two: boxes are convex,
    so what is nearest among few points is near to what is nearest at all."""
    spans = [np.array([[-0.5, 0.5]] * 3), np.array([[-0.5, 0.5]] * 3)]
    found = math.inf
    for _ in range(16):
        clouds = []
        for box, span in zip((first, second), spans, strict=True):
            ticks = [np.linspace(low, high, 4) for low, high in span]
            local = np.stack(np.meshgrid(*ticks, indexing="ij"), axis=-1).reshape(-1, 3)
            clouds.append((local, (local * box.lengths) @ np.array(box.axes).reshape(3, 3) + box.centre))
        (local_a, a), (local_b, b) = clouds
        squared = ((a[:, None] - b[None]) ** 2).sum(axis=2)
        at_a, at_b = np.unravel_index(squared.argmin(), squared.shape)
        found = min(found, math.sqrt(squared[at_a, at_b]))
        for side, middle in enumerate((local_a[at_a], local_b[at_b])):
            reach = (spans[side][:, 1] - spans[side][:, 0]) * 0.4
            spans[side] = np.clip(np.stack([middle - reach, middle + reach], axis=1), -0.5, 0.5)
    return found


def heading(start, end) -> float:
    return math.degrees(math.atan2(end[1] - start[1], end[0] - start[0]))


def turned(before: float, after: float) -> float:
    """Degrees in [-180, 180), left is positive."""
    return (after - before + 180) % 360 - 180


def counting(example: Example, place: Place) -> None:
    label = example.id.split("/")[3]
    assert number(example) == len([each for each in place.objects if each.label == label]) >= 2


def size(example: Example, place: Place) -> None:
    each = named(place, example.id.split("/")[3])
    assert alone(place, each)
    points = grid(each.box, 2)  # the corners: each one's three neighbours along edges are where one axis differs
    sides = [np.linalg.norm(points[0] - points[other]) for other in (1, 2, 4)]
    assert number(example) == round(max(sides) * 100)


def room(example: Example, place: Place) -> None:
    rng = np.random.default_rng(0)
    assert place.floor is not None
    high = np.array(place.floor.cells.shape[::-1]) * place.floor.cell_m
    cells = np.floor(rng.uniform(0, 1, (20000, 2)) * high / place.floor.cell_m).astype(int)
    share = place.floor.cells[cells[:, 1], cells[:, 0]].mean()
    assert abs(number(example) - share * high.prod()) < 0.02 * number(example) + 0.05


def distance(example: Example, place: Place) -> None:
    a, b = (named(place, object_id) for object_id in example.id.split("/")[3].split("-"))
    assert alone(place, a)
    assert alone(place, b)
    assert abs(number(example) - least(a.box, b.box)) <= 0.05 + CM
    assert number(example) >= 0.2


def nearest(example: Example, place: Place) -> None:
    asked = named(place, example.id.split("/")[3])
    assert alone(place, asked)
    labels = offered(example)
    assert len(labels) == 4
    assert asked.label not in labels
    by_label = {label: min(least(asked.box, each.box) for each in place.objects if each.label == label) for label in labels}
    in_order = sorted(by_label.values())
    gap = 0.30 if place.room_areas_m2[0] > 40 else 0.15
    assert all(after - before > gap - CM for before, after in pairwise(in_order))
    assert in_order[0] > 0.15 - CM
    assert by_label[chosen(example)] == in_order[0]


def direction(example: Example, place: Place) -> None:
    a, b, c = (named(place, object_id) for object_id in example.id.split("/")[3].split("-"))
    assert all(alone(place, each) for each in (a, b, c))
    for first, second in ((a, b), (a, c), (b, c)):
        assert 0.3 - CM <= least(first.box, second.box) <= 5.0 + CM
    at, ahead = grid(a.box).mean(axis=0), grid(b.box).mean(axis=0)
    cloud = grid(c.box)
    angle = turned(heading(at, ahead), heading(at, cloud.mean(axis=0)))
    for shift in (-9.99, 0.0, 9.99):  # the answer is the same ten degrees to either side
        assert quarter(turned(0, angle + shift), example.tier) == chosen(example)
    corners = grid(c.box, 2)
    others = [quarter(turned(heading(at, ahead), heading(at, corner)), example.tier) != chosen(example) for corner in corners]
    assert sum(others) <= 2


def quarter(angle: float, tier: str) -> str:
    side = "left" if angle > 0 else "right"
    if tier.endswith("hard"):
        return f"{'front' if abs(angle) < 90 else 'back'}-{side}"
    return "back" if abs(angle) > 135 else side


def appearance(example: Example, place: Place) -> None:
    """Who is first: told by the first moment at which any pixel is seen, of one, and many, of the other."""
    right = chosen(example).split(", ")
    assert sorted(right) == sorted(offered(example)[0].split(", "))
    assert len(set(offered(example))) == 4
    ids = {label: [each.object_id for each in place.objects if each.label == label] for label in right}
    for before, after in pairwise(right):
        many = min(
            moment.time_s for moment in place.moments if any((moment.shares or {}).get(each, 0) >= 0.001 for each in ids[before])
        )
        any_of_it = min(
            moment.time_s for moment in place.moments if any((moment.shares or {}).get(each, 0) > 0 for each in ids[after])
        )
        assert any_of_it - many > 1.0


def route(example: Example, place: Place) -> None:
    plan = json.loads(str(example.evidence["plan"]))
    path = [np.array(point) for point in plan["lines"][0]]
    start, facing, goal = (named(place, object_id) for object_id in example.id.split("/")[3].split("-"))
    headings = [heading(path[0], facing.box.centre)] + [heading(*leg) for leg in pairwise(path)]
    turns = []
    for before, after in pairwise(headings):
        angle = turned(before, after)
        if abs(angle) > 21:  # the path is told to the millimetre
            assert 54 < abs(angle) < 126 or abs(angle) > 144
            turns.append("turn back" if abs(angle) > 135 else "turn left" if angle > 0 else "turn right")
    assert chosen(example) == ", ".join(turns)
    steps = "".join(part.text for part in example.question.prompt if isinstance(part, TextPart))
    assert steps.count("[please fill in]") == len(turns)
    assert steps.count("Go straight on to the ") == len(path) - 1
    for begin, end in pairwise(path):
        walks_free(begin + np.linspace(0, 1, 120)[:, None] * (end - begin), place)
    assert near(path[0], start.box) < 1.5
    assert near(path[-1], goal.box) < 1.5


def walks_free(spots: np.ndarray, place: Place) -> None:
    """Whether a robot of 15 cm radius fits there: every box is looked at on many levels from the floor up to 1.8 m."""
    levels = np.array([[*spot, height] for spot in spots for height in np.linspace(0.06, 1.79, 25)])
    for each in place.objects:
        local = np.abs((levels - each.box.centre) @ np.array(each.box.axes).reshape(3, 3).T) - np.array(each.box.lengths) / 2
        assert np.linalg.norm(np.maximum(local, 0), axis=1).min() > 0.15


def near(spot: np.ndarray, box: OrientedBox) -> float:
    return float(np.linalg.norm(grid(box)[:, :2] - spot, axis=1).min())


def poses(example: Example, place: Place) -> tuple[np.ndarray, np.ndarray]:
    ids = json.loads(str(example.evidence["frames"]))
    found = [next(moment for moment in place.moments if moment.frame_id == frame_id) for frame_id in ids]
    numbers = [place.moments.index(moment) + 1 for moment in found]
    text = "".join(part.text for part in example.question.prompt if isinstance(part, TextPart))
    assert all(re.search(rf"\b{number}\b", text) for number in numbers)
    return np.array(found[0].camera_to_world).reshape(4, 4), np.array(found[1].camera_to_world).reshape(4, 4)


def displacement(example: Example, place: Place) -> None:
    first, second = poses(example, place)
    assert abs(number(example) - math.dist(first[:3, 3], second[:3, 3])) <= 0.05 + 1e-9


def movement(example: Example, place: Place) -> None:
    """The direction whose unit vector makes the least angle with the way, which is less than 35 degrees."""
    first, second = poses(example, place)
    right, down, ahead = first[:3, 0], first[:3, 1], first[:3, 2]
    ways = {"right": right, "left": -right, "down": down, "up": -down, "forward": ahead, "backward": -ahead}
    step = second[:3, 3] - first[:3, 3]
    angles = {word: math.degrees(math.acos(np.clip(step @ way / np.linalg.norm(step), -1, 1))) for word, way in ways.items()}
    assert min(angles, key=lambda word: angles[word]) == chosen(example)
    assert angles[chosen(example)] <= 35 + 1e-6


def view_change(example: Example, place: Place) -> None:
    first, second = poses(example, place)
    angle = turned(heading((0, 0), first[:2, 2]), heading((0, 0), second[:2, 2]))
    assert abs(angle) >= 20
    assert abs(abs(angle) - 135) >= 10 - 1e-9
    assert chosen(example) == ("back" if abs(angle) > 135 else "left" if angle > 0 else "right")


CHECKS = {
    "object_counting": counting,
    "object_size_estimation": size,
    "room_size_estimation": room,
    "object_abs_distance": distance,
    "object_rel_distance": nearest,
    "object_rel_direction_easy": direction,
    "object_rel_direction_medium": direction,
    "object_rel_direction_hard": direction,
    "obj_appearance_order": appearance,
    "route_planning": route,
    "camera_displacement": displacement,
    "camera_movement_direction": movement,
    "camera_view_change": view_change,
}
