"""`summary.json`: every metric of a run with its n and interval, what was missing, and where the run came from."""

from pathlib import Path

from sightline.errors import InputError
from sightline.evaluate.claims import measure_claims
from sightline.evaluate.metrics import DRAWS, LEVEL, RATIOS, Metric, measure, measure_tiers, tabulate
from sightline.evaluate.run import SUMMARY, RunInfo, read_run, read_scores
from sightline.evaluate.score import open_taskset
from sightline.evaluate.slices import measure_slices, slice_values
from sightline.evaluate.value_metrics import measure_values
from sightline.files import read_json, write_json
from sightline.types import Record

PROTOCOL = "sightline-1"
INTERVAL = f"{LEVEL:.0%} percentile bootstrap over groups, {DRAWS} draws"

# What a task's table shows, in order; `num_*` are counts of the summary, the others metrics.
HEADLINE: dict[str, tuple[str, ...]] = {
    "t1_multi": (
        "balanced_joint",
        "joint_accuracy",
        "hit_exact",
        "hit_dilated",
        "not_visible_accuracy",
        "l2_norm_mean",
        "num_unreadable",
    ),
    "t1_concat": (
        "balanced_joint",
        "joint_accuracy",
        "hit_exact",
        "hit_dilated",
        "not_visible_accuracy",
        "l2_norm_mean",
        "num_wrong_panel",
        "num_unreadable",
    ),
    "t2a": ("balanced_accuracy", "not_visible_precision", "not_visible_recall", "not_visible_f1", "num_unreadable"),
    "t2b": ("hit_exact", "hit_dilated", "l2_norm_median", "num_unreadable"),
    "t2b_box": ("acc_iou_050", "iou_mean", "num_out_of_range", "num_unreadable"),
    "t2b_mask": ("acc_iou_050", "iou_mean", "num_unreadable"),
}
POINTING, YES_NO = ("hit_exact", "num_out_of_range", "num_unreadable"), ("joint_accuracy", "balanced_accuracy", "num_unreadable")
HEADLINE |= dict.fromkeys(("refspatial_bench", "where2place", "robospatial_home"), POINTING)
HEADLINE |= dict.fromkeys(("robospatial_home_yesno", "refspatial_yesno"), YES_NO)
HEADLINE |= {
    "refspatial_choice": ("joint_accuracy", "num_unreadable"),
    "spatial_qa": ("qa", "joint_accuracy", "mra", "em_refined", "num_unreadable"),
    "refspatial_points": ("success_002", "success_005", "success_010", "l2_norm_median", "num_unreadable"),
}
HEADLINE |= {"t2a_yesno": HEADLINE["t2a"]} | dict.fromkeys(("t2b_jitter", "t2b_shift", "t2b_distractor"), HEADLINE["t2b"])
FINDING_BOXES = ("acc_iou_050", "iou_mean", "f1", "n_acc", "num_unreadable")
FOLLOWING_BOXES = ("m_viou", "viou_030", "viou_050", "m_tiou", "joint_accuracy", "n_acc", "num_unreadable")
HEADLINE |= {
    "refer_box": FINDING_BOXES,
    "refer_mask": ("ciou", "giou", "acc_iou_050", "n_acc", "t_acc", "num_unreadable"),
    "refer_point": ("joint_accuracy", "hit_exact", "n_acc", "num_out_of_range", "num_unreadable"),
    "refer_track": FOLLOWING_BOXES,
    "refer_mask_track": ("jf", "j", "f", "n_acc", "t_acc", "num_unreadable"),
    "refer_span": ("m_tiou", "tiou_050", "n_acc", "num_unreadable"),
    "segment": ("jf", "j", "f", "j_recall", "f_recall", "j_decay", "f_decay", "num_unreadable"),
    "relation_choice": ("joint_accuracy", "pair_accuracy", "num_unreadable"),
    "relation_box": ("joint_accuracy", "pair_accuracy", "acc_iou_050", "iou_mean", "n_acc", "num_unreadable"),
    "relation_track": ("joint_accuracy", "pair_accuracy", *FOLLOWING_BOXES[:4], "n_acc", "num_unreadable"),
    "relation_when": ("joint_accuracy", "pair_accuracy", "m_tiou", "tiou_050", "n_acc", "num_unreadable"),
    "relation_switch": ("joint_accuracy", "pair_accuracy", *FOLLOWING_BOXES[:4], "n_acc", "num_unreadable"),
}


class Summary(Record):
    """`num_examples` is the size of the task set, `num_missing` how many of it have no prediction (more than 0 only in a partial
    scoring). `statuses` counts every status, zeros included. `tiers` is the share of correct outcomes by tier, `slices` the
    metrics by slicing and bin (`evaluate.slices`), `claims` the rates of "visible" and "not visible" (`evaluate.claims`)."""

    protocol: str
    run: RunInfo
    num_examples: int
    num_scored: int
    num_missing: int
    num_groups: int
    num_visible: int
    num_absent: int
    num_wrong_panel: int
    statuses: dict[str, int]
    interval: str
    metrics: dict[str, Metric]
    tiers: dict[str, Metric]
    slices: dict[str, dict[str, dict[str, Metric]]] = {}
    claims: dict[str, dict[str, Metric]] = {}

    def count(self, name: str) -> int:
        """A count by its headline name: `num_wrong_panel`, or `num_` and a status."""
        return self.num_wrong_panel if name == "num_wrong_panel" else self.statuses[name.removeprefix("num_")]


def summarise(folder: Path, *, taskset: Path | None = None) -> Summary:
    """Aggregate the scores of a run and write `summary.json`.

    Raises:
        FileNotFoundError: no run, no task set, or not scored yet.
        InputError: another task set than the run's, or an unreadable file.
    """
    questions = open_taskset(folder, taskset)
    num_examples = len(questions)
    table = tabulate(read_scores(folder))
    num_visible = round(float(table.flags["visible"].sum()))
    summary = Summary(
        protocol=PROTOCOL,
        run=read_run(folder),
        num_examples=num_examples,
        num_scored=len(table),
        num_missing=num_examples - len(table),
        num_groups=len(table.groups),
        num_visible=num_visible,
        num_absent=len(table) - num_visible,
        num_wrong_panel=round(float(table.flags["wrong_panel"].sum())),
        statuses=dict(table.statuses),
        interval=INTERVAL,
        metrics=measure(table) | measure_values(table),
        tiers=measure_tiers(table),
        slices=measure_slices(table, slice_values(questions, len(table))),
        claims=measure_claims(table),
    )
    write_json(folder / SUMMARY, summary)
    return summary


def read_summary(folder: Path) -> Summary:
    """The summary of a scored run.

    Raises:
        FileNotFoundError: not scored since its last prediction.
    """
    path = folder / SUMMARY
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no {SUMMARY}. Score it first: `sightline score {folder}`.")
    summary = read_json(path, Summary)
    if missing := [name for name in RATIOS if name not in summary.metrics]:
        raise InputError(
            f"{path} was written by an older version (it lacks {', '.join(missing)}). "
            f"Score the run again: `sightline score {folder}`."
        )
    return summary
