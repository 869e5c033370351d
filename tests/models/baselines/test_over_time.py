"""Baselines of clips: the same box or mask in each frame, the whole clip, or that nothing is there."""

from typing import Literal

import numpy as np
import pytest

from sightline.evaluate.predict import read_geometry
from sightline.geometry.masks import decode_mask
from sightline.models import NotApplicable, get_model
from sightline.models.baselines.baseline import Baseline
from sightline.taskset.store import TaskSet
from sightline.types import (
    Answer,
    AnswerForm,
    Boxes,
    BoxTrack,
    ImageRef,
    MaskAnswer,
    MaskTrack,
    NotVisible,
    Panel,
    Points,
    Question,
    Span,
    VideoPart,
)

Shape = Literal["point", "box", "mask", "box_track", "mask_track", "span"]
FRAMES = tuple(ImageRef(root="data", path=f"{number}.png", width=160, height=120, digest=f"{number}") for number in range(3))


def question(shape: Shape) -> Question:
    """Three frames at 1, 1.5 and 2.5 seconds."""
    return Question(
        id=f"refer/{shape}",
        task="refer",
        prompt=(VideoPart(image_indices=(0, 1, 2), times_s=(1.0, 1.5, 2.5)), AnswerForm(shape=shape, image_index=0)),
        images=FRAMES,
        panels=tuple(Panel(role="frame", image_index=index, source=image) for index, image in enumerate(FRAMES)),
    )


def no_taskset() -> TaskSet:
    """Baselines of this kind do not look at the task set."""
    return TaskSet.__new__(TaskSet)


def says(name: str, shape: Shape) -> Answer:
    model = get_model(name)
    assert isinstance(model, Baseline)
    (answer,) = model.answer([question(shape)], no_taskset())
    reading = read_geometry(answer, question(shape))
    assert reading.status in ("ok", "not_visible")
    return answer


GUESS = (60.0, 45.0, 100.0, 75.0)  # a quarter of 160 x 120 around (80, 60)
WHOLE = (0.0, 0.0, 160.0, 120.0)


@pytest.mark.parametrize(("name", "box"), [("center", GUESS), ("copy", GUESS), ("whole", WHOLE)])
def test_a_constant_box_is_given_in_each_frame(name: str, box: tuple[float, float, float, float]) -> None:
    assert says(name, "box") == Boxes(boxes=(box,))
    assert says(name, "box_track") == BoxTrack(frames=((box,),) * 3)
    filled = np.zeros((120, 160), bool)
    filled[int(box[1]) : int(box[3]), int(box[0]) : int(box[2])] = True
    region, track = says(name, "mask"), says(name, "mask_track")
    assert isinstance(region, MaskAnswer)
    assert (decode_mask(region.rle) == filled).all()
    assert track == MaskTrack(frames=(region.rle,) * 3)
    assert says(name, "span") == Span(start_s=1.0, end_s=3.0)  # the last frame lasts the smallest step, half a second


def test_a_point_is_the_centre_and_a_whole_picture_is_none() -> None:
    assert says("center", "point") == Points(points=((80.0, 60.0),))
    model = get_model("whole")
    assert isinstance(model, Baseline)
    assert model.requires is not None
    assert model.requires(question("point")) == "it answers with a whole picture, and a point is asked for"


def test_the_whole_picture_stands_in_no_table_of_points(rooms) -> None:
    with pytest.raises(NotApplicable, match="a point is asked for"):
        get_model("whole").check(rooms["t2b"])


@pytest.mark.parametrize("shape", ["box", "box_track", "mask_track", "span"])
def test_not_visible_is_said_of_every_question(shape: Shape) -> None:
    assert says("not-visible", shape) == NotVisible()


def test_chance_is_the_same_each_time_and_stays_in_the_clip() -> None:
    span = says("random", "span")
    assert isinstance(span, Span)
    assert 1.0 <= span.start_s <= span.end_s <= 3.0
    assert span == says("random", "span")
    track = says("random", "box_track")
    assert isinstance(track, BoxTrack)
    ((box,), *others) = track.frames
    assert others == [(box,), (box,)]
    assert 0 <= box[0] < box[2] <= 160
    assert 0 <= box[1] < box[3] <= 120


def test_a_stretch_of_one_frame_has_a_length() -> None:
    one = question("span")
    part = VideoPart(image_indices=(0,), times_s=(1.0,))
    lone = Question(id=one.id, task=one.task, prompt=(part, one.form), images=FRAMES[:1], panels=one.panels[:1])
    model = get_model("center")
    assert model.answer([lone], no_taskset()) == [Span(start_s=1.0, end_s=2.0)]
