"""Qwen2.5-VL: `[{"point_2d": [320, 240], "label": "cup"}]` and `bbox_2d`, in whole pixels of the resized picture, x first.

The picture that the model sees has sides that are multiples of 28 and an area between two bounds, so the same place has other
numbers under other bounds: the three settings are stored with every run. Source: QwenLM/Qwen2.5-VL cookbooks; `smart_resize`.
An empty list is its answer where a box has no target.
"""

from functools import partial

from sightline.dialects.convention import Convention, Size
from sightline.dialects.family import Family, bracketed, json_list, timed_boxes
from sightline.dialects.reading import Habits
from sightline.dialects.scan import find_json
from sightline.geometry.resize import smart_resize

KEYS = ("point_2d", "bbox_2d")


def qwen25(*, factor: int = 28, min_pixels: int = 3136, max_pixels: int = 12_845_056) -> Family:
    """The dialect of Qwen2.5-VL under the image processor's settings: sides multiples of `factor`, area within the two bounds."""

    def resized(picture: Size) -> tuple[float, float]:
        width, height = smart_resize(picture.width, picture.height, factor=factor, min_pixels=min_pixels, max_pixels=max_pixels)
        return float(width), float(height)

    range_words = "whole pixels of that image"
    habits = Habits(Convention(span=resized), find=partial(find_json, keys=KEYS), empty_list_is_absence=True)
    return Family(
        name="qwen25",
        habits=habits,
        point_form=f'JSON, [{{"point_2d": [x, y], "label": "target"}}], in {range_words}',
        box_form=f'JSON, [{{"bbox_2d": [x1, y1, x2, y2], "label": "target"}}] (left, top, right, bottom), in {range_words}',
        refer=bracketed,
        spell=lambda groups, _: json_list(groups, point_key="point_2d", box_key="bbox_2d"),
        settings={"factor": factor, "min_pixels": min_pixels, "max_pixels": max_pixels},
        tracks=timed_boxes(habits, f"box corners in {range_words}", key="bbox_2d", label=True),
    )
