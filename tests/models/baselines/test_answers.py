"""Baselines of letters, numbers and words, and a model without its pictures, on a tiny VSI-Bench; scored by the rules of others."""

import json
from pathlib import Path

import pytest

from sightline.cli import run
from sightline.errors import InputError
from sightline.models import get_model
from sightline.models.baselines.answers import most_frequent
from sightline.models.baselines.blind import blinded
from sightline.taskset.store import TaskSet
from sightline.types import AnswerForm, Choice, Number, TextAnswer, TextPart
from tests.qa_trees import write_vsi


@pytest.fixture(scope="module")
def taskset(tmp_path_factory: pytest.TempPathFactory) -> TaskSet:
    folder = tmp_path_factory.mktemp("vsi")
    out = folder / "sets"
    assert (
        run(["build", "qa", "--data", "vsi-bench", "--root", str(write_vsi(folder / "root")), "--out", str(out), "--workers", "1"])
        == 0
    )
    return TaskSet(out / "spatial_qa-test")


def test_the_most_frequent_answer_and_the_smallest_of_equals():
    assert most_frequent([Number(value=4), Number(value=2), Number(value=4)]) == Number(value=4)
    assert most_frequent([Number(value=4), Number(value=2)]) == Number(value=2)
    assert most_frequent([TextAnswer(text="b"), TextAnswer(text="a")]) == TextAnswer(text="a")


def test_frequent_answers_by_type_and_chance_among_options(taskset: TaskSet):
    questions = [example.question for example in taskset]
    model = get_model("frequent")
    model.check(taskset)
    by_type: dict[str, list] = {}
    for example in taskset:
        by_type.setdefault(example.tier, []).append(example.truth.answer)
    assert list(model.answer(questions, taskset)) == [most_frequent(by_type[example.tier]) for example in taskset]
    chance = get_model("chance").answer(questions, taskset)
    for question, answer in zip(questions, chance, strict=True):
        assert not isinstance(answer, Choice) or answer.value in question.form.options
    assert get_model(f"frequent:{taskset.path}").answer(questions, taskset) == model.answer(questions, taskset)


def test_a_blind_question_has_words_and_nothing_else(taskset: TaskSet):
    question = blinded(taskset[0].question)
    assert question.images == question.panels == ()
    assert {type(part) for part in question.prompt} == {TextPart, AnswerForm}
    assert get_model("blind:frequent").name == "frequent-blind"


def test_one_command_scores_saved_answers_by_every_rule_that_fits(
    taskset: TaskSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "run"
    assert run(["predict", str(taskset.path), "--model", "frequent", "--out", str(folder)]) == 0
    capsys.readouterr()
    assert run(["score", str(folder), "--protocol", "qa", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"summary", "vsi-official", "vsi-lmms-eval", "vsi-vlmevalkit", "vsi-spatial-mllm"} <= found.keys()
    official = found["vsi-official"]
    assert official["metrics"]["overall"]["value"] == 1.0  # one question of each type, and its own truth is the most frequent
    assert official["num_rewritten"] == official["n"] == len(taskset)
    assert json.loads((folder / "summary.vsi-official.json").read_text())["protocol"] == "vsi-official"
    assert found["summary"]["metrics"]["qa"]["value"] == 1.0
    assert run(["score", str(folder), "--protocol", "sqa3d"]) == 2
    assert "Its rules: vsi-official" in capsys.readouterr().err


def test_a_place_cannot_be_answered_from_words(taskset: TaskSet):
    with pytest.raises(InputError, match="no model is called"):
        get_model("blind:nothing")
    get_model("blind:frequent").check(taskset)
