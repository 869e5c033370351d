"""Numbers and words as answers: what is asked for, and what a text is read as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.dialects import get_dialect
from sightline.dialects.convention import Size
from sightline.dialects.values import encode_number, number_instruction, read_number, read_text
from sightline.types import AnswerForm, Number, TextAnswer

SIZES = [Size(640, 480)]


def form(unit: str = "") -> AnswerForm:
    return AnswerForm(shape="number", image_index=0, unit=unit)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("4", "", 4.0),
        ("2.5", "m", 2.5),
        ("about 2.5 meters.", "m", 2.5),
        ("**1,200**", "cm", 1200.0),
        ("250 cm", "m", 2.5),
        ("0.8 metres", "cm", 80.0),
        ("two meters", "m", 2.0),
        ("Twelve", "", 12.0),
        ("23.5 square meters", "m2", 23.5),
        ("23.5 m²", "m2", 23.5),
        ("23.5 m^2", "m2", 23.5),
        ("<think>3 or 4</think><answer>4</answer>", "", 4.0),
        ("4 chairs, so 4", "", 4.0),
        ("-1", "", -1.0),
    ],
)
def test_the_number_that_is_said(text, unit, value):
    reading = read_number(text, form(unit))
    assert reading.status == "ok"
    assert reading.answer == Number(value=value, unit=unit)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", "empty"),
        ("no idea", "unreadable"),
        ("3 or 4", "ambiguous"),
        ("<think>it is 3", "truncated"),
        ("two or three", "ambiguous"),
    ],
)
def test_what_is_no_number_is_told_why(text, status):
    reading = read_number(text, form())
    assert (reading.status, reading.answer) == (status, None)


@given(st.floats(0, 1e6).map(lambda value: round(value, 2)))
def test_what_is_written_is_read_back(value):
    assert read_number(encode_number(Number(value=value, unit="m")), form("m")).answer == Number(value=value, unit="m")


@given(st.text(max_size=300))
def test_no_text_breaks_the_reading(text):
    assert read_number(text, form("m")).status in ("ok", "ambiguous", "unreadable", "empty", "truncated")
    read_text(text)


def test_the_instruction_names_the_unit():
    assert number_instruction(form("m2")) == "Answer with one number only, in square metres."
    assert number_instruction(form()) == "Answer with one number only."


def test_words_are_read_after_the_reasoning():
    assert read_text("<think>hm</think> a red piano ").answer == TextAnswer(text="a red piano")
    assert read_text("  ").status == "empty"


@pytest.mark.parametrize("name", ["roborefer", "qwen25", "qwen3", "molmo"])
def test_every_family_asks_and_reads_values(name):
    dialect = get_dialect(name)
    words = AnswerForm(shape="text", image_index=0)
    assert "number" in dialect.instruction(form("cm"))
    assert dialect.decode(dialect.encode(Number(value=80.0, unit="cm"), SIZES), form("cm"), SIZES).answer == Number(
        value=80.0, unit="cm"
    )
    assert dialect.decode(dialect.encode(TextAnswer(text="sofa"), SIZES), words, SIZES).answer == TextAnswer(text="sofa")
    assert "word" in dialect.instruction(words)
