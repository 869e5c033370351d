"""A dialect put together from its parts: what numbers mean, how they are spelt, and how they are found again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sightline.dialects.choice import choice_instruction, encode_choice, no_clips, no_masks, read_choice
from sightline.dialects.convention import Size
from sightline.dialects.reading import Habits, read
from sightline.dialects.spans import encode_span, read_span, span_instruction
from sightline.dialects.timed import Timed
from sightline.dialects.tracks import TrackForm, clip_frames
from sightline.dialects.values import encode_number, number_instruction, read_number, read_text, text_instruction
from sightline.types import (
    Answer,
    AnswerForm,
    Boxes,
    BoxTrack,
    Choice,
    MaskAnswer,
    MaskTrack,
    NotVisible,
    Number,
    Points,
    Reading,
    Span,
    TextAnswer,
)

NOT_VISIBLE = "NOT_VISIBLE"
Numerals = tuple[str, ...]
"""The written numbers of one point (two) or one box (four), in the family's order."""


@dataclass(frozen=True)
class Family:
    """One model family's way of writing; see `sightline.dialects.Dialect` for what the methods promise.

    `refer` spells one point or box inside a prompt, `spell` a whole answer (its points or boxes, and the index of the picture they
    lie in). `point_form` and `box_form` say in words how the answer is to be written, after "written as". `tracks` writes boxes
    over time; a family without it is not asked about time at all.
    """

    name: str
    habits: Habits
    point_form: str
    box_form: str
    refer: Callable[[Numerals], str]
    spell: Callable[[Sequence[Numerals], int], str]
    settings: Mapping[str, int | float | str] = field(default_factory=dict)
    tracks: TrackForm | None = None

    def instruction(self, form: AnswerForm) -> str:
        match form.shape:
            case "choice":
                return choice_instruction(form)
            case "number":
                return number_instruction(form)
            case "text":
                return text_instruction()
            case "mask" | "mask_track":
                raise no_masks(self.name)
            case "box_track" | "span":
                return self._instruction_over_time(form)
        image = f"image {form.image_index + 1}" if form.image_index else "the image"
        words = self.point_form if form.shape == "point" else self.box_form
        sentence = f"Answer with one {form.shape} in {image}, written as {words}."
        if form.several:
            shapes = "points" if form.shape == "point" else "boxes, one for each object,"
            sentence = f"Answer with one or more {shapes} in {image}. One is written as {words}; more follow it in the same way."
        if form.offers_not_visible:
            sentence += f" If the object is not there to be seen in {image}, answer exactly {NOT_VISIBLE}."
        return sentence

    def _instruction_over_time(self, form: AnswerForm) -> str:
        tracks = self._tracks()
        sentence = span_instruction(form) if form.shape == "span" else tracks.instruction
        if form.shape == "box_track" and form.several:
            sentence += " Several objects in a frame have a box each."
        if form.offers_not_visible:
            sentence += f" If no frame shows it, answer exactly {NOT_VISIBLE}."
        return sentence

    def _tracks(self) -> TrackForm:
        if self.tracks is None:
            raise no_clips(self.name)
        return self.tracks

    def point(self, x: float, y: float, picture: Size) -> str:
        return self.refer(self.habits.convention.write((x, y), picture))

    def box(self, box: tuple[float, float, float, float], picture: Size) -> str:
        return self.refer(self.habits.convention.write(box, picture))

    def encode(self, answer: Answer, pictures: Sequence[Size]) -> str:
        match answer:
            case NotVisible():
                return NOT_VISIBLE
            case Choice():
                return encode_choice(answer)
            case Number():
                return encode_number(answer)
            case TextAnswer(text=text):
                return text
            case MaskAnswer() | MaskTrack():
                raise no_masks(self.name)
            case BoxTrack():
                return self._tracks().write(answer, clip_frames(pictures))
            case Span():
                self._tracks()
                return encode_span(answer)
            case Points(points=shapes, image_index=image_index) | Boxes(boxes=shapes, image_index=image_index):
                picture = pictures[image_index]
                return self.spell([self.habits.convention.write(shape, picture) for shape in shapes], image_index)

    def decode(self, text: str, form: AnswerForm, pictures: Sequence[Size]) -> Reading:
        match form.shape:
            case "choice":
                return read_choice(text, form)
            case "number":
                return read_number(text, form)
            case "text":
                return read_text(text)
            case "mask" | "mask_track":
                return Reading(status="unreadable", notes=("no_masks_in_text",))
            case "box_track" | "span" if self.tracks is None:
                return Reading(status="unreadable", notes=("no_clips_in_text",))
            case "span":
                return read_span(text)
            case "box_track" if self.tracks is not None:
                return self.tracks.read(text, form, clip_frames(pictures))
        return read(text, form, pictures=pictures, habits=self.habits)

    def options(self) -> dict[str, int | float | str]:
        return dict(self.settings)


def timed_boxes(habits: Habits, range_words: str, *, key: str = "box", label: bool = False) -> Timed:
    """Boxes over time as JSON with times, in a family's own numbers."""
    corners = "[ymin, xmin, ymax, xmax]" if habits.convention.order == "yx" else "[x1, y1, x2, y2]"
    return Timed(habits.convention, key, corners, range_words, label)


def tuples(groups: Sequence[Numerals]) -> str:
    """`[(0.100, 0.200), (0.300, 0.400)]`."""
    return f"[{', '.join(parenthesised(numerals) for numerals in groups)}]"


def parenthesised(numerals: Numerals) -> str:
    """`(0.100, 0.200)`."""
    return f"({', '.join(numerals)})"


def bracketed(numerals: Numerals) -> str:
    """`[320, 240]`."""
    return f"[{', '.join(numerals)}]"


def json_list(groups: Sequence[Numerals], *, point_key: str, box_key: str) -> str:
    """`[{"point_2d": [320, 240], "label": "target"}]`. The label is a constant: an answer is geometry and carries no name."""
    entries = (f'{{"{point_key if len(group) == 2 else box_key}": {bracketed(group)}, "label": "target"}}' for group in groups)
    return f"[{', '.join(entries)}]"
