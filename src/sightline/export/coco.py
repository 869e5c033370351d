"""Task sets whose target is a box or a mask as COCO detection JSON.

    {"info": {"description": "t2b_mask-train", "version": "9f3c..."}, "licenses": [],
     "images": [{"id": 1, "file_name": "media/5e/5e0c....png", "width": 640, "height": 480}],
     "categories": [{"id": 1, "name": "cup"}],
     "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [x, y, w, h], "area": 36.0, "iscrowd": 0,
                      "segmentation": {"size": [480, 640], "counts": "..."}, "example_ids": ["t2b_mask/kitchen/uid_1/01_000010"]}]}

Images are the pictures in which an answer is asked for, the ones without the object included (they have no annotation). Boxes are
in pixels from the picture's left top corner; the exact mask is a compressed run-length code, as pycocotools writes it, and `area`
counts its pixels. An object that several examples ask for in one picture has one annotation. An object without a label is "object".
"""

from pathlib import Path
from typing import Any

import numpy as np

from sightline.dialects import Size
from sightline.errors import InputError
from sightline.export.files import Exported, Pictures, noted
from sightline.files import only_writer, write_json
from sightline.geometry.masks import encode_mask, rle_area
from sightline.taskset.store import TaskSet
from sightline.types import Example, ImageRef, MaskRle

SHAPES = ("box", "mask")
UNLABELLED = "object"


def export_coco(taskset_path: Path, out: Path, *, media_root: Path | None = None) -> Exported:
    """Write `{task set}.json` below `out`. `media_root`: file names are relative to it; None copies the pictures.

    Raises:
        FileNotFoundError: the task set or a picture is not there.
        InputError: a target that is neither a box nor a mask, or a picture that is not below the root.
    """
    taskset = TaskSet(taskset_path)
    name = taskset.manifest.name
    options = {"media_root": str((media_root or out).resolve())}
    with only_writer(out), noted(out, name, taskset, kind="coco", dialect=None, options=options):
        pictures = Pictures(taskset, out, media_root=media_root)
        tables = _Tables(taskset, pictures)
        for example in taskset:
            tables.add(example)
        info = {"description": name, "version": taskset.manifest.fingerprint}
        write_json(out / f"{name}.json", {"info": info, "licenses": []} | tables.plain())
    return Exported(path=str(out), rows={f"{name}.json": len(tables.annotations)}, num_copied=pictures.num_copied)


class _Tables:
    """Images, categories and annotations, each once; ids count from 1 in the order of first use."""

    def __init__(self, taskset: TaskSet, pictures: Pictures) -> None:
        self.taskset = taskset
        self.pictures = pictures
        self.images: dict[ImageRef, dict[str, Any]] = {}
        self.categories: dict[str, int] = {}
        self.annotations: dict[tuple[int, int, str], dict[str, Any]] = {}

    def plain(self) -> dict[str, Any]:
        return {
            "images": list(self.images.values()),
            "categories": [{"id": number, "name": name} for name, number in self.categories.items()],
            "annotations": list(self.annotations.values()),
        }

    def add(self, example: Example) -> None:
        shape = example.question.form.shape
        if shape not in SHAPES:
            raise InputError(
                f"{self.taskset.path}: example {example.id!r} asks for a {shape}; COCO has boxes and masks. "
                "Export t2b_box or t2b_mask (`sightline build x3 --variants`), or another format."
            )
        panel = example.question.panels[example.truth.panel_index]
        picture = example.question.images[panel.image_index]
        image_id = self._image(picture)
        if not example.truth.visible:
            return
        assert example.truth.mask is not None, "a visible object has a mask"
        category_id = self.categories.setdefault(example.label or UNLABELLED, len(self.categories) + 1)
        key = (image_id, category_id, f"{example.truth.mask}@{panel.x},{panel.y}")
        if key not in self.annotations:
            self.annotations[key] = self._annotation(example, image_id, category_id)
        self.annotations[key]["example_ids"].append(example.id)

    def _image(self, picture: ImageRef) -> int:
        if picture not in self.images:
            number = len(self.images) + 1
            name = self.pictures.name(picture)
            self.images[picture] = {"id": number, "file_name": name, "width": picture.width, "height": picture.height}
        return self.images[picture]["id"]

    def _annotation(self, example: Example, image_id: int, category_id: int) -> dict[str, Any]:
        truth = example.truth
        assert truth.mask is not None, "a visible object has a mask"
        assert truth.box is not None, "a visible object has a box"
        panel = example.question.panels[truth.panel_index]
        rle = self._in_picture(truth.mask, Size.of(example.question.images[panel.image_index]), (panel.x, panel.y))
        x0, y0, x1, y1 = truth.box
        return {
            "id": len(self.annotations) + 1,
            "image_id": image_id,
            "category_id": category_id,
            "bbox": [x0 + panel.x, y0 + panel.y, x1 - x0, y1 - y0],
            "area": float(rle_area(rle)),
            "iscrowd": 0,
            "segmentation": {"size": [rle.height, rle.width], "counts": rle.counts},
            "example_ids": [],
        }

    def _in_picture(self, mask: str, size: Size, corner: tuple[int, int]) -> MaskRle:
        """A view's mask in the frame of the picture in which the view's left top corner lies at `corner`."""
        rle = self.taskset.masks[mask]
        if (rle.width, rle.height) == (size.width, size.height):
            return rle
        whole = np.zeros((size.height, size.width), dtype=np.bool_)
        x, y = corner
        whole[y : y + rle.height, x : x + rle.width] = self.taskset.read_mask(mask)
        return encode_mask(whole)
