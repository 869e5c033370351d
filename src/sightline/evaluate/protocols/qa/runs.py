"""A run of spatial QA by the published rules: which of them fit, and one summary each.

    RUN/summary.vsi-official.json      {"protocol": "vsi-official", "metrics": {"overall": {"value": 0.335, "n": 5130}, ...},
                                        "num_frames": [16, 32], "prompts": "5f0c...", ...}

The rules read texts. An answer without one (a baseline's) is written as the benchmark writes answers, and counted
(`num_rewritten`); a failed question has the empty text. The fewest and most pictures of a question, and a digest of all prompts,
stand beside the numbers: scores of other frames or words do not compare.
"""

import hashlib
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import msgspec

from sightline.errors import InputError
from sightline.evaluate.protocols.qa import RULES
from sightline.evaluate.protocols.qa.answered import Answered, Mean
from sightline.evaluate.protocols.qa.revsi import CATEGORIES as REVSI_CATEGORIES
from sightline.evaluate.protocols.qa.texts import as_text, category, truths
from sightline.evaluate.protocols.qa.vsi import CATEGORIES
from sightline.evaluate.run import RunInfo, read_run
from sightline.evaluate.score import answered, open_taskset
from sightline.files import write_json
from sightline.taskset.store import TaskSet
from sightline.types import Example, Prediction, Record

TASK = "spatial_qa"
DEBIASED = "vsi-debiased"
FAMILIES = ("vsi", "mindcube", "viewspatial", "scanqa", "sqa3d")


class QaSummary(Record):
    """`summary.{protocol}.json`; the fields of `answered.Tally`, and what of the questions a number depends on.

    `num_left_out` questions are of another part of the benchmark. `num_missing` have no prediction (a partial scoring).
    """

    protocol: str
    run: RunInfo
    metrics: dict[str, Mean]
    not_run: dict[str, str]
    counts: dict[str, int]
    n: int
    num_left_out: int
    num_missing: int
    num_rewritten: int
    num_frames: tuple[int, int]
    prompts: str


class Asked(Record):
    """An example's answer as the rules see it, and what is told of it beside the number."""

    answered: Answered
    rewritten: bool
    num_frames: int
    pruned: bool | None


def summary_file(protocol: str) -> str:
    """The name of the summary beside ours."""
    return f"summary.{protocol}.json"


def summarise_qa(
    folder: Path, protocols: Sequence[str] = (), *, taskset: Path | None = None, partial: bool = False
) -> tuple[QaSummary, ...]:
    """Score a run by rules of `RULES` (all that fit, where none is named), and write a summary of each.

    Raises:
        FileNotFoundError: no run or no task set.
        InputError: no such task, questions that a rule is not for, or missing predictions without `partial`.
    """
    questions, info = open_taskset(folder, taskset), read_run(folder)
    if info.task != TASK:
        raise InputError(
            f"{folder}: {', '.join(protocols) or 'the rules of spatial QA'} are for {TASK}; the run answers {info.task}."
        )
    prompts = hashlib.blake2b(digest_size=16)
    asked: list[Asked] = []
    for example, prediction in answered(folder, questions):
        prompts.update(msgspec.json.encode(example.question.prompt))
        asked.append(_asked(example, prediction))
    missing = len(questions) - len(asked)
    if missing and not partial:
        raise InputError(f"{folder}: {missing:,} of {len(questions):,} examples have no prediction yet. Finish the run first.")
    fitting = fitting_protocols(questions, asked)
    chosen = tuple(protocols) or fitting
    if misfits := [name for name in chosen if name not in fitting]:
        raise InputError(
            f"{folder}: {', '.join(misfits)} cannot score {info.taskset_name}. "
            f"Its rules: {', '.join(fitting) or f'none: {_no_rule(asked)}'}."
        )
    if not chosen:
        raise InputError(f"{folder}: no published rule can score {info.taskset_name}: {_no_rule(asked)}.")
    found = [_summarise(name, info, asked, missing=missing, prompts=prompts.hexdigest()) for name in chosen]
    for summary in found:
        write_json(folder / summary_file(summary.protocol), summary)
    return tuple(found)


def _no_rule(asked: Sequence[Asked]) -> str:
    types = sorted({each.answered.category for each in asked} - set(CATEGORIES))
    return (
        f"its questions are of no benchmark that has one. VSI-Bench's rules are for the types of VSI-Bench, and {', '.join(types)}"
        " are none of these; `sightline build scan-qa --kind` leaves types away"
    )


def fitting_protocols(taskset: TaskSet, asked: Sequence[Asked]) -> tuple[str, ...]:
    """The rules that can score these questions: those of VSI-Bench for all that have its types, that of ReVSI for its, else those
    of the reader."""
    if not asked:
        return ()
    if all(each.answered.category in CATEGORIES for each in asked):
        has_parts = all(each.pruned is not None for each in asked)
        return tuple(name for name in RULES if name.startswith("vsi-") and (has_parts or name != DEBIASED))
    if all(each.answered.category in REVSI_CATEGORIES for each in asked):
        return ("revsi",)
    reader = asked_reader(taskset).replace("_", "").replace("-", "")
    family = next((name for name in FAMILIES if reader.startswith(name)), None)
    return tuple(name for name in RULES if family is not None and family != "vsi" and name.split("-")[0] == family)


def asked_reader(taskset: TaskSet) -> str:
    """The reader that the first question's id begins with."""
    return next((example.id.split("/")[0] for example in taskset), "")


def _asked(example: Example, prediction: Prediction) -> Asked:
    pruned = example.evidence.get("pruned")
    return Asked(
        answered=Answered(
            id=example.published.id if example.published else example.id,
            category=category(example),
            accepted=truths(example),
            text=as_text(prediction.reading.answer) if prediction.text is None else prediction.text,
        ),
        rewritten=prediction.text is None,
        num_frames=len(example.question.images),
        pruned=None if pruned is None else bool(pruned),
    )


def _summarise(protocol: str, info: RunInfo, asked: Sequence[Asked], *, missing: int, prompts: str) -> QaSummary:
    kept = [each for each in asked if protocol != DEBIASED or not each.pruned]
    tally = RULES[protocol]()([each.answered for each in kept])
    frames = [each.num_frames for each in kept]
    return QaSummary(
        protocol=protocol,
        run=info,
        metrics=tally.metrics,
        not_run=tally.not_run,
        counts=tally.counts,
        n=len(kept),
        num_left_out=len(asked) - len(kept),
        num_missing=missing,
        num_rewritten=sum(each.rewritten for each in kept),
        num_frames=(min(frames, default=0), max(frames, default=0)),
        prompts=prompts,
    )


def table_rows(summaries: Sequence[QaSummary]) -> list[tuple[str, ...]]:
    """One row a metric, one column a rule; shares in percent, CIDEr as it is; "not run" and its reason are told apart from 0."""
    names = dict.fromkeys(chain.from_iterable((*summary.metrics, *summary.not_run) for summary in summaries))
    return [(name, *(_cell(summary, name) for summary in summaries)) for name in names]


def _cell(summary: QaSummary, name: str) -> str:
    if name in summary.not_run:
        return "not run"
    metric = summary.metrics.get(name)
    if metric is None or metric.value is None:
        return "–"
    value = f"{metric.value:.3f}" if name == "cider" else f"{100 * metric.value:.1f}"
    return f"{value} ({metric.n})"
