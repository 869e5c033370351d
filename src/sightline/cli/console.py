"""What commands print: tables and progress for people, one JSON value for programs."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]
Out = Annotated[Path, typer.Option("--out", help="Folder to write to.")]


def emit(value: object, *, as_json: bool, text: Callable[[], None]) -> None:
    """Print `value` as JSON, or call `text`, which prints it for people."""
    if as_json:
        print(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        text()


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on standard output; the columns after the first are right-aligned."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(title=title, title_justify="left", header_style="bold")
    for index, name in enumerate(header):
        table.add_column(name, justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """Progress bars on standard error: the yielded function takes what is being done, how much is done, and the total."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bars:
        known: dict[str, TaskID] = {}

        def update(what: str, done: int, total: int) -> None:
            if what not in known:
                known[what] = bars.add_task(what, total=total)
            bars.update(known[what], completed=done, total=total)

        yield update


def say(message: str) -> None:
    """A line on standard error, for what happens beside the result."""
    print(message, file=sys.stderr)


def plain(value: object) -> Any:  # noqa: ANN401 - JSON values
    """Records as JSON values."""
    import msgspec  # noqa: PLC0415

    return msgspec.to_builtins(value)
