"""RoboBrain 2.x: `[(320, 240), ...]` and boxes `[x1, y1, x2, y2]`, whole pixels of the original picture, x first.

Source: FlagOpen/RoboBrain2.0 (pointing and affordance prompts).
"""

from collections.abc import Sequence

from sightline.dialects.convention import Convention, pixels_original
from sightline.dialects.family import Family, Numerals, bracketed, parenthesised, timed_boxes, tuples
from sightline.dialects.reading import Habits
from sightline.dialects.scan import find_groups


def robobrain() -> Family:
    """The dialect of RoboBrain 2."""
    habits = Habits(Convention(span=pixels_original), find=find_groups)
    return Family(
        name="robobrain",
        habits=habits,
        point_form="a list of one tuple [(x, y)], in whole pixels of that image",
        box_form="[x1, y1, x2, y2] (left, top, right, bottom), in whole pixels of that image",
        refer=lambda numerals: parenthesised(numerals) if len(numerals) == 2 else bracketed(numerals),
        spell=_answer,
        tracks=timed_boxes(habits, "box corners in whole pixels of that image"),
    )


def _answer(groups: Sequence[Numerals], image_index: int) -> str:  # noqa: ARG001
    if groups and len(groups[0]) == 4:
        return ", ".join(bracketed(numerals) for numerals in groups)
    return tuples(groups)
