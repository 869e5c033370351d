"""Models that answer in whole pixels of the picture as it was sent, x first, such as Claude: `(320, 240)`, `(x1, y1, x2, y2)`.

Pixels are those of the original picture. A server that scales pictures down before the model sees them shifts every answer:
send pictures small enough not to be scaled. Source: Anthropic's documentation of coordinates (pixels, not shares).
"""

from sightline.dialects.convention import Convention, pixels_original
from sightline.dialects.family import Family, parenthesised, timed_boxes
from sightline.dialects.reading import Habits
from sightline.dialects.scan import find_groups


def pixels() -> Family:
    """The dialect of models that write pixels of the original picture."""
    range_words = "whole pixels of that image, counted from its top left corner"
    habits = Habits(Convention(span=pixels_original), find=find_groups)
    return Family(
        name="pixels",
        habits=habits,
        point_form=f"(x, y), in {range_words}",
        box_form=f"(x1, y1, x2, y2) (left, top, right, bottom), in {range_words}",
        refer=parenthesised,
        spell=lambda groups, _: ", ".join(parenthesised(numerals) for numerals in groups) or "[]",
        tracks=timed_boxes(habits, f"box corners in {range_words}"),
    )
