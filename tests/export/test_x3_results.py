"""Result files of the pipeline's evaluator as answers."""

import json
from pathlib import Path

import pytest

from sightline.dialects import get_dialect
from sightline.errors import InputError
from sightline.evaluate.predict import predict
from sightline.evaluate.run import read_predictions
from sightline.export.predictions import read_answers
from sightline.export.recorded import RecordedTexts
from sightline.taskset.store import TaskSet
from sightline.types import Points


def recorded(path: Path, taskset: TaskSet) -> RecordedTexts:
    return read_answers(path, "x3-results", taskset=taskset, dialect=get_dialect("roborefer"), name="old")


def write_results(path: Path, texts: dict[str, str | None]) -> Path:
    path.write_text(json.dumps({"metrics": {"total": 1}, "results": [{"id": k, "pred_text": v, "x": 1} for k, v in texts.items()]}))
    return path


def test_answers_are_read_by_the_roborefer_dialect(tasksets: Path, tmp_path: Path) -> None:
    taskset = TaskSet(tasksets / "t2b-train")
    ids = [example_id.replace("t2b/", "T2B_MULTI_").replace("/uid_", "_uid") for example_id in taskset.index["id"]]
    theirs = [f"{head}_K{view.replace('_', '')}" for head, _, view in (example_id.rpartition("/") for example_id in ids)]
    path = write_results(tmp_path / "old.json", {**dict.fromkeys(theirs, "[(0.500, 0.500)]"), theirs[0]: None, "T9": "unused"})
    predict(taskset, recorded(path, taskset), tmp_path / "run")
    readings = [prediction.reading for prediction in read_predictions(tmp_path / "run")]
    assert readings[0].status == "empty"
    assert {reading.answer for reading in readings[1:]} == {Points(points=((12.0, 9.0),), image_index=1)}


def test_an_example_without_a_result_is_an_error(tasksets: Path, tmp_path: Path) -> None:
    taskset = TaskSet(tasksets / "t2b-train")
    path = write_results(tmp_path / "old.json", {taskset.index["id"][0]: "NOT_VISIBLE"})
    with pytest.raises(InputError, match=rf"old\.json: {len(taskset) - 1} of the {len(taskset)} examples"):
        predict(taskset, recorded(path, taskset), tmp_path / "run")
    assert not (tmp_path / "run" / "predictions.jsonl").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "object"),
        ('{"results": [{"id": 1}]}', "id"),
        ('{"results": []}', "no results"),
        ('{"results": [{"id": "a"}, {"id": "a"}]}', "two results for a"),
    ],
)
def test_a_file_that_is_no_result_file_is_refused(content: str, message: str, tasksets: Path, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(content)
    with pytest.raises(InputError, match=message):
        recorded(tmp_path / "old.json", TaskSet(tasksets / "t2b-train"))


def test_a_missing_file_is_named(tasksets: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"old\.json"):
        recorded(tmp_path / "old.json", TaskSet(tasksets / "t2b-train"))
