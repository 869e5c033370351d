"""`object_rel_distance`: which of four kinds of object is nearest to another object.

The other object is the only one of its label; of a kind the nearest instance counts. A question is asked only if the nearest is
clear: none lies closer than `nearest_min_m`, and any two differ by more than the gap (a larger one in large rooms). One function
has all of that, whatever the number of options.
"""

from math import comb

import numpy as np
from jaxtyping import Float

from sightline.tasks.spatial.facts import Fact, Found, Scene

NUM_OPTIONS = 4
TRIES = 60  # sets of options tried for one object


def nearest(scene: Scene) -> Found:
    """The facts of a scene, the objects asked about in turn."""
    found = Found()
    labels = sorted(label for label, places in scene.instances.items() if _comparable(scene, places))
    if len(labels) <= NUM_OPTIONS:
        return found
    rng, gap = scene.rng("object_rel_distance"), least_gap(scene)
    by_object = [_of_object(scene, index, labels, rng, found) for index in scene.askable(found, measured=True)]
    turns = max((len(facts) for facts in by_object), default=0)
    facts = [facts[turn] for turn in range(turns) for facts in by_object if turn < len(facts)]
    found.facts = facts[: scene.options.limit_nearest]
    for fact in found.facts:
        fact.measured["least_gap_m"] = gap
    return found


def _comparable(scene: Scene, places: list[int]) -> bool:
    """Whether a kind is shown, and how near it comes is known: the boxes of all its instances are whole."""
    return all(scene.measured(index) for index in places) and not all(scene.hidden(index) for index in places)


def least_gap(scene: Scene) -> float:
    """By how much two distances must differ: more in a large room, and where the room's size is not known."""
    areas = scene.place.room_areas_m2
    large = not areas or areas[0] > scene.options.large_room_m2
    return scene.options.gap_large_m if large else scene.options.gap_small_m


def _of_object(scene: Scene, index: int, labels: list[str], rng: np.random.Generator, found: Found) -> list[Fact]:
    others = [label for label in labels if label != scene.objects[index].label]
    to_label = np.array([scene.distances[index, scene.instances[label]].min() for label in others])
    sets = _some_sets(len(others), rng)
    clear = _clear(to_label[sets], gap=least_gap(scene), least=scene.options.nearest_min_m)
    found.drop("ambiguous", f"{scene.objects[index].object_id} among {NUM_OPTIONS} kinds", count=int((~clear).sum()))
    return [_fact(scene, index, [others[place] for place in chosen], to_label[chosen]) for chosen in sets[clear].tolist()]


def _some_sets(count: int, rng: np.random.Generator) -> np.ndarray:
    """Different sets of `NUM_OPTIONS` numbers below `count`, each sorted."""
    drawn = rng.random((TRIES, count)).argsort(axis=1)[:, :NUM_OPTIONS]
    found = np.unique(np.sort(drawn, axis=1), axis=0)
    return found[rng.permutation(len(found))][: comb(count, NUM_OPTIONS)]


def _clear(distances: Float[np.ndarray, "n k"], *, gap: float, least: float) -> np.ndarray:
    """Which rows have no distance below `least` and no two that differ by `gap` or less."""
    in_order = np.sort(distances, axis=1)
    return (in_order[:, 0] >= least) & (np.diff(in_order, axis=1) > gap).all(axis=1)


def _fact(scene: Scene, index: int, labels: list[str], distances: Float[np.ndarray, " k"]) -> Fact:
    each, right = scene.objects[index], labels[int(distances.argmin())]
    instances = [min(scene.instances[label], key=lambda other: float(scene.distances[index, other])) for label in labels]
    return Fact(
        kind="object_rel_distance",
        key=f"{each.object_id}/{'-'.join(scene.objects[other].object_id for other in instances)}",
        values={"a": each.label, "kinds": ", ".join(labels)},
        answer=right,
        options=tuple(labels),
        object_ids=(each.object_id, *(scene.objects[other].object_id for other in instances)),
        measured={f"to_{scene.objects[other].object_id}_m": float(distances[place]) for place, other in enumerate(instances)},
        lines=tuple((scene.centre(index), scene.centre(other)) for other in instances),
    )
