"""Our metrics of a referring run and its benchmark's figures, side by side, and why they differ."""

from sightline.evaluate.metrics import Metric
from sightline.evaluate.protocols.referring_original import ReferringSummary
from sightline.evaluate.protocols.x3_compare import NOTHING, Line
from sightline.evaluate.summary import Summary

WHY = {
    "refcoco-original": "ours: boxes clipped to the picture; theirs: as written",
    "grefcoco-original": "what cannot be read: ours wrong everywhere, theirs as no box, or as a target",
    "mevis-original": "ours: no-target expressions are in N-acc, not in J and F",
    "ref-youtube-vos-original": "ours: no-target expressions are in N-acc, not in J and F",
    "ref-davis17-original": "theirs: mean over the annotators' passes",
    "revos-original": "theirs: mean of the two kinds, without expressions of no object",
    "revos-published": "theirs: as before, and overlapping objects added up, each expression rounded",
}
WHY_MASKS = "theirs: 1e-5 added to unions; two empty masks are right, whatever was said"


def compare_referring(summary: Summary, original: ReferringSummary) -> tuple[Line, ...]:
    """A line for each figure of theirs, and how many expressions the task set lacks."""
    masks = original.protocol == "refcoco-original" and summary.run.task == "refer_mask"
    why = WHY_MASKS if masks else WHY[original.protocol]
    lines = []
    for figure in original.figures:
        metric = None if figure.ours is None else summary.metrics.get(figure.ours)
        theirs = NOTHING if figure.value is None else f"{100 * figure.value:.1f} ({figure.n})"
        lines.append(Line(f"{figure.name} %", _ours(metric), theirs, why if metric else "we have no such metric"))
    if original.num_unusable:
        count = str(original.num_unusable)
        lines.append(Line("Expressions not in the task set", count, count, "see its ledger: not the full benchmark"))
    return tuple(lines)


def _ours(metric: Metric | None) -> str:
    return NOTHING if metric is None or metric.value is None else f"{100 * metric.value:.1f} ({metric.n})"
