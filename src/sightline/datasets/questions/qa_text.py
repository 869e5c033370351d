"""What the words of a spatial question say: media, options, how to write the answer; and what an answer text means.

    <video>\\nThese are frames of a video.\\nHow many chairs are there?\\nPlease answer the question using a single word or phrase.
    <image>\\n<image>\\nWhat is left of the cup? A. Bottle B. Book      a letter; options stand in a line, or one a line
    The sign says "<image>": what does it mean?                       spoken of in quotation marks: no medium

An answer is a letter where there are options ("B", "B. Book", "<answer>B. Book</answer>", or the option's words), else a number
where the whole text is one ("two meters"), else words.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sightline.datasets.questions.measures import asked_unit, in_unit, parse_measure
from sightline.types import Choice, Medium, Number, TextAnswer

TAG = re.compile(r"(?P<quote>[\"'`“‘]?)<(?P<what>image|video)>(?P<end>[\"'`”’]?)")
CLOSING = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’"}
OPTION = re.compile(r"(?:^|(?<=\s))\(?([A-H])[.):][ \t]+(?=\S)")
LETTER = re.compile(r"\(?([A-Za-z])\)?(?:[.):]|$)\s*")
ANSWER = re.compile(r"<answer>(.*?)</answer>", re.IGNORECASE | re.DOTALL)
SUFFIX = re.compile(
    r"(?:please |reply only|do not resp|answer (?:the|with|in|using|briefly|yes)|respond with|give (?:your|the) answer)[^\n]*",
    re.IGNORECASE,
)
UNITS = {  # of the question types of VSI-Bench that ask for a number
    "object_counting": "",
    "object_abs_distance": "m",
    "object_size_estimation": "cm",
    "room_size_estimation": "m2",
}
CHOICE_TYPES = (
    "object_rel_distance",
    "object_rel_direction_easy",
    "object_rel_direction_medium",
    "object_rel_direction_hard",
    "route_planning",
    "obj_appearance_order",
)
Target = Choice | Number | TextAnswer


class Unusable(NamedTuple):
    """Why a question cannot be used, for the ledger."""

    reason: str
    detail: str


def cut_at_tags(text: str) -> Iterator[str]:
    """The words and the tags "<image>", "<video>" in order; a tag between quotation marks is words."""
    last = 0
    for match in TAG.finditer(text):
        if match["quote"] and CLOSING[match["quote"]] == match["end"]:
            continue
        if text[last : match.start("quote")] or match["quote"]:
            yield text[last : match.end("quote")]
        yield f"<{match['what']}>"
        last = match.start("end")
    if text[last:]:
        yield text[last:]


def place_media(
    texts: Sequence[str], images: Sequence[Medium], videos: Sequence[Medium]
) -> list[tuple[str | Medium, ...]] | Unusable:
    """The turns of a user with the media in the places of their tags, in order; or why tags and media do not match."""
    rest = {"<image>": list(images), "<video>": list(videos)}
    turns = [list(cut_at_tags(text)) for text in texts]
    for tag, media in rest.items():
        found = sum(turn.count(tag) for turn in turns)
        if found != len(media):
            return Unusable("tags_do_not_match_media", f"{found} {tag} tags for {len(media)} {tag.strip('<>')} paths")
    return [tuple(rest[piece].pop(0) if piece in rest else piece for piece in turn) for turn in turns]


def split_how(text: str) -> tuple[str, str]:
    """The question, and its last line if that says how to write the answer ("" where it does not); joined they are the text."""
    stem = text.rstrip()
    start = stem.rfind("\n") + 1
    return (text[:start], text[start:]) if SUFFIX.match(stem, start) else (text, "")


def find_options(text: str) -> tuple[tuple[str, str], ...]:
    """The lettered options at the end of a question, (letter, words); () where there are fewer than two."""
    run: list[re.Match[str]] = []
    for match in OPTION.finditer(text):
        if match[1] == "A":
            run = [match]
        elif run and match[1] == chr(ord("A") + len(run)):
            run.append(match)
    if len(run) < 2:
        return ()
    ends = [*(match.start() for match in run[1:]), len(text)]
    words = (text[match.end() : end].strip().split("\n")[0].strip() for match, end in zip(run, ends, strict=True))
    return tuple((match[1], said) for match, said in zip(run, words, strict=True))


def listed_options(options: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Options that a record lists apart ("A. left", or "left"), as (letter, words)."""
    found = []
    for number, option in enumerate(options):
        letter = chr(ord("A") + number)
        match = OPTION.match(option)
        found.append((letter, option[match.end() :].strip() if match and match[1] == letter else option.strip()))
    return tuple(found)


def read_answer(answer: str, options: Sequence[tuple[str, str]], question_type: str, question: str = "") -> Target | Unusable:
    """What the published answer says, or why it is of no use."""
    tagged = ANSWER.findall(answer)
    said = (tagged[-1] if tagged else answer).strip()
    if not said:
        return Unusable("answer_empty", f"the answer is {answer!r}")
    if options:
        letter = _letter(said, options)
        return Choice(value=letter) if letter else _not_an_option(said, options)
    if question_type in CHOICE_TYPES:
        return Unusable("options_missing", f"a question of the type {question_type} without options; its answer is {said[:80]!r}")
    number = parse_measure(said)
    if number is not None:
        unit = UNITS.get(question_type) if question_type in UNITS else (asked_unit(question) or number.unit)
        converted = in_unit(number, unit or "")
        if converted is not None:
            return converted
    if question_type in UNITS:
        return Unusable("answer_unreadable", f"expected a number for {question_type}, found {said[:80]!r}")
    return TextAnswer(text=said)


def _letter(said: str, options: Sequence[tuple[str, str]]) -> str | None:
    """The letter of the option that is meant; None where the text names none, or a letter beside the words of another one."""
    words = dict(options)
    match = LETTER.match(said)
    if match and match[1].upper() in words:
        rest = said[match.end() :].strip().rstrip(".").lower()
        if not rest or rest == words[match[1].upper()].rstrip(".").lower():
            return match[1].upper()
    same = [letter for letter, text in options if text.rstrip(".").lower() == said.rstrip(".").lower()]
    return same[0] if len(same) == 1 else None


def _not_an_option(said: str, options: Sequence[tuple[str, str]]) -> Unusable:
    named = "; ".join(f"{letter}. {text}"[:40] for letter, text in options)
    return Unusable("answer_not_an_option", f"the answer is {said[:80]!r}, the options are {named}")
