"""Plain values into frozen dataclasses, with every mistake named at once.

A schema is a frozen dataclass whose fields are numbers, booleans, strings, literals, None, tuples, lists, dicts with text keys,
other such dataclasses, and unions of these. Leaves are converted strictly by msgspec: `"3"` is no number, `3` is one where a float
is asked for. A class's own checks (`__post_init__`) run after its fields are right, and what they raise is told with the rest.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from sightline.errors import InputError
from sightline.train.config.compose import nearest

Schema = TypeVar("Schema")
WRONG = object()  # what stands for a value that a mistake was found in


def typed(values: Mapping[str, Any], schema: type[Schema], *, where: str = "configuration") -> Schema:
    """`values` as an instance of `schema`.

    Args:
        where: for the message: the file they come from.

    Raises:
        InputError: all mistakes together, each with its key: an unknown key (with the nearest known one), a missing one, a value of
            another type or out of its range.
    """
    problems: list[str] = []
    made = _object(values, schema, "", problems)
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise InputError(f"{where}: {len(problems)} {'mistake' if len(problems) == 1 else 'mistakes'}:{lines}")
    return made


def _object(values: Mapping[str, Any], schema: type[Any], key: str, problems: list[str]) -> Any:  # noqa: ANN401
    hints = typing.get_type_hints(schema)
    fields = {field.name: field for field in dataclasses.fields(schema)}
    before = len(problems)
    problems += [_unknown(_join(key, name), str(name), list(fields)) for name in values if name not in fields]
    made: dict[str, Any] = {}
    for name, field in fields.items():
        if name in values:
            made[name] = _value(values[name], hints[name], _join(key, name), problems)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            problems.append(f"{_join(key, name)}: missing; expected {_told(hints[name])}.")
    if len(problems) > before:
        return WRONG
    try:
        return schema(**made)
    except InputError as error:
        problems.append(f"{key}: {error}" if key else str(error))
        return WRONG


def _value(value: Any, hint: Any, key: str, problems: list[str]) -> Any:  # noqa: ANN401
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if isinstance(value, Mapping):
            return _object(value, hint, key, problems)
        problems.append(f"{key}: expected keys and values, found {value!r}.")
        return WRONG
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType) and isinstance(value, Mapping | list):
        fitting = [each for each in arguments if _holds(each, value)]
        if fitting:
            return _value(value, fitting[0], key, problems)
    if origin in (tuple, list) and isinstance(value, Sequence) and not isinstance(value, str) and _nested(hint):
        return origin(_value(inner, arguments[0], f"{key}[{index}]", problems) for index, inner in enumerate(value))
    if origin is dict and isinstance(value, Mapping) and _nested(hint):
        return {name: _value(inner, arguments[1], _join(key, name), problems) for name, inner in value.items()}
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        problems.append(f"{key}: {value!r}: {str(error).replace('`', '')}{_choices(value, hint)}.")
        return WRONG


def _holds(hint: Any, value: Any) -> bool:  # noqa: ANN401
    """Whether a member of a union is for a mapping or list such as `value`."""
    if isinstance(value, Mapping):
        return dataclasses.is_dataclass(hint) or typing.get_origin(hint) is dict
    return typing.get_origin(hint) in (tuple, list)


def _nested(hint: Any) -> bool:  # noqa: ANN401
    """Whether a dataclass stands anywhere inside."""
    return dataclasses.is_dataclass(hint) or any(_nested(each) for each in typing.get_args(hint))


def _choices(value: Any, hint: Any) -> str:  # noqa: ANN401
    if typing.get_origin(hint) is not typing.Literal:
        return ""
    choices = [str(each) for each in typing.get_args(hint)]
    meant = nearest(str(value), choices)
    return f"; did you mean {meant!r}? The choices are {', '.join(choices)}" if meant else f"; the choices are {', '.join(choices)}"


def _unknown(path: str, name: str, names: list[str]) -> str:
    meant = nearest(name, names)
    return f"{path}: no such key; did you mean {meant!r}?" if meant else f"{path}: no such key; the keys are {', '.join(names)}."


def _told(hint: Any) -> str:  # noqa: ANN401
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")


def _join(key: str, name: object) -> str:
    return f"{key}.{name}" if key else str(name)
