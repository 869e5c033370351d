"""What a rule for spatial QA sees of an answer, and what it makes of all answers together.

A rule reads the raw text of the model and the published answer, never our own reading of either: protocols differ in how they
parse. `sightline.evaluate.protocols.qa.runs` fills these records from a run.
"""

from collections.abc import Callable, Sequence

from sightline.types import Record


class Answered(Record):
    """One question and what the model wrote. `category` is the type of the question as the benchmark calls it, `accepted` the
    published answers (one or more texts, the first is the one of benchmarks that have one), `text` the model's words as they came.
    """

    id: str
    category: str
    accepted: tuple[str, ...]
    text: str

    @property
    def truth(self) -> str:
        return self.accepted[0]


class Mean(Record):
    """A number with how many answers stand behind it; None where it is not defined or could not be computed."""

    value: float | None
    n: int


class Tally(Record):
    """What a rule says of a run: `metrics` by name (shares are 0..1 unless the rule's module says otherwise), `values` the number
    of each answer in order, `not_run` the metrics that could not be computed, with the reason, `counts` of what the rule met."""

    metrics: dict[str, Mean]
    values: tuple[float, ...] = ()
    not_run: dict[str, str] = {}
    counts: dict[str, int] = {}


Rule = Callable[[Sequence[Answered]], Tally]


class ScriptStops(Exception):  # noqa: N818 - says what happens there
    """The benchmark's own script ends with an error at this answer. It counts 0 here, and is counted as `num_stopped`."""


def mean_of(values: Sequence[float]) -> Mean:
    """The plain mean; None of nothing."""
    return Mean(value=sum(values) / len(values) if values else None, n=len(values))


def by_category(answers: Sequence[Answered], values: Sequence[float]) -> dict[str, list[float]]:
    """The values of each category, in order of the categories' names."""
    found: dict[str, list[float]] = {}
    for answered, value in zip(answers, values, strict=True):
        found.setdefault(answered.category, []).append(value)
    return dict(sorted(found.items()))
