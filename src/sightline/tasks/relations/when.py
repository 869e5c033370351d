"""`relation_when`: during which stretch of time A is left of B, as a span of seconds; none where it never is.

Asked of pairs with one run on a side. The run must be closed: beside it the clip ends, or a frame shows both objects and does not
have it, or one of them is absent; where they are there but cannot be compared, nobody knows when it ended. Its twin asks for the
other side: the second run of a pair that *becomes*, and no time at all for one that is *always* on its side.
"""

from collections.abc import Iterator

from sightline.tasks.clips import SeenClip
from sightline.tasks.crossview import Outcome
from sightline.tasks.footage import ClipOptions
from sightline.tasks.pictures import Studio
from sightline.tasks.relations.asking import Asked, ClipAsker, TwinSet
from sightline.tasks.relations.courses import Staged, course_evidence, pair_boxes, stage
from sightline.tasks.relations.facts import Pair, run_end, run_is_closed
from sightline.tasks.relations.opening import MIN_SHOWN, drop, open_clip, pose_filmed
from sightline.tasks.relations.rules import SIDES, Side
from sightline.tasks.relations.timeline import Run
from sightline.types import AnswerForm, LedgerEntry, NotVisible, Span

TASK = "relation_when"


def relation_when(seen: SeenClip, studio: Studio, options: ClipOptions) -> Iterator[Outcome]:
    """`relation_when` examples of a clip."""
    yield from pose_filmed(open_clip(seen, studio, options), TASK, _sets)


def _sets(asker: ClipAsker, frames: tuple[int, ...]) -> Iterator[TwinSet | LedgerEntry]:
    found = (_set(asker, pair, frames) for pair in asker.facts.pairs)
    return (one for one in found if one is not None)


def _set(asker: ClipAsker, pair: Pair, frames: tuple[int, ...]) -> TwinSet | LedgerEntry | None:
    """Both sides of one pair, or why not; None where the pair has no course, which stands in the ledger already."""
    if pair.timeline.course is None:
        return None
    runs = {side: [run for run in pair.timeline.runs if run.label == side] for side in SIDES}
    if max(len(found) for found in runs.values()) > 1:
        return drop(
            asker, pair.unit, "several_runs", f"more than one stretch on one side: {', '.join(map(str, pair.timeline.runs[:8]))}"
        )
    for run in (run for found in runs.values() for run in found):
        if not run_is_closed(asker.facts, pair, first=run.first, last=run.last):
            return drop(asker, pair.unit, "open_run", f"{run}: beside it the two cannot be compared")
        if sum(run.first <= frame <= run.last for frame in frames) < MIN_SHOWN:
            return drop(asker, pair.unit, "not_shown", f"{run}: fewer than {MIN_SHOWN} of the sampled frames lie in it")
    staged = stage(asker, pair, frames)
    if isinstance(staged, LedgerEntry):
        return staged
    asked = []
    for side in SIDES:
        found = runs[staged.side(side)]
        asked.append(_ask(asker, staged, side, found[0] if found else None))
    return TwinSet(f"when-{pair.unit}", tuple(asked))


def _ask(asker: ClipAsker, staged: Staged, side: Side, run: Run | None) -> Asked:
    a, b = (staged.cast.phrases[name] for name in staged.ids)
    answer = NotVisible() if run is None else Span(start_s=asker.time_s(run.first), end_s=asker.time_s(run_end(asker.facts, run)))
    return Asked(
        tail=side,
        kind="when",
        values={"a": a, "b": b, "side": side},
        defined="soft" if asker.options.strictness == "soft" else "side",
        cast=staged.cast,
        frames=staged.frames,
        form=AnswerForm(shape="span", image_index=0, offers_not_visible=True),
        answer=answer,
        object_id=staged.ids[0],
        boxes=pair_boxes(asker, staged.pair),
        evidence=course_evidence(asker, staged) | {"rule": "when", "side": side},
    )
