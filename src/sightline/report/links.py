"""Which examples stand behind a number: the gallery's conditions for a metric, as the page's URL holds them.

Each metric has two sets of conditions: the examples that its `n` counts, and those of them that its value counts (hits, right
answers); for distances both are the same. `rows.js` gives the keys their meaning.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from sightline.evaluate.measured import ACCEPTED_IOU
from sightline.evaluate.metrics import NATURAL_ABSENCES, SUCCESS_NORM
from sightline.evaluate.slices import SLICINGS
from sightline.report.tally import cell_name

Conditions = Mapping[str, str]


@dataclass(frozen=True)
class Behind:
    """`counted` is a subset of `asked`; no conditions mean every scored example of the run."""

    asked: Conditions = field(default_factory=dict)
    counted: Conditions = field(default_factory=dict)


VISIBLE, ABSENT = {"truth": "visible"}, {"truth": "absent"}
SAID_ABSENT = {"said": "absent"}
RIGHTLY_ABSENT = ABSENT | SAID_ABSENT
POINTED = Behind({"pointed": "1"}, {"pointed": "1"})
NATURAL = {"tier": ",".join(NATURAL_ABSENCES)}
OVERLAP = {"iou": "0"}

BEHIND: dict[str, Behind] = {
    "joint_accuracy": Behind({}, {"right": "1"}),
    "balanced_joint": Behind({}, {"joint": "1"}),
    "hit_exact": Behind(VISIBLE, VISIBLE | {"hit": "1"}),
    "hit_dilated": Behind({"dilated": "any"}, {"dilated": "1"}),
    "not_visible_accuracy": Behind(ABSENT, RIGHTLY_ABSENT),
    "not_visible_precision": Behind(SAID_ABSENT, RIGHTLY_ABSENT),
    "not_visible_recall": Behind(ABSENT, RIGHTLY_ABSENT),
    "not_visible_f1": Behind({"either": "absent"}, RIGHTLY_ABSENT),
    "balanced_accuracy": Behind({}, {"claim": "1"}),
    "visible_false_negative_rate": Behind(VISIBLE, VISIBLE | SAID_ABSENT),
    "absent_only": Behind(NATURAL, NATURAL | SAID_ABSENT),
    "acc_iou_050": Behind(OVERLAP, {"iou": str(ACCEPTED_IOU)}),
    **{f"iou_{kind}": Behind(OVERLAP, OVERLAP) for kind in ("mean", "std", "median")},
    **{name: Behind(VISIBLE, VISIBLE | {"within": str(limit)}) for name, limit in SUCCESS_NORM.items()},
    **{f"{name}_{kind}": POINTED for name in ("l2_norm", "l2_over_size") for kind in ("mean", "std", "median")},
}

BEHIND |= {f"acc_iou_{at}": Behind(OVERLAP, {"iou": f"0.{at[1]}"}) for at in ("010", "030", "070", "090")}
BEHIND |= {f"precision_{at}": Behind(OVERLAP, {"iou": f"0.{at[1]}"}) for at in ("070", "080", "090")}
BEHIND |= {f"tiou_{at}": Behind(OVERLAP, OVERLAP) for at in ("030", "050", "070")}
BEHIND |= {
    name: Behind(OVERLAP, OVERLAP)
    for name in ("m_viou", "m_tiou", "m_gt_viou", "viou_030", "viou_050", "frame_iou", "j", "f", "jf")
}
BEHIND |= {name: Behind(OVERLAP, OVERLAP) for name in ("j_recall", "f_recall", "j_decay", "f_decay")}
BEHIND |= {
    "giou": Behind(),
    "ciou": Behind(),
    "qa": Behind(),
    "point_precision": Behind(VISIBLE, VISIBLE),
    "point_recall": Behind(VISIBLE, VISIBLE),
}
BEHIND |= {"n_acc": Behind(ABSENT, RIGHTLY_ABSENT), "t_acc": Behind(VISIBLE, VISIBLE | {"said": "visible"})}
# Of those a gallery's conditions cannot say which examples have one, or which pairs.
WITHOUT_LINK = ("f1", "pair_accuracy", "mra", "em_refined")

BEHIND_CLAIMS: dict[str, Behind] = {
    "absent": Behind({}, ABSENT),
    "said_not_visible": Behind({}, SAID_ABSENT),
    "said_visible": Behind({}, {"said": "visible"}),
    "said_neither": Behind({}, {"said": "neither"}),
    "claim_right": Behind({}, {"claim": "1"}),
    "absent_if_said_not_visible": Behind(SAID_ABSENT, RIGHTLY_ABSENT),
    "visible_if_said_visible": Behind({"said": "visible"}, VISIBLE | {"said": "visible"}),
}


def behind(name: str) -> Behind | None:
    """The conditions of a metric or of a count (`num_wrong_panel`, `num_` and a status); None if there are none that name its
    examples."""
    if name == "num_wrong_panel":
        return Behind({}, {"half": "1"})
    if name.startswith("num_"):
        return Behind({}, {"status": name.removeprefix("num_")})
    return None if name in WITHOUT_LINK else BEHIND[name]


def behind_tier(tier: str) -> Behind:
    """The conditions of the share of right answers in a tier."""
    return Behind({"tier": tier}, {"tier": tier, "right": "1"})


def behind_said_absent(tier: str) -> Behind:
    """The conditions of the share of a tier that was said to be absent."""
    return Behind({"tier": tier}, {"tier": tier} | SAID_ABSENT)


def behind_bin(slicing: str, label: str) -> Behind:
    """The conditions of the share of right answers in a bin of `evaluate.slices.SLICINGS`."""
    asked = {"bin": f"{slicing}:{label}"} | (VISIBLE if SLICINGS[slicing].asks == "visible" else {})
    return Behind(asked, asked | {"right": "1"})


def behind_kind(kind: str) -> Behind:
    """The conditions of the count of a kind of error (`evaluate.taxonomy`)."""
    return Behind({}, {"kind": kind})


def behind_claim(*, visible: bool, said: bool | None) -> Behind:
    """The conditions of the count of one claim against one truth; the claim is None where it is neither."""
    truth = VISIBLE if visible else ABSENT
    return Behind(truth, truth | {"said": {True: "visible", False: "absent", None: "neither"}[said]})


def behind_cell(cell: int) -> Behind:
    """The conditions of the share of right answers at a place of the view (`report.tally`)."""
    asked = {"cell": cell_name(cell)}
    return Behind(asked, asked | {"right": "1"})


def behind_error(binning: str, label: str, error: str) -> Behind:
    """The conditions of the median error in a bin of `report.bins.BINNINGS`: of all with a distance ("far") or an overlap."""
    asked = {"bin": f"{binning}:{label}", **(POINTED.asked if error == "far" else OVERLAP)}
    return Behind(asked, asked)


def examples_url(set_name: str, conditions: Conditions) -> str:
    """A link into the gallery: the examples of a task set that meet the conditions, whoever answered them."""
    return "#" + urlencode({"set": set_name, **conditions})


def gallery_url(set_name: str, model: str, conditions: Conditions) -> str:
    """A link into the gallery: one run's examples that meet the conditions."""
    return "#" + urlencode({"set": set_name, "model": model, **conditions})


def gallery_example_url(set_name: str, example_id: str) -> str:
    """A link that opens one example."""
    return "#" + urlencode({"open": f"{set_name}:{example_id}"})
