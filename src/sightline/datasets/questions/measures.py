"""Numbers as people write them in answers, with their units: "2.5", "1,200 cm", "two meters", "35.5 square metres", "3 m^2".

Digits, or a number word from zero to twenty. A text is a number only as a whole: "about 2" and "2 or 3" are words. What a metric
unit says is kept: "m", "cm", "m2", "mm", "km"; of any other word behind the number ("chairs") nothing is known, so that it is no
number.
"""

import re

from sightline.types import Number

WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
UNITS = {
    "m": r"m|met(?:er|re)s?",
    "cm": r"cm|centimet(?:er|re)s?",
    "mm": r"mm|millimet(?:er|re)s?",
    "km": r"km|kilomet(?:er|re)s?",
    "m2": r"m\^?2|m²|sq\.? ?m|(?:square|sq\.?) met(?:er|re)s?",
    "cm2": r"cm\^?2|cm²|(?:square|sq\.?) centimet(?:er|re)s?",
}
IN_METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001, "km": 1000.0}
IN_SQUARE_METRES = {"m2": 1.0, "cm2": 0.0001}
MAX_CHARACTERS = 64
NUMBER = re.compile(
    rf"(?:(?=[-+.]*\d)(?P<digits>[-+]?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)?(?:\.\d*)?)|(?P<word>{'|'.join(WORDS)}))"
    r"\s*(?P<unit>[a-z².^ 0-9]*?)\s*\.?",
    re.IGNORECASE,
)
ASKED = re.compile(r"\b(?:in|unit(?: is|s are)?:?|using) ((?:square |centi)?met(?:er|re)s?|cm|m\^?2|m²|m)\b", re.IGNORECASE)


def parse_measure(text: str) -> Number | None:
    """The number that the whole text is, None for any other text."""
    text = text.strip()
    match = NUMBER.fullmatch(text) if len(text) <= MAX_CHARACTERS else None
    if match is None:
        return None
    unit = _unit(match["unit"]) if match["unit"] else ""
    if unit is None:
        return None
    value = float(WORDS.index(match["word"].lower())) if match["word"] else float(match["digits"].replace(",", ""))
    return Number(value=value, unit=unit)


def asked_unit(question: str) -> str:
    """The unit that a question asks for ("in meters"), "" where it says none."""
    found = ASKED.findall(question)
    return (_unit(found[-1]) or "") if found else ""


def in_unit(number: Number, unit: str) -> Number | None:
    """The number in `unit`; one without a unit is taken to be in it. None where the two are of other kinds (a length, an area)."""
    if not number.unit or number.unit == unit:
        return Number(value=number.value, unit=unit)
    for table in (IN_METRES, IN_SQUARE_METRES):
        if number.unit in table and unit in table:
            return Number(value=round(number.value * table[number.unit] / table[unit], 9), unit=unit)
    return None


def _unit(written: str) -> str | None:
    return next((unit for unit, pattern in UNITS.items() if re.fullmatch(pattern, written.strip(), re.IGNORECASE)), None)
