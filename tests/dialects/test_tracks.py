"""Boxes over time and stretches of time as text, both ways, for every family that can write them."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.dialects import DIALECTS, Size, get_dialect
from sightline.dialects.convention import Number
from sightline.dialects.family import Family
from sightline.dialects.render import render_prompt
from sightline.dialects.sent import AsSent
from sightline.dialects.times import nearest_frame, read_seconds, time_words
from sightline.errors import InputError
from sightline.types import (
    STATUSES,
    AnswerForm,
    Boxes,
    BoxTrack,
    ImageRef,
    NotVisible,
    Question,
    Span,
    TextPart,
    VideoPart,
)

WITHOUT = ("molmo", "molmo2", "paligemma")
SPEAKING = [name for name in DIALECTS if name not in WITHOUT]
TIMED = [name for name in SPEAKING if name not in ("internvl", "sa2va_box")]
TRACK = AnswerForm(shape="box_track", image_index=0, offers_not_visible=True)
SPAN = AnswerForm(shape="span", image_index=0, offers_not_visible=True)
FRAMES = tuple(Size(1000, 500, time) for time in (0.0, 0.5, 1.0))
MOVING = BoxTrack(frames=(((100.0, 100.0, 300.0, 200.0),), (), ((0.0, 0.0, 500.0, 250.0), (500.0, 250.0, 1000.0, 500.0))))

WRITTEN = {
    # 1000 x 500 is resized to 1008 x 504
    "qwen25": '[{"time": 0.0, "bbox_2d": [101, 101, 302, 202], "label": "target"}, '
    '{"time": 1.0, "bbox_2d": [0, 0, 504, 252], "label": "target"}, '
    '{"time": 1.0, "bbox_2d": [504, 252, 1008, 504], "label": "target"}]',
    "qwen3": '[{"time": 0.0, "bbox_2d": [100, 200, 300, 400], "label": "target"}, '
    '{"time": 1.0, "bbox_2d": [0, 0, 500, 500], "label": "target"}, '
    '{"time": 1.0, "bbox_2d": [500, 500, 1000, 1000], "label": "target"}]',
    "gemini": '[{"time": 0.0, "box_2d": [200, 100, 400, 300], "label": "target"}, '
    '{"time": 1.0, "box_2d": [0, 0, 500, 500], "label": "target"}, '
    '{"time": 1.0, "box_2d": [500, 500, 1000, 1000], "label": "target"}]',
    "roborefer": '[{"time": 0.0, "box": [0.100, 0.200, 0.300, 0.400]}, {"time": 1.0, "box": [0.000, 0.000, 0.500, 0.500]}, '
    '{"time": 1.0, "box": [0.500, 0.500, 1.000, 1.000]}]',
    "internvl": "Frame1: <box>[[100, 200, 300, 400]]</box>\nFrame3: <box>[[0, 0, 500, 500], [500, 500, 1000, 1000]]</box>",
    "sa2va_box": "<box>0.1000,0.2000,0.3000,0.4000<next><no_box><next>"
    "0.0000,0.0000,0.5000,0.5000<box_sep>0.5000,0.5000,1.0000,1.0000</box>",
}


def read(name, text, form=TRACK, frames=FRAMES):
    return get_dialect(name).decode(text, form, frames)


@pytest.mark.parametrize(("name", "text"), WRITTEN.items())
def test_each_family_writes_a_track(name, text):
    assert get_dialect(name).encode(MOVING, FRAMES) == text


SHARES = st.floats(0, 1)
BOX_SHARES = st.tuples(SHARES, SHARES, SHARES, SHARES)


@pytest.mark.parametrize("name", SPEAKING)
@given(
    size=st.builds(Size, st.integers(40, 4000), st.integers(40, 4000)),
    shares=st.lists(st.lists(BOX_SHARES, max_size=2), min_size=1, max_size=4),
    step=st.floats(0.05, 4),
)
@settings(max_examples=20, deadline=None)
def test_a_track_comes_back_to_half_a_step(name, size, shares, step):
    frames = tuple(Size(size.width, size.height, round(number * step, 3)) for number in range(len(shares)))
    sides = (size.width, size.height)
    boxes = tuple(
        tuple((min(a, c) * sides[0], min(b, d) * sides[1], max(a, c) * sides[0], max(b, d) * sides[1]) for a, b, c, d in of_frame)
        for of_frame in shares
    )
    dialect = get_dialect(name)
    assert isinstance(dialect, Family)
    reading = dialect.decode(dialect.encode(BoxTrack(frames=boxes), frames), TRACK, frames)
    if not any(boxes):
        assert (reading.status, reading.answer) == ("not_visible", NotVisible())
        return
    assert (reading.status, reading.notes, reading.num_found) == ("ok", (), sum(map(len, boxes)))
    assert isinstance(reading.answer, BoxTrack)
    one = Number(10.0**-dialect.habits.convention.decimals)
    steps = dialect.habits.convention.read((one, one), size) * 2
    for was, found in zip(boxes, reading.answer.frames, strict=True):
        assert len(was) == len(found)
        for box, other in zip(was, found, strict=True):
            assert all(abs(a - b) <= length / 2 + 1e-6 * max(sides) for a, b, length in zip(box, other, steps, strict=True))


@pytest.mark.parametrize("name", SPEAKING)
def test_nothing_in_any_frame_is_said_and_read(name):
    dialect = get_dialect(name)
    for form in (TRACK, SPAN):
        assert "NOT_VISIBLE" in dialect.instruction(form)
        assert "NOT_VISIBLE" not in dialect.instruction(AnswerForm(shape=form.shape, image_index=0))
        assert read(name, "NOT_VISIBLE", form).answer == NotVisible()
        assert read(name, dialect.encode(NotVisible(), FRAMES), form).answer == NotVisible()
    assert read(name, "").status == "empty"
    assert read(name, "a dog").status == "unreadable"


@pytest.mark.parametrize("name", TIMED)
def test_an_empty_list_is_no_target_only_where_that_is_offered(name):
    assert read(name, "```json\n[]\n```").status == "not_visible"
    assert read(name, "[]", AnswerForm(shape="box_track", image_index=0)).status == "empty"


@pytest.mark.parametrize("name", WITHOUT)
def test_families_without_boxes_over_time_say_so(name):
    dialect = get_dialect(name)
    for form, answer in ((TRACK, MOVING), (SPAN, Span(start_s=0, end_s=1))):
        with pytest.raises(InputError, match="no way of writing boxes over time"):
            dialect.instruction(form)
        with pytest.raises(InputError, match="no way of writing boxes over time"):
            dialect.encode(answer, FRAMES)
        assert dialect.decode("1", form, FRAMES).notes == ("no_clips_in_text",)


def test_masks_over_time_are_refused():
    with pytest.raises(InputError, match="cannot write masks"):
        get_dialect("qwen3").instruction(AnswerForm(shape="mask_track", image_index=0))


FIRST = ((100.0, 100.0, 300.0, 200.0),)
TEXTS = [
    ('[{"time": 0.0, "bbox_2d": [100, 200, 300, 400]}]', "ok", ()),
    ('```json\n[\n {"bbox_2d": [100, 200, 300, 400], "time": "0.0 seconds", "label": "a {dog"},\n]\n```', "ok", ()),
    ('[{"time": "<0.1 seconds>", "bbox": [100, 200, 300, 400]}]', "ok", ()),
    ('{"time": "00:00.0", "objects": [{"bbox_2d": [100, 200, 300, 400], "label": "time"}]}', "ok", ()),
    ('[{"timestamp": 0, "bbox_2d": [[100, 200, 300, 400]]}]', "ok", ()),
    ('[{"time": 0.0, "bbox_2d": [300, 400, 100, 200]}]', "ok", ("reversed_corners",)),
    (
        '[{"time": 0, "bbox_2d": [9, 9, 99, 99]}] no, better: [{"time": 0, "bbox_2d": [100, 200, 300, 400]}]',
        "ok",
        ("several_answers",),
    ),
    ('[{"time": 0.0, "bbox_2d": [100, 200, 300, 400]}, {"time": 7.0, "bbox_2d": [1, 1, 9, 9]}]', "ok", ("unmatched_times_1",)),
    ('[{"time": 0.0, "bbox_2d": [100, 200, 300, 400]}, {"bbox_2d": [1, 1, 9, 9]}]', "ok", ("entries_without_time_1",)),
    ('[{"time": 0.0, "bbox_2d": [100, 200, 300, 400]}, {"time": 0.5, "bbox_2d": [1, 1, 9]}]', "ok", ("bad_boxes_1",)),
    ('[{"time": 0.0, "bbox_2d": [100, 200, 300, 400]}] It is not visible later.', "ok", ("absence_phrase",)),
    ('[{"time": 0.0, "bbox_2d": [100, 200, 300, 400]}, {"time": 0.5, "bbox_2d": [1', "truncated", ()),
    ('[{"time": 0.0, "bbox_2d": [100, 200, 300, 400]', "truncated", ()),
]


@pytest.mark.parametrize(("text", "status", "notes"), TEXTS)
def test_a_timed_list_is_read_however_it_is_dressed(text, status, notes):
    reading = read("qwen3", text)
    assert (reading.status, reading.notes) == (status, notes)
    assert reading.answer == BoxTrack(frames=(FIRST, (), ()))


@pytest.mark.parametrize(
    ("text", "status", "notes"),
    [
        ('[{"time": 9.0, "bbox_2d": [1, 2, 3, 4]}]', "unreadable", ("unmatched_times_1", "no_coordinates")),
        ('[{"time": "soon", "bbox_2d": [1, 2, 3, 4]}]', "unreadable", ("entries_without_time_1", "no_coordinates")),
        ('[{"time": 0.0, "bbox_2d": [1, 2, x, 4]}]', "unreadable", ("bad_boxes_1", "no_coordinates")),
        ('[{"time": 0.0, "bbox_2d": [1,', "truncated", ()),
        ("<think>[", "truncated", ("reasoning_unclosed",)),
    ],
)
def test_a_timed_list_without_a_box_of_a_frame_has_no_answer(text, status, notes):
    reading = read("qwen3", text)
    assert (reading.status, reading.answer, reading.notes) == (status, None, notes)


def test_a_box_beyond_the_picture_is_kept_and_said():
    outside = read("qwen3", '[{"time": 0.0, "bbox_2d": [100, 200, 1100, 400]}]')
    assert (outside.status, outside.answer) == ("out_of_range", BoxTrack(frames=(((100.0, 100.0, 1100.0, 200.0),), (), ())))
    later = read("qwen3", '[{"time": 0, "bbox_2d": [100, 200, 300, 400]}, {"time": 1, "bbox_2d": [0, 0, 1001, 9]}]')
    assert (later.status, later.notes) == ("ok", ("some_out_of_range",))
    assert read("sa2va_box", "<box>0,0,1.1,1</box>").status == "out_of_range"
    assert "some_out_of_range" in read("sa2va_box", "<box>0,0,1,1<next>0,0,1.1,1</box>").notes


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("Frame1: <box>[[100, 200, 300, 400]]</box>", ()),
        ("frame 1: <ref>dog</ref><box>[[100, 200, 300, 400]]</box>\nFrame2: not shown", ()),
        ("Frame-1: [100, 200, 300, 400]; Frame 4: [1, 2, 3, 4]", ("unmatched_frames_1",)),
        ("Frame1: [1, 2, 3, 4]\nFrame1: [100, 200, 300, 400]", ()),
        ("Frame1: [100, 200, 300, 400]\nFrame2: [1, 2]", ("bad_boxes_1",)),
    ],
)
def test_numbered_frames_are_read(text, notes):
    reading = read("internvl", text)
    assert (reading.status, reading.notes, reading.answer) == ("ok", notes, BoxTrack(frames=(FIRST, (), ())))


def test_a_cut_numbered_answer_keeps_its_complete_boxes():
    reading = read("internvl", "Frame1: <box>[[100, 200, 300, 400]]</box>\nFrame2: <box>[[10")
    assert (reading.status, reading.answer) == ("truncated", BoxTrack(frames=(FIRST, (), ())))
    assert read("internvl", "[[100, 200, 300, 400]]").status == "unreadable"


@pytest.mark.parametrize(
    "text",
    [
        '{"start": 1.00, "end": 3.50}',
        '```json\n{"start_time": "00:01.0", "end_time": "00:03.5"}\n```',
        "From 1.0 to 3.5 seconds.",
        "1.0 - 3.5 s",
        "[1.0, 3.5]",
        "<think>0 - 9</think> first 0.1 to 0.2, or rather 1.0 to 3.5",
    ],
)
def test_a_stretch_of_time_is_read(text):
    reading = read("qwen3", text, SPAN)
    assert (reading.status, reading.answer, reading.num_found) == ("ok", Span(start_s=1.0, end_s=3.5), 1)


@pytest.mark.parametrize(
    ("text", "status"),
    [("", "empty"), ("soon", "unreadable"), ('{"start": 1.0', "unreadable"), ("not visible, or 1.0 - 2.0", "ambiguous")],
)
def test_a_text_without_one_stretch_of_time_says_why(text, status):
    reading = read("qwen25", text, SPAN)
    assert (reading.status, reading.answer) == (status, None)


@given(st.floats(0, 1e5), st.floats(0, 1e5))
def test_a_span_comes_back_to_half_a_hundredth(one, other):
    span = Span(start_s=min(one, other), end_s=max(one, other))
    dialect = get_dialect("sa2va_box")
    found = dialect.decode(dialect.encode(span, FRAMES), SPAN, FRAMES).answer
    assert isinstance(found, Span)
    assert found.start_s == pytest.approx(span.start_s, abs=0.005 + 1e-9)
    assert found.end_s == pytest.approx(span.end_s, abs=0.005 + 1e-9)


def test_a_reversed_span_is_swapped_and_noted():
    reading = read("qwen3", '{"start": 3.5, "end": 1.0}', SPAN)
    assert (reading.answer, reading.notes) == (Span(start_s=1.0, end_s=3.5), ("reversed_span",))


@pytest.mark.parametrize("name", DIALECTS)
def test_several_boxes_of_a_picture_are_asked_for_and_come_back(name):
    several = AnswerForm(shape="box", image_index=0, several=True)
    dialect, picture = get_dialect(name), Size(1000, 500)
    assert "one or more boxes" in dialect.instruction(several)
    boxes = ((100.0, 100.0, 300.0, 200.0), (500.0, 250.0, 900.0, 400.0))
    reading = dialect.decode(dialect.encode(Boxes(boxes=boxes), [picture]), several, [picture])
    assert (reading.status, reading.num_found) == ("ok", 2)
    assert isinstance(reading.answer, Boxes)
    assert [side for box in reading.answer.boxes for side in box] == pytest.approx([side for box in boxes for side in box], abs=1)


def test_times_have_as_many_decimals_as_tell_the_frames_apart():
    assert time_words((0.0, 0.5)) == ("0.0", "0.5")
    assert time_words((0.0, 0.042, 0.083)) == ("0.00", "0.04", "0.08")  # 24 frames a second
    assert time_words((1.0,)) == ("1.0",)


def test_a_time_is_that_of_the_nearest_frame_within_half_a_step():
    times = (0.0, 1.0, 3.0)
    assert [nearest_frame(time, times) for time in (-0.5, 0.5, 0.6, 1.5, 1.6, 2.6, 3.5, 3.6)] == [0, 0, 1, 1, None, 2, 2, None]
    assert nearest_frame(0.0, ()) is None
    assert nearest_frame(2.0, (1.6,)) == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1.5", 1.5),
        ("<1.5 seconds>", 1.5),
        ("2s", 2.0),
        ("01:02.5", 62.5),
        ("1:00:01", 3601.0),
        ("x", None),
        ("", None),
        ("1-2", None),
    ],
)
def test_seconds_are_read(text, seconds):
    assert read_seconds(text) == seconds


def test_the_prompt_and_the_answer_name_a_frame_by_the_same_words():
    images = tuple(ImageRef(root="data", path=f"{number}.jpg", width=1000, height=500, digest="") for number in range(3))
    part = VideoPart(image_indices=(0, 1, 2), times_s=(0.0, 0.042, 0.083))
    question = Question(id="q", task="refer_track", prompt=(part, TextPart(text="x"), TRACK), images=images, panels=())
    sizes = Size.all_of(question)
    assert [size.time_s for size in sizes] == [0.0, 0.042, 0.083]
    dialect = get_dialect("qwen3")
    shown = render_prompt(question.prompt, dialect, sizes)
    assert [segment for segment in shown if isinstance(segment, str)][:3] == ["<0.00 seconds>", "<0.04 seconds>", "<0.08 seconds>"]
    track = BoxTrack(frames=((), FIRST, ()))
    text = dialect.encode(track, sizes)
    assert '"time": 0.04' in text
    assert dialect.decode(text, TRACK, sizes).answer == track


def test_a_track_is_in_pixels_of_the_original_though_smaller_frames_are_sent():
    dialect = AsSent(get_dialect("pixels"), max_side=500)
    text = dialect.encode(BoxTrack(frames=(FIRST, (), ())), FRAMES)
    assert text == '[{"time": 0.0, "box": [50, 50, 150, 100]}]'
    assert dialect.decode(text, TRACK, FRAMES).answer == BoxTrack(frames=(FIRST, (), ()))


SCRAPS = [*'[](){}",:<>', " ", "\n", '"time": ', '"bbox_2d": ', '"box": ', "Frame", "Frame1: ", "1.0", "12", "0.5", "-", "<box>"]
SCRAPS += ["</box>", "<next>", "<no_box>", "<box_sep>", "start", "end", "from", "to", "seconds", "not visible", "1e9", "nan", "٣"]
ANY_TEXT = st.one_of(
    st.text(max_size=80), st.text(string.punctuation + string.digits, max_size=80), st.lists(st.sampled_from(SCRAPS)).map("".join)
)


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("form", [TRACK, SPAN], ids=lambda form: form.shape)
@given(text=ANY_TEXT)
@settings(max_examples=40, deadline=None)
def test_no_text_makes_decode_raise(name, form, text):
    reading = get_dialect(name).decode(text, form, FRAMES)
    assert reading.status in STATUSES
    assert (reading.answer is not None) or reading.status in {"unreadable", "empty", "truncated", "ambiguous"}
    assert not isinstance(reading.answer, BoxTrack) or len(reading.answer.frames) == 3


FLOODS = {
    "qwen3": ['{"time": 1.0, ', '{"time": 1.0, "bbox_2d": [1, 2, 3, 4]}, ', "[", '"time": ', "9"],
    "internvl": ["Frame1: [[", "Frame1: [1, 2, 3, 4] ", "Frame"],
    "sa2va_box": ["<box>0,", "<next>", "<no_box>"],
}


@pytest.mark.parametrize(("name", "unit"), [(name, unit) for name, units in FLOODS.items() for unit in units])
@pytest.mark.parametrize("form", [TRACK, SPAN], ids=lambda form: form.shape)
def test_a_megabyte_of_one_scrap_is_read_in_one_pass(name, unit, form):
    reading = read(name, unit * (2**20 // len(unit)), form)
    assert "text_cut" in reading.notes or reading.answer is not None
