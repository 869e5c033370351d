"""Task sets as task folders of lmms-eval.

    OUT/sightline_t2b_train_9f3c0a11/sightline_t2b_train_9f3c0a11.yaml   the task; its version is the task set's fingerprint
                                     utils.py                            ten lines that hand over `sightline.evaluate.lmms_eval`
                                     data.parquet                        one row an example, one column a picture

    python -m lmms_eval --include_path OUT --tasks sightline_t2b_train_9f3c0a11 --model qwen3_vl --log_samples --output_path LOGS

The fingerprint is in the task's name and version because lmms-eval's response cache does not look at pictures. Each picture has a
column of its own: lmms-eval takes such columns off before it scores, but not lists of pictures. Sightline must be importable there;
it needs no torch. Source: EvolvingLMMs-Lab/lmms-eval, task guide and `load_yaml_config`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from sightline.dialects import Dialect
from sightline.export.files import Exported, noted, origin
from sightline.export.parquet import PICTURE, TEXT, embedded, masks_of, named, write_table
from sightline.export.rendered import render_all
from sightline.files import only_writer, write_whole
from sightline.taskset.store import TaskSet

MAX_NEW_TOKENS = 128
DATA = "data.parquet"


class MetricName(NamedTuple):
    """A metric of a task, and which way it is good."""

    name: str
    higher_is_better: bool


def export_lmms_eval(taskset_path: Path, out: Path, *, dialect: Dialect, metrics: Sequence[MetricName]) -> Exported:
    """Write the task folder of a task set below `out`. `metrics`: those of its task (`evaluate.lmms_eval.metric_names`).

    Raises:
        FileNotFoundError: the task set or a picture is not there.
        InputError: changed pictures, or a target that is no text (masks).
    """
    taskset = TaskSet(taskset_path)
    name = task_name(taskset)
    folder = out / name
    with only_writer(out), noted(out, name, taskset, kind="lmms-eval", dialect=dialect, options={}):
        num_pictures = max((len(example.question.images) for example in taskset), default=0)
        columns = dict.fromkeys((*_texts_of(), *(f"image_{index}" for index in range(num_pictures))), TEXT)
        columns |= dict.fromkeys((column for column in columns if column.startswith("image_")), PICTURE)
        count = write_table(folder / DATA, _rows(taskset, dialect), columns=columns, origin=origin(taskset, dialect))
        write_whole(folder / "utils.py", _utils(name, metrics).encode())
        write_whole(folder / f"{name}.yaml", _yaml(name, taskset, metrics).encode())
    return Exported(path=str(out), rows={f"{name}/{DATA}": count})


def task_name(taskset: TaskSet) -> str:
    """What the task is called: letters, digits and underscores only."""
    manifest = taskset.manifest
    return re.sub(r"\W+", "_", f"sightline_{manifest.name}_{manifest.fingerprint[:8]}")


def _texts_of() -> tuple[str, ...]:
    return ("id", "task", "split", "group", "tier", "object_id", "label", "answer", "dialect", "example", "masks")


def _rows(taskset: TaskSet, dialect: Dialect) -> Iterator[dict[str, Any]]:
    picture = embedded(taskset)
    for rendered in render_all(taskset, dialect):
        example = rendered.example
        pictures = {f"image_{index}": picture(image) for index, image in enumerate(example.question.images)}
        texts = {
            "answer": rendered.answer,
            "dialect": dialect.name,
            "example": msgspec.json.encode(example).decode(),
            "masks": masks_of(example, taskset),
        }
        yield named(example) | texts | pictures


def _utils(name: str, metrics: Sequence[MetricName]) -> str:
    lines = [
        f'"""{name}: texts are read and scored by sightline, the package that wrote this folder."""',
        "",
        "from sightline.evaluate.lmms_eval import aggregate, messages, process, prompt, visuals  # noqa: F401",
        "",
        *(f'aggregate_{metric.name} = aggregate("{metric.name}")' for metric in metrics),
    ]
    return "\n".join(lines) + "\n"


def _yaml(name: str, taskset: TaskSet, metrics: Sequence[MetricName]) -> str:
    """The YAML: plain values as JSON, which is YAML, and functions as lmms-eval's own tag."""
    values = {
        "task": name,
        "dataset_path": "parquet",
        "dataset_kwargs": {"data_files": {"test": DATA}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_target": "answer",
        "generation_kwargs": {"max_new_tokens": MAX_NEW_TOKENS, "temperature": 0, "do_sample": False},
        "score_key": "score",
        "cluster_key": "group",
        "metadata": {
            "version": taskset.manifest.fingerprint,
            "taskset": taskset.manifest.name,
            "taskset_fingerprint": taskset.manifest.fingerprint,
        },
    }
    functions = {"doc_to_visual": "visuals", "doc_to_text": "prompt", "doc_to_messages": "messages", "process_results": "process"}
    lines = [f"{key}: {json.dumps(value)}" for key, value in values.items()]
    lines += [f"{key}: !function utils.{function}" for key, function in functions.items()]
    lines.append("metric_list:")
    for metric in metrics:
        lines.append(f"  - metric: {metric.name}")
        lines.append(f"    aggregation: !function utils.aggregate_{metric.name}")
        lines.append(f"    higher_is_better: {json.dumps(metric.higher_is_better)}")
    return "\n".join(lines) + "\n"
