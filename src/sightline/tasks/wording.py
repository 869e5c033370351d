"""From a template of `wordings.toml` to the parts of a prompt. No coordinate becomes text here."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources

from sightline.types import ImagePart, Part, TextPart

SLOT = re.compile(r"\{(?:image:(?P<image>\d)|(?P<name>[a-z]+))\}")


@cache
def wordings() -> dict[str, dict[str, str]]:
    """The tables `marks` and `prompts` of the data file."""
    return tomllib.loads(resources.files("sightline.tasks").joinpath("wordings.toml").read_text(encoding="utf-8"))


def prompt(task: str, values: Mapping[str, Part | str]) -> tuple[Part, ...]:
    """The parts of the task's prompt, with `values` put in for its named slots; neighbouring texts are joined."""
    parts: list[Part] = []
    text = ""
    template = wordings()["prompts"][task]
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
