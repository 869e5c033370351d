"""Metrics of many scores, each with its count and a 95 % interval.

A metric is a ratio of sums over examples (hits over visible examples), a mean of two ratios, or a moment or median of a
distance. All denominators hold every example that asks, whatever the model said; only the distances are over those answers that
have one, and their `n` says how many. 0/0 is None, never 0.

Intervals: examples of one group (scene) stand or fall together, so groups are drawn with replacement, `DRAWS` times, and the
metric is computed of each draw; the interval is its 2.5 and 97.5 percentiles (Efron's percentile bootstrap over clusters). Draws
in which the metric is 0/0 are left out. No interval where fewer than two groups enter a denominator: one scene says nothing about
scenes.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

from sightline.evaluate.measured import ACCEPTED_IOU
from sightline.evaluate.value_columns import Twins, ValueColumns
from sightline.types import STATUSES, Record, Score

DRAWS = 1000
LEVEL = 0.95
SEED = 20_240_229  # any fixed number: the same scores always get the same intervals
SUCCESS_NORM = {"success_002": 0.02, "success_005": 0.05, "success_010": 0.10}
MOMENTS = ("l2_norm", "l2_over_size", "iou")
NATURAL_ABSENCES = ("N1", "N2", "N12", "N3")  # nothing painted, no other scene: the absent-only set of the x3 pipeline's Task 2A


class Metric(Record):
    """A value with the number `n` of examples in its denominator; `low`, `high` bound the 95 % interval. None where undefined."""

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ScoreTable:
    """Scores as columns of numbers, one row an example. `group` and `tier` index `groups` and `tiers` (sorted names).

    `flags` are 0/1 columns by name; `distances` (the overlap too) are nan where an answer has none; so are `values`, the
    columns of `Score.values`. The flag `pair` is 1 in one example of each set of twins,
    and `pair_right` too if all of them are right.
    """

    groups: tuple[str, ...]
    tiers: tuple[str, ...]
    group: Int[np.ndarray, " n"]
    tier: Int[np.ndarray, " n"]
    flags: Mapping[str, Float[np.ndarray, " n"]]
    distances: Mapping[str, Float[np.ndarray, " n"]]
    statuses: Mapping[str, int]
    values: Mapping[str, Float[np.ndarray, " n"]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.group)


@dataclass(frozen=True)
class Ratio:
    """The mean over `parts` of sum(numerator) / sum(denominator); columns are by name. None as soon as one part is 0/0."""

    parts: tuple[tuple[str, str], ...]

    def __call__(self, sums: Mapping[str, Float[np.ndarray, " *draws"]]) -> Float[np.ndarray, " *draws"]:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.mean([sums[top] / sums[bottom] for top, bottom in self.parts], axis=0))


RATIOS: dict[str, Ratio] = {
    "joint_accuracy": Ratio((("correct", "all"),)),
    "balanced_joint": Ratio((("hit", "visible"), ("absent_said_absent", "absent"))),
    "hit_exact": Ratio((("hit", "visible"),)),
    "hit_dilated": Ratio((("hit_dilated", "has_dilated"),)),
    "not_visible_accuracy": Ratio((("absent_said_absent", "absent"),)),
    "not_visible_precision": Ratio((("absent_said_absent", "said_absent"),)),
    "not_visible_recall": Ratio((("absent_said_absent", "absent"),)),
    "not_visible_f1": Ratio((("absent_said_absent_twice", "absent_and_said_absent"),)),
    "balanced_accuracy": Ratio((("visible_said_visible", "visible"), ("absent_said_absent", "absent"))),
    "visible_false_negative_rate": Ratio((("visible_said_absent", "visible"),)),
    "absent_only": Ratio((("natural_said_absent", "natural_absent"),)),
    "acc_iou_050": Ratio((("iou_050", "has_iou"),)),
} | {name: Ratio(((name, "visible"),)) for name in SUCCESS_NORM}


def tabulate(scores: Iterable[Score]) -> ScoreTable:
    """Scores as columns, read as a stream: about a hundred bytes an example are kept."""
    groups: dict[str, int] = {}
    tiers: dict[str, int] = {}
    statuses: dict[str, int] = dict.fromkeys(STATUSES, 0)
    codes: list[tuple[int, int, int]] = []
    distances: list[tuple[float, float, float]] = []
    values, twins = ValueColumns(), Twins()
    for row, score in enumerate(scores):
        values.add(row, score.values)
        twins.add(row, score)
        statuses[score.status] += 1
        codes.append((groups.setdefault(score.group, len(groups)), tiers.setdefault(score.tier, len(tiers)), _bits(score)))
        distances.append((_number(score.l2_norm), _number(score.l2_over_size), _number(score.iou)))
    group, tier, bits = np.array(codes, dtype=np.int64).reshape(-1, 3).T
    l2_norm, l2_over_size, iou = np.array(distances, dtype=np.float64).reshape(-1, 3).T
    is_natural = np.array([name in NATURAL_ABSENCES for name in tiers], dtype=bool)
    return ScoreTable(
        groups=tuple(sorted(groups)),
        tiers=tuple(sorted(tiers)),
        group=_sorted_codes(groups)[group],
        tier=_sorted_codes(tiers)[tier],
        flags=_flags(bits, l2_norm) | _overlap_flags(iou) | _natural_flags(bits, is_natural[tier]) | twins.flags(len(bits)),
        distances={"l2_norm": l2_norm, "l2_over_size": l2_over_size, "iou": iou},
        statuses=statuses,
        values=values.columns(len(bits)),
    )


def measure(table: ScoreTable) -> dict[str, Metric]:
    """Every metric by name: the ratios, and mean, standard deviation (of the answers) and median of the distances."""
    draws = draw_groups(len(table.groups))
    metrics = _ratios(table, RATIOS, table.flags, draws)
    for name in MOMENTS:
        metrics |= _moments(table, name, draws)
    return metrics


def measure_tiers(table: ScoreTable) -> dict[str, Metric]:
    """The share of correct outcomes of each tier."""
    columns: dict[str, Float[np.ndarray, " n"]] = {}
    ratios: dict[str, Ratio] = {}
    for code, tier in enumerate(table.tiers):
        asked = (table.tier == code).astype(np.float64)
        columns |= {f"{tier} asked": asked, f"{tier} correct": asked * table.flags["correct"]}
        ratios[tier] = Ratio(((f"{tier} correct", f"{tier} asked"),))
    return _ratios(table, ratios, columns, draw_groups(len(table.groups)))


def measure_where(table: ScoreTable, chosen: Bool[np.ndarray, " n"], ratios: Mapping[str, Ratio]) -> dict[str, Metric]:
    """The given ratios of flags over the chosen examples alone."""
    names = {name for ratio in ratios.values() for part in ratio.parts for name in part}
    columns = {name: table.flags[name] * chosen for name in names}
    return _ratios(table, ratios, columns, draw_groups(len(table.groups)))


def measure_columns(
    table: ScoreTable, ratios: Mapping[str, Ratio], columns: Mapping[str, Float[np.ndarray, " n"]]
) -> dict[str, Metric]:
    """The ratios of given columns, one row an example; `n` is the sum of the denominators."""
    return _ratios(table, ratios, columns, draw_groups(len(table.groups)))


def _ratios(
    table: ScoreTable,
    ratios: Mapping[str, Ratio],
    columns: Mapping[str, Float[np.ndarray, " n"]],
    draws: Int[np.ndarray, "draws groups"],
) -> dict[str, Metric]:
    by_group = {name: _per_group(table, column) for name, column in columns.items()}
    totals = {name: np.asarray(sums.sum()) for name, sums in by_group.items()}
    drawn = {name: draws @ sums for name, sums in by_group.items()}
    metrics: dict[str, Metric] = {}
    for name, ratio in ratios.items():
        bottoms = [bottom for _, bottom in ratio.parts]
        num_groups = min(int(np.count_nonzero(by_group[bottom])) for bottom in bottoms)
        n = round(sum(float(totals[bottom]) for bottom in bottoms))
        metrics[name] = with_interval(float(ratio(totals)), n, ratio(drawn), num_groups=num_groups)
    # The denominator of F1 counts the right "not visible" answers twice; n is examples that are absent or were said to be.
    if "not_visible_f1" in metrics:
        n = round(float(totals["absent_and_said_absent"] - totals["absent_said_absent"]))
        metrics["not_visible_f1"] = _with_n(metrics["not_visible_f1"], n)
    return metrics


def _moments(table: ScoreTable, name: str, draws: Int[np.ndarray, "draws groups"]) -> dict[str, Metric]:
    """Mean, standard deviation and median of one distance over the answers that have it."""
    has = np.isfinite(table.distances[name])
    values, groups = table.distances[name][has], table.group[has]
    n, num_groups = len(values), len(np.unique(groups))
    if n == 0:
        return {f"{name}_{kind}": Metric(value=None, n=0) for kind in ("mean", "std", "median")}
    size = len(table.groups)
    count, total, squares = (
        draws @ np.bincount(groups, weights=column, minlength=size) for column in (np.ones(n), values, values**2)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    median = _medians(values, groups, draws) if num_groups > 1 else mean
    found = {
        "mean": (float(values.mean()), mean),
        "std": (float(values.std()), std),
        "median": (float(np.median(values)), median),
    }
    return {f"{name}_{kind}": with_interval(value, n, drawn, num_groups=num_groups) for kind, (value, drawn) in found.items()}


def _medians(
    values: Float[np.ndarray, " n"], groups: Int[np.ndarray, " n"], draws: Int[np.ndarray, "draws groups"]
) -> Float[np.ndarray, " draws"]:
    """The median of each draw, in which a value stands as often as its group was drawn; nan where none was."""
    order = np.argsort(values, kind="stable")
    values, groups = values[order], groups[order]
    medians = np.full(len(draws), np.nan)
    for index, times in enumerate(draws):
        upto = np.cumsum(times[groups])
        if upto[-1] > 0:
            middle = np.searchsorted(upto, [(upto[-1] - 1) // 2, upto[-1] // 2], side="right")
            medians[index] = values[middle].mean()
    return medians


@lru_cache(maxsize=1)
def draw_groups(num_groups: int) -> Int[np.ndarray, "draws groups"]:
    """How often each group stands in each bootstrap draw; always the same for a number of groups."""
    rng = np.random.default_rng(SEED)
    draws = np.empty((DRAWS, num_groups), dtype=np.int32)
    for draw in draws:
        draw[:] = np.bincount(rng.integers(num_groups, size=num_groups), minlength=num_groups) if num_groups else 0
    draws.flags.writeable = False
    return draws


def with_interval(value: float, n: int, drawn: Float[np.ndarray, " draws"], *, num_groups: int) -> Metric:
    """The metric with the percentiles of its value in the draws; without them where fewer than two groups stand behind it."""
    if not np.isfinite(value):
        return Metric(value=None, n=n)
    drawn = drawn[np.isfinite(drawn)]
    if num_groups < 2 or len(drawn) == 0:
        return Metric(value=value, n=n)
    low, high = np.percentile(drawn, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return Metric(value=value, n=n, low=float(low), high=float(high))


def _with_n(metric: Metric, n: int) -> Metric:
    return Metric(value=metric.value, n=n, low=metric.low, high=metric.high)


def _per_group(table: ScoreTable, column: Float[np.ndarray, " n"]) -> Float[np.ndarray, " groups"]:
    return np.bincount(table.group, weights=column, minlength=len(table.groups)).astype(np.float64)  # int if there is no row


FACTS: tuple[tuple[str, Callable[[Score], bool]], ...] = (
    ("visible", lambda score: score.visible),
    ("correct", lambda score: score.correct),
    ("said_visible", lambda score: score.said_visible is True),
    ("said_absent", lambda score: score.said_visible is False),
    ("hit", lambda score: score.hit is True),
    ("hit_dilated", lambda score: score.hit_dilated is True),
    ("has_dilated", lambda score: score.hit_dilated is not None),
    ("wrong_panel", lambda score: score.wrong_panel),
)


def _bits(score: Score) -> int:
    return sum(fact(score) << bit for bit, (_, fact) in enumerate(FACTS))


def _flags(bits: Int[np.ndarray, " n"], l2_norm: Float[np.ndarray, " n"]) -> dict[str, Float[np.ndarray, " n"]]:
    flags = {name: ((bits >> bit) & 1).astype(np.float64) for bit, (name, _) in enumerate(FACTS)}
    absent = 1 - flags["visible"]
    flags |= {
        "all": np.ones(len(bits)),
        "said_neither": 1 - flags["said_visible"] - flags["said_absent"],
        "absent": absent,
        "visible_said_visible": flags["visible"] * flags["said_visible"],
        "visible_said_absent": flags["visible"] * flags["said_absent"],
        "absent_said_absent": absent * flags["said_absent"],
        "said_right": flags["visible"] * flags["said_visible"] + absent * flags["said_absent"],
        "absent_said_absent_twice": 2 * absent * flags["said_absent"],
        "absent_and_said_absent": absent + flags["said_absent"],
    }
    return flags | {name: (l2_norm < limit).astype(np.float64) for name, limit in SUCCESS_NORM.items()}


def _overlap_flags(iou: Float[np.ndarray, " n"]) -> dict[str, Float[np.ndarray, " n"]]:
    return {"has_iou": np.isfinite(iou).astype(np.float64), "iou_050": (iou >= ACCEPTED_IOU).astype(np.float64)}


def _natural_flags(bits: Int[np.ndarray, " n"], natural: Bool[np.ndarray, " n"]) -> dict[str, Float[np.ndarray, " n"]]:
    said_absent = (bits >> [name for name, _ in FACTS].index("said_absent")) & 1
    return {"natural_absent": natural.astype(np.float64), "natural_said_absent": (natural * said_absent).astype(np.float64)}


def _sorted_codes(names: Mapping[str, int]) -> Int[np.ndarray, " names"]:
    """For each code in order of first appearance, the position of its name among the sorted names."""
    rank = {name: position for position, name in enumerate(sorted(names))}
    return np.array([rank[name] for name in names], dtype=np.int64)


def _number(value: float | None) -> float:
    return np.nan if value is None else value
