"""One example in full, as plain values for the page: all geometry in pixels of the picture it lies in."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sightline.dialects import Dialect
from sightline.geometry.masks import decode_mask, rle_area
from sightline.report.clips import clip_detail, hidden_images
from sightline.report.confusions import Confusion, expression_of, refers
from sightline.report.depths import DepthPicture
from sightline.report.evidence import evidence_detail
from sightline.report.floor_plan import plan_detail
from sightline.report.markup import shorten, show_hidden
from sightline.report.outlines import outline_path
from sightline.report.pictures import picture_name, preview_size
from sightline.report.prompts import prompt_segments
from sightline.report.saw import Eyes
from sightline.types import (
    Answer,
    Boxes,
    BoxTrack,
    Choice,
    DepthRef,
    Example,
    MaskAnswer,
    MaskTrack,
    NotVisible,
    Number,
    Points,
    Prediction,
    Question,
    Score,
    Span,
    TextAnswer,
)


def example_detail(
    example: Example,
    dialects: Mapping[str, Dialect | None],
    depth_of: Callable[[DepthRef], DepthPicture],
    *,
    shown: Sequence[int] = (),
) -> dict[str, Any]:
    """The example without any run's answer; `dialects` are those that its prompt is shown in, by name; `depth_of` gives the
    picture of a view's depth; `shown` are the frames of its clip that the page shows."""
    question = example.question
    left_out = hidden_images(example, shown)
    return {
        "images": [_image(question, index) | ({"src": ""} if index in left_out else {}) for index in range(len(question.images))],
        "clip": clip_detail(example, shown),
        "evidence": evidence_detail(example),
        "plan": plan_detail(example),
        "panels": [
            {
                "role": panel.role,
                "image": panel.image_index,
                "x": panel.x,
                "y": panel.y,
                "width": panel.source.width,
                "height": panel.source.height,
                "view": show_hidden(panel.view_id),
                "depth": None if panel.depth is None else _depth(depth_of(panel.depth)),
            }
            for panel in question.panels
        ],
        "prompts": [
            {"dialect": show_hidden(name), "segments": prompt_segments(question, dialect)} for name, dialect in dialects.items()
        ],
        "reference": _reference(question),
        "truth": _truth(example),
        "split": show_hidden(example.split),
        "object": show_hidden(example.object_id),
        "expression": show_hidden(expression_of(question)) if refers(question) else "",
        "label": show_hidden(example.label or ""),
        "slices": {show_hidden(name): value for name, value in example.slices.items()},
    }


def prediction_detail(example: Example, prediction: Prediction, score: Score | None, eyes: Eyes) -> dict[str, Any]:
    """One run's answer: the text as it came (hidden characters shown, cut at a limit), how it was read, its score, and what the
    model saw. What it says over a clip is `report.clips.track_detail`."""
    reading = prediction.reading
    text, num_more = (None, 0) if prediction.text is None else shorten(prediction.text)
    return {
        "status": reading.status,
        "num_found": reading.num_found,
        "notes": [show_hidden(note) for note in reading.notes],
        "answer": None if reading.answer is None else answer_detail(reading.answer),
        "text": text,
        "num_more": num_more,
        "score": None if score is None else _score(score),
        "saw": eyes.saw(example, prediction),
    }


def confusion_detail(confusion: Confusion | None) -> dict[str, Any] | None:
    """The other object that an answer overlaps most."""
    if confusion is None:
        return None
    return {
        "object": show_hidden(confusion.object_id),
        "label": show_hidden(confusion.label or ""),
        "expression": shorten(confusion.expression)[0],
        "same_class": confusion.same_class,
        "iou": confusion.iou,
        "own_iou": confusion.own_iou,
    }


def answer_detail(answer: Answer) -> dict[str, Any]:
    """An answer as points, boxes and the outline of a mask in one picture, or as a word; `image` is -1 where it is no place."""
    nothing = {"image": -1, "points": [], "boxes": [], "outline": "", "pixels": 0, "word": "", "not_visible": False}
    match answer:
        case Points(points=points, image_index=image):
            return nothing | {"image": image, "points": points}
        case Boxes(boxes=boxes, image_index=image):
            return nothing | {"image": image, "boxes": boxes}
        case MaskAnswer(rle=rle, image_index=image):
            return nothing | {"image": image, "outline": outline_path(decode_mask(rle)), "pixels": rle_area(rle)}
        case Choice(value=word):
            return nothing | {"word": show_hidden(word)}
        case Number(value=value, unit=unit):
            return nothing | {"word": f"{value:g} {unit}".strip()}
        case TextAnswer(text=text):
            return nothing | {"word": shorten(text)[0]}
        case NotVisible():
            return nothing | {"not_visible": True}
        case BoxTrack(frames=frames):
            return nothing | {"word": f"boxes in {sum(bool(boxes) for boxes in frames)} of {len(frames)} frames"}
        case MaskTrack(frames=masks):
            return nothing | {"word": f"masks in {sum(mask is not None for mask in masks)} of {len(masks)} frames"}
        case Span(start_s=start_s, end_s=end_s):
            return nothing | {"word": f"{start_s:g} s to {end_s:g} s"}


def mask_ids(example: Example) -> tuple[str, ...]:
    """The masks that the page outlines."""
    return tuple(mask for mask in (example.truth.mask, example.truth.mask_dilated) if mask is not None)


def _image(question: Question, index: int) -> dict[str, Any]:
    ref = question.images[index]
    preview_width, preview_height = preview_size(ref.width, ref.height)
    roles = [panel.role for panel in question.panels if panel.image_index == index]
    return {
        "src": f"assets/{picture_name(ref)}",
        "width": ref.width,
        "height": ref.height,
        "preview_width": preview_width,
        "preview_height": preview_height,
        "roles": roles or [f"picture {index}"],
    }


def _depth(depth: DepthPicture) -> dict[str, Any]:
    return {"src": f"assets/{depth.name}", "near_m": depth.near_m, "far_m": depth.far_m, "known": depth.known}


def _reference(question: Question) -> dict[str, Any] | None:
    if question.reference is None:
        return None
    panel = question.panels[question.reference.panel_index]
    (x, y), (x0, y0, x1, y1) = question.reference.point, question.reference.box
    return {
        "image": panel.image_index,
        "point": (x + panel.x, y + panel.y),
        "box": (x0 + panel.x, y0 + panel.y, x1 + panel.x, y1 + panel.y),
    }


def _truth(example: Example) -> dict[str, Any]:
    truth = example.truth
    panel = example.question.panels[truth.panel_index]
    return answer_detail(truth.answer) | {
        "visible": truth.visible,
        "image": panel.image_index,
        "x": panel.x,
        "y": panel.y,
        "mask": truth.mask,
        "dilated": truth.mask_dilated,
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "hit": score.hit,
        "hit_dilated": score.hit_dilated,
        "said_visible": score.said_visible,
        "wrong_panel": score.wrong_panel,
        "l2_px": score.l2_px,
        "l2_norm": score.l2_norm,
        "l2_over_size": score.l2_over_size,
        "iou": score.iou,
        "values": {show_hidden(name): value for name, value in score.values.items()},
    }
