"""Qwen3-VL (and 3.5, 3.6): the JSON of Qwen2.5-VL, but in thousandths of the picture, 0..1000, whatever its resized size.

Source: QwenLM/Qwen3-VL cookbooks. An empty list is its answer where a box has no target.
"""

from functools import partial

from sightline.dialects.convention import Convention, milli
from sightline.dialects.family import Family, bracketed, json_list, timed_boxes
from sightline.dialects.reading import Habits
from sightline.dialects.scan import find_json

KEYS = ("point_2d", "bbox_2d")


def qwen3() -> Family:
    """The dialect of Qwen3-VL."""
    range_words = "whole numbers from 0 to 1000, thousandths of that image's width and height"
    habits = Habits(Convention(span=milli), find=partial(find_json, keys=KEYS), empty_list_is_absence=True)
    return Family(
        name="qwen3",
        habits=habits,
        point_form=f'JSON, [{{"point_2d": [x, y], "label": "target"}}], in {range_words}',
        box_form=f'JSON, [{{"bbox_2d": [x1, y1, x2, y2], "label": "target"}}] (left, top, right, bottom), in {range_words}',
        refer=bracketed,
        spell=lambda groups, _: json_list(groups, point_key="point_2d", box_key="bbox_2d"),
        tracks=timed_boxes(habits, f"box corners in {range_words}", key="bbox_2d", label=True),
    )
