"""The box text of the Sa2VA fork, for one image and for clips."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.dialects import Size, get_dialect
from sightline.dialects.sa2va_box import decode_track, encode_track
from sightline.types import AnswerForm, Boxes, BoxTrack, Points

SIZE = Size(640, 480)
BOX = AnswerForm(shape="box", image_index=0, offers_not_visible=True)
POINT = AnswerForm(shape="point", image_index=0, offers_not_visible=True)
DIALECT = get_dialect("sa2va_box")


def test_an_image_answer_is_written_as_the_fork_writes_it() -> None:
    # 64 / 640 = 0.1, 96 / 480 = 0.2, 192 / 640 = 0.3, 192 / 480 = 0.4
    assert (
        DIALECT.encode(Boxes(boxes=((64.0, 96.0, 192.0, 192.0),)), [SIZE]) == "<box>0.1000,0.2000,0.3000,0.4000</box><single_img>"
    )
    assert DIALECT.encode(Points(points=((64.0, 96.0),)), [SIZE]) == "<box>0.1000,0.2000,0.1000,0.2000</box><single_img>"


@pytest.mark.parametrize(
    "text",
    [
        "<box>0.1,0.2,0.3,0.4</box>",
        "The cup is at <box>0.1, 0.2, 0.3, 0.4</box> <single_img>.",
        "<box>[0.1, 0.2, 0.3, 0.4]</box>",
        "<box>0.9,0.9,1.0,1.0</box> no: <box>0.1,0.2,0.3,0.4</box>",
        "<think><box>0.9,0.9,1,1</box></think><box>0.3,0.4,0.1,0.2</box>",
    ],
)
def test_the_three_spellings_and_the_last_box_are_read(text: str) -> None:
    reading = DIALECT.decode(text, BOX, [SIZE])
    assert reading.status == "ok"
    assert isinstance(reading.answer, Boxes)
    assert reading.answer.boxes[0] == pytest.approx((64, 96, 192, 192))


def test_where_a_point_is_asked_the_centre_of_the_box_stands_for_it() -> None:
    reading = DIALECT.decode("<box>0.1,0.2,0.3,0.4</box>", POINT, [SIZE])
    assert isinstance(reading.answer, Points)
    assert reading.answer.points[0] == pytest.approx((128, 144))
    assert "box_as_point" in reading.notes


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("<box><no_box></box>", "not_visible"),
        ("not visible", "not_visible"),
        ("<box>0.1,0.2,0.3</box>", "unreadable"),
        ("<box>a,b,c,d</box>", "unreadable"),
        ("a cup", "unreadable"),
        ("", "empty"),
        ("<box>0.1,0.2,0.3,0.4<box_sep>0.5,0.", "truncated"),
        ("<box>0.1,0.2,0.", "truncated"),
        ("<box>0.1,0.2,1.3,0.4</box>", "out_of_range"),
    ],
)
def test_statuses(text: str, status: str) -> None:
    assert DIALECT.decode(text, BOX, [SIZE]).status == status


def test_a_cut_answer_keeps_its_complete_boxes() -> None:
    reading = DIALECT.decode("<box>0.1,0.2,0.3,0.4<box_sep>0.5,0.", BOX, [SIZE])
    assert isinstance(reading.answer, Boxes)
    assert len(reading.answer.boxes) == 1


def test_a_clip_is_written_and_read_frame_by_frame() -> None:
    track = BoxTrack(frames=(((64.0, 96.0, 192.0, 192.0),), (), ((0.0, 0.0, 320.0, 240.0), (320.0, 240.0, 640.0, 480.0))))
    text = encode_track(track, [SIZE] * 3)
    assert text == (
        "<box>0.1000,0.2000,0.3000,0.4000<next><no_box><next>0.0000,0.0000,0.5000,0.5000<box_sep>0.5000,0.5000,1.0000,1.0000</box>"
    )
    reading = decode_track(text, [SIZE] * 3)
    assert (reading.status, reading.track, reading.notes) == ("ok", track, ())


@pytest.mark.parametrize(
    ("text", "status", "notes"),
    [
        ("<box><no_box><next><no_box></box>", "not_visible", ()),
        ("<box>0,0,1,1</box>", "ok", ("missing_frames_1",)),
        ("<box>0,0,1,1<next><no_box><next><no_box></box>", "ok", ("extra_frames_1",)),
        ("<box>0,0,1,1<next><switch>0,0,x,1</box>", "ok", ("unreadable_frames_1",)),
        ("<box>0,0,1,1<next>0,0,0.", "truncated", ("missing_frames_1",)),
        ("<box>x<next>y</box>", "unreadable", ("unreadable_frames_2",)),
        ("nothing", "unreadable", ("no_box_element",)),
        ("", "empty", ("no_box_element",)),
    ],
)
def test_clips_that_are_not_whole_say_why(text: str, status: str, notes: tuple[str, ...]) -> None:
    reading = decode_track(text, [SIZE] * 2)
    assert (reading.status, reading.notes) == (status, notes)


boxes = st.tuples(*[st.floats(0, 320)] * 2, *[st.floats(321, 480)] * 2)


@given(st.lists(st.lists(boxes, max_size=3).map(tuple), min_size=1, max_size=5))
def test_what_is_written_of_a_clip_reads_back_within_half_a_step(
    frames: list[tuple[tuple[float, float, float, float], ...]],
) -> None:
    sizes = [SIZE] * len(frames)
    reading = decode_track(encode_track(BoxTrack(frames=tuple(frames)), sizes), sizes)
    assert reading.track is not None
    for found, written in zip(reading.track.frames, frames, strict=True):
        # half of a ten-thousandth of 640 pixels
        assert [value for box in found for value in box] == pytest.approx([value for box in written for value in box], abs=0.0321)


@given(st.text(alphabet="<>/boxnet_sepwich0123456789.,[] ", max_size=200))
def test_no_text_breaks_the_reading_of_a_clip(text: str) -> None:
    reading = decode_track(text, [SIZE] * 2)
    assert reading.track is None or len(reading.track.frames) == 2
