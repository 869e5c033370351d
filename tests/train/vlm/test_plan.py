from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import InputError
from sightline.train.vlm.admission import Table, admit
from sightline.train.vlm.batching import Batching
from sightline.train.vlm.packing import grouped, pack
from sightline.train.vlm.plan import Part, Plan, Stage, make_plan


def table(count: int, *, name: str = "t", seed: int = 0, longest: int = 100) -> Table:
    tokens = np.random.default_rng(seed).integers(1, longest + 1, count).astype(np.int32)
    return Table(name, tokens, f"{name}{seed}", lambda position: f"{name}/{position}")


def whole(number: int, tables: list[Table], weight: float = 1.0) -> Part:
    return Part(number, np.arange(tables[number].tokens.size), weight)


def planned(tables: list[Table], *stages: Stage, seed: int = 0, **batching) -> Plan:
    options: dict[str, Any] = {"tokens_per_sample": 400, "rows_per_step": 4} | batching
    return make_plan(tables, stages, batching=Batching(**options), seed=seed)


def all_samples(plan: Plan) -> list[int]:
    return [sample for step in range(plan.num_steps) for row in plan.rows(step) for sample in row.tolist()]


# ---------------------------------------------------------------- packing


def slow_best_fit(lengths: list[int], capacity: int) -> list[list[int]]:
    """Best fit, longest first, written plainly: equal lengths in their order, the newest of equally fitting packs."""
    packs: list[list[int]] = []
    for sample in sorted(range(len(lengths)), key=lambda sample: -lengths[sample]):
        rooms = [(capacity - sum(lengths[other] for other in pack_), -when) for when, pack_ in enumerate(packs)]
        fitting = [(room, when) for room, when in rooms if room >= lengths[sample]]
        if fitting:
            packs[-min(fitting)[1]].append(sample)
        else:
            packs.append([sample])
    return packs


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.integers(1, 60), min_size=1, max_size=60), st.integers(60, 90), st.integers(1, 60))
def test_each_window_is_packed_best_fit_longest_first(lengths, capacity, window):
    bounds = np.array([*range(0, len(lengths), window), len(lengths)], np.int64)
    packs = pack(np.array(lengths, np.int32), bounds, capacity=capacity)
    order, starts = grouped(packs.row_of, int(packs.first_row[-1]))
    assert sorted(order.tolist()) == list(range(len(lengths)))
    for number, (begin, end) in enumerate(pairwise(bounds.tolist())):
        rows = range(packs.first_row[number], packs.first_row[number + 1])
        found = [order[starts[row] : starts[row + 1]].tolist() for row in rows]
        rooms = [capacity - sum(lengths[sample] for sample in row) for row in found]
        assert min(rooms) >= 0
        slow = slow_best_fit(lengths[begin:end], capacity)
        slow_rooms = [capacity - sum(lengths[begin + sample] for sample in row) for row in slow]
        # which of two packs with equal room is taken is free; how much room is left everywhere is not
        assert sorted(rooms) == sorted(slow_rooms)


# ---------------------------------------------------------------- the sequence


@pytest.mark.parametrize("mode", ["packed", "padded", "grouped"])
def test_an_epoch_has_every_sample_once_before_the_last_step_is_filled_up(mode):
    tables = [table(5000), table(777, name="u")]
    plan = planned(tables, Stage("all", (whole(0, tables), whole(1, tables))), mode=mode)
    times = Counter(all_samples(plan))
    assert set(times) == set(range(5777))
    extra = sum(times.values()) - 5777
    assert extra <= (4 * 400 if mode == "packed" else 3)
    assert plan.tokens.max() <= 400
    assert len(plan.starts) - 1 == plan.num_steps * 4


@pytest.mark.parametrize("mode", ["packed", "padded", "grouped"])
def test_a_step_depends_on_the_seed_and_its_number_alone(mode):
    tables = [table(3000)]
    stages = [Stage("a", (whole(0, tables),), until_step=300)]
    plan, same, longer, other = (
        planned(tables, *stages, mode=mode),
        planned(tables, *stages, mode=mode),
        planned(tables, Stage("a", (whole(0, tables),), until_step=5000), mode=mode),
        planned(tables, *stages, mode=mode, seed=1),
    )
    assert plan.digest == same.digest != other.digest
    assert plan.num_steps == 300
    for step in (0, 1, 150, 299):
        rows = [row.tolist() for row in plan.rows(step)]
        assert rows == [row.tolist() for row in same.rows(step)] == [row.tolist() for row in longer.rows(step)]
        assert rows != [row.tolist() for row in other.rows(step)]


@pytest.mark.parametrize("num_processes", [1, 2, 4, 8])
def test_processes_share_a_step_and_never_change_it(num_processes):
    tables = [table(2000)]
    plan = planned(tables, Stage("a", (whole(0, tables),), until_step=9), rows_per_step=8)
    for step in range(9):
        shares = [plan.rows_of(step, rank=rank, num_processes=num_processes) for rank in range(num_processes)]
        assert {len(share) for share in shares} == {8 // num_processes}
        dealt = sorted(tuple(row.tolist()) for share in shares for row in share)
        assert dealt == sorted(tuple(row.tolist()) for row in plan.rows(step))
    with pytest.raises(InputError, match="rows_per_step 8 cannot be divided among 3"):
        plan.rows_of(0, rank=0, num_processes=3)


def test_the_longest_rows_of_a_step_are_dealt_out_evenly():
    tokens = np.array([80, 70, 60, 50, 40, 30, 20, 10], np.int32)
    tables = [Table("t", tokens, "t", str)]
    plan = planned(tables, Stage("a", (whole(0, tables),), until_step=1), mode="padded", rows_per_step=8)
    sums = [sum(int(tokens[row[0]]) for row in plan.rows_of(0, rank=rank, num_processes=2)) for rank in range(2)]
    assert sums == [180, 180]  # 80 + 50 + 40 + 10 and 70 + 60 + 30 + 20


def test_weights_repeat_and_thin_out_over_the_epochs():
    tables = [table(100), table(40, name="u"), table(10, name="v")]
    parts = (whole(0, tables, 0.5), whole(1, tables, 2.5), whole(2, tables))
    plan = planned(tables, Stage("a", parts, epochs=2), mode="padded", rows_per_step=1)
    times = Counter(all_samples(plan))
    assert plan.num_steps == 2 * (50 + 100 + 10)
    assert [times[sample] for sample in range(100)] == [1] * 100
    assert [times[sample] for sample in range(100, 140)] == [5] * 40
    assert [times[sample] for sample in range(140, 150)] == [2] * 10
    first = Counter(all_samples(plan)[:160])
    assert sorted(first[sample] for sample in range(100, 140)) == [2] * 20 + [3] * 20
    assert {sample for sample in range(100, 140) if first[sample] == 3} != set(range(100, 120))


def test_a_fraction_of_a_sample_is_made_up_for_in_a_later_epoch():
    tables = [table(7)]
    plan = planned(tables, Stage("a", (whole(0, tables, 0.3),), epochs=10), mode="padded", rows_per_step=1)
    assert Counter(all_samples(plan)) == dict.fromkeys(range(7), 3)  # 0.3 * 7 * 10 = 21 samples


def test_sources_are_mixed_and_orders_differ_between_epochs_and_stages():
    tables = [table(1000), table(1000, name="u")]
    parts = (whole(0, tables), whole(1, tables))
    stages = Stage("a", parts, until_step=1000), Stage("b", parts, until_step=2000)
    order = all_samples(planned(tables, *stages, mode="padded", rows_per_step=4))
    epochs = [order[start : start + 2000] for start in range(0, 8000, 2000)]
    assert all(sorted(epoch) == list(range(2000)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    for epoch in epochs:  # of 200 draws from two equal halves 100 +- 4 * 7 are of the first
        assert 72 <= sum(sample < 1000 for sample in epoch[:200]) <= 128


def test_stages_end_at_cumulative_steps_and_have_their_own_samples():
    tables = [table(500), table(500, name="u")]
    plan = planned(
        tables,
        Stage("positives", (Part(0, np.arange(10)),), until_step=40),
        Stage("balanced", (whole(0, tables), whole(1, tables)), until_step=100),
        Stage("hard", (Part(1, np.arange(7, 9)),), until_step=200),
    )
    assert plan.num_steps == 200
    assert [plan.stage(step) for step in (0, 39, 40, 99, 100, 199)] == [0, 0, 1, 1, 2, 2]
    of = [
        {sample for step in steps for row in plan.rows(step) for sample in row.tolist()} for steps in (range(40), range(100, 200))
    ]
    assert of == [set(range(10)), {507, 508}]
    assert plan.locate(508) == (1, 8)
    assert plan.locate(499) == (0, 499)
    with pytest.raises(InputError, match="step 200: the plan has the steps 0 to 199"):
        plan.rows(200)


def test_packs_are_full_and_groups_are_alike():
    tokens = np.random.default_rng(0).lognormal(6.6, 0.5, 20_000).clip(1, 8192).astype(np.int32)
    tables = [Table("t", tokens, "t", str)]
    fills = {
        mode: planned(tables, Stage("a", (whole(0, tables),)), mode=mode, tokens_per_sample=8192, rows_per_step=8).fill()
        for mode in ("packed", "padded", "grouped")
    }
    assert fills["packed"] >= 0.99
    assert fills["grouped"] >= 0.95
    assert fills["padded"] <= 0.65
    # of two rows of 3 and 1 tokens, padded to 3 each, 4 of 6 tokens count
    short = [Table("t", np.array([3, 1], np.int32), "t", str)]
    assert planned(short, Stage("a", (whole(0, short),)), mode="padded", rows_per_step=2).fill() == 4 / 6


def test_a_group_is_alike_to_the_end_of_an_epoch_that_is_no_whole_number_of_steps():
    tables = [table(2001)]
    plan = planned(tables, Stage("a", (whole(0, tables),)), mode="grouped")
    steps = plan.tokens.reshape(-1, 4)
    assert (steps.max(axis=1) - steps.min(axis=1)).max() <= 3  # about 20 samples of each length


def test_groups_come_in_no_order_of_length():
    tables = [table(4000)]
    plan = planned(tables, Stage("a", (whole(0, tables),)), mode="grouped")
    means = plan.tokens.reshape(-1, 4).mean(axis=1)
    assert abs(np.corrcoef(np.arange(means.size), means)[0, 1]) < 0.15  # 1000 groups: 4.7 standard deviations
    packs = planned(tables, Stage("a", (whole(0, tables),)))
    sizes = np.diff(packs.starts)
    assert abs(np.corrcoef(np.arange(sizes.size), sizes)[0, 1]) < 0.25


# ---------------------------------------------------------------- what does not fit


def long_ones() -> list[Table]:
    return [
        Table("rooms", np.array([10, 500, 20, 900], np.int32), "a", "rooms/{}".format),
        Table("x3", np.array([401, 400, 0], np.int32), "b", "x3/{}".format, reason="picture {} is missing".format),
    ]


def test_samples_that_fit_no_row_are_listed_by_source():
    tables = long_ones()
    positions = [np.arange(4), np.arange(3)]
    with pytest.raises(InputError) as raised:
        admit(tables, positions, most_tokens=400)
    lines = str(raised.value).splitlines()
    assert lines[2].split() == ["rooms", "2", "0", "900", "rooms/3"]
    assert lines[3].split() == ["x3", "1", "1", "401", "x3/0"]
    assert "on_bad_sample=drop" in lines[-1]
    assert admit(tables, [np.array([0, 2]), np.array([1])], most_tokens=400).dropped == ()


def test_dropped_samples_go_to_the_ledger(tmp_path):
    admitted = admit(long_ones(), [np.arange(4), np.arange(3)], most_tokens=400, policy="drop")
    assert [kept.tolist() for kept in admitted.positions] == [[0, 2], [1]]
    assert [(entry.unit, entry.reason) for entry in admitted.dropped] == [
        ("rooms/1", "too_long"),
        ("rooms/3", "too_long"),
        ("x3/0", "too_long"),
        ("x3#2", "unreadable"),
    ]
    assert admitted.dropped[3].detail == "picture 2 is missing"
    admitted.write_ledger(tmp_path / "ledger.jsonl")
    assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == 4
    with pytest.raises(InputError, match="Nothing is left of rooms"):
        admit(long_ones()[:1], [np.arange(1, 2)], most_tokens=400, policy="drop")


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([], "no stage to plan"),
        ([("a", 40), ("b", 40)], "stage 'b': until_step 40, but 40 steps are planned before it"),
        ([("a", None), ("b", 40)], "stage 'a': no until_step; only the last"),
        ([("a", 0)], "until_step 0"),
    ],
)
def test_stages_without_sense_are_refused(stages, message):
    tables = [table(10)]
    with pytest.raises(InputError, match=message):
        planned(tables, *(Stage(name, (whole(0, tables),), until) for name, until in stages))


def test_a_mixture_without_samples_is_refused():
    tables = [table(10)]
    mixtures: tuple[tuple[Part, ...], ...] = ((), (Part(0, np.zeros(0, np.int64)),), (whole(0, tables, 0.01),))
    for parts in mixtures:
        with pytest.raises(InputError, match="stage 'a': its mixture gives not one sample an epoch"):
            planned(tables, Stage("a", parts, until_step=1))
    with pytest.raises(InputError, match="a weight of -1"):
        planned(tables, Stage("a", (whole(0, tables, -1.0),)))
    with pytest.raises(InputError, match="seed -1"):
        planned(tables, Stage("a", (whole(0, tables),)), seed=-1)
    with pytest.raises(InputError, match="expected a mode of packed"):
        Batching(rows_per_step=0)
