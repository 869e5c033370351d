"""The body of `POST /v1/point`, checked field by field, as a question like those of a task set.

    {"images": ["<base64 or data URL>", {"image": "...", "depth": "<16-bit PNG>", "metres_per_unit": 0.001,
                                         "camera": {"fx": 525, "fy": 525, "cx": 320, "cy": 240, "camera_to_world": [16 numbers]}}],
     "mark": {"mask": {"size": [480, 640], "counts": "..."}},
     "question": "Where is it now?", "answer_in": 1, "offer_not_visible": true}

A mark lies in the first picture and is drawn as the tasks draw it. Two pictures, a mark and no question ask what `t1_multi` asks,
in the same words. Cameras are in OpenCV axes and continuous pixels, and share one world frame (docs/conventions.md).
"""

import hashlib
from http import HTTPStatus
from typing import TypeVar

import msgspec

from sightline.serve.marks import PostedMark, check_mark, mark_object
from sightline.serve.pictures import PictureReader, Posed, PostedPicture, Shown
from sightline.serve.refusal import Refusal, wrong
from sightline.tasks.wording import prompt, wordings
from sightline.types import AnswerForm, ImagePart, Panel, Part, Question, Record, TextPart

MAX_QUESTION = 4000
T = TypeVar("T")


class Limits(Record):
    """What one request may hold at most. `max_pixels` counts all its pictures, depth and mask together; `max_frames` are those
    of a clip."""

    max_body_bytes: int = 32 * 2**20
    max_pixels: int = 16_000_000
    max_images: int = 8
    max_frames: int = 64


class PointRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What was sent. `answer_in` counts pictures from 0; without it the answer lies in the last one."""

    images: list[str | PostedPicture]
    question: str = ""
    mark: PostedMark | None = None
    answer_in: int | None = None
    offer_not_visible: bool = True


def read_json(body: bytes, kind: type[T]) -> T:
    """The body as `kind`.

    Raises:
        Refusal: 400 for what is no JSON, 422 for JSON of another shape; `where` names the field.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        message, _, field = str(error).partition(" - at `$")
        where = field.rstrip("`").lstrip(".") or "body"
        raise wrong(message, where=where, remedy="docs/serve.md lists the fields and what they hold.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"the body is no JSON: {error}"
        raise Refusal(HTTPStatus.BAD_REQUEST, message, where="body", remedy="Send one JSON object in UTF-8.") from error


def read_point_request(body: bytes, limits: Limits) -> Posed:
    """The question that the body asks, with all its pictures decoded. Equal bodies have equal ids.

    Raises:
        Refusal: 400, 413 or 422; whatever is wrong with the body.
    """
    request = read_json(body, PointRequest)
    answer_in = _checked(request, limits)
    question_id = f"served/{hashlib.blake2b(body, digest_size=16).hexdigest()}"
    words = _prompt(request, answer_in)
    reader = PictureReader(limits.max_pixels)
    pictures = [reader.shown(posted, f"images[{index}]") for index, posted in enumerate(request.images)]
    marked = None if request.mark is None else mark_object(request.mark, pictures[0], reader, seed=question_id)
    images, rgb = [picture.image for picture in pictures], {picture.image.digest: picture.rgb for picture in pictures}
    if marked is not None:
        images[0] = marked.image
        rgb[marked.image.digest] = marked.rgb
    question = Question(
        id=question_id,
        task="served",
        prompt=words,
        images=tuple(images),
        panels=_panels(pictures, answer_in, marked=marked is not None),
        reference=None if marked is None else marked.reference,
    )
    depths = {picture.depth: picture.depth_m for picture in pictures if picture.depth is not None and picture.depth_m is not None}
    return Posed(question=question, rgb=rgb, depths=depths, masks={} if marked is None else {marked.reference.mask: marked.rle})


def _checked(request: PointRequest, limits: Limits) -> int:
    """The picture in which the answer lies, of a request whose fields make sense so far."""
    num_images = len(request.images)
    if not 1 <= num_images <= limits.max_images:
        message = f"{num_images} pictures; expected 1 to {limits.max_images}"
        raise wrong(message, where="images", remedy="Send the pictures that the question is about.")
    if len(request.question) > MAX_QUESTION:
        message = f"a question of {len(request.question):,} characters; at most {MAX_QUESTION:,} are taken"
        raise wrong(message, where="question", remedy="Ask in fewer words.")
    answer_in = num_images - 1 if request.answer_in is None else request.answer_in
    if not 0 <= answer_in < num_images:
        message = f"there is no picture {answer_in} among {num_images}"
        raise wrong(message, where="answer_in", remedy="Pictures are counted from 0; leave it out for the last one.")
    if request.mark is not None:
        check_mark(request.mark)
    if not request.question.strip() and (request.mark is None or (num_images, answer_in) != (2, 1)):
        message = "no question, which can be left out only with a mark in the first of two pictures and the answer in the second"
        raise wrong(message, where="question", remedy='Ask something, e.g. "Where is the red mug?".')
    return answer_in


def _prompt(request: PointRequest, answer_in: int) -> tuple[Part, ...]:
    """The pictures in order, the words, and the answer form."""
    form = AnswerForm(shape="point", image_index=answer_in, offers_not_visible=request.offer_not_visible)
    mark = "" if request.mark is None else wordings()["marks"][request.mark.style]
    if not request.question.strip():
        return prompt("t1_multi", {"mark": mark, "answer": form})
    parts: list[Part] = []
    several = len(request.images) > 1
    for index in range(len(request.images)):
        parts += [TextPart(text=f"Picture {index + 1}: ")] if several else []
        parts += [ImagePart(image_index=index), TextPart(text="\n")]
    where = "In picture 1" if several else "In this picture"
    words = f"{where} one object is {mark}. {request.question.strip()}" if mark else request.question.strip()
    return (*parts, TextPart(text=words), form)


def _panels(pictures: list[Shown], answer_in: int, *, marked: bool) -> tuple[Panel, ...]:
    """The view that is asked about as query (after, where nothing is marked and there are others), the first one as reference
    (before). A marked picture that is itself asked about has both panels."""
    panels: list[Panel] = []
    for index, picture in enumerate(pictures):
        view = Panel(role="query", image_index=index, source=picture.image, camera=picture.camera, depth=picture.depth)
        if marked and index == 0:
            panels.append(msgspec.structs.replace(view, role="reference"))
        if index == answer_in:
            role = "query" if marked or len(pictures) == 1 else "after"
        elif marked:
            role = "query"
        else:
            role = "before"
        if not (marked and index == 0 and answer_in != 0):
            panels.append(msgspec.structs.replace(view, role=role))
    return tuple(panels)
