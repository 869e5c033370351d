"""Boxes over time with the number of each frame: `Frame1: <box>[[10, 20, 30, 40]]</box>`, a line a frame, counted from 1.

The form of InternVL, whose video prompts number the frames (OpenGVLab/InternVL, `Frame1: <image>`) and whose boxes are elements. Of
a frame that is named twice the last boxes count; a frame named without boxes is one without the object. Frames that are not there
are counted (`unmatched_frames_1`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sightline.dialects.convention import Convention, Number, Size
from sightline.dialects.family import bracketed
from sightline.dialects.reading import answer_body
from sightline.dialects.scan import find_groups
from sightline.dialects.tracks import FoundTrack, counted, track_reading, written
from sightline.types import AnswerForm, BoxTrack, Reading

_FRAME = re.compile(r"\bframe\s{0,3}[-_#]?\s?([0-9]{1,6})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Numbered:
    """The numbered form; `none` is what stands for a clip without the object."""

    convention: Convention
    range_words: str
    none: str

    @property
    def instruction(self) -> str:
        return (
            'Answer with a line for each frame that shows it, written as "Frame1: <box>[[x1, y1, x2, y2]]</box>" (left, top, '
            f"right, bottom), in {self.range_words}, the frames counted from 1 in their order. "
            "Leave out frames that do not show it."
        )

    def write(self, track: BoxTrack, frames: Sequence[Size]) -> str:
        lines = (
            f"Frame{number}: <box>[{', '.join(bracketed(numerals) for numerals in boxes)}]</box>"
            for number, boxes in enumerate(written(track, frames, self.convention), start=1)
            if boxes
        )
        return "\n".join(lines) or self.none

    def read(self, text: str, form: AnswerForm, frames: Sequence[Size]) -> Reading:
        body = answer_body(text)
        return track_reading(_find(body.text, len(frames)), body, form, frames, self.convention)


def _find(text: str, num_frames: int) -> FoundTrack:
    named = list(_FRAME.finditer(text))
    ends = [match.start() for match in named[1:]] + [len(text)]
    by_frame: dict[int, list[tuple[Number, ...]]] = {}
    unmatched = bad = 0
    truncated = False
    for match, end in zip(named, ends, strict=False):
        position = int(match[1]) - 1
        found = find_groups(text[match.end() : end])
        groups = [group.numbers for answer in found.answers for group in answer]
        fours = [numbers for numbers in groups if len(numbers) == 4]
        bad += len(groups) - len(fours) + len(found.problems)
        truncated = found.truncated and end == len(text)
        if 0 <= position < num_frames:
            by_frame[position] = fours
        else:
            unmatched += 1
    boxes = tuple((position, numbers) for position in sorted(by_frame) for numbers in by_frame[position])
    return FoundTrack(boxes, truncated, counted(unmatched_frames=unmatched, bad_boxes=bad))
