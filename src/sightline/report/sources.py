"""Where the numbers of a report come from: each run with its model, dialect and versions, each task set with its recipe."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sightline.evaluate.summary import Summary
from sightline.report.markup import Html, element, join
from sightline.report.runs import AnsweredSet, Collection, Run


def sources(collection: Collection, summaries: Sequence[Summary]) -> Html:
    """All task sets and runs, folded. `summaries` are in the order of `collection.runs`."""
    return join(
        *(_taskset(answered) for answered in collection.sets),
        *(_run(collection, run, summary) for run, summary in zip(collection.runs, summaries, strict=True)),
    )


def _taskset(answered: AnsweredSet) -> Html:
    manifest = answered.taskset.manifest
    return element(
        "details",
        element("summary", f"Task set {answered.name}"),
        _facts(
            {
                "task": f"{manifest.task}, split {manifest.split}, {manifest.num_examples} examples",
                "fingerprint": manifest.fingerprint,
                "source fingerprint": manifest.source_fingerprint,
                "built with": f"sightline {manifest.package_version}, random key {manifest.rng_key}",
                "recipe": _plain(manifest.recipe),
                "kept": _plain(manifest.kept),
                "dropped": _plain(manifest.dropped),
                "altered": _plain(manifest.altered),
            }
        ),
    )


def _run(collection: Collection, run: Run, summary: Summary) -> Html:
    info, model = run.info, collection.models[run.model_index]
    missing = f", {summary.num_missing} without a prediction" if summary.num_missing else ""
    return element(
        "details",
        element("summary", f"Run {model.letter} {model.label} on {collection.sets[run.set_index].name}"),
        _facts(
            {
                "model": _plain({"name": info.model} | info.description),
                "dialect": _plain({"name": info.dialect} | info.dialect_options) if info.dialect else "none (answers in geometry)",
                "scored": f"{summary.num_scored} of {summary.num_examples} examples{missing}; protocol {summary.protocol}",
                "task set": f"{info.taskset_name}, fingerprint {info.taskset_fingerprint}",
                "versions": ", ".join(f"{name} {version}" for name, version in info.versions.items()),
                "folder": run.folder.name,
            }
        ),
    )


def _facts(values: Mapping[str, str]) -> Html:
    pairs = (element("dt", name) + element("dd", value) for name, value in values.items())
    return element("dl", *(Html(pair) for pair in pairs), class_="facts")


def _plain(values: Mapping[str, Any]) -> str:
    """A mapping as "name value, name value"; "none" if it is empty."""
    return ", ".join(f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in values.items()) or "none"
