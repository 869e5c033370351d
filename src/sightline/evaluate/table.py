"""Summaries as tables of plain text: one table a task set, one row a model; for the terminal and the report alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from sightline.evaluate.metrics import Metric
from sightline.evaluate.run import set_names
from sightline.evaluate.summary import HEADLINE, Summary

NOTHING = "–"
LABELS = {
    "joint_accuracy": "Joint accuracy %",
    "balanced_joint": "Balanced joint %",
    "hit_exact": "Hit %",
    "hit_dilated": "Hit dilated %",
    "not_visible_accuracy": "Not-visible accuracy %",
    "not_visible_precision": "Not-visible precision %",
    "not_visible_recall": "Not-visible recall %",
    "not_visible_f1": "Not-visible F1 %",
    "balanced_accuracy": "Balanced accuracy %",
    "visible_false_negative_rate": "Visible said absent %",
    "absent_only": "Absent-only set % (a constant wins)",
    "success_002": "Success@0.02 %",
    "success_005": "Success@0.05 %",
    "success_010": "Success@0.10 %",
    "acc_iou_050": "Acc@0.5 IoU %",
    "acc_iou_010": "Acc@0.1 IoU %",
    "acc_iou_030": "Acc@0.3 IoU %",
    "acc_iou_070": "Acc@0.7 IoU %",
    "acc_iou_090": "Acc@0.9 IoU %",
    "ciou": "cIoU %",
    "giou": "gIoU %",
    "precision_070": "Pr@0.7 %",
    "precision_080": "Pr@0.8 %",
    "precision_090": "Pr@0.9 %",
    "n_acc": "N-acc %",
    "t_acc": "T-acc %",
    "m_viou": "m_vIoU %",
    "m_tiou": "m_tIoU %",
    "m_gt_viou": "m_gt_vIoU %",
    "viou_030": "vIoU@0.3 %",
    "viou_050": "vIoU@0.5 %",
    "tiou_030": "tIoU@0.3 %",
    "tiou_050": "tIoU@0.5 %",
    "tiou_070": "tIoU@0.7 %",
    "frame_iou": "Frame IoU %",
    "f1": "F1@0.5 %",
    "j": "J %",
    "f": "F %",
    "jf": "J&F %",
    "j_recall": "J recall %",
    "f_recall": "F recall %",
    "j_decay": "J decay %",
    "f_decay": "F decay %",
    "point_precision": "Point precision %",
    "point_recall": "Point recall %",
    "pair_accuracy": "Pair accuracy %",
    "qa": "Score %",
    "mra": "MRA %",
    "em_refined": "EM-R %",
    "iou_mean": "IoU mean",
    "iou_std": "IoU std",
    "iou_median": "IoU median",
    "l2_norm_mean": "L2 mean",
    "l2_norm_std": "L2 std",
    "l2_norm_median": "L2 median",
    "l2_over_size_mean": "L2/size mean",
    "l2_over_size_std": "L2/size std",
    "l2_over_size_median": "L2/size median",
    "num_unreadable": "Unreadable",
    "num_wrong_panel": "Wrong panel",
    "num_out_of_range": "Out of range",
}


@dataclass(frozen=True)
class Row:
    """One model's line; `cells` stand under the table's columns."""

    model: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """The models of one task set. `columns` are keys of `Summary.metrics` or counts `num_*`, `labels` their titles."""

    title: str
    task: str
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    rows: tuple[Row, ...]


def tables(summaries: Sequence[Summary]) -> tuple[Table, ...]:
    """One table for each task set, in the order in which they come, with the task's headline metrics."""
    groups = by_taskset(summaries)
    titles = set_names([(group[0].run.taskset_name, group[0].run.taskset_path) for group in groups])
    return tuple(_table(title, group) for title, group in zip(titles, groups, strict=True))


def by_taskset(summaries: Sequence[Summary]) -> tuple[list[Summary], ...]:
    """The summaries of each task set, in the order in which they come."""
    groups: dict[str, list[Summary]] = {}
    for summary in summaries:
        groups.setdefault(summary.run.taskset_fingerprint, []).append(summary)
    return tuple(groups.values())


def is_share(name: str) -> bool:
    """Whether a metric is told in percent; distances and overlaps are told as they are."""
    return not name.startswith(("l2_", "iou_"))


def format_metric(name: str, metric: Metric) -> str:
    """`value [low, high] (n)`: shares in percent with one decimal, distances with three. A value that is 0/0 is a dash."""
    if metric.value is None:
        return f"{NOTHING} ({metric.n})"
    scale, decimals = (100, 1) if is_share(name) else (1, 3)
    text = f"{metric.value * scale:.{decimals}f}"
    if metric.low is not None and metric.high is not None:
        text += f" [{metric.low * scale:.{decimals}f}, {metric.high * scale:.{decimals}f}]"
    return f"{text} ({metric.n})"


def format_cell(name: str, summary: Summary) -> str:
    """The cell of a metric or count; a count has the number of scored examples behind it."""
    if name.startswith("num_"):
        return f"{summary.count(name)} ({summary.num_scored})"
    return format_metric(name, summary.metrics.get(name, Metric(value=None, n=0)))  # left out where nothing asks for it


def _table(title: str, summaries: Sequence[Summary]) -> Table:
    run = summaries[0].run
    columns = HEADLINE[run.task]
    return Table(
        title=title,
        task=run.task,
        columns=columns,
        labels=tuple(LABELS[name] for name in columns),
        rows=tuple(Row(model_name(summary), tuple(format_cell(name, summary) for name in columns)) for summary in summaries),
    )


def model_name(summary: Summary) -> str:
    """The model's name, with a warning where the run is not complete."""
    if summary.num_missing:
        return f"{summary.run.model} (partial: {summary.num_scored} of {summary.num_examples})"
    return summary.run.model
