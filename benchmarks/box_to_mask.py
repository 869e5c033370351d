"""Box to mask for 5 expressions of one clip: all in one pass against one pass an expression, each with its own picture encoding.

The published tiny SAM 2 with random weights on one thread, noise that moves as pictures, an object with its box on every key frame
for each expression. "key frames alone": the ten frames that were asked about, as with `--frames uniform --num-frames 10`; "the
whole clip": ten key frames among thirty, so that memories of the key frames are looked at for each object in the other twenty.
"some absent": as the first, but three of the five have no box on two of the key frames. Times are CPU time (user and system) of
this process, since machines are shared; the masks of both ways are compared pixel by pixel.
"""

import statistics
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

NUM_EXPRESSIONS, NUM_KEYS, ROUNDS = 5, 10, 2
WIDTH, HEIGHT = 320, 192
MOST_DIFFERENT = 1e-5  # of all pixels: sums over a batch round otherwise than sums of one
CASES = (
    ("key frames alone", 256, 10, 0),
    ("some absent", 256, 10, 3),
    ("the whole clip", 256, 30, 0),
)


def main() -> None:
    if find_spec("torch") is None:
        print("needs torch: make models")
        return
    import torch  # noqa: PLC0415 - an extra

    torch.set_num_threads(1)
    print(f"{NUM_EXPRESSIONS} expressions, {NUM_KEYS} key frames, published tiny SAM 2, one thread, CPU time, median of {ROUNDS}:")
    for name, side, num_frames, num_absent in CASES:
        _compare(name, side, num_frames, num_absent)


def _compare(name: str, side: int, num_frames: int, num_absent: int) -> None:
    tracker, frames = _tracker(side), _Clip(num_frames)
    shown = _shown(num_frames, num_absent)
    times: dict[str, list[float]] = {"plain": [], "shared": []}
    masks: dict[str, Any] = {}
    for _ in range(ROUNDS):
        started = time.process_time()
        masks["plain"] = [track for one in shown for track in _masks(tracker, frames, one)]
        times["plain"].append(time.process_time() - started)
        started = time.process_time()
        masks["shared"] = _masks(tracker, frames, [each for one in shown for each in one])
        times["shared"].append(time.process_time() - started)
    gain = statistics.median(a / b for a, b in zip(times["plain"], times["shared"], strict=True))
    plain, shared = np.array(masks["plain"]), np.array(masks["shared"])
    different = int((plain != shared).sum())
    if different > MOST_DIFFERENT * plain.size:
        raise SystemExit(f"{name}: {different} of {plain.size:,} pixels differ between the two ways")
    print(
        f"  {name:18} {num_frames:3} frames {side:4} px   one by one {statistics.median(times['plain']):7.2f} s   "
        f"together {statistics.median(times['shared']):7.2f} s   {gain:5.2f}x   pixels that differ: {different} of "
        f"{plain.size:,}, set {plain.mean():.2f}"
    )


def _tracker(side: int) -> Any:
    from transformers import Sam2VideoConfig  # noqa: PLC0415

    from benchmarks.sam2_propagate import new_model  # noqa: PLC0415
    from sightline.models.sam2.architecture import resized  # noqa: PLC0415
    from sightline.models.sam2.tracker import Sam2Settings, Sam2Tracker  # noqa: PLC0415

    tracker = Sam2Tracker(Sam2Settings(Path("in-memory"), device="cpu"))
    tracker.model = new_model(resized(Sam2VideoConfig(), side))
    return tracker


class _Clip:
    """Noise that moves to the right by two pixels a frame."""

    width, height = WIDTH, HEIGHT

    def __init__(self, num_frames: int) -> None:
        coarse = np.random.default_rng(1).integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
        self._picture = coarse.repeat(8, axis=0).repeat(8, axis=1)
        self._num_frames = num_frames

    def __len__(self) -> int:
        return self._num_frames

    def rgb(self, index: int) -> np.ndarray:
        return np.roll(self._picture, 2 * index, axis=1)


def _shown(num_frames: int, num_absent: int) -> list[list[Any]]:
    """The boxes of each expression."""
    from sightline.models.tracking.shown import Shown  # noqa: PLC0415

    keys = np.linspace(0, num_frames - 1, NUM_KEYS).round().astype(int).tolist()
    shown: list[list[Any]] = []
    for place in range(NUM_EXPRESSIONS):
        left, top = 30.0 + 40 * place, 20.0 + 25 * place
        kept = [key for index, key in enumerate(keys) if place >= num_absent or index not in (4, 7)]
        shown.append(
            [Shown(frame=key, object_id=str(place), box=(left + 2 * key, top, left + 2 * key + 50, top + 40)) for key in kept]
        )
    return shown


def _masks(tracker: Any, frames: _Clip, shown: Sequence[Any]) -> list[np.ndarray]:
    """The masks (T, h, w) of every object that is shown."""
    from sightline.geometry.masks import decode_mask  # noqa: PLC0415
    from sightline.models.tracking.trackers import whole_tracks  # noqa: PLC0415

    names = list(dict.fromkeys(each.object_id for each in shown))
    tracks = whole_tracks(tracker.follow(frames, shown, both_directions=True), names, len(frames))
    empty = np.zeros((HEIGHT, WIDTH), bool)
    return [np.stack([empty if rle is None else decode_mask(rle) for rle in tracks[name]]) for name in names]


if __name__ == "__main__":
    main()
