"""Tasks: from what the views of a scene show to questions with their truth.

A task is a function `(SeenScene, Studio, CrossViewOptions) -> Iterator[Example | LedgerEntry]`.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.tasks.crossview import CrossViewOptions, Outcome
    from sightline.tasks.pictures import Studio
    from sightline.tasks.seen import SeenScene

    Task = Callable[[SeenScene, Studio, CrossViewOptions], Iterator[Outcome]]


def _multi() -> "Task":
    from sightline.tasks.correspondence import multi  # noqa: PLC0415

    return multi


def _concat() -> "Task":
    from sightline.tasks.correspondence import concat  # noqa: PLC0415

    return concat


def _missing() -> "Task":
    from sightline.tasks.missing import missing  # noqa: PLC0415

    return missing


def _difference() -> "Task":
    from sightline.tasks.difference import difference  # noqa: PLC0415

    return difference


TASKS: "dict[str, Callable[[], Task]]" = {"t1_multi": _multi, "t1_concat": _concat, "t2a": _missing, "t2b": _difference}
