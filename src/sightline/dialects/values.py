"""Numbers and free words as answers: how they are asked for and read. The same for every family.

Of a number counts, after the reasoning is dropped and inside the last `<answer>` if there is one, the only number that is written
("2.5", "2.5 m", "about 2.5 metres", "1,200 cm"), or where there is no digit the only number word from zero to twenty ("two
meters"). A length or area with another metric unit behind it is converted ("250 cm" where metres are asked for). Two different
numbers are `ambiguous`, none is `unreadable` (note `no_number`). Protocols of benchmarks read the raw text by their own rules.
"""

import re

from sightline.dialects.reading import answer_body
from sightline.types import AnswerForm, Number, Reading, TextAnswer

UNIT_WORDS = {"m": "metres", "cm": "centimetres", "m2": "square metres"}
_METRES = {"mm": 0.001, "cm": 0.01, "m": 1.0, "km": 1000.0}
_SQUARE_METRES = {"cm2": 0.0001, "m2": 1.0}
_NUMBER_WORDS = {
    "zero": 0,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "fifteen": 15,
    "sixteen": 16,
    "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19,
    "twenty": 20,
}
_DIGITS = re.compile(r"(?<![\w.^])(-?(?:[0-9]{1,3}(?:,[0-9]{3}){1,4}|[0-9]{1,15})(?:\.[0-9]{0,15})?|-?\.[0-9]{1,15})(?![0-9])")
_WORDS = re.compile(rf"\b({'|'.join(_NUMBER_WORDS)})\b", re.IGNORECASE)
_UNIT = re.compile(
    r"\s{0,3}(?:(?P<square>sq(?:uare|\.)?\s{1,3})?(?P<unit>millimet(?:er|re)s?|centimet(?:er|re)s?|kilomet(?:er|re)s?|met(?:er|re)s?"
    r"|mm|cm|km|m)(?P<two>\^?2|²)?(?![A-Za-z0-9]))",
    re.IGNORECASE,
)


def number_instruction(form: AnswerForm) -> str:
    """The sentence that asks for the number, in its unit."""
    unit = f", in {UNIT_WORDS.get(form.unit, form.unit)}" if form.unit else ""
    return f"Answer with one number only{unit}."


def text_instruction() -> str:
    """The sentence that asks for words."""
    return "Answer with a single word or a short phrase."


def encode_number(answer: Number) -> str:
    """The number alone, as short as it reads back equal: "4", "2.5"."""
    return repr(int(answer.value)) if answer.value == int(answer.value) else repr(answer.value)


def read_number(text: str, form: AnswerForm) -> Reading:
    """The number a text says, in the form's unit. Never raises, whatever the text; time is linear in its length."""
    body = answer_body(text)
    found: dict[float, None] = {}
    for match in _DIGITS.finditer(body.text):
        found[_in_unit(float(match[1].replace(",", "")), body.text, match.end(), form.unit)] = None
    if not found:
        for match in _WORDS.finditer(body.text):
            value = float(_NUMBER_WORDS[match[1].lower()])
            found[_in_unit(value, body.text, match.end(), form.unit)] = None
    if len(found) > 1:
        return Reading(status="ambiguous", num_found=len(found), notes=body.notes)
    if not found:
        status = "truncated" if body.cut_off else "unreadable" if body.text.strip() else "empty"
        return Reading(status=status, notes=(*body.notes, "no_number") if status == "unreadable" else body.notes)
    (value,) = found
    status = "truncated" if body.cut_off else "ok"
    return Reading(status=status, answer=Number(value=value, unit=form.unit), num_found=1, notes=body.notes)


def read_text(text: str) -> Reading:
    """The words of a text after its reasoning."""
    body = answer_body(text)
    words = body.text.strip()
    if not words:
        return Reading(status="truncated" if body.cut_off else "empty", notes=body.notes)
    return Reading(status="truncated" if body.cut_off else "ok", answer=TextAnswer(text=words), num_found=1, notes=body.notes)


def _in_unit(value: float, text: str, end: int, unit: str) -> float:
    """The value in `unit`, by the unit that stands behind it in the text; unchanged where none does, or one of another kind."""
    match = _UNIT.match(text, end)
    if not unit or match is None:
        return value
    written = _short(match["unit"]) + ("2" if match["square"] or match["two"] else "")
    for table in (_METRES, _SQUARE_METRES):
        if unit in table and written in table:
            return value if unit == written else round(value * table[written] / table[unit], 12)
    return value


def _short(unit: str) -> str:
    lower = unit.lower()
    return next(
        (short for prefix, short in (("milli", "mm"), ("centi", "cm"), ("kilo", "km"), ("met", "m")) if lower.startswith(prefix)),
        lower,
    )
