"""A dialect put together from its parts: what numbers mean, how they are spelt, and how they are found again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sightline.dialects.choice import choice_instruction, encode_choice, no_clips, no_masks, read_choice
from sightline.dialects.convention import Size
from sightline.dialects.reading import Habits, read
from sightline.types import Answer, AnswerForm, Boxes, BoxTrack, Choice, MaskAnswer, MaskTrack, NotVisible, Points, Reading, Span

NOT_VISIBLE = "NOT_VISIBLE"
Numerals = tuple[str, ...]
"""The written numbers of one point (two) or one box (four), in the family's order."""


@dataclass(frozen=True)
class Family:
    """One model family's way of writing; see `sightline.dialects.Dialect` for what the methods promise.

    `refer` spells one point or box inside a prompt, `spell` a whole answer (its points or boxes, and the index of the picture they
    lie in). `point_form` and `box_form` say in words how the answer is to be written, after "written as".
    """

    name: str
    habits: Habits
    point_form: str
    box_form: str
    refer: Callable[[Numerals], str]
    spell: Callable[[Sequence[Numerals], int], str]
    settings: Mapping[str, int | float | str] = field(default_factory=dict)

    def instruction(self, form: AnswerForm) -> str:
        if form.shape == "choice":
            return choice_instruction(form)
        if form.shape == "mask":
            raise no_masks(self.name)
        image = f"image {form.image_index + 1}" if form.image_index else "the image"
        words = self.point_form if form.shape == "point" else self.box_form
        sentence = f"Answer with one {form.shape} in {image}, written as {words}."
        if form.shape == "point" and form.several:
            sentence = f"Answer with one or more points in {image}. One is written as {words}; more follow it in the same way."
        if form.offers_not_visible:
            sentence += f" If the object is not there to be seen in {image}, answer exactly {NOT_VISIBLE}."
        return sentence

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
            case MaskAnswer() | MaskTrack():
                raise no_masks(self.name)
            case BoxTrack() | Span():
                raise no_clips(self.name)
            case Points(points=shapes, image_index=image_index) | Boxes(boxes=shapes, image_index=image_index):
                picture = pictures[image_index]
                return self.spell([self.habits.convention.write(shape, picture) for shape in shapes], image_index)

    def decode(self, text: str, form: AnswerForm, pictures: Sequence[Size]) -> Reading:
        match form.shape:
            case "choice":
                return read_choice(text, form)
            case "mask":
                return Reading(status="unreadable", notes=("no_masks_in_text",))
        return read(text, form, pictures=pictures, habits=self.habits)

    def options(self) -> dict[str, int | float | str]:
        return dict(self.settings)


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
