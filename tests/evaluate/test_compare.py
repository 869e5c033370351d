from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from sightline.errors import InputError
from sightline.evaluate.breakdown import BREAKDOWNS, breakdown, comparison_table
from sightline.evaluate.compare import compare, ids_of, two_sided_p
from sightline.evaluate.metrics import draw_groups
from sightline.evaluate.predict import predict
from sightline.evaluate.run import RunInfo
from sightline.evaluate.score import score_run
from sightline.evaluate.summary import summarise
from sightline.files import write_json
from sightline.models import get_model
from sightline.types import Score


def write_run(folder: Path, outcomes: Sequence[tuple[str, bool, bool | None]], *, fingerprint: str = "f", model: str = "m") -> Path:
    """A scored run: group, whether right, and whether a hit (None: not visible) of each example."""
    folder.mkdir()
    info = RunInfo(
        format=1,
        model=model,
        description={},
        dialect=None,
        dialect_options={},
        task="t1_multi",
        split="validation",
        taskset_name="tiny",
        taskset_fingerprint=fingerprint,
        taskset_path="/nowhere",
        versions={},
    )
    write_json(folder / "run.json", info)
    scores = (
        Score(
            id=f"t1_multi/{index}",
            task="t1_multi",
            group=group,
            tier="V" if hit is not None else "N1",
            status="ok",
            visible=hit is not None,
            correct=correct,
            hit=hit,
        )
        for index, (group, correct, hit) in enumerate(outcomes)
    )
    (folder / "scores.jsonl").write_bytes(b"".join(msgspec.json.encode(score) + b"\n" for score in scores))
    return folder


GROUPS = "aabbccdd"
A = [True, True, True, False, True, False, True, True]
B = [True, False, False, True, False, False, False, True]
ABSENT = {6, 7}  # the last two examples have no hit


def outcomes(right: list[bool]) -> list[tuple[str, bool, bool | None]]:
    return [(group, ok, None if index in ABSENT else ok) for index, (group, ok) in enumerate(zip(GROUPS, right, strict=True))]


@pytest.fixture
def runs(tmp_path):
    return write_run(tmp_path / "a", outcomes(A), model="one"), write_run(tmp_path / "b", outcomes(B), model="two")


def test_wins_losses_and_ties_are_counted_by_example(runs):
    # Only A: 1, 2, 4, 6. Only B: 3. Both: 0, 7. Neither: 5. A has 6 of 8, B 3 of 8. Hits ask about 0..5 only: A 4, B 2 of 6.
    found = compare(*runs)
    assert (found.run_a.model, found.run_b.model, found.num_examples) == ("one", "two", 8)
    correct, hit = found.outcomes["correct"], found.outcomes["hit"]
    assert (correct.only_a, correct.only_b, correct.both_right, correct.both_wrong, correct.n) == (4, 1, 2, 1, 8)
    assert (correct.a, correct.b, correct.difference.value) == (6 / 8, 3 / 8, 3 / 8)
    assert (hit.only_a, hit.only_b, hit.both_right, hit.both_wrong, hit.n, hit.num_groups) == (3, 1, 1, 1, 6, 3)
    assert (hit.a, hit.b, hit.difference.value) == (pytest.approx(4 / 6), pytest.approx(2 / 6), pytest.approx(2 / 6))


def test_the_interval_is_of_the_difference_over_drawn_scenes(runs):
    # Per scene of two examples A wins by: a 1, b 0, c 1, d 1. A draw of four scenes has difference (sum of these) / 8.
    difference = compare(*runs).outcomes["correct"].difference
    drawn = draw_groups(4) @ np.array([1, 0, 1, 1]) / 8
    assert (difference.low, difference.high) == tuple(np.percentile(drawn, [2.5, 97.5]))
    # All four from the three that differ has probability (3/4)**4 = .32, so the upper end is 4/8; one or none of them has
    # 4 * (3/4) * (1/4)**3 + (1/4)**4 = .051, none .004: the lower end is 1/8.
    assert (difference.low, difference.high) == (0.125, 0.5)


def test_p_counts_the_draws_on_the_other_side_twice_and_is_never_below_that_of_a_sign_test():
    drawn = np.array([0.1] * 97 + [-0.1] * 2)
    assert two_sided_p(drawn, 20) == pytest.approx(2 * 3 / 100)  # 2 of 99 draws are at or below 0
    assert two_sided_p(-drawn, 20) == two_sided_p(drawn, 20)
    assert two_sided_p(np.full(999, 0.1), 20) == pytest.approx(2 / 1000)
    assert two_sided_p(np.full(999, 0.1), 4) == 1 / 8  # four scenes on one side: 2 * (1/2)**4
    assert two_sided_p(np.full(999, 0.1), 1) == 1.0
    assert two_sided_p(np.zeros(999), 0) == 1.0


def test_swapping_the_runs_turns_the_sign_and_nothing_else(runs):
    forth, back = compare(*runs).outcomes["correct"], compare(runs[1], runs[0]).outcomes["correct"]
    assert (forth.only_a, forth.only_b, forth.p) == (back.only_b, back.only_a, back.p)
    assert forth.difference.value == -(back.difference.value or 0)
    assert (forth.difference.low, forth.difference.high) == (-(back.difference.high or 0), -(back.difference.low or 0))


def test_a_run_against_itself_differs_nowhere(runs):
    found = compare(runs[0], runs[0]).outcomes["correct"]
    assert (found.only_a, found.only_b, found.difference.value, found.difference.low, found.p) == (0, 0, 0.0, 0.0, 1.0)


def test_the_interval_does_not_depend_on_the_order_of_the_examples(tmp_path):
    rng = np.random.default_rng(0)
    groups = rng.integers(7, size=60)
    right = {run: rng.random((60, 7))[np.arange(60), groups] < (groups + 1) / rate for run, rate in (("a", 8), ("b", 12))}
    found = []
    for name, order in (("forward", range(60)), ("backward", range(59, -1, -1))):
        rows = {run: [(f"room_{groups[index]}", bool(of[index]), bool(of[index])) for index in order] for run, of in right.items()}
        folders = [write_run(tmp_path / f"{name}-{run}", rows[run]) for run in "ab"]
        found.append(compare(*folders).outcomes["correct"])
    assert found[0] == found[1]


def test_one_scene_has_neither_interval_nor_p(tmp_path):
    a, b = (write_run(tmp_path / name, [("a", ok, ok) for ok in right]) for name, right in (("a", A), ("b", B)))
    found = compare(a, b).outcomes["correct"]
    assert (found.difference.value, found.difference.low, found.p) == (3 / 8, None, None)


def test_ids_of_wins_losses_and_common_errors_are_listed_in_order(runs):
    listed = {kind: list(ids_of(runs[0], runs[1], kind)) for kind in ("only-a", "only-b", "both-wrong")}
    assert {kind: [int(name.rpartition("/")[2]) for name in names] for kind, names in listed.items()} == {
        "only-a": [1, 2, 4, 6],
        "only-b": [3],
        "both-wrong": [5],
    }
    assert list(ids_of(runs[0], runs[1], "only-a", outcome="hit")) == ["t1_multi/1", "t1_multi/2", "t1_multi/4"]


def test_runs_of_different_task_sets_are_refused(tmp_path):
    a, b = write_run(tmp_path / "a", outcomes(A)), write_run(tmp_path / "b", outcomes(B), fingerprint="g")
    with pytest.raises(InputError, match=r"different task sets \(tiny, fingerprint f, and tiny, g\)"):
        compare(a, b)


@pytest.mark.parametrize("shorter", ["a", "b"])
def test_a_partial_run_is_refused_and_named(tmp_path, shorter):
    a, b = (write_run(tmp_path / name, outcomes(A)[: 5 if name == shorter else 8]) for name in "ab")
    with pytest.raises(InputError, match=rf"{shorter}/scores.jsonl ends before line 6, .* partial run"):
        compare(a, b)


def test_scores_in_another_order_are_refused(tmp_path):
    a, b = write_run(tmp_path / "a", outcomes(A)), write_run(tmp_path / "b", outcomes(B))
    lines = (b / "scores.jsonl").read_bytes().splitlines(keepends=True)
    (b / "scores.jsonl").write_bytes(b"".join([lines[1], lines[0], *lines[2:]]))
    with pytest.raises(InputError, match="line 1: score of 't1_multi/1', expected that of 't1_multi/0'"):
        compare(a, b)


def test_a_run_without_scores_says_how_to_get_them(tmp_path):
    a, b = write_run(tmp_path / "a", outcomes(A)), write_run(tmp_path / "b", outcomes(B))
    (b / "scores.jsonl").unlink()
    with pytest.raises(FileNotFoundError, match="Score it first"):
        compare(a, b)


def test_the_table_shows_shares_difference_counts_and_p(runs):
    table = comparison_table(compare(*runs))
    assert table.title == "tiny: A = one, B = two"
    assert [row.model for row in table.rows] == ["correct", "hit"]
    cells = dict(zip(table.columns, table.rows[0].cells, strict=True))
    # Three scenes differ, all for A: p is not below 2 ** (1 - 3) = .25.
    assert cells == {
        "a": "75.0",
        "b": "37.5",
        "difference": "37.5 [12.5, 50.0] (8)",
        "only_a": "4 (8)",
        "only_b": "1 (8)",
        "both_right": "2 (8)",
        "both_wrong": "1 (8)",
        "p": "0.250",
    }


def test_every_breakdown_is_a_table_of_every_model(make_example, write_taskset, tmp_path):
    examples = [
        msgspec.structs.replace(
            make_example("t1_multi", str(index), visible=index % 2 == 0, group=f"room_{index // 2}"), slices={"query_area": 0.02}
        )
        for index in range(6)
    ]
    taskset = write_taskset(examples)
    summaries = []
    for model in ("center", "not-visible"):
        predict(taskset, get_model(model), tmp_path / model)
        score_run(tmp_path / model)
        summaries.append(summarise(tmp_path / model))
    tables = {by: breakdown(summaries, by)[0] for by in BREAKDOWNS}
    assert tables["tier"].labels == ("N1 %", "V %")
    assert [(row.model, row.cells) for row in tables["tier"].rows] == [
        ("center", ("0.0 [0.0, 0.0] (3)", "0.0 [0.0, 0.0] (3)")),  # the centre misses the exact mask
        ("not-visible", ("100.0 [100.0, 100.0] (3)", "0.0 [0.0, 0.0] (3)")),
    ]
    # No other bin is filled.
    assert [row.model for row in tables["size"].rows] == ["center: medium 1-5%", "not-visible: medium 1-5%"]
    assert tables["overlap"].rows == ()  # no depth: unknown
    claims = {row.model: dict(zip(tables["claims"].columns, row.cells, strict=True)) for row in tables["claims"].rows}
    assert list(claims) == ["center: all", "center: N1", "center: V", "not-visible: all", "not-visible: N1", "not-visible: V"]
    assert claims["not-visible: all"]["absent_if_said_not_visible"] == "50.0 [50.0, 50.0] (6)"
    assert claims["center: all"]["absent_if_said_not_visible"] == "– (0)"
    assert claims["not-visible: N1"]["absent"] == "–"
    for table in tables.values():
        assert all(len(row.cells) == len(table.columns) == len(table.labels) for row in table.rows)


def write_values(folder: Path, values: Sequence[tuple[str, float | None]]) -> Path:
    """A run whose scores have an overlap and a J of the given size (None: neither), and pixels that nobody averages."""
    write_run(folder, [(group, True, True) for group, _ in values])
    scores = [msgspec.json.decode(line, type=Score) for line in (folder / "scores.jsonl").read_bytes().splitlines()]
    changed = (
        score if value is None else msgspec.structs.replace(score, iou=value, values={"j": value, "union_px": 9.0})
        for score, (_, value) in zip(scores, values, strict=True)
    )
    (folder / "scores.jsonl").write_bytes(b"".join(msgspec.json.encode(score) + b"\n" for score in changed))
    return folder


def test_measurements_are_compared_by_their_means_on_the_examples_that_both_have_them_of(tmp_path):
    a = write_values(tmp_path / "a", [("x", 0.8), ("x", 0.4), ("y", 0.5), ("y", None)])
    b = write_values(tmp_path / "b", [("x", 0.2), ("x", 0.2), ("y", 0.9), ("y", 0.1)])
    found = compare(a, b)
    assert set(found.means) == {"iou", "j"}
    j = found.means["j"]
    assert (j.n, j.num_groups) == (3, 2)
    assert (j.a, j.b) == (pytest.approx(1.7 / 3), pytest.approx(1.3 / 3))
    assert j.difference.value == pytest.approx(0.4 / 3)
    # one group drawn twice: x is 0.4 apart on average, y -0.4
    assert (j.difference.low, j.difference.high) == (pytest.approx(-0.4), pytest.approx(0.4))
    row = next(row for row in comparison_table(found).rows if row.model == "j")
    assert row.cells[:3] == ("56.7", "43.3", "13.3 [-40.0, 40.0] (3)")
