"""Packs of samples that show the same pictures: nearly full, never over a window, the same for the same seed."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.errors import InputError
from sightline.train.vlm.admission import Table
from sightline.train.vlm.batching import Batching
from sightline.train.vlm.group_packing import pack_together
from sightline.train.vlm.json_source import JsonSource
from sightline.train.vlm.order import Share, stage_order
from sightline.train.vlm.packing import grouped, pack
from sightline.train.vlm.plan import Part, Plan, Stage, make_plan

CAPACITY = 8192


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.integers(1, 60), min_size=1, max_size=200), st.integers(60, 140), st.integers(1, 60))
def test_each_sample_is_in_one_pack_of_its_window_and_none_is_too_full(lengths, capacity, window):
    bounds = np.array([*range(0, len(lengths), window), len(lengths)], np.int64)
    packs = pack_together(np.array(lengths, np.int32), bounds, capacity=capacity)
    order, starts = grouped(packs.row_of, int(packs.first_row[-1]))
    assert sorted(order.tolist()) == list(range(len(lengths)))
    for number, (begin, end) in enumerate(pairwise(bounds.tolist())):
        rows = range(packs.first_row[number], packs.first_row[number + 1])
        found = [order[starts[row] : starts[row + 1]].tolist() for row in rows]
        assert all(row and sum(lengths[sample] for sample in row) <= capacity for row in found)
        assert sorted(sample for row in found for sample in row) == list(range(begin, end))


def test_the_last_places_go_to_the_pair_that_fills_them():
    # 10, 10 in turn leave 20 of 40; of the next, 12 with the 8 that stands last fill it: 12 + 11 does not fit, 12 + 7 leaves 1
    lengths = np.array([10, 10, 12, 11, 7, 11, 8], np.int32)
    packs = pack_together(lengths, np.array([0, 7], np.int64), capacity=44)
    # room for two more of any length (24) is there until 20 are placed: 44, 34, 24 -> 10, 10 and then 12; 12 are left: 12 = none,
    # 11 alone leaves 1, and 7 with nothing leaves 5
    assert packs.row_of.tolist() == [0, 0, 0, 0, 1, 1, 1]


def of_groups(count: int, size: int, *, low: int = 250, high: int = 400) -> Table:
    tokens = np.random.default_rng(0).integers(low, high, count * size).astype(np.int32)
    return Table("t", tokens, "t", str, groups=np.repeat(np.arange(count), size))


def planned(table: Table, pack_by: str, *, epochs: int = 1, until_step: int | None = None, seed: int = 0) -> Plan:
    batching = Batching(tokens_per_sample=CAPACITY, rows_per_step=2, pack_by=pack_by)  # pyright: ignore[reportArgumentType]
    part = Part(0, np.arange(table.tokens.size))
    return make_plan([table], [Stage("all", (part,), until_step=until_step, epochs=epochs)], batching=batching, seed=seed)


def groups_of_rows(plan: Plan, table: Table) -> list[int]:
    """How many groups are in each row."""
    assert table.groups is not None
    rows = [row for step in range(plan.num_steps) for row in plan.rows(step)]
    return [len(set(table.groups[row].tolist())) for row in rows]


def test_packs_are_of_few_groups_and_as_full_as_they_were():
    table = of_groups(200, 100)
    together, shuffled = (planned(table, way) for way in ("group", "length"))
    assert np.mean(groups_of_rows(together, table)) < 4 < 20 < np.mean(groups_of_rows(shuffled, table))
    assert together.fill() > 0.99
    samples = np.concatenate([row for step in range(together.num_steps) for row in together.rows(step)])
    assert np.isin(np.arange(20_000), samples).all()


def test_a_plan_of_groups_is_a_pure_function_of_the_seed_and_begins_alike():
    table = of_groups(30, 40)
    one, again, longer, other = (
        planned(table, "group", until_step=steps, seed=seed) for steps, seed in ((5, 1), (5, 1), (40, 1), (5, 2))
    )
    for step in range(5):
        for row, same, long in zip(one.rows(step), again.rows(step), longer.rows(step), strict=True):
            assert row.tolist() == same.tolist() == long.tolist()
    assert one.digest == again.digest != other.digest


def test_an_epoch_has_each_sample_once_group_after_group_and_the_next_another_order():
    groups = np.repeat(np.arange(10), 7)
    order = stage_order((Share(np.arange(70)),), seed=0, stage=0, length=140, groups=groups)
    first, second = order[:70], order[70:]
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(70))
    assert first.tolist() != second.tolist()
    for epoch in (first, second):
        runs = epoch.reshape(10, 7)
        assert all(len(set((run // 7).tolist())) == 1 for run in runs)
        turns = (runs - runs[:, :1]) % 7
        assert (turns == np.arange(7)).all()  # as they stand in their source, beginning anywhere
        assert len({int(run[0]) % 7 for run in runs}) > 1


def test_samples_that_come_twice_in_an_epoch_do_not_stand_side_by_side():
    order = stage_order((Share(np.arange(6), weight=2.0),), seed=0, stage=0, length=12, groups=np.zeros(6, np.int64))
    assert all(one != two for one, two in pairwise(order.tolist()))
    assert sorted(order.tolist()) == sorted([*range(6), *range(6)])


def test_groups_are_for_packed_rows():
    with pytest.raises(InputError, match="group is for packed rows"):
        Batching(mode="grouped", pack_by="group")


def test_near_equal_lengths_are_packed_as_full_as_longest_first_does_or_fuller():
    lengths = np.random.default_rng(0).integers(295, 310, 20_000).astype(np.int32)
    bounds = np.array([*range(0, 20_000, 4096), 20_000], np.int64)
    together, longest_first = (way(lengths, bounds, capacity=CAPACITY) for way in (pack_together, pack))
    assert together.first_row[-1] <= longest_first.first_row[-1]


def test_records_are_grouped_by_scene_or_first_picture(tmp_path):
    said = [{"from": "human", "value": "<image>Where?"}, {"from": "gpt", "value": "Here."}]
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    records = [
        {"image": "a.png", "conversations": said},
        {"image": "b.png", "conversations": said},
        {"image": "a.png", "scene_id": "s", "conversations": said},
        {"image": ["a.png"], "conversations": said},
        {"image": "b.png", "scene_name": "s", "conversations": said},
        {"conversations": [{"from": "human", "value": "Why?"}, said[1]]},
    ]
    (tmp_path / "data.json").write_text(json.dumps(records))
    groups = JsonSource(tmp_path / "data.json").groups().tolist()
    assert [groups.index(group) for group in groups] == [0, 1, 2, 0, 2, 5]
