"""The sentences of benchmark files: points in an answer, and the words of a question that say how to write one.

    Pinpoint several points within the vacant space situated to the left of the bowl. Your answer should be formatted as a list of
    tuples, i.e. [(x1, y1), (x2, y2), ...], where each tuple contains ...          -> instruction and suffix; several points
    [(0.461, 0.527), (0.498, 0.521)]                                               -> points as shares of the picture

Nothing is evaluated: an answer is points only if the whole text is such a list.
"""

import re

SUFFIX = re.compile(
    r"\s+(?=(?:Your (?:final )?answer should be formatted|Please provide (?:its|their) 2D coordinates|Answer yes or no)\b)",
    re.IGNORECASE,
)
SEVERAL = re.compile(r"\(x1, ?y1\), ?(?:\(x2|\.\.\.)")
NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)"
POINT = re.compile(rf"\(\s*({NUMBER})\s*,\s*({NUMBER})\s*\)")
POINTS = re.compile(rf"\s*\[\s*{POINT.pattern}(?:\s*,\s*{POINT.pattern})*\s*,?\s*\]\s*\.?\s*")


def split_suffix(text: str) -> tuple[str, str]:
    """The question itself, and the words on how to write the answer ("" where there are none)."""
    match = SUFFIX.search(text)
    return (text[: match.start()].strip(), text[match.end() :].strip()) if match else (text.strip(), "")


def asks_for_several(suffix: str) -> bool:
    """Whether the words show a list of more than one point."""
    return SEVERAL.search(suffix) is not None


def parse_points(text: str) -> tuple[tuple[float, float], ...] | None:
    """The points (x, y) of a text that is a list of them and nothing else; None for any other text."""
    if not POINTS.fullmatch(text):
        return None
    return tuple((float(x), float(y)) for x, y in POINT.findall(text))
