"""`POST /v1/segment`: text, masks and boxes of what expressions mean in a picture or a clip.

    {"images": ["<base64>"], "expressions": ["the red mug", "who carries it?"], "masks": "rle"}

All expressions of a request are about the same frames and are put to the model together, so that a model that can read the frames
once for all of them does.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from sightline import media
from sightline.geometry.masks import decode_mask, rle_box
from sightline.report.outlines import outline_path
from sightline.serve.batcher import Answered
from sightline.serve.clips import Clip, ClipFolder, ClipRequest, read_clip
from sightline.serve.pictures import ROOT, Posed
from sightline.serve.posted import Limits, read_json
from sightline.serve.refusal import wrong
from sightline.tasks.wording import prompt
from sightline.types import (
    AnswerForm,
    ImageRef,
    MaskAnswer,
    MaskRle,
    MaskTrack,
    Panel,
    Part,
    Prediction,
    Question,
    VideoPart,
)

MAX_EXPRESSION = 1000
MAX_EXPRESSIONS = 16
MaskForm = Literal["rle", "png", "outline"]


class SegmentRequest(ClipRequest, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What was sent. `masks`: COCO RLE, grey PNG in base64, or the path of the outline as SVG writes it."""

    expressions: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_EXPRESSIONS)]
    masks: MaskForm = "rle"
    offer_not_visible: bool = True


def read_segment_request(body: bytes, limits: Limits, folder: ClipFolder | None) -> tuple[SegmentRequest, Clip, list[Posed]]:
    """The request, its frames, and a question for each expression, which share the frames.

    Raises:
        Refusal: 400, 413 or 422; whatever is wrong with the body.
    """
    request = read_json(body, SegmentRequest)
    for index, expression in enumerate(request.expressions):
        if not expression.strip() or len(expression) > MAX_EXPRESSION:
            message = f"an expression of {len(expression.strip()):,} characters; expected 1 to {MAX_EXPRESSION:,}"
            raise wrong(message, where=f"expressions[{index}]", remedy='Say what to segment, e.g. "the red mug".')
    clip = read_clip(request, limits, folder)
    digest = hashlib.blake2b(body, digest_size=16).hexdigest()
    return request, clip, _questions(request, clip, f"served/{digest}")


def read_frames_request(body: bytes, limits: Limits, folder: ClipFolder | None) -> Clip:
    """The frames that `POST /v1/frames` asks for.

    Raises:
        Refusal: 400, 413 or 422.
    """
    return read_clip(read_json(body, ClipRequest), limits, folder)


def frames_answer(clip: Clip) -> dict[str, Any]:
    """The frames as the page shows them: JPEG in base64."""
    return about(clip) | {"frames": [base64.b64encode(media.encode_jpeg(rgb)).decode() for rgb in clip.rgb]}


def about(clip: Clip) -> dict[str, Any]:
    """What an answer says of its frames."""
    height, width = clip.size
    return {
        "width": width,
        "height": height,
        "frame_numbers": clip.numbers,
        "times_s": [round(time, 3) for time in clip.times_s],
        "num_frames_in_clip": clip.num_in_all,
    }


def segment_answer(prediction: Prediction, expression: str, clip: Clip, form: MaskForm) -> dict[str, Any]:
    """One expression's answer: a mask and a box (pixels, exclusive ends) a frame, null where there is none."""
    masks = _masks(prediction, len(clip.rgb))
    written = FORMS[form]
    return {
        "expression": expression,
        "status": prediction.reading.status,
        "raw": prediction.text,
        "notes": list(prediction.reading.notes),
        "masks": [None if mask is None else written(mask) for mask in masks],
        "boxes": [None if mask is None else rle_box(mask) for mask in masks],
    }


def timing(model: str, answered: Sequence[Answered[Prediction]]) -> dict[str, Any]:
    """Who answered, and how long the request waited and the model took, of the slowest of its expressions."""
    return {
        "model": model,
        "batch_size": max(one.batch_size for one in answered),
        "waited_ms": round(1000 * max(one.waited_s for one in answered), 1),
        "model_ms": round(1000 * max(one.model_s for one in answered), 1),
    }


def submitted(
    submit: Callable[[Posed], Future[Answered[Prediction]]], posed: Sequence[Posed]
) -> list[Future[Answered[Prediction]]]:
    """Put all of them into the queue; if not all fit, none stays there."""
    futures: list[Future[Answered[Prediction]]] = []
    try:
        for one in posed:
            futures.append(submit(one))  # noqa: PERF401 - those before the one that is refused have to be taken back
    except BaseException:
        for future in futures:
            future.cancel()
        raise
    return futures


def _questions(request: SegmentRequest, clip: Clip, name: str) -> list[Posed]:
    height, width = clip.size
    digests = [media.pixel_digest(rgb) for rgb in clip.rgb]
    images = tuple(ImageRef(root=ROOT, path=digest, width=width, height=height, digest=digest) for digest in digests)
    role = "query" if clip.still else "frame"
    panels = tuple(Panel(role=role, image_index=index, source=image) for index, image in enumerate(images))
    rgb = dict(zip(digests, clip.rgb, strict=True))
    return [
        Posed(
            question=Question(
                id=f"{name}/{index}", task="served", prompt=_prompt(expression, clip, request), images=images, panels=panels
            ),
            rgb=rgb,
        )
        for index, expression in enumerate(request.expressions)
    ]


def _prompt(expression: str, clip: Clip, request: SegmentRequest) -> tuple[Part, ...]:
    """The words of the tasks `refer_mask` and `refer_mask_track`. The expression stands in quotes even where it is a question."""
    shape = "mask" if clip.still else "mask_track"
    values: dict[str, Part | str] = {
        "expression": expression.strip(),
        "answer": AnswerForm(shape=shape, image_index=0, offers_not_visible=request.offer_not_visible),
    }
    if not clip.still:
        values["clip"] = VideoPart(image_indices=tuple(range(len(clip.rgb))), times_s=clip.times_s)
    return prompt(f"refer_{shape}", values)


def _masks(prediction: Prediction, num_frames: int) -> tuple[MaskRle | None, ...]:
    match prediction.reading.answer:
        case MaskTrack(frames=frames):
            return frames
        case MaskAnswer(rle=rle):
            return (rle,)
    return (None,) * num_frames


def _coco(mask: MaskRle) -> dict[str, Any]:
    return {"size": [mask.height, mask.width], "counts": mask.counts}


def _png(mask: MaskRle) -> str:
    return base64.b64encode(media.encode_grey_png(np.uint8(255) * decode_mask(mask))).decode()


def _outline(mask: MaskRle) -> str:
    return outline_path(decode_mask(mask))


FORMS: dict[MaskForm, Callable[[MaskRle], object]] = {"rle": _coco, "png": _png, "outline": _outline}
