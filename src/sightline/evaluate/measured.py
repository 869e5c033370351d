"""What one answer is worth before it is judged: the fields of `types.Score` that are measured."""

from sightline.types import Answer, NotVisible, Reading, Record

ACCEPTED_IOU = 0.5
SCORED = ("ok", "truncated", "out_of_range")
"""The statuses of an answer that can be compared with the truth."""


class Measured(Record):
    """What a score says of where an answer lies; the fields are those of `types.Score`."""

    hit: bool | None = None
    hit_dilated: bool | None = None
    wrong_panel: bool = False
    l2_px: float | None = None
    l2_norm: float | None = None
    l2_over_size: float | None = None
    iou: float | None = None
    values: dict[str, float] = {}


def usable(reading: Reading) -> Answer | None:
    """The answer where its status lets it be compared, None otherwise."""
    return reading.answer if reading.status in SCORED else None


def says_nothing(reading: Reading) -> bool:
    """Whether the answer is that nothing is there."""
    return reading.status == "not_visible" or isinstance(usable(reading), NotVisible)
