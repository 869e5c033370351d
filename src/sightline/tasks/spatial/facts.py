"""What holds in a scene, measured once for all kinds of question, and what a kind makes of it."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from sightline.geometry.oriented_boxes import Boxes3, box_distances
from sightline.tasks.crossview import example_rng
from sightline.tasks.spatial.options import SpatialOptions
from sightline.tasks.spatial.place import Place, PlacedObject

T = TypeVar("T")
Line = tuple[tuple[float, float], ...]
"""A line through the plan, in metres along x and y."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One true answer. `key` names it in its scene and kind by what it is about; `values` are put into the wording.

    `answer` is a number in `unit`, or the right one of `options`. `object_ids` are the objects it is about, `frames` the positions
    of its moments. `measured` are the numbers that decided it, `lines` what the plan shows of them.
    """

    kind: str
    key: str
    values: dict[str, str]
    answer: float | str
    unit: str = ""
    options: tuple[str, ...] = ()
    object_ids: tuple[str, ...] = ()
    frames: tuple[int, ...] = ()
    measured: dict[str, float | int | str] = field(default_factory=dict)
    lines: tuple[Line, ...] = ()


@dataclass
class Found:
    """The facts of one kind, and how many candidates were dropped for which reason, with one of them in words."""

    facts: list[Fact] = field(default_factory=list)
    drops: Counter[str] = field(default_factory=Counter)
    instances: dict[str, str] = field(default_factory=dict)

    def drop(self, reason: str, instance: str, *, count: int = 1) -> None:
        """Count candidates that are not asked about."""
        if count:
            self.drops[reason] += count
            self.instances.setdefault(reason, instance)


class Scene:
    """A place with everything that several kinds of question need of it."""

    def __init__(self, place: Place, options: SpatialOptions) -> None:
        self.place = place
        self.options = options
        self.objects: tuple[PlacedObject, ...] = tuple(sorted(place.objects, key=lambda each: each.object_id))
        self.boxes: Boxes3 = Place(place.scene_id, self.objects).boxes()
        self.instances: dict[str, list[int]] = {}
        for index, each in enumerate(self.objects):
            self.instances.setdefault(each.label, []).append(index)

    @cached_property
    def distances(self) -> Float[np.ndarray, "n n"]:
        """Least distances between the boxes, metres."""
        return box_distances(self.boxes)

    @cached_property
    def corners(self) -> Float[np.ndarray, "n 8 3"]:
        return self.boxes.corners()

    @cached_property
    def unique(self) -> list[int]:
        """The objects that are the only one of their label, in order of their ids."""
        return sorted(places[0] for places in self.instances.values() if len(places) == 1)

    def hidden(self, index: int) -> bool:
        """Whether no moment shows enough of the object to be asked for, as far as that is known."""
        known = [moment.shares for moment in self.place.moments if moment.shares is not None]
        if not self.options.shown or len(known) < len(self.place.moments) or not known:
            return False
        object_id = self.objects[index].object_id
        return max(shares.get(object_id, 0.0) for shares in known) < self.options.min_share

    def measured(self, index: int) -> bool:
        """Whether the box is that of the whole object, not only of what frames happened to show of it."""
        each = self.objects[index]
        return not each.cut and each.unseen_deg <= self.options.max_unseen_deg

    def askable(self, found: Found, *, measured: bool = False) -> list[int]:
        """The unique objects that may be asked for, with `measured` only those whose box is the whole; the others are counted as
        dropped."""
        kept = []
        for index in self.unique:
            each = self.objects[index]
            if self.hidden(index):
                found.drop("not_shown", each.object_id)
            elif each.cut or (measured and not self.measured(index)):
                unseen = "no frame shows it whole" if each.cut else f"not seen from {each.unseen_deg:.0f} degrees around it"
                found.drop("seen_in_part", f"{each.object_id}: {unseen}")
            else:
                kept.append(index)
        return kept

    def rng(self, kind: str) -> np.random.Generator:
        """The generator of one kind of question about this scene."""
        return example_rng(self.options.seed, f"{self.place.scene_id}/{kind}")

    def centre(self, index: int) -> tuple[float, float]:
        x, y, _ = self.boxes.centres[index].tolist()
        return x, y


def evened(facts: Iterable[T], answer: Callable[[T], Hashable], *, limit: int) -> list[T]:
    """At most `limit` facts, the first of each answer in turn, until the rarest answer that there is has no more: no answer is then
    more than one time more frequent than another. Where there is but one answer, one fact."""
    by_answer: dict[Hashable, list[T]] = {}
    for fact in facts:
        by_answer.setdefault(answer(fact), []).append(fact)
    rounds = 1 if len(by_answer) == 1 else min((len(found) for found in by_answer.values()), default=0)
    kept = [found[turn] for turn in range(rounds) for found in by_answer.values()]
    return kept[:limit]


def shuffled(sequence: Sequence[T], rng: np.random.Generator) -> list[T]:
    """The same in a random order."""
    return [sequence[place] for place in rng.permutation(len(sequence)).tolist()]
