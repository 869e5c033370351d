"""The thresholds of the rules and the form of the questions. All of it stands in a task set's manifest."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from sightline.errors import InputError
from sightline.tasks.footage import ClipOptions
from sightline.types import Record


class NamesFile(Record):
    """The file that names objects, and the hash of its bytes: another file of the same path is another recipe."""

    path: str
    digest: str


class RelationOptions(ClipOptions):
    """Shares are of the picture's width unless they say otherwise. Defaults: docs/relations.md.

    Rules: `margin` between two boxes that are left and right of each other; `buffer` on both sides of the lines between the
    thirds; `rank_gap` between the centres of neighbours in an order. `strictness` "soft" compares centres instead: they differ by
    more than `soft_gap`, and the boxes overlap by less than `soft_overlap` of the narrower one's width; an overlap of
    `soft_overlap` or more is "neither" in both. What may be compared: boxes of at least `min_area` of the picture; an object at
    the border that is not more than `max_truncated` cut off; pairs that in at most `contained_share` of their common frames have
    a box that lies to `contained` in the other, or an overlap (IoU) of `equal_iou` or more. Over time: at least `min_covisible`
    common frames and that share `min_covisible_share` of the labelled ones; `agree` of them for "always"; runs of at least
    `min_run_share` of them for "becomes".
    Questions: ranks up to `max_rank`, at most `max_listed` objects in one question, `frames_per_relation` frames of each pair or
    order, `sets_per_clip` sets of twins a task and clip. `mirror` adds the mirrored twins. `refer`: by name, by a drawn mark, by
    a box in numbers; "auto" is by name where there is one, else by a mark. `mark_gap_s`: how far in time the marked picture at
    least is from the one that is asked about, where the clip allows it.
    """

    margin: float = 0.02
    buffer: float = 0.05
    rank_gap: float = 0.03
    strictness: Literal["strict", "soft"] = "strict"
    soft_gap: float = 0.05
    soft_overlap: float = 0.3
    min_area: float = 0.001
    max_truncated: float = 0.5
    contained: float = 0.8
    contained_share: float = 0.25
    equal_iou: float = 0.9
    min_covisible: int = 5
    min_covisible_share: float = 0.2
    agree: float = 0.95
    min_run_share: float = 0.2
    max_rank: int = 3
    max_listed: int = 6
    frames_per_relation: int = 2
    sets_per_clip: int = 16
    mirror: bool = True
    refer: Literal["auto", "name", "mark", "box"] = "auto"
    mark_gap_s: float = 0.5
    names: NamesFile | None = None


def read_options(given: dict[str, float], settings: Sequence[str], **chosen: Any) -> RelationOptions:  # noqa: ANN401 - its fields
    """The options of a user: thresholds by name, `NAME=VALUE` settings of any threshold, and other fields as they are.

    Raises:
        InputError: no such threshold, not its kind of number, or a value that cannot be.
    """
    numbers: dict[str, Any] = dict(given)
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or name not in THRESHOLDS:
            raise InputError(f"--set {setting!r}: expected NAME=VALUE with one of {', '.join(THRESHOLDS)}.")
        numbers[name] = value
    try:
        read = msgspec.convert(numbers, RelationOptions, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(f"relation options: {error}. docs/relations.md lists them.") from error
    for name, default in THRESHOLDS.items():
        value = getattr(read, name)
        if isinstance(default, int) and value < 1:
            raise InputError(f"relation option {name}={value}: expected at least 1.")
        if not (math.isfinite(value) and value >= 0) or (isinstance(default, float) and name != "mark_gap_s" and value > 1):
            raise InputError(f"relation option {name}={value}: expected a share from 0 to 1 (mark_gap_s: seconds from 0).")
    return msgspec.structs.replace(read, **chosen)


THRESHOLDS: dict[str, float | int] = {
    name: default
    for name, default in msgspec.structs.asdict(RelationOptions()).items()
    if isinstance(default, float | int) and not isinstance(default, bool) and name != "seed"
}
