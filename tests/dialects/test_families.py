"""What is peculiar to one family: several pictures, corners as two points, tokens, cut-off elements."""

import pytest

from sightline.dialects import Size, get_dialect
from sightline.errors import InputError
from sightline.types import AnswerForm, Boxes, Points

PICTURES = (Size(1000, 500), Size(640, 480))
FIRST = AnswerForm(shape="point", image_index=0)
SECOND = AnswerForm(shape="point", image_index=1)
BOX = AnswerForm(shape="box", image_index=0)


def read(name, text, form=FIRST):
    return get_dialect(name).decode(text, form, PICTURES)


def test_molmo2_reads_ids_and_points_of_one_picture():
    reading = read("molmo2", '<points coords="1 1 900 700 2 900 800">a</points>')
    # 0.9 * 1000, 0.7 * 500 and 0.8 * 500
    assert reading.answer == Points(points=((900.0, 350.0), (900.0, 400.0)))
    assert (reading.status, reading.num_found, reading.notes) == ("ok", 2, ())


@pytest.mark.parametrize("between", [";", "\t"])
@pytest.mark.parametrize(("form", "point"), [(FIRST, (500.0, 250.0)), (SECOND, (160.0, 360.0))])
def test_molmo2_gives_the_points_of_the_asked_picture(between, form, point):
    # picture 1: (0.5 * 1000, 0.5 * 500); picture 2: (0.25 * 640, 0.75 * 480)
    reading = read("molmo2", f'<points coords="1 1 500 500{between}2 2 250 750">a</points>', form)
    assert reading.answer == Points(points=(point,), image_index=form.image_index)
    assert (reading.status, reading.num_found, reading.notes) == ("ok", 2, ("other_picture",))


def test_molmo2_points_in_another_picture_keep_that_picture():
    reading = read("molmo2", '<points coords="1 1 500 500">a</points>', SECOND)
    assert reading.answer == Points(points=((500.0, 250.0),), image_index=0)
    assert (reading.status, reading.notes) == ("ok", ("other_picture",))


def test_molmo2_a_picture_that_does_not_exist_is_unreadable():
    reading = read("molmo2", '<points coords="3 1 500 500">a</points>')
    assert (reading.status, reading.answer) == ("unreadable", None)
    assert "no_such_picture" in reading.notes


def test_molmo2_writes_three_digits_and_counts_pictures_from_one():
    text = get_dialect("molmo2").encode(Points(points=((16.0, 480.0),), image_index=1), PICTURES)
    assert text == '<points coords="2 1 025 1000">target</points>'


@pytest.mark.parametrize("coords", ["1 1 900", "x 1 900 700", "0 1 900 700", "1.5 1 900 700"])
def test_molmo2_incomplete_or_unnumbered_coords_are_unreadable(coords):
    assert read("molmo2", f'<points coords="{coords}">a</points>').status == "unreadable"


CUT_OFF = [
    ("molmo", '<points x1="50.0" y1="50.0" x2="60.0" y2="6'),
    ("molmo2", '<points coords="1 1 500 500 2 600 60'),
    ("molmo2", '<points alt="a" coords="1 1 500 500;1 2 6'),
    ("paligemma", "<loc0512><loc0512> cup ; <loc0600><loc06"),
    ("paligemma", "<loc0512><loc0512> cup ; <loc0600>"),
    ("qwen2", "<|box_start|>(500,500)<|box_end|><|box_start|>(600,600),(7"),
    ("internvl", "<point>[[500, 500], [600,"),
    ("gemini", '```json\n[{"point": [500, 500], "label": "a"}, {"point": [6'),
]


@pytest.mark.parametrize(("name", "text"), CUT_OFF)
def test_a_text_cut_off_keeps_what_is_complete(name, text):
    reading = read(name, text)
    assert reading.status == "truncated"
    assert reading.answer == Points(points=((500.0, 250.0),))


CUT_OFF_AT_ONCE = [
    ("molmo", '<point x="50.0" y="5'),
    ("molmo2", '<points coords="1 1 500 50'),
    ("paligemma", "<loc0512><loc0512><lo"),
]
CUT_OFF_AT_ONCE += [
    ("qwen2", "<|box_start|>(500,500),(6"),
    ("qwen2", "<|box_start|>("),
    ("qwen2", "<|box_start|>"),
    ("molmo", "<points x1"),
]


@pytest.mark.parametrize(("name", "text"), CUT_OFF_AT_ONCE)
def test_a_text_cut_off_before_anything_is_complete_has_no_answer(name, text):
    reading = read(name, text)
    assert (reading.status, reading.answer) == ("truncated", None)


BOX_TEXTS = [
    ("qwen2", "<|box_start|>(100,200),(300,400)<|box_end|>"),
    ("qwen2", "(100,200),(300,400)"),
    ("molmo", '<points x1="10.0" y1="20.0" x2="30.0" y2="40.0" alt="a">a</points>'),
    ("molmo2", '<points coords="1 1 100 200 2 300 400">a</points>'),
    ("internvl", "<box>[[100, 200, 300, 400]]</box>"),
    ("gemini", '[{"box_2d": [200, 100, 400, 300], "label": "a"}]'),
    ("robobrain", "[100, 100, 300, 200]"),
    ("pixels", "(100, 100, 300, 200)"),
]


@pytest.mark.parametrize(("name", "text"), BOX_TEXTS)
def test_each_family_reads_its_boxes(name, text):
    # (0.1, 0.2) to (0.3, 0.4) of 1000 x 500
    reading = read(name, text, BOX)
    assert (reading.status, reading.notes) == ("ok", ())
    assert isinstance(reading.answer, Boxes)
    assert reading.answer.boxes[0] == pytest.approx((100, 100, 300, 200))


WRITTEN = {
    "roborefer": "[(0.100, 0.200, 0.300, 0.400)]",
    "qwen25": '[{"bbox_2d": [101, 101, 302, 202], "label": "target"}]',  # 1000 x 500 is resized to 1008 x 504
    "qwen3": '[{"bbox_2d": [100, 200, 300, 400], "label": "target"}]',
    "internvl": "<box>[[100, 200, 300, 400]]</box>",
    "molmo": '<points x1="10.0" y1="20.0" x2="30.0" y2="40.0" alt="target">target</points>',
    "molmo2": '<points coords="1 1 100 200 2 300 400">target</points>',
    "gemini": '```json\n[{"box_2d": [200, 100, 400, 300], "label": "target"}]\n```',
    "paligemma": "<loc0205><loc0102><loc0410><loc0307> target",  # 1024 * (0.2, 0.1, 0.4, 0.3) = 204.8, 102.4, 409.6, 307.2
    "qwen2": "<|box_start|>(100,200),(300,400)<|box_end|>",
    "robobrain": "[100, 100, 300, 200]",
    "pixels": "(100, 100, 300, 200)",
}


@pytest.mark.parametrize(("name", "text"), WRITTEN.items())
def test_each_family_writes_its_boxes(name, text):
    assert get_dialect(name).encode(Boxes(boxes=((100.0, 100.0, 300.0, 200.0),)), PICTURES) == text


def test_paligemma_has_no_token_outside_the_picture_and_one_less_at_its_edge():
    dialect = get_dialect("paligemma")
    assert dialect.point(1000.0, 0.0, PICTURES[0]) == "<loc0000><loc1023>"
    with pytest.raises(InputError, match=r"no PaliGemma location token for \[0, 1075\]"):
        dialect.point(1050.0, 0.0, PICTURES[0])


def test_paligemma_text_without_tokens_is_no_answer():
    assert read("paligemma", "[(512, 256)]").notes == ("no_coordinates",)
    assert read("paligemma", "<loc0512><loc0512><loc0512> cup").notes == ("3_tokens_in_a_run", "no_coordinates")


NATIVE_FLOODS = {
    "qwen3": '{"point_2d": [',
    "gemini": '"point" ',
    "molmo": '<point x="5" ',
    "molmo2": '<points coords="1 ',
    "paligemma": "<loc0001>",
    "qwen2": "<|box_start|>(1,",
    "internvl": "<box>[[1,",
}


@pytest.mark.parametrize(("name", "unit"), NATIVE_FLOODS.items())
def test_a_megabyte_of_a_familys_own_words_is_read_in_one_pass(name, unit):
    reading = read(name, unit * (2**20 // len(unit)))
    assert reading.answer is None
    assert reading.status in {"truncated", "unreadable"}
    assert "text_cut" in reading.notes
