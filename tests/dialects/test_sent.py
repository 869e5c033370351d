"""Dialects for pictures that are made smaller before they are sent."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.dialects import Size, get_dialect
from sightline.dialects.qwen25 import qwen25
from sightline.dialects.sent import AsSent, sent_size
from sightline.types import AnswerForm, Boxes, Choice, NotVisible, Points

POINT = AnswerForm(shape="point", image_index=0, offers_not_visible=True)
BOX = AnswerForm(shape="box", image_index=0)


@pytest.mark.parametrize(
    ("picture", "max_side", "sent"),
    [
        ((2000, 1000), 1000, (1000, 500)),
        ((1000, 2000), 500, (250, 500)),
        ((640, 480), 640, (640, 480)),
        ((640, 480), 4096, (640, 480)),
        ((1000, 333), 500, (500, 166)),  # 166.5: halves to even
        ((1000, 3), 100, (100, 1)),  # 0.3, but at least 1
    ],
)
def test_the_longer_side_is_at_most_the_limit_and_the_shape_is_kept(picture, max_side, sent):
    assert sent_size(Size(*picture), max_side) == Size(*sent)


def test_qwen25_means_the_picture_that_its_processor_makes_of_the_one_sent():
    # 2000 x 1000 is sent as 1000 x 500; the processor makes 36 * 28 = 1008 (1000 / 28 = 35.7) by 18 * 28 = 504 (500 / 28 = 17.9).
    dialect, picture = AsSent(get_dialect("qwen25"), 1000), Size(2000, 1000)
    answer = Points(points=((500.0, 250.0),))
    text = dialect.encode(answer, [picture])
    assert text == '[{"point_2d": [252, 126], "label": "target"}]'
    reading = dialect.decode(text, POINT, [picture])
    assert (reading.status, reading.answer) == ("ok", answer)
    assert dialect.point(500.0, 250.0, picture) == "[252, 126]"
    # Had it been sent as it is, the processor would have made 71 * 28 = 1988 by 36 * 28 = 1008 of it.
    assert get_dialect("qwen25").point(500.0, 250.0, picture) == "[497, 252]"
    assert dialect.options() == {"factor": 28, "min_pixels": 3136, "max_pixels": 12_845_056, "sent_max_side": 1000}


def test_the_processors_own_limit_counts_after_the_sending():
    # 1000 x 500 is sent; at most 50176 pixels: / sqrt(500000 / 50176) = 3.157 gives 316.8 x 158.4, down to 308 x 140.
    dialect = AsSent(qwen25(max_pixels=50_176), 1000)
    assert dialect.point(1000.0, 500.0, Size(2000, 1000)) == "[154, 70]"


def test_pixels_are_those_of_the_picture_as_sent():
    dialect, picture = AsSent(get_dialect("pixels"), 200), Size(800, 600)  # sent as 200 x 150
    reading = dialect.decode("(50, 75)", POINT, [picture])
    assert reading.answer == Points(points=((200.0, 300.0),))
    box = Boxes(boxes=((40.0, 80.0, 400.0, 600.0),))
    assert dialect.encode(box, [picture]) == "(10, 20, 100, 150)"
    assert dialect.box(box.boxes[0], picture) == "(10, 20, 100, 150)"
    assert dialect.decode("(10, 20, 100, 150)", BOX, [picture]).answer == box


def test_the_far_edge_stays_the_far_edge_and_beyond_it_stays_out_of_range():
    dialect, picture = AsSent(get_dialect("pixels"), 997), Size(4001, 2999)  # sent as 997 x 747
    reading = dialect.decode("(997, 747)", POINT, [picture])
    assert (reading.status, reading.answer) == ("ok", Points(points=((4001.0, 2999.0),)))
    assert dialect.decode("(998, 3)", POINT, [picture]).status == "out_of_range"


@pytest.mark.parametrize("name", ["roborefer", "qwen25", "qwen3", "pixels", "internvl"])
def test_a_picture_that_is_not_made_smaller_changes_nothing(name):
    plain, sent = get_dialect(name), AsSent(get_dialect(name), 4096)
    pictures = [Size(641, 479)]
    for answer in (Points(points=((12.3, 45.6),)), NotVisible(), Choice(value="yes")):
        assert sent.encode(answer, pictures) == plain.encode(answer, pictures)
        text = plain.encode(answer, pictures)
        assert sent.decode(text, POINT, pictures) == plain.decode(text, POINT, pictures)
    assert (sent.name, sent.instruction(POINT)) == (plain.name, plain.instruction(POINT))


@given(
    width=st.integers(30, 5000), height=st.integers(30, 5000), x=st.floats(0, 1), y=st.floats(0, 1), max_side=st.integers(28, 2000)
)
def test_writing_and_reading_are_inverse_within_half_a_pixel_as_sent(width, height, x, y, max_side):
    picture, dialect = Size(width, height), AsSent(get_dialect("pixels"), max_side)
    sent = sent_size(picture, max_side)
    point = (x * width, y * height)
    reading = dialect.decode(dialect.encode(Points(points=(point,)), [picture]), POINT, [picture])
    assert isinstance(reading.answer, Points)
    (back,) = reading.answer.points
    assert abs(back[0] - point[0]) <= 0.5 * width / sent.width + 1e-6
    assert abs(back[1] - point[1]) <= 0.5 * height / sent.height + 1e-6
    assert math.isfinite(back[0])
