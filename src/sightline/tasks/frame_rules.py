"""Which frames of a video or scan a spatial question shows. Frames are positions from 0, ascending, none twice.

    uniform       `num_frames` of the candidates, evenly spread
    random        `num_frames` of all frames, drawn without replacement
    fps           one for each 1/`fps` of a second from the first on; of more than `num_frames` so many, evenly spread
    space_aware   `num_frames` of the candidates that together see most of the room: `tasks.scan_coverage`
    points_aware, points_reference
                  the same by the points of a network, chosen beforehand: `tasks.point_choices`
    all           every frame; more than `max_frames` are refused

Candidates are `num_candidates` frames evenly spread from the first to the last, all of a shorter video. Evenly spread positions are
cut to whole numbers, not rounded, as numpy's integer linspace does: so do the published tools (Spatial-MLLM's sampling, whose
uniform twin also takes its frames from 128 candidates; LLaVA-NeXT-Video's and VSI-Bench's loaders). A video of fewer frames than
asked for shows each of them once; the ledger says so (`fewer_frames`).
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from sightline.errors import InputError
from sightline.tasks.footage import Sampling, sample_frames
from sightline.types import LedgerEntry, Record

Policy = Literal["uniform", "random", "fps", "space_aware", "points_aware", "points_reference", "all"]
NAMES = "uniform, random, fps:RATE, space-aware, points-aware, points-reference or all"
EXACT = ("uniform", "random", "space_aware", "points_aware")
BY_SIGHT = ("space_aware", "points_aware", "points_reference")
"""Chosen by what frames see, not by their number."""


class FrameRule(Record):
    """A policy and its numbers. `folder_fps` is the rate of a video that is a folder of frames; `edge_m` the cells' edge.

    `scans` (a root of prepared scans, for videos that bring no depth), `cache` (where choices by space are kept) and `choices`
    (where those by points lie) only say where something lies; they are no part of a recipe. `weights` names the network of the
    points.
    """

    policy: Policy = "uniform"
    num_frames: int = 16
    fps: float = 1.0
    max_frames: int = 128
    num_candidates: int = 128
    edge_m: float = 0.1
    folder_fps: float = 1.0
    scans: str | None = None
    cache: str | None = None
    choices: str | None = None
    weights: str = ""


def read_rule(written: str, *, num_frames: int, scans: str | None = None, cache: str | None = None) -> FrameRule:
    """The rule as named on the command line: "uniform", "fps:2", "space-aware".

    Raises:
        InputError: no such rule, or a rate that is none.
    """
    name, colon, number = written.strip().lower().replace("-", "_").partition(":")
    rate = 1.0
    if name == "fps" and colon:
        try:
            rate = float(number)
        except ValueError:
            rate = np.nan
        if not (np.isfinite(rate) and rate > 0):
            raise InputError(f"frames {written!r}: {number!r} is no number of frames a second. Write for example fps:2.")
    match name:
        case "uniform" | "random" | "fps" | "space_aware" | "points_aware" | "points_reference" | "all" if (
            name == "fps" or not colon
        ):
            return FrameRule(policy=name, num_frames=num_frames, fps=rate, scans=scans, cache=cache)
    raise InputError(f"frames {written!r}: expected {NAMES}.")


def evenly(num_frames: int, count: int) -> tuple[int, ...]:
    """`count` positions from the first to the last of `num_frames`, cut to whole numbers; all of them where there are no more."""
    return tuple(np.linspace(0, num_frames - 1, min(count, num_frames)).astype(int).tolist())


def candidates(num_frames: int, rule: FrameRule) -> tuple[int, ...]:
    """The frames among which `uniform` and the rules by sight choose."""
    return evenly(num_frames, rule.num_candidates)


def ruled_frames(num_frames: int, rule: FrameRule, *, rng: np.random.Generator, rate: float) -> tuple[int, ...]:
    """The frames of a video of `num_frames` (1 or more), `rate` a second, by any rule but those by sight; `rng` is for `random`.

    Raises:
        InputError: `all` takes more than `max_frames`.
    """
    assert rule.policy not in BY_SIGHT, "chosen by what frames see, not by their number"
    if rule.policy == "uniform":
        return picked(candidates(num_frames, rule), rule.num_frames)
    frames = range(num_frames)
    if rule.policy == "fps":
        every = Sampling(policy="fps", fps=rule.fps, max_frames=num_frames)
        return picked(sample_frames(frames, every, rng=rng, rate=rate), rule.num_frames)
    policy = "all" if rule.policy == "all" else "random"
    return sample_frames(frames, Sampling(policy=policy, num_frames=rule.num_frames, max_frames=rule.max_frames), rng=rng)


def picked(frames: Sequence[int], count: int) -> tuple[int, ...]:
    """`count` of the frames, evenly spread; all of them where there are no more."""
    return tuple(frames[place] for place in evenly(len(frames), count))


def shortfall(unit: str, num_frames: int, rule: FrameRule, *, path: str) -> LedgerEntry | None:
    """The note that a video has fewer frames than a rule of a fixed number asks for."""
    if rule.policy not in EXACT or num_frames >= rule.num_frames:
        return None
    detail = f"{path} has {num_frames} frames, {rule.num_frames} were asked for: each is shown once"
    return LedgerEntry(unit=unit, reason="fewer_frames", detail=detail, action="altered", path=path)
