"""The human turn of a row: our words in the roborefer dialect, and which of our wordings they are."""

import msgspec

from sightline.dialects import get_dialect
from sightline.dialects.render import name_slots
from sightline.export.rendered import render_question
from sightline.tasks.pictures import Mark
from sightline.tasks.wording import prompt, wordings
from sightline.types import Example, Part, PointPart, Question

DIALECT = "roborefer"


def human_text(question: Question) -> str:
    """The human turn that asks `question`."""
    return name_slots(render_question(question, get_dialect(DIALECT)))


def with_wording(example: Example, text: str, mark: Mark) -> Example:
    """The example in that wording of ours that `text` is, and with its number; as it is if it is the first or none of them."""
    question = example.question
    values: dict[str, Part | str] = {"mark": wordings()["marks"][mark], "answer": question.form}
    for part in question.prompt:
        if isinstance(part, PointPart):
            values["point"] = part
    for number in range(1, len(wordings()["prompts"][question.task])):
        worded = msgspec.structs.replace(question, prompt=prompt(question.task, values, wording=number))
        if human_text(worded) == text:
            slices = example.slices | {"wording": float(number)}
            return msgspec.structs.replace(example, question=worded, wording=number, slices=slices)
    return example
