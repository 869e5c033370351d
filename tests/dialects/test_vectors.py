"""What each dialect reads in given texts. Expected places are shares of the picture (x, y), worked out in the rows themselves."""

import pytest

from sightline.dialects import DIALECTS, Dialect, Size, get_dialect
from sightline.dialects.qwen25 import qwen25
from sightline.types import AnswerForm, NotVisible, Points

QUERY = Size(640, 480)
PICTURES = (Size(1000, 500), QUERY)
FORM = AnswerForm(shape="point", image_index=1, offers_not_visible=True)
RESIZED_640_BY_480 = qwen25(factor=32)  # 640 and 480 are multiples of 32, so the resized picture is the picture
HALF = (0.5, 0.5)


def dialect_of(name: str) -> Dialect:
    return RESIZED_640_BY_480 if name == "qwen25" else get_dialect(name)


def shares(points: Points) -> list[float]:
    size = PICTURES[points.image_index]
    return [share for x, y in points.points for share in (x / size.width, y / size.height)]


OK = [
    ("roborefer", "[(0.5, 0.5)]", [HALF], ()),
    ("roborefer", "[(0.5,0.5)]", [HALF], ()),
    ("roborefer", "(0.5, 0.5)", [HALF], ()),
    ("roborefer", "[0.5, 0.5]", [HALF], ()),
    ("roborefer", "[[0.5, 0.5]]", [HALF], ()),
    ("roborefer", "( .5 , .5 )", [HALF], ()),
    ("roborefer", "[(5e-1, 5E-1)]", [HALF], ()),
    ("roborefer", "（0.5，0.5）", [HALF], ()),
    ("roborefer", "[(50%, 50%)]", [HALF], ("percent_sign",)),
    ("roborefer", "[(1., 0.)]", [(1, 0)], ()),
    ("roborefer", "[(1, 1)]", [(1, 1)], ()),
    *[(name, "[(1, 1)]", [(0.001, 0.001)], ()) for name in ("qwen3", "internvl", "molmo2", "qwen2")],
    ("roborefer", "[(0.1, 0.2), (0.3, 0.4)]", [(0.1, 0.2), (0.3, 0.4)], ()),
    ("roborefer", "[(0.1,0.1,0.3,0.3)]", [(0.2, 0.2)], ("box_as_point",)),
    ("roborefer", "[(0.3,0.3,0.1,0.1)]", [(0.2, 0.2)], ("box_as_point",)),
    ("roborefer", "<think>at [(0.9,0.9)]...</think>[(0.1,0.1)]", [(0.1, 0.1)], ()),
    ("roborefer", "[(0.9,0.9)] <answer>[(0.1,0.1)]</answer>", [(0.1, 0.1)], ()),
    ("qwen25", '```json\n[{"point_2d":[320,240]}]\n```', [HALF], ()),
    ("qwen25", '[{"point_2d":[320,240]}]', [HALF], ()),
    ("qwen25", 'Here it is: [{"point_2d":[320,240]}]', [HALF], ()),
    ("qwen25", '[{"point_2d":[320,240]},]', [HALF], ()),
    ("qwen25", '[{"point_2d":[320,240,],}]', [HALF], ()),
    ("qwen3", '```json\n[{"point_2d":[320,240]}]\n```', [(0.32, 0.24)], ()),
    ("qwen3", '[{"point_2d":[320,240]}]', [(0.32, 0.24)], ()),
    ("qwen3", 'Here it is: [{"point_2d":[320,240]}]', [(0.32, 0.24)], ()),
    ("qwen3", '[{"point_2d":[320,240]},]', [(0.32, 0.24)], ()),
    ("molmo", '<point x="50.0" y="50.0" alt="a">a</point>', [HALF], ()),
    ("molmo", "<point x='50.0' y='50.0' alt='a'>a</point>", [HALF], ()),
    ("molmo", '<points x1="10.0" y1="20.0" x2="30.0" y2="40.0" alt="a">a</points>', [(0.1, 0.2), (0.3, 0.4)], ()),
    ("molmo", "Click(50.0, 50.0)", [HALF], ()),
    ("molmo", "(50.0 50.0)", [HALF], ()),
    ("molmo", "p=500,500", [HALF], ()),
    ("molmo", "p=100,900, no, p = 500, 500", [HALF], ()),
    ("gemini", '{"point":[500,250]}', [(0.25, 0.5)], ()),
    ("gemini", '```json\n[{"point":[500,250],"label":"a"}]\n```', [(0.25, 0.5)], ()),
    ("gemini", '{"box_2d":[100,200,300,400]}', [(0.3, 0.2)], ("box_as_point",)),
    ("paligemma", "<loc0512><loc0256>", [(0.25, 0.5)], ()),
    ("paligemma", "<loc0512><loc0256> cup ; <loc0256><loc0512> cup", [(0.25, 0.5), (0.5, 0.25)], ()),
    ("paligemma", "<loc0256><loc0512><loc0768><loc0512> cup", [HALF], ("box_as_point",)),
    ("qwen2", "<|box_start|>(500,500)<|box_end|>", [HALF], ()),
    (
        "qwen2",
        "<|object_ref_start|>a<|object_ref_end|><|box_start|>(100,200),(300,400)<|box_end|>",
        [(0.2, 0.3)],
        ("box_as_point",),
    ),
    ("qwen2", "<ref>a</ref><box>(100,200),(300,400)</box>", [(0.2, 0.3)], ("box_as_point",)),
    ("internvl", "<ref>a</ref><box>[[100, 200, 300, 400]]</box>", [(0.2, 0.3)], ("box_as_point",)),
    ("internvl", "<point>[[100, 200], [300, 400]]</point>", [(0.1, 0.2), (0.3, 0.4)], ()),
    ("robobrain", "[(320, 240), (64, 48)]", [HALF, (0.1, 0.1)], ()),
    ("pixels", "The cup is at (320, 240).", [HALF], ()),
]


@pytest.mark.parametrize(("name", "text", "expected", "notes"), OK)
def test_a_readable_text_gives_its_points(name, text, expected, notes):
    reading = dialect_of(name).decode(text, FORM, PICTURES)
    assert reading.status == "ok"
    assert isinstance(reading.answer, Points)
    assert reading.answer.image_index == 1
    assert shares(reading.answer) == pytest.approx([share for point in expected for share in point])
    assert reading.num_found == len(expected)
    assert reading.notes == notes


def test_the_far_edge_is_read_as_exactly_the_width():
    reading = get_dialect("roborefer").decode("[(1., 0.)]", FORM, PICTURES)
    assert reading.answer == Points(points=((640.0, 0.0),), image_index=1)


@pytest.mark.parametrize(("text", "point"), [("[(-0.1, 0.5)]", (-64.0, 240.0)), ("[(1.7, 0.5)]", (1088.0, 240.0))])
def test_a_point_outside_the_picture_is_kept_and_never_clamped(text, point):
    reading = get_dialect("roborefer").decode(text, FORM, PICTURES)
    assert reading.status == "out_of_range"
    assert isinstance(reading.answer, Points)
    assert reading.answer.points[0] == pytest.approx(point)


def test_a_truncated_list_keeps_its_complete_points():
    reading = get_dialect("roborefer").decode("[(0.1,0.2),(0.3", FORM, PICTURES)
    assert reading.status == "truncated"
    assert isinstance(reading.answer, Points)
    assert shares(reading.answer) == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize("text", ["Image 2 has 3 chairs", "0.5.1", "nan", "inf", "It is visible, not hidden"])
@pytest.mark.parametrize("name", DIALECTS)
def test_a_text_without_an_answer_is_unreadable_and_says_why(name, text):
    reading = get_dialect(name).decode(text, FORM, PICTURES)
    assert reading.status == "unreadable"
    assert reading.answer is None
    assert reading.notes == ("no_coordinates",)


@pytest.mark.parametrize("text", ["", "  \n", "[]", "[ ]", "```json\n[]\n```"])
@pytest.mark.parametrize("name", DIALECTS)
def test_nothing_and_an_empty_list_are_empty_where_a_point_is_asked(name, text):
    reading = get_dialect(name).decode(text, FORM, PICTURES)
    assert (reading.status, reading.answer) == ("empty", None)


ABSENT = ["NOT_VISIBLE", "not visible", "Not_Visible.", '"NOT_VISIBLE"', "null", "none", "There are none."]
ABSENT += ["This isn't in the image.", "This isn’t in the image.", "不可见", "看不到", "The cup is not visible in image 2."]


@pytest.mark.parametrize("text", ABSENT)
@pytest.mark.parametrize("name", DIALECTS)
def test_words_of_absence_are_not_visible_in_every_dialect(name, text):
    reading = get_dialect(name).decode(text, FORM, PICTURES)
    assert (reading.status, reading.answer) == ("not_visible", NotVisible())


@pytest.mark.parametrize("text", ["The object is not visible ... [(0.2,0.3)]", "[(0.2, 0.3)] or NOT_VISIBLE"])
def test_a_coordinate_and_words_of_absence_are_ambiguous(text):
    reading = get_dialect("roborefer").decode(text, FORM, PICTURES)
    assert (reading.status, reading.answer, reading.num_found) == ("ambiguous", None, 1)
