"""Answers of other tools: the same texts score as if the model had been asked by us."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sightline.dialects import get_dialect
from sightline.errors import InputError
from sightline.evaluate.lmms_eval import metric_names
from sightline.evaluate.predict import predict
from sightline.evaluate.run import read_scores
from sightline.evaluate.score import score_run
from sightline.export.predictions import Format, read_answers
from sightline.export.vlmevalkit import export_vlmevalkit
from sightline.taskset.store import TaskSet
from sightline.types import Score
from tests.export.test_lmms_eval import Script, export, texts_for
from tests.export.test_vlmevalkit import table

QWEN3 = get_dialect("qwen3")


@pytest.fixture
def taskset(tasksets: Path) -> TaskSet:
    return TaskSet(tasksets / "t1_multi-train")


def scored(taskset: TaskSet, model: object, folder: Path) -> list[Score]:
    predict(taskset, model, folder)  # pyright: ignore[reportArgumentType] - any model
    score_run(folder)
    return list(read_scores(folder))


def write_lmms_eval(taskset: TaskSet, folder: Path, *, with_items: bool = True) -> Path:
    """`*_samples_*.jsonl` as lmms-eval writes it: one request a doc, so its lists are flattened; out of order, as of many ranks."""
    texts = texts_for(taskset)
    exported = export(taskset, folder)
    lines = []
    for number, doc in enumerate(exported.docs):
        items = exported.utils.process(doc, [texts[doc["id"]].strip()]) if with_items else {"bypass": 0.0}
        sample = {"doc_id": number, "target": doc["answer"], "filtered_resps": texts[doc["id"]], "doc_hash": "0", "input": "?"}
        lines.append(json.dumps(sample | items))
    path = folder / "20261121_samples_sightline.jsonl"
    path.write_text("\n".join(reversed(lines)) + "\n")
    return path


def write_vlmevalkit(taskset: TaskSet, folder: Path) -> Path:
    """Their prediction file: the exported columns without the pictures, and `prediction`."""
    texts = texts_for(taskset)
    export_vlmevalkit([taskset.path], folder, dialect=QWEN3)
    rows = table(folder / f"{taskset.manifest.name}.tsv")
    columns = [name for name in rows[0] if name not in ("image", "id")] + ["prediction"]
    path = folder / "model_sightline.tsv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter="\t", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row | {"prediction": texts[row["id"]]} for row in rows)
    return path


def write_jsonl(taskset: TaskSet, folder: Path) -> Path:
    """RoboPoint's answer file."""
    texts = texts_for(taskset)
    lines = [
        {"question_id": number, "prompt": "?", "text": texts[name], "model_id": "m", "metadata": {}}
        for number, name in enumerate(taskset.index["id"])
    ]
    path = folder / "answers.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


WRITERS: dict[Format, Callable[[TaskSet, Path], Path]] = {
    "lmms-eval": write_lmms_eval,
    "vlmevalkit": write_vlmevalkit,
    "jsonl": write_jsonl,
}


@pytest.mark.parametrize("kind", list(WRITERS))
def test_equal_texts_have_equal_scores(taskset: TaskSet, tmp_path: Path, kind: Format) -> None:
    path = WRITERS[kind](taskset, tmp_path)
    model = read_answers(path, kind, taskset=taskset, dialect=QWEN3)
    ours = scored(taskset, Script(texts_for(taskset)), tmp_path / "ours")
    assert scored(taskset, model, tmp_path / "theirs") == ours
    assert {score.status for score in ours} == {"ok", "empty", "not_visible", "unreadable"}


def test_a_log_of_lmms_eval_says_what_it_scored_itself(taskset: TaskSet, tmp_path: Path) -> None:
    path = write_lmms_eval(taskset, tmp_path)
    model = read_answers(path, "lmms-eval", taskset=taskset, dialect=QWEN3)
    scores = {score.id: score for score in scored(taskset, model, tmp_path / "run")}
    name = metric_names("t1_multi")[0].name
    for line in path.read_text().splitlines():
        item = json.loads(line)[name]
        assert item["correct"] == scores[item["id"]].correct


def test_a_log_without_ids_is_matched_by_position_and_true_answer(taskset: TaskSet, tmp_path: Path) -> None:
    path = write_lmms_eval(taskset, tmp_path, with_items=False)
    assert read_answers(path, "lmms-eval", taskset=taskset, dialect=QWEN3).texts == texts_for(taskset)


@pytest.mark.parametrize("kind", ["lmms-eval", "vlmevalkit"])
def test_answers_in_another_dialect_are_refused(taskset: TaskSet, tmp_path: Path, kind: Format) -> None:
    path = WRITERS[kind](taskset, tmp_path)
    with pytest.raises(InputError, match=r"line \d+: the true answer is .* in the dialect 'roborefer'"):
        read_answers(path, kind, taskset=taskset, dialect=get_dialect("roborefer"))


@pytest.mark.parametrize(
    ("kind", "name", "content", "message"),
    [
        ("lmms-eval", "a.jsonl", '{"doc_id": 0}', "line 1: no filtered_resps"),
        ("lmms-eval", "a.jsonl", '{"filtered_resps": "x"}', "expected a doc_id"),
        ("lmms-eval", "a.jsonl", '{"doc_id": 0, "filtered_resps": ["x", "y"]}', "expected one text"),
        ("lmms-eval", "a.jsonl", '{"doc_id": 99, "filtered_resps": "x"}', "answer number 99"),
        ("lmms-eval", "a.jsonl", "[1]", "line 1: expected one JSON object"),
        ("jsonl", "a.jsonl", '{"id": "t9/x", "text": "x"}', "answer to 't9/x'"),
        ("jsonl", "a.jsonl", '{"id": 0, "text": "x"}\n{"id": 0, "text": "y"}', "line 2: a second answer"),
        ("jsonl", "a.jsonl", '{"id": 0}', "one of text, answer"),
        ("jsonl", "a.jsonl", "\n", "no answers"),
        ("vlmevalkit", "a.tsv", "index\tanswer\n0\tx\n", "columns prediction"),
        ("vlmevalkit", "a.tsv", "index\tprediction\nzero\tx\n", "line 2: expected an index"),
        ("vlmevalkit", "a.xlsx", "PK", "PRED_FORMAT=tsv"),
    ],
)
def test_a_file_that_is_not_of_the_format_is_refused(
    taskset: TaskSet, tmp_path: Path, kind: Format, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        read_answers(tmp_path / name, kind, taskset=taskset, dialect=QWEN3)


def test_an_example_without_an_answer_is_an_error(taskset: TaskSet, tmp_path: Path) -> None:
    path = write_jsonl(taskset, tmp_path)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    model = read_answers(path, "jsonl", taskset=taskset, dialect=QWEN3)
    with pytest.raises(InputError, match=rf"1 of the {len(taskset)} examples"):
        predict(taskset, model, tmp_path / "run")


def test_a_missing_file_is_named(taskset: TaskSet, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.jsonl"):
        read_answers(tmp_path / "none.jsonl", "jsonl", taskset=taskset, dialect=QWEN3)
