"""Task 2A rows: which picture a row asks about, by its id, and what that makes of the pair.

The query of a row without a variant is the object's own view of the pair (V, or absent by its own empty mask). Variants: N4 the
object painted away from it, `VC_uid_{uid}` another object painted away, `VC_control` a random-shaped place painted away,
`N0_{scene}_{kk}_{frame}` a view of another scene.
"""

import re
from collections.abc import Callable

from sightline.export.x3.placed import PlacedRow, Unusable
from sightline.tasks.crossview import (
    CrossViewOptions,
    Pair,
    absent_truth,
    control_panel,
    example,
    marked,
    painted_image,
    panel,
    removed_image,
    removed_panel,
    shown_object,
    visible_truth,
)
from sightline.tasks.pictures import Studio
from sightline.tasks.seen import SeenScene, SeenView
from sightline.tasks.wording import prompt, wordings
from sightline.types import AnswerForm, Example, ImageRef, Panel, Question, Scene, View

ForeignScene = Callable[[str], Scene | None]
OTHER_REMOVED = re.compile(r"VC_uid_(.+)")
OTHER_SCENE = re.compile(r"N0_(.+)_(\d\d_\d+)")


def find_view(seen: SeenScene, uid: str, view_id: str) -> SeenView:
    """The view of an object, which the scene has.

    Raises:
        Unusable: it has not.
    """
    for item in seen.objects:
        if item.object.object_id == uid:
            for view in item.views:
                if view.view_id == view_id:
                    return view
    raise Unusable("no_such_view", f"the x3 tree has no usable view {view_id} of {seen.scene.scene_id}/uid_{uid}")


def missing_example(pair: Pair, placed: PlacedRow, *, studio: Studio, foreign: ForeignScene, options: CrossViewOptions) -> Example:
    """The Task 2A example of a row, which asks about the pair or a twin of it.

    Raises:
        Unusable: the pair has no such query.
        InputError: its picture cannot be used.
    """
    variant = placed.name.variant
    if not variant and placed.pictures[-1].name.endswith("_inpainted.png"):
        variant = "N4"
    tier = variant.split("_")[0] or pair.tier
    if variant and pair.tier != "V":
        detail = f"the query {placed.name.views[-1]} does not show the object, so there is no {tier} twin of it"
        raise Unusable("object_not_visible", detail)
    image, query = pair.query.image, panel("query", 1, pair.query)
    if variant:
        image, query = _twin(variant, pair, placed, studio=studio, foreign=foreign)
    example_id = f"{pair.id('t2a')}/{variant or tier}"
    form = AnswerForm(shape="point", image_index=1, offers_not_visible=True)
    question = Question(
        id=example_id,
        task="t2a",
        prompt=prompt("t2a", {"mark": wordings()["marks"][options.mark], "answer": form}),
        images=(marked(pair.seen, pair.reference, studio, options), image),
        panels=(panel("reference", 0, pair.reference), query),
        reference=shown_object(pair.reference, example_id, options),
    )
    if tier in ("V", "VC"):
        return example(pair, question, visible_truth(pair.query, example_id, options, image_index=1, panel_index=1), tier=tier)
    return example(pair, question, absent_truth(1), tier=tier)


def _twin(variant: str, pair: Pair, placed: PlacedRow, *, studio: Studio, foreign: ForeignScene) -> tuple[ImageRef, Panel]:
    """The query that shows something else than the object's own view."""
    if variant == "N4":
        return _removed(pair.query, studio)
    if variant == "VC_control" and pair.query.view.control is not None:
        image = painted_image(pair.query, pair.query.view.control, studio)
        return image, control_panel(1, pair.query, image)
    if other := OTHER_REMOVED.fullmatch(variant):
        return _removed(find_view(pair.scene, other[1], pair.query.view_id), studio)
    if elsewhere := OTHER_SCENE.fullmatch(variant):
        view = _view_of(foreign(elsewhere[1]), elsewhere[2], placed)
        image = studio.original(view.image)
        return image, Panel(role="query", image_index=1, source=image, view_id=elsewhere[2], camera=view.camera)
    detail = f"the x3 tree has no query {variant!r}; known are N4, VC_control, VC_uid_{{uid}} and N0_{{scene}}_{{kk}}_{{frame}}"
    raise Unusable("no_such_view", detail)


def _removed(view: SeenView, studio: Studio) -> tuple[ImageRef, Panel]:
    image = removed_image(view, studio)
    return image, removed_panel("query", 1, view, image)


def _view_of(scene: Scene | None, view_id: str, placed: PlacedRow) -> View:
    """The view of another scene that the row shows; the same frame may stand in the folders of several of its objects."""
    for item in scene.objects if scene else ():
        for view in item.views:
            if f"{view.view_index:02d}_{view.frame_id}" == view_id and placed.root / view.image == placed.pictures[-1]:
                return view
    raise Unusable("no_such_view", f"the x3 tree has no view {view_id} at {placed.pictures[-1]}")
