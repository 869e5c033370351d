"""Boxes over time as JSON with the time of each frame: `[{"time": 1.0, "bbox_2d": [10, 20, 30, 40], "label": "target"}]`.

Read by one pass over the text that evaluates nothing, so that fences, words before it, trailing commas and a missing end do not
matter. An object in an object has the time of the outer one: `{"time": 1.0, "objects": [{"bbox_2d": [..]}, {"bbox_2d": [..]}]}`.
Words outside of brackets end an answer; of several the last one counts.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sightline.dialects.convention import Convention, Number, Size
from sightline.dialects.reading import answer_body
from sightline.dialects.scan import read_numeral
from sightline.dialects.times import nearest_frame, read_seconds, time_words
from sightline.dialects.tracks import FoundTrack, counted, track_reading, written
from sightline.types import AnswerForm, BoxTrack, Reading

TIME_KEYS = frozenset({"time", "timestamp", "t"})

_TOKEN = re.compile(
    r"""
    (?P<key> "[^"\n]{0,200}"\s{0,8}: | '[^'\n]{0,200}'\s{0,8}: )
  | (?P<string> "[^"\n]{0,200}" | '[^'\n]{0,200}' )
  | (?P<number> [+-]?\.?[0-9][\w.+:-]* )
  | (?P<open> [(\[{] )
  | (?P<close> [)\]}] )
  | (?P<word> \w+ | ``` )
  | (?P<other> [\s,;]+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Timed:
    """The timed form with boxes under `key`, numbers by `convention`; `corners` and `range_words` say so in words."""

    convention: Convention
    key: str
    corners: str
    range_words: str
    label: bool = False

    @property
    def instruction(self) -> str:
        label = ', "label": "target"' if self.label else ""
        return (
            "Answer with the box in each frame that shows it, written as JSON, "
            f'[{{"time": 1.0, "{self.key}": {self.corners}{label}}}], '
            f"with the time in seconds that stands before that frame and {self.range_words}. Leave out frames that do not show it."
        )

    def write(self, track: BoxTrack, frames: Sequence[Size]) -> str:
        times = time_words([frame.time_s or 0.0 for frame in frames])
        label = ', "label": "target"' if self.label else ""
        entries = (
            f'{{"time": {time}, "{self.key}": [{", ".join(numerals)}]{label}}}'
            for time, boxes in zip(times, written(track, frames, self.convention), strict=True)
            for numerals in boxes
        )
        return f"[{', '.join(entries)}]"

    def read(self, text: str, form: AnswerForm, frames: Sequence[Size]) -> Reading:
        body = answer_body(text)
        return track_reading(self._find(body.text, frames), body, form, frames, self.convention)

    def _find(self, text: str, frames: Sequence[Size]) -> FoundTrack:
        keys = {self.key} if self.convention.order == "yx" else {self.key, "bbox_2d", "bbox", "box"}
        scan = _Scan(frozenset(keys))
        for match in _TOKEN.finditer(text):
            scan.take(match.lastgroup or "", match.group())
        truncated = scan.depth > 0
        scan.end()
        entries = scan.answers[-1] if scan.answers else []
        times = [frame.time_s for frame in frames if frame.time_s is not None]
        boxes: list[tuple[int, tuple[Number, ...]]] = []
        unmatched = without_time = 0
        for entry in entries:
            position = None if entry.time_s is None else nearest_frame(entry.time_s, times)
            without_time += entry.time_s is None
            unmatched += entry.time_s is not None and position is None
            if position is not None:
                boxes += [(position, numbers) for numbers in entry.boxes]
        problems = counted(unmatched_times=unmatched, entries_without_time=without_time, bad_boxes=scan.bad_boxes)
        several = ("several_answers",) if len(scan.answers) > 1 and boxes else ()
        return FoundTrack(tuple(boxes), truncated, (*problems, *several))


@dataclass(slots=True)
class _Entry:
    time_s: float | None = None
    boxes: list[tuple[Number, ...]] = field(default_factory=list)


@dataclass(slots=True)
class _Scan:
    """The state between two tokens: the objects that are open, the numbers of the innermost bracket, the last key."""

    box_keys: frozenset[str]
    answers: list[list[_Entry]] = field(default_factory=list)
    entries: list[_Entry] = field(default_factory=list)
    opened: list[_Entry] = field(default_factory=list)
    numbers: list[Number] | None = None
    spoilt: bool = False
    key: str = ""
    depth: int = 0
    bad_boxes: int = 0

    def take(self, kind: str, word: str) -> None:
        match kind:
            case "key":
                self.key = word.rstrip(": \t\n")[1:-1]
            case "string" | "number" if self.key in TIME_KEYS:
                self._time(word)
            case "number":
                self._number(word)
            case "open":
                self._open(word)
            case "close":
                self._close(word)
            case "word" if self.depth == 0:
                self.end()

    def end(self) -> None:
        """End an answer; objects that are still open count with the boxes that are complete."""
        while self.opened:
            self._keep(self.opened.pop())
        if self.entries:
            self.answers.append(self.entries)
            self.entries = []
        self.depth = 0

    def _time(self, word: str) -> None:
        if self.opened:
            self.opened[-1].time_s = read_seconds(word.strip("\"'"))
        self.key = ""

    def _number(self, word: str) -> None:
        if self.numbers is None:
            return
        value = read_numeral(word)
        self.spoilt |= value is None
        if value is not None:
            self.numbers.append(Number(value))

    def _open(self, word: str) -> None:
        self.depth += 1
        if word == "{":
            self.opened.append(_Entry(self.opened[-1].time_s if self.opened else None))
        self.numbers, self.spoilt = ([], False) if word != "{" else (None, False)

    def _close(self, word: str) -> None:
        self.depth = max(0, self.depth - 1)
        if word == "}":
            if self.opened:
                self._keep(self.opened.pop())
        elif self.numbers is not None and self.key in self.box_keys and self.opened:
            if len(self.numbers) == 4 and not self.spoilt:
                self.opened[-1].boxes.append(tuple(self.numbers))
            else:
                self.bad_boxes += 1
        self.numbers = None

    def _keep(self, entry: _Entry) -> None:
        if entry.boxes:
            self.entries.append(entry)
