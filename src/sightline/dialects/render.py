"""A prompt as a model is given it: words and media slots, in order. Prediction, exports and reports all render here."""

from collections.abc import Sequence
from typing import Any

from sightline.dialects import Dialect, Size
from sightline.dialects.times import time_words
from sightline.errors import InputError
from sightline.types import AnswerForm, BoxPart, ImagePart, Part, PointPart, TextPart, VideoPart


def render_prompt(question_prompt: tuple[Part, ...], dialect: Dialect, pictures: Sequence[Size]) -> tuple[str | ImagePart, ...]:
    """Turn the parts of a question into segments: neighbouring texts joined as they are, one `ImagePart` for each media slot.

    A clip is its frames one by one, each after its time: `<0.4 seconds>`.

    The instruction of the answer form is set off by a space where its neighbours bring no white space of their own.

    Raises:
        InputError: a part names a picture that the question does not have.
    """
    segments: list[str | ImagePart] = []
    for segment in render_with_clips(question_prompt, dialect, pictures):
        if isinstance(segment, VideoPart):
            for index, words in zip(segment.image_indices, time_words(segment.times_s), strict=True):
                _append(segments, f"<{words} seconds>", apart=False)
                segments.append(ImagePart(image_index=index))
        else:
            segments.append(segment)
    return tuple(segments)


def render_with_clips(
    question_prompt: tuple[Part, ...], dialect: Dialect, pictures: Sequence[Size]
) -> tuple[str | ImagePart | VideoPart, ...]:
    """As `render_prompt`, but a clip stays one slot, for models that are given it as a video.

    Raises:
        InputError: a part names a picture that the question does not have.
    """
    segments: list[str | ImagePart | VideoPart] = []
    apart = False
    for part in question_prompt:
        if isinstance(part, ImagePart | VideoPart):
            for index in part.image_indices if isinstance(part, VideoPart) else (part.image_index,):
                _picture(pictures, index)
            segments.append(part)
        else:
            is_form = isinstance(part, AnswerForm)
            _append(segments, _words(part, dialect, pictures), apart=apart or is_form)
            apart = is_form
    return tuple(segments)


def name_slots(segments: Sequence[str | ImagePart]) -> str:
    """A prompt without media tokens: a slot becomes "image 1", or nothing where there is only one picture."""
    several = sum(isinstance(segment, ImagePart) for segment in segments) > 1
    names = (segment if isinstance(segment, str) else f"image {segment.image_index + 1}" if several else "" for segment in segments)
    return "".join(names).strip()


def _words(part: TextPart | PointPart | BoxPart | AnswerForm, dialect: Dialect, pictures: Sequence[Size]) -> str:
    match part:
        case TextPart():
            return part.text
        case PointPart():
            return dialect.point(part.x, part.y, _picture(pictures, part.image_index))
        case BoxPart():
            return dialect.box(part.box, _picture(pictures, part.image_index))
        case AnswerForm():
            if part.shape not in ("choice", "number", "text"):  # these are in no picture, and may be asked without one
                _picture(pictures, part.image_index)
            return part.words or dialect.instruction(part)


def _append(segments: list[Any], words: str, *, apart: bool) -> None:
    last = segments[-1] if segments else None
    if not isinstance(last, str):
        segments.append(words)
    elif apart and last[-1:].strip() and words[:1].strip():
        segments[-1] = f"{last} {words}"
    else:
        segments[-1] = last + words


def _picture(pictures: Sequence[Size], image_index: int) -> Size:
    if not 0 <= image_index < len(pictures):
        raise InputError(
            f"a prompt part names picture {image_index}, but the question has {len(pictures)} (counted from 0). "
            "Build the task set again, or mend the prompt."
        )
    return pictures[image_index]
