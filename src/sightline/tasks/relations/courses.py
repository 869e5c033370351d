"""Questions about a pair over the whole clip with the answer yes or no: does A stay left of B, does it pass from left to right."""

from collections.abc import Iterator
from typing import NamedTuple

from sightline.geometry.boxes import Box
from sightline.tasks.crossview import order_key
from sightline.tasks.relations.asking import Asked, ClipAsker, TwinSet
from sightline.tasks.relations.cast import Cast
from sightline.tasks.relations.facts import Pair
from sightline.tasks.relations.opening import MIN_SHOWN, drop, film
from sightline.tasks.relations.rules import NEITHER, SIDES, Side, opposite
from sightline.types import NO, YES, AnswerForm, Choice, LedgerEntry


class Staged(NamedTuple):
    """A pair as it is asked about: the objects in their order, how they are called, and the frames shown."""

    pair: Pair
    ids: tuple[str, str]
    cast: Cast
    frames: tuple[int, ...]

    def swapped(self) -> "Staged":
        return self._replace(ids=self.ids[::-1])

    def side(self, of: Side) -> Side:
        """The side of the second object, given that of `pair.b`."""
        return of if self.ids == (self.pair.a, self.pair.b) else opposite(of)


def stage(asker: ClipAsker, pair: Pair, frames: tuple[int, ...]) -> Staged | LedgerEntry:
    """The pair in an order that a hash draws, or why its objects cannot be called anything."""
    swapped = order_key(asker.options.seed, f"course/{asker.seen.clip.clip_id}/{pair.unit}")[0] % 2 == 1
    ids = (pair.b, pair.a) if swapped else (pair.a, pair.b)
    cast = asker.casting.cast(ids, frames)
    if isinstance(cast, str):
        return drop(asker, pair.unit, cast, "the two cannot be referred to")
    return Staged(pair, ids, cast, frames)


def courses(asker: ClipAsker) -> Iterator[TwinSet | LedgerEntry]:
    """A set for each pair that always or once changes sides, if the frames that are shown tell it."""
    frames = film(asker)
    if isinstance(frames, LedgerEntry):
        yield frames
        return
    for pair in asker.facts.pairs:
        course = pair.timeline.course
        if course not in ("always", "becomes"):
            continue
        if not course_is_shown(pair, frames):
            yield drop(asker, pair.unit, "not_shown", f"the sampled frames do not show that it {course} holds")
            continue
        staged = stage(asker, pair, frames)
        yield staged if isinstance(staged, LedgerEntry) else _set(asker, staged)


def course_is_shown(pair: Pair, frames: tuple[int, ...]) -> bool:
    """Whether every label of the pair's course is seen in a shown frame, and the pair in two."""
    shown = [pair.timeline.labels[frame] for frame in frames if pair.timeline.labels[frame] is not None]
    wanted = {label for label in pair.timeline.labels if label is not None}
    return len(shown) >= MIN_SHOWN and set(shown) == wanted


def first_side(pair: Pair) -> Side:
    """The side of `b` on which `a` is at first."""
    return "left" if next(label for label in pair.timeline.labels if label is not None) == "left" else "right"


def _set(asker: ClipAsker, staged: Staged) -> TwinSet:
    pair = staged.pair
    side = staged.side(first_side(pair))
    yes = _ask(asker, staged, side, tail="yes", answer=YES)
    turned = _ask(asker, staged, opposite(side), tail="opposite", answer=NO)
    swap = _ask(asker, staged.swapped(), side, tail="swapped", answer=NO)
    key = f"{pair.timeline.course}-{pair.unit}"
    if not asker.options.mirror:
        return TwinSet(key, (yes, turned, swap, _ask(asker, staged.swapped(), opposite(side), tail="both", answer=YES)))
    drawn = order_key(asker.options.seed, f"negative/{asker.seen.clip.clip_id}/{key}")[0] % 2
    return TwinSet(key, (yes, swap if drawn else turned))


def _ask(asker: ClipAsker, staged: Staged, side: Side, *, tail: str, answer: str) -> Asked:
    a, b = (staged.cast.phrases[name] for name in staged.ids)
    return Asked(
        tail=tail,
        kind=f"{staged.pair.timeline.course}_yesno",
        values={"a": a, "b": b, "side": side, "other": opposite(side)},
        defined="soft" if asker.options.strictness == "soft" else "side",
        cast=staged.cast,
        frames=staged.frames,
        form=AnswerForm(shape="choice", image_index=0, options=(YES, NO)),
        answer=Choice(value=answer),
        object_id=staged.ids[0],
        boxes=pair_boxes(asker, staged.pair),
        evidence=course_evidence(asker, staged) | {"rule": str(staged.pair.timeline.course), "side": side},
    )


def deciding_frame(pair: Pair) -> int:
    """The frame of the pair at which its side is surest."""
    slacks = [(ruling.slack, -frame) for frame, ruling in enumerate(pair.rulings) if ruling is not None and ruling.label in SIDES]
    return -max(slacks)[1]


def pair_boxes(asker: ClipAsker, pair: Pair) -> dict[str, Box]:
    """The boxes of the pair at its deciding frame."""
    return asker.facts.standings.boxes(deciding_frame(pair), (pair.a, pair.b))


def course_evidence(asker: ClipAsker, staged: Staged) -> dict[str, str | float | int]:
    """The runs of the first object against the second, and the frame that `boxes` are of."""
    pair = staged.pair
    frame = deciding_frame(pair)
    ruling = pair.rulings[frame]
    assert ruling is not None, "it was chosen by its ruling"
    turned = {side: staged.side(side) for side in SIDES} | {NEITHER: NEITHER}
    return {
        "frame": frame,
        "a": staged.ids[0],
        "b": staged.ids[1],
        "slack": ruling.slack,
        "threshold": asker.options.soft_gap if asker.options.strictness == "soft" else asker.options.margin,
        "num_covisible": pair.timeline.num_covisible,
        "runs": "; ".join(str(run._replace(label=turned[run.label])) for run in pair.timeline.runs),
    }
