"""Task sets as RoboRefer / VILA JSON: no media tokens, lists of pictures and depth maps.

    OUT/{task set}.json   [{"id": "...", "image": ["a.png", "b.png"], "depth": ["a_depth.png", "b_depth.png"],
                            "conversations": [{"from": "human", "value": "..."}, {"from": "gpt", "value": "[(0.512, 0.334)]"}]}]
        depth/            the depth maps, in RoboRefer's codec, each called by a digest of its content
        left_out.jsonl    with depth: every example without a row, and why

Their loader removes media tokens and puts the pictures before the first human turn, so a picture is known by its number alone: the
prompt says "image 1". `image` is always a list. Depth pairs with `image`, picture by picture; a row has all of them or is left out.

RoboRefer reads depth as a picture of three equal channels of 8 bits, near bright: per picture (d - min) / (max - min) * 255, of the
relative disparity d of Depth Anything V2. Here d is 1 / depth in metres, of the data set's own depth; a pixel without depth is 0.
Source: Zhoues/RoboRefer, `process_depth` and its data format.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float, UInt8

from sightline import media
from sightline.dialects import Dialect
from sightline.export.files import Exported, Pictures, json_array, noted, open_all
from sightline.export.rendered import Rendered, render_all
from sightline.files import inside, only_writer, write_whole
from sightline.taskset.store import TaskSet
from sightline.types import DepthRef, Example, LedgerEntry

LEFT_OUT = "left_out.jsonl"


def export_vila(
    tasksets: Sequence[Path], out: Path, *, dialect: Dialect, media_root: Path | None = None, depth: bool = False
) -> Exported:
    """Write one JSON file a task set below `out`. `media_root`: paths of pictures are relative to it; None copies them. Paths of
    depth maps are relative to `out`/depth, which is the data set's `depth_path`.

    Raises:
        FileNotFoundError: a task set or picture is not there.
        InputError: two task sets of one name, a picture that is not below the root, or a target that is no text (masks).
    """
    rows: dict[str, int] = {}
    left_out: list[LedgerEntry] = []
    num_copied = 0
    with only_writer(out):
        for taskset in open_all(tasksets):
            name = taskset.manifest.name
            pictures = Pictures(taskset, out, media_root=media_root)
            maps = _DepthMaps(taskset, out / "depth") if depth else None
            options = {"media_root": str((media_root or out).resolve()), "depth": depth}
            with (
                noted(out, name, taskset, kind="vila", dialect=dialect, options=options),
                json_array(out / f"{name}.json") as array,
            ):
                for rendered in render_all(taskset, dialect):
                    row = _row(rendered, pictures, maps)
                    (left_out.append if isinstance(row, LedgerEntry) else array.add)(row)  # pyright: ignore[reportArgumentType]
            rows[f"{name}.json"] = array.count
            num_copied += pictures.num_copied
        if depth:
            write_whole(out / LEFT_OUT, b"".join(msgspec.json.encode(entry) + b"\n" for entry in left_out))
    return Exported(path=str(out), rows=rows, num_copied=num_copied, left_out=dict(Counter(entry.reason for entry in left_out)))


def disparity_picture(depth_m: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"] | None:
    """Depth in metres (0 = none) as RoboRefer reads it; None where it has fewer than two values, for which min-max is 0/0."""
    known = depth_m > 0
    if not known.any():
        return None
    disparity = np.zeros(depth_m.shape, dtype=np.float64)
    np.divide(1.0, depth_m, out=disparity, where=known)
    low, high = disparity[known].min(), disparity[known].max()
    if high <= low:
        return None
    grey = np.where(known, (disparity - low) / (high - low) * 255, 0).round().astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _row(rendered: Rendered, pictures: Pictures, maps: "_DepthMaps | None") -> dict[str, Any] | LedgerEntry:
    example = rendered.example
    row: dict[str, Any] = {"id": example.id, "image": [pictures.name(image) for image in example.question.images]}
    if maps is not None:
        names = maps.names(example)
        if isinstance(names, LedgerEntry):
            return names
        row["depth"] = names
    turns = [{"from": "human", "value": rendered.without_tokens()}, {"from": "gpt", "value": rendered.answer}]
    return row | {"conversations": turns}


class _DepthMaps:
    """The depth maps of one task set; each is written once."""

    def __init__(self, taskset: TaskSet, folder: Path) -> None:
        self.taskset = taskset
        self.folder = folder
        self._names: dict[DepthRef, str | None] = {}

    def names(self, example: Example) -> list[str] | LedgerEntry:
        """The depth map of each picture, or why there are not all of them."""
        names: list[str] = []
        for index in range(len(example.question.images)):
            panels = [panel for panel in example.question.panels if panel.image_index == index]
            if len(panels) != 1 or panels[0].depth is None:
                detail = (
                    f"picture {index + 1} is made of several views" if len(panels) != 1 else f"picture {index + 1} has no depth"
                )
                return LedgerEntry(unit=example.id, reason="no_depth", detail=detail)
            name = self._name(panels[0].depth)
            if name is None:
                detail = f"{panels[0].depth.path} has fewer than two depths, so its min-max is 0/0"
                return LedgerEntry(unit=example.id, reason="constant_depth", detail=detail, path=panels[0].depth.path)
            names.append(name)
        return names

    def _name(self, ref: DepthRef) -> str | None:
        if ref not in self._names:
            self._names[ref] = self._write(ref)
        return self._names[ref]

    def _write(self, ref: DepthRef) -> str | None:
        picture = disparity_picture(self.taskset.read_depth(ref).astype(np.float64))
        if picture is None:
            return None
        content = media.encode_png(picture)
        digest = hashlib.sha256(content).hexdigest()[:32]
        name = f"{digest[:2]}/{digest}.png"
        target = inside(self.folder, name)
        if not target.is_file():
            write_whole(target, content)
        return name
