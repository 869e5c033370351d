"""The task folder of lmms-eval, used the way lmms-eval uses it: equal texts, equal numbers."""

import importlib.util
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from sightline import media
from sightline.dialects import Dialect, Size, get_dialect
from sightline.evaluate.lmms_eval import metric_names
from sightline.evaluate.predict import predict
from sightline.evaluate.run import read_scores
from sightline.evaluate.score import score_run
from sightline.evaluate.summary import summarise
from sightline.export.lmms_eval import export_lmms_eval, task_name
from sightline.taskset.store import TaskSet
from sightline.types import Question

QWEN3 = get_dialect("qwen3")
NO_MEANS = ("balanced_joint", "balanced_accuracy", "not_visible_f1", "l2_norm_median")
TASKS = ("t1_multi", "t1_concat", "t2a", "t2b")


@dataclass(frozen=True)
class Script:
    """A model that says the text of each question's id."""

    texts: dict[str, str]
    dialect: Dialect = QWEN3
    name: str = "script"
    batch_size: int = 8

    def describe(self) -> dict[str, Any]:
        return {"kind": "script"}

    def check(self, taskset: TaskSet) -> None:
        assert len(taskset) == len(self.texts)

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> list[str]:
        assert taskset.manifest.name
        return [self.texts[question.id] for question in questions]


@dataclass(frozen=True)
class Folder:
    """An exported task folder and the rows that `datasets` would make of its Parquet file."""

    path: Path
    utils: ModuleType
    docs: list[dict[str, Any]]


def texts_for(taskset: TaskSet) -> dict[str, str]:
    """The right answer, a wrong place, silence, "not visible", the right answer after reasoning, and prose; in turn."""
    texts = {}
    for number, example in enumerate(taskset):
        right = QWEN3.encode(example.truth.answer, [Size.of(image) for image in example.question.images])
        wrong = '[{"point_2d": [1, 999], "label": "target"}]'
        texts[example.id] = (right, wrong, "", "NOT_VISIBLE", f"<think>[5, 5]?</think>{right}", "over there", right)[number % 7]
    return texts


def export(taskset: TaskSet, out: Path) -> Folder:
    export_lmms_eval(taskset.path, out, dialect=QWEN3, metrics=metric_names(taskset.manifest.task))
    folder = out / task_name(taskset)
    spec = importlib.util.spec_from_file_location("utils", folder / "utils.py")
    assert spec is not None
    assert spec.loader is not None
    utils = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(utils)
    docs = pq.read_table(folder / "data.parquet").to_pylist()
    for doc in docs:
        for name in [name for name in doc if name.startswith("image_")]:
            doc[name] = Image.open(io.BytesIO(doc[name]["bytes"]))
    return Folder(folder, utils, docs)


@pytest.mark.parametrize("task", TASKS)
def test_equal_texts_have_equal_scores_and_metrics(tasksets: Path, tmp_path: Path, task: str) -> None:
    taskset = TaskSet(tasksets / f"{task}-train")
    texts = texts_for(taskset)
    predict(taskset, Script(texts), tmp_path / "run")
    score_run(tmp_path / "run")
    summary = summarise(tmp_path / "run")
    folder = export(taskset, tmp_path / "out")
    # when a text is scored, lmms-eval has taken the pictures away
    plain = [{name: value for name, value in doc.items() if not name.startswith("image_")} for doc in folder.docs]
    results = [folder.utils.process(doc, [texts[doc["id"]]]) for doc in plain]
    ours = {score.id: score for score in read_scores(tmp_path / "run")}
    for doc, result in zip(plain, results, strict=True):
        for item in result.values():
            assert (item["status"], item["correct"]) == (ours[doc["id"]].status, ours[doc["id"]].correct)
            json.dumps(item)  # goes into samples_*.jsonl
    for metric in metric_names(task):
        value = getattr(folder.utils, f"aggregate_{metric.name}")([result[metric.name] for result in results])
        expected = summary.metrics[metric.name].value
        assert value == expected or (expected is None and math.isnan(value))
        given = [result[metric.name]["score"] for result in results if "score" in result[metric.name]]
        if metric.name in NO_MEANS:
            assert not given
        else:  # lmms-eval's standard error is that of the mean of these
            assert value == pytest.approx(sum(given) / len(given))
    assert any(summary.metrics[metric.name].value not in (None, 0.0, 1.0) for metric in metric_names(task))


@pytest.mark.parametrize("task", TASKS)
def test_a_model_is_shown_the_pictures_and_the_question(tasksets: Path, tmp_path: Path, task: str) -> None:
    taskset = TaskSet(tasksets / f"{task}-train")
    folder = export(taskset, tmp_path)
    for doc, example in zip(folder.docs, taskset, strict=True):
        shown = [media.pixel_digest(np.asarray(picture)) for picture in folder.utils.visuals(doc)]
        assert shown == [image.digest for image in example.question.images]
        text = folder.utils.prompt(doc)
        assert "<image>" not in text
        assert ("image 1" in text) == (len(shown) == 2)
        (turn,) = folder.utils.messages(doc)
        placed = [media.pixel_digest(np.asarray(piece["url"])) for piece in turn["content"] if piece["type"] == "image"]
        assert placed == shown  # the second wording shows the pictures in their order
        assert turn["content"][-1]["text"].strip() in text


def test_the_yaml_names_the_task_its_version_its_data_and_its_functions(tasksets: Path, tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    taskset = TaskSet(tasksets / "t1_multi-train")
    folder = export(taskset, tmp_path)

    class Loader(yaml.SafeLoader):
        """Functions are looked up beside the file, as lmms-eval does."""

    def function(loader: Any, node: Any) -> Any:
        module, _, name = loader.construct_scalar(node).partition(".")
        assert module == "utils"
        return getattr(folder.utils, name)

    Loader.add_constructor("!function", function)
    config = yaml.load((folder.path / f"{folder.path.name}.yaml").read_text(), Loader=Loader)
    fingerprint = taskset.manifest.fingerprint
    assert config["task"] == folder.path.name == f"sightline_t1_multi_train_{fingerprint[:8]}"
    assert config["metadata"]["version"] == fingerprint
    assert (folder.path / config["dataset_kwargs"]["data_files"][config["test_split"]]).is_file()
    assert config["doc_to_target"] in folder.docs[0]
    assert config["process_results"] is folder.utils.process
    assert [metric["metric"] for metric in config["metric_list"]] == [metric.name for metric in metric_names("t1_multi")]
    assert {metric["metric"]: metric["higher_is_better"] for metric in config["metric_list"]}["l2_norm_mean"] is False
    item = folder.utils.process(folder.docs[0], ["?"])["joint_accuracy"]
    assert {config["score_key"], config["cluster_key"]} < set(item)
