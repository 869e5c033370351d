"""InternVL 2 to 3.5: `<box>[[x1, y1, x2, y2]]</box>` and `<point>[[x, y]]</point>`, thousandths of the picture, 0..1000, x first.

Source: OpenGVLab/InternVL documentation of grounding data; the point form is that of its embodied fine-tunes (Vlaser).
A label may precede the element as `<ref>cup</ref>`; after another label comes another answer, so the last one counts.
"""

from collections.abc import Sequence

from sightline.dialects.convention import Convention, milli
from sightline.dialects.family import NOT_VISIBLE, Family, Numerals, bracketed
from sightline.dialects.numbered import Numbered
from sightline.dialects.reading import Habits
from sightline.dialects.scan import find_groups


def internvl() -> Family:
    """The dialect of InternVL."""
    range_words = "whole numbers from 0 to 1000, thousandths of that image's width and height"
    habits = Habits(Convention(span=milli), find=find_groups)
    return Family(
        name="internvl",
        habits=habits,
        point_form=f"<point>[[x, y]]</point>, in {range_words}",
        box_form=f"<box>[[x1, y1, x2, y2]]</box> (left, top, right, bottom), in {range_words}",
        refer=lambda numerals: _element([numerals]),
        spell=lambda groups, _: _element(groups),
        tracks=Numbered(habits.convention, range_words, none=NOT_VISIBLE),
    )


def _element(groups: Sequence[Numerals]) -> str:
    tag = "box" if groups and len(groups[0]) == 4 else "point"
    return f"<{tag}>[{', '.join(bracketed(numerals) for numerals in groups)}]</{tag}>"
