"""How VLMEvalKit finds a letter or a number in a model's text, without its judge model.

Source: vlmeval/dataset/utils/spatial_bench/matching_func.py of open-compass/VLMEvalKit (e8e78f0). A letter is looked for in seven
places, the first that has one decides:

1. the start of an `<answer>` block (A to J, in any case); also of prose, so that "<answer>because" is B
2. right before `</answer>`, then before `</think>`, in the last 800 characters
3. the last six lines behind the reasoning, from the bottom up: a line that is a letter, that begins with "A.", or that has one
   capital letter A to F, however often; lines that begin with "Option A:" are passed over
4. the same of the last 800 characters
5. the first "the answer is B" and the like, in English or Chinese
6. the only capital letter A to F anywhere

A number is the one in an `<answer>` block, else the last one behind the reasoning, else the last one at all; the words zero to
twenty are digits first. A text in square brackets is read as a Python list, and its first entry counts. Texts of more than
`MAX_TEXT` characters are read from there on back: theirs has no limit and takes quadratic time.
"""

import ast
import re

from sightline.evaluate.protocols.qa.number_words import ZERO_TO_TWENTY

MAX_TEXT = 20_000
TAIL, LAST_LINES = 800, 6
OPENING, CLOSING = r"[\(\[\{（【]?", r"[\)\]\}）】]?"
TIGHT = r"\.,:;!?\)\]】》」』，。；、："

INVISIBLE = re.compile("[\u200b\u200c\u200d\ufeff]")
ANSWER_BLOCK = re.compile(r"<\s*answer\b[^>]*>\s*([A-Ja-j]).*?<\s*/\s*answer\s*>", re.IGNORECASE | re.DOTALL)
BEFORE_TAG = tuple(
    re.compile(rf"(?<![A-Za-z]){OPENING}\s*([A-F])\s*{CLOSING}\s*</\s*{tag}\s*>", re.IGNORECASE) for tag in ("answer", "think")
)
THINK_END, THINK_START = re.compile(r"</\s*think\s*>", re.IGNORECASE), re.compile(r"<\s*think\s*>", re.IGNORECASE)
OPTION_LINE = re.compile(r"[*_>\-\s]*(?:option|选项)\s+[A-J]\s*[:：]", re.IGNORECASE)
LONE_LETTER = re.compile(r"\s*[*_`>（）\[\]【】\(\)]*\s*([A-Fa-f])\s*[*_`（）\[\]【】\(\)]*\s*")
LABELLED = re.compile(r"\s*([A-F])\s*[\.．:：\)\]】、-]\s+", re.IGNORECASE)
CAPITAL = re.compile(rf"(?<![A-Za-z])[*_`（\[\{{\(]*\s*([A-F])\s*[*_`）\]\}})]*(?=$|[\s{TIGHT}])")
CONCLUSION = re.compile(
    r"(?i)(?:final\s*answer|the\s*answer\s*is|answer(?:\s*is)?|correct\s*answer"
    r"|答案|最终答案|结论|所以|因此|我选(?:择)?|选择|选)"
    rf"\s*[:：>＝=]?\s*{OPENING}\s*([A-F])\s*{CLOSING}(?:\b|[.)、。])"
)
LONE_CAPITAL = re.compile(rf"(?<![A-Za-z]){OPENING}\s*([A-F])\s*{CLOSING}(?![A-Za-z])")

NUMBER = r"[-+]?(?:\d*\.\d+|\d+)(?:[eE][-+]?\d+)?"
NUMBERS = re.compile(NUMBER)
NUMBER_BLOCK = re.compile(rf"<\s*answer\b[^>]*>\s*({NUMBER})(?:[^\d<][^<]*)?<\s*/\s*answer\s*>", re.IGNORECASE | re.DOTALL)
COUNTED_WORDS = re.compile(rf"\b({'|'.join(ZERO_TO_TWENTY)})\b", re.IGNORECASE)


def option_letter(text: str) -> str | None:
    """The letter (a capital) that a text says; None where none of the places has one."""
    text = INVISIBLE.sub("", text[-MAX_TEXT:].strip())
    for pattern, where in ((ANSWER_BLOCK, text), *((pattern, text[-TAIL:]) for pattern in BEFORE_TAG)):
        if match := pattern.search(where):
            return match[1].upper()
    for part in (behind_reasoning(text), text[-TAIL:]):
        if letter := _of_last_lines(part):
            return letter
    if match := CONCLUSION.search(text):
        return match[1].upper()
    kept = "\n".join(line for line in text.splitlines() if not OPTION_LINE.match(line))
    capitals = set(LONE_CAPITAL.findall(kept))
    return capitals.pop() if len(capitals) == 1 else None


def last_number(text: str) -> float | None:
    """The number that a text says; None where it has none."""
    text = text[-MAX_TEXT:]
    if text.strip().startswith("[") and text.strip().endswith("]"):
        try:
            entries = ast.literal_eval(text)
        except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
            return None
        text = str(entries[0]) if isinstance(entries, list) and entries else text
    text = COUNTED_WORDS.sub(lambda match: str(ZERO_TO_TWENTY.index(match[1].lower())), INVISIBLE.sub("", text.strip()))
    if match := NUMBER_BLOCK.search(text):
        return float(match[1])
    found = NUMBERS.findall(behind_reasoning(text)) or NUMBERS.findall(text)
    return float(found[-1]) if found else None


def behind_reasoning(text: str) -> str:
    """What stands behind the last `</think>`, else behind the last `<think>`, else all of it."""
    for pattern in (THINK_END, THINK_START):
        ends = [match.end() for match in pattern.finditer(text)]
        if ends:
            return text[ends[-1] :].strip()
    return text


def _of_last_lines(text: str) -> str | None:
    for line in reversed([line.strip() for line in text.splitlines()[-LAST_LINES:] if line.strip()]):
        if OPTION_LINE.match(line):
            continue
        if match := LONE_LETTER.fullmatch(line) or LABELLED.match(line):
            return match[1].upper()
        capitals = set(CAPITAL.findall(line))
        if len(capitals) == 1:
            return capitals.pop()
    return None
