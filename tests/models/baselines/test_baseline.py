import msgspec
import numpy as np
import pytest

from sightline.errors import InputError
from sightline.evaluate.predict import predict, read_geometry
from sightline.evaluate.score import score_example
from sightline.models import MODELS, Model, get_model
from sightline.models.baselines.baseline import asked_panel, deepest_pixel
from sightline.types import Answer, NotVisible, Points, Prediction

TASKS = ("t1_multi", "t1_concat", "t2a", "t2b")


def answers(taskset, name):
    """The baseline's answer to every example."""
    examples = list(taskset)
    found = get_model(name).answer([example.question for example in examples], taskset)
    return [(example, answer) for example, answer in zip(examples, found, strict=True) if isinstance(answer, Answer)]


def scores(taskset, name):
    return [
        score_example(example, Prediction(id=example.id, reading=read_geometry(answer, example.question)), taskset.read_mask)
        for example, answer in answers(taskset, name)
    ]


@pytest.mark.parametrize("name", MODELS)
def test_every_baseline_is_a_model_and_describes_itself_in_json(name):
    model = get_model(name)
    assert isinstance(model, Model)
    assert model.name == name
    assert msgspec.json.decode(msgspec.json.encode(model.describe())) == model.describe()


def test_an_unknown_model_lists_the_choices_and_the_nearest():
    with pytest.raises(InputError, match=r"no model is called 'centre'. Did you mean 'center'\? Choices: center, random, "):
        get_model("centre")


@pytest.mark.parametrize("spec", ["import:answers.jsonl", "theirs=import:answers.jsonl"])
def test_recorded_answers_are_no_model_without_a_task_set(spec):
    with pytest.raises(InputError, match="only predict and eval take them"):
        get_model(spec)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", ["center", "random", "copy"])
def test_constant_guesses_lie_in_the_view_that_is_asked_about(rooms, task, name):
    for example, answer in answers(rooms[task], name):
        assert isinstance(answer, Points)
        panel = example.question.panels[example.truth.panel_index]
        assert answer.image_index == panel.image_index
        ((x, y),) = answer.points
        assert 0 <= x - panel.x <= panel.source.width
        assert 0 <= y - panel.y <= panel.source.height
    assert not any(score.wrong_panel or score.said_visible is not True for score in scores(rooms[task], name))


def test_center_is_the_middle_of_the_query_half(rooms):
    example, answer = answers(rooms["t1_concat"], "center")[0]
    assert (example.question.images[0].width, example.question.images[0].height) == (320, 120)  # two views of 160 x 120
    assert answer == Points(points=((160 + 80.0, 60.0),), image_index=0)


def test_random_depends_on_the_id_alone_and_fills_the_view(rooms):
    found = answers(rooms["t1_multi"], "random")
    assert found == answers(rooms["t1_multi"], "random")
    points = np.array([answer.points[0] for _, answer in found if isinstance(answer, Points)])
    assert len(points) == len(rooms["t1_multi"])
    assert len(np.unique(points, axis=0)) == len(points)
    assert points.min(axis=0) == pytest.approx([0, 0], abs=20)  # of some 70 uniform points
    assert points.max(axis=0) == pytest.approx([160, 120], abs=20)
    assert points.mean(axis=0) == pytest.approx([80, 60], abs=20)


def test_copy_keeps_the_relative_position_where_the_views_differ_in_size(rooms):
    example = rooms["t1_multi"][0]
    question = example.question
    query = question.panels[1]
    wide = msgspec.structs.replace(query, source=msgspec.structs.replace(query.source, width=320, height=60))
    question = msgspec.structs.replace(
        question,
        panels=(question.panels[0], wide),
        reference=msgspec.structs.replace(question.reference, point=(40.0, 30.0)),
    )
    (answer,) = get_model("copy").answer([question], rooms["t1_multi"])
    assert answer == Points(points=((80.0, 15.0),), image_index=1)  # 40 / 160 * 320, 30 / 120 * 60


def test_copy_without_a_reference_is_the_centre(rooms):
    assert [answer for _, answer in answers(rooms["t2b"], "copy")] == [answer for _, answer in answers(rooms["t2b"], "center")]


def test_not_visible_is_right_on_every_absent_and_wrong_on_every_visible_object(rooms):
    for task in TASKS:
        for score in scores(rooms[task], "not-visible"):
            assert score.correct == (not score.visible)
            assert score.hit is not True


def test_a_model_sees_the_question_only(rooms):
    example = rooms["t1_multi"][0]
    assert b"truth" not in msgspec.json.encode(example.question)
    assert {panel.role for panel in example.question.panels} == {"reference", "query"}
    assert asked_panel(example.question) == example.question.panels[1]


def test_the_deepest_pixel_is_the_middle_of_the_thickest_part():
    mask = np.zeros((9, 20), dtype=bool)
    mask[2:7, 1:6] = True  # 5 x 5: its middle (4, 3) is 3 pixels from the next unset one
    mask[4, 6:19] = True  # a long thin tail
    assert deepest_pixel(mask) == (4, 3, pytest.approx(3.0))
    assert deepest_pixel(np.ones((3, 3), dtype=bool)) == (1, 1, pytest.approx(2.0))  # the picture's border counts as unset
    assert deepest_pixel(np.zeros((3, 3), dtype=bool))[2] == 0.0


def test_baselines_run_through_predict_in_batches(rooms, tmp_path):
    predict(rooms["t2b"], get_model("difference"), tmp_path)
    assert (tmp_path / "predictions.jsonl").read_bytes().count(b"\n") == len(rooms["t2b"])


def test_not_visible_answers_carry_no_point(rooms):
    assert {type(answer) for _, answer in answers(rooms["t2a"], "not-visible")} == {NotVisible}
