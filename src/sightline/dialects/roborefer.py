"""RoboRefer: `[(0.512, 0.334)]`, shares of the picture with three decimals, x first; boxes as 4-tuples. RoboPoint writes the same.

Source: Zhoues/RoboRefer (prompt suffix of its evaluation, boxes of its training data).
"""

from sightline.dialects.convention import Convention, unit
from sightline.dialects.family import Family, parenthesised, timed_boxes, tuples
from sightline.dialects.reading import Habits
from sightline.dialects.scan import find_groups


def roborefer() -> Family:
    """The dialect of RoboRefer and RoboPoint."""
    range_words = "numbers from 0 to 1 with three decimals, shares of that image's width and height"
    habits = Habits(Convention(span=unit, decimals=3), find=find_groups)
    return Family(
        name="roborefer",
        habits=habits,
        point_form=f"a list of one tuple [(x, y)], {range_words}",
        box_form=f"a list of one tuple [(x1, y1, x2, y2)] (left, top, right, bottom), {range_words}",
        refer=parenthesised,
        spell=lambda groups, _: tuples(groups),
        tracks=timed_boxes(habits, f"box corners in {range_words}"),
    )
