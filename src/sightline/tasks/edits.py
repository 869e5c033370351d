"""Task 2B with a second picture that differs in more than the removed object, so that subtracting the pictures is not enough.

`t2b_jitter` shows it in another light (`retouch.Light`), `t2b_shift` enlarged by a few per cent and shifted by a few pixels
(`geometry.similarity`; the truth moves with it), `t2b_distractor` with other places altered (`retouch.add_patches`). The examples
are those of `t2b`, drawn by an rng seeded by their own id. A shifted view has neither camera nor depth; the others keep theirs,
which light and paint do not touch.
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
from sightline.tasks.variants import asked_as
from sightline.tasks.wording import worded
from sightline.types import AnswerForm, Example, LedgerEntry, Points, Truth

SCALE = (1.03, 1.07)
MIN_KEPT = 0.5  # of the object's pixels; with less of it the place where it was has left the frame
VALUES = {"answer": AnswerForm(shape="point", image_index=1)}

Pixels = UInt8[np.ndarray, "h w 3"]


def jittered(scene: SeenScene, studio: Studio, options: CrossViewOptions) -> Iterator[Outcome]:
    """`t2b_jitter` examples of a scene."""
    return _edited(scene, studio, options, task="t2b_jitter", edit=_jitter)


def shifted(scene: SeenScene, studio: Studio, options: CrossViewOptions) -> Iterator[Outcome]:
    """`t2b_shift` examples of a scene; those whose object leaves the frame go to the ledger."""
    return _edited(scene, studio, options, task="t2b_shift", edit=_shift)


def distracted(scene: SeenScene, studio: Studio, options: CrossViewOptions) -> Iterator[Outcome]:
    """`t2b_distractor` examples of a scene; those without room for the patches go to the ledger."""
    return _edited(scene, studio, options, task="t2b_distractor", edit=_distract)


def draw_similarity(rng: np.random.Generator, width: int, height: int) -> Similarity:
    """Enlarged by `SCALE`; shifted by anything up to the margin which that leaves: at 5 % and 640 pixels, 16 of them."""
    scale = float(rng.uniform(*SCALE))
    dx, dy = rng.uniform(-1, 1, size=2) * (scale - 1) / 2 * (width, height)
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
    light = Light.draw(asked.rng)
    return _with_second(asked, lambda rgb: light.shine(rgb, asked.rng))


def _shift(asked: _Asked) -> Outcome:
    view, example, options = asked.view, asked.example, asked.options
    moved = draw_similarity(asked.rng, view.image.width, view.image.height)
    mask = moved.mask(view.mask)
    area, kept = float(mask.mean()), kept_share(view.mask, moved)
    if kept < MIN_KEPT or area < options.min_area:
        detail = f"{kept:.0%} of the object's place is left in the frame, {area:.4%} of the picture"
        return LedgerEntry(unit=example.id, reason="left_the_frame", detail=detail, path=view.view.inpainted)
    found = _with_second(asked, moved.picture)
    before, after = found.question.panels
    panels = (before, msgspec.structs.replace(after, camera=None, depth=None))
    return msgspec.structs.replace(
        found,
        question=msgspec.structs.replace(found.question, panels=panels),
        truth=_moved_truth(asked, moved, mask),
        slices=found.slices | {"query_area": round(area, 6)},
    )


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
    after = asked.example.question.images[1].path
    area = float(np.count_nonzero(asked.view.mask))
    altered = add_patches(asked.studio.rgb(after), _objects(asked.scene, asked.view), area=area, rng=asked.rng)
    if altered is None:
        detail = f"fewer than {MIN_PATCHES} patches of the object's size find room beside the objects"
        return LedgerEntry(unit=asked.example.id, reason="no_room_for_edits", detail=detail, path=after)
    return _with_second(asked, lambda _: altered)


def kept_share(mask: Bool[np.ndarray, "h w"], moved: Similarity) -> float:
    """The share of the mask's pixels whose centres the moved picture still shows."""
    x0, y0, x1, y1 = moved.window()
    rows, columns = np.nonzero(mask)
    inside = (columns + 0.5 >= x0) & (columns + 0.5 < x1) & (rows + 0.5 >= y0) & (rows + 0.5 < y1)
    return float(inside.mean())


def _objects(scene: SeenScene, view: SeenView) -> Bool[np.ndarray, "h w"]:
    """All that is known to be an object in this frame, the removed one and its dilated mask included."""
    clear = view.mask if view.rle_dilated is None else view.mask | decode_mask(view.rle_dilated)
    for seen in scene.objects:
        for other in seen.views:
            if other.view.frame_id == view.view.frame_id and other.mask.shape == clear.shape:
                clear = clear | other.mask
    return clear


def _with_second(asked: _Asked, edit: Callable[[Pixels], Pixels]) -> Example:
    """The example with its second picture edited; the edited picture is drawn once."""
    question, studio = asked.example.question, asked.studio
    before, after = question.panels
    kind, scene_id, *names = question.id.split("/")
    plain = question.images[1].path
    image = studio.derived(derived_path(kind, scene_id, *names), lambda: edit(studio.rgb(plain)))
    panels = (before, msgspec.structs.replace(after, source=image, view_id=f"{after.view_id}_{kind.removeprefix('t2b_')}"))
    return msgspec.structs.replace(
        asked.example, question=msgspec.structs.replace(question, images=(question.images[0], image), panels=panels)
    )
