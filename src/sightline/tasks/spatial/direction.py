"""`object_rel_direction_{easy,medium,hard}`: standing at A and facing B, where is C?

    hard      front-left [0, 90), back-left [90, 180), back-right [180, 270), front-right [270, 360)
    medium    left [0, 135), back [135, 225), right [225, 360)
    easy      as medium, without back

The angle is counted counter-clockwise from A->B to A->C, seen from above, between the boxes' centres. It is asked only if it lies
at least `margin_deg` from every border, on either side of it, and at most `max_stray` of C's eight corners lie in another sector.
All three are the only ones of their labels, `near_m` to `far_m` apart from each other, and not one above the other.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import permutations
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from sightline.tasks.spatial.facts import Fact, Found, Scene, evened

MOST_TRIPLES = 20_000
MOST_ROLES = 3


class Sectors(NamedTuple):
    """Answers by angle: sector k is from `borders[k]` to the next border, degrees; the last one ends at 360. `asked` are the
    answers that are offered; the angle 0 is a border too."""

    borders: tuple[float, ...]
    answers: tuple[str, ...]
    asked: tuple[str, ...]


HARD = Sectors(
    (0, 90, 180, 270),
    ("front-left", "back-left", "back-right", "front-right"),
    ("front-left", "back-left", "back-right", "front-right"),
)
MEDIUM = Sectors((0, 135, 225), ("left", "back", "right"), ("left", "back", "right"))
EASY = Sectors(MEDIUM.borders, MEDIUM.answers, ("left", "right"))
LEVELS = {"easy": EASY, "medium": MEDIUM, "hard": HARD}


def easy(scene: Scene) -> Found:
    """`object_rel_direction_easy`."""
    return _directions(scene, "easy")


def medium(scene: Scene) -> Found:
    """`object_rel_direction_medium`."""
    return _directions(scene, "medium")


def hard(scene: Scene) -> Found:
    """`object_rel_direction_hard`."""
    return _directions(scene, "hard")


def sector(angles_deg: Float[np.ndarray, "..."], sectors: Sectors) -> Int[np.ndarray, "..."]:
    """In which sector each angle in [0, 360) lies."""
    return np.searchsorted(sectors.borders, angles_deg, side="right") - 1


def border_distance(angles_deg: Float[np.ndarray, "..."], sectors: Sectors) -> Float[np.ndarray, "..."]:
    """How far each angle in [0, 360) lies from the nearest border, on either side and around 0, in degrees."""
    gaps = np.abs(angles_deg[..., None] - np.array(sectors.borders))
    return np.minimum(gaps, 360 - gaps).min(axis=-1)


def angles(
    at: Float[np.ndarray, "n 2"], facing: Float[np.ndarray, "n 2"], asked: Float[np.ndarray, "n k 2"]
) -> Float[np.ndarray, "n k"]:
    """Degrees in [0, 360), counter-clockwise from at->facing to at->asked."""
    ahead, aside = facing - at, asked - at[:, None]
    along = np.einsum("nd,nkd->nk", ahead, aside)
    across = ahead[:, None, 0] * aside[..., 1] - ahead[:, None, 1] * aside[..., 0]
    return np.degrees(np.arctan2(across, along)) % 360.0


@dataclass(frozen=True, eq=False)
class Rulings:
    """What holds of triples (A, B, C): the answers, the angles, how far these lie from a border, and what may be asked."""

    answers: list[str]
    angles_deg: Float[np.ndarray, " n"]
    margins_deg: Float[np.ndarray, " n"]
    clear: Bool[np.ndarray, " n"]


def rulings(scene: Scene, triples: Int[np.ndarray, "n 3"], sectors: Sectors, found: Found) -> Rulings:
    """Judge triples of objects (positions in the scene); what may not be asked is counted in `found`."""
    a, b, c = triples.T
    plan = scene.boxes.centres[:, :2]
    middle = angles(plan[a], plan[b], plan[c][:, None])[:, 0]
    corners = angles(plan[a], plan[b], scene.corners[c][:, :, :2])
    place = sector(middle, sectors)
    stray = (sector(corners, sectors) != place[:, None]).sum(axis=1)
    margin = border_distance(middle, sectors)
    clear = _standing(scene, triples, found)
    offered = np.isin(np.array(sectors.answers)[place], sectors.asked)
    clear = _kept("not_offered", offered, scene, triples, found, among=clear)
    clear = _kept("near_a_border", margin >= scene.options.margin_deg, scene, triples, found, among=clear)
    clear = _kept("across_a_border", stray <= scene.options.max_stray, scene, triples, found, among=clear)
    return Rulings([sectors.answers[number] for number in place.tolist()], middle, margin, clear)


def _directions(scene: Scene, level: str) -> Found:
    found, sectors, kind = Found(), LEVELS[level], f"object_rel_direction_{level}"
    triples = _triples(scene.askable(found), scene.rng(kind))
    if not len(triples):
        return found
    ruled = rulings(scene, triples, sectors, found)
    chosen = _first_of_each(np.flatnonzero(ruled.clear), triples, ruled.answers, limit=scene.options.limit_direction)
    facts = [_fact(scene, kind, sectors, triples[at], ruled, at) for at in chosen]
    found.facts = evened(facts, lambda fact: fact.answer, limit=scene.options.limit_direction)
    return found


def _triples(objects: list[int], rng: np.random.Generator) -> Int[np.ndarray, "n 3"]:
    """Ordered triples in a random order: all of them, or in a large scene `MOST_TRIPLES`."""
    count = len(objects)
    if count * (count - 1) * (count - 2) <= MOST_TRIPLES:
        every = np.array(list(permutations(range(count), 3)), dtype=np.int64).reshape(-1, 3)
    else:
        drawn = rng.integers(count, size=(2 * MOST_TRIPLES, 3))
        distinct = (drawn[:, 0] != drawn[:, 1]) & (drawn[:, 0] != drawn[:, 2]) & (drawn[:, 1] != drawn[:, 2])
        every = np.unique(drawn[distinct], axis=0)
    return np.array(objects, dtype=np.int64)[every[rng.permutation(len(every))][:MOST_TRIPLES]]


def _standing(scene: Scene, triples: Int[np.ndarray, "n 3"], found: Found) -> Bool[np.ndarray, " n"]:
    """Which triples one can stand in: none too near to another or too far, or above it."""
    options, sides = scene.options, ((0, 1), (0, 2), (1, 2))
    apart = np.stack([scene.distances[triples[:, i], triples[:, j]] for i, j in sides])
    plan = scene.boxes.centres[:, :2]
    in_plan = np.stack([np.linalg.norm(plan[triples[:, i]] - plan[triples[:, j]], axis=1) for i, j in sides[:2]])
    right = _kept("too_near", apart.min(axis=0) >= options.near_m, scene, triples, found)
    right = _kept("too_far", apart.max(axis=0) <= options.far_m, scene, triples, found, among=right)
    return _kept("above_each_other", in_plan.min(axis=0) >= options.plan_min_m, scene, triples, found, among=right)


def _kept(
    reason: str,
    right: Bool[np.ndarray, " n"],
    scene: Scene,
    triples: Int[np.ndarray, "n 3"],
    found: Found,
    *,
    among: Bool[np.ndarray, " n"] | None = None,
) -> Bool[np.ndarray, " n"]:
    """Those `among` the triples that are right; the others of them are counted."""
    before = np.ones(len(triples), dtype=bool) if among is None else among
    dropped = np.flatnonzero(before & ~right)
    if len(dropped):
        found.drop(reason, "-".join(scene.objects[index].object_id for index in triples[dropped[0]].tolist()), count=len(dropped))
    return before & right


def _first_of_each(places: Int[np.ndarray, " k"], triples: Int[np.ndarray, "n 3"], answers: list[str], *, limit: int) -> list[int]:
    """Of the places in this order at most `limit` of each answer, and at most `MOST_ROLES` about the same three objects."""
    of_answer: Counter[str] = Counter()
    of_three: Counter[tuple[int, ...]] = Counter()
    kept = []
    for place in places.tolist():
        three = tuple(sorted(triples[place].tolist()))
        if of_answer[answers[place]] < limit and of_three[three] < MOST_ROLES:
            of_answer[answers[place]] += 1
            of_three[three] += 1
            kept.append(place)
    return kept


def _fact(scene: Scene, kind: str, sectors: Sectors, triple: Int[np.ndarray, " 3"], ruled: Rulings, at: int) -> Fact:
    a, b, c = triple.tolist()
    names = [scene.objects[index] for index in (a, b, c)]
    return Fact(
        kind=kind,
        key="-".join(each.object_id for each in names),
        values=dict(zip(("a", "b", "c"), (each.label for each in names), strict=True)),
        answer=ruled.answers[at],
        options=sectors.asked,
        object_ids=tuple(each.object_id for each in names),
        measured={"angle_deg": float(ruled.angles_deg[at]), "to_border_deg": float(ruled.margins_deg[at])},
        lines=((scene.centre(a), scene.centre(b)), (scene.centre(a), scene.centre(c))),
    )
