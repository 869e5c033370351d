"""Options that several commands have in common, declared once as the parameters of one function."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

Command = Callable[..., None]


def takes(name: str, group: Callable[..., object]) -> Callable[[Command], Command]:
    """The command with all options of `group` in the place of its parameter `name`, which gets what `group` makes of them."""
    added = inspect.signature(group).parameters

    def with_group(command: Command) -> Command:
        signature = inspect.signature(command)
        own = [parameter for own_name, parameter in signature.parameters.items() if own_name != name]

        @functools.wraps(command)
        def asked(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the command line gives them
            given = {added_name: kwargs.pop(added_name) for added_name in added}
            command(*args, **{name: group(**given)}, **kwargs)

        parameters = [*own, *added.values()]
        asked.__signature__ = signature.replace(parameters=parameters)  # pyright: ignore[reportAttributeAccessIssue]
        asked.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return asked

    return with_group
