"""`index.html`: the tables and where their numbers come from, as plain HTML, around an empty gallery.

Every number is a link to the examples it counts, and its `(n)` to those it is out of. Without scripts the links do nothing and the
tables say the same.
"""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from sightline import __version__
from sightline.evaluate.breakdown import CLAIM_LABELS
from sightline.evaluate.claims import ALL
from sightline.evaluate.metrics import Metric
from sightline.evaluate.slices import SLICINGS
from sightline.evaluate.summary import HEADLINE, Summary
from sightline.evaluate.table import LABELS, format_cell, format_metric
from sightline.evaluate.taxonomy import KIND_LABELS, ErrorKind
from sightline.report.error_maps import ERRORS_NOTE, error_maps
from sightline.report.header import header
from sightline.report.inventory import inventory
from sightline.report.links import BEHIND_CLAIMS, behind, behind_bin, behind_claim, behind_kind, behind_said_absent, behind_tier
from sightline.report.markup import Html, element, join
from sightline.report.paired import Rivalry
from sightline.report.places import place_maps
from sightline.report.plots import plots
from sightline.report.referring import referring_part
from sightline.report.runs import AnsweredSet, Collection
from sightline.report.sources import sources
from sightline.report.tables import Column, SummarisedRun, folded, summarised_runs, table
from sightline.report.tally import GRID, Claim, Counts, Tally
from sightline.types import STATUSES

HOW_TO_READ = "Each cell: value [95 % interval] (n); the value opens the examples it counts, n all that were asked."
KINDS_NOTE = (
    "One kind for each example. A near miss is on the dilated mask or within 5 % of the picture; a flip would hit if mirrored left "
    "to right; other objects are those that this task set has masks of in the same picture, so their count is a lower bound."
)
SLICING_WORDS = {
    "size": "size of the object",
    "reference": "size in the reference view",
    "overlap": "overlap of the views",
    "occlusion": "occlusion",
    "wording": "wording",
}
assert set(SLICING_WORDS) == set(SLICINGS)
CLAIMS = {
    (True, True): "Visible, said visible",
    (True, False): "Visible, said absent",
    (True, None): "Visible, said neither",
    (False, True): "Absent, said visible",
    (False, False): "Absent, said absent",
    (False, None): "Absent, said neither",
}
PLACES_NOTE = (
    f"The view is cut into {GRID} x {GRID} cells; an example belongs to the cell with the middle of its object. Darker is better."
)
Tallies = Mapping[Path, Tally]
"""The counts of each run folder."""


def page(collection: Collection, summaries: Sequence[Summary], counts: Counts, *, title: str, assets: Html, sampling: Html) -> str:
    """The whole page. `summaries` are in the order of `collection.runs`; `assets` the tags of scripts and styles."""
    template = Template((files("sightline.report") / "page.html").read_text(encoding="utf-8"))
    interval = " / ".join(dict.fromkeys(f"protocol {summary.protocol}, intervals: {summary.interval}" for summary in summaries))
    runs = [(answered, summarised_runs(collection, answered, summaries)) for answered in collection.sets]
    return template.substitute(
        title=join(title),
        subtitle=join(
            f"{_count(len(summaries), 'run')} of {_count(len(collection.models), 'model')}; {interval}; {_compared(collection)}"
            f"Sightline {__version__}."
        ),
        assets=assets,
        tables=join(
            *(_tables(answered, Rivalry(answered.name, of_set, collection.baseline), counts.runs) for answered, of_set in runs)
        ),
        header=header(collection, summaries),
        inventory=inventory(collection.sets, counts.sets),
        sources=sources(collection, summaries),
        sampling=sampling,
    )


def _compared(collection: Collection) -> str:
    """Which model the others are compared with, where there are others."""
    baseline = collection.baseline
    return f"compared with {baseline.letter} {baseline.label} (--baseline); " if len(collection.models) > 1 else ""


def _tables(answered: AnsweredSet, rivalry: Rivalry, tallies: Tallies) -> Html:
    """One task set: the headline table, and the rest folded away."""
    runs = rivalry.runs
    name, manifest, first = answered.name, answered.taskset.manifest, runs[0].summary
    size = f"{_count(first.num_examples, 'example')} in {_count(first.num_groups, 'scene')}"
    about = f"{manifest.task}, {manifest.split}: {size}"
    headline = HEADLINE.get(manifest.task, ("joint_accuracy",))
    rest = [label for label in LABELS if label not in headline and all(_applies(label, run.summary) for run in runs)]
    tiers = sorted({tier for run in runs for tier in run.summary.tiers})
    return join(
        element("h3", name),
        element("p", f"{about}. {HOW_TO_READ}", class_="note"),
        table(name, runs, [*(_metric_column(label) for label in headline), *rivalry.columns]),
        rivalry.details(),
        folded("Kinds of error", element("p", KINDS_NOTE, class_="note"), table(name, runs, _kind_columns(runs, tallies))),
        *referring_part(name, runs, tallies),
        folded("Claim against truth", table(name, runs, [_claim_column(claim, tallies) for claim in CLAIMS])),
        folded("Right answers by tier, %", table(name, runs, [_tier_column(tier) for tier in tiers])),
        *(
            folded(f"Right answers by {words}, %", table(name, runs, columns))
            for slicing, words in SLICING_WORDS.items()
            if (columns := _bin_columns(slicing, runs))
        ),
        folded("Plots of right answers", plots(name, runs)),
        *(
            [folded("Right answers by place in the view", element("p", PLACES_NOTE, class_="note"), maps)]
            if (maps := place_maps(name, runs, tallies))
            else []
        ),
        *(
            [folded("Errors by size, other objects and resolution", element("p", ERRORS_NOTE, class_="note"), maps)]
            if (maps := error_maps(name, runs, tallies))
            else []
        ),
        *_claims(name, runs, tiers),
        folded("More metrics", table(name, runs, [_metric_column(label) for label in rest])),
        folded("Statuses", table(name, runs, [_metric_column(f"num_{status}", title=status) for status in STATUSES])),
    )


def _applies(name: str, summary: Summary) -> bool:
    """Whether it is a metric that means something in the task: an overlap does only where boxes or masks are asked."""
    if name.startswith("num_") or name not in summary.metrics:
        return False
    return not name.startswith(("iou_", "acc_iou_")) or summary.metrics[name].n > 0


def _metric_column(name: str, *, title: str | None = None) -> Column:
    return Column(title or LABELS[name], lambda run: format_cell(name, run.summary), behind(name))


def _tier_column(tier: str) -> Column:
    return Column(tier, lambda run: _share(run.summary.tiers.get(tier)), behind_tier(tier))


def _kind_columns(runs: Sequence[SummarisedRun], tallies: Tallies) -> list[Column]:
    """A column for each kind that any of the runs has."""

    def column(kind: ErrorKind, label: str) -> Column:
        return Column(label, lambda run: f"{tallies[run.run.folder].kinds[kind]} ({run.summary.num_scored})", behind_kind(kind))

    return [column(kind, label) for kind, label in KIND_LABELS.items() if any(tallies[run.run.folder].kinds[kind] for run in runs)]


def _claim_column(claim: Claim, tallies: Tallies) -> Column:
    """How many of the visible, or of the absent, were claimed to be so, or otherwise, or neither: a row of the confusion matrix."""
    visible, said = claim

    def text(run: SummarisedRun) -> str:
        counts = tallies[run.run.folder].claims
        return f"{counts[claim]} ({sum(count for (truth, _), count in counts.items() if truth == visible)})"

    return Column(CLAIMS[claim], text, behind_claim(visible=visible, said=said))


def _bin_columns(slicing: str, runs: Sequence[SummarisedRun]) -> list[Column]:
    """A column for each bin that any of the runs has an example in; none where the slicing means nothing in the task."""

    def metric(run: SummarisedRun, label: str) -> Metric | None:
        return run.summary.slices.get(slicing, {}).get(label, {}).get("joint_accuracy")

    def column(label: str) -> Column:
        return Column(label, lambda run: _share(metric(run, label)), behind_bin(slicing, label))

    labels = dict.fromkeys(label for run in runs for label in run.summary.slices.get(slicing, {}))
    return [column(label) for label in labels if any(found.n for run in runs if (found := metric(run, label)))]


def _claims(name: str, runs: Sequence[SummarisedRun], tiers: Sequence[str]) -> list[Html]:
    """How far "not visible" can be trusted, where any run's summary says so."""
    if not any(run.summary.claims for run in runs):
        return []

    def column(part: str, claim: str, label: str) -> Column:
        behind_it = BEHIND_CLAIMS[claim] if part == ALL else behind_said_absent(part)
        return Column(label, lambda run: _share(run.summary.claims.get(part, {}).get(claim)), behind_it)

    return [
        folded(
            'How far "not visible" can be trusted',
            table(name, runs, [column(ALL, claim, label) for claim, label in CLAIM_LABELS.items()]),
        ),
        folded("Said not visible by tier, %", table(name, runs, [column(tier, "said_not_visible", tier) for tier in tiers])),
    ]


def _share(metric: Metric | None) -> str | None:
    return None if metric is None else format_metric("share", metric)


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'s' if number != 1 else ''}"
