"""Finding groups of numbers in the text of a model, without ever evaluating it.

A *group* is two or four numbers alone inside one pair of brackets: `(0.1, 0.2)`, `[320, 240]`, `[10 20 30 40]`. An *answer* is a
run of groups with nothing but punctuation between them: `[(0.1, 0.2), (0.3, 0.4)]` is one answer of two groups; a word, or the
end of a list that holds groups, ends it. JSON is read by the same scan (so fences, prose before it, trailing commas and
missing ends do not matter); a quoted string there is one token, and the last one before a group is that group's key.

One pass over the text by one regular expression without backtracking: time is linear in the length.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sightline.dialects.convention import Number

MAX_NUMERAL = 32
"""Longer runs of digits are not numbers."""
MAX_MAGNITUDE = 1e9
"""Larger numbers are not coordinates of anything, and would overflow when scaled."""

_NUMERAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_PLAIN = r"""
    (?P<number> [+-]?\.?[0-9][\w.+-]* )
  | (?P<open> [(\[{] )
  | (?P<close> [)\]] )
  | (?P<brace> \} )
  | (?P<percent> % )
  | (?P<word> \w+ | ``` )
  | (?P<gap> [\s,;]+ )
  | (?P<other> . )
"""
_PLAIN_TOKEN = re.compile(_PLAIN, re.VERBOSE | re.DOTALL)
_JSON_TOKEN = re.compile(
    r"""(?P<string> "[^"\n]{0,500}" | '\w{1,40}' ) | (?P<open_string> "[^"]{0,500}\Z ) |""" + _PLAIN, re.VERBOSE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Group:
    """Numbers that stand together. `picture_index` is the picture the text itself names, if it does (0-based)."""

    numbers: tuple[Number, ...]
    key: str | None = None
    picture_index: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """All answers of a text in their order. `truncated`: the text ends inside one. `problems`: why groups were not counted."""

    answers: tuple[tuple[Group, ...], ...] = ()
    truncated: bool = False
    problems: tuple[str, ...] = ()


def read_numeral(numeral: str) -> float | None:
    """The finite number that `numeral` is, or None if it is none (`0.5.1`, `nan`, `1e999`, a thousand digits)."""
    if len(numeral) > MAX_NUMERAL or not _NUMERAL.fullmatch(numeral):
        return None
    value = float(numeral)
    return value if math.isfinite(value) and abs(value) <= MAX_MAGNITUDE else None


def find_groups(text: str) -> Found:
    """The answers of a text in which quotation marks mean nothing."""
    return _scan(text, _PLAIN_TOKEN)


def find_json(text: str, keys: Sequence[str]) -> Found:
    """The answers of a text that should be JSON: the groups under one of `keys`; without any, all groups outside strings;
    without any of these, all groups."""
    found = _scan(text, _JSON_TOKEN)
    keyed = tuple(tuple(group for group in answer if group.key in keys) for answer in found.answers)
    if any(keyed):
        return Found(tuple(answer for answer in keyed if answer), found.truncated, found.problems)
    return found if found.answers or found.truncated else find_groups(text)


@dataclass(slots=True)
class _Scan:
    """The state between two tokens. `numbers` is the group being read, None outside the innermost brackets."""

    answers: list[tuple[Group, ...]] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    numbers: list[Number] | None = None
    depth: int = 0
    key: str | None = None
    spoilt: bool = False
    problems: dict[str, None] = field(default_factory=dict)

    def open(self) -> None:
        self.depth += 1
        self.numbers = []
        self.spoilt = False

    def number(self, numeral: str) -> None:
        if self.numbers is None:
            return
        value = read_numeral(numeral)
        if value is None:
            self.spoilt = True
        else:
            self.numbers.append(Number(value))

    def percent(self) -> None:
        if self.numbers:
            self.numbers[-1] = Number(self.numbers[-1].value, percent=True)

    def close(self) -> None:
        self.depth = max(0, self.depth - 1)
        if self.numbers is None:
            if self.depth == 0:
                self.end_answer()
            return
        if self.spoilt:
            self.problems["bad_number"] = None
        elif len(self.numbers) in (2, 4):
            self.groups.append(Group(tuple(self.numbers), self.key))
        elif self.numbers:
            self.problems[f"{min(len(self.numbers), 99)}_numbers_in_brackets"] = None
        self.numbers = None

    def brace(self) -> None:
        self.depth = max(0, self.depth - 1)
        self.numbers = None

    def word(self) -> None:
        self.end_answer()
        self.depth = 0
        self.numbers = None
        self.key = None

    def end_answer(self) -> None:
        if self.groups:
            self.answers.append(tuple(self.groups))
            self.groups = []


def _scan(text: str, token: re.Pattern[str]) -> Found:
    state = _Scan()
    for match in token.finditer(text):
        match match.lastgroup:
            case "number":
                state.number(match.group())
            case "open":
                state.open()
            case "close":
                state.close()
            case "brace":
                state.brace()
            case "percent":
                state.percent()
            case "word":
                state.word()
            case "string":
                state.key = match.group()[1:-1]
            case "other":
                state.spoilt = True
            case _:
                pass
    state.end_answer()
    return Found(tuple(state.answers), state.depth > 0, tuple(state.problems))
