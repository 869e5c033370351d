"""The turns of a conversation: pairs of question and answer, and what an answer says.

An answer is points, one of the question's lettered options, or yes or no:

    [(0.512, 0.334)]                             points, in shares of the picture
    (B) the red cup, or B, of ... (A) ... (B)    a letter
    No.                                          a word
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

from sightline.datasets.questions.point_text import asks_for_several, parse_points
from sightline.types import NO, YES, Choice, LedgerEntry, PointsTarget, WordTarget

LETTER = re.compile(r"\s*\(?([A-Z])(?:\)|\.|\s*$)")
OPTION = re.compile(r"\(([A-Z])\)")
MEDIA_TOKEN = re.compile(r"<(?:image|depth)>[ \t]*\n?")


class Turn(msgspec.Struct, frozen=True):
    """What one side says."""

    value: str
    speaker: str = msgspec.field(name="from")


def pairs(turns: Sequence[Turn], unit: str) -> Iterator[tuple[str, str] | LedgerEntry]:
    """Each question, without media tokens, with its answer; or why the turns go no further."""
    for number, (asked, said) in enumerate(zip(turns[::2], turns[1::2], strict=False)):
        if (asked.speaker, said.speaker) != ("human", "gpt"):
            detail = f"turns {2 * number} and {2 * number + 1} are by {asked.speaker!r} and {said.speaker!r}, not human and gpt"
            yield LedgerEntry(unit=f"{unit}-{number}", reason="turns_out_of_order", detail=detail)
            return
        yield MEDIA_TOKEN.sub("", asked.value), said.value
    if len(turns) % 2:
        detail = f"{len(turns)} turns; the last has no answer"
        yield LedgerEntry(unit=unit, reason="turn_without_answer", detail=detail)


def turn_target(instruction: str, suffix: str, answer: str, *, num_pictures: int) -> PointsTarget | WordTarget | str:
    """What the answer says, or the reason (for the ledger) why it is of no use. `suffix` says in which form points were asked."""
    points = parse_points(answer)
    if points is not None:
        if num_pictures > 1:
            return "point_in_several_pictures"
        if len(points) > 1 and suffix and not asks_for_several(suffix):
            return "several_points_where_one_is_asked"
        if any(not (0 <= value <= 1) for point in points for value in point):
            return "point_out_of_range"
        return PointsTarget(points_norm=points)
    word = answer.strip().rstrip(".").lower()
    if word in (YES, NO):
        return WordTarget(answer=Choice(value=word), options=(YES, NO))
    options = tuple(dict.fromkeys(OPTION.findall(instruction)))
    letter = LETTER.match(answer)
    if letter and letter[1] in options and len(options) > 1:
        return WordTarget(answer=Choice(value=letter[1]), options=options)
    return "answer_is_free_text"
