"""Random tracks of boxes, and found ones that are a little off, in the form of YouTube-VIS; always the same ones."""

from typing import Any

import numpy as np

from sightline.geometry.masks import encode_mask

FRAMES, HEIGHT, WIDTH = 4, 400, 420
SIDES = (40, 90, 150, 210, 290)  # of the boxes: areas on both sides of 128 and 256 squared
CATEGORIES = {1: "cat", 2: "dog", 5: "owl", 9: "yak"}  # no yak is annotated


def tracks(number: int, *, seed: int = 11) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An annotation of `number` random videos and results for it, of which the first video has more than count."""
    rng = np.random.default_rng(seed)
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for video in range(1, number + 1):
        for _ in range(int(rng.integers(1, 6))):
            category = int(rng.choice([1, 2, 5]))
            boxes = _boxes(rng)
            there = rng.random(FRAMES) < 0.8
            masks = _masks(boxes, there)
            annotations.append(_annotation(len(annotations) + 1, video, category, masks, crowd=bool(rng.random() < 0.15)))
            for _ in range(int(rng.integers(0, 3))):
                moved = boxes + rng.integers(-9, 10, boxes.shape)
                said = category if rng.random() < 0.85 else int(rng.choice([1, 2, 5, 9]))
                results.append(_result(rng, video, said, _masks(moved, there ^ (rng.random(FRAMES) < 0.06))))
        for _ in range(110 if video == 1 else int(rng.integers(0, 30))):
            results.insert(
                0,
                _result(
                    rng, video, int(rng.choice([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2])), _masks(_boxes(rng), rng.random(FRAMES) < 0.5)
                ),
            )
    names = [{"id": identity, "name": name} for identity, name in CATEGORIES.items()]
    return {"videos": [_video(each) for each in range(1, number + 1)], "categories": names, "annotations": annotations}, results


def _video(identity: int) -> dict[str, Any]:
    files = [f"v{identity}/{frame:05d}.jpg" for frame in range(FRAMES)]
    return {"id": identity, "width": WIDTH, "height": HEIGHT, "length": FRAMES, "file_names": files}


def _boxes(rng: np.random.Generator) -> np.ndarray:
    """Left, top, right and bottom in each frame; the box moves by a few pixels a frame."""
    side = int(rng.choice(SIDES))
    start = rng.integers(0, [WIDTH - side, HEIGHT - side])
    left_top = start + np.cumsum(rng.integers(-4, 5, (FRAMES, 2)), axis=0)
    return np.concatenate([left_top, left_top + side], axis=1).clip(0)


def _masks(boxes: np.ndarray, there: np.ndarray) -> list[dict[str, Any] | None]:
    masks: list[dict[str, Any] | None] = []
    for (left, top, right, bottom), present in zip(boxes.clip(0), there, strict=True):
        bitmap = np.zeros((HEIGHT, WIDTH), dtype=bool)
        bitmap[top:bottom, left:right] = True
        code = {"size": [HEIGHT, WIDTH], "counts": encode_mask(bitmap).counts, "area": int(bitmap.sum())}
        masks.append(code if present else None)
    return masks


def _annotation(identity: int, video: int, category: int, masks: list[dict[str, Any] | None], *, crowd: bool) -> dict[str, Any]:
    areas = [mask.pop("area") if mask else None for mask in masks]
    return {
        "id": identity,
        "video_id": video,
        "category_id": category,
        "iscrowd": int(crowd),
        "areas": areas,
        "segmentations": masks,
    }


def _result(rng: np.random.Generator, video: int, category: int, masks: list[dict[str, Any] | None]) -> dict[str, Any]:
    for mask in masks:
        if mask is not None:
            mask.pop("area")
    # few scores, so that many tie
    return {"video_id": video, "category_id": category, "score": round(float(rng.random()), 1), "segmentations": masks}
