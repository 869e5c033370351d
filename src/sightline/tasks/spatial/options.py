"""The thresholds of the spatial questions and the form they are put in. All of it stands in a task set's manifest."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from sightline.errors import InputError, unknown_name
from sightline.tasks.frame_rules import FrameRule
from sightline.tasks.spatial import KINDS
from sightline.types import Record


class SpatialOptions(Record):
    """Metres, degrees and seconds as the names say. Defaults are those of the benchmark's own scripts where these have one
    (docs/spatial-qa.md tells which).

    Distances: `min_distance_m` of an absolute one; of a comparison, the nearest is at least `nearest_min_m` away and any two
    differ by more than `gap_small_m`, in a room of more than `large_room_m2` (or of unknown size) by more than `gap_large_m`.
    Directions: the three objects are from `near_m` to `far_m` apart, and `plan_min_m` in the plan; the object asked for lies at
    least `margin_deg` from any border between answers, and at most `max_stray` of its eight corners beyond one.
    Boxes made from what frames show (`ScanObject.unseen_deg`): sizes and distances are asked where at most `max_unseen_deg` around
    the object are unseen, 360 asks them all.
    Sizes: `min_size_m`; a room's area is dropped where two ways of measuring it differ by more than `room_disagreement`.
    Order of appearance: `appear_gap_s` apart; seen is `min_share` of a picture or more, and not seen is nothing at all.
    Camera: `min_moved_m` and `min_turned_deg` between two frames. Routes: the robot keeps `clearance_m` from everything.
    `frames`: which frames of the scan are shown. `shown`: objects known not to be in any shown frame are not asked for.
    Per scene and kind at most `limit_distance`, `limit_nearest`, `limit_direction`, `limit_order`, `limit_route`, `limit_motion`.
    `kinds`: the question types that are asked (`spatial.KINDS`), () for all.
    `words`: who says how to write the answer: the dialect of the model, or the words of the VSI benchmark.
    """

    frames: FrameRule = FrameRule()
    kinds: tuple[str, ...] = ()
    wording: int | Literal["first", "mixed"] = "first"
    words: Literal["dialect", "vsi"] = "dialect"
    seed: int = 0
    shown: bool = True
    min_distance_m: float = 0.2
    nearest_min_m: float = 0.15
    gap_small_m: float = 0.15
    gap_large_m: float = 0.30
    large_room_m2: float = 40.0
    near_m: float = 0.3
    far_m: float = 5.0
    plan_min_m: float = 0.3
    margin_deg: float = 10.0
    max_stray: int = 2
    max_unseen_deg: float = 150.0
    min_size_m: float = 0.05
    room_disagreement: float = 0.1
    appear_gap_s: float = 1.0
    min_share: float = 0.001
    min_moved_m: float = 0.3
    min_turned_deg: float = 20.0
    clearance_m: float = 0.2
    limit_distance: int = 50
    limit_nearest: int = 100
    limit_direction: int = 20
    limit_order: int = 30
    limit_route: int = 20
    limit_motion: int = 20


def read_options(settings: Sequence[str], **chosen: Any) -> SpatialOptions:  # noqa: ANN401 - its fields
    """The options of a user: `NAME=VALUE` settings of any threshold, and other fields as they are.

    Raises:
        InputError: no such threshold or question type, not its kind of number, or a value that cannot be.
    """
    numbers: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or name not in THRESHOLDS:
            raise InputError(f"--set {setting!r}: expected NAME=VALUE with one of {', '.join(THRESHOLDS)}.")
        numbers[name] = value
    try:
        read = msgspec.convert(numbers | chosen, SpatialOptions, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(f"spatial options: {error}. docs/spatial-qa.md lists them.") from error
    for kind in read.kinds:
        if kind not in KINDS:
            raise unknown_name("question type", kind, KINDS)
    for name in THRESHOLDS:
        value = getattr(read, name)
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"spatial option {name}={value}: expected a number from 0.")
    if read.margin_deg >= 45:
        raise InputError(f"spatial option margin_deg={read.margin_deg}: expected less than 45, or no direction would be left.")
    return read


THRESHOLDS: dict[str, float | int] = {
    name: default
    for name, default in msgspec.structs.asdict(SpatialOptions()).items()
    if isinstance(default, float | int) and not isinstance(default, bool) and name not in ("seed", "wording")
}
