"""The sentences of `wordings.toml` with their slots filled; whole questions, before any picture is drawn."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TypedDict

import msgspec

from sightline.errors import InputError
from sightline.tasks.crossview import example_rng
from sightline.tasks.relations.options import RelationOptions

RANKS = ("first", "second", "third")


class RelationWords(TypedDict):
    """The data file: what left and right mean, and the wordings of each kind of question."""

    definitions: dict[str, str]
    questions: dict[str, list[str]]


@cache
def relation_words() -> RelationWords:
    """The data file, read once."""
    text = resources.files("sightline.tasks.relations").joinpath("wordings.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), RelationWords)


def choose(kind: str, pair_id: str, options: RelationOptions) -> int:
    """The place of the wording in the kind's list; twins have the same one.

    Raises:
        InputError: there is no wording of that number.
    """
    count = len(relation_words()["questions"][kind])
    if options.wording == "first":
        return 0
    if options.wording == "mixed":
        return int(example_rng(options.seed, f"{pair_id}/wording").integers(count))
    if 0 <= options.wording < count:
        return options.wording
    raise InputError(f"wording {options.wording}: relations have the wordings 0 to {count - 1}. Give one of them, first or mixed.")


def question_words(kind: str, wording: int, values: Mapping[str, str]) -> str:
    """The question, its first letter a capital."""
    text = relation_words()["questions"][kind][wording].format_map(values)
    return text[:1].upper() + text[1:]


def definition(name: str) -> str:
    """What left and right mean in this question."""
    return relation_words()["definitions"][name]


def rank_word(rank: int) -> str:
    """first, second, third, then 4th, 5th, ..., 11th, 21st, ..."""
    if rank <= len(RANKS):
        return RANKS[rank - 1]
    ending = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}{ending}"


def listed(phrases: Sequence[str], *, last: str = "and") -> str:
    """`A, B and C`."""
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} {last} {phrases[-1]}"
