"""`relation_choice`: yes or no, or one of two, three or four words.

    side     at a frame: is A left of B? left, right (or neither)?     its negatives: A and B swapped, or the opposite direction
    shifted  the same words at two moments, of which only one is true
    third    in which third of the picture is A: left, centre, right or neither?
    always   does A stay left of B?            becomes   does A pass from B's left to its right?

As many "neither" (and "centre") as fit beside left and right: at most as many facts of each as make every word equally frequent,
but one of each where a clip has nothing else.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from sightline.tasks.clips import SeenClip
from sightline.tasks.crossview import Outcome, order_key
from sightline.tasks.footage import ClipOptions
from sightline.tasks.pictures import Studio
from sightline.tasks.relations.asking import Asked, ClipAsker, TwinSet
from sightline.tasks.relations.cast import Cast
from sightline.tasks.relations.courses import courses
from sightline.tasks.relations.facts import Pair
from sightline.tasks.relations.opening import drop, open_clip, pose_found
from sightline.tasks.relations.rules import NEITHER, SIDES, Ruling, Side, opposite
from sightline.tasks.relations.words import listed
from sightline.types import NO, YES, AnswerForm, Choice, LedgerEntry

TASK = "relation_choice"
FORMS = ("yesno", "two", "three")
THIRDS = ("left", "centre", "right", NEITHER)


def relation_choice(seen: SeenClip, studio: Studio, options: ClipOptions) -> Iterator[Outcome]:
    """`relation_choice` examples of a clip."""
    yield from pose_found(
        open_clip(seen, studio, options), TASK, lambda asker: chain(_sides(asker), _thirds(asker), courses(asker))
    )


class Side2(NamedTuple):
    """A pair at a frame, as it is asked: on which side of `b` (or neither) `a` lies."""

    a: str
    b: str
    frame: int
    label: str
    slack: float
    cast: Cast


def _sides(asker: ClipAsker) -> Iterator[TwinSet | LedgerEntry]:
    decided: list[Side2] = []
    neither: list[Side2] = []
    for pair in asker.facts.pairs:
        for labels, facts in ((SIDES, decided), ((NEITHER,), neither)):
            found = [frame for frame, ruling in enumerate(pair.rulings) if ruling is not None and ruling.label in labels]
            for frame in asker.some_frames(found, f"side/{pair.unit}/{labels[0]}"):
                fact = _oriented(asker, pair, frame)
                if isinstance(fact, LedgerEntry):
                    yield fact
                else:
                    facts.append(fact)
        yield from _shifted(asker, pair)
    for fact in decided:
        form = FORMS[order_key(asker.options.seed, f"form/{_key(asker, fact)}")[0] % len(FORMS)]
        yield _yes_no(asker, fact) if form == "yesno" else _choice(asker, fact, with_neither=form == "three")
    for fact in evened(asker, neither, len(decided)):
        yield _choice(asker, fact, with_neither=True)


def evened(asker: ClipAsker, facts: Sequence[Side2], num_sides: int) -> Sequence[Side2]:
    """As many of the facts without a side as go with `num_sides` facts that have one, drawn by a hash."""
    drawn = sorted(facts, key=lambda fact: order_key(asker.options.seed, f"even/{_key(asker, fact)}"))
    return drawn[: max(1, num_sides // 2)]


def _key(asker: ClipAsker, fact: Side2) -> str:
    return f"{asker.seen.clip.clip_id}/{fact.a}-{fact.b}/{fact.frame}"


def _oriented(asker: ClipAsker, pair: Pair, frame: int) -> Side2 | LedgerEntry:
    """The pair with the one or the other object first, by a hash."""
    swapped = order_key(asker.options.seed, f"first/{asker.seen.clip.clip_id}/{pair.unit}/{frame}")[0] % 2 == 1
    return _fact(asker, pair, frame, swapped=swapped)


def _fact(asker: ClipAsker, pair: Pair, frame: int, *, swapped: bool) -> Side2 | LedgerEntry:
    a, b = (pair.b, pair.a) if swapped else (pair.a, pair.b)
    ruling = pair.rulings[frame]
    assert ruling is not None, "a fact has a ruling"
    assert ruling.label is not None, "a fact has a label"
    cast = asker.casting.cast((a, b), (frame,))
    if isinstance(cast, str):
        return drop(asker, f"{pair.unit}/{asker.seen.clip.frames[frame].frame_id}", cast, "the two cannot be referred to")
    label = opposite(ruling.label) if swapped and ruling.label in SIDES else ruling.label  # pyright: ignore[reportArgumentType]
    return Side2(a, b, frame, label, ruling.slack, cast)


def _yes_no(asker: ClipAsker, fact: Side2) -> TwinSet:
    """The true question and what is false: swapped or the other direction, or without mirrored twins the true and false of both."""
    side = _side(fact)
    other = opposite(side)
    yes = _ask_yes_no(asker, fact, side, tail="yes")
    swapped = _ask_yes_no(asker, _swap(fact), side, tail="swapped")
    turned = _ask_yes_no(asker, fact, other, tail="opposite")
    key = f"side-{fact.a}-{fact.b}/{asker.seen.clip.frames[fact.frame].frame_id}"
    if not asker.options.mirror:
        return TwinSet(key, (yes, swapped, turned, _ask_yes_no(asker, _swap(fact), other, tail="both")))
    drawn = order_key(asker.options.seed, f"negative/{_key(asker, fact)}")[0] % 2
    return TwinSet(key, (yes, swapped if drawn else turned))


def _side(fact: Side2) -> Side:
    return "left" if fact.label == "left" else "right"


def _swap(fact: Side2) -> Side2:
    label = fact.label if fact.label == NEITHER else opposite(_side(fact))
    return fact._replace(a=fact.b, b=fact.a, label=label)


def _ask_yes_no(asker: ClipAsker, fact: Side2, side: Side, *, tail: str) -> Asked:
    form = AnswerForm(shape="choice", image_index=0, options=(YES, NO))
    return _ask(asker, fact, kind="side_yesno", side=side, tail=tail, form=form, answer=YES if fact.label == side else NO)


def _choice(asker: ClipAsker, fact: Side2, *, with_neither: bool) -> TwinSet:
    """A seen from B and B seen from A. Which word stands first is drawn."""
    words = [*(SIDES if order_key(asker.options.seed, f"words/{_key(asker, fact)}")[0] % 2 else SIDES[::-1])]
    form = AnswerForm(shape="choice", image_index=0, options=(*words, *([NEITHER] if with_neither else [])))
    key = f"choice-{fact.a}-{fact.b}/{asker.seen.clip.frames[fact.frame].frame_id}"
    both = [
        _ask(asker, one, kind="side_choice", side="left", tail=tail, form=form, answer=one.label)
        for one, tail in ((fact, "first"), (_swap(fact), "swapped"))
    ]
    return TwinSet(key, tuple(both))


def _ask(asker: ClipAsker, fact: Side2, *, kind: str, side: Side, tail: str, form: AnswerForm, answer: str) -> Asked:
    soft = asker.options.strictness == "soft"
    values = {
        "a": fact.cast.phrases[fact.a],
        "b": fact.cast.phrases[fact.b],
        "side": side,
        "where": asker.where(fact.frame, fact.cast),
        "options": listed(form.options, last="or"),
    }
    return Asked(
        tail=tail,
        kind=kind,
        values=values,
        defined="soft" if soft else "side",
        cast=fact.cast,
        frames=(fact.frame,),
        form=form,
        answer=Choice(value=answer),
        object_id=fact.a,
        boxes=asker.facts.standings.boxes(fact.frame, (fact.a, fact.b)),
        evidence={
            "rule": "left_of_soft" if soft else "left_of",
            "frame": fact.frame,
            "a": fact.a,
            "b": fact.b,
            "side": side,
            "label": fact.label,
            "slack": fact.slack,
            "threshold": asker.options.soft_gap if soft else asker.options.margin,
        },
    )


def _shifted(asker: ClipAsker, pair: Pair) -> Iterator[TwinSet | LedgerEntry]:
    """The same words at a moment when they are true and at one when they are not."""
    moments = {
        side: asker.some_frames(
            (frame for frame, ruling in enumerate(pair.rulings) if ruling is not None and ruling.label == side),
            f"{pair.unit}/{side}",
        )
        for side in SIDES
    }
    if not (moments["left"] and moments["right"]):
        return
    swapped = order_key(asker.options.seed, f"shifted/{asker.seen.clip.clip_id}/{pair.unit}")[0] % 2 == 1
    facts = [_fact(asker, pair, moments[side][0], swapped=swapped) for side in SIDES]
    told = [fact for fact in facts if not isinstance(fact, LedgerEntry)]
    yield from (fact for fact in facts if isinstance(fact, LedgerEntry))
    if len(told) == len(facts):
        sides = ("left",) if asker.options.mirror else SIDES
        asked = [_ask_yes_no(asker, fact, side, tail=f"{side}-{fact.label}") for side in sides for fact in told]
        yield TwinSet(f"shifted-{pair.unit}", tuple(asked))


class Third(NamedTuple):
    """An object in a frame and the third it is in."""

    name: str
    frame: int
    ruling: Ruling
    cast: Cast


def _thirds(asker: ClipAsker) -> Iterator[TwinSet | LedgerEntry]:
    """One of four words. Without mirrored twins one fact on the left and one on the right make a set."""
    facts: dict[str, list[Third]] = {label: [] for label in THIRDS}
    for name, thirds in asker.facts.thirds.items():
        frames = [frame for frame, ruling in enumerate(thirds.rulings) if ruling is not None and ruling.label is not None]
        for frame in asker.some_frames(frames, f"third/{name}"):
            ruling, cast = thirds.rulings[frame], asker.casting.cast((name,), (frame,))
            assert ruling is not None, "chosen by its ruling"
            if isinstance(cast, str):
                yield drop(asker, f"{name}/{asker.seen.clip.frames[frame].frame_id}", cast, "the object cannot be referred to")
            else:
                facts[str(ruling.label)].append(Third(name, frame, ruling, cast))
    for found in facts.values():
        found.sort(key=lambda fact: order_key(asker.options.seed, f"third/{asker.seen.clip.clip_id}/{fact.name}/{fact.frame}"))
    num_sides = sum(len(facts[side]) for side in SIDES)
    sides = [(fact,) for side in SIDES for fact in facts[side]]
    if not asker.options.mirror:
        sides = list(zip(facts["left"], facts["right"], strict=False))
    others = [(fact,) for label in ("centre", NEITHER) for fact in facts[label][: max(1, num_sides // 2)]]
    for together in (*sides, *others):
        keys = [f"{fact.name}/{asker.seen.clip.frames[fact.frame].frame_id}" for fact in together]
        asked = (_third(asker, fact) for fact in together)
        yield TwinSet(f"third-{'+'.join(keys)}", tuple(asked))


def _third(asker: ClipAsker, fact: Third) -> Asked:
    name, frame, ruling, cast = fact
    soft = asker.options.strictness == "soft"
    options = THIRDS[:3] if soft else THIRDS
    return Asked(
        tail=str(ruling.label),
        kind="third_choice",
        values={"a": cast.phrases[name], "where": asker.where(frame, cast), "options": listed(options, last="or")},
        defined="soft_third" if soft else "third",
        cast=cast,
        frames=(frame,),
        form=AnswerForm(shape="choice", image_index=0, options=options),
        answer=Choice(value=str(ruling.label)),
        object_id=name,
        boxes=asker.facts.standings.boxes(frame, (name,)),
        evidence={
            "rule": "abs_soft" if soft else "abs",
            "frame": frame,
            "a": name,
            "label": str(ruling.label),
            "slack": ruling.slack,
            "threshold": asker.options.buffer,
        },
    )
