"""From the templates of `wordings.toml` to the parts of a prompt. No coordinate becomes text here."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Literal, TypedDict

import msgspec

from sightline.errors import InputError
from sightline.tasks.crossview import CrossViewOptions, example_rng
from sightline.tasks.footage import ClipOptions
from sightline.types import Example, ImagePart, Part, TextPart

SLOT = re.compile(r"\{(?:image:(?P<image>\d)|(?P<name>[a-z]+))\}")


class Wordings(TypedDict):
    """The data file: the words for each kind of mark, where an expression that is itself a question stands, and the wordings of
    each task's question."""

    marks: dict[str, str]
    verbatim: dict[str, str]
    prompts: dict[str, list[str]]


@cache
def wordings() -> Wordings:
    """The data file, read once."""
    text = resources.files("sightline.tasks").joinpath("wordings.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Wordings)


def prompt(task: str, values: Mapping[str, Part | str], *, wording: int = 0) -> tuple[Part, ...]:
    """The parts of the task's prompt in one of its wordings, with `values` put in for its named slots; neighbouring texts are
    joined."""
    return fill(wordings()["prompts"][task][wording], values)


def fill(template: str, values: Mapping[str, Part | str]) -> tuple[Part, ...]:
    """The parts of a template with `values` put in for its named slots; neighbouring texts are joined."""
    parts: list[Part] = []
    text = ""
    cursor = 0
    for match in SLOT.finditer(template):
        text += template[cursor : match.start()]
        cursor = match.end()
        part = ImagePart(image_index=int(match["image"])) if match["image"] else values[match["name"]]
        if isinstance(part, str):
            text += part
            continue
        if text:
            parts.append(TextPart(text=text))
            text = ""
        parts.append(part)
    text += template[cursor:]
    if text:
        parts.append(TextPart(text=text))
    return tuple(parts)


def worded(example: Example, values: Mapping[str, Part | str], options: CrossViewOptions | ClipOptions) -> Example:
    """The example with its question in the wording that `options.wording` chooses, noted in the example and its slices.

    An example with the first wording is left as it is where no other was asked for.
    """
    if options.wording == "first":
        return example
    question = example.question
    chosen = choose_wording(question.task, question.id, options)
    return msgspec.structs.replace(
        example,
        question=msgspec.structs.replace(question, prompt=prompt(question.task, values, wording=chosen)),
        wording=chosen,
        slices=example.slices | {"wording": float(chosen)},
    )


def parse_wording(text: str) -> int | Literal["first", "mixed"]:
    """The value of `CrossViewOptions.wording` that a user wrote.

    Raises:
        InputError: neither `first` nor `mixed`, nor the number of a wording that every task has.
    """
    if text in ("first", "mixed"):
        return "first" if text == "first" else "mixed"
    last = min(len(found) for found in wordings()["prompts"].values()) - 1
    if text.isdecimal() and len(text) < 4 and int(text) <= last:
        return int(text)
    raise InputError(f"--wording {text!r}: expected first, mixed, or a number from 0 to {last}.")


def choose_wording(task: str, example_id: str, options: CrossViewOptions | ClipOptions) -> int:
    """The place of the wording in the task's list: `mixed` draws it by the example's id.

    Raises:
        InputError: the task has no wording of that number.
    """
    count = len(wordings()["prompts"][task])
    match options.wording:
        case "first":
            return 0
        case "mixed":
            return int(example_rng(options.seed, f"{example_id}/wording").integers(count))
        case int(number) if 0 <= number < count:
            return number
    raise InputError(f"wording {options.wording}: task {task} has the wordings 0 to {count - 1}. Give one of them, first or mixed.")
