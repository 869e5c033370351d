"""Our score of a benchmark and its authors', side by side, and why they differ."""

from sightline.evaluate.metrics import Metric
from sightline.evaluate.protocols.published import PublishedSummary
from sightline.evaluate.protocols.x3_compare import NOTHING, Line
from sightline.evaluate.summary import Summary

WHY = {
    "refspatial-original": "ours: the first point, mask from 128; theirs: the share of all points, int(x * w), mask above 0",
    "where2place-original": "ours: the first point, mask from 128; theirs: the mean grey under all points, 640 x 480 assumed",
    "robospatial-original": "ours: the mask, the last answer of a text; theirs: the published outline, the text's first point",
}
WHY_WORDS = "ours: the word wherever it stands, both words or neither are wrong; theirs: how the text begins"


def compare_published(summary: Summary, published: PublishedSummary) -> tuple[Line, ...]:
    """The score by both protocols, then what each of them could not use."""
    why = WHY_WORDS if summary.run.task == "robospatial_home_yesno" else WHY[published.protocol]
    theirs = NOTHING if published.accuracy is None else f"{100 * published.accuracy:.1f} ({published.n})"
    counts = [
        ("Not read", summary.statuses["unreadable"] + summary.statuses["empty"], published.num_ill_formed, "both count them wrong"),
        ("Left out of the mean", 0, published.num_left_out, "theirs: the parser fails, the denominator shrinks"),
        ("Script stops", 0, published.num_stopped, "theirs: an error ends the script; counted 0 here"),
        ("Written anew for their parser", None, published.num_rewritten, "no text, or a dialect that their script cannot read"),
        ("Task set's mask, not the file's", None, published.num_stored_masks, "the benchmark's files are not where they were"),
        ("Questions not in the task set", published.num_unusable, published.num_unusable, "see its ledger: not the full benchmark"),
    ]
    lines = [Line("Right %", _percent(summary.metrics["joint_accuracy"]), theirs, why)]
    return (
        *lines,
        *(
            Line(label, NOTHING if ours is None else str(ours), str(found), reason)
            for label, ours, found, reason in counts
            if found or ours
        ),
    )


def _percent(metric: Metric) -> str:
    return NOTHING if metric.value is None else f"{100 * metric.value:.1f} ({metric.n})"
