"""Task 2B: one view before and after an object was painted away; a point on the place where it was."""

from collections.abc import Iterator

from sightline.errors import InputError
from sightline.tasks.crossview import CrossViewOptions, Outcome, panel, removed_image, removed_panel, visible_truth
from sightline.tasks.pictures import Studio
from sightline.tasks.seen import SeenObject, SeenScene, SeenView
from sightline.tasks.wording import prompt, worded
from sightline.types import AnswerForm, Example, LedgerEntry, Question


def difference(scene: SeenScene, studio: Studio, options: CrossViewOptions) -> Iterator[Outcome]:
    """`t2b` examples of a scene: one for each view that shows its object and has an inpainted picture."""
    for seen in scene.objects:
        for view in seen.views:
            unit = f"{seen.unit}/{view.view_id}"
            if view.state == "absent":
                yield LedgerEntry(unit=unit, reason="nothing_to_remove", detail="the object is not visible in this view")
            elif view.state == "ambiguous":
                detail = f"the mask covers {view.area:.4%} of the picture, less than {options.min_area:.4%}"
                yield LedgerEntry(unit=unit, reason="ambiguous_visibility", detail=detail)
            elif view.view.painted is not None:
                detail = "several objects are painted away in it, so that the place that changed is not only this one's"
                yield LedgerEntry(unit=unit, reason="several_removed", detail=detail, path=view.view.inpainted)
            else:
                try:
                    yield _example(scene, seen, view, studio=studio, options=options)
                except InputError as error:
                    yield LedgerEntry(unit=unit, reason="removed_picture_unusable", detail=str(error), path=view.view.image)


def _example(scene: SeenScene, seen: SeenObject, view: SeenView, *, studio: Studio, options: CrossViewOptions) -> Example:
    example_id = f"t2b/{seen.unit}/{view.view_id}"
    after = removed_image(view, studio)
    values = {"answer": AnswerForm(shape="point", image_index=1)}
    question = Question(
        id=example_id,
        task="t2b",
        prompt=prompt("t2b", values),
        images=(view.image, after),
        panels=(panel("before", 0, view), removed_panel("after", 1, view, after)),
    )
    found = Example(
        question=question,
        truth=visible_truth(view, example_id, options, image_index=1, panel_index=1),
        split=scene.scene.split,
        group=scene.scene.scene_id,
        tier="V",
        object_id=seen.object.object_id,
        label=seen.object.label,
        slices={"query_area": round(view.area, 6)},
    )
    return worded(found, values, options)
