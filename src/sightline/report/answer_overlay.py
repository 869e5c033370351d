"""The pictures of one question as inline SVG without scripts, with the truth and one answer drawn in, in pixels of the original."""

from collections.abc import Iterator, Sequence

import numpy as np

from sightline.geometry.masks import decode_mask
from sightline.report.markup import Html, element
from sightline.report.outlines import outline_path
from sightline.report.pictures import Pictures, picture_name
from sightline.taskset.store import TaskSet
from sightline.types import Answer, Boxes, Example, MaskAnswer, Points, Prediction

MARK = 60  # a mark's radius is the picture's longer side divided by this


def answer_pictures(taskset: TaskSet, example: Example, prediction: Prediction, pictures: Pictures) -> list[Html]:
    """The pictures in the order of the prompt; none for clips, whose answers lie in many frames.

    Raises:
        FileNotFoundError, InputError: a picture is gone or has changed.
    """
    question = example.question
    if question.clip is not None:
        return []
    pictures.add_previews(taskset, question.images)
    drawn = []
    for index in dict.fromkeys(question.slots):
        ref = question.images[index]
        size = (ref.width, ref.height)
        image = element("image", href=f"assets/{picture_name(ref)}", width=str(ref.width), height=str(ref.height))
        shapes = [*_truth(taskset, example, index, size), *_answer(prediction.reading.answer, index, size, "run-0")]
        label = f"picture {index + 1} of {example.id}"
        drawn.append(
            element("svg", image, *shapes, class_="asked", viewBox=f"0 0 {ref.width} {ref.height}", role="img", aria_label=label)
        )
    return drawn


def _truth(taskset: TaskSet, example: Example, index: int, size: tuple[int, int]) -> Iterator[Html]:
    truth = example.truth
    panel = example.question.panels[truth.panel_index] if example.question.panels else None
    if panel is not None and panel.image_index == index:
        for mask, class_ in ((truth.mask_dilated, "dilated"), (truth.mask, "mask")):
            if mask is not None:
                path = outline_path(taskset.read_mask(mask))
                yield element("path", class_=class_, d=path, transform=f"translate({panel.x} {panel.y})")
    yield from _answer(truth.answer, index, size, "truth")


def _answer(answer: Answer | None, index: int, size: tuple[int, int], kind: str) -> Iterator[Html]:
    match answer:
        case Points(points=points, image_index=at) if at == index:
            yield from (_point(point, size, kind) for point in points)
        case Boxes(boxes=boxes, image_index=at) if at == index:
            yield from (_box(box, kind) for box in boxes)
        case MaskAnswer(rle=rle, image_index=at) if at == index and kind != "truth":
            yield element("path", class_=kind, d=outline_path(decode_mask(rle)))


def _box(box: Sequence[float], kind: str) -> Html:
    x0, y0, x1, y1 = box
    return element("path", class_=kind, d=f"M{x0:g} {y0:g}H{x1:g}V{y1:g}H{x0:g}z")


def _point(point: tuple[float, float], size: tuple[int, int], kind: str) -> Html:
    """A cross for the truth, a disc for an answer; hollow and at the edge where it lies outside."""
    radius = max(size) / MARK
    x, y = (float(np.clip(value, 0, limit)) for value, limit in zip(point, size, strict=True))
    said = element("title", f"{kind if kind == 'truth' else 'answer'}: {point[0]:.1f}, {point[1]:.1f}")
    if kind == "truth":
        return element(
            "path", said, class_="truth", d=f"M{x - radius:.1f} {y:.1f}h{2 * radius:.1f}M{x:.1f} {y - radius:.1f}v{2 * radius:.1f}"
        )
    outside = " outside" if (x, y) != tuple(point) else ""
    return element("circle", said, class_=f"point {kind}{outside}", cx=f"{x:.1f}", cy=f"{y:.1f}", r=f"{radius:.1f}")
