"""Two runs of one task set, example by example: which is better, by how much, and can that be chance?

Every example is a win of A (only A is right), a win of B, or a tie (both right, both wrong). The difference of the two shares has
an interval by the same bootstrap over groups as every metric (`metrics`), and from the same draws a two-sided p: twice the share of
draws, plus one, in which the difference is 0 or has the other sign (Davison and Hinkley 1997, 4.2). As no test over G groups that
differ can find less than 2 ** (1 - G) (all of them on one side, a sign test), p is not given lower than that, however narrow the
interval of a few groups may be.
"""

from array import array
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from sightline.errors import InputError
from sightline.evaluate.metrics import Metric, draw_groups, with_interval
from sightline.evaluate.run import SCORES, RunInfo, read_run, read_scores
from sightline.evaluate.summary import INTERVAL
from sightline.types import Record, Score

OUTCOMES: dict[str, Callable[[Score], bool | None]] = {"correct": lambda score: score.correct, "hit": lambda score: score.hit}
BOTH_WRONG, ONLY_A, ONLY_B, BOTH_RIGHT, NOT_ASKED = range(5)  # ONLY_A and ONLY_B as bits: A is 1, B is 2

Kind = Literal["only-a", "only-b", "both-wrong"]
KINDS: dict[Kind, int] = {"only-a": ONLY_A, "only-b": ONLY_B, "both-wrong": BOTH_WRONG}


class Paired(Record):
    """One outcome of two runs on the `n` examples that ask for it. `a` and `b` are the shares that are right, None without any.

    `difference` is a - b with its interval, `p` the two-sided p that there is none; both only of two groups or more.
    """

    n: int
    num_groups: int
    only_a: int
    only_b: int
    both_right: int
    both_wrong: int
    a: float | None
    b: float | None
    difference: Metric
    p: float | None


class PairedMean(Record):
    """A measurement of two runs on the `n` examples that both have it of: its means `a` and `b`, and as in `Paired` the rest."""

    n: int
    num_groups: int
    a: float
    b: float
    difference: Metric
    p: float | None


class Comparison(Record):
    """Runs A and B of one task set; `outcomes` by name: `correct` (the task's own) and `hit` (on visible objects). `means` are of
    the overlap and of `Score.values` (viou, jf, ...), where the task has them."""

    run_a: RunInfo
    run_b: RunInfo
    num_examples: int
    interval: str
    outcomes: dict[str, Paired]
    means: dict[str, PairedMean] = {}


def compare(folder_a: Path, folder_b: Path) -> Comparison:
    """Compare two scored runs.

    Raises:
        FileNotFoundError: no run there, or one that has not been scored.
        InputError: runs of different task sets, or one of them with fewer scores than the other.
    """
    groups: dict[str, int] = {}
    group = array("q")
    codes = {name: array("b") for name in OUTCOMES}
    measured: dict[str, _Measured] = {}
    for row, (a, b) in enumerate(_pairs(folder_a, folder_b)):
        group.append(groups.setdefault(a.group, len(groups)))
        of_a, of_b = _measurements(a), _measurements(b)
        for name in of_a.keys() & of_b.keys():
            measured.setdefault(name, _Measured()).add(row, of_a[name], of_b[name])
        for name in OUTCOMES:
            codes[name].append(_code(a, b, name))
    rank = {name: position for position, name in enumerate(sorted(groups))}  # the draws must not depend on the examples' order
    ranks = np.array([rank[name] for name in groups], dtype=np.int64)
    of_example = ranks[np.array(group, dtype=np.int64)]
    return Comparison(
        run_a=read_run(folder_a),
        run_b=read_run(folder_b),
        num_examples=len(group),
        interval=INTERVAL,
        outcomes={
            name: _paired(np.array(column, dtype=np.int64), of_example, num_groups=len(groups)) for name, column in codes.items()
        },
        means={name: _paired_mean(measured[name], of_example, num_groups=len(groups)) for name in sorted(measured)},
    )


def ids_of(folder_a: Path, folder_b: Path, kind: Kind, *, outcome: str = "correct") -> Iterator[str]:
    """The ids of the examples that only A, only B, or neither has right, in stored order. Raises what `compare` raises."""
    return (a.id for a, b in _pairs(folder_a, folder_b) if _code(a, b, outcome) == KINDS[kind])


def two_sided_p(drawn: Float[np.ndarray, " draws"], num_differing_groups: int) -> float:
    """The p of the differences of the bootstrap draws, in (0, 1]; see the module's docstring."""
    other_side = min(np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0))
    return min(1.0, max(2 * (int(other_side) + 1) / (len(drawn) + 1), 2.0 ** (1 - num_differing_groups)))


def _paired(code: Int[np.ndarray, " n"], group: Int[np.ndarray, " n"], *, num_groups: int) -> Paired:
    asked = code != NOT_ASKED
    counts = np.bincount(code[asked], minlength=NOT_ASKED).tolist()
    n = sum(counts)
    sign = (code == ONLY_A).astype(np.float64) - (code == ONLY_B)
    num_asked, won = (
        np.bincount(group, weights=column, minlength=num_groups).astype(np.float64) for column in (asked.astype(np.float64), sign)
    )
    with np.errstate(invalid="ignore"):
        drawn = draw_groups(num_groups) @ won / (draw_groups(num_groups) @ num_asked)
    with_examples = int(np.count_nonzero(num_asked))
    value = (counts[ONLY_A] - counts[ONLY_B]) / n if n else np.nan
    enough = with_examples > 1
    return Paired(
        n=n,
        num_groups=with_examples,
        only_a=counts[ONLY_A],
        only_b=counts[ONLY_B],
        both_right=counts[BOTH_RIGHT],
        both_wrong=counts[BOTH_WRONG],
        a=(counts[ONLY_A] + counts[BOTH_RIGHT]) / n if n else None,
        b=(counts[ONLY_B] + counts[BOTH_RIGHT]) / n if n else None,
        difference=with_interval(value, n, drawn, num_groups=with_examples),
        p=two_sided_p(drawn[np.isfinite(drawn)], int(np.count_nonzero(won))) if enough else None,
    )


def _measurements(score: Score) -> dict[str, float]:
    """What can be averaged of a score; pixels are summed, not averaged."""
    values = {name: value for name, value in score.values.items() if not name.endswith("_px")}
    return values if score.iou is None else {"iou": score.iou} | values


class _Measured:
    """A measurement of A and of B in the rows that have it of both."""

    def __init__(self) -> None:
        self.rows, self.a, self.b = array("q"), array("d"), array("d")

    def add(self, row: int, a: float, b: float) -> None:
        self.rows.append(row)
        self.a.append(a)
        self.b.append(b)


def _paired_mean(measured: _Measured, group: Int[np.ndarray, " n"], *, num_groups: int) -> PairedMean:
    rows, a, b = (np.array(column) for column in (measured.rows, measured.a, measured.b))
    difference, of_group = a - b, group[rows]
    count, total = (
        np.bincount(of_group, weights=weights, minlength=num_groups).astype(np.float64)
        for weights in (np.ones(len(rows)), difference)
    )
    with np.errstate(invalid="ignore"):
        drawn = draw_groups(num_groups) @ total / (draw_groups(num_groups) @ count)
    with_examples = int(np.count_nonzero(count))
    return PairedMean(
        n=len(rows),
        num_groups=with_examples,
        a=float(a.mean()),
        b=float(b.mean()),
        difference=with_interval(float(difference.mean()), len(rows), drawn, num_groups=with_examples),
        p=two_sided_p(drawn[np.isfinite(drawn)], int(np.count_nonzero(total))) if with_examples > 1 else None,
    )


def _code(a: Score, b: Score, outcome: str) -> int:
    of = OUTCOMES[outcome]
    right_a, right_b = of(a), of(b)
    return NOT_ASKED if right_a is None or right_b is None else right_a + 2 * right_b


def _pairs(folder_a: Path, folder_b: Path) -> Iterator[tuple[Score, Score]]:
    """The scores of both runs, example by example."""
    a, b = read_run(folder_a), read_run(folder_b)
    if a.taskset_fingerprint != b.taskset_fingerprint:
        raise InputError(
            f"{folder_a} and {folder_b} are runs of different task sets ({a.taskset_name}, fingerprint {a.taskset_fingerprint}, "
            f"and {b.taskset_name}, {b.taskset_fingerprint}): only answers to the same questions can be compared. "
            "Predict and score both models on one task set."
        )
    scores_a, scores_b = read_scores(folder_a), read_scores(folder_b)
    for line, (score, other) in enumerate(zip_longest(scores_a, scores_b), start=1):
        if score is None or other is None:
            ended, longer = (folder_a, folder_b) if score is None else (folder_b, folder_a)
            raise InputError(
                f"{ended / SCORES} ends before line {line:,}, {longer / SCORES} does not: a partial run, and only the same "
                "examples can be compared. Finish it with the same `sightline predict` and score it again."
            )
        if score.id != other.id:
            raise InputError(
                f"{folder_b / SCORES}, line {line:,}: score of {other.id!r}, expected that of {score.id!r} as in "
                f"{folder_a / SCORES} (the order of the task set). Score both runs again."
            )
        yield score, other
