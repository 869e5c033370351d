"""The tasks asked in another way: the same pictures and the same truth, another form of answer.

`t2a_yesno` has the examples of `t2a` and asks whether the object is in the query picture; `t2b_box` and `t2b_mask` have those of
`t2b` and ask for the box or the mask of the removed object. An id differs from the original's in the task's name only.
"""

from collections.abc import Iterator, Mapping

import msgspec

from sightline.geometry.masks import mask_id
from sightline.tasks.crossview import CrossViewOptions, Outcome
from sightline.tasks.difference import difference
from sightline.tasks.missing import missing
from sightline.tasks.pictures import Studio
from sightline.tasks.seen import SeenScene
from sightline.tasks.wording import prompt, worded, wordings
from sightline.types import NO, YES, Answer, AnswerForm, Boxes, Choice, Example, MaskAnswer, Part


def yes_no(scene: SeenScene, studio: Studio, options: CrossViewOptions) -> Iterator[Outcome]:
    """`t2a_yesno` examples of a scene."""
    form = AnswerForm(shape="choice", image_index=1, options=(YES, NO))
    values = {"mark": wordings()["marks"][options.mark], "answer": form}
    for outcome in missing(scene, studio, options):
        if isinstance(outcome, Example):
            answer = Choice(value=YES if outcome.truth.visible else NO)
            yield worded(asked_as(outcome, "t2a_yesno", values, answer=answer), values, options)
        else:
            yield outcome


def box_target(scene: SeenScene, studio: Studio, options: CrossViewOptions) -> Iterator[Outcome]:
    """`t2b_box` examples of a scene: the tight box of the removed object's exact mask."""
    values = {"answer": AnswerForm(shape="box", image_index=1)}
    for outcome in difference(scene, studio, options):
        if isinstance(outcome, Example):
            assert outcome.truth.box is not None, "a removed object was visible"
            answer = Boxes(boxes=(outcome.truth.box,), image_index=1)
            yield worded(asked_as(outcome, "t2b_box", values, answer=answer), values, options)
        else:
            yield outcome


def mask_target(scene: SeenScene, studio: Studio, options: CrossViewOptions) -> Iterator[Outcome]:
    """`t2b_mask` examples of a scene: the removed object's exact mask."""
    values = {"answer": AnswerForm(shape="mask", image_index=1)}
    codes = {mask_id(view.rle): view.rle for seen in scene.objects for view in seen.views}
    for outcome in difference(scene, studio, options):
        if isinstance(outcome, Example):
            assert outcome.truth.mask is not None, "a removed object was visible"
            answer = MaskAnswer(rle=codes[outcome.truth.mask], image_index=1)
            yield worded(asked_as(outcome, "t2b_mask", values, answer=answer), values, options)
        else:
            yield outcome


def asked_as(example: Example, task: str, values: Mapping[str, Part | str], *, answer: Answer | None = None) -> Example:
    """The example under the name of another task, with that task's first wording; the right answer may take another form,
    which is then compared with the exact mask or box alone."""
    question = msgspec.structs.replace(
        example.question,
        id=f"{task}/{example.id.removeprefix(f'{example.question.task}/')}",
        task=task,
        prompt=prompt(task, values),
    )
    truth = example.truth
    if answer is not None:
        truth = msgspec.structs.replace(truth, answer=answer, mask_dilated=None)
    slices = {name: value for name, value in example.slices.items() if name != "wording"}
    return msgspec.structs.replace(example, question=question, truth=truth, slices=slices, wording=0)
