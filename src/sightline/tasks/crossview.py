"""What the cross-view tasks share: options, pairs of views, ids, panels, and the tier of an absence.

Tiers: V visible; VC visible while something else was painted away; N0 another scene; N1 out of view; N2 in the frustum but hidden;
N12 absent by its own empty mask, where without depth and pose N1 and N2 cannot be told apart; N3 absent, with an object of the same
label in view; N4 painted away.
"""

import dataclasses
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from sightline.errors import InputError
from sightline.geometry.boxes import mask_to_box
from sightline.geometry.masks import decode_mask, mask_id
from sightline.geometry.points import truth_point
from sightline.geometry.visibility import PointVisibility, mask_points, point_visibility
from sightline.tasks.pictures import Mark, Studio, derived_path, draw_mark
from sightline.tasks.seen import SeenObject, SeenScene, SeenView
from sightline.types import (
    DepthRef,
    Example,
    ImageRef,
    LedgerEntry,
    NotVisible,
    Panel,
    Points,
    Question,
    Record,
    Reference,
    Truth,
)

COVISIBLE = 0.10  # of the reference's surface points; less counts as not seen (pointing reference, 11.2)
SURFACE_POINTS = 2000

Outcome = Example | LedgerEntry


class CrossViewOptions(Record):
    """How pairs are chosen and shown. `mask` chooses the mask that is marked and that the true point is taken from; both masks are
    stored for scoring. `wording` is the question's place in the task's list of wordings, the first one, or one drawn for each
    example (`mixed`). `seed` keys all randomness together with the example id."""

    pairs: Literal["anchor", "all"] = "anchor"
    anchor_k: int = 1
    mark: Mark = "overlay"
    alpha: float = 0.45
    mask: Literal["exact", "dilated"] = "exact"
    min_area: float = 0.0005
    seed: int = 0
    wording: int | Literal["first", "mixed"] = "first"


def example_rng(seed: int, example_id: str) -> np.random.Generator:
    """A generator that depends on nothing but the seed and the example's id."""
    digest = hashlib.blake2b(f"{seed}/{example_id}".encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest))


def order_key(seed: int, name: str) -> bytes:
    """A stable pseudo-random sort key."""
    return hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=16).digest()


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """One object in a reference view that shows it and a query view that does or does not. `tier` is "V" or that of the absence.

    `slices`, shares from 0 to 1: `reference_area` and `query_area` of the picture that the object covers; with depth and poses also
    `covisible` and `occluded`, of the object's surface as the reference shows it: what the query shows too, and what lies in its
    frame but behind something nearer (the rest is out of frame, or has no depth).
    """

    scene: SeenScene
    seen: SeenObject
    reference: SeenView
    query: SeenView
    tier: str
    slices: dict[str, float]

    def id(self, task: str) -> str:
        """`{task}/{scene}/uid_{uid}/{kk}_{frame}/{kk}_{frame}`."""
        return f"{task}/{self.seen.unit}/{self.reference.view_id}/{self.query.view_id}"


def pairs(scene: SeenScene, studio: Studio, options: CrossViewOptions) -> Iterator[Pair | LedgerEntry]:
    """Ordered pairs of views, by object. The reference must show the object; the query is visible or absent, never ambiguous."""
    return iter(_pairs(scene, studio, options))


@lru_cache(maxsize=1)  # several tasks ask for the pairs of one scene in turn
def _pairs(scene: SeenScene, studio: Studio, options: CrossViewOptions) -> tuple[Pair | LedgerEntry, ...]:
    return tuple(_each_pair(scene, studio, options))


def _each_pair(scene: SeenScene, studio: Studio, options: CrossViewOptions) -> Iterator[Pair | LedgerEntry]:
    for seen in scene.objects:
        references = [view for view in seen.views if options.pairs == "all" or view.view.view_index == options.anchor_k]
        if not references:
            yield LedgerEntry(unit=seen.unit, reason="no_reference", detail=f"no usable view with index {options.anchor_k}")
        for view in seen.views:
            if view.state == "ambiguous":
                detail = f"the mask covers {view.area:.4%} of the picture, less than {options.min_area:.4%}"
                yield LedgerEntry(unit=f"{seen.unit}/{view.view_id}", reason="ambiguous_visibility", detail=detail)
        for a in references:
            if a.state == "absent":
                detail = "a reference must show its object"
                yield LedgerEntry(unit=f"{seen.unit}/{a.view_id}", reason="reference_not_visible", detail=detail)
            elif a.state == "visible":
                queries = [b for b in seen.views if b is not a and b.state != "ambiguous"]
                yield from (_pair(scene, seen, a, b, studio=studio) for b in queries)


def _pair(scene: SeenScene, seen: SeenObject, a: SeenView, b: SeenView, *, studio: Studio) -> Pair | LedgerEntry:
    found = covisibility(a, b, studio)
    slices = {"reference_area": round(a.area, 6), "query_area": round(b.area, 6)}
    if found is not None:
        slices["covisible"] = round(float(np.mean(found.visible)), 6)
        slices["occluded"] = round(float(np.mean(found.occluded)), 6)
    if b.state == "visible":
        return Pair(scene=scene, seen=seen, reference=a, query=b, tier="V", slices=slices)
    if found is not None and slices["covisible"] >= COVISIBLE:
        detail = (
            f"{b.view.mask} is empty, but by depth and pose {slices['covisible']:.0%} of the object seen in {a.view.image} "
            "is visible there: visibility unknown"
        )
        return LedgerEntry(unit=f"{seen.unit}/{b.view_id}", reason="absence_contradicted", detail=detail, path=b.view.image)
    return Pair(scene=scene, seen=seen, reference=a, query=b, tier=_absence_tier(scene, seen, b, found), slices=slices)


def _absence_tier(scene: SeenScene, seen: SeenObject, b: SeenView, found: PointVisibility | None) -> str:
    if found is not None and float(np.mean(found.occluded)) >= COVISIBLE:
        return "N2"
    label = seen.object.label
    same_label = label is not None and any(
        other.object.label == label and view.state == "visible" for other, view in scene.others_at(b.view.frame_id, seen)
    )
    return "N3" if same_label else "N1" if found is not None else "N12"


def example(pair: Pair, question: Question, truth: Truth, *, tier: str | None = None) -> Example:
    """The example of a pair, with the pair's scene, object and slices; of these a query from another scene (N0) has only the
    reference's. Where the object was painted away (N4) they say how large and how visible it would be."""
    return Example(
        question=question,
        truth=truth,
        split=pair.scene.scene.split,
        group=pair.scene.scene.scene_id,
        tier=tier or pair.tier,
        object_id=pair.seen.object.object_id,
        label=pair.seen.object.label,
        slices={"reference_area": pair.slices["reference_area"]} if tier == "N0" else pair.slices,
    )


def target_mask(view: SeenView, options: CrossViewOptions) -> np.ndarray:
    """The mask that is marked and pointed at, by `options.mask`; InputError where the dilated one is asked for and absent."""
    if options.mask == "exact":
        return view.mask
    if view.rle_dilated is None:
        raise InputError(f"{view.view.image}: there is no dilated mask beside it. Use --mask exact.")
    return decode_mask(view.rle_dilated)


def marked(seen: SeenObject, view: SeenView, studio: Studio, options: CrossViewOptions) -> ImageRef:
    """The reference picture with its object marked; drawn once however many examples show it."""
    path = derived_path("marked", seen.scene_id, f"uid_{seen.object.object_id}", view.view_id)

    def draw() -> UInt8[np.ndarray, "h w 3"]:
        mask = target_mask(view, options)
        point = truth_point(mask, example_rng(options.seed, f"mark/{path}"))
        return draw_mark(studio.rgb(view.view.image), mask, mark=options.mark, alpha=options.alpha, point=point)

    return studio.drawn_on(path, view.view.image, draw)


def shown_object(view: SeenView, example_id: str, options: CrossViewOptions) -> Reference:
    """The marked object in pixels of its own view (panel 0)."""
    mask = target_mask(view, options)
    box = view.box if mask is view.mask else mask_to_box(mask)
    assert box is not None, "a reference view shows its object"
    rng = example_rng(options.seed, f"{example_id}/reference")
    return Reference(panel_index=0, point=truth_point(mask, rng), box=box, mask=mask_id(view.rle))


def panel(role: Literal["reference", "query", "before"], image_index: int, view: SeenView, *, x: int = 0) -> Panel:
    """A panel that shows the view as it was captured."""
    return Panel(
        role=role,
        image_index=image_index,
        x=x,
        source=view.image,
        view_id=view.view_id,
        camera=view.camera,
        depth=view.depth,
    )


def removed_panel(role: Literal["query", "after"], image_index: int, view: SeenView, image: ImageRef) -> Panel:
    """A panel that shows the view with an object painted away; it has its own depth or none."""
    path = view.view.inpainted_depth
    depth = DepthRef(root="data", path=path, metres_per_unit=view.view.metres_per_unit) if path else None
    return Panel(
        role=role,
        image_index=image_index,
        source=image,
        view_id=f"{view.view_id}_inpainted",
        camera=view.camera,
        depth=depth,
    )


def control_panel(image_index: int, view: SeenView, image: ImageRef) -> Panel:
    """A query panel that shows the view with a place beside the object painted away; its depth there is not known."""
    return Panel(
        role="query", image_index=image_index, source=image, view_id=f"{view.view_id}_control", camera=view.camera, depth=None
    )


def visible_truth(
    query: SeenView, example_id: str, options: CrossViewOptions, *, image_index: int, panel_index: int, x: int = 0
) -> Truth:
    """A point on the object in the query view, in pixels of the picture it lies in, and the masks that accept an answer."""
    px, py = truth_point(target_mask(query, options), example_rng(options.seed, example_id))
    return Truth(
        answer=Points(points=((px + x, py),), image_index=image_index),
        panel_index=panel_index,
        mask=mask_id(query.rle),
        mask_dilated=mask_id(query.rle_dilated) if query.rle_dilated else None,
        box=query.box,
    )


def absent_truth(panel_index: int) -> Truth:
    """The object is not in the query view."""
    return Truth(answer=NotVisible(), panel_index=panel_index)


def removed_image(view: SeenView, studio: Studio) -> ImageRef:
    """The view with its object painted away.

    Raises:
        InputError: no such file, another size, or no pixel differs from the original.
    """
    if view.view.inpainted is None:
        raise InputError(f"{view.view.image}: there is no inpainted picture beside it.")
    return painted_image(view, view.view.inpainted, studio)


def painted_image(view: SeenView, path: str, studio: Studio) -> ImageRef:
    """The picture at `path`, which is the view with something painted away.

    Raises:
        InputError: no such file, another size, or no pixel differs from the original.
    """
    image = studio.original(path)
    if (image.width, image.height) != (view.image.width, view.image.height):
        raise InputError(
            f"{image.path}: {image.width}x{image.height}, but {view.image.path} is {view.image.width}x{view.image.height}."
        )
    if image.digest == view.image.digest:
        raise InputError(f"{image.path}: equal to {view.image.path}; nothing was removed.")
    return image


def covisibility(a: SeenView, b: SeenView, studio: Studio) -> PointVisibility | None:
    """How the object's surface seen in `a` falls into `b`; None unless both have camera and depth in one world."""
    if not (a.camera and b.camera and a.depth and b.depth) or a.camera.world != b.camera.world:
        return None
    points = mask_points(a.mask, studio.depth(a.depth), a.camera, max_points=SURFACE_POINTS)
    return point_visibility(points, b.camera, studio.depth(b.depth)) if len(points) else None
