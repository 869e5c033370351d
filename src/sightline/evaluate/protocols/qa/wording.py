"""Short answers in words made comparable: the cleaning of LEO, which LLaVA-3D and Video-3D-LLM took over, and its two matches.

Source: data/data_utils.py and evaluator/ of embodied-generalist/embodied-generalist (567f2d8), llava/eval/ of ZCMax/LLaVA-3D
(91d979d). Lower case; nothing but letters, digits, white space and , ' - : is kept; listed misspellings are mended ("let" becomes
"left", "chai" "chair"); 0 to 20 and 23 become words, "none" too ("zero"); "mat2" is "mat"; a, an, the before a word go.

The refined match is generous: without white space, the answer stands in a truth or a truth in the answer. An empty answer stands
in every truth and is therefore right, and so is "a".
"""

import re
from collections.abc import Sequence

from sightline.evaluate.protocols.qa.number_words import ZERO_TO_TWENTY

DIGITS = {str(value): word for value, word in enumerate(ZERO_TO_TWENTY)} | {"23": "twenty-three", "none": "zero"}
MISSPELT = {
    "letf": "left",
    "let": "left",
    "tehre": "there",
    "rigth": "right",
    "rght": "right",
    "behine": "behind",
    "tv": "TV",
    "chai": "chair",
    "wasing": "washing",
    "waslked": "walked",
    "oclock": "o'clock",
}
MISSPELT_WORDS = re.compile(rf"\b(?:{'|'.join(MISSPELT)})\b")
DIGIT_WORDS = re.compile(rf"\b(?:{'|'.join(DIGITS)})\b")
DROPPED = re.compile(r"[^a-zA-Z0-9,'\s\-:]+")
NUMBERED = re.compile(r"\b([a-zA-Z]+)[0-9]\b")
ARTICLES = tuple(re.compile(rf"\b{article}\b ([a-zA-Z]+)") for article in ("a", "an", "the"))
OCLOCK = re.compile(r"\bo'[ ]+clock\b")
BLANKS, FINAL_BLANKS, FIRST_BLANKS = re.compile(r" {2,}"), re.compile(r"(?<! )[ ]+$"), re.compile(r"^[ ]+")


def clean_answer(text: str) -> str:
    """The text as the cleaning leaves it; it may have blanks at its ends again, where what stood there was dropped."""
    text = FIRST_BLANKS.sub("", FINAL_BLANKS.sub("", text.lower()))
    text = DROPPED.sub("", BLANKS.sub(" ", text))
    text = MISSPELT_WORDS.sub(lambda match: MISSPELT[match[0]], text)
    text = OCLOCK.sub("o'clock", text)
    text = DIGIT_WORDS.sub(lambda match: DIGITS[match[0]], text)
    text = NUMBERED.sub(r"\g<1>", text)
    for article in ARTICLES:
        text = article.sub(r"\g<1>", text)
    return re.sub(r"\bbackwards\b", "backward", text)


def matches(answer: str, truths: Sequence[str]) -> tuple[bool, bool]:
    """(exact, refined): whether the answer is one of the truths, and whether it is, or stands in one, or one stands in it."""
    return answer in truths, answer in truths or any(_overlap(answer, truth) for truth in truths)


def matches_in_order(answer: str, truths: Sequence[str]) -> tuple[bool, bool]:
    """The same as LEO counts it: the first truth that matches in either way decides, so an exact one behind it does not count."""
    for truth in truths:
        if answer == truth:
            return True, True
        if _overlap(answer, truth):
            return False, True
    return False, False


def _overlap(answer: str, truth: str) -> bool:
    one, other = "".join(answer.split()), "".join(truth.split())
    return one in other or other in one
