"""What every model is to the rest of Sightline: questions in, texts or geometry out."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from sightline.dialects import Dialect
from sightline.errors import InputError
from sightline.taskset.store import TaskSet
from sightline.types import Answer, Question


class NotApplicable(InputError):  # noqa: N818 - a verdict on the pair, not only an error
    """This model cannot answer this task set at all (the oracle where there is no depth), so it stands in no table of it."""


@runtime_checkable
class Model(Protocol):
    """A model sees a `Question`, the pictures and depth of its panels and the mask of its reference; never the truth.

    `batch_size`: how many questions `answer` is given at a time. `dialect`: how its texts are read; None for a model that answers
    in geometry.
    """

    @property
    def name(self) -> str: ...

    @property
    def dialect(self) -> Dialect | None: ...

    @property
    def batch_size(self) -> int: ...

    def describe(self) -> dict[str, Any]:
        """Plain JSON values that tell this model from any other: kind, revision, settings. Stored in `run.json`."""
        ...

    def check(self, taskset: TaskSet) -> None:
        """Look at a task set before the first question.

        Raises:
            NotApplicable: it lacks something that this model cannot do without.
        """
        ...

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> Sequence[str | Answer]:
        """One answer a question, in their order: text, which the dialect then reads, or geometry in pixels of the picture."""
        ...
