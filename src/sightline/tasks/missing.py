"""Task 2A: the same question as Task 1, scored on visibility alone, with as many absent as visible queries in every scene.

Absences come from every tier that the data proves: the object's own empty mask (N1, N2, N12, N3), the view with the object painted
away (N4) and a view of another scene (N0), drawn in turn so that no tier swamps the others. Beside N4 stand visible queries with
*another* object painted away (VC), so that traces of painting do not give the answer away.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator
from itertools import chain, zip_longest

import numpy as np
from jaxtyping import Bool

from sightline.errors import InputError
from sightline.geometry.masks import decode_mask
from sightline.tasks.crossview import (
    CrossViewOptions,
    Outcome,
    Pair,
    absent_truth,
    control_panel,
    example,
    marked,
    order_key,
    painted_image,
    pairs,
    panel,
    removed_image,
    removed_panel,
    shown_object,
    visible_truth,
)
from sightline.tasks.pictures import Studio
from sightline.tasks.seen import SeenScene, SeenView, read_view_mask
from sightline.tasks.wording import prompt, worded, wordings
from sightline.types import AnswerForm, ImageRef, LedgerEntry, Panel, Question, View

NEGATIVE_TIERS = ("N1", "N2", "N12", "N3", "N4", "N0")
RESCAN = re.compile(r"(scene\d{4})_\d{2}")  # ScanNet: scene0012_00 and scene0012_01 are one place


@dataclasses.dataclass(frozen=True, eq=False)
class Candidate:
    """A query that could be asked: what it shows is made only if it is drawn."""

    pair: Pair
    tier: str
    name: str
    show: Callable[[], tuple[ImageRef, Panel]]

    @property
    def id(self) -> str:
        return f"{self.pair.id('t2a')}/{self.name}"


def missing(scene: SeenScene, studio: Studio, options: CrossViewOptions) -> Iterator[Outcome]:
    """`t2a` examples of a scene, half visible and half absent."""
    visible: list[Candidate] = []
    absent: list[Candidate] = []
    for pair in pairs(scene, studio, options):
        if isinstance(pair, LedgerEntry):
            yield pair
            continue
        own = Candidate(pair=pair, tier=pair.tier, name=pair.tier, show=lambda p=pair: (p.query.image, panel("query", 1, p.query)))
        if pair.tier != "V":
            absent.append(own)
            continue
        visible.append(own)
        visible.extend(_elsewhere_removed(pair, studio))
        control = _control(pair, studio)
        if isinstance(control, LedgerEntry):
            yield control
        elif control is not None:
            visible.append(control)
        try:
            image = removed_image(pair.query, studio)
        except InputError as error:
            yield LedgerEntry(unit=pair.id("t2a"), reason="removed_picture_unusable", detail=str(error), path=pair.query.view.image)
        else:
            show = lambda p=pair, i=image: (i, removed_panel("query", 1, p.query, i))  # noqa: E731
            absent.append(Candidate(pair=pair, tier="N4", name="N4", show=show))
    absent.extend(_other_scene(scene, visible, studio, options))
    chosen = balance(visible, absent, options.seed)
    yield from (_example(candidate, studio, options) for candidate in chosen)
    left = len(visible) + len(absent) - len(chosen)
    if left:
        detail = f"{len(visible)} visible and {len(absent)} absent candidates, {len(chosen) // 2} of each drawn"
        yield LedgerEntry(unit=f"t2a/{scene.scene.scene_id}", reason="not_drawn_for_balance", detail=detail)


def balance(visible: list[Candidate], absent: list[Candidate], seed: int) -> list[Candidate]:
    """As many visible as absent candidates, in order of id: absent tiers in turn, VC for each N4 while there are any."""

    def shuffled(candidates: list[Candidate]) -> list[Candidate]:
        return sorted(candidates, key=lambda candidate: order_key(seed, candidate.id))

    by_tier = [shuffled([c for c in absent if c.tier == tier]) for tier in NEGATIVE_TIERS]
    in_turn = [c for c in chain.from_iterable(zip_longest(*by_tier)) if c is not None]
    count = min(len(visible), len(in_turn))
    negatives = in_turn[:count]
    painted = sum(c.tier == "N4" for c in negatives)
    controls = shuffled([c for c in visible if c.tier == "VC"])
    plain = shuffled([c for c in visible if c.tier == "V"])
    positives = controls[:painted]
    taken = {c.pair.id("") for c in positives}
    rest = [c for c in plain if c.pair.id("") not in taken] + [c for c in plain if c.pair.id("") in taken] + controls[painted:]
    positives += rest[: count - len(positives)]
    return sorted(positives + negatives, key=lambda c: c.id)


def _elsewhere_removed(pair: Pair, studio: Studio) -> Iterator[Candidate]:
    """Visible controls: the query with another object painted away, where that did not touch the target."""
    for other, view in pair.scene.others_at(pair.query.view.frame_id, pair.seen):
        if view.state != "visible" or not view.view.inpainted or view.mask.shape != pair.query.mask.shape:
            continue
        try:
            painted = _painted(view, studio)
            if np.any(painted & pair.query.mask):
                continue
            image = removed_image(view, studio)
        except InputError:
            continue  # reported where this view is a query or a Task 2B picture itself
        if (image.width, image.height) == (pair.query.image.width, pair.query.image.height):
            yield Candidate(
                pair=pair,
                tier="VC",
                name=f"VC_uid_{other.object.object_id}",
                show=lambda v=view, i=image: (i, removed_panel("query", 1, v, i)),
            )


def _painted(view: SeenView, studio: Studio) -> Bool[np.ndarray, "h w"]:
    """All that is painted away in the view's inpainted picture."""
    if view.view.painted is not None:
        return read_view_mask(view.view.painted, view.image, studio)
    return decode_mask(view.rle_dilated) if view.rle_dilated else view.mask


def _control(pair: Pair, studio: Studio) -> Candidate | LedgerEntry | None:
    """A visible control: the query with a random-shaped place painted away, which must leave the object as it is."""
    query = pair.query
    if query.view.control is None:
        return None
    unit = f"{pair.id('t2a')}/VC_control"
    try:
        image = painted_image(query, query.view.control, studio)
    except InputError as error:
        return LedgerEntry(unit=unit, reason="control_unusable", detail=str(error), path=query.view.control)
    changed = (studio.rgb(query.view.image) != studio.rgb(query.view.control)).any(axis=2)
    if np.any(changed & query.mask):
        return LedgerEntry(unit=unit, reason="control_unusable", detail="it changes the object itself", path=query.view.control)
    return Candidate(pair=pair, tier="VC", name="VC_control", show=lambda: (image, control_panel(1, query, image)))


def _other_scene(scene: SeenScene, visible: list[Candidate], studio: Studio, options: CrossViewOptions) -> Iterator[Candidate]:
    """One candidate for each visible plain pair: a view of another place."""
    place = place_of(scene.scene.scene_id)
    for candidate in visible:
        if candidate.tier != "V":
            continue
        key = order_key(options.seed, f"{candidate.pair.id('t2a')}/N0")
        for other in scene.elsewhere(key):
            views = [view for item in other.objects for view in item.views if view.mask is not None]
            if place_of(other.scene_id) == place or not views:
                continue
            view = views[int.from_bytes(key[:8]) % len(views)]
            name = f"N0_{other.scene_id}_{view.view_index:02d}_{view.frame_id}"
            show = lambda v=view: _foreign(v, studio)  # noqa: E731
            yield Candidate(pair=candidate.pair, tier="N0", name=name, show=show)
            break


def place_of(scene_id: str) -> str:
    """The physical place of a scene: two ScanNet scans of one room share it."""
    match = RESCAN.fullmatch(scene_id)
    return match[1] if match else scene_id


def _foreign(view: View, studio: Studio) -> tuple[ImageRef, Panel]:
    image = studio.original(view.image)
    return image, Panel(
        role="query",
        image_index=1,
        source=image,
        view_id=f"{view.view_index:02d}_{view.frame_id}",
        camera=view.camera,
    )


def _example(candidate: Candidate, studio: Studio, options: CrossViewOptions) -> Outcome:
    pair = candidate.pair
    try:
        image, query = candidate.show()
    except InputError as error:
        return LedgerEntry(unit=candidate.id, reason="unreadable", detail=str(error))
    values = {
        "mark": wordings()["marks"][options.mark],
        "answer": AnswerForm(shape="point", image_index=1, offers_not_visible=True),
    }
    question = Question(
        id=candidate.id,
        task="t2a",
        prompt=prompt("t2a", values),
        images=(marked(pair.seen, pair.reference, studio, options), image),
        panels=(panel("reference", 0, pair.reference), query),
        reference=shown_object(pair.reference, candidate.id, options),
    )
    if candidate.tier in ("V", "VC"):
        truth = visible_truth(pair.query, candidate.id, options, image_index=1, panel_index=1)
    else:
        truth = absent_truth(1)
    return worded(example(pair, question, truth, tier=candidate.tier), values, options)
