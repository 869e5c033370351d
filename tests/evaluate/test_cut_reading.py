import pytest

from sightline.evaluate.predict import cut_reading
from sightline.types import NotVisible, Points, Reading

POINT = Points(points=((3.0, 4.0),))


@pytest.mark.parametrize("status", ["ok", "unreadable", "empty", "not_visible"])
def test_what_a_cut_text_says_so_far_is_its_answer(status):
    answer = {"ok": POINT, "not_visible": NotVisible()}.get(status)
    reading = Reading(status=status, answer=answer, notes=("several_answers",))
    assert cut_reading(reading) == Reading(status="truncated", answer=answer, notes=("several_answers",))


@pytest.mark.parametrize("status", ["out_of_range", "ambiguous"])
def test_what_more_text_could_not_mend_stays(status):
    reading = Reading(status=status, answer=POINT, num_found=1)
    noted = Reading(status=status, answer=POINT, num_found=1, notes=("truncated",))
    assert cut_reading(reading) == noted
    assert cut_reading(noted) == noted
