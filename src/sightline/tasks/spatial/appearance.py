"""`obj_appearance_order`: in which order kinds of object first appear in the frames that are shown.

A kind has appeared for certain in the first frame in which an instance covers `min_share` of the picture, and it may have been
noticed in the first frame in which any of it is seen. One kind comes before another only if it is certain at least `appear_gap_s`
before the other could be noticed; the benchmark's own scripts compare the first boxes alone.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from sightline.tasks.spatial.facts import Fact, Found, Scene, shuffled

NUM_KINDS = 4
NUM_OPTIONS = 4
TRIES = 200


class Appearance(NamedTuple):
    """The moments (positions) in which a kind is first noticed at all, and first seen for certain; with their times."""

    label: str
    noticed: int
    certain: int
    noticed_s: float
    certain_s: float


def order(scene: Scene) -> Found:
    """The facts of a scene."""
    found = Found()
    moments = scene.place.moments
    shares = [moment.shares for moment in moments]
    if not moments or any(share is None for share in shares):
        found.drop("visibility_unknown", "the frames do not say which objects are in them")
        return found
    appeared = [seen for label in sorted(scene.instances) if (seen := _appearance(scene, label)) is not None]
    rng = scene.rng("obj_appearance_order")
    chosen: dict[tuple[str, ...], Fact] = {}
    for _ in range(TRIES if len(appeared) >= NUM_KINDS else 0):
        kinds = sorted(shuffled(appeared, rng)[:NUM_KINDS], key=lambda seen: (seen.certain_s, seen.label))
        labels = tuple(seen.label for seen in kinds)
        if labels in chosen:
            continue
        if any(after.noticed_s - before.certain_s <= scene.options.appear_gap_s for before, after in pairwise(kinds)):
            found.drop("too_close_in_time", ", ".join(labels))
            continue
        chosen[labels] = _fact(scene, kinds)
        if len(chosen) == scene.options.limit_order:
            break
    found.facts = list(chosen.values())
    return found


def _appearance(scene: Scene, label: str) -> Appearance | None:
    ids = [scene.objects[index].object_id for index in scene.instances[label]]
    moments = scene.place.moments
    shares = [_most(moment.shares or {}, ids) for moment in moments]
    noticed = next((place for place, share in enumerate(shares) if share > 0), None)
    certain = next((place for place, share in enumerate(shares) if share >= scene.options.min_share), None)
    if noticed is None or certain is None:
        return None
    return Appearance(label, noticed, certain, moments[noticed].time_s, moments[certain].time_s)


def _most(shares: Mapping[str, float], ids: list[str]) -> float:
    return max(shares.get(object_id, 0.0) for object_id in ids)


def _fact(scene: Scene, kinds: list[Appearance]) -> Fact:
    right = [seen.label for seen in kinds]
    rng = scene.rng(f"obj_appearance_order/{'-'.join(right)}")
    options = [", ".join(right)]
    while len(options) < NUM_OPTIONS:
        wrong = ", ".join(shuffled(right, rng))
        if wrong not in options:
            options.append(wrong)
    ids = tuple(scene.objects[index].object_id for seen in kinds for index in scene.instances[seen.label])
    return Fact(
        kind="obj_appearance_order",
        key="-".join(right),
        values={"kinds": ", ".join(shuffled(right, rng))},
        answer=options[0],
        options=tuple(options),
        object_ids=ids,
        frames=tuple(seen.certain for seen in kinds),
        measured={
            name: value
            for number, seen in enumerate(kinds)
            for name, value in ((f"noticed_s_{number}", seen.noticed_s), (f"certain_s_{number}", seen.certain_s))
        },
    )
