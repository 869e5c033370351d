"""Qwen-VL and Qwen2-VL: `<|box_start|>(x1,y1),(x2,y2)<|box_end|>` (first generation: `<box>..</box>`), points with one pair.

Thousandths of the picture, 0..1000, x first. A label may precede as `<|object_ref_start|>cup<|object_ref_end|>`, so all box
elements of a text are one answer. Where the special tokens were stripped from the text, bare pairs are read; two pairs are then
a box only if a box is asked. Source: QwenLM/Qwen2-VL, special tokens of its tokenizer.
"""

import re
from collections.abc import Sequence

from sightline.dialects.convention import Convention, milli
from sightline.dialects.family import Family, Numerals, timed_boxes
from sightline.dialects.reading import Habits
from sightline.dialects.scan import Found, Group, find_groups

_ELEMENT = re.compile(r"(?:<\|box_start\|>|<box>)([^<]{0,400})")


def qwen2() -> Family:
    """The dialect of Qwen-VL and Qwen2-VL."""
    range_words = "whole numbers from 0 to 1000, thousandths of that image's width and height"
    habits = Habits(Convention(span=milli), find=find_elements, corner_pairs=True)
    return Family(
        name="qwen2",
        habits=habits,
        point_form=f"<|box_start|>(x,y)<|box_end|>, in {range_words}",
        box_form=f"<|box_start|>(x1,y1),(x2,y2)<|box_end|> (left, top, right, bottom), in {range_words}",
        refer=_element,
        spell=lambda groups, _: "".join(_element(numerals) for numerals in groups) or "[]",
        tracks=timed_boxes(habits, f"box corners in {range_words}"),
    )


def find_elements(text: str) -> Found:
    """The contents of the box elements, or of the whole text where it has none. An element cut off by the end is not counted."""
    groups: list[Group] = []
    problems: dict[str, None] = {}
    cut = False
    elements = list(_ELEMENT.finditer(text))
    for element in elements:
        inside = find_groups(element[1])
        problems |= dict.fromkeys(inside.problems)
        parts = [group for answer in inside.answers for group in answer]
        cut = element.end() == len(text) and (inside.truncated or not parts)
        if not cut:
            groups += [Group(parts[0].numbers + parts[1].numbers)] if [len(part.numbers) for part in parts] == [2, 2] else parts
    return Found((tuple(groups),) if groups else (), cut, tuple(problems)) if elements else find_groups(text)


def _element(numerals: Sequence[str] | Numerals) -> str:
    pairs = (f"({numerals[first]},{numerals[first + 1]})" for first in range(0, len(numerals), 2))
    return f"<|box_start|>{','.join(pairs)}<|box_end|>"
