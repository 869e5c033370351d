"""Clips in the layouts of video data sets: 48x32 pictures, square objects, files named by frame number."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from sightline.geometry.masks import encode_mask
from tests.davis_tree import HEIGHT, WIDTH, Square, labels, save_palette, save_picture


def write_frames(
    place: Path, clip: str, shown: Mapping[int, Mapping[int, Square] | None], *, digits: int = 5, images: str = "JPEGImages"
) -> None:
    """Frame number n shows the objects at `shown[n]`; None: it has no labels."""
    for number, squares in shown.items():
        save_picture(place / images / clip / f"{number:0{digits}d}.jpg", seed=number + 1000 * len(clip))
        if squares is not None:
            save_palette(place / "Annotations" / clip / f"{number:0{digits}d}.png", labels(squares))


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def rle(square: Square | None) -> dict[str, object] | None:
    """A code as SA-V writes it; None stays None."""
    if square is None:
        return None
    code = encode_mask(labels({1: square}) > 0)
    return {"size": [HEIGHT, WIDTH], "counts": code.counts}


def write_masklets(
    folder: Path, video: str, rows: Sequence[Sequence[Square | None]], *, kind: str = "manual", num_frames: float | None = None
) -> Path:
    """A SA-V annotation file: `rows[frame][object]`."""
    path = folder / f"{video}_{kind}.json"
    value = {
        "video_id": video,
        "video_duration": len(rows) / 6,
        "video_frame_count": float(4 * len(rows)) if num_frames is None else num_frames,
        "video_height": float(HEIGHT),
        "video_width": float(WIDTH),
        "masklet": [[rle(square) for square in row] for row in rows],
        "masklet_id": [7 * column for column in range(len(rows[0]))],
        "masklet_num": len(rows[0]),
    }
    write_json(path, value)
    return path


def save_binary(path: Path, square: Square | None) -> None:
    """A mask of one object as a 1-bit picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros((HEIGHT, WIDTH), bool) if square is None else labels({1: square}) > 0
    Image.fromarray(mask).save(path)
