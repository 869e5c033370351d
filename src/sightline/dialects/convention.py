"""What the numbers of a text mean: their order, what they count, and how many decimals are written.

`[(0.512, 0.334)]` (x first, picture = 1 wide), `[512, 334]` (picture = 1000 wide) and `[334, 512]` (the same, y first) all name one
place. This is the only file where pixels are rounded. Halves round down, because the centre of pixel c is c + 0.5 and must be
written c (not c + 1) where one step is one pixel: a one-pixel mask's own centre then still hits it after a round trip.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

from sightline.types import ImageRef, Question

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height of a picture in its original pixels; of a frame of a clip also its time in seconds."""

    width: int
    height: int
    time_s: float | None = None

    @classmethod
    def of(cls, image: ImageRef) -> "Size":
        """The size of a picture of a question."""
        return cls(image.width, image.height)

    @classmethod
    def all_of(cls, question: Question) -> "list[Size]":
        """The sizes of a question's pictures, in their order, with the times of those that are frames of its clip."""
        clip = question.clip
        times = dict(zip(clip.image_indices, clip.times_s, strict=True)) if clip else {}
        return [cls(image.width, image.height, times.get(index)) for index, image in enumerate(question.images)]


class Number(NamedTuple):
    """A finite number as a text has it; `percent` if a percent sign follows it, which then overrules the convention's span."""

    value: float
    percent: bool = False


@dataclass(frozen=True)
class Convention:
    """`span(picture)` says what the full width and the full height of a picture are written as; `decimals` stand after the point.

    `order` "yx" swaps the two numbers of a point and of each corner of a box.
    """

    span: Callable[[Size], tuple[float, float]]
    order: Literal["xy", "yx"] = "xy"
    decimals: int = 0

    def write(self, geometry: Sequence[float], picture: Size) -> tuple[str, ...]:
        """Pixels (x, y) or (x0, y0, x1, y1) as numerals in written order, off by at most half a step. Nothing is clamped."""
        written = self._scaled(geometry, _over(self.span(picture), (picture.width, picture.height)))
        steps = 10**self.decimals
        return self._ordered(tuple(f"{math.ceil(value * steps - 0.5) / steps:.{self.decimals}f}" for value in written))

    def read(self, numbers: Sequence[Number], picture: Size) -> tuple[float, ...]:
        """Two or four numbers in written order as pixels (x, y) or (x0, y0, x1, y1). The span itself is exactly the far edge."""
        span = self.span(picture)
        shares = tuple(
            number.value / (100.0 if number.percent else span[index % 2])
            for index, number in enumerate(self._ordered(tuple(numbers)))
        )
        return self._scaled(shares, (float(picture.width), float(picture.height)))

    def _ordered(self, pairs: tuple[T, ...]) -> tuple[T, ...]:
        if self.order == "xy":
            return pairs
        return tuple(value for first in range(0, len(pairs), 2) for value in (pairs[first + 1], pairs[first]))

    @staticmethod
    def _scaled(values: Sequence[float], scale: tuple[float, float]) -> tuple[float, ...]:
        return tuple(value * scale[index % 2] for index, value in enumerate(values))


def _over(span: tuple[float, float], size: tuple[int, int]) -> tuple[float, float]:
    return span[0] / size[0], span[1] / size[1]


def unit(picture: Size) -> tuple[float, float]:  # noqa: ARG001
    """Numbers are shares of the picture, 0..1."""
    return 1.0, 1.0


def percent(picture: Size) -> tuple[float, float]:  # noqa: ARG001
    """Numbers are percent of the picture, 0..100."""
    return 100.0, 100.0


def milli(picture: Size) -> tuple[float, float]:  # noqa: ARG001
    """Numbers are thousandths of the picture, 0..1000."""
    return 1000.0, 1000.0


def bins_1024(picture: Size) -> tuple[float, float]:  # noqa: ARG001
    """Numbers are 1024ths of the picture."""
    return 1024.0, 1024.0


def pixels_original(picture: Size) -> tuple[float, float]:
    """Numbers are pixels of the original picture."""
    return float(picture.width), float(picture.height)
