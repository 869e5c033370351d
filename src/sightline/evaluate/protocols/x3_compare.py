"""Our metrics and those of the x3 pipeline's evaluator side by side, and why they differ."""

from dataclasses import dataclass

from sightline.evaluate.metrics import Metric
from sightline.evaluate.protocols.x3_original import X3Summary
from sightline.evaluate.summary import Summary
from sightline.export.x3.results import Metrics

NOTHING = "–"

# Our metric, its label, their metric, their denominator, and the reason of a difference.
LINES: tuple[tuple[str, str, str | None, str | None, str], ...] = (
    ("joint_accuracy", "Joint accuracy %", None, None, "theirs has no number for hits and absences together"),
    (
        "hit_exact",
        "Hit %",
        "hit_at_mask",
        "hit_at_mask_total",
        "theirs: parsed points only in the denominator, dilated mask, points clamped; ours: all visible, exact mask, floor(x)",
    ),
    (
        "hit_dilated",
        "Hit dilated %",
        "hit_at_mask",
        "hit_at_mask_total",
        "the same without the difference of masks",
    ),
    ("not_visible_accuracy", "Not-visible accuracy %", "not_visible_accuracy", "gt_not_visible", "theirs: the word anywhere wins"),
    ("balanced_accuracy", "Balanced accuracy %", None, None, "theirs has none: on absent queries alone a constant answer gets 100"),
    ("success_002", "Success@0.02 %", "success_002", "visible_gt", "theirs: to the centre of the dilated mask's box"),
    ("success_005", "Success@0.05 %", "success_005", "visible_gt", "the same"),
    ("success_010", "Success@0.10 %", "success_010", "visible_gt", "the same"),
    (
        "l2_norm_mean",
        "L2 mean",
        "mean_l2_error",
        None,
        "the same; both over readable points only, theirs also those off the picture",
    ),
    ("l2_norm_std", "L2 std", "std_l2_error", None, "the same"),
    ("l2_norm_median", "L2 median", "median_l2_error", None, "the same"),
)
CONCATENATED = {
    "success_002": "theirs: truth in shares of view B, answer in shares of the whole picture, so that it measures nothing",
    "l2_norm_mean": "the same",
}


@dataclass(frozen=True)
class Line:
    """One metric as both protocols have it, with the denominators, and one line on the difference."""

    label: str
    ours: str
    theirs: str
    why: str


def compare_protocols(summary: Summary, original: X3Summary) -> tuple[Line, ...]:
    """A line for each metric that either side has a value for."""
    concat = summary.run.task == "t1_concat"
    lines = []
    for name, label, theirs, denominator, reason in LINES:
        ours = summary.metrics[name]
        found = _theirs(original.metrics, theirs, denominator, scale=_scale(name))
        if ours.value is not None or found != NOTHING:
            why = CONCATENATED.get(name, reason) if concat else reason
            lines.append(Line(label, _ours(ours, _scale(name)), found, why))
    return tuple(lines)


def _scale(name: str) -> int:
    return 1 if name.startswith("l2_") else 100


def _number(value: float, scale: int) -> str:
    return f"{value:.3f}" if scale == 1 else f"{value * scale:.1f}"


def _ours(metric: Metric, scale: int) -> str:
    return NOTHING if metric.value is None else f"{_number(metric.value, scale)} ({metric.n})"


def _theirs(metrics: Metrics, name: str | None, denominator: str | None, *, scale: int) -> str:
    value = getattr(metrics, name) if name else None
    if value is None:
        return NOTHING
    return _number(value, scale) + (f" ({getattr(metrics, denominator)})" if denominator else "")
