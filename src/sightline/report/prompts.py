"""The prompt of a question as the page shows it: words, and the numbers of the pictures between them."""

from sightline.dialects import Dialect, Size, get_dialect
from sightline.dialects.render import render_prompt
from sightline.report.markup import show_hidden
from sightline.types import AnswerForm, BoxPart, ImagePart, Part, PointPart, Question, TextPart, VideoPart

Segments = list[str | int]


def prompt_segments(question: Question, dialect: str | Dialect | None) -> Segments:
    """The prompt in a dialect, as the model was given it; without a dialect, with its geometry in pixels.

    Raises:
        InputError: no dialect has this name.
    """
    if dialect is None:
        return [segment for part in question.prompt for segment in _plain(part)]
    pictures = [Size(image.width, image.height) for image in question.images]
    rendered = render_prompt(question.prompt, get_dialect(dialect) if isinstance(dialect, str) else dialect, pictures)
    return [segment.image_index if isinstance(segment, ImagePart) else show_hidden(segment) for segment in rendered]


def _plain(part: Part) -> Segments:
    match part:
        case ImagePart(image_index=index):
            return [index]
        case TextPart(text=text):
            return [show_hidden(text)]
        case PointPart(x=x, y=y, image_index=index):
            return [f"the point ({x:g}, {y:g}) px of picture {index}"]
        case BoxPart(box=box, image_index=index):
            return [f"the box ({', '.join(f'{edge:g}' for edge in box)}) px of picture {index}"]
        case AnswerForm(shape="choice", options=options):
            return [f"\n[to answer: {' or '.join(show_hidden(option) for option in options)}]"]
        case AnswerForm(shape="number" | "text" as shape, unit=unit):
            return [f"\n[to answer: a {shape}{f' in {unit}' if unit else ''}]"]
        case AnswerForm(shape=shape, image_index=index, offers_not_visible=offers):
            return [f"\n[to answer: a {shape} in picture {index}{', or not visible' if offers else ''}]"]
        case VideoPart(image_indices=indices, times_s=times):
            return [segment for index, time_s in zip(indices, times, strict=True) for segment in (f"<{time_s:.1f} seconds>", index)]
