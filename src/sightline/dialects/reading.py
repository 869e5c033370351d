"""What a model's text says, the same way for every dialect: the last well-formed answer after the reasoning, or why there is none.

Order of reading: drop `<think>..</think>`; take the last `<answer>..</answer>` if there is one; find groups of numbers (each
dialect brings its own `find`); of the last answer that has groups of the asked kind, take all, in order (scoring uses the first).

Statuses: `ok`; `not_visible` (an absence phrase and no coordinates); `ambiguous` (both); `empty` (no text, or an empty list);
`truncated` (the text ends inside an answer or inside the reasoning; complete groups before that are the answer, if there are any);
`out_of_range` (the first point, or a side of the first box, lies outside the picture; kept as it is, never clamped); `unreadable`.

Notes, beside the `problems` of `scan.Found` (`bad_number`, `3_numbers_in_brackets`, ...):
`box_as_point` a box where a point was asked, its centre is taken; `reversed_corners` a box written from another corner;
`percent_sign`; `several_answers` earlier ones were passed over; `other_picture` the text names a picture that was not asked about;
`some_out_of_range` a later point or box is outside; `no_such_picture`; `point_where_box_asked`; `no_coordinates`;
`reasoning_unclosed`; `answer_unclosed`; `text_cut` only the last `MAX_TEXT` characters were read; `truncated` beside
`out_of_range`, if the text is cut off too.
"""

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sightline.dialects.convention import Convention, Size
from sightline.dialects.scan import Found, Group
from sightline.types import Answer, AnswerForm, Boxes, NotVisible, Points, Reading, Status

MAX_TEXT = 65_536
"""Characters read after the reasoning is dropped, from the end: an answer is short and comes last, a runaway text is neither."""

_FULL_WIDTH = str.maketrans("（）［］【】｛｝＜＞，、；：．％－−＋’＂０１２３４５６７８９", "()[][]{}<>,,;:.%--+'\"0123456789")
_THINK = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)
_ANSWER = re.compile(r"<(/?)answer>", re.IGNORECASE)
EMPTY_LIST = re.compile(r"\[[\s\[\]]{0,20}\]")
_ABSENT = re.compile(
    r"""(?<!not[ ])(?<!n't[ ])(?<!never[ ])
        (?: \bnot[\s_-]{0,3}visible\b | \bno[ ]longer[ ]visible\b
          | \b(?:is|are|was|were)(?:n't|[ ]not)[ ](?:visible|present|shown)\b
          | \b(?:is|are|was|were)(?:n't|[ ]not)[ ]in[ ](?:the|this)[ ](?:image|picture|photo|frame|view|scene)\b
          | \bcan(?:not|'t|[ ]not)[ ]be[ ]seen\b | \bthere[ ](?:are|is)[ ]none\b )
      | (?<!并非)(?<!不是) (?: 不可见 | 看不到 | 看不见 )""",
    re.IGNORECASE | re.VERBOSE,
)
_ABSENT_ALONE = frozenset({"null", "none"})
_WRAPPING = " \t\r\n\"'`.!。[](){}"


@dataclass(frozen=True, slots=True)
class Body:
    """The part of a text that is the answer. `cut_off`: the text ends inside its reasoning."""

    text: str
    cut_off: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Habits:
    """How a family is read. `find` finds the groups; `corner_pairs`: two points make a box where one is asked;
    `empty_list_is_absence`: `[]` is how the family says that no box fits, where that answer is offered; `absence`: a token by which
    it says so."""

    convention: Convention
    find: Callable[[str], Found]
    corner_pairs: bool = False
    empty_list_is_absence: bool = False
    absence: str | None = None


def read(text: str, form: AnswerForm, *, pictures: Sequence[Size], habits: Habits) -> Reading:
    """Read `text` as an answer to `form`. Never raises, whatever the text."""
    body = answer_body(text)
    found = habits.find(body.text)
    usable = [groups for answer in found.answers if (groups := _of_shape(answer, form, corner_pairs=habits.corner_pairs))]
    notes = body.notes + (("several_answers",) if len(usable) > 1 else ())
    truncated = found.truncated or body.cut_off
    if says_absent(body.text) or (habits.absence is not None and habits.absence in body.text):
        if usable or found.truncated:
            return Reading(status="ambiguous", num_found=len(usable[-1]) if usable else 0, notes=notes)
        return Reading(status="not_visible", answer=NotVisible(), notes=notes)
    if usable:
        return _located(usable[-1], form, pictures=pictures, convention=habits.convention, notes=notes, truncated=truncated)
    if truncated:
        return Reading(status="truncated", notes=notes)
    if not body.text.strip():
        return Reading(status="empty", notes=notes)
    if not found.answers and EMPTY_LIST.search(body.text):
        if habits.empty_list_is_absence and form.shape == "box" and form.offers_not_visible:
            return Reading(status="not_visible", answer=NotVisible(), notes=notes)
        return Reading(status="empty", notes=notes)
    reason = ("point_where_box_asked",) if found.answers else ("no_coordinates",)
    return Reading(status="unreadable", notes=notes + found.problems + reason)


def answer_body(text: str) -> Body:
    """`text` without its reasoning, the last `<answer>` if there is one, with ASCII brackets, commas and digits."""
    kept, cut_off = _without_reasoning(text)
    notes = ["reasoning_unclosed"] if cut_off else []
    tags = list(_ANSWER.finditer(kept))
    pairs = [(first.end(), second.start()) for first, second in itertools.pairwise(tags) if second[1] and not first[1]]
    if pairs:
        kept = kept[pairs[-1][0] : pairs[-1][1]]
    elif tags and not tags[-1][1]:
        kept = kept[tags[-1].end() :]
        notes.append("answer_unclosed")
    if len(kept) > MAX_TEXT:
        kept = kept[-MAX_TEXT:]
        notes.append("text_cut")
    return Body(kept.translate(_FULL_WIDTH), cut_off, tuple(notes))


def says_absent(body: str) -> bool:
    """Whether a text says that the object cannot be seen. "It is visible, not hidden" does not."""
    return bool(_ABSENT.search(body)) or body.strip(_WRAPPING).lower() in _ABSENT_ALONE


def _without_reasoning(text: str) -> tuple[str, bool]:
    """Also drops what stands before a lone `</think>`: chat templates often open the reasoning inside the prompt."""
    kept: list[str] = []
    start, inside = 0, False
    for tag in _THINK.finditer(text):
        closes = bool(tag[1])
        if not closes and not inside:
            kept.append(text[start : tag.start()])
        elif closes and not inside:
            kept.clear()
        inside, start = not closes, tag.end()
    if not inside:
        kept.append(text[start:])
    return " ".join(kept), inside


def _of_shape(answer: Sequence[Group], form: AnswerForm, *, corner_pairs: bool) -> tuple[Group, ...]:
    twos = tuple(group for group in answer if len(group.numbers) == 2)
    fours = tuple(group for group in answer if len(group.numbers) == 4)
    if form.shape == "point":
        return twos or fours
    if fours or not corner_pairs:
        return fours
    return tuple(
        Group(first.numbers + second.numbers, first.key, first.picture_index)
        for first, second in zip(twos[::2], twos[1::2], strict=False)
        if first.picture_index == second.picture_index
    )


def _located(
    groups: Sequence[Group],
    form: AnswerForm,
    *,
    pictures: Sequence[Size],
    convention: Convention,
    notes: tuple[str, ...],
    truncated: bool,
) -> Reading:
    """The groups of one answer as geometry: those in the asked picture if there are any, else those in the first one named.

    A point in another picture is a readable answer, `ok` with that picture's index; scoring calls it a miss.
    """
    named = [form.image_index if group.picture_index is None else group.picture_index for group in groups]
    image_index = form.image_index if form.image_index in named else named[0]
    extra = dict.fromkeys(notes)
    if any(index != form.image_index for index in named):
        extra["other_picture"] = None
    if not 0 <= image_index < len(pictures):
        return Reading(status="unreadable", num_found=len(groups), notes=(*extra, "no_such_picture"))
    picture = pictures[image_index]
    kept = [group for group, index in zip(groups, named, strict=True) if index == image_index]
    if any(number.percent for group in kept for number in group.numbers):
        extra["percent_sign"] = None
    shapes = [_as_asked(convention.read(group.numbers, picture), form, extra) for group in kept]
    outside = [not _inside(shape, picture) for shape in shapes]
    status: Status = "out_of_range" if outside[0] else "truncated" if truncated else "ok"
    if any(outside[1:]):
        extra["some_out_of_range"] = None
    if truncated and status != "truncated":
        extra["truncated"] = None
    return Reading(status=status, answer=_answer(shapes, form, image_index), num_found=len(groups), notes=tuple(extra))


def _as_asked(shape: tuple[float, ...], form: AnswerForm, notes: dict[str, None]) -> tuple[float, ...]:
    if len(shape) == 2:
        return shape
    x0, y0, x1, y1 = shape
    if form.shape == "point":
        notes["box_as_point"] = None
        return (x0 + x1) / 2, (y0 + y1) / 2
    if x1 < x0 or y1 < y0:
        notes["reversed_corners"] = None
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _inside(shape: Sequence[float], picture: Size) -> bool:
    limits = (picture.width, picture.height)
    return all(0 <= value <= limits[index % 2] for index, value in enumerate(shape))


def _answer(shapes: Sequence[tuple[float, ...]], form: AnswerForm, image_index: int) -> Answer:
    if form.shape == "point":
        return Points(points=tuple((x, y) for x, y in shapes), image_index=image_index)
    return Boxes(boxes=tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in shapes), image_index=image_index)
