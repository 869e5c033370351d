"""Sweeps: `a=1,2 b=x,y` is four lists of overrides."""

import itertools
from collections.abc import Sequence

from sightline.errors import InputError

MAX_RUNS = 1000


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """Every combination, the last override changing fastest. Commas in brackets, braces, parentheses and quotes do not divide;
    `range(1,4)` and `choice(a,b)` are Hydra's.

    Raises:
        InputError: not an override, a sweep without an end (`interval`, `glob`), or more than a thousand runs.
    """
    choices = [_choices(override) for override in overrides]
    count = 1
    for each in choices:
        count *= len(each)
    if count > MAX_RUNS:
        raise InputError(f"{' '.join(overrides)}: {count:,} runs; a sweep has at most {MAX_RUNS:,}. Sweep in parts.")
    return [list(combination) for combination in itertools.product(*choices)]


def hydra_text(text: str) -> str:
    """A text as the value of an override, whatever signs are in it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def swept(overrides: Sequence[str]) -> list[str]:
    """The keys that have more than one value."""
    return [override.partition("=")[0] for override in overrides if len(_choices(override)) > 1]


def _choices(override: str) -> list[str]:
    from hydra.core.override_parser.overrides_parser import OverridesParser  # noqa: PLC0415
    from hydra.errors import HydraException  # noqa: PLC0415

    try:
        parsed = OverridesParser.create().parse_override(override)
    except HydraException as error:
        raise InputError(
            f"{override!r}: no override: {' '.join(str(error).split())}. Write key=value, for a sweep key=a,b."
        ) from error
    if not parsed.is_sweep_override():
        return [override]
    if not parsed.is_discrete_sweep() or override.partition("=")[2].startswith("glob("):
        raise InputError(f"{override!r}: only lists of values can be swept: key=a,b or key=range(1,4).")
    values = list(parsed.sweep_string_iterator())
    spelt = _parts(override.partition("=")[2])
    return [f"{parsed.get_key_element()}={value}" for value in (spelt if len(spelt) == len(values) else values)]


def _parts(text: str) -> list[str]:
    """The values as they were written (Hydra would make 0.001 of 1e-3): divided at commas outside brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for place, character in enumerate(text):
        if character in "'\"" and text[place - 1 : place] != "\\":
            quote = "" if quote == character else quote or character
        elif not quote:
            depth += (character in "[{(") - (character in "]})")
        if character == "," and not quote and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
