import numpy as np
import pytest

from sightline.evaluate.metrics import RATIOS, _medians, draw_groups, measure, measure_tiers, tabulate
from sightline.types import STATUSES, Score, Status

STATUS: dict[bool | None, Status] = {True: "ok", False: "not_visible", None: "unreadable"}


def score(
    visible: bool,
    said: bool | None = True,
    *,
    hit: bool | None = None,
    group: str = "a",
    tier: str = "",
    l2: float | None = None,
    dilated: bool | None = None,
    status: Status | None = None,
) -> Score:
    """A score of Task 1: `said` is the claim, `hit` the exact hit (None on a visible object is a miss)."""
    hit = bool(hit) if visible else None
    return Score(
        id="x",
        task="t1_multi",
        group=group,
        tier=tier or ("V" if visible else "N1"),
        status=status or STATUS[said],
        visible=visible,
        correct=bool(hit) if visible else said is False,
        said_visible=said,
        hit=hit,
        hit_dilated=(hit if dilated is None else dilated) if visible else None,
        l2_px=None if l2 is None else l2 * 100,
        l2_norm=l2,
        l2_over_size=None if l2 is None else l2 * 4,
    )


# 6 visible: 2 hits, 1 miss on the dilated mask only, 1 plain miss, 1 said absent, 1 unreadable.
# 4 absent: 3 said absent, 1 pointed at.
SCORES = [
    score(True, hit=True, l2=0.01, group="a"),
    score(True, hit=True, l2=0.04, group="b"),
    score(True, hit=False, dilated=True, l2=0.08, group="a"),
    score(True, hit=False, l2=0.50, group="b"),
    score(True, said=False, group="a"),
    score(True, said=None, group="b"),
    score(False, said=False, group="a"),
    score(False, said=False, group="b", tier="N2"),
    score(False, said=False, group="b", tier="N2"),
    score(False, said=True, group="a", tier="N2"),
]


@pytest.mark.parametrize(
    ("name", "value", "n"),
    [
        ("joint_accuracy", 5 / 10, 10),  # 2 hits + 3 right absences
        ("balanced_joint", (2 / 6 + 3 / 4) / 2, 10),  # the mean of hits where visible and "not visible" where absent
        ("hit_exact", 2 / 6, 6),  # the unreadable and the "not visible" stay in the denominator
        ("hit_dilated", 3 / 6, 6),
        ("not_visible_accuracy", 3 / 4, 4),
        ("not_visible_precision", 3 / 4, 4),  # 4 times said absent, 3 of them rightly
        ("not_visible_recall", 3 / 4, 4),
        ("not_visible_f1", 6 / 8, 5),  # 2 * 3 / (4 + 4); absent or said to be: 4 + 1
        ("balanced_accuracy", (4 / 6 + 3 / 4) / 2, 10),  # 4 of 6 visible were said to be visible
        ("visible_false_negative_rate", 1 / 6, 6),
        ("success_002", 1 / 6, 6),  # .01
        ("success_005", 2 / 6, 6),  # .01, .04
        ("success_010", 3 / 6, 6),  # .01, .04, .08
        ("l2_norm_mean", 0.63 / 4, 4),  # (.01 + .04 + .08 + .50) / 4 = .1575
        ("l2_norm_std", 0.19929563, 4),  # sqrt((.0001 + .0016 + .0064 + .25) / 4 - .1575**2) = sqrt(.064525 - .02480625)
        ("l2_norm_median", 0.06, 4),  # between .04 and .08
        ("l2_over_size_mean", 0.63, 4),
        ("l2_over_size_median", 0.24, 4),
    ],
)
def test_every_metric_has_the_value_worked_out_by_hand(name, value, n):
    metric = measure(tabulate(SCORES))[name]
    assert (metric.value, metric.n) == (pytest.approx(value), n)


def test_tiers_have_their_own_accuracy():
    tiers = measure_tiers(tabulate(SCORES))
    assert list(tiers) == ["N1", "N2", "V"]
    assert {name: (metric.value, metric.n) for name, metric in tiers.items()} == {
        "N1": (1.0, 1),
        "N2": (pytest.approx(2 / 3), 3),
        "V": (pytest.approx(2 / 6), 6),
    }


def test_every_status_is_counted_zeros_included():
    table = tabulate([*SCORES, score(True, said=True, status="out_of_range")])
    assert tuple(table.statuses) == STATUSES
    assert {name: count for name, count in table.statuses.items() if count} == {
        "ok": 5,
        "not_visible": 4,
        "unreadable": 1,
        "out_of_range": 1,
    }


def test_nothing_over_nothing_is_none_and_never_zero():
    only_visible = measure(tabulate([score(True, hit=True, l2=0.0, group=group) for group in "ab"]))
    for name in ("not_visible_accuracy", "not_visible_precision", "not_visible_f1"):
        assert (only_visible[name].value, only_visible[name].n, only_visible[name].low) == (None, 0, None)
    assert only_visible["balanced_accuracy"].value is None
    assert only_visible["hit_exact"].value == 1.0
    none_at_all = measure(tabulate([]))
    assert {metric.value for metric in none_at_all.values()} == {None}
    assert {metric.n for metric in none_at_all.values()} == {0}


def test_the_interval_is_over_scenes_and_not_over_examples():
    # Scene a always right, scene b always wrong, 200 examples each. Two scenes are drawn from {a, b}: both a (1/4 of the draws): 1;
    # both b (1/4): 0; else 1/2. So the 2.5 and 97.5 percentiles are 0 and 1, however many examples the scenes have.
    metric = measure(tabulate([score(True, hit=group == "a", group=group) for group in "ab" for _ in range(200)]))["hit_exact"]
    assert (metric.value, metric.n, metric.low, metric.high) == (0.5, 400, 0.0, 1.0)


def test_one_scene_has_no_interval():
    metrics = measure(tabulate([score(True, hit=index % 2 == 0, l2=index / 100) for index in range(20)]))
    assert metrics["hit_exact"].value == 0.5
    assert {(metric.low, metric.high) for metric in metrics.values()} == {(None, None)}


def test_a_metric_whose_examples_are_all_of_one_scene_has_no_interval_though_others_have():
    metrics = measure(tabulate([score(True, hit=True, group="a"), score(False, said=False, group="a"), score(True, group="b")]))
    assert metrics["not_visible_accuracy"].low is None
    assert (metrics["balanced_accuracy"].value, metrics["balanced_accuracy"].low) == (1.0, None)  # the absent half is of one scene
    assert metrics["hit_exact"].low == 0.0


def test_the_interval_does_not_depend_on_the_order_of_the_scores():
    scores = [score(True, hit=index % 3 == 0, l2=index / 50, group=f"room_{index % 7}") for index in range(40)]
    forward, backward = measure(tabulate(scores)), measure(tabulate(scores[::-1]))
    assert forward["hit_exact"] == backward["hit_exact"]
    for name, metric in forward.items():  # sums of distances differ in the last bit
        assert (metric.low, metric.high) == pytest.approx((backward[name].low, backward[name].high), abs=1e-12), name


def test_the_interval_of_a_mean_holds_about_95_percent_of_the_normal_theory():
    # 400 scenes of one example each, half hits: standard error sqrt(.25 / 400) = .025, so about .5 -+ 1.96 * .025 = [.451, .549].
    metric = measure(tabulate([score(True, hit=index % 2 == 0, group=f"room_{index}") for index in range(400)]))["hit_exact"]
    assert metric.low == pytest.approx(0.451, abs=0.005)
    assert metric.high == pytest.approx(0.549, abs=0.005)


def test_drawn_medians_are_those_of_the_repeated_values():
    rng = np.random.default_rng(0)
    values, groups = rng.random(31), rng.integers(5, size=31)
    draws = draw_groups(5)[:50]
    expected = [np.median(np.repeat(values, times[groups])) for times in draws]
    np.testing.assert_allclose(_medians(values, groups, draws), expected)


GOOD = set(RATIOS) - {"visible_false_negative_rate"}


def test_saying_not_visible_of_a_visible_object_never_raises_a_score():
    rng = np.random.default_rng(1)
    for _ in range(8):
        visible = [
            score(True, said=True, hit=rng.random() < 0.5, l2=float(rng.random()) / 5, group=str(index % 3))
            if rng.random() < 0.7
            else score(True, said=None, group=str(index % 3))
            for index in range(8)
        ]
        absent = [score(False, said=[True, False, None][rng.integers(3)], group=str(index % 3)) for index in range(6)]
        scores = visible + absent
        before = values(scores)
        scores[int(rng.integers(8))] = score(True, said=False)
        after = values(scores)
        for name in GOOD & before.keys():
            assert after[name] <= before[name] + 1e-12, name
        assert after["visible_false_negative_rate"] > before["visible_false_negative_rate"]


def values(scores: list[Score]) -> dict[str, float]:
    return {name: metric.value for name, metric in measure(tabulate(scores)).items() if metric.value is not None}


@pytest.mark.parametrize("said", [True, False])
def test_a_constant_answer_has_half_the_balanced_accuracy_and_no_more_than_its_share(said):
    scores = [score(visible, said=said, group=str(index % 4)) for index, visible in enumerate([True] * 30 + [False] * 10)]
    metrics = measure(tabulate(scores))
    assert metrics["balanced_accuracy"].value == 0.5
    assert metrics["joint_accuracy"].value == (0.0 if said else 0.25)  # 10 of 40 are absent; pointing must also hit
