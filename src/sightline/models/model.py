"""What every model is to the rest of Sightline: questions in, texts or geometry out."""

from collections.abc import Generator, Iterable, Sequence
from itertools import islice
from typing import Any, Protocol, runtime_checkable

from sightline.dialects import Dialect
from sightline.errors import InputError
from sightline.taskset.store import TaskSet
from sightline.types import Answer, Exposure, Prediction, Question, Record


class NotApplicable(InputError):  # noqa: N818 - a verdict on the pair, not only an error
    """This model cannot answer this task set at all (the oracle where there is no depth), so it stands in no table of it."""


class Usage(Record):
    """What answers took: requests to a server (repeated ones included), tokens in and out, and money in the unit of the prices."""

    num_requests: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    cost: float = 0.0

    def plus(self, other: "Usage") -> "Usage":
        return Usage(
            num_requests=self.num_requests + other.num_requests,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            answer_tokens=self.answer_tokens + other.answer_tokens,
            cost=self.cost + other.cost,
        )


class Said(Record):
    """A text and what is known of its making. `cut`: the limit on new tokens ended it, so that it is read as truncated."""

    text: str
    cut: bool = False
    usage: Usage = Usage()
    exposure: Exposure | None = None


class Drawn(Record):
    """Geometry that came with words: the text is kept beside it, and `notes` stand in its reading."""

    answer: Answer
    text: str
    notes: tuple[str, ...] = ()
    exposure: Exposure | None = None


class Failure(Record):
    """No answer to this one question, for a reason that lies outside it (a server that is down), so that it is asked again."""

    reason: str
    usage: Usage = Usage()


Reply = str | Answer | Said | Drawn | Prediction | Failure
"""A `Prediction` is an answer that was read before, to a question that it also answers."""
Replies = Generator[Sequence[tuple[Question, Reply]], None, None]


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

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> Sequence[Reply]:
        """One reply a question, in their order: text, which the dialect then reads, or geometry in pixels of the picture."""
        ...


@runtime_checkable
class Streaming(Model, Protocol):
    """A model that works on many questions at once and gives its replies as they come."""

    def replies(self, questions: Iterable[Question], taskset: TaskSet) -> Replies:
        """Every question once, with its reply, in any order, some at a time; takes no more of `questions` than it works on."""
        ...


def replies_of(model: Model, questions: Iterable[Question], taskset: TaskSet) -> Replies:
    """Every question once with its reply, some at a time; a model that is not `Streaming` is given batches.

    Raises:
        InputError: a model gave more or fewer answers than it was asked for.
    """
    if isinstance(model, Streaming):
        yield from model.replies(questions, taskset)
        return
    questions = iter(questions)
    while batch := list(islice(questions, model.batch_size)):
        replies = model.answer(batch, taskset)
        if len(replies) != len(batch):
            raise InputError(f"model {model.name!r} gave {len(replies)} answers to {len(batch)} questions: expected one each.")
        yield list(zip(batch, replies, strict=True))
