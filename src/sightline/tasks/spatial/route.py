"""`route_planning`: a robot at one object faces another and is to go to a third; which turns does it take on the way?

Stations are the places beside the objects where the robot may stand. It goes straight from station to station over free floor,
by the shortest such way (A* over the stations), and is asked for the turns: left or right by the sign of the cross product of the
directions before and after, back beyond 135 degrees. A way is used only if each of its turns is clear: at least `margin_deg` from
135 and from 45 degrees, or so little at the start that the robot simply goes on.
"""

import heapq
from itertools import pairwise, permutations

import numpy as np
from jaxtyping import Bool

from sightline.tasks.spatial.facts import Fact, Found, Scene, evened, shuffled
from sightline.tasks.spatial.floor import cells_of, free_cells, middle_of, straight
from sightline.tasks.spatial.place import Floor

STATION_M = 1.0  # from the box to the robot, at most
MOST_LEGS = 3
MOST_TRIES = 400
NUM_OPTIONS = 4
AHEAD_DEG, ASIDE_DEG, BACK_DEG = 20.0, 45.0, 135.0
TURNS = ("turn left", "turn right", "turn back")

Point = tuple[float, float]
Ways = dict[int, list[tuple[int, float]]]
"""For each station those that can be reached straight, with their distances."""


def route(scene: Scene) -> Found:
    """The facts of a scene."""
    found = Found()
    floor, objects = scene.place.floor, scene.askable(found)
    if floor is None:
        found.drop("floor_unknown", "the scene has no floor")
        return found
    free = free_cells(floor, scene.boxes, clearance_m=scene.options.clearance_m)
    stations = {}
    for index in objects:
        place = _station(scene, index, floor, free)
        if place is None:
            found.drop("no_station", scene.objects[index].object_id)
        else:
            stations[index] = place
    ways = _ways(stations, floor, free)
    facts = []
    rng = scene.rng("route_planning")
    for start, facing, goal in shuffled(list(permutations(stations, 3)), rng)[:MOST_TRIES]:
        fact = _fact(scene, stations, ways, (start, facing, goal), found)
        if fact is not None:
            facts.append(fact)
    found.facts = evened(facts, lambda fact: fact.measured["first_turn"], limit=scene.options.limit_route)
    return found


def turn_of(before: Point, after: Point, *, margin_deg: float) -> str | None:
    """The turn from one direction to the next: one of `TURNS`, "" where it is straight on, None where it is not clear."""
    cross = before[0] * after[1] - before[1] * after[0]
    angle = float(np.degrees(np.arctan2(cross, before[0] * after[0] + before[1] * after[1])))
    if abs(angle) <= AHEAD_DEG:
        return ""
    if abs(angle) < ASIDE_DEG + margin_deg or abs(abs(angle) - BACK_DEG) < margin_deg:
        return None
    return TURNS[2] if abs(angle) > BACK_DEG else TURNS[0] if angle > 0 else TURNS[1]


def _station(scene: Scene, index: int, floor: Floor, free: Bool[np.ndarray, "rows columns"]) -> Point | None:
    """The middle of the free cell that is nearest to the object's centre, if it is near enough to the object."""
    cells = np.argwhere(free)
    if not len(cells):
        return None
    away = cells - cells_of(floor, scene.boxes.centres[index : index + 1, :2])
    nearest = middle_of(floor, cells[int((away**2).sum(axis=1).argmin())].tolist())
    corners = scene.corners[index][:, :2]
    reach = float(np.linalg.norm(corners - corners.mean(axis=0), axis=1).max()) + STATION_M
    x, y = scene.centre(index)
    return nearest if np.hypot(nearest[0] - x, nearest[1] - y) <= reach else None


def _ways(stations: dict[int, Point], floor: Floor, free: Bool[np.ndarray, "rows columns"]) -> Ways:
    ways: Ways = {index: [] for index in stations}
    ordered = sorted(stations)
    for place, a in enumerate(ordered):
        for b in ordered[place + 1 :]:
            length = float(np.hypot(*np.subtract(stations[a], stations[b])))
            if length > 0.5 and straight(floor, free, stations[a], stations[b]):
                ways[a].append((b, length))
                ways[b].append((a, length))
    return ways


def shortest(stations: dict[int, Point], ways: Ways, start: int, goal: int) -> list[int] | None:
    """The shortest way over stations by A*, its estimate the straight distance; None if there is none."""
    left = float(np.hypot(*np.subtract(stations[start], stations[goal])))
    queue: list[tuple[float, float, tuple[int, ...]]] = [(left, 0.0, (start,))]
    settled: set[int] = set()
    while queue:
        _, gone, path = heapq.heappop(queue)
        if path[-1] == goal:
            return list(path)
        if path[-1] in settled:
            continue
        settled.add(path[-1])
        for after, length in ways[path[-1]]:
            if after not in settled:
                left = float(np.hypot(*np.subtract(stations[after], stations[goal])))
                heapq.heappush(queue, (gone + length + left, gone + length, (*path, after)))
    return None


def _fact(scene: Scene, stations: dict[int, Point], ways: Ways, roles: tuple[int, int, int], found: Found) -> Fact | None:
    start, facing, goal = roles
    names = [scene.objects[index] for index in roles]
    key = "-".join(each.object_id for each in names)
    path = shortest(stations, ways, start, goal)
    if path is None or len(path) - 1 > MOST_LEGS:
        found.drop("no_way", key)
        return None
    heading = (scene.centre(facing)[0] - stations[start][0], scene.centre(facing)[1] - stations[start][1])
    if np.hypot(*heading) < scene.options.plan_min_m:
        found.drop("facing_unclear", key)
        return None
    legs = [
        (stations[after][0] - stations[before][0], stations[after][1] - stations[before][1]) for before, after in pairwise(path)
    ]
    turns = [turn_of(before, after, margin_deg=scene.options.margin_deg) for before, after in pairwise([heading, *legs])]
    if any(turn is None for turn in turns) or not any(turns):
        found.drop("turn_unclear" if any(turn is None for turn in turns) else "no_turn", key)
        return None
    asked = [turn for turn in turns if turn]
    answer = ", ".join(asked)
    return Fact(
        kind="route_planning",
        key=key,
        values={
            "a": names[0].label,
            "b": names[1].label,
            "c": names[2].label,
            "steps": _steps([scene.objects[index].label for index in path[1:]], [turn or "" for turn in turns]),
        },
        answer=answer,
        options=_options(asked, scene.rng(f"route_planning/{key}")),
        object_ids=tuple(dict.fromkeys((*(each.object_id for each in names), *(scene.objects[at].object_id for at in path)))),
        measured={"length_m": float(sum(np.hypot(*leg) for leg in legs)), "first_turn": asked[0], "num_turns": len(asked)},
        lines=(tuple(stations[index] for index in path), (stations[start], scene.centre(facing))),
    )


def _steps(labels: list[str], turns: list[str]) -> str:
    """The numbered actions, with a gap for each turn."""
    actions = []
    for label, turn in zip(labels, turns, strict=True):
        if turn:
            actions.append("[please fill in]")
        actions.append(f"Go straight on to the {label}.")
    return " ".join(f"{number}. {action}" for number, action in enumerate(actions, start=1))


def _options(asked: list[str], rng: np.random.Generator) -> tuple[str, ...]:
    """The right turns first, then wrong ones of the same number."""
    right = ", ".join(asked)
    if len(asked) == 1:
        return (right, *(turn for turn in TURNS if turn != right))
    options = [right]
    while len(options) < NUM_OPTIONS:
        wrong = ", ".join(TURNS[place] for place in rng.integers(len(TURNS), size=len(asked)).tolist())
        if wrong not in options:
            options.append(wrong)
    return tuple(options)
