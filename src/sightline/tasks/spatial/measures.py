"""Questions with a number: how many of a kind, how large an object, how large the room, how far apart two objects.

object_counting          categories of two objects and more
object_size_estimation   the longest side of an object that is the only one of its label, whole centimetres
room_size_estimation     square metres, to 0.1
object_abs_distance      least distance between two such objects, metres, to 0.1
"""

from itertools import combinations

from sightline.tasks.spatial.facts import Fact, Found, Scene, shuffled

CENTIMETRES = 100.0


def counts(scene: Scene) -> Found:
    """`object_counting`: all objects of a category must be shown, else a viewer cannot count them."""
    found = Found()
    for label, places in sorted(scene.instances.items()):
        if len(places) < 2:
            continue
        if any(scene.hidden(index) for index in places):
            found.drop("not_shown", label)
            continue
        ids = tuple(scene.objects[index].object_id for index in places)
        found.facts.append(
            Fact(
                kind="object_counting",
                key=label,
                values={"category": label},
                answer=float(len(places)),
                object_ids=ids,
                measured={"count": len(places)},
            )
        )
    return found


def sizes(scene: Scene) -> Found:
    """`object_size_estimation`."""
    found = Found()
    for index in scene.askable(found, measured=True):
        each = scene.objects[index]
        longest = max(each.box.lengths)
        if longest < scene.options.min_size_m:
            found.drop("too_small", f"{each.object_id}: {longest:.3f} m")
            continue
        found.facts.append(
            Fact(
                kind="object_size_estimation",
                key=each.object_id,
                values={"a": each.label},
                answer=float(round(longest * CENTIMETRES)),
                unit="cm",
                object_ids=(each.object_id,),
                measured={"longest_m": longest},
            )
        )
    return found


def room(scene: Scene) -> Found:
    """`room_size_estimation`: the first way of measuring it, where all agree."""
    found = Found()
    areas = scene.place.room_areas_m2
    if not areas:
        found.drop("area_unknown", "the scene has no depth, or its frames do not look all around")
    elif max(areas) - min(areas) > scene.options.room_disagreement * min(areas):
        found.drop("area_ambiguous", " and ".join(f"{area:.1f} m2" for area in areas))
    elif (answer := round(areas[0], 1)) <= 0:
        found.drop("no_area", f"{areas[0]:.3f} m2")
    else:
        found.facts.append(
            Fact(
                kind="room_size_estimation",
                key="room",
                values={},
                answer=answer,
                unit="m2",
                measured={f"area_m2_{number}": area for number, area in enumerate(areas)},
            )
        )
    return found


def distances(scene: Scene) -> Found:
    """`object_abs_distance`."""
    found = Found()
    pairs = [(a, b) for a, b in combinations(scene.askable(found, measured=True), 2) if not _too_near(scene, a, b, found)]
    for a, b in shuffled(pairs, scene.rng("object_abs_distance"))[: scene.options.limit_distance]:
        first, second, distance = scene.objects[a], scene.objects[b], float(scene.distances[a, b])
        found.facts.append(
            Fact(
                kind="object_abs_distance",
                key=f"{first.object_id}-{second.object_id}",
                values={"a": first.label, "b": second.label},
                answer=round(distance, 1),
                unit="m",
                object_ids=(first.object_id, second.object_id),
                measured={"distance_m": distance},
                lines=((scene.centre(a), scene.centre(b)),),
            )
        )
    return found


def _too_near(scene: Scene, a: int, b: int, found: Found) -> bool:
    distance = float(scene.distances[a, b])
    if distance >= scene.options.min_distance_m:
        return False
    found.drop("too_near", f"{scene.objects[a].object_id}-{scene.objects[b].object_id}: {distance:.2f} m")
    return True
