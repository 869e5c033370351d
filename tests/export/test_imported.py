"""`import:PATH`: recorded answers as a model for any task set."""

import json
from pathlib import Path

import pytest

from sightline.errors import InputError
from sightline.export.imported import imported_answers, is_imported
from sightline.models import ModelOptions, NotApplicable
from sightline.taskset.store import TaskSet
from tests.export.test_lmms_eval import texts_for
from tests.export.test_predictions import write_lmms_eval, write_vlmevalkit

OPTIONS = ModelOptions(dialect="qwen3")


def write_answers(path: Path, texts: dict[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"id": key, "text": text}) + "\n" for key, text in texts.items()))
    return path


@pytest.fixture
def multi(tasksets: Path) -> TaskSet:
    return TaskSet(tasksets / "t1_multi-train")


@pytest.fixture
def removed(tasksets: Path) -> TaskSet:
    return TaskSet(tasksets / "t2b-train")


def test_a_folder_of_logs_answers_each_task_set_with_its_own(multi: TaskSet, removed: TaskSet, tmp_path: Path) -> None:
    write_lmms_eval(multi, tmp_path / "multi")
    write_answers(tmp_path / "logs" / "deep" / "removed.jsonl", texts_for(removed))
    (tmp_path / "multi" / "20261121_samples_sightline.jsonl").rename(tmp_path / "logs" / "a_samples_multi.jsonl")
    (tmp_path / "logs" / "a_results.json").write_text("{}")  # lmms-eval writes it beside them
    found = imported_answers(f"import:{tmp_path / 'logs'}", OPTIONS)
    assert (found.name, found.dialect.name, len(found.paths)) == ("logs", "qwen3", 2)
    for taskset in (multi, removed):
        model = found.answers_to(taskset)
        assert (model.name, model.texts) == ("logs", texts_for(taskset))
    assert found.answers_to(multi).describe() != found.answers_to(removed).describe()


def test_answers_to_other_task_sets_do_not_change_a_run(multi: TaskSet, removed: TaskSet, tmp_path: Path) -> None:
    path = write_answers(tmp_path / "answers.jsonl", texts_for(multi))
    before = imported_answers(f"import:{path}", OPTIONS).answers_to(multi).describe()
    write_answers(path, texts_for(multi) | texts_for(removed))
    assert imported_answers(f"import:{path}", OPTIONS).answers_to(multi).describe() == before


def test_a_name_may_be_given(multi: TaskSet, tmp_path: Path) -> None:
    path = write_answers(tmp_path / "answers.jsonl", texts_for(multi))
    assert imported_answers(f"import:{path}", OPTIONS).name == "answers"
    assert imported_answers(f"theirs=import:{path}", OPTIONS).name == "theirs"
    assert is_imported(f"theirs=import:{path}")
    assert not is_imported("hf:import:x")


def test_a_task_set_without_any_answer_is_left_out_and_one_with_some_is_an_error(
    multi: TaskSet, removed: TaskSet, tmp_path: Path
) -> None:
    texts = texts_for(multi)
    found = imported_answers(f"import:{write_answers(tmp_path / 'answers.jsonl', texts)}", OPTIONS)
    with pytest.raises(NotApplicable, match="1 files, but no answer to any example of"):
        found.answers_to(removed)
    texts.popitem()
    found = imported_answers(f"import:{write_answers(tmp_path / 'answers.jsonl', texts)}", OPTIONS)
    with pytest.raises(InputError, match=f"1 of the {len(multi)} examples"):
        found.answers_to(multi).check(multi)


def test_two_logs_with_answers_to_one_example_are_refused_by_name(multi: TaskSet, tmp_path: Path) -> None:
    for name in ("monday", "tuesday"):
        write_answers(tmp_path / "logs" / f"{name}.jsonl", texts_for(multi))
    found = imported_answers(f"import:{tmp_path / 'logs'}", OPTIONS)
    with pytest.raises(InputError, match=r"tuesday\.jsonl, line 1: a second answer to .*; the first is at .*monday\.jsonl, line 1"):
        found.answers_to(multi)


def test_numbers_without_ids_are_refused(multi: TaskSet, tmp_path: Path) -> None:
    path = write_vlmevalkit(multi, tmp_path)
    with pytest.raises(InputError, match=r"line \d+: an answer with a number \(0\).*sightline import predictions"):
        imported_answers(f"import:{path}", OPTIONS).answers_to(multi)


def test_logs_in_another_dialect_are_refused(multi: TaskSet, tmp_path: Path) -> None:
    path = write_lmms_eval(multi, tmp_path)
    with pytest.raises(InputError, match=r"the true answer is .* in the dialect 'roborefer'"):
        imported_answers(f"import:{path}", ModelOptions(dialect="roborefer")).answers_to(multi)


def test_what_is_not_there_or_not_declared_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"import:.*none: no such file or folder"):
        imported_answers(f"import:{tmp_path / 'none'}", OPTIONS)
    with pytest.raises(FileNotFoundError, match="import:: no such file or folder"):
        imported_answers("import:", OPTIONS)
    with pytest.raises(FileNotFoundError, match="no file of answers in this folder"):
        imported_answers(f"import:{tmp_path}", OPTIONS)
    path = write_answers(tmp_path / "answers.jsonl", {"t": "x"})
    with pytest.raises(InputError, match="model 'answers': it is not known how it writes coordinates"):
        imported_answers(f"import:{path}", ModelOptions())
