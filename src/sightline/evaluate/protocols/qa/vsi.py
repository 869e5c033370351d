"""VSI-Bench by four named rules: `vsi-official`, `vsi-lmms-eval`, `vsi-vlmevalkit`, `vsi-spatial-mllm`.

Sources: lmms_eval/tasks/vsibench/utils.py of vision-x-nyu/thinking-in-space (51e089c), the same file of EvolvingLMMs-Lab/lmms-eval
(75571cf), vlmeval/dataset/utils/spatial_bench of open-compass/VLMEvalKit (e8e78f0), src/evaluation/vsibench of
diankun-wu/Spatial-MLLM (9fc4738).

Six types of question have a letter as their answer, four a number. A letter is right or wrong; a number gets its mean relative
accuracy. How a text is read is what differs:

    rule               a letter                              a number
    vsi-official       what stands before the first blank    the same, read as Python reads a float
    vsi-lmms-eval      as vsi-official                       the first number anywhere, in digits or English words
    vsi-vlmevalkit     `option_letter`                       `last_number`
    vsi-spatial-mllm   the whole text, cleaned               the whole text, cleaned, without commas; single precision

The overall number is the mean over eight tasks: the three grades of relative direction are one task. Where a grade is missing, the
published scripts differ: official and lmms-eval stop (`not_run` says so), the other two go on.
"""

import re
from collections.abc import Callable, Sequence

from sightline.evaluate.protocols.qa.answered import Answered, Mean, ScriptStops, Tally, by_category, mean_of
from sightline.evaluate.protocols.qa.number_words import ZERO_TO_TWENTY
from sightline.evaluate.protocols.qa.relative_accuracy import relative_accuracy, single_relative_accuracy
from sightline.evaluate.protocols.qa.vlmevalkit import last_number, option_letter

DIRECTIONS = ("object_rel_direction_easy", "object_rel_direction_medium", "object_rel_direction_hard")
DIRECTION = "object_rel_direction"
LETTERS = (*DIRECTIONS, "object_rel_distance", "route_planning", "obj_appearance_order")
NUMBERS = ("object_abs_distance", "object_counting", "object_size_estimation", "room_size_estimation")
CATEGORIES = (*LETTERS, *NUMBERS)

_WORDS = {word: value for value, word in enumerate(ZERO_TO_TWENTY)} | {
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
    "hundred": 100,
    "thousand": 1000,
}
_DIGITS = re.compile(r"-?\d+(?:\.\d+)?")
_LOWER_WORD = re.compile(r"[a-z]+")
_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
Score = Callable[[str, str], float]
"""(the model's text, the published answer) -> 0..1."""


def first_token(text: str) -> str:
    """What stands before the first blank (a space, no other white space), without final dots."""
    return text.split(" ", maxsplit=1)[0].rstrip(".").strip()


def official_letter(text: str, truth: str) -> float:
    return float(first_token(text).lower() == truth.lower())


def official_number(text: str, truth: str) -> float:
    return _divided(_float(first_token(text)), _float(truth))


def first_number(text: str) -> float | None:
    """The first number of a text: digits, or a run of English number words ("three hundred and twenty-one")."""
    lower = text.strip().lower()
    digits = _DIGITS.search(lower)
    start, words = _first_words(lower)
    if digits is not None and (start is None or digits.start() < start):
        return float(digits[0])
    return None if start is None else _value_of(words)


def lmms_eval_number(text: str, truth: str) -> float:
    return _divided(first_number(text), _float(truth))


def vlmevalkit_letter(text: str, truth: str) -> float:
    """Both sides are read the same way, so that an unreadable answer to an unreadable truth is right."""
    return float(option_letter(text) == option_letter(truth.strip()))


def vlmevalkit_number(text: str, truth: str) -> float:
    """The error is not divided where the truth is 0."""
    answer, right = last_number(text), _float(truth)
    if answer is None or right is None or right != right:  # noqa: PLR0124 - nan
        return 0.0
    return relative_accuracy(abs(answer - right) if right == 0 else abs((answer - right) / right))


def cleaned(text: str) -> str:
    """The last answer block, or all of the text; white space collapsed, final dots dropped, lower case."""
    blocks = _ANSWER.findall(text) if "</answer>" in text else []
    return re.sub(r"\s+", " ", blocks[-1] if blocks else text).strip().rstrip(".").lower()


def spatial_mllm_letter(text: str, truth: str) -> float:
    return float(cleaned(text).strip() == cleaned(truth).strip())


def spatial_mllm_number(text: str, truth: str) -> float:
    answer, right = (_float(cleaned(part).replace(",", "")) for part in (text, truth))
    return 0.0 if answer is None or right is None else single_relative_accuracy(answer, right)


def vsi_official(answers: Sequence[Answered]) -> Tally:
    """Rule `vsi-official`."""
    return _tally(answers, official_letter, official_number, lenient=False, stops_without=("object_rel_direction_easy",))


def vsi_lmms_eval(answers: Sequence[Answered]) -> Tally:
    """Rule `vsi-lmms-eval`."""
    return _tally(answers, official_letter, lmms_eval_number, lenient=False)


def vsi_vlmevalkit(answers: Sequence[Answered]) -> Tally:
    """Rule `vsi-vlmevalkit`, without a judge model."""
    return _tally(answers, vlmevalkit_letter, vlmevalkit_number, lenient=True)


def vsi_spatial_mllm(answers: Sequence[Answered]) -> Tally:
    """Rule `vsi-spatial-mllm`; also the means of letters and of numbers, each over all answers (micro) and over types (macro)."""
    tally = _tally(answers, spatial_mllm_letter, spatial_mllm_number, lenient=True)
    types = by_category(answers, tally.values)
    grades = [sum(types[name]) / len(types[name]) for name in DIRECTIONS if name in types]
    means = {name: sum(found) / len(found) for name, found in types.items() if name not in DIRECTIONS}
    if grades:
        means[DIRECTION] = sum(grades) / len(grades)
    metrics = {name: metric for name, metric in tally.metrics.items() if name not in (*DIRECTIONS, DIRECTION, "overall")}
    for name in DIRECTIONS:
        metrics |= {name: mean_of(types[name])} if name in types else {}
    for kind, chosen in (("acc", (*LETTERS, DIRECTION)), ("mra", NUMBERS), ("all", (*CATEGORIES, DIRECTION))):
        micro = [value for name in types for value in types[name] if name in chosen]
        macro = mean_of([mean for name, mean in means.items() if name in chosen])
        metrics |= {f"{kind}_micro": mean_of(micro), f"{kind}_macro": Mean(value=macro.value, n=len(micro))}
    return Tally(metrics={"overall": metrics["all_macro"]} | metrics, values=tally.values, counts=tally.counts)


def _tally(answers: Sequence[Answered], letter: Score, number: Score, *, lenient: bool, stops_without: Sequence[str] = ()) -> Tally:
    values, stopped = [], 0
    for answered in answers:
        score = letter if answered.category in LETTERS else number
        try:
            values.append(score(answered.text, answered.truth))
        except ScriptStops:
            values.append(0.0)
            stopped += 1
    means = {name: mean_of(found) for name, found in by_category(answers, values).items()}
    grades = [name for name in DIRECTIONS if name in means]
    not_run: dict[str, str] = {}
    if len(grades) == len(DIRECTIONS):
        found = [means.pop(name) for name in DIRECTIONS]
        value = sum(each.value or 0.0 for each in found) / len(found)
        means[DIRECTION] = Mean(value=value, n=sum(each.n for each in found))
    elif not lenient and (set(stops_without) & set(grades) or not stops_without):
        missing = [name for name in DIRECTIONS if name not in grades]
        not_run["overall"] = f"the published script stops where there are no questions of type {', '.join(missing)}"
    shares = [mean.value for mean in means.values() if mean.value is not None]
    overall = Mean(value=None if not_run else mean_of(shares).value, n=len(values))
    return Tally(metrics={"overall": overall} | means, values=tuple(values), not_run=not_run, counts={"num_stopped": stopped})


def _divided(answer: float | None, truth: float | None) -> float:
    """The relative accuracy by their signed divisor: a truth below 0 makes every answer right.

    Raises:
        ScriptStops: the truth is 0.
    """
    if answer is None or truth is None:
        return 0.0
    if truth == 0:
        raise ScriptStops
    return relative_accuracy(abs(answer - truth) / truth)


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _first_words(lower: str) -> tuple[int | None, list[str]]:
    """Where the first run of number words begins, and its words; "and" may stand between them, nothing else."""
    start, words = None, []
    for match in _LOWER_WORD.finditer(lower):
        if match[0] in _WORDS:
            start = match.start() if start is None else start
            words.append(match[0])
        elif start is not None and match[0] != "and":
            break
    return start, words


def _value_of(words: Sequence[str]) -> float:
    total = current = 0
    for word in words:
        value = _WORDS[word]
        if value == 1000:
            total, current = total + max(current, 1) * 1000, 0
        elif value == 100:
            current = max(current, 1) * 100
        else:
            current += value
    return float(total + current)
