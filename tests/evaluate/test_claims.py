import pytest

from sightline.evaluate.claims import ALL, RATES, measure_claims
from sightline.evaluate.metrics import tabulate
from tests.evaluate.test_metrics import score

# 6 visible: 3 said visible, 2 said not visible, 1 unreadable. 4 absent: N1 said not visible; N2 one said not visible, one said
# visible, one unreadable. In all 4 of 10 are absent and 4 were said to be, 2 of them rightly; 4 were said visible, 3 rightly.
SCORES = [
    *(score(True, said=True, hit=index == 0, group="ab"[index % 2]) for index in range(3)),
    score(True, said=False, group="a"),
    score(True, said=False, group="b"),
    score(True, said=None, group="a"),
    score(False, said=False, group="a", tier="N1"),
    score(False, said=False, group="b", tier="N2"),
    score(False, said=True, group="a", tier="N2"),
    score(False, said=None, group="b", tier="N2"),
]


def test_the_rates_of_all_examples_are_those_worked_out_by_hand():
    claims = measure_claims(tabulate(SCORES))[ALL]
    assert {name: (metric.value, metric.n) for name, metric in claims.items()} == {
        "absent": (pytest.approx(4 / 10), 10),
        "said_not_visible": (pytest.approx(4 / 10), 10),
        "said_visible": (pytest.approx(4 / 10), 10),
        "said_neither": (pytest.approx(2 / 10), 10),
        "claim_right": (pytest.approx(5 / 10), 10),  # 3 visible, 2 absent
        "absent_if_said_not_visible": (pytest.approx(2 / 4), 4),
        "visible_if_said_visible": (pytest.approx(3 / 4), 4),
    }


def test_each_tier_has_its_own_rates():
    claims = measure_claims(tabulate(SCORES))
    assert list(claims) == [ALL, "N1", "N2", "V"]
    assert set(claims["N2"]) == set(RATES)
    rates = {tier: {name: metric.value for name, metric in claims[tier].items()} for tier in ("N1", "N2", "V")}
    third, sixth = pytest.approx(1 / 3), pytest.approx(1 / 6)
    assert rates == {
        "N1": {"said_not_visible": 1.0, "said_visible": 0.0, "said_neither": 0.0, "claim_right": 1.0},
        "N2": {"said_not_visible": third, "said_visible": third, "said_neither": third, "claim_right": third},
        "V": {"said_not_visible": third, "said_visible": 0.5, "said_neither": sixth, "claim_right": 0.5},
    }


def test_a_claim_never_made_has_no_reliability():
    claims = measure_claims(tabulate([score(True, hit=True, group="a"), score(False, said=True, group="b")]))[ALL]
    assert (claims["absent_if_said_not_visible"].value, claims["absent_if_said_not_visible"].n) == (None, 0)
    assert claims["visible_if_said_visible"].value == 0.5
    assert measure_claims(tabulate([]))[ALL]["absent"].value is None
