"""How each model family writes points, boxes and "not visible" as text, both ways.

A dialect is declared by the model and never guessed from the numbers: `[(1, 1)]` is the far corner for RoboRefer and a
thousandth of the picture for Qwen3-VL. Everything outside a dialect is in continuous pixels of the original picture; numbers are
rounded here and nowhere else (`convention.Convention`).
"""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from sightline.dialects.convention import Size
from sightline.errors import unknown_name
from sightline.types import Answer, AnswerForm, Reading

__all__ = ["DIALECTS", "Dialect", "Size", "get_dialect"]


@runtime_checkable
class Dialect(Protocol):
    """One model family's way of writing. All geometry is in pixels of the original picture, whose size is always given."""

    @property
    def name(self) -> str:
        """The name in `DIALECTS`."""
        ...

    def instruction(self, form: AnswerForm) -> str:
        """The sentences that tell the model how to write its answer; they hold `NOT_VISIBLE` exactly if that is offered.

        Raises:
            InputError: the form asks for a mask, which no text family can write.
        """
        ...

    def point(self, x: float, y: float, picture: Size) -> str:
        """A point referred to inside a prompt."""
        ...

    def box(self, box: tuple[float, float, float, float], picture: Size) -> str:
        """A box (x0, y0, x1, y1) referred to inside a prompt."""
        ...

    def encode(self, answer: Answer, pictures: Sequence[Size]) -> str:
        """The text a perfect model would write; `pictures[answer.image_index]` gives the size. Raises InputError for a mask."""
        ...

    def decode(self, text: str, form: AnswerForm, pictures: Sequence[Size]) -> Reading:
        """What `text` says. Never raises, whatever the text; takes time linear in its length."""
        ...

    def options(self) -> dict[str, int | float | str]:
        """The declared settings that change what a text means, stored with every run."""
        ...


def get_dialect(name: str) -> Dialect:
    """The dialect called `name`, with its family's default options.

    Raises:
        InputError: no dialect has this name; the message lists the names and the nearest one.
    """
    if name not in DIALECTS:
        raise unknown_name("dialect", name, DIALECTS)
    return DIALECTS[name]()


def _roborefer() -> Dialect:
    from sightline.dialects.roborefer import roborefer  # noqa: PLC0415

    return roborefer()


def _qwen25() -> Dialect:
    from sightline.dialects.qwen25 import qwen25  # noqa: PLC0415

    return qwen25()


def _qwen3() -> Dialect:
    from sightline.dialects.qwen3 import qwen3  # noqa: PLC0415

    return qwen3()


def _internvl() -> Dialect:
    from sightline.dialects.internvl import internvl  # noqa: PLC0415

    return internvl()


def _molmo() -> Dialect:
    from sightline.dialects.molmo import molmo  # noqa: PLC0415

    return molmo()


def _molmo2() -> Dialect:
    from sightline.dialects.molmo2 import molmo2  # noqa: PLC0415

    return molmo2()


def _gemini() -> Dialect:
    from sightline.dialects.gemini import gemini  # noqa: PLC0415

    return gemini()


def _paligemma() -> Dialect:
    from sightline.dialects.paligemma import paligemma  # noqa: PLC0415

    return paligemma()


def _qwen2() -> Dialect:
    from sightline.dialects.qwen2 import qwen2  # noqa: PLC0415

    return qwen2()


def _robobrain() -> Dialect:
    from sightline.dialects.robobrain import robobrain  # noqa: PLC0415

    return robobrain()


def _pixels() -> Dialect:
    from sightline.dialects.pixels import pixels  # noqa: PLC0415

    return pixels()


def _sa2va_box() -> Dialect:
    from sightline.dialects.sa2va_box import sa2va_box  # noqa: PLC0415

    return sa2va_box()


DIALECTS: dict[str, Callable[[], Dialect]] = {
    "roborefer": _roborefer,
    "qwen25": _qwen25,
    "qwen3": _qwen3,
    "internvl": _internvl,
    "molmo": _molmo,
    "molmo2": _molmo2,
    "gemini": _gemini,
    "paligemma": _paligemma,
    "qwen2": _qwen2,
    "robobrain": _robobrain,
    "pixels": _pixels,
    "sa2va_box": _sa2va_box,
}
