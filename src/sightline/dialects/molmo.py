"""Molmo 1: `<point x="63.5" y="44.5" alt="cup">cup</point>`, `<points x1="10.0" y1="20.0" x2="30.0" y2="40.0" alt=..>`.

Percent of the picture, 0..100, one decimal, x first. It also writes `Click(63.5, 44.5)`, `(63.5 44.5)` and `p=635,445` (tenths of a
percent); "There are none." is its word for absence. It has no boxes: two points stand for two opposite corners here.
Source: allenai/molmo, olmo/util.py.
"""

import re
from collections.abc import Sequence

from sightline.dialects.convention import Convention, Number, percent
from sightline.dialects.family import Family, Numerals, parenthesised
from sightline.dialects.reading import Habits
from sightline.dialects.scan import Found, Group, find_groups, read_numeral

_ATTRIBUTE = re.compile(r"""\b([xy])([0-9]{0,4})\s{0,4}=\s{0,4}(["'])\s{0,4}([0-9.eE+-]{1,32})\s{0,4}\3""")
_TENTHS = re.compile(r"\bp\s{0,3}=\s{0,3}([0-9]{1,4})\s{0,3},\s{0,3}([0-9]{1,4})(?![0-9.])")


def molmo() -> Family:
    """The dialect of Molmo 1."""
    range_words = "numbers from 0 to 100 with one decimal, percent of that image's width and height"
    return Family(
        name="molmo",
        habits=Habits(Convention(span=percent, decimals=1), find=find_elements, corner_pairs=True),
        point_form=f'<point x="x" y="y" alt="target">target</point>, in {range_words}',
        box_form='<points x1="x1" y1="y1" x2="x2" y2="y2" alt="target">target</points> with the top left and the bottom right '
        f"corner, in {range_words}",
        refer=parenthesised,
        spell=_element,
    )


def find_elements(text: str) -> Found:
    """The last `<point>` or `<points>` element; without one, groups in brackets; without these, the last `p=`."""
    start = text.rfind("<point")
    if start >= 0:
        end = text.find(">", start)
        groups = _attributes(text[start:] if end < 0 else text[start:end])
        if groups or end < 0:
            return Found((groups,) if groups else (), end < 0)
    found = find_groups(text)
    tenths = list(_TENTHS.finditer(text))
    if found.answers or not tenths:
        return found
    return Found(((Group(tuple(Number(int(numeral) / 10) for numeral in tenths[-1].groups())),),))


def _attributes(element: str) -> tuple[Group, ...]:
    values = {(match[1], match[2]): read_numeral(match[4]) for match in _ATTRIBUTE.finditer(element)}
    return tuple(
        Group((Number(x), Number(y)))
        for (axis, ordinal), x in values.items()
        if axis == "x" and x is not None and (y := values.get(("y", ordinal))) is not None
    )


def _element(groups: Sequence[Numerals], image_index: int) -> str:  # noqa: ARG001
    points = [numerals[first : first + 2] for numerals in groups for first in range(0, len(numerals), 2)]
    if len(points) == 1:
        return f'<point x="{points[0][0]}" y="{points[0][1]}" alt="target">target</point>'
    attributes = " ".join(f'x{ordinal}="{x}" y{ordinal}="{y}"' for ordinal, (x, y) in enumerate(points, start=1))
    return f'<points {attributes} alt="target">target</points>' if points else "[]"
