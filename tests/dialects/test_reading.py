"""The rules of reading that all dialects share, shown on the plainest of them (shares of the picture, x first)."""

import pytest

from sightline.dialects import Size, get_dialect
from sightline.dialects.reading import MAX_TEXT, says_absent
from sightline.types import AnswerForm, Boxes, NotVisible, Points

PICTURES = (Size(100, 100), Size(200, 100))
POINT = AnswerForm(shape="point", image_index=0, offers_not_visible=True)
BOX = AnswerForm(shape="box", image_index=0, offers_not_visible=True)


def read(text, form=POINT):
    return get_dialect("roborefer").decode(text, form, PICTURES)


def first(reading):
    assert isinstance(reading.answer, Points)
    return tuple(round(value, 6) for value in reading.answer.points[0])


def test_the_last_of_several_answers_counts():
    reading = read("First I thought [(0.1, 0.1)], but it is at [(0.7, 0.2), (0.8, 0.3)].")
    assert first(reading) == (70, 20)
    assert reading.num_found == 2
    assert reading.notes == ("several_answers",)


def test_two_lists_on_two_lines_are_two_answers():
    assert first(read("[(0.1, 0.1)]\n[(0.7, 0.2)]")) == (70, 20)


def test_tuples_on_several_lines_are_one_answer():
    reading = read("(0.1, 0.1)\n(0.7, 0.2)")
    assert (first(reading), reading.num_found) == ((10, 10), 2)


def test_a_later_number_in_prose_is_not_an_answer():
    assert first(read("[(0.1, 0.1)] (step 3 of 4, confidence 0.9)")) == (10, 10)


def test_a_bad_number_spoils_its_own_group_only():
    reading = read("[(0.1, 0.1)], (0.5.1, 0.2)")
    assert (first(reading), reading.num_found) == ((10, 10), 1)
    assert read("[(0.5.1, 0.2)]").notes == ("bad_number", "no_coordinates")


@pytest.mark.parametrize("numeral", ["1e999", "0." + "3" * 40, "1e10", "1e-9999", "--1", "1_0", "0x1", "١"])
def test_what_is_no_plain_finite_number_is_unreadable(numeral):
    assert read(f"[({numeral}, 0.5)]").status == "unreadable"


def test_three_numbers_are_no_point():
    assert read("(0.1, 0.2, 0.3)").notes == ("3_numbers_in_brackets", "no_coordinates")


def test_reasoning_that_never_ends_is_truncated_and_gives_no_answer():
    reading = read("<think>maybe [(0.9, 0.9)]")
    assert (reading.status, reading.answer, reading.notes) == ("truncated", None, ("reasoning_unclosed",))


def test_an_answer_before_reasoning_that_never_ends_is_kept_as_truncated():
    reading = read("[(0.1, 0.1)] <think>or rather (0.9, 0.9)")
    assert (reading.status, first(reading)) == ("truncated", (10, 10))


def test_what_stands_before_a_lone_end_of_reasoning_is_reasoning():
    assert first(read("maybe [(0.9, 0.9)] </think> [(0.1, 0.1)]")) == (10, 10)
    assert read("it is NOT_VISIBLE? no. </think> [(0.1, 0.1)]").status == "ok"
    assert read("NOT_VISIBLE <think>or is it?</think> hm </think> [(0.1, 0.1)]").status == "ok"


def test_absence_in_the_reasoning_does_not_make_an_answer_ambiguous():
    assert read("<think>not visible?</think>[(0.1, 0.1)]").status == "ok"


def test_the_last_answer_element_wins_and_may_be_unclosed():
    assert first(read("<answer>[(0.9, 0.9)]</answer> <answer>[(0.1, 0.1)]</answer> (0.5, 0.5)")) == (10, 10)
    reading = read("(0.5, 0.5) <answer>[(0.1, 0.1)]")
    assert (first(reading), reading.notes) == ((10, 10), ("answer_unclosed",))


def test_an_answer_outside_the_picture_keeps_its_status_when_cut_off():
    reading = read("[(1.1, 0.2), (0.3")
    assert (reading.status, reading.notes) == ("out_of_range", ("truncated",))


def test_only_a_later_point_outside_is_a_note():
    reading = read("[(0.1, 0.2), (0.3, 1.4)]")
    assert (reading.status, reading.notes) == ("ok", ("some_out_of_range",))


def test_a_cut_off_list_without_a_complete_point_is_truncated():
    reading = read("[(0.1, ")
    assert (reading.status, reading.answer) == ("truncated", None)


def test_absence_beside_a_coordinate_that_was_cut_off_is_ambiguous():
    assert read("not visible, or [(0.1, ").status == "ambiguous"


@pytest.mark.parametrize(
    "text",
    ["visible, not hidden", "It is not not visible.", "并非不可见", "none of the chairs hide it", "nullify", "invisible ink?"],
)
def test_words_that_only_look_like_absence_are_not(text):
    assert not says_absent(text)


def test_a_box_is_read_from_any_two_corners():
    reading = read("[(0.3, 0.1, 0.1, 0.4)]", BOX)
    assert isinstance(reading.answer, Boxes)
    assert reading.answer.boxes[0] == pytest.approx((10, 10, 30, 40))
    assert (reading.status, reading.notes) == ("ok", ("reversed_corners",))


def test_a_box_past_the_edge_is_kept_for_the_scorer_to_clip():
    reading = read("[(0.5, 0.5, 1.5, 0.75)]", BOX)
    assert reading.status == "out_of_range"
    assert reading.answer == Boxes(boxes=((50.0, 50.0, 150.0, 75.0),))


def test_a_point_where_a_box_is_asked_is_unreadable():
    assert read("[(0.5, 0.5)]", BOX).notes == ("point_where_box_asked",)


def test_where_a_box_is_asked_a_later_point_is_passed_over():
    assert read("[(0.1, 0.1, 0.3, 0.3)], whose centre is (0.2, 0.2)", BOX).status == "ok"


@pytest.mark.parametrize("name", ["qwen25", "qwen3"])
def test_an_empty_json_list_means_not_visible_where_a_box_is_asked_and_that_is_offered(name):
    dialect = get_dialect(name)
    assert dialect.decode("```json\n[]\n```", BOX, PICTURES).answer == NotVisible()
    unoffered = AnswerForm(shape="box", image_index=0)
    assert dialect.decode("[]", unoffered, PICTURES).status == "empty"


def test_an_empty_list_is_never_absence_in_a_dialect_that_does_not_declare_it():
    assert read("[]", BOX).status == "empty"


JSON_TEXTS = {
    "a label with brackets": '[{"point_2d": [100, 200], "label": "cup [3, 4]"}]',
    "single quotes": "[{'point_2d': [100, 200], 'label': 'cup'}]",
    "both keys": '[{"bbox_2d": [0, 0, 500, 500], "point_2d": [100, 200]}]',
    "a foreign list first": '{"size": [640, 480], "point_2d": [100, 200]}',
    "a foreign list last": '{"point_2d": [100, 200], "size": [640, 480]}',
    "no key": "[[100, 200]]",
    "quoted as a whole": '"[100, 200]"',
    "one object a line": '{"point_2d": [100, 200]}\n{"point_2d": [300, 400]}',
}


@pytest.mark.parametrize("text", JSON_TEXTS.values(), ids=JSON_TEXTS.keys())
def test_json_is_read_by_its_keys(text):
    reading = get_dialect("qwen3").decode(text, POINT, PICTURES)
    assert (reading.status, first(reading)) == ("ok", (10, 20))


@pytest.mark.parametrize("end", ['{"point_2d": [30', '{"point_2d": [300, 400], "label": "cu', '{"point_2d": [300, 400]'])
def test_cut_off_json_keeps_its_complete_points(end):
    reading = get_dialect("qwen3").decode('[{"point_2d": [100, 200], "label": "cup"}, ' + end, POINT, PICTURES)
    assert (reading.status, first(reading)) == ("truncated", (10, 20))


HOSTILE = dict.fromkeys(
    [
        "]",
        "9",
        "-",
        "1e",
        "</think>",
        "<answer>",
        '"',
        "'",
        '"\n',
        '{"point_2d":',
        "not ",
        "isn't in ",
        "<point ",
        "<loc0001>",
        " ",
        "不",
    ],
    "ok",
)
HOSTILE |= dict.fromkeys(["[", "(", "{", "[[0,0],", "<think>", "<|box_start|>("], "truncated")
HOSTILE |= {"[[1,2],": "out_of_range", "<answer></answer>": "empty", "not visible ": "ambiguous"}


@pytest.mark.parametrize(("unit", "status"), HOSTILE.items())
def test_a_megabyte_of_anything_is_read_in_one_pass(unit, status):
    text = unit * (2**20 // len(unit)) + " [(0.1, 0.1)]"
    reading = read(text)
    assert len(text) > 10 * MAX_TEXT
    assert reading.status == status
    assert ("text_cut" in reading.notes) == ("think>" not in unit and "answer>" not in unit)
