"""Times of frames in words, and back. A frame is known by the time that stands before it in the prompt (`render`).

One decimal where that tells the frames apart, more where they follow each other faster; the same words in the prompt and in
answers.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

MAX_DECIMALS = 3
LONE_STEP_S = 1.0
"""The step between frames where only one is shown."""
_EPSILON_S = 1e-6

_UNIT = r"\s?(?:s|sec|secs|second|seconds)?"
_SECONDS = re.compile(
    rf"\s?<?\s?(?:([0-9]{{1,3}}):)?(?:([0-9]{{1,3}}):)?([0-9]{{1,9}}(?:\.[0-9]{{0,9}})?){_UNIT}\s?>?\s?", re.IGNORECASE
)


def time_words(times_s: Sequence[float]) -> tuple[str, ...]:
    """The times in seconds as numerals: `("0.0", "0.5")`; rounded by less than half the smallest step between two of them."""
    decimals = 1
    while decimals < MAX_DECIMALS and 10.0**-decimals >= step_s(times_s):
        decimals += 1
    return tuple(f"{time:.{decimals}f}" for time in times_s)


def step_s(times_s: Sequence[float]) -> float:
    """The smallest step between neighbouring times, in seconds."""
    return min((after - before for before, after in pairwise(times_s)), default=LONE_STEP_S)


def nearest_frame(time_s: float, times_s: Sequence[float]) -> int | None:
    """The position of the frame shown at about that time: the nearest one, if it is at most half a step away."""
    if not times_s:
        return None
    position = min(range(len(times_s)), key=lambda place: abs(times_s[place] - time_s))
    return position if abs(times_s[position] - time_s) <= step_s(times_s) / 2 + _EPSILON_S else None


def read_seconds(text: str) -> float | None:
    """The seconds of `1.5`, `1.5 seconds`, `<1.5s>`, `00:01.5` or `0:00:01`; None of anything else."""
    match = _SECONDS.fullmatch(text) if len(text) <= 48 else None
    if match is None:
        return None
    first, second, seconds = match.groups()
    hours, minutes = (first, second) if second else (None, first)
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds)
