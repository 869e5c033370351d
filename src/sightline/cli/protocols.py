"""`sightline score --protocol`: a run by the definitions of others, beside ours."""

import enum
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.cli.console import emit, plain, print_table
from sightline.cli.summaries import print_summaries

if TYPE_CHECKING:
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


REFERRING = (
    Protocol.refcoco_original,
    Protocol.grefcoco_original,
    Protocol.mevis_original,
    Protocol.ref_youtube_vos_original,
    Protocol.ref_davis17_original,
    Protocol.revos_original,
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


def _score_referring(run: Path, summary: "Summary", protocol: str, *, taskset: Path | None, by: Sequence[str], json: bool) -> None:
    """Score by the rule of a referring benchmark too, and set both side by side."""
    from sightline.evaluate.protocols.referring_compare import compare_referring  # noqa: PLC0415
    from sightline.evaluate.protocols.referring_original import summarise_referring, summary_file  # noqa: PLC0415

    original = summarise_referring(run, protocol, taskset=taskset, partial=summary.num_missing > 0)
    value = {"summary": plain(summary), protocol: plain(original)}
    lines, written = compare_referring(summary, original), run / summary_file(protocol)
    emit(value, as_json=json, text=lambda: _print_protocols(summary, protocol, lines, by=by, written=written))


def _score_qa(
    run: Path, summary: "Summary", protocols: tuple[str, ...], *, taskset: Path | None, by: Sequence[str], json: bool
) -> None:
    """Score by the rules of spatial QA too, one column each."""
    from sightline.evaluate.protocols.qa.runs import summarise_qa, table_rows  # noqa: PLC0415

    found = summarise_qa(run, protocols, taskset=taskset, partial=summary.num_missing > 0)

    def text() -> None:
        if by:
            print_summaries([summary], by=by)
        title = f"{summary.run.model} on {summary.run.taskset_name}, %"
        print_table(title, ("metric", *(each.protocol for each in found)), table_rows(found))
        for each in found:
            for reason in dict.fromkeys(each.not_run.values()):
                names = ", ".join(name for name, why in each.not_run.items() if why == reason)
                print(f"{each.protocol}: not run: {names}: {reason}.")
        fewest, most = found[0].num_frames if found else (0, 0)
        frames = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        print(f"In brackets: the denominator. Pictures a question: {frames}. Prompts {found[0].prompts if found else '–'}.")

    emit({"summary": plain(summary)} | {each.protocol: plain(each) for each in found}, as_json=json, text=text)


def _print_protocols(summary: "Summary", protocol: str, lines: "Sequence[Line]", *, by: Sequence[str], written: Path) -> None:
    if by:
        print_summaries([summary], by=by)
    rows = [(line.label, line.ours, line.theirs, line.why) for line in lines]
    title = f"{summary.run.model} on {summary.run.taskset_name}"
    print_table(title, ("metric", summary.protocol, protocol, "why they differ"), rows)
    print(f"In brackets: the denominator. – is 0/0 or not measured. Written: {written}")
