"""Summaries taken apart, as tables of plain text: by tier, by slice, by what the model claimed, and one run against another."""

from collections.abc import Mapping, Sequence

from sightline.evaluate.claims import RATES, RELIABILITY
from sightline.evaluate.compare import Comparison, Paired, PairedMean
from sightline.evaluate.metrics import Metric
from sightline.evaluate.slices import SLICE_METRICS, SLICINGS
from sightline.evaluate.summary import Summary
from sightline.evaluate.table import LABELS, NOTHING, Row, Table, by_taskset, format_metric, model_name

BREAKDOWNS = ("tier", *SLICINGS, "claims")
CLAIM_LABELS = {
    "absent": "Absent %",
    "said_not_visible": "Said not visible %",
    "said_visible": "Said visible %",
    "said_neither": "Said neither %",
    "claim_right": "Claim right %",
    "absent_if_said_not_visible": "Absent if said not visible %",
    "visible_if_said_visible": "Visible if said visible %",
}
COMPARED = {
    "a": "A %",
    "b": "B %",
    "difference": "A - B",
    "only_a": "Only A right",
    "only_b": "Only B right",
    "both_right": "Both right",
    "both_wrong": "Both wrong",
    "p": "p",
}
assert set(CLAIM_LABELS) == set(RATES | RELIABILITY)


def breakdown(summaries: Sequence[Summary], by: str) -> tuple[Table, ...]:
    """One table for each task set. `by` is one of `BREAKDOWNS`.

    By tier a row is a model; else a row is a model's bin (or tier) that any example is in. Task sets whose examples lack the number
    have no rows.
    """
    return tuple(_tiers(group) if by == "tier" else _parts(group, by) for group in by_taskset(summaries))


def comparison_table(comparison: Comparison) -> Table:
    """A row for each outcome that any example asks for, and each measurement that is averaged. `A - B` is in percentage points."""
    run = comparison.run_a
    rows = (
        *(Row(name, _paired_cells(paired)) for name, paired in comparison.outcomes.items() if paired.n),
        *(Row(name, _mean_cells(paired)) for name, paired in comparison.means.items()),
    )
    title = f"{run.taskset_name}: A = {run.model}, B = {comparison.run_b.model}"
    return Table(title=title, task=run.task, columns=tuple(COMPARED), labels=tuple(COMPARED.values()), rows=rows)


def _paired_cells(paired: Paired) -> tuple[str, ...]:
    counts = (paired.only_a, paired.only_b, paired.both_right, paired.both_wrong)
    return (
        *(NOTHING if share is None else f"{share * 100:.1f}" for share in (paired.a, paired.b)),
        format_metric("difference", paired.difference),
        *(f"{count} ({paired.n})" for count in counts),
        NOTHING if paired.p is None else f"{paired.p:.3f}",
    )


def _mean_cells(paired: PairedMean) -> tuple[str, ...]:
    return (
        *(f"{mean * 100:.1f}" for mean in (paired.a, paired.b)),
        format_metric("difference", paired.difference),
        *(NOTHING,) * 4,
        NOTHING if paired.p is None else f"{paired.p:.3f}",
    )


def _tiers(summaries: Sequence[Summary]) -> Table:
    tiers = tuple(sorted({tier for summary in summaries for tier in summary.tiers}))
    rows = tuple(Row(model_name(summary), _cells(summary.tiers, tiers)) for summary in summaries)
    run = summaries[0].run
    title = f"{run.taskset_name} by tier"
    return Table(title=title, task=run.task, columns=tiers, labels=tuple(f"{tier} %" for tier in tiers), rows=rows)


def _parts(summaries: Sequence[Summary], by: str) -> Table:
    labels = CLAIM_LABELS if by == "claims" else {name: LABELS[name] for name in SLICE_METRICS}
    rows = tuple(
        Row(f"{model_name(summary)}: {part}", _cells(metrics, tuple(labels)))
        for summary in summaries
        for part, metrics in (summary.claims if by == "claims" else summary.slices.get(by, {})).items()
        if any(metric.n for metric in metrics.values())
    )
    run = summaries[0].run
    title = f'{run.taskset_name}: how far "not visible" can be trusted' if by == "claims" else f"{run.taskset_name} by {by}"
    return Table(title=title, task=run.task, columns=tuple(labels), labels=tuple(labels.values()), rows=rows)


def _cells(metrics: Mapping[str, Metric], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(format_metric(name, metrics[name]) if name in metrics else NOTHING for name in names)
