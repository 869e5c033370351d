"""Every dialect reads back what it writes, to half a step; and reads any text at all without raising."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.dialects import DIALECTS, Size, get_dialect
from sightline.dialects.convention import Number
from sightline.dialects.family import Family
from sightline.dialects.qwen25 import qwen25
from sightline.errors import InputError
from sightline.types import STATUSES, AnswerForm, Boxes, NotVisible, Points

FORMS = [AnswerForm(shape=shape, image_index=1, offers_not_visible=True) for shape in ("point", "box")]
SIZES = st.builds(Size, st.integers(40, 4000), st.integers(40, 4000))
SHARES = st.floats(0, 1)
SCRAPS = [
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    ",",
    " ",
    "0.5",
    "12",
    "-",
    "%",
    '"',
    "'",
    "point_2d",
    ":",
    "<think>",
    "</think>",
    "<answer>",
]
SCRAPS += [
    "</answer>",
    "not visible",
    "null",
    "x",
    "\n",
    "<loc0512>",
    "<points ",
    'x1="5.0"',
    'coords="1 1 5 5',
    "p=1,2",
    ">",
    "（",
    "不可见",
]
SCRAPS += ["<|box_start|>", "<|box_end|>", "<box>", "</box>", ";", "\t", "1e9", "nan", "½", "٣", "\ud800"]
TEXTS = st.one_of(
    st.text(max_size=80), st.text(string.punctuation + string.digits, max_size=80), st.lists(st.sampled_from(SCRAPS)).map("".join)
)


def step(name, picture):
    """The size of one step of the dialect in pixels of the picture, in x and y."""
    dialect = get_dialect(name)
    assert isinstance(dialect, Family)
    convention = dialect.habits.convention
    one = Number(10.0**-convention.decimals)
    return convention.read((one, one), picture)


def assert_near(written, read, name, picture):
    """Half a step apart at most; one step at PaliGemma's far edge, for which it has no token."""
    for was, is_, length, side in zip(written, read, step(name, picture) * 2, (picture.width, picture.height) * 2, strict=False):
        at_missing_token = name == "paligemma" and was > (1 - 1 / 1024) * side
        assert abs(was - is_) <= (length if at_missing_token else length / 2) + 1e-9 * side


@pytest.mark.parametrize("name", DIALECTS)
@given(picture=SIZES, x=SHARES, y=SHARES)
@settings(max_examples=25, deadline=None)
def test_a_point_comes_back_to_half_a_step(name, picture, x, y):
    x, y = x * picture.width, y * picture.height
    pictures = (Size(7, 7), picture)
    reading = get_dialect(name).decode(
        get_dialect(name).encode(Points(points=((x, y),), image_index=1), pictures), FORMS[0], pictures
    )
    assert reading.status == "ok"
    assert isinstance(reading.answer, Points)
    assert reading.answer.image_index == 1
    ((read_x, read_y),) = reading.answer.points
    assert_near((x, y), (read_x, read_y), name, picture)


@pytest.mark.parametrize("name", DIALECTS)
@given(picture=SIZES, xs=st.tuples(SHARES, SHARES), ys=st.tuples(SHARES, SHARES))
@settings(max_examples=25, deadline=None)
def test_a_box_comes_back_to_half_a_step(name, picture, xs, ys):
    (x0, x1), (y0, y1) = sorted(xs), sorted(ys)
    box = (x0 * picture.width, y0 * picture.height, x1 * picture.width, y1 * picture.height)
    pictures = (Size(7, 7), picture)
    reading = get_dialect(name).decode(get_dialect(name).encode(Boxes(boxes=(box,), image_index=1), pictures), FORMS[1], pictures)
    assert (reading.status, reading.notes) == ("ok", ())
    assert isinstance(reading.answer, Boxes)
    assert_near(box, reading.answer.boxes[0], name, picture)


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.shape)
def test_not_visible_and_several_points_come_back(name, form):
    dialect, pictures = get_dialect(name), (Size(7, 7), Size(500, 400))
    assert dialect.decode(dialect.encode(NotVisible(), pictures), form, pictures).answer == NotVisible()
    if form.shape == "point":
        reading = dialect.decode(
            dialect.encode(Points(points=((10.0, 20.0), (250.0, 200.0)), image_index=1), pictures), form, pictures
        )
        assert (reading.status, reading.num_found) == ("ok", 2)
        assert isinstance(reading.answer, Points)
        assert reading.answer.points[1] == pytest.approx((250, 200), abs=1)


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.shape)
@given(text=TEXTS)
@settings(max_examples=30, deadline=None)
def test_no_text_makes_decode_raise(name, form, text):
    reading = get_dialect(name).decode(text, form, (Size(7, 7), Size(640, 480)))
    assert reading.status in STATUSES
    has_answer = reading.answer is not None
    assert has_answer or reading.status in {"unreadable", "empty", "truncated", "ambiguous"}
    assert not has_answer or reading.status in {"ok", "not_visible", "out_of_range", "truncated"}


@pytest.mark.parametrize("name", DIALECTS)
def test_the_instruction_offers_not_visible_exactly_if_the_form_does(name):
    for form in FORMS:
        assert "NOT_VISIBLE" in get_dialect(name).instruction(form)
        assert "NOT_VISIBLE" not in get_dialect(name).instruction(AnswerForm(shape=form.shape, image_index=1))
        assert "image 2" in get_dialect(name).instruction(form)


def test_the_centre_of_a_pixel_is_written_as_that_pixel_where_a_step_is_a_pixel():
    # 640 and 480 are multiples of 32, so resized and original pixels are the same; column 10 has its centre at 10.5.
    assert (
        qwen25(factor=32).encode(Points(points=((10.5, 11.5),)), (Size(640, 480),)) == '[{"point_2d": [10, 11], "label": "target"}]'
    )


def test_qwen25_counts_pixels_of_the_resized_picture_and_declares_its_bounds():
    # 1280 x 960 above 307,200 pixels is scaled by sqrt(307200 / 1228800) = 1/2 to 640 x 480, so original (640, 240) is (320, 120).
    dialect = qwen25(factor=32, max_pixels=307_200)
    assert dialect.point(640.0, 240.0, Size(1280, 960)) == "[320, 120]"
    assert dialect.options() == {"factor": 32, "min_pixels": 3136, "max_pixels": 307_200}
    assert get_dialect("qwen25").options() == {"factor": 28, "min_pixels": 3136, "max_pixels": 12_845_056}
    assert get_dialect("qwen3").options() == {}


def test_an_unknown_dialect_is_refused_with_the_nearest_name():
    with pytest.raises(
        InputError, match=r"'qwen-25'\. Did you mean 'qwen25'\? Choices: roborefer, qwen25, qwen3, internvl, molmo,"
    ):
        get_dialect("qwen-25")


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_knows_the_name_it_is_listed_under(name):
    assert get_dialect(name).name == name
