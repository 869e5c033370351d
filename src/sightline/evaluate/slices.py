"""Metrics by slices: how a model does on small and large objects, on views that overlap little or much, behind others.

Bins are fixed, so that numbers of different runs can be laid side by side; a bin holds its lower edge and not its upper one.
The values are those of `Example.slices`: shares of the picture (areas) or of the object's surface as the reference view shows it
(`covisible`, `occluded`; known only with depth and poses). Examples without the value are in the bin "unknown", so the bins of a
slicing hold every example that it asks about.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from sightline.evaluate.metrics import RATIOS, Metric, ScoreTable, measure_where
from sightline.taskset.store import TaskSet

UNKNOWN = "unknown"
SLICE_METRICS = ("joint_accuracy", "hit_exact", "not_visible_accuracy")


@dataclass(frozen=True)
class Slicing:
    """How examples are binned by one of their numbers. `bins` are one more than `edges`; `asks` is the flag of those that count."""

    value: str
    edges: tuple[float, ...]
    bins: tuple[str, ...]
    asks: str = "all"


# COCO's small ends (32 pixels squared) at 0.3 % and its large begins (96 squared) at 3 % of a 640 x 480 picture; objects that can
# be marked and found again are larger. An absent object has no size in the query view, so `size` asks about visible ones.
AREA_EDGES, AREA_BINS = (0.01, 0.05), ("small <1%", "medium 1-5%", "large >5%")
SLICINGS: dict[str, Slicing] = {
    "size": Slicing("query_area", AREA_EDGES, AREA_BINS, asks="visible"),
    "reference": Slicing("reference_area", AREA_EDGES, AREA_BINS),
    "overlap": Slicing("covisible", (0.25, 0.50, 0.75), ("<25%", "25-50%", "50-75%", ">75%")),
    "occlusion": Slicing("occluded", (0.05, 0.25, 0.50), ("<5%", "5-25%", "25-50%", ">50%")),
    "wording": Slicing("wording", (1.0, 2.0, 3.0), ("wording 0", "wording 1", "wording 2", "wording 3+")),
}


def slice_values(taskset: TaskSet, count: int) -> dict[str, Float[np.ndarray, " n"]]:
    """What the slicings bin by, of the first `count` examples; nan where unknown."""
    return {slicing.value: taskset.slice_values(slicing.value)[:count] for slicing in SLICINGS.values()}


def measure_slices(table: ScoreTable, values: Mapping[str, Float[np.ndarray, " n"]]) -> dict[str, dict[str, dict[str, Metric]]]:
    """`SLICE_METRICS` by slicing and bin; `values` in the order of the table. A slicing of which no value is known is left out."""
    ratios = {name: RATIOS[name] for name in SLICE_METRICS}
    found: dict[str, dict[str, dict[str, Metric]]] = {}
    for name, slicing in SLICINGS.items():
        asked = table.flags[slicing.asks] > 0
        members = bin_members(slicing, values[slicing.value])
        if not any((chosen & asked).any() for label, chosen in members.items() if label != UNKNOWN):
            continue
        of_bins = {label: chosen & asked for label, chosen in members.items()}
        found[name] = {
            label: measure_where(table, chosen, ratios) for label, chosen in of_bins.items() if label != UNKNOWN or chosen.any()
        }
    return found


def bin_members(slicing: Slicing, values: Float[np.ndarray, " n"]) -> dict[str, Bool[np.ndarray, " n"]]:
    """Which values lie in each bin, `UNKNOWN` (nan) last."""
    position = np.searchsorted(slicing.edges, values, side="right")
    known = np.isfinite(values)
    members = {label: known & (position == index) for index, label in enumerate(slicing.bins)}
    return members | {UNKNOWN: ~known}
