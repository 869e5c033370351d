"""Answers that are one word of a few: how they are asked for and read. The same for every family; no numbers are involved.

What counts, after the reasoning is dropped and inside the last `<answer>` if there is one:
- an offered word as a whole word, in any case: "Yes", "yes, it is", "**No.**", "The answer is no";
- "no" before another word only at the very start ("No such cup is there"): elsewhere it is grammar ("there is no other one");
- a letter only as it is offered ("B"), unless it is all that is said ("b"); and not "A" at the start and before another word
  ("A cup", but "A. a cup", "(A) a cup", "I choose A because ..." count), for that is grammar too.

One offered word, however often: that is the answer. Two different ones: `ambiguous`. None: `unreadable`. A description is no claim:
"it is not visible" is `unreadable` with the note `absence_phrase`, because "I see it on the table" would not be read as yes either.
"Yes" beside such a phrase ("Yes ... it is not visible") is `ambiguous`.
"""

import re

from sightline.dialects.reading import answer_body, says_absent
from sightline.errors import InputError
from sightline.types import NO, YES, AnswerForm, Choice, Reading

_WORD = re.compile(r"[^\W_]+")
_NEXT_WORD = re.compile(r"[ \t]+[^\W_]")


def choice_instruction(form: AnswerForm) -> str:
    """The sentence that offers the words."""
    *first, last = (f'"{option}"' for option in form.options)
    return f"Answer with one word, {', '.join(first)} or {last}."


def encode_choice(answer: Choice) -> str:
    """The word itself."""
    return answer.value


def read_choice(text: str, form: AnswerForm) -> Reading:
    """Which of `form.options` a text says. Never raises, whatever the text; time is linear in its length."""
    body = answer_body(text)
    found = _said(body.text, form)
    if len(found) > 1 or (found == {YES} and says_absent(body.text)):
        return Reading(status="ambiguous", num_found=len(found), notes=body.notes)
    if found:
        (value,) = found
        return Reading(status="truncated" if body.cut_off else "ok", answer=Choice(value=value), num_found=1, notes=body.notes)
    if body.cut_off:
        return Reading(status="truncated", notes=body.notes)
    if not body.text.strip():
        return Reading(status="empty", notes=body.notes)
    notes = ("absence_phrase",) if says_absent(body.text) else ("no_choice",)
    return Reading(status="unreadable", notes=body.notes + notes)


def no_masks(dialect: str) -> InputError:
    """The error of a dialect that is asked for a mask."""
    return InputError(
        f"dialect {dialect!r} cannot write masks: no text family can. Ask for points (t2b, refer_point) or boxes "
        "(t2b_box, refer_box, refer_track) instead, or use a model that answers in geometry."
    )


def no_clips(dialect: str) -> InputError:
    """The error of a dialect that is to write boxes over time, or a stretch of time."""
    return InputError(
        f"dialect {dialect!r} has no way of writing boxes over time. Use a dialect that has (docs/models.md names them), or ask "
        "frame by frame."
    )


def _said(text: str, form: AnswerForm) -> set[str]:
    offered = {option.lower(): option for option in form.options}
    said: set[str] = set()
    alone = text.strip()
    for position, match in enumerate(_WORD.finditer(text)):
        word = match.group()
        option = offered.get(word.lower())
        followed = _NEXT_WORD.match(text, match.end()) is not None
        if option is None or (option == NO and position > 0 and followed):
            continue
        if len(option) == 1 and alone != word and (word != option or (option == "A" and position == 0 and followed)):
            continue
        said.add(option)
    return said
