"""The options of every build (who does the work), and those of builds from clips (leaks), declared once for all commands."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

if TYPE_CHECKING:
    from sightline.taskset.engine import RunShards


Leaks = Annotated[
    Path | None,
    typer.Option("--leaks", help="A registry: refuse training data with recordings that are held out there; docs/leaks.md."),
]
DropLeaks = Annotated[bool, typer.Option("--drop-leaks", help="Leave such recordings out instead; the ledger names them.")]


class BuildOptions(NamedTuple):
    """As given on the command line."""

    workers: int | None
    engine: "RunShards"


def build_options(
    *,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes.  [default: one a processor, with --engine ray of the whole cluster]")
    ] = None,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Who works: this machine, or a Ray cluster; docs/scale.md.")
    ] = "local",
    address: Annotated[str | None, typer.Option(help="ray: the cluster's HOST:PORT, or auto; default: a new one here.")] = None,
) -> BuildOptions:
    """What was given on the command line."""
    from sightline.taskset.engine import open_engine  # noqa: PLC0415

    return BuildOptions(workers=workers, engine=open_engine(engine, address=address))


def takes_build_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with all options of `build_options` added to its own; it gets them together, as its parameter `crew`."""
    added = inspect.signature(build_options).parameters
    signature = inspect.signature(command)
    own = [parameter for name, parameter in signature.parameters.items() if name != "crew"]

    @functools.wraps(command)
    def asked(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the command line gives them
        given = {name: kwargs.pop(name) for name in added}
        command(*args, crew=build_options(**given), **kwargs)

    parameters = [*own, *added.values()]
    asked.__signature__ = signature.replace(parameters=parameters)  # pyright: ignore[reportAttributeAccessIssue]
    asked.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return asked
