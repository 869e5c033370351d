"""A stretch of time as text, the same for every family: `{"start": 1.00, "end": 3.50}`, seconds of the clip, the end exclusive.

Read are also `start_time` and `end_time`, `from 1.0 to 3.5`, `1.0 - 3.5 seconds`, `[1.0, 3.5]` and times like `00:01.5`; of several
the last one counts. An end before its start is swapped and noted (`reversed_span`).
"""

import re

from sightline.dialects.reading import answer_body, says_absent
from sightline.dialects.times import read_seconds
from sightline.types import AnswerForm, NotVisible, Reading, Span

_TIME = r"(?:[0-9]{1,3}:){0,2}[0-9]{1,9}(?:\.[0-9]{0,9})?"
_BETWEEN = r"[\"'\s:=<]{0,6}"
_KEYED = re.compile(
    rf"\b(?P<key>start|begin|from|end|stop|until|to)(?:[_ ]?(?:time|s|sec|seconds))?\b{_BETWEEN}(?P<time>{_TIME})", re.IGNORECASE
)
_RANGE = re.compile(
    rf"(?<![\w.:])({_TIME})\s?(?:s|sec|seconds)?\s{{0,3}}(?:-|–|—|~|to|until|and|,)\s{{0,3}}({_TIME})(?![\w:])", re.IGNORECASE
)
_STARTS = frozenset({"start", "begin", "from"})


def span_instruction(form: AnswerForm) -> str:
    """The sentence that asks for the stretch of time; it does not offer "not visible"."""
    what = "anything that is meant" if form.several else "it"
    return (
        f'Answer with the stretch of time in which {what} is to be seen, in seconds, written as JSON, {{"start": 1.0, "end": 3.5}}.'
    )


def encode_span(span: Span) -> str:
    """`{"start": 1.00, "end": 3.50}`, to a hundredth of a second."""
    return f'{{"start": {span.start_s:.2f}, "end": {span.end_s:.2f}}}'


def read_span(text: str) -> Reading:
    """The stretch of time that a text names. Never raises, whatever the text; takes time linear in its length."""
    body = answer_body(text)
    found = _last_keyed(body.text) or _last_range(body.text)
    if says_absent(body.text):
        if found:
            return Reading(status="ambiguous", num_found=1, notes=body.notes)
        return Reading(status="not_visible", answer=NotVisible(), notes=body.notes)
    if found is None:
        status = "truncated" if body.cut_off else "unreadable" if body.text.strip() else "empty"
        return Reading(status=status, notes=body.notes if status != "unreadable" else (*body.notes, "no_span"))
    start, end = found
    notes = (*body.notes, "reversed_span") if end < start else body.notes
    span = Span(start_s=min(start, end), end_s=max(start, end))
    return Reading(status="truncated" if body.cut_off else "ok", answer=span, num_found=1, notes=notes)


def _last_keyed(text: str) -> tuple[float, float] | None:
    """The last start that an end follows, and that end."""
    start, found = None, None
    for match in _KEYED.finditer(text):
        seconds = read_seconds(match["time"])
        if match["key"].lower() in _STARTS:
            start = seconds
        elif start is not None and seconds is not None:
            found, start = (start, seconds), None
    return found


def _last_range(text: str) -> tuple[float, float] | None:
    found = None
    for match in _RANGE.finditer(text):
        start, end = read_seconds(match[1]), read_seconds(match[2])
        if start is not None and end is not None:
            found = start, end
    return found
