"""A dialect for pictures that are made smaller before a model is given them.

A family that writes pixels (`qwen25`, `pixels`) means pixels of the picture it got, or of what its processor makes of that: its
numbers depend on the size as sent. Shares (0..1, 0..1000) do not, but for the rounding of the smaller side. So every family is
asked in terms of the sent picture, and its geometry is scaled to the original: exact either way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from sightline.dialects import Dialect, Size
from sightline.dialects.tracks import clip_frames
from sightline.geometry.resize import scale_box, scale_point
from sightline.types import Answer, AnswerForm, Boxes, BoxTrack, Points, Reading


def sent_size(picture: Size, max_side: int) -> Size:
    """The size as sent: the longer side at most `max_side`, the other by the same factor, rounded to whole pixels, at least 1."""
    longest = max(picture.width, picture.height)
    if longest <= max_side:
        return picture
    width, height = (max(1, round(side * max_side / longest)) for side in (picture.width, picture.height))
    return replace(picture, width=width, height=height)


@dataclass(frozen=True)
class AsSent:
    """`family` as it stands towards pictures whose longer side is at most `max_side` when they are sent.

    Like every dialect it takes and gives pixels of the original picture; `max_side` is among its options, so runs store it.
    """

    family: Dialect
    max_side: int

    @property
    def name(self) -> str:
        return self.family.name

    def instruction(self, form: AnswerForm) -> str:
        return self.family.instruction(form)

    def point(self, x: float, y: float, picture: Size) -> str:
        sent = sent_size(picture, self.max_side)
        return self.family.point(*_scaled_point((x, y), picture, sent), sent)

    def box(self, box: tuple[float, float, float, float], picture: Size) -> str:
        sent = sent_size(picture, self.max_side)
        return self.family.box(_scaled_box(box, picture, sent), sent)

    def encode(self, answer: Answer, pictures: Sequence[Size]) -> str:
        sent = self._sent(pictures)
        return self.family.encode(_scaled(answer, pictures, sent), sent)

    def decode(self, text: str, form: AnswerForm, pictures: Sequence[Size]) -> Reading:
        sent = self._sent(pictures)
        reading = self.family.decode(text, form, sent)
        if reading.answer is None:
            return reading
        return msgspec.structs.replace(reading, answer=_scaled(reading.answer, sent, pictures))

    def options(self) -> dict[str, int | float | str]:
        return self.family.options() | {"sent_max_side": self.max_side}

    def _sent(self, pictures: Sequence[Size]) -> list[Size]:
        return [sent_size(picture, self.max_side) for picture in pictures]


def _scaled(answer: Answer, sources: Sequence[Size], targets: Sequence[Size]) -> Answer:
    """The answer in pixels of `targets`; what has no coordinates as it is. (A mask is refused by every dialect anyway.)"""
    match answer:
        case Points(points=points, image_index=index):
            return Points(points=tuple(_scaled_point(point, sources[index], targets[index]) for point in points), image_index=index)
        case Boxes(boxes=boxes, image_index=index):
            return Boxes(boxes=tuple(_scaled_box(box, sources[index], targets[index]) for box in boxes), image_index=index)
        case BoxTrack(frames=frames):
            sides = zip(frames, clip_frames(sources), clip_frames(targets), strict=True)
            return BoxTrack(frames=tuple(tuple(_scaled_box(box, one, other) for box in boxes) for boxes, one, other in sides))
    return answer


def _scaled_point(point: tuple[float, float], source: Size, target: Size) -> tuple[float, float]:
    if source == target:  # also spares the last bit
        return point
    return scale_point(*point, (source.width, source.height), (target.width, target.height))


def _scaled_box(box: tuple[float, float, float, float], source: Size, target: Size) -> tuple[float, float, float, float]:
    if source == target:
        return box
    return scale_box(box, (source.width, source.height), (target.width, target.height))
