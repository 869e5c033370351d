"""Task 1: the object marked in view A, found in view B, or said to be not visible there.

`multi` shows A (marked) and B as two pictures; `concat` shows them side by side in one, unmarked, with A's point in the prompt and
the answer in pixels of the whole picture (in its right half).
"""

from collections.abc import Iterator

from sightline.tasks.crossview import (
    CrossViewOptions,
    Outcome,
    Pair,
    absent_truth,
    example,
    marked,
    pairs,
    panel,
    shown_object,
    visible_truth,
)
from sightline.tasks.pictures import Studio, derived_path
from sightline.tasks.seen import SeenScene
from sightline.tasks.wording import prompt, worded, wordings
from sightline.types import AnswerForm, Example, LedgerEntry, PointPart, Question


def multi(scene: SeenScene, studio: Studio, options: CrossViewOptions) -> Iterator[Outcome]:
    """`t1_multi` examples of a scene; a query is absent only by its own empty mask."""
    for pair in pairs(scene, studio, options):
        yield pair if isinstance(pair, LedgerEntry) else _multi(pair, studio, options)


def concat(scene: SeenScene, studio: Studio, options: CrossViewOptions) -> Iterator[Outcome]:
    """`t1_concat` examples of a scene: the same pairs as `multi`."""
    for pair in pairs(scene, studio, options):
        yield pair if isinstance(pair, LedgerEntry) else _concat(pair, studio, options)


def _multi(pair: Pair, studio: Studio, options: CrossViewOptions) -> Example:
    example_id = pair.id("t1_multi")
    form = AnswerForm(shape="point", image_index=1, offers_not_visible=True)
    values = {"mark": wordings()["marks"][options.mark], "answer": form}
    question = Question(
        id=example_id,
        task="t1_multi",
        prompt=prompt("t1_multi", values),
        images=(marked(pair.seen, pair.reference, studio, options), pair.query.image),
        panels=(panel("reference", 0, pair.reference), panel("query", 1, pair.query)),
        reference=shown_object(pair.reference, example_id, options),
    )
    truth = absent_truth(1)
    if pair.tier == "V":
        truth = visible_truth(pair.query, example_id, options, image_index=1, panel_index=1)
    return worded(example(pair, question, truth), values, options)


def _concat(pair: Pair, studio: Studio, options: CrossViewOptions) -> Example:
    example_id = pair.id("t1_concat")
    a, b = pair.reference, pair.query
    path = derived_path("concat", pair.seen.scene_id, f"uid_{pair.seen.object.object_id}", f"{a.view_id}-{b.view_id}")
    picture = studio.beside(path, a.view.image, b.view.image)
    shown = shown_object(a, example_id, options)
    form = AnswerForm(shape="point", image_index=0, offers_not_visible=True)
    values = {"point": PointPart(x=shown.point[0], y=shown.point[1], image_index=0), "answer": form}
    seam = a.image.width
    question = Question(
        id=example_id,
        task="t1_concat",
        prompt=prompt("t1_concat", values),
        images=(picture,),
        panels=(panel("reference", 0, a), panel("query", 0, b, x=seam)),
        reference=shown,
    )
    truth = absent_truth(1)
    if pair.tier == "V":
        truth = visible_truth(b, example_id, options, image_index=0, panel_index=1, x=seam)
    return worded(example(pair, question, truth), values, options)
