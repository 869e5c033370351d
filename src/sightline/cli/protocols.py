"""`sightline score --protocol`: a run by the definitions of others, beside ours."""

import enum
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.cli.console import emit, plain, print_table, say
from sightline.cli.summaries import print_summaries
from sightline.errors import InputError

if TYPE_CHECKING:
    from sightline.evaluate.protocols.qa.runs import QaSummary
    from sightline.evaluate.protocols.x3_compare import Line
    from sightline.evaluate.summary import Summary


class Protocol(enum.StrEnum):
    ours = "sightline-1"
    x3_original = "x3-original"
    refspatial_original = "refspatial-original"
    where2place_original = "where2place-original"
    robospatial_original = "robospatial-original"
    refcoco_original = "refcoco-original"
    grefcoco_original = "grefcoco-original"
    mevis_original = "mevis-original"
    ref_youtube_vos_original = "ref-youtube-vos-original"
    ref_davis17_original = "ref-davis17-original"
    revos_original = "revos-original"
    revos_published = "revos-published"
    qa = "qa"
    vsi_official = "vsi-official"
    vsi_lmms_eval = "vsi-lmms-eval"
    vsi_vlmevalkit = "vsi-vlmevalkit"
    vsi_spatial_mllm = "vsi-spatial-mllm"
    vsi_debiased = "vsi-debiased"
    mindcube = "mindcube"
    mindcube_lmms_eval = "mindcube-lmms-eval"
    mindcube_vlmevalkit = "mindcube-vlmevalkit"
    viewspatial = "viewspatial"
    viewspatial_vlmevalkit = "viewspatial-vlmevalkit"
    scanqa = "scanqa"
    scanqa_leo = "scanqa-leo"
    scanqa_llava3d = "scanqa-llava3d"
    sqa3d = "sqa3d"


class Published(enum.StrEnum):
    """Those of pointing benchmarks, which `sightline eval` also knows; `benchmark`: of referring data those of the data set that a
    task set is from; `qa`: of spatial questions every rule that fits."""

    benchmark = "benchmark"
    qa = "qa"
    refspatial_original = "refspatial-original"
    where2place_original = "where2place-original"
    robospatial_original = "robospatial-original"


REFERRING = (
    Protocol.refcoco_original,
    Protocol.grefcoco_original,
    Protocol.mevis_original,
    Protocol.ref_youtube_vos_original,
    Protocol.ref_davis17_original,
    Protocol.revos_original,
    Protocol.revos_published,
)

ALL_OF_QA = Protocol.qa
"""Every rule that fits the questions."""


def score_by_others(
    run: Path, summary: "Summary", protocol: Protocol, *, taskset: Path | None, by: Sequence[str], json: bool
) -> None:
    """Score a run by the definitions of `protocol` too, which is not ours, and set both side by side."""
    from sightline.evaluate.protocols.qa import RULES as QA_RULES  # noqa: PLC0415

    if protocol is Protocol.x3_original:
        _score_x3(run, summary, taskset=taskset, by=by, json=json)
    elif protocol in REFERRING:
        _score_referring(run, summary, protocol.value, taskset=taskset, by=by, json=json)
    elif protocol is ALL_OF_QA or protocol.value in QA_RULES:
        _score_qa(run, summary, () if protocol is ALL_OF_QA else (protocol.value,), taskset=taskset, by=by, json=json)
    else:
        _score_published(run, summary, protocol.value, taskset=taskset, by=by, json=json)


def _score_x3(run: Path, summary: "Summary", *, taskset: Path | None, by: Sequence[str], json: bool) -> None:
    """Score by the x3 pipeline's definitions too, and set both side by side."""
    from sightline.evaluate.protocols.x3_compare import compare_protocols  # noqa: PLC0415
    from sightline.evaluate.protocols.x3_original import PROTOCOL, SUMMARY, summarise_x3  # noqa: PLC0415

    original = summarise_x3(run, taskset=taskset, partial=summary.num_missing > 0)
    value = {"summary": plain(summary), PROTOCOL: plain(original)}
    lines = compare_protocols(summary, original)
    emit(value, as_json=json, text=lambda: _print_protocols(summary, PROTOCOL, lines, by=by, written=run / SUMMARY))


def _score_published(run: Path, summary: "Summary", protocol: str, *, taskset: Path | None, by: Sequence[str], json: bool) -> None:
    """Score by the rule of a benchmark's authors too, and set both side by side."""
    from sightline.evaluate.protocols.published import summarise_published, summary_file  # noqa: PLC0415
    from sightline.evaluate.protocols.published_compare import compare_published  # noqa: PLC0415

    published = summarise_published(run, protocol, taskset=taskset, partial=summary.num_missing > 0)
    value = {"summary": plain(summary), protocol: plain(published)}
    lines, written = compare_published(summary, published), run / summary_file(protocol)
    emit(value, as_json=json, text=lambda: _print_protocols(summary, protocol, lines, by=by, written=written))


def published_too(
    folders: Sequence[Path], summaries: "Sequence[Summary]", protocol: Published
) -> "tuple[list[object], Callable[[], None]]":
    """Score runs, of which the summaries are, by a benchmark's authors' rule too; what was found, and what prints both rules side
    by side.

    Raises:
        InputError: a task set that this rule is not for.
    """
    if protocol is Published.benchmark:
        return _own_rules_too(folders, summaries)
    if protocol is Published.qa:
        return _qa_rules_too(folders, summaries)
    from sightline.evaluate.protocols.published import summarise_published, summary_file  # noqa: PLC0415
    from sightline.evaluate.protocols.published_compare import compare_published  # noqa: PLC0415

    pairs = zip(folders, summaries, strict=True)
    found = [summarise_published(folder, protocol.value, partial=summary.num_missing > 0) for folder, summary in pairs]

    def text() -> None:
        for folder, summary, published in zip(folders, summaries, found, strict=True):
            written = folder / summary_file(protocol.value)
            _print_protocols(summary, protocol.value, compare_published(summary, published), by=(), written=written)

    return [plain(published) for published in found], text


def _own_rules_too(folders: Sequence[Path], summaries: "Sequence[Summary]") -> "tuple[list[object], Callable[[], None]]":
    """Each run on referring data also by the rules of its benchmark; what cannot be scored so says why and stays as it is."""
    from sightline.evaluate.protocols.own_rules import scored_by_own_rules  # noqa: PLC0415
    from sightline.evaluate.protocols.referring_compare import compare_referring  # noqa: PLC0415
    from sightline.evaluate.protocols.referring_original import ReferringSummary, summary_file  # noqa: PLC0415

    found = [
        (folder, summary, theirs)
        for folder, summary in zip(folders, summaries, strict=True)
        for theirs in scored_by_own_rules(folder, partial=summary.num_missing > 0)
    ]
    for folder, _, theirs in found:
        if not isinstance(theirs, ReferringSummary):
            say(f"not by its benchmark's rule: {folder}: {theirs}")

    def text() -> None:
        for folder, summary, theirs in found:
            if isinstance(theirs, ReferringSummary):
                lines = compare_referring(summary, theirs)
                _print_protocols(summary, theirs.protocol, lines, by=(), written=folder / summary_file(theirs.protocol))

    return [plain(theirs) for _, _, theirs in found if isinstance(theirs, ReferringSummary)], text


def _score_referring(run: Path, summary: "Summary", protocol: str, *, taskset: Path | None, by: Sequence[str], json: bool) -> None:
    """Score by the rule of a referring benchmark too, and set both side by side."""
    from sightline.evaluate.protocols.referring_compare import compare_referring  # noqa: PLC0415
    from sightline.evaluate.protocols.referring_original import summarise_referring, summary_file  # noqa: PLC0415

    original = summarise_referring(run, protocol, taskset=taskset, partial=summary.num_missing > 0)
    value = {"summary": plain(summary), protocol: plain(original)}
    lines, written = compare_referring(summary, original), run / summary_file(protocol)
    emit(value, as_json=json, text=lambda: _print_protocols(summary, protocol, lines, by=by, written=written))


def _qa_rules_too(folders: Sequence[Path], summaries: "Sequence[Summary]") -> "tuple[list[object], Callable[[], None]]":
    """Each run by all published rules that fit its questions; where none does, the reason is told and the run stays as it is."""
    from sightline.evaluate.protocols.qa.runs import summarise_qa  # noqa: PLC0415

    found: list[tuple[Path, tuple[QaSummary, ...]]] = []
    for folder, summary in zip(folders, summaries, strict=True):
        try:
            found.append((folder, summarise_qa(folder, partial=summary.num_missing > 0)))
        except InputError as error:
            say(f"not by a published rule: {error}")

    def text() -> None:
        for folder, by_rule in found:
            _print_qa(f"{folder.parent.name} on {folder.name}, %", by_rule)

    return [plain(each) for _, by_rule in found for each in by_rule], text


def _score_qa(
    run: Path, summary: "Summary", protocols: tuple[str, ...], *, taskset: Path | None, by: Sequence[str], json: bool
) -> None:
    """Score by the rules of spatial QA too, one column each."""
    from sightline.evaluate.protocols.qa.runs import summarise_qa  # noqa: PLC0415

    found = summarise_qa(run, protocols, taskset=taskset, partial=summary.num_missing > 0)

    def text() -> None:
        if by:
            print_summaries([summary], by=by)
        _print_qa(f"{summary.run.model} on {summary.run.taskset_name}, %", found)

    emit({"summary": plain(summary)} | {each.protocol: plain(each) for each in found}, as_json=json, text=text)


def _print_qa(title: str, found: "Sequence[QaSummary]") -> None:
    """One column a rule."""
    from sightline.evaluate.protocols.qa.runs import table_rows  # noqa: PLC0415

    print_table(title, ("metric", *(each.protocol for each in found)), table_rows(found))
    for each in found:
        for reason in dict.fromkeys(each.not_run.values()):
            names = ", ".join(name for name, why in each.not_run.items() if why == reason)
            print(f"{each.protocol}: not run: {names}: {reason}.")
    fewest, most = found[0].num_frames if found else (0, 0)
    frames = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    print(f"In brackets: the denominator. Pictures a question: {frames}. Prompts {found[0].prompts if found else '–'}.")


def _print_protocols(summary: "Summary", protocol: str, lines: "Sequence[Line]", *, by: Sequence[str], written: Path) -> None:
    if by:
        print_summaries([summary], by=by)
    rows = [(line.label, line.ours, line.theirs, line.why) for line in lines]
    title = f"{summary.run.model} on {summary.run.taskset_name}"
    print_table(title, ("metric", summary.protocol, protocol, "why they differ"), rows)
    print(f"In brackets: the denominator. – is 0/0 or not measured. Written: {written}")
