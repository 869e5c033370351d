"""The worst frames of a run as pictures: which pixels are right, missed and wrong, told apart by colour, edge and letters.

TP (both) is bluish green, FN (only the annotation has it) blue with a solid edge, FP (only the prediction has it) vermilion with a
dashed edge: Okabe and Ito's colours. The masks are SVG over the picture at its preview size; without pictures they lie on grey.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool

from sightline import media
from sightline.errors import InputError
from sightline.evaluate.vos.object_masks import object_masks
from sightline.evaluate.vos.protocols import Folders, ObjectScores
from sightline.evaluate.vos.rivals import frame_scores
from sightline.files import inside
from sightline.report.markup import Html, element, join
from sightline.report.outlines import outline_path
from sightline.report.pictures import QUALITY, encode_webp, reduced

PICTURES = (".jpg", ".jpeg", ".png", ".webp")
PARTS = (("both", "TP"), ("only-true", "FN"), ("only-predicted", "FP"))
MIN_LETTERED = 0.002  # of the picture's pixels: on smaller parts a letter would cover what it names


@dataclass(frozen=True)
class WorstFrame:
    """The object and frame of a video in which a run is worst; `frame` is the file's name, `score` J&F, 0..1."""

    video: str
    object_id: str
    frame: str
    score: float


def worst_frames(objects: Sequence[ObjectScores]) -> dict[str, WorstFrame]:
    """The worst frame of each video: of equal ones the first, an object that is there before one that is rightly gone."""
    found: dict[str, tuple[tuple[float, bool], WorstFrame]] = {}
    for each in objects:
        for frame, score, empty in zip(each.frames, frame_scores(each).tolist(), each.empty, strict=True):
            order = (score, empty)
            if each.video not in found or order < found[each.video][0]:
                found[each.video] = order, WorstFrame(each.video, each.object_id, frame, score)
    return {video: worst for video, (_, worst) in found.items()}


class Overlays:
    """Draws worst frames; a picture is written below `assets` once, however many runs show it.

    Args:
        images: the folder with a folder of pictures for each video, named as the masks; None: masks on grey.
    """

    def __init__(self, assets: Path, images: Path | None, protocol: str) -> None:
        self._assets = assets
        self._images = images
        self._protocol = protocol
        self._written: dict[tuple[str, str], str] = {}

    def draw(self, folders: Folders, worst: WorstFrame) -> Html:
        """The picture with the two masks drawn in.

        Raises:
            FileNotFoundError, InputError: a mask or picture is gone, or they differ in size.
        """
        truth, said = object_masks(folders, self._protocol, worst.video, worst.object_id, worst.frame)
        height, width = truth.shape
        masks = {"both": truth & said, "only-true": truth & ~said, "only-predicted": said & ~truth}
        shapes = [element("path", class_=f"part {name}", d=outline_path(masks[name])) for name, _ in PARTS if masks[name].any()]
        letters = [_letters(masks[name], text) for name, text in PARTS if masks[name].mean() >= MIN_LETTERED]
        source = self._picture(worst, (height, width))
        picture = [element("image", href=source, width=str(width), height=str(height))] if source else []
        counts = ", ".join(f"{text} {int(masks[name].sum()):,}" for name, text in PARTS)
        return element(
            "svg",
            element("title", f"{worst.video}, frame {worst.frame.removesuffix('.png')}, object {worst.object_id}: {counts} pixels"),
            element("rect", class_="ground", width=str(width), height=str(height)),
            *picture,
            *shapes,
            *letters,
            class_="overlay",
            viewBox=f"0 0 {width} {height}",
            role="img",
        )

    def _picture(self, worst: WorstFrame, size: tuple[int, int]) -> str | None:
        if self._images is None:
            return None
        key = worst.video, worst.frame
        if key not in self._written:
            rgb = media.read_rgb(_find(self._images, worst))
            if rgb.shape[:2] != size:
                raise InputError(
                    f"{_find(self._images, worst)}: a picture of {rgb.shape[1]}x{rgb.shape[0]} for masks of {size[1]}x{size[0]}. "
                    "Give the pictures that the masks were made on."
                )
            name = f"frame-{len(self._written):05d}.webp"
            (self._assets / name).write_bytes(encode_webp(reduced(rgb), QUALITY))
            self._written[key] = f"assets/{name}"
        return self._written[key]


def _find(images: Path, worst: WorstFrame) -> Path:
    stem = worst.frame.removesuffix(".png")
    candidates = [inside(images, f"{worst.video}/{stem}{kind}") for kind in PICTURES]
    for path in candidates:
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"{candidates[0]} is missing: --images needs the picture of every frame shown. Leave --images out for none."
    )


def _letters(mask: Bool[np.ndarray, "h w"], text: str) -> Html:
    """The letters at the place of the mask that is farthest from its edge."""
    padded = np.pad(mask.astype(np.uint8), 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    row, column = np.unravel_index(int(distance.argmax()), distance.shape)
    size = max(8.0, mask.shape[0] / 28)
    place = {"x": f"{column + 0.5:g}", "y": f"{row + 0.5 + size / 3:.1f}", "font_size": f"{size:.1f}"}
    return join(element("text", text, class_="part-name halo", **place), element("text", text, class_="part-name", **place))
