"""Our own score of letters, numbers and words."""

import pytest

from sightline.evaluate.spatial_answers import measure_answer
from sightline.types import Answer, AnswerForm, Choice, Example, Number, Question, Reading, TextAnswer, Truth


def example(answer: Answer, **evidence: str) -> Example:
    question = Question(id="q", task="spatial_qa", prompt=(AnswerForm(shape="text", image_index=0),), images=(), panels=())
    truth = Truth(answer=answer, panel_index=0)
    return Example(question=question, truth=truth, split="test", group="g", tier="t", object_id="o", evidence=dict(evidence))


@pytest.mark.parametrize(
    ("truth", "said", "hit", "values"),
    [
        (Number(value=5.0), Number(value=4.8), True, {"qa": 1.0, "mra": 1.0}),  # an error of 4 %, within all ten tolerances
        (Number(value=5.0), Number(value=4.0), False, {"qa": 0.6, "mra": 0.6}),
        (Number(value=0.0), Number(value=0.2), False, {"qa": 0.6, "mra": 0.6}),  # 0.2 is above 1 - 0.8 in doubles
        (Number(value=5.0), TextAnswer(text="five"), False, {"qa": 0.0, "mra": 0.0}),
        (Choice(value="B"), Choice(value="B"), True, {"qa": 1.0}),
        (Choice(value="B"), Choice(value="A"), False, {"qa": 0.0}),
        (TextAnswer(text="red chair"), TextAnswer(text="The red chair."), True, {"qa": 1.0, "em_refined": 1.0}),
        (TextAnswer(text="red chair"), TextAnswer(text="chair"), False, {"qa": 0.0, "em_refined": 1.0}),
        (TextAnswer(text="red chair"), TextAnswer(text="..."), False, {"qa": 0.0, "em_refined": 0.0}),
    ],
)
def test_what_an_answer_is_worth(truth: Answer, said: Answer, hit: bool, values: dict[str, float]):
    found = measure_answer(example(truth), Reading(status="ok", answer=said))
    assert (found.hit, found.values) == (hit, pytest.approx(values))


def test_every_accepted_text_is_right_and_an_unread_answer_is_worth_0():
    asked = example(TextAnswer(text="sofa"), accepted_1="sofa", accepted_2="couch")
    assert measure_answer(asked, Reading(status="ok", answer=TextAnswer(text="couch"))).hit
    assert measure_answer(asked, Reading(status="unreadable")).values == {"qa": 0.0, "em_refined": 0.0}
