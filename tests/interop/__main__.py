"""`make interop`: task folders that Sightline exports, loaded, run and scored by a real lmms-eval, give the numbers of Sightline.

Rooms are drawn, their task sets exported in a dialect, and lmms-eval is started with a model that says prepared texts: right ones,
wrong places, silence, "not visible", reasoning, prose. Three things have to be equal: the metrics that lmms-eval reports, those of
`sightline eval --model import:` on the prepared texts, and those of the same command on lmms-eval's own logs. A difference is
printed, and the exit status is 1.
"""

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sightline.demo.rooms import write_rooms
from sightline.dialects import Dialect, Size, get_dialect
from sightline.evaluate.lmms_eval import metric_names
from sightline.evaluate.summary import SUMMARY, Summary
from sightline.export.lmms_eval import export_lmms_eval, task_name
from sightline.export.rendered import render
from sightline.files import read_json, write_json
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.types import Example

PASSES = (("qwen3", ()), ("roborefer", ("--force_simple",)), ("qwen25", ()))
"""Dialect, and options of lmms-eval: its two ways of giving a question to a model."""


def main() -> int:
    """Every pass; returns the number of differences, which are printed."""
    differences: list[str] = []
    with TemporaryDirectory(prefix="sightline-interop-") as name:
        folder = Path(name)
        write_rooms(folder / "data", num_train=0, num_validation=4, width=160, height=120, seed=4)
        options = CrossViewOptions(pairs="all", wording=1)
        request = BuildRequest(
            reader="x3",
            root=str(folder / "data"),
            splits=("validation",),
            tasks=("t1_multi", "t1_concat", "t2a", "t2b"),
            options=options,
        )
        tasksets = [TaskSet(Path(built.path)) for built in build(request, folder / "tasks")]
        for dialect, arguments in PASSES:
            differences += run_pass(tasksets, folder / dialect, get_dialect(dialect), arguments)
    for line in differences:
        print(f"DIFFERENT: {line}")
    print(f"{len(differences)} differences")
    return len(differences)


def run_pass(tasksets: Sequence[TaskSet], folder: Path, dialect: Dialect, arguments: Sequence[str]) -> Iterator[str]:
    """One start of lmms-eval; yields what differs, and prints a line for each metric."""
    asked: dict[str, list[dict[str, Any]]] = {}
    texts: list[dict[str, str]] = []
    for taskset in tasksets:
        export_lmms_eval(taskset.path, folder / "lmms", dialect=dialect, metrics=metric_names(taskset.manifest.task))
        asked[task_name(taskset)] = [question(*pair, dialect) for pair in zip(taskset, cycle(range(7)), strict=False)]
        texts += [{"id": example.id, "text": row["text"]} for example, row in zip(taskset, asked[task_name(taskset)], strict=True)]
    write_json(folder / "asked.json", asked)
    (folder / "texts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in texts))
    theirs = run_lmms_eval(folder, list(asked), arguments)
    models = (f"prepared=import:{folder / 'texts.jsonl'}", f"logged=import:{folder / 'logs'}")
    paths = [str(taskset.path) for taskset in tasksets]
    command = ["eval", *paths, "--dialect", dialect.name, "--out", str(folder / "runs"), "--json"]
    run("sightline", *command, *(f"--model={model}" for model in models))
    for taskset in tasksets:
        ours, logged = (
            read_json(folder / "runs" / model / taskset.manifest.name / SUMMARY, Summary).metrics
            for model in ("prepared", "logged")
        )
        for metric in metric_names(taskset.manifest.task):
            name = f"{taskset.manifest.name} in {dialect.name}, {metric.name}"
            values = (ours[metric.name].value, theirs[task_name(taskset)][f"{metric.name},none"], logged[metric.name].value)
            print(f"{name}: ours {values[0]}, lmms-eval {values[1]}, its log {values[2]}")
            if len({None if value is None or math.isnan(value) else value for value in values}) != 1:
                yield f"{name}: {values}"
        if ours != logged:
            yield f"{taskset.manifest.name} in {dialect.name}: some other metric or interval of the log"


def question(example: Example, number: int, dialect: Dialect) -> dict[str, Any]:
    """What a model is shown of an example, and the text of that number in a round of seven that it says."""
    rendered = render(example, dialect)
    sizes = [Size.of(image) for image in example.question.images]
    wrong = dialect.encode(example.truth.answer, [Size(size.width * 3, size.height * 3) for size in sizes])
    right = rendered.answer
    texts = (right, wrong, "", "NOT_VISIBLE", f"<think>1, 1</think>\n{right}", "over there", f"  {right}\n")
    return {"text": texts[number], "words": rendered.without_tokens(), "pictures": [image.digest for image in rendered.images]}


def run_lmms_eval(folder: Path, tasks: Sequence[str], arguments: Sequence[str]) -> dict[str, dict[str, Any]]:
    """lmms-eval's results by task."""
    options = {"model": "recorded", "model_args": f"asked={folder / 'asked.json'}", "include_path": str(folder / "lmms")}
    options |= {"tasks": ",".join(tasks), "output_path": str(folder / "logs"), "batch_size": "1"}
    given = [word for name, value in options.items() for word in (f"--{name}", value)]
    shown = run(
        "tests.interop.recorded_model", *given, "--log_samples", *arguments, HF_HOME=str(folder / "cache"), HF_HUB_OFFLINE="1"
    )
    results = list((folder / "logs").rglob("*_results.json"))
    if len(results) != 1:  # it exits with 0 where a model has failed
        raise RuntimeError(f"lmms-eval wrote {len(results)} results, expected one. It said:\n{shown[-4000:]}")
    return json.loads(results[0].read_text())["results"]


def run(module: str, *arguments: str, **variables: str) -> str:
    """A module of this environment as a program, with more environment variables; returns what it printed.

    Raises:
        RuntimeError: it failed; with the end of what it printed.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | variables)
    shown = done.stdout + done.stderr
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)}: exit status {done.returncode}. It said:\n{shown[-4000:]}")
    return shown


if __name__ == "__main__":
    sys.exit(min(main(), 1))
