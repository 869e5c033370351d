"""Task 2B with a second picture that differs in more than the removed object, so that subtracting the pictures is not enough.

`t2b_jitter` shows it in another light (`retouch.Light`), `t2b_shift` enlarged and shifted (`geometry.similarity`; the truth moves
with it), `t2b_distractor` with other places altered (`retouch.add_patches`). The examples are those of `t2b`, drawn by an rng
seeded by their own id. A shifted view has neither camera nor depth; the others keep theirs, which light and paint do not touch.

How far a picture must move, and what must be painted, for the removal not to stand out depends on the object's size and on the
picture. So an edit is drawn up to `NUM_DRAWS` times, and the first one is taken with which no plain subtraction (`subtraction`)
points at the object, neither where it was before nor where its place is now. A picture for which there is none goes to the ledger.
Of the shifts that will do, one that leaves the object's place off the middle goes before one that does not: enlarging would
otherwise bring more objects under a constant answer than there were.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
from jaxtyping import Bool, UInt8

from sightline.geometry.boxes import mask_to_box
from sightline.geometry.masks import decode_mask
from sightline.geometry.points import truth_point
from sightline.geometry.similarity import Similarity
from sightline.tasks.crossview import CrossViewOptions, Outcome, example_rng
from sightline.tasks.difference import difference
from sightline.tasks.pictures import Studio, derived_path
from sightline.tasks.retouch import MIN_PATCHES, Light, add_patches
from sightline.tasks.seen import SeenScene, SeenView
from sightline.tasks.subtraction import subtraction_hits
from sightline.tasks.variants import asked_as
from sightline.tasks.wording import worded
from sightline.types import AnswerForm, Example, LedgerEntry, Points, Truth

NUM_DRAWS = 12
SCALES = ((1.06, 1.12), (1.10, 1.18), (1.15, 1.25))  # of the first third of the draws, the second, the last
SHIFT = (0.5, 1.0)  # of the margin that enlarging leaves, along both sides
MIN_KEPT = 0.5  # of an object's pixels; with less of it the place where it was has left the frame
VALUES = {"answer": AnswerForm(shape="point", image_index=1)}

Pixels = UInt8[np.ndarray, "h w 3"]


def jittered(scene: SeenScene, studio: Studio, options: CrossViewOptions) -> Iterator[Outcome]:
    """`t2b_jitter` examples of a scene; the ledger has those that subtraction solves in every light."""
    return _edited(scene, studio, options, task="t2b_jitter", edit=_jitter)


def shifted(scene: SeenScene, studio: Studio, options: CrossViewOptions) -> Iterator[Outcome]:
    """`t2b_shift` examples of a scene; the ledger has those whose objects leave the frame and those that subtraction solves."""
    return _edited(scene, studio, options, task="t2b_shift", edit=_shift)


def distracted(scene: SeenScene, studio: Studio, options: CrossViewOptions) -> Iterator[Outcome]:
    """`t2b_distractor` examples of a scene; the ledger has those without room for patches and those that subtraction solves."""
    return _edited(scene, studio, options, task="t2b_distractor", edit=_distract)


def draw_similarity(rng: np.random.Generator, width: int, height: int, *, draw: int = 0) -> Similarity:
    """Enlarged and shifted, the more the higher `draw` (0 to `NUM_DRAWS` - 1) is: at 1.10 and 640 pixels, by 16 to 32 of them."""
    scale = float(rng.uniform(*SCALES[draw * len(SCALES) // NUM_DRAWS]))
    dx, dy = rng.uniform(*SHIFT, size=2) * rng.choice((-1, 1), size=2) * (scale - 1) / 2 * (width, height)
    return Similarity(scale=scale, dx=float(dx), dy=float(dy), width=width, height=height)


@dataclass(frozen=True, eq=False)
class _Asked:
    """An example whose second picture is still the plain one, with what it was made from; `rng` is seeded by its id."""

    example: Example
    scene: SeenScene
    view: SeenView
    studio: Studio
    options: CrossViewOptions
    rng: np.random.Generator


def _edited(
    scene: SeenScene, studio: Studio, options: CrossViewOptions, *, task: str, edit: Callable[[_Asked], Outcome]
) -> Iterator[Outcome]:
    views = {(seen.object.object_id, view.view_id): view for seen in scene.objects for view in seen.views}
    for outcome in difference(scene, studio, options):
        if isinstance(outcome, LedgerEntry):
            yield outcome
            continue
        plain = asked_as(outcome, task, VALUES)
        view = views[plain.object_id, plain.question.panels[0].view_id]
        found = edit(_Asked(plain, scene, view, studio, options, example_rng(options.seed, plain.id)))
        yield worded(found, VALUES, options) if isinstance(found, Example) else found


def _jitter(asked: _Asked) -> Outcome:
    before, after = _pictures(asked)
    for _ in range(NUM_DRAWS):
        lit = Light.draw(asked.rng).shine(after, asked.rng)
        if not subtraction_hits(before, lit, _place(asked.view)):
            return _with_second(asked, lit)
    return _stands_out(asked, "lights")


def _shift(asked: _Asked) -> Outcome:
    view = asked.view
    before, after = _pictures(asked)
    place = _place(view)
    shown = [view.mask, *(mask for mask in _others(asked.scene, view) if mask.mean() >= asked.options.min_area)]
    keeps, chosen = False, None
    for draw in range(NUM_DRAWS):
        moved = draw_similarity(asked.rng, view.image.width, view.image.height, draw=draw)
        mask = moved.mask(view.mask)
        if mask.mean() < asked.options.min_area or any(kept_share(one, moved) < MIN_KEPT for one in shown):
            continue
        keeps, picture = True, moved.picture(after)
        if subtraction_hits(before, picture, place | moved.mask(place)):
            continue
        in_middle = bool(mask[mask.shape[0] // 2, mask.shape[1] // 2])
        if chosen is None or not in_middle:
            chosen = moved, mask, picture
        if not in_middle:
            break
    if chosen is not None:
        moved, mask, picture = chosen
        return _with_truth(_with_second(asked, picture), _moved_truth(asked, moved, mask), float(mask.mean()))
    if keeps:
        return _stands_out(asked, "shifts")
    detail = (
        f"after each of {NUM_DRAWS} shifts less than {MIN_KEPT:.0%} of an object, or too little of the removed one, is in the frame"
    )
    return LedgerEntry(unit=asked.example.id, reason="left_the_frame", detail=detail, path=view.view.inpainted)


def _with_truth(found: Example, truth: Truth, area: float) -> Example:
    """The example with what has moved: the truth, and nothing that would relate the picture to the world."""
    before, after = found.question.panels
    panels = (before, msgspec.structs.replace(after, camera=None, depth=None))
    question = msgspec.structs.replace(found.question, panels=panels)
    return msgspec.structs.replace(found, question=question, truth=truth, slices=found.slices | {"query_area": round(area, 6)})


def _moved_truth(asked: _Asked, moved: Similarity, mask: Bool[np.ndarray, "h w"]) -> Truth:
    view, studio = asked.view, asked.studio
    dilated = moved.mask(decode_mask(view.rle_dilated)) if view.rle_dilated else None
    pointed = dilated if asked.options.mask == "dilated" and dilated is not None else mask
    return Truth(
        answer=Points(points=(truth_point(pointed, asked.rng),), image_index=1),
        panel_index=1,
        mask=studio.keep_mask(mask),
        mask_dilated=None if dilated is None else studio.keep_mask(dilated),
        box=mask_to_box(mask),
    )


def _distract(asked: _Asked) -> Outcome:
    before, after = _pictures(asked)
    place = _place(asked.view)
    clear = np.logical_or.reduce([place, *_others(asked.scene, asked.view)])
    has_room = False
    for _ in range(NUM_DRAWS):
        altered = add_patches(after, clear, area=float(np.count_nonzero(place)), rng=asked.rng)
        if altered is None:
            continue
        has_room = True
        if not subtraction_hits(before, altered, place):
            return _with_second(asked, altered)
    if has_room:
        return _stands_out(asked, "sets of patches")
    detail = f"fewer than {MIN_PATCHES} patches of the removal's size find room beside the objects"
    return LedgerEntry(unit=asked.example.id, reason="no_room_for_edits", detail=detail, path=asked.view.view.inpainted)


def _stands_out(asked: _Asked, edits: str) -> LedgerEntry:
    detail = f"plain subtraction points at the object with each of {NUM_DRAWS} {edits} (where they could be used)"
    return LedgerEntry(unit=asked.example.id, reason="removal_stands_out", detail=detail, path=asked.view.view.inpainted)


def kept_share(mask: Bool[np.ndarray, "h w"], moved: Similarity) -> float:
    """The share of the mask's pixels whose centres the moved picture still shows."""
    x0, y0, x1, y1 = moved.window()
    rows, columns = np.nonzero(mask)
    inside = (columns + 0.5 >= x0) & (columns + 0.5 < x1) & (rows + 0.5 >= y0) & (rows + 0.5 < y1)
    return float(inside.mean())


def _place(view: SeenView) -> Bool[np.ndarray, "h w"]:
    """Where something was removed: the object and, if there is one, its dilated mask."""
    return view.mask if view.rle_dilated is None else view.mask | decode_mask(view.rle_dilated)


def _others(scene: SeenScene, view: SeenView) -> Iterator[Bool[np.ndarray, "h w"]]:
    """The masks of all other objects that are known to show in this frame."""
    for seen in scene.objects:
        for other in seen.views:
            same_frame = other is not view and other.view.frame_id == view.view.frame_id
            if same_frame and other.mask.shape == view.mask.shape and other.mask.any():
                yield other.mask


def _pictures(asked: _Asked) -> tuple[Pixels, Pixels]:
    """Before and after, without an edit."""
    before, after = asked.example.question.images
    return asked.studio.rgb(before.path), asked.studio.rgb(after.path)


def _with_second(asked: _Asked, edited: Pixels) -> Example:
    """The example with the edited picture in place of its second one."""
    question, studio = asked.example.question, asked.studio
    before, after = question.panels
    kind, scene_id, *names = question.id.split("/")
    image = studio.derived(derived_path(kind, scene_id, *names), lambda: edited)
    panels = (before, msgspec.structs.replace(after, source=image, view_id=f"{after.view_id}_{kind.removeprefix('t2b_')}"))
    return msgspec.structs.replace(
        asked.example, question=msgspec.structs.replace(question, images=(question.images[0], image), panels=panels)
    )
