"""Tiny trees of the referring data sets in their true layouts."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sightline.geometry.masks import encode_mask

SIDE = (12, 8)  # width, height of every picture


def save_json(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def save_jpeg(path: Path, size: tuple[int, int] = SIDE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (90, 120, 60)).save(path)
    return path


def save_frames(folder: Path, stems: list[str]) -> None:
    for stem in stems:
        save_jpeg(folder / f"{stem}.jpg")


def save_labels(path: Path, *boxes: tuple[int, tuple[int, int, int, int]]) -> None:
    """A palette PNG with a rectangle (x0, y0, x1, y1) for each label."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((SIDE[1], SIDE[0]), np.uint8)
    for label, (x0, y0, x1, y1) in boxes:
        pixels[y0:y1, x0:x1] = label
    picture = Image.fromarray(pixels, mode="P")
    picture.putpalette([number for value in range(256) for number in (value, 0, 0)])
    picture.save(path)


def rle(x0: int, y0: int, x1: int, y1: int) -> dict[str, Any]:
    """The code of a rectangle, as the JSON files have it."""
    mask = np.zeros((SIDE[1], SIDE[0]), bool)
    mask[y0:y1, x0:x1] = True
    return {"size": [SIDE[1], SIDE[0]], "counts": encode_mask(mask).counts}


def coco_name(image_id: int) -> str:
    return f"COCO_train2014_{image_id:012d}.jpg"


def polygon(x0: int, y0: int, x1: int, y1: int) -> list[float]:
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def annotation(number: int, image_id: int, box: tuple[int, int, int, int], **more: Any) -> dict[str, Any]:
    x0, y0, x1, y1 = box
    plain = {"id": number, "image_id": image_id, "category_id": 18, "bbox": [x0, y0, x1 - x0, y1 - y0], "iscrowd": 0, "area": 1.0}
    return {**plain, "segmentation": [polygon(*box)], **more}


def instances(image_ids: list[int], annotations: list[dict[str, Any]]) -> dict[str, Any]:
    images = [{"id": each, "file_name": coco_name(each), "height": SIDE[1], "width": SIDE[0], "license": 1} for each in image_ids]
    return {"images": images, "annotations": annotations, "categories": [{"id": 18, "name": "dog"}], "info": {}}


def ref(ref_id: int, ann_id: Any, image_id: int, split: str, *sentences: str) -> dict[str, Any]:
    said = [
        {"sent_id": ref_id * 10 + k, "sent": text.lower(), "raw": text, "tokens": text.lower().split()}
        for k, text in enumerate(sentences)
    ]
    return {
        "ref_id": ref_id,
        "ann_id": ann_id,
        "category_id": 18,
        "image_id": image_id,
        "file_name": coco_name(image_id).replace(".jpg", f"_{ref_id}.jpg"),
        "split": split,
        "sent_ids": [each["sent_id"] for each in said],
        "sentences": said,
    }


REFS = [
    ref(1, 11, 9001, "train", "Brown Dog", "the LEFT one"),
    ref(2, 12, 9001, "train", "right dog"),
    ref(3, 21, 9002, "testA", "crowd of dogs"),
    ref(4, 31, 9003, "testB", "dog"),
]
ANNOTATIONS = [
    annotation(11, 9001, (1, 2, 5, 6)),
    annotation(12, 9001, (6, 2, 11, 7), segmentation=[polygon(6, 2, 9, 7), polygon(8, 2, 11, 7)]),  # overlapping parts
    annotation(21, 9002, (0, 0, 12, 2), iscrowd=1, segmentation={"size": [8, 12], "counts": [0, 2, 6] + [2, 6] * 11}),
    annotation(31, 9003, (3, 3, 6, 6), segmentation=[rle(3, 3, 6, 6)]),  # the form of RefCLEF
]


def write_refcoco(root: Path, folder: str = "refcoco", *, images: str = "coco2014/train2014", protocol: int = 0) -> Path:
    """Three pictures: two dogs, a crowd, one dog. `images` is where they lie, from `root`."""
    base = root / folder
    save_json(base / "instances.json", instances([9001, 9002, 9003], ANNOTATIONS))
    (base / "refs(unc).p").write_bytes(pickle.dumps(REFS, protocol=protocol))
    for image_id in (9001, 9002, 9003):
        save_jpeg(root / images / coco_name(image_id))
    return root
