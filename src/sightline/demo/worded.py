"""Short clips of coloured shapes with expressions whose masks follow the words, for trying referring segmentation in video.

    {root}/train/meta_expressions.json, mask_dict.json, JPEGImages/train0000/00000.jpg      the layout of MeViS
    {root}/valid_u/...                                                                      held-out clips, 96 x 96, 12 frames

Three or four shapes a clip swing around places of their own; no two have the same colour and kind, and a later one hides an
earlier one. In every other clip one of them comes late: it is not there in the first frames, so that who looks at these alone has
nothing to go on. Each is meant by its colour and kind ("the red disc"), and by one other pair or word that is true of it alone in
this clip ("the large box", "the green one", "the small blue one"). Neither place nor size gives away which is meant: who does not
read the words is right once in three or four times. A clip follows from the seed, its split and its number; the splits draw from
different streams.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from sightline.errors import InputError
from sightline.files import only_writer, write_whole
from sightline.geometry.masks import encode_mask
from sightline.media import encode_jpeg

SIDE, NUM_FRAMES = 96, 12
LATE = (5, 9)
"""First frames of a shape that comes late: from, and below."""
KINDS = ("disc", "box", "triangle")
COLOURS = {
    "red": (225, 40, 35),
    "green": (40, 190, 60),
    "blue": (50, 80, 235),
    "yellow": (240, 215, 40),
    "white": (245, 245, 245),
}
SIZES = {"small": (0.10, 0.12), "large": (0.16, 0.19)}
"""Radii as shares of the side."""
WORDS = ("the", "one", *SIZES, *COLOURS, *KINDS)
"""All words of all expressions."""
LEAST_GAP = 0.3
SPLITS = ("train", "valid_u")


@dataclass(frozen=True)
class Shape:
    """One object: what it is called, where it swings around and how far, in pixels, and the first frame that it is in."""

    kind: str
    colour: str
    size: str
    middle: tuple[float, float]
    reach: tuple[float, float]
    phase: float
    radius: float
    first: int = 0

    def mask(self, frame: int) -> Bool[np.ndarray, "h w"]:
        """Where it is in a frame, hidden or not."""
        if frame < self.first:
            return np.zeros((SIDE, SIDE), dtype=bool)
        turn = self.phase + 1.5 * np.pi * frame / NUM_FRAMES
        x = self.middle[0] + self.reach[0] * np.cos(turn)
        y = self.middle[1] + self.reach[1] * np.sin(turn)
        rows, columns = _pixels()
        right, down = columns - x, rows - y
        if self.kind == "disc":
            return right**2 + down**2 < self.radius**2
        if self.kind == "box":
            return np.maximum(abs(right), abs(down)) < 0.9 * self.radius
        return (down < 0.8 * self.radius) & (down > 2 * abs(right) - 1.1 * self.radius)


def write_worded(
    root: Path,
    *,
    num_train: int = 160,
    num_validation: int = 40,
    seed: int = 0,
    on_clip: Callable[[int], None] = lambda _: None,
) -> None:
    """Write the clips; what is there already stays.

    Args:
        on_clip: told how many clips are written.

    Raises:
        InputError: fewer than one clip of a split, or a negative seed.
    """
    if num_train < 1 or num_validation < 1 or seed < 0:
        raise InputError(f"{num_train} and {num_validation} clips, seed {seed}: expected at least one of each, and a seed from 0.")
    done = 0
    with only_writer(root):
        for stream, (split, count) in enumerate(zip(SPLITS, (num_train, num_validation), strict=True)):
            videos: dict[str, Any] = {}
            masks: dict[str, Any] = {}
            for number in range(count):
                name = f"{split.partition('_')[0]}{number:04d}"
                shapes = draw_shapes(np.random.default_rng((seed, stream, number)))
                _write_frames(root / split / "JPEGImages" / name, shapes, np.random.default_rng((seed, stream, number, 1)))
                videos[name] = _expressions(shapes, number, first_mask=len(masks))
                masks |= _masks(shapes, first_mask=len(masks))
                done += 1
                on_clip(done)
            write_whole(root / split / "mask_dict.json", json.dumps(masks).encode())
            write_whole(root / split / "meta_expressions.json", json.dumps({"videos": videos}).encode())


def draw_shapes(rng: np.random.Generator) -> list[Shape]:
    """The shapes of a clip, the one that hides the others last."""
    count = int(rng.integers(3, 5))
    pairs = rng.permutation(len(KINDS) * len(COLOURS))[:count]
    middles = _apart(count, rng)
    late = int(rng.integers(2 * count))  # from `count` on: none
    shapes = []
    for place, (pair, middle) in enumerate(zip(pairs.tolist(), middles, strict=True)):
        colour, kind = divmod(pair, len(KINDS))
        size = tuple(SIZES)[int(rng.integers(len(SIZES)))]
        shapes.append(
            Shape(
                kind=KINDS[kind],
                colour=tuple(COLOURS)[colour],
                size=size,
                middle=middle,
                reach=(float(rng.uniform(0.05, 0.12) * SIDE), float(rng.uniform(0.05, 0.12) * SIDE)),
                phase=float(rng.uniform(0, 2 * np.pi)),
                radius=float(rng.uniform(*SIZES[size]) * SIDE),
                first=int(rng.integers(*LATE)) if place == late else 0,
            )
        )
    return shapes


def expressions(shape: Shape, others: list[Shape]) -> list[str]:
    """Every short expression that is true of `shape` and of no other, its colour and kind first."""
    ways = (("colour", "kind"), ("size", "kind"), ("colour",), ("size", "colour"), ("size",), ("kind",))
    found = []
    for way in ways:
        own = [getattr(shape, each) for each in way]
        if all([getattr(other, each) for each in way] != own for other in others):
            found.append(" ".join(["the", *own, *([] if "kind" in way else ["one"])]))
    return found


def _expressions(shapes: list[Shape], number: int, *, first_mask: int) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for place, shape in enumerate(shapes):
        first, *more = expressions(shape, [other for other in shapes if other is not shape])
        chosen = [first, *([more[number % len(more)]] if more else [])]
        for text in chosen:
            said[str(len(said))] = {"exp": text, "obj_id": [place], "anno_id": [first_mask + place]}
    return {"vid_id": number, "frames": [f"{frame:05d}" for frame in range(NUM_FRAMES)], "expressions": said}


def _masks(shapes: list[Shape], *, first_mask: int) -> dict[str, Any]:
    found: dict[str, Any] = {str(first_mask + place): [] for place in range(len(shapes))}
    for frame in range(NUM_FRAMES):
        hidden = np.zeros((SIDE, SIDE), dtype=bool)
        for place in reversed(range(len(shapes))):
            whole = shapes[place].mask(frame)
            seen = whole & ~hidden
            hidden |= whole
            code = encode_mask(seen)
            found[str(first_mask + place)].append({"size": [SIDE, SIDE], "counts": code.counts} if seen.any() else None)
    return found


def _write_frames(folder: Path, shapes: list[Shape], rng: np.random.Generator) -> None:
    ground = rng.integers(60, 130, 3) + rng.integers(-15, 16, (SIDE // 8, SIDE // 8, 1))
    ground = np.repeat(np.repeat(ground, 8, axis=0), 8, axis=1)
    for frame in range(NUM_FRAMES):
        picture = ground.astype(np.uint8)
        for shape in shapes:
            picture[shape.mask(frame)] = COLOURS[shape.colour]
        path = folder / f"{frame:05d}.jpg"
        if not path.exists():
            write_whole(path, encode_jpeg(picture))


def _apart(count: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Places at least `LEAST_GAP` sides apart."""
    while True:
        places = rng.uniform(0.2, 0.8, (count, 2))
        gaps = np.hypot(*np.moveaxis(places[:, None] - places[None], -1, 0)) + np.eye(count)
        if gaps.min() >= LEAST_GAP:
            return [(float(x) * SIDE, float(y) * SIDE) for x, y in places]


def _pixels() -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Rows and columns of pixel centres."""
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    return rows, columns
