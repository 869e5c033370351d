"""What `POST /v1/point` answers: right places, in pixels of the pictures that were sent."""

import json

import cv2
import numpy as np
import pytest

from sightline import media
from sightline.geometry.masks import encode_mask
from sightline.models import get_model
from sightline.serve.posted import Limits, read_point_request
from sightline.types import NotVisible, Points
from tests.models.conftest import rooms  # noqa: F401 - a fixture
from tests.serve.served import Speaker, as_base64, picture, sent, served

A, B = sent(picture(160, 120, 1)), sent(picture(320, 200, 2))


def square(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros((120, 160), dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


def coco(mask: np.ndarray) -> dict:
    rle = encode_mask(mask)
    return {"size": [rle.height, rle.width], "counts": rle.counts}


def test_the_centre_of_the_last_picture() -> None:
    with served(get_model("center")) as service:
        answer = service.post({"images": [A, B], "question": "Where is it?"})
        other = service.post({"images": [A, B], "question": "Where is it?", "answer_in": 0})
    assert answer.status == 200
    assert answer.json["answer"] == {"kind": "point", "x": 160.0, "y": 100.0, "image": 1}
    assert (answer.json["status"], answer.json["raw"], answer.json["model"]) == ("ok", None, "center")
    assert other.json["answer"] == {"kind": "point", "x": 80.0, "y": 60.0, "image": 0}


@pytest.mark.parametrize(
    ("mark", "x", "y"),
    [
        # the middle of columns 20..59 and rows 30..49 is (40, 40)
        ({"mask": coco(square(20, 30, 60, 50))}, 40, 40),
        ({"mask": as_base64(media.encode_grey_png(np.uint8(255) * square(20, 30, 60, 50)))}, 40, 40),
        ({"box": [10, 20, 30, 40]}, 20, 30),
        ({"point": [10.5, 20.5]}, 10.5, 20.5),
    ],
)
def test_every_kind_of_mark_is_understood(mark, x, y) -> None:
    with served(get_model("copy")) as service:
        answer = service.post({"images": [A, "data:image/png;base64," + B], "mark": mark})
    # `copy` keeps the relative position: 160 x 120 becomes 320 x 200
    assert answer.json["answer"] == {"kind": "point", "x": pytest.approx(x * 2), "y": pytest.approx(y * 200 / 120), "image": 1}


def test_not_visible_is_an_answer() -> None:
    with served(get_model("not-visible")) as service:
        answer = service.post({"images": [A], "question": "Where is the cat?"})
    assert (answer.status, answer.json["answer"], answer.json["status"]) == (200, {"kind": "not_visible"}, "not_visible")


@pytest.mark.parametrize(
    ("text", "status", "found"),
    [
        ("[(0.25, 0.5)]", "ok", {"kind": "point", "x": 40.0, "y": 60.0, "image": 0}),
        ("NOT_VISIBLE", "not_visible", {"kind": "not_visible"}),
        ("NOT_VISIBLE [(0.25, 0.5)]", "ambiguous", None),
        ("over there", "unreadable", None),
        ("", "empty", None),
        ("[(2.0, 0.5)]", "out_of_range", {"kind": "point", "x": 320.0, "y": 60.0, "image": 0}),
    ],
)
def test_texts_are_read_by_the_models_dialect_and_given_raw(text, status, found) -> None:
    with served(Speaker(lambda _: text)) as service:
        answer = service.post({"images": [A], "question": "Where?"}).json
    assert (answer["status"], answer["answer"], answer["raw"]) == (status, found, text)


def test_the_pictures_and_words_are_those_of_the_task_set(rooms) -> None:  # noqa: F811
    taskset = rooms["t1_multi"]
    for example in list(taskset)[:5]:
        question = example.question
        assert question.reference is not None
        plain = [sent(taskset.read_rgb(panel.source)) for panel in question.panels]
        mask = coco(taskset.read_mask(question.reference.mask))
        posed = read_point_request(json.dumps({"images": plain, "mark": {"mask": mask}}).encode(), Limits())
        assert posed.question.prompt == question.prompt
        assert [image.digest for image in posed.question.images] == [image.digest for image in question.images]
        assert posed.question.reference is not None
        assert posed.question.reference.mask == question.reference.mask


def test_answers_are_those_that_predict_gets(rooms) -> None:  # noqa: F811
    taskset = rooms["t1_multi"]
    questions = [example.question for example in taskset][:6]
    expected = get_model("oracle").answer(questions, taskset)
    assert {type(answer) for answer in expected} == {Points, NotVisible}
    with served(get_model("oracle")) as service:
        answers = service.together([full_request(question, taskset) for question in questions])
    assert [answer.json["batch_size"] for answer in answers] == [6] * 6
    for answer, right in zip(answers, expected, strict=True):
        if isinstance(right, NotVisible):
            assert answer.json["answer"] == {"kind": "not_visible"}
        else:
            assert isinstance(right, Points)
            x, y = right.points[0]
            assert answer.json["answer"] == {"kind": "point", "x": pytest.approx(x), "y": pytest.approx(y), "image": 1}


def full_request(question, taskset) -> dict:
    """Pictures, mask, depth and cameras of a question."""
    images = []
    for panel in question.panels:
        camera = panel.camera
        images.append(
            {
                "image": sent(taskset.read_rgb(panel.source)),
                "depth": as_base64(taskset.file(panel.depth).read_bytes()),
                "metres_per_unit": panel.depth.metres_per_unit,
                "camera": {name: getattr(camera, name) for name in ("fx", "fy", "cx", "cy", "camera_to_world")},
            }
        )
    return {"images": images, "mark": {"mask": coco(taskset.read_mask(question.reference.mask))}}


def test_the_difference_of_two_pictures() -> None:
    before = picture(160, 120, 3)
    after = before.copy()
    after[40:60, 100:130] = 255 - after[40:60, 100:130]
    with served(get_model("difference")) as service:
        answer = service.post({"images": [sent(before), sent(after)], "question": "Where was the object that is gone?"})
    x, y = answer.json["answer"]["x"], answer.json["answer"]["y"]
    assert 100 < x < 130
    assert 40 < y < 60


@pytest.mark.parametrize(
    ("name", "request_", "reason"),
    [
        ("difference", {"images": [A], "question": "What changed?"}, "no second view"),
        ("features", {"images": [A], "question": "Where?"}, "no second view"),
        ("oracle", {"images": [A, B], "mark": {"point": [1, 1]}}, "no camera pose"),
    ],
)
def test_a_model_that_lacks_something_says_what(name, request_, reason) -> None:
    with served(get_model(name)) as service:
        answer = service.post(request_)
    assert answer.status == 422
    assert reason in answer.error["message"]


def test_a_marked_picture_that_is_itself_asked_about() -> None:
    with served(get_model("copy")) as service:
        answer = service.post({"images": [A], "mark": {"point": [30, 40]}, "question": "Where can one grasp it?"})
    assert answer.json["answer"] == {"kind": "point", "x": 30.0, "y": 40.0, "image": 0}


def test_a_question_reaches_the_model_with_its_pictures_and_mark() -> None:
    with served(Speaker(lambda words: words)) as service:
        raw = service.post({"images": [A, B], "mark": {"box": [1, 1, 9, 9]}, "question": "Where is its twin?"}).json["raw"]
    # the newlines stand where pictures end
    assert raw == "Picture 1: \nPicture 2: \nIn picture 1 one object is inside the red box. Where is its twin?"


@pytest.mark.parametrize(("style", "changed"), [("overlay", 800), ("contour", None), ("box", None), ("point", None)])
def test_a_mask_is_drawn_as_asked(style, changed) -> None:

    rgb = np.full((120, 160, 3), 90, np.uint8)
    mask = {"mask": coco(square(20, 30, 60, 50)), "drawn": style}
    posed = read_point_request(json.dumps({"images": [sent(rgb), B], "mark": mask}).encode(), Limits())
    drawn = posed.rgb[posed.question.images[0].digest]
    touched = (drawn != rgb).any(axis=2)
    inside = square(20, 30, 60, 50)
    if changed:  # 40 x 20 pixels, all of the mask and nothing else
        assert touched.sum() == changed
    if style in ("contour", "box"):
        assert not (touched & inside).any()
        assert (touched & (cv2.dilate(inside.astype(np.uint8), np.ones((5, 5))) > 0)).any()
    if style == "point":
        assert (touched & inside).any()
