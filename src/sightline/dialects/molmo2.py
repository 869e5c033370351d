"""Molmo 2: `<points coords="1 1 900 700 2 900 800">cup</points>`: the picture (from 1), then id, x, y of each point in it.

Thousandths of the picture, 0..1000, three digits at least, x first; several pictures are parted by a tab or `;`, ids run on.
The text itself names the picture, counted in the order of the question's images. It is honoured: points in the asked picture are
the answer if there are any (note `other_picture` where there are others as well), else those of the picture named first, with that
picture's index and status `ok`, so that scoring calls them a miss. It has no boxes: two points stand for opposite corners here.
Source: allenai/molmo2, olmo/preprocessing/point_formatter.py. Tracks (`<tracks coords=..>`) name moments, not pictures: not read.
"""

import re
from collections.abc import Sequence

from sightline.dialects.convention import Convention, Number, milli
from sightline.dialects.family import Family, Numerals, parenthesised
from sightline.dialects.reading import Habits
from sightline.dialects.scan import Found, Group, find_groups, read_numeral

_COORDS = re.compile(r"""<points?\b[^<>]{0,300}?\bcoords\s{0,4}=\s{0,4}(["'])""")
_MAX_PICTURE = 10_000


def molmo2() -> Family:
    """The dialect of Molmo 2."""
    range_words = "whole numbers from 000 to 1000, thousandths of that image's width and height"
    return Family(
        name="molmo2",
        habits=Habits(Convention(span=milli), find=find_coords, corner_pairs=True),
        point_form=f'<points coords="n 1 x y">target</points>, with n the number of that image and x, y {range_words}',
        box_form='<points coords="n 1 x1 y1 2 x2 y2">target</points>, with n the number of that image, the top left and the '
        f"bottom right corner, {range_words}",
        refer=parenthesised,
        spell=_element,
    )


def find_coords(text: str) -> Found:
    """The points of the last `coords`; without one, groups in brackets."""
    openings = list(_COORDS.finditer(text))
    if not openings:
        return find_groups(text)
    start, quote = openings[-1].end(), openings[-1][1]
    end = text.find(quote, start)
    coords = text[start:] if end < 0 else text[start:end]
    if end < 0 and coords[-1:].strip():
        coords = coords[: len(coords) - len(coords.split()[-1])]  # the last number may lack digits
    parts = re.split(r"[;\t]", coords)
    groups = [group for part in parts for group in _points(part.split())]
    bad = any(len(part.split()) % 3 != 1 for part in parts if part.strip()) and end >= 0
    return Found((tuple(groups),) if groups else (), end < 0, ("bad_coords",) if bad else ())


def _points(numerals: Sequence[str]) -> list[Group]:
    picture = read_numeral(numerals[0]) if numerals else None
    if picture is None or picture != int(picture) or not 1 <= picture <= _MAX_PICTURE:
        return []
    groups = []
    for first in range(1, len(numerals) - 2, 3):
        x, y = read_numeral(numerals[first + 1]), read_numeral(numerals[first + 2])
        if x is not None and y is not None:
            groups.append(Group((Number(x), Number(y)), picture_index=int(picture) - 1))
    return groups


def _element(groups: Sequence[Numerals], image_index: int) -> str:
    points = [numerals[first : first + 2] for numerals in groups for first in range(0, len(numerals), 2)]
    triples = " ".join(f"{ordinal} {x:0>3} {y:0>3}" for ordinal, (x, y) in enumerate(points, start=1))
    return f'<points coords="{image_index + 1} {triples}">target</points>' if points else "[]"
