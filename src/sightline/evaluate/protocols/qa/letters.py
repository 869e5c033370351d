"""MindCube and ViewSpatial-Bench, where every answer is a letter, by named rules.

    mindcube              src/evaluation of mll-lab-nu/MindCube (6d8fd9a): `mindcube_letter`; the overall number leaves the setting
                          "translation" out, the setting is a word in the question's id
    mindcube-lmms-eval    lmms_eval/tasks/mindcube of EvolvingLMMs-Lab/lmms-eval (75571cf): the same of the trimmed text; all
                          questions count, the setting is what the id begins with
    mindcube-vlmevalkit   VLMEvalKit's letters, all questions count
    viewspatial           evaluate.py of ZJU-REAL/ViewSpatial-Bench (2e85a5e), and lmms-eval's the same: the first letter A to D, in
                          any case, of the last line, so that "a chair" is A
    viewspatial-vlmevalkit  VLMEvalKit's letters

An answer without a letter is wrong, except where the truth has none either and the rule compares the two (ViewSpatial-Bench,
VLMEvalKit).
"""

import re
from collections.abc import Sequence

from sightline.evaluate.protocols.qa.answered import Answered, Mean, Tally, by_category, mean_of
from sightline.evaluate.protocols.qa.vlmevalkit import option_letter

SETTINGS = ("around", "rotation", "translation", "among")
LEFT_OUT = "translation"
DOTTED = re.compile(r"([A-E])\.")
SECTION = re.compile(r"<Answer>(.*?)(?:<|$)", re.DOTALL)
IN_SECTION = tuple(re.compile(pattern) for pattern in (r"[Mm]y answer is ([A-E])", r"[Tt]he answer is ([A-E])", r"\b([A-E])\b"))
ANYWHERE = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:^|\n)(?:Answer: )?([A-E])(?:$|\s)",
        r"[\*\"]([A-E])[\*\"]",
        r"\bAnswer:?\s*([A-E])\b",
        r"[Mm]y answer is ([A-E])",
        r"answer is ([A-E])",
    )
)
ALONE = re.compile(r"\b([A-E])\b")
OPTION = re.compile(r"\b([A-D])\b", re.IGNORECASE)


def mindcube_letter(text: str) -> str | None:
    """MindCube's reading: the last capital A to E before a dot, whatever it stands for; else the last in the first `<Answer>`
    section; else the last of five wordings, in order; else the first in the lowest line that has one.

    Their patterns that need a dot can never match after the first, and are not here.
    """
    for patterns, where in ((DOTTED,), text), (IN_SECTION, _section(text)), (ANYWHERE, text):
        for pattern in patterns:
            if found := pattern.findall(where):
                return found[-1]
    for line in reversed(text.split("\n")):
        if match := ALONE.search(line):
            return match[1]
    return None


def mindcube(answers: Sequence[Answered]) -> Tally:
    """Rule `mindcube`: overall without the translations, and each setting."""
    values = [float(mindcube_letter(answered.text) == answered.truth) for answered in answers]
    return _by_setting(values, [_named_in(answered.id) for answered in answers], left_out=LEFT_OUT)


def mindcube_lmms_eval(answers: Sequence[Answered]) -> Tally:
    """Rule `mindcube-lmms-eval`."""
    values = [float(mindcube_letter(answered.text.strip()) == answered.truth) for answered in answers]
    return _by_setting(values, [_begins(answered.id) for answered in answers])


def viewspatial(answers: Sequence[Answered]) -> Tally:
    """Rule `viewspatial`."""
    return _by_type(answers, [float(_option(answered.text.split("\n")[-1]) == _option(answered.truth)) for answered in answers])


def letters_vlmevalkit(answers: Sequence[Answered]) -> Tally:
    """Rules `mindcube-vlmevalkit` and `viewspatial-vlmevalkit`: by category of the question."""
    return _by_type(answers, [float(option_letter(answered.text) == option_letter(answered.truth.strip())) for answered in answers])


def _section(text: str) -> str:
    match = SECTION.search(text)
    return match[1] if match else ""


def _option(text: str) -> str | None:
    match = OPTION.search(text)
    return match[1].upper() if match else None


def _named_in(question_id: str) -> str:
    return next((setting for setting in SETTINGS if setting in question_id.lower()), "other")


def _begins(question_id: str) -> str:
    first = question_id.split("_", 1)[0]
    return "around" if first in ("around", "aroundnew") else first if first in ("among", "rotation") else "other"


def _by_setting(values: Sequence[float], settings: Sequence[str], *, left_out: str | None = None) -> Tally:
    found: dict[str, list[float]] = {}
    for setting, value in zip(settings, values, strict=True):
        found.setdefault(setting, []).append(value)
    counted = [value for setting, value in zip(settings, values, strict=True) if setting != left_out]
    metrics: dict[str, Mean] = {"overall": mean_of(counted)} | {name: mean_of(found[name]) for name in sorted(found)}
    return Tally(metrics=metrics, values=tuple(values), counts={"num_left_out": len(values) - len(counted)})


def _by_type(answers: Sequence[Answered], values: Sequence[float]) -> Tally:
    types = {name: mean_of(found) for name, found in by_category(answers, values).items()}
    return Tally(metrics={"overall": mean_of(values)} | types, values=tuple(values))
