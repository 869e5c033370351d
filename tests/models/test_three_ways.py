"""One suite, one command, three ways to the same model: its checkpoint folder, a server, and the logs of lmms-eval."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sightline.cli import run as run_command
from sightline.demo.rooms import write_rooms
from sightline.dialects import Size, get_dialect
from sightline.evaluate.lmms_eval import metric_names, process
from sightline.evaluate.run import read_predictions
from sightline.evaluate.summary import SUMMARY, Summary
from sightline.export.lmms_eval import DATA, export_lmms_eval, task_name
from sightline.files import read_json
from sightline.models import ModelOptions
from sightline.models.openai.endpoint import Endpoint
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.types import NotVisible
from tests.models.openai.chat_server import Request, serving

TASKS = ("t1_concat", "t1_multi")
QWEN3 = get_dialect("qwen3")
GIVEN = ("--dialect", "qwen3", "--max-new-tokens", "40")
STEPS, TAUGHT = 50, 4


@pytest.fixture(scope="module")
def tasksets(tmp_path_factory: pytest.TempPathFactory) -> list[TaskSet]:
    folder = tmp_path_factory.mktemp("suite")
    write_rooms(folder / "data", num_train=0, num_validation=2, width=160, height=120, seed=4)
    options = CrossViewOptions(pairs="anchor")
    request = BuildRequest(reader="x3", root=str(folder / "data"), splits=("validation",), tasks=TASKS, options=options)
    return [TaskSet(Path(built.path)) for built in build(request, folder / "tasks")]


@pytest.fixture(scope="module")
def taught(tasksets: list[TaskSet], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint that has learnt a few right answers by heart, so that it writes answers which can be read."""
    torch: Any = pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("transformers", reason="transformers is not installed")
    from tests.models.huggingface.checkpoints import load, save_qwen3  # noqa: PLC0415 - needs an extra

    torch.set_num_threads(1)
    model = load(save_qwen3(tmp_path_factory.mktemp("checkpoint") / "tiny"), ModelOptions(max_new_tokens=40))
    absent, visible = ([one for one in tasksets[0] if isinstance(one.truth.answer, NotVisible) is said] for said in (True, False))
    examples = [*absent[:TAUGHT], *visible[:TAUGHT]]
    inputs = dict(model._inputs.batch([example.question for example in examples], tasksets[0], room=None).tensors)
    texts = [QWEN3.encode(one.truth.answer, [Size.of(image) for image in one.question.images]) + "<|im_end|>" for one in examples]
    answers = model._inputs.processor.tokenizer(texts, padding=True, padding_side="right", return_tensors="pt")
    asked = inputs["input_ids"]
    inputs["input_ids"] = torch.cat([asked, answers["input_ids"]], 1)
    inputs["attention_mask"] = torch.cat([inputs["attention_mask"], answers["attention_mask"]], 1)
    inputs["mm_token_type_ids"] = torch.cat([inputs["mm_token_type_ids"], torch.zeros_like(answers["input_ids"])], 1)
    unseen = answers["input_ids"].masked_fill(answers["attention_mask"] == 0, -100)
    labels = torch.cat([torch.full_like(asked, -100), unseen], 1)
    optimizer = torch.optim.AdamW(model._model.parameters(), lr=3e-3)
    for _ in range(STEPS):
        optimizer.zero_grad()
        model._model(**inputs, labels=labels).loss.backward()
        optimizer.step()
    model._model.save_pretrained(model.checkpoint.path)
    return model.checkpoint.path


def evaluate(tasksets: list[TaskSet], out: Path, *models: str) -> None:
    """The suite in one command."""
    given = [word for model in models for word in ("--model", model)]
    assert run_command(["eval", *(str(taskset.path) for taskset in tasksets), *given, *GIVEN, "--out", str(out), "--json"]) == 0


def texts_of(run: Path) -> dict[str, str]:
    return {prediction.id: prediction.text or "" for prediction in read_predictions(run)}


def server_saying(texts: Mapping[str, str], tasksets: list[TaskSet], name: str) -> dict[str, str]:
    """What a server has to say to each request, by the request's digest."""
    model = Endpoint("http://127.0.0.1:1", name, ModelOptions(dialect="qwen3", max_new_tokens=40))
    bodies = {example.id: model.body(example.question, taskset) for taskset in tasksets for example in taskset}
    return {hashlib.sha256(body).hexdigest(): texts[example_id] for example_id, body in bodies.items()}


def write_logs(texts: Mapping[str, str], tasksets: list[TaskSet], folder: Path) -> None:
    """The sample logs of the exported tasks, as lmms-eval writes them (`make interop` has its own)."""
    folder.mkdir()
    for taskset in tasksets:
        export_lmms_eval(taskset.path, folder.parent / "lmms", dialect=QWEN3, metrics=metric_names(taskset.manifest.task))
        name = task_name(taskset)
        with (folder / f"20261121_samples_{name}.jsonl").open("w") as file:
            for number, doc in enumerate(pq.read_table(folder.parent / "lmms" / name / DATA).to_pylist()):
                said = texts[doc["id"]].strip()
                sample = {"doc_id": number, "target": doc["answer"], "filtered_resps": said, "doc_hash": "0"}
                file.write(json.dumps(sample | process(doc, [said])) + "\n")


@pytest.mark.slow
def test_equal_texts_score_equally_whichever_way_they_come(tasksets: list[TaskSet], taught: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    evaluate(tasksets, out, f"local=hf:{taught}")
    texts = {key: text for taskset in tasksets for key, text in texts_of(out / "local" / taskset.manifest.name).items()}
    write_logs(texts, tasksets, tmp_path / "logs")
    with serving() as server:
        replies = server_saying(texts, tasksets, "tiny")
        server.behave = lambda request: Request.say(request, replies[request.key])
        evaluate(tasksets, out, f"local=hf:{taught}", f"served=openai:{server.url}#tiny", f"logged=import:{tmp_path / 'logs'}")
    statuses: set[str] = set()
    for taskset in tasksets:
        runs = [out / name / taskset.manifest.name for name in ("local", "served", "logged")]
        scores = [(run / "scores.jsonl").read_bytes() for run in runs]
        assert scores[0] == scores[1] == scores[2]
        summaries = [read_json(run / SUMMARY, Summary) for run in runs]
        assert summaries[0].metrics == summaries[1].metrics == summaries[2].metrics
        statuses |= {json.loads(line)["status"] for line in scores[0].splitlines()}
    assert {"not_visible", "ok"} <= statuses
