"""How far the claim "not visible" can be trusted: the rate table of an answer that comes without a probability.

A model that says *visible* or *not visible* and no more is calibrated if it says not visible about as often as objects are absent
(`said_not_visible` against `absent`), and reliable if they are absent when it says so (`absent_if_said_not_visible`) and visible
when it says that (`visible_if_said_visible`). An answer that claims neither (unreadable, empty) stays in every rate's denominator
but in neither condition.
"""

from sightline.evaluate.metrics import Metric, Ratio, ScoreTable, measure_where

ALL = "all"

# Within one tier either all objects are visible or all are absent: only the rates of what is said mean something there.
RATES: dict[str, Ratio] = {
    "said_not_visible": Ratio((("said_absent", "all"),)),
    "said_visible": Ratio((("said_visible", "all"),)),
    "said_neither": Ratio((("said_neither", "all"),)),
    "claim_right": Ratio((("said_right", "all"),)),
}
RELIABILITY: dict[str, Ratio] = {
    "absent": Ratio((("absent", "all"),)),
    "absent_if_said_not_visible": Ratio((("absent_said_absent", "said_absent"),)),
    "visible_if_said_visible": Ratio((("visible_said_visible", "said_visible"),)),
}


def measure_claims(table: ScoreTable) -> dict[str, dict[str, Metric]]:
    """`RATES` and `RELIABILITY` of all examples under `ALL`, and `RATES` of each tier under its name."""
    everything = table.flags["all"] > 0
    claims = {ALL: measure_where(table, everything, RATES | RELIABILITY)}
    for code, tier in enumerate(table.tiers):
        claims[tier] = measure_where(table, table.tier == code, RATES)
    return claims
