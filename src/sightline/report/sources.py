"""Where the numbers of a report come from: each run with its model, dialect and versions, each task set with its recipe."""

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sightline.evaluate.predict import Session
from sightline.evaluate.run import TIMING
from sightline.evaluate.summary import Summary
from sightline.files import read_json
from sightline.models.model import Usage
from sightline.report.digests import config_digest, settings_digest, weights
from sightline.report.inventory import leak_check
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
                "recipe": f"{_plain(manifest.recipe)}; digest {config_digest(manifest.recipe)}",
                "leaks": leak_check(manifest),
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
                "settings digest": settings_digest(info),
                "weights digest": weights(info),
                "took": _took(run.folder),
                "versions": ", ".join(f"{name} {version}" for name, version in info.versions.items()),
                "folder": run.folder.name,
            }
        ),
    )


def sessions_of(folder: Path) -> list[Session]:
    """The sessions that predicted, from `timing.json`; none where the answers came from elsewhere."""
    return read_json(folder / TIMING, list[Session]) if (folder / TIMING).is_file() else []


def wall_time(sessions: Sequence[Session]) -> str:
    """Seconds and speed of all sessions together."""
    seconds, asked = sum(session.seconds for session in sessions), sum(session.num_predictions for session in sessions)
    speed = f", {asked / seconds:.1f} predictions a second" if seconds > 0 else ""
    return f"{seconds:.1f} s in {len(sessions)} session{'s' if len(sessions) != 1 else ''}{speed}"


def _took(folder: Path) -> str:
    """Time, speed, tokens and cost of all the sessions that predicted."""
    sessions = sessions_of(folder)
    if not sessions:
        return "not recorded (answers from elsewhere)"
    usages = [session.usage for session in sessions if session.usage is not None]
    if not usages:
        return wall_time(sessions)
    total = functools.reduce(Usage.plus, usages)
    return f"{wall_time(sessions)}; {_plain({name: value for name, value in msgspec.to_builtins(total).items() if value})}"


def _facts(values: Mapping[str, str]) -> Html:
    pairs = (element("dt", name) + element("dd", value) for name, value in values.items())
    return element("dl", *(Html(pair) for pair in pairs), class_="facts")


def _plain(values: Mapping[str, Any]) -> str:
    """A mapping as "name value, name value"; "none" if it is empty."""
    return ", ".join(f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in values.items()) or "none"
