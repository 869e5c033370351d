"""Task sets as RoboRefer / VILA JSON: no media tokens, lists of pictures and depth maps.

    OUT/{task set}.json   [{"id": "...", "image": ["a.png", "b.png"], "depth": ["a_depth.png", "b_depth.png"],
                            "conversations": [{"from": "human", "value": "..."}, {"from": "gpt", "value": "[(0.512, 0.334)]"}]}]
        depth/            the depth maps, in RoboRefer's codec, each called by a digest of its content
        left_out.jsonl    with depth: every example without a row, and why

Their loader removes media tokens and puts the pictures before the first human turn, so a picture is known by its number alone: the
prompt says "image 1". `image` is always a list. Depth pairs with `image`, picture by picture; a row has all of them or is left out.

RoboRefer reads depth as a picture of three equal channels of 8 bits, near bright (`depth_codecs`: u8x3_minmax). With `depth` it is
made of 1 / depth of the data set's own depth, and a pixel without depth is 0; with `depth_from` it is what a depth network made of
the pictures (`sightline depth`), which is what RoboRefer was trained on.
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
from sightline.depth_codecs import UnusableDepthError, inverse_picture
from sightline.dialects import Dialect
from sightline.errors import InputError
from sightline.export.files import Exported, Pictures, json_array, noted, open_all
from sightline.export.rendered import Rendered, render_all
from sightline.files import inside, only_writer, write_whole
from sightline.taskset.depth import DepthFolder, depth_picture
from sightline.taskset.store import TaskSet
from sightline.types import DepthRef, Example, ImageRef, LedgerEntry

LEFT_OUT = "left_out.jsonl"


def export_vila(
    tasksets: Sequence[Path],
    out: Path,
    *,
    dialect: Dialect,
    media_root: Path | None = None,
    depth: bool = False,
    depth_from: Path | None = None,
) -> Exported:
    """Write one JSON file a task set below `out`. `media_root`: paths of pictures are relative to it; None copies them. Paths of
    depth maps are relative to `out`/depth, which is the data set's `depth_path`: of the data set's own depth with `depth`, of a
    folder of maps with `depth_from`.

    Raises:
        FileNotFoundError: a task set, a picture, or the folder of depth maps is not there.
        InputError: two task sets of one name, a picture that is not below the root, a target that is no text (masks), a depth map
            that does not fit its picture, or both kinds of depth.
    """
    if depth and depth_from is not None:
        raise InputError("--depth is the data set's own depth, --depth-from a network's: give one of them.")
    estimated = None if depth_from is None else DepthFolder(depth_from)
    rows: dict[str, int] = {}
    left_out: list[LedgerEntry] = []
    num_copied = 0
    with only_writer(out):
        for taskset in open_all(tasksets):
            name = taskset.manifest.name
            pictures = Pictures(taskset, out, media_root=media_root)
            maps = _DepthMaps(taskset, out / "depth", estimated) if depth or estimated else None
            options = {"media_root": str((media_root or out).resolve()), "depth": depth}
            if estimated is not None:
                options["depth_from"] = msgspec.to_builtins(estimated.index.settings)
            with (
                noted(out, name, taskset, kind="vila", dialect=dialect, options=options),
                json_array(out / f"{name}.json") as array,
            ):
                for rendered in render_all(taskset, dialect):
                    row = _row(rendered, pictures, maps)
                    (left_out.append if isinstance(row, LedgerEntry) else array.add)(row)  # pyright: ignore[reportArgumentType]
            rows[f"{name}.json"] = array.count
            num_copied += pictures.num_copied
        if depth or estimated:
            write_whole(out / LEFT_OUT, b"".join(msgspec.json.encode(entry) + b"\n" for entry in left_out))
    return Exported(path=str(out), rows=rows, num_copied=num_copied, left_out=dict(Counter(entry.reason for entry in left_out)))


def disparity_picture(depth_m: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"] | None:
    """Depth in metres (0 = none) as RoboRefer reads it; None where it has fewer than two values, for which min-max is 0/0."""
    try:
        return inverse_picture(depth_m)
    except UnusableDepthError:
        return None


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


def _picture_of(folder: DepthFolder, image: ImageRef) -> UInt8[np.ndarray, "h w 3"] | None:
    try:
        return folder.roborefer_picture(image)
    except UnusableDepthError:
        return None


class _DepthMaps:
    """The depth maps of one task set, its own or those `estimated` of its pictures; each is written once."""

    def __init__(self, taskset: TaskSet, folder: Path, estimated: DepthFolder | None = None) -> None:
        self.taskset = taskset
        self.folder = folder
        self.estimated = estimated
        self._names: dict[DepthRef | ImageRef, str | None] = {}

    def names(self, example: Example) -> list[str] | LedgerEntry:
        """The depth map of each picture, or why there are not all of them."""
        if self.estimated is not None:
            return self._estimated_names(example, self.estimated)
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

    def _estimated_names(self, example: Example, folder: DepthFolder) -> list[str] | LedgerEntry:
        names: list[str] = []
        for index in range(len(example.question.images)):
            image = depth_picture(example.question, index)
            if image not in self._names:
                self._names[image] = self._write(_picture_of(folder, image))
            name = self._names[image]
            if name is None:
                detail = f"picture {index + 1} has no depth map of two depths in {folder.path}"
                return LedgerEntry(unit=example.id, reason="no_depth", detail=detail, path=image.path)
            names.append(name)
        return names

    def _name(self, ref: DepthRef) -> str | None:
        if ref not in self._names:
            self._names[ref] = self._write(disparity_picture(self.taskset.read_depth(ref).astype(np.float64)))
        return self._names[ref]

    def _write(self, picture: UInt8[np.ndarray, "h w 3"] | None) -> str | None:
        if picture is None:
            return None
        content = media.encode_png(picture)
        digest = hashlib.sha256(content).hexdigest()[:32]
        name = f"{digest[:2]}/{digest}.png"
        target = inside(self.folder, name)
        if not target.is_file():
            write_whole(target, content)
        return name
