"""Gemini 2, 3 and Robotics-ER: `[{"point": [y, x], "label": "cup"}]` and `box_2d` [ymin, xmin, ymax, xmax], usually fenced.

Y FIRST, thousandths of the picture, 0..1000. Source: Google's documentation of spatial understanding with Gemini.
An empty list is its answer where a box has no target.
"""

from collections.abc import Sequence
from functools import partial

from sightline.dialects.convention import Convention, milli
from sightline.dialects.family import Family, Numerals, bracketed, json_list, timed_boxes
from sightline.dialects.reading import Habits
from sightline.dialects.scan import find_json

KEYS = ("point", "box_2d")


def gemini() -> Family:
    """The dialect of Gemini."""
    range_words = "whole numbers from 0 to 1000, thousandths of that image's height and width"
    habits = Habits(Convention(span=milli, order="yx"), find=partial(find_json, keys=KEYS), empty_list_is_absence=True)
    return Family(
        name="gemini",
        habits=habits,
        point_form=f'JSON, [{{"point": [y, x], "label": "target"}}], in {range_words}',
        box_form=f'JSON, [{{"box_2d": [ymin, xmin, ymax, xmax], "label": "target"}}], in {range_words}',
        refer=bracketed,
        spell=_fenced,
        tracks=timed_boxes(habits, f"box corners in {range_words}", key="box_2d", label=True),
    )


def _fenced(groups: Sequence[Numerals], image_index: int) -> str:  # noqa: ARG001
    return f"```json\n{json_list(groups, point_key='point', box_key='box_2d')}\n```"
