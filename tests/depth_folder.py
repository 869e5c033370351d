"""A folder of depth maps in the true layout, its maps drawn here instead of by a network."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from sightline.depth_codecs import get_codec
from sightline.files import write_json, write_whole
from sightline.taskset.depth import FORMAT, INDEX, DepthIndex, DepthMap, DepthSettings, map_path
from sightline.types import ImageRef


def ramp(image: ImageRef) -> np.ndarray:
    """1 to 4, from the first pixel to the last."""
    return np.linspace(1.0, 4.0, image.height * image.width, dtype=np.float32).reshape(image.height, image.width)


def write_depth_folder(
    folder: Path, images: Iterable[ImageRef], *, codec: str = "u8x3_minmax", values: Callable[[ImageRef], np.ndarray] = ramp
) -> Path:
    chosen = get_codec(codec)
    maps = {}
    for image in images:
        write_whole(folder / map_path(image, chosen), chosen.encode(values(image)))
        maps[image.digest] = DepthMap(
            path=map_path(image, chosen), width=image.width, height=image.height, image=f"{image.root}:{image.path}"
        )
    settings = DepthSettings(
        codec=codec,
        quantity="metres" if chosen.metric else "inverse",
        model_type="drawn",
        architecture="drawn",
        revision="0" * 32,
        device="cpu",
        versions={},
    )
    write_json(folder / INDEX, DepthIndex(format=FORMAT, model="drawn", settings=settings, maps=maps))
    return folder
