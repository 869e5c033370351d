"""Small pictures of rooms with one object tinted red, and the question where it is: what a tiny model can learn to point at.

    ROOT/point_questions.jsonl     {"question_id": 0, "image": "00000.png", "text": "Point at the red object."}
    ROOT/images/00000.png          a view of a procedural room
    ROOT/masks/00000.png           255 where the object is

This is the layout of Where2Place, so that `sightline build where2place` makes a task set of it. The rooms are of `demo.layout`,
each with a generator of its own, without the guarantees of `demo.fairness`: nothing here is asked across views. Finding the same
object from another place, which the other tasks of the demo ask, is out of reach of a few minutes on a CPU.
"""

import json
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from sightline.demo.layout import Layout, draw_layout
from sightline.demo.render import Lens, cast, colour
from sightline.errors import InputError
from sightline.files import whole_folder, write_whole
from sightline.media import encode_grey_png, encode_png

WIDTH, HEIGHT = 96, 64
LEAST_SHARE = 0.008
TINT, OPACITY = (235, 20, 20), 0.75
QUESTION = "Point at the red object. Your answer should be formatted as a list of tuples, i.e. [(x1, y1)]."


def write_pointing(root: Path, *, count: int, seed: int = 0, first_room: int = 0) -> None:
    """Write `count` questions, each of a room of its own; `root` appears whole.

    Args:
        first_room: rooms are numbered from here; sets of different rooms have no picture in common.

    Raises:
        InputError: `root` is there already, or `count` is below 1.
    """
    if count < 1:
        raise InputError(f"count {count}: expected at least 1.")
    lines = []
    with whole_folder(root) as partial:
        for number in range(count):
            picture, mask = _draw(seed, first_room + number)
            name = f"{number:05d}.png"
            write_whole(partial / "images" / name, encode_png(picture))
            write_whole(partial / "masks" / name, encode_grey_png(mask.astype(np.uint8) * 255))
            lines.append(json.dumps({"question_id": number, "image": name, "text": QUESTION}))
        write_whole(partial / "point_questions.jsonl", ("\n".join(lines) + "\n").encode())


def _draw(seed: int, room: int) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """A view of the first layout of this room that shows an object large enough, the object tinted."""
    attempt = 0
    while True:
        rng = np.random.default_rng([seed, room, attempt])
        layout = draw_layout(rng)
        if layout is not None and (found := _view(layout, rng)) is not None:
            return found
        attempt += 1


def _view(layout: Layout, rng: np.random.Generator) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]] | None:
    lens = Lens(WIDTH, HEIGHT)
    pose = layout.poses[rng.integers(len(layout.poses))]
    hits = cast(layout, pose, lens=lens)
    targets = [index for index, part in enumerate(layout.parts) if part.uid is not None]
    large = [index for index in targets if (hits.part == index).mean() >= LEAST_SHARE]
    if not large:
        return None
    mask = hits.part == rng.choice(large)
    picture = colour(layout, hits, pose, lens=lens)
    picture[mask] = np.rint((1 - OPACITY) * picture[mask] + OPACITY * np.array(TINT)).astype(np.uint8)
    return picture, mask
