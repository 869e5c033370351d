"""The demo's training step at a size of seconds: task sets, checkpoint, training, questions before and after."""

from pathlib import Path

import numpy as np
import pytest

from sightline.demo.learning import Lesson, ask, best_constant, learn, prepare
from sightline.errors import InputError
from sightline.evaluate.predict import predict
from sightline.evaluate.run import read_scores
from sightline.evaluate.score import score_run
from sightline.evaluate.summary import summarise
from sightline.taskset.store import TaskSet

SHORT = ("trainer.max_steps=2", "trainer.log_every=1", "data.rows_per_step=4", "logger=none")


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("learning")


@pytest.fixture(scope="module")
def lesson(out) -> Lesson:
    pytest.importorskip("torch", reason="needs the models extra")
    pytest.importorskip("transformers", reason="needs the models extra")
    return prepare(out, seed=3, sizes=(8, 4))


@pytest.fixture(scope="module")
def weights(lesson, out) -> Path:
    pytest.importorskip("lightning", reason="needs the train extra")
    pytest.importorskip("hydra", reason="needs the train extra")
    return learn(lesson, out, seed=3, overrides=SHORT, quiet=True)


def test_rooms_are_held_out_by_name_and_by_picture(lesson):
    train, validation = TaskSet(lesson.train), TaskSet(lesson.validation)
    assert (len(train), len(validation)) == (8, 4)
    for of_example in (lambda example: example.group, lambda example: example.question.images[0].digest):
        assert not {of_example(example) for example in train} & {of_example(example) for example in validation}


def test_the_words_of_a_question_are_one_token_and_a_point_is_five(lesson):
    from transformers import AutoProcessor  # noqa: PLC0415

    tokenizer = AutoProcessor.from_pretrained(lesson.checkpoint).tokenizer
    assert len(tokenizer(f'\nPoint at what this expression refers to: "the red object". {_instruction()}')["input_ids"]) == 1
    assert tokenizer.tokenize("(7, 41)") == ["(", "7", ", ", "41", ")"]
    assert tokenizer.tokenize("141") == ["1", "4", "1"]


def _instruction() -> str:
    return "Answer with one point in the image, written as (x, y), in whole pixels of that image, counted from its top left corner."


def test_the_best_constant_hits_as_many_objects_as_any_pixel_could(lesson, tmp_path):
    for folder in (lesson.train, lesson.validation):
        taskset = TaskSet(folder)
        masks = [taskset.read_mask(example.truth.mask) for example in taskset if example.truth.mask]
        most = max(sum(bool(mask[row, column]) for mask in masks) for row, column in np.ndindex(*masks[0].shape))
        run = tmp_path / folder.name
        predict(taskset, best_constant(taskset), run)
        score_run(run)
        assert sum(bool(score.correct) for score in read_scores(run)) == most > 0


def test_what_is_there_is_kept_and_another_seed_is_refused(lesson, out):
    before = (lesson.checkpoint / "model.safetensors").stat().st_mtime_ns
    assert prepare(out, seed=3, sizes=(8, 4)) == lesson
    assert (lesson.checkpoint / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(InputError, match="Choose another folder"):
        prepare(out, seed=4, sizes=(8, 4))


@pytest.mark.slow
def test_the_model_is_trained_and_asked_before_and_after(lesson, weights, tmp_path):
    runs = ask(lesson, weights, tmp_path)
    assert [run.parent.name for run in runs] == ["center", "random", "best-constant", "before", "after"]
    for run in runs:
        score_run(run)
        assert summarise(run).metrics["hit_exact"].n == 4
    assert (weights / "model.safetensors").read_bytes() != (lesson.checkpoint / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_a_training_that_is_complete_is_not_done_again(lesson, weights, out):
    before = (weights / "model.safetensors").stat().st_mtime_ns
    assert learn(lesson, out, seed=3, overrides=SHORT, quiet=True) == weights
    assert (weights / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"rates\.lr"):
        learn(lesson, out, seed=3, overrides=(*SHORT, "rates.lr=0.1"), quiet=True)
