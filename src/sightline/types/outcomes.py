"""What a model said of an example, and what that was worth."""

from typing import Literal

from sightline.types.answers import Answer
from sightline.types.record import Record

Status = Literal["ok", "not_visible", "ambiguous", "unreadable", "out_of_range", "empty", "truncated", "error"]
STATUSES: tuple[Status, ...] = (
    "ok",
    "not_visible",
    "ambiguous",
    "unreadable",
    "out_of_range",
    "empty",
    "truncated",
    "error",
)


class Reading(Record):
    """What a dialect read in a text: the status, the answer in original pixels (if any), how many points or boxes stood there,
    and what was noteworthy (`box_as_point`, `percent_sign`, ... or why the text is unreadable)."""

    status: Status
    answer: Answer | None = None
    num_found: int = 0
    notes: tuple[str, ...] = ()


class Exposure(Record):
    """What a speaking model was shown and how much it wrote; None and () where it does not say.

    `processed_sizes`: (width, height) of each picture of the question as the model's processor resized it, in the order of the
    prompt's media slots. `num_image_tokens` of the `num_prompt_tokens` stand for pictures.
    """

    processed_sizes: tuple[tuple[int, int], ...] = ()
    num_image_tokens: int | None = None
    num_prompt_tokens: int | None = None
    num_answer_tokens: int | None = None


class Prediction(Record):
    """One line of `predictions.jsonl`. `text` and `exposure` are None for models that answer in geometry (baselines)."""

    id: str
    reading: Reading
    text: str | None = None
    exposure: Exposure | None = None


class Score(Record):
    """One line of `scores.jsonl`: the outcome of one example. None = does not apply; nothing is left out of a denominator.

    `visible` is the truth, `said_visible` what the model claimed (None if it claimed neither). `hit`, `hit_dilated` only where
    the object is visible. `correct` is the task's own joint outcome. `l2_px` in view pixels, `l2_norm` = hypot(dx/w, dy/h),
    `l2_over_size` = l2_px / sqrt(box width * box height); all three only for a readable point on a visible object. Where a box or a
    mask is asked, `iou` is its overlap with the true one (0 without a usable answer), `hit` says that it is at least 0.5, and there
    is neither `hit_dilated` nor a distance. Where yes or no is asked, there is no `hit`; of other options it says that the right
    one was chosen. Where points are right without a region, `hit` is an `l2_norm` below 0.05 (to the nearest one). Where
    any number of boxes is asked, `hit` says that all are found and no other is given. `values`: the further measurements of the
    task's own protocol by name (viou, tiou, j, f, ...), each averaged in the summary, but for those in pixels (`_px`), which are
    summed.
    """

    id: str
    task: str
    group: str
    tier: str
    status: Status
    visible: bool
    correct: bool
    said_visible: bool | None = None
    hit: bool | None = None
    hit_dilated: bool | None = None
    wrong_panel: bool = False
    l2_px: float | None = None
    l2_norm: float | None = None
    l2_over_size: float | None = None
    iou: float | None = None
    pair_id: str | None = None
    values: dict[str, float] = {}
