"""What the report bins examples by beside the slicings of `evaluate.slices`: numbers that any example has, whatever built it.

area        share of the view that the object covers: its true mask, or its true box where there is no mask; none if absent
others      other objects of the same view that the task set has masks of (`evaluate.taxonomy.Neighbours`): a lower bound
resolution  megapixels (10 ** 6 pixels) of the view that is asked about
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence

from sightline.evaluate.slices import UNKNOWN, Slicing
from sightline.geometry.masks import rle_area
from sightline.types import Example, MaskRle

BINNINGS: dict[str, Slicing] = {
    "area": Slicing(
        "area",
        (0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
        ("below 0.1%", "0.1-0.3%", "0.3-1%", "1-3%", "3-10%", "10-30%", "from 30%"),
        asks="visible",
    ),
    "others": Slicing("others", (1.0, 2.0, 3.0, 5.0), ("none", "1", "2", "3-4", "5 or more")),
    "resolution": Slicing(
        "resolution", (0.1, 0.3, 0.6, 1.0, 2.0, 5.0), ("<0.1", "0.1-0.3", "0.3-0.6", "0.6-1", "1-2", "2-5", "5 or more")
    ),
}
BINNING_WORDS = {
    "area": "size of the object, share of the view",
    "others": "other objects in the view",
    "resolution": "resolution of the view, megapixels",
}


def bin_values(example: Example, others: Sequence[str], masks: Mapping[str, MaskRle]) -> dict[str, float]:
    """The number of each binning, nan where it has none; `others` as `Neighbours.of` gives them."""
    source = example.question.panels[example.truth.panel_index].source
    pixels = source.width * source.height
    return {"area": _covered(example, masks) / pixels, "others": float(len(others)), "resolution": pixels / 1e6}


def bins_of(values: Mapping[str, float]) -> dict[str, str]:
    """The name of each number's bin; a bin holds its lower edge and not its upper one."""
    found: dict[str, str] = {}
    for name, binning in BINNINGS.items():
        value = values[name]
        found[name] = UNKNOWN if math.isnan(value) else binning.bins[bisect_right(binning.edges, value)]
    return found


def _covered(example: Example, masks: Mapping[str, MaskRle]) -> float:
    """Pixels of the true mask or box; nan without either."""
    truth = example.truth
    if truth.mask is not None:
        return float(rle_area(masks[truth.mask]))
    if truth.box is not None:
        x0, y0, x1, y1 = truth.box
        return (x1 - x0) * (y1 - y0)
    return float("nan")
