"""Several models on several task sets."""

import gc
import json
import re
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from sightline.errors import InputError
from sightline.evaluate import suite
from sightline.evaluate.choosing import choose_all
from sightline.evaluate.run import read_predictions, set_names
from sightline.evaluate.suite import Suite
from sightline.models import Model, ModelOptions, get_model
from sightline.taskset.store import TaskSet
from sightline.types import Example

NO_OPTIONS = ModelOptions()


@pytest.fixture
def taskset(make_example: Callable[..., Example], write_taskset: Callable[..., TaskSet]) -> TaskSet:
    return write_taskset([make_example("t1_multi", f"room/{number}", visible=number % 2 == 0) for number in range(6)])


def test_two_models_of_one_name_are_refused_before_anything_is_asked() -> None:
    one, other = ("openai:http://127.0.0.1:1#tiny", "openai:http://127.0.0.1:2#tiny")
    options = ModelOptions(dialect="roborefer")
    with pytest.raises(InputError, match=rf"'{one}' and --model '{other}' are both called 'tiny'.*NAME={other}"):
        choose_all([one, "center", other], options)
    assert [model.name for model in choose_all([one, f"second={other}", one], options)] == ["tiny", "second"]


def test_a_name_belongs_to_models_with_a_prefix_alone() -> None:
    with pytest.raises(InputError, match="no model is called 'mine=center'"):
        get_model("mine=center")


@pytest.mark.parametrize("name", ["a/b", "..", "", "two words", "-x"])
def test_a_name_that_is_no_folder_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=rf"the name '{re.escape(name)}' may hold letters"):
        get_model(f"{name}=openai:http://127.0.0.1:1#tiny", ModelOptions(dialect="roborefer"))


def test_an_equals_sign_behind_the_prefix_is_no_name() -> None:
    assert get_model("openai:http://127.0.0.1:1#a=b:c", ModelOptions(dialect="roborefer")).name == "a-b-c"


def test_a_model_is_gone_before_the_next_one_is_asked(taskset: TaskSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with weights in memory: `seen` holds, at each model's start, how many of the others are still there."""
    alive: list[weakref.ref[Model]] = []
    seen: list[int] = []

    def watched(tasks: TaskSet, model: Model, out: Path, **options: object) -> object:
        alive.append(weakref.ref(model))
        seen.append(sum(reference() is not None for reference in alive))
        return predict(tasks, model, out, **options)  # pyright: ignore[reportArgumentType]

    predict = suite.predict
    monkeypatch.setattr(suite, "predict", watched)
    gc.disable()
    try:
        runs, _ = Suite([taskset], tmp_path, limit=None, max_errors=0.0).ask(["center", "random", "copy"], NO_OPTIONS)
    finally:
        gc.enable()
    assert seen == [1, 1, 1]
    assert [run.parent.name for run in runs] == ["center", "random", "copy"]


def test_runs_stand_by_task_set_in_the_order_of_the_models_and_what_is_left_out_says_why(taskset: TaskSet, tmp_path: Path) -> None:
    name = taskset.manifest.name
    answers = tmp_path / "answers.jsonl"
    answers.write_text(json.dumps({"id": "t2b/room/1", "text": "?"}) + "\n")
    models = ["copy", f"import:{answers}", "center"]
    runs, skipped = Suite([taskset], tmp_path / "runs", limit=3, max_errors=0.0).ask(models, ModelOptions(dialect="qwen3"))
    assert runs == [tmp_path / "runs" / "copy" / name, tmp_path / "runs" / "center" / name]
    assert [len(list(read_predictions(run))) for run in runs] == [3, 3]
    (why_not,) = skipped
    assert why_not.startswith(f"answers on {name}: ")
    assert "no answer to any example" in why_not


def test_task_sets_of_one_name_are_told_apart_by_their_folders(taskset: TaskSet, tmp_path: Path) -> None:
    sets = [
        ("spatial_qa-test", "tasks/vsi/spatial_qa-test"),
        ("spatial_qa-test", "tasks/sqa/spatial_qa-test"),
        ("t2b-test", "t2b-test"),
    ]
    assert set_names(sets) == ["vsi-spatial_qa-test", "sqa-spatial_qa-test", "t2b-test"]
    with pytest.raises(
        InputError, match=rf"two task sets are called .*-{taskset.manifest.name}, one of them .*: evaluate them into two"
    ):
        Suite([taskset, taskset], tmp_path, limit=None, max_errors=0.0).ask(["center"], NO_OPTIONS)
    assert not (tmp_path / "center").exists()
