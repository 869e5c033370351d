"""Metrics of boxes, masks, tracks and spans, of expressions without a target, and of twins.

Each is a mean over the examples that ask for it:

    acc_iou_010 .. acc_iou_090    share with IoU >= 0.1, 0.3, 0.7, 0.9 (0.5 is in `metrics`)
    ciou, giou                    referring masks: sum I / sum U; mean IoU (`referring_masks`, protocol sightline)
    precision_070, 080, 090       referring masks with a target: share with IoU >= 0.7, 0.8, 0.9
    n_acc, t_acc                  no target, and that was said; a target, and the answer claims one
    m_viou, m_tiou, m_gt_viou     means of box tracks, and of spans (tiou)
    viou_030, viou_050            share of box tracks ABOVE 0.3, 0.5
    tiou_030, tiou_050, tiou_070  share with tIoU >= 0.3, 0.5, 0.7
    frame_iou, f1, j, f, jf, point_precision, point_recall    means (`over_time`, `several`)
    j_recall, f_recall, j_decay, f_decay                      means (`over_time`)
    qa, mra, em_refined           spatial QA: means (`spatial_answers`)
    pair_accuracy                 share of the pairs, or larger sets of twins, all of whose examples are right

A metric that no example asks for is left out. Intervals are by bootstrap over groups (scenes, clips), as those of `metrics`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sightline.evaluate.metrics import Metric, Ratio, ScoreTable, measure_columns

PIXEL_SUMS = ("intersection_px", "union_px")


@dataclass(frozen=True)
class Share:
    """The mean of a value over the examples that have it, or the share of them with at `least` or `above` so much."""

    value: str
    least: float | None = None
    above: float | None = None

    def counted(self, column: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """What each example adds to the sum; 0 where it has no value."""
        known = np.isfinite(column)
        if self.least is not None:
            return (known & (column >= self.least)).astype(np.float64)
        if self.above is not None:
            return (known & (column > self.above)).astype(np.float64)
        return np.where(known, column, 0.0)


SHARES: dict[str, Share] = {
    "acc_iou_010": Share("iou", least=0.1),
    "acc_iou_030": Share("iou", least=0.3),
    "acc_iou_070": Share("iou", least=0.7),
    "acc_iou_090": Share("iou", least=0.9),
    "giou": Share("giou"),
    "precision_070": Share("target_giou", least=0.7),
    "precision_080": Share("target_giou", least=0.8),
    "precision_090": Share("target_giou", least=0.9),
    "m_viou": Share("viou"),
    "m_tiou": Share("tiou"),
    "m_gt_viou": Share("gt_viou"),
    "viou_030": Share("viou", above=0.3),
    "viou_050": Share("viou", above=0.5),
    "tiou_030": Share("tiou", least=0.3),
    "tiou_050": Share("tiou", least=0.5),
    "tiou_070": Share("tiou", least=0.7),
    "frame_iou": Share("frame_iou"),
    "f1": Share("f1"),
    "j": Share("j"),
    "f": Share("f"),
    "jf": Share("jf"),
    "j_recall": Share("j_recall"),
    "f_recall": Share("f_recall"),
    "j_decay": Share("j_decay"),
    "f_decay": Share("f_decay"),
    "point_precision": Share("point_precision"),
    "point_recall": Share("point_recall"),
    "qa": Share("qa"),
    "mra": Share("mra"),
    "em_refined": Share("em_refined"),
}
RATIOS: dict[str, Ratio] = {
    "n_acc": Ratio((("absent_said_absent", "absent"),)),
    "t_acc": Ratio((("visible_said_visible", "visible"),)),
    "pair_accuracy": Ratio((("pair_right", "pair"),)),
}
VALUE_METRICS = ("ciou", *SHARES, *RATIOS)


def measure_values(table: ScoreTable) -> dict[str, Metric]:
    """Those of `VALUE_METRICS` that any example asks for; nothing of scores without values and pairs."""
    if not table.values and not table.flags["pair"].any():
        return {}
    columns = _columns(table)
    ratios = {name: Ratio(((name, f"{name} asked"),)) for name in SHARES} | RATIOS
    found = measure_columns(table, ratios, columns) | _cumulative(table)
    return {name: found[name] for name in VALUE_METRICS if name in found and found[name].n}


def _columns(table: ScoreTable) -> dict[str, Float[np.ndarray, " n"]]:
    unknown = np.full(len(table), np.nan)
    values = {**table.values, "iou": table.distances["iou"]}
    values["target_giou"] = np.where(table.flags["visible"] > 0, values.get("giou", unknown), np.nan)
    columns = {part: table.flags[part] for ratio in RATIOS.values() for parts in ratio.parts for part in parts}
    for name, share in SHARES.items():
        column = values.get(share.value, unknown)
        columns |= {name: share.counted(column), f"{name} asked": np.isfinite(column).astype(np.float64)}
    return columns


def _cumulative(table: ScoreTable) -> dict[str, Metric]:
    """cIoU; its n is examples, not pixels."""
    if not set(PIXEL_SUMS) <= set(table.values):
        return {}
    columns = {name: np.nan_to_num(table.values[name]) for name in PIXEL_SUMS}
    found = measure_columns(table, {"ciou": Ratio((PIXEL_SUMS,))}, columns)["ciou"]
    n = int(np.isfinite(table.values["union_px"]).sum())
    return {"ciou": Metric(value=found.value, n=n, low=found.low, high=found.high)}
