"""A folder of depth maps, one for each picture, found by the picture's content.

DIR/depth.json           what is in it, written last: {"settings": {"codec": "u8x3_minmax", ...}, "maps": {"5e0c...":
                             {"path": "maps/5e/5e0c....png", "width": 640, "height": 480, "image": "data:room/01.png"}}}
    settings.json        codec and model, written first: what is added later must be made alike
    maps/5e/5e0c....png  a depth map, called by the digest of its picture's pixels
    notes/5e0c....json   a picture without a map, or with one that lost something: its line of the ledger
    ledger.jsonl         all notes

Maps of several task sets, and of sets built later, share a folder: a picture is the same picture in all of them.
"""

from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from sightline.depth_codecs import DepthCodec, get_codec, inverse_picture
from sightline.errors import InputError
from sightline.files import inside, read_json
from sightline.types import ImageRef, Question, Record

FORMAT = 2  # 1: pictures named by BLAKE2b
INDEX, SETTINGS, LEDGER = "depth.json", "settings.json", "ledger.jsonl"

Quantity = Literal["inverse", "metres"]
"""What a depth network gives: relative inverse depth (near = large, scale and offset unknown), or metres."""


class DepthSettings(Record):
    """All that a map depends on beside its picture. `revision` tells the checkpoint from any other (`Checkpoint.revision`)."""

    codec: str
    quantity: Quantity
    model_type: str
    architecture: str
    revision: str
    device: str
    versions: dict[str, str]


class DepthMap(Record):
    """One map: `path` below the folder, size in pixels (its picture's), and where the picture was found ("root:path")."""

    path: str
    width: int
    height: int
    image: str


class DepthIndex(Record):
    """`depth.json`. `model` is the checkpoint folder's name; `maps` go by picture digest."""

    format: int
    model: str
    settings: DepthSettings
    maps: dict[str, DepthMap]


class DepthFolder:
    """The maps of a complete folder.

    Raises:
        FileNotFoundError: no such folder, or `sightline depth` has not come to its end in it.
        InputError: the index is unreadable, of another format, or of an unknown codec.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not (path / INDEX).is_file():
            raise FileNotFoundError(
                f"{path} is not a complete folder of depth maps (no {INDEX} in it). Make it with `sightline depth TASKSET --model "
                f"FOLDER --out {path}`, or run the interrupted command again."
            )
        self.index = read_index(path)

    @cached_property
    def codec(self) -> DepthCodec:
        return get_codec(self.index.settings.codec)

    def find(self, image: ImageRef) -> Path | None:
        """The map of a picture; None where there is none (its reason is in the ledger, or its task set was never asked for).

        Raises:
            FileNotFoundError: the index names a file that is gone.
            InputError: the file is of another codec, or not exactly as large as the picture.
        """
        entry = self.index.maps.get(image.digest)
        if entry is None:
            return None
        path = inside(self.path, entry.path)
        check_size(path, image, self.codec)
        return path

    def roborefer_picture(self, image: ImageRef) -> UInt8[np.ndarray, "h w 3"] | None:
        """The map of a picture as RoboRefer reads it, whatever the codec (`u8x3_minmax`); None where there is none.

        Raises:
            FileNotFoundError, InputError: as `find`; also a damaged file, or metres that are the same everywhere.
        """
        path = self.find(image)
        if path is None:
            return None
        return inverse_picture(self.codec.read(path)) if self.codec.metric else self.codec.read(path)


def read_index(folder: Path) -> DepthIndex:
    """`depth.json` of a folder.

    Raises:
        InputError: unreadable, or of another format.
    """
    index = read_json(folder / INDEX, DepthIndex)
    if index.format != FORMAT:
        raise InputError(f"{folder / INDEX}: format {index.format}; this version reads format {FORMAT}. Make the maps again.")
    return index


def check_size(path: Path, image: ImageRef, codec: DepthCodec) -> None:
    """Look at a map's header.

    Raises:
        FileNotFoundError, InputError: the map is gone, of another codec, or not exactly as large as its picture.
    """
    size = codec.probe(path)
    if size != (image.width, image.height):
        raise InputError(
            f"{path}: depth of {size[0]} x {size[1]} pixels, but its picture {image.root}:{image.path} has {image.width} x "
            f"{image.height}. Delete this file and run `sightline depth` again."
        )


def map_path(image: ImageRef, codec: DepthCodec) -> str:
    """Where a picture's map lies below its folder."""
    return f"maps/{image.digest[:2]}/{image.digest}{codec.suffix}"


def depth_picture(question: Question, image_index: int) -> ImageRef:
    """The picture whose depth belongs to picture `image_index` of a question.

    The plain view where the picture is one view (a mark is painted on the picture, not in the room), else the picture itself: two
    views side by side are one picture to a network, and relative depths of two pictures have no common scale.
    """
    image = question.images[image_index]
    panels = [panel for panel in question.panels if panel.image_index == image_index]
    if len(panels) == 1 and (panels[0].x, panels[0].y) == (0, 0):
        view = panels[0].source
        if (view.width, view.height) == (image.width, image.height):
            return view
    return image
