"""What an answer of spatial QA is worth by our own protocol: a letter, a number or words.

    letter    right or wrong: `qa` 1 or 0
    number    `qa` is its mean relative accuracy (VSI-Bench's, the error over |truth|; of a truth of 0 the plain error), which is
              also `mra`; it is right (`hit`) within 5 %, the tightest of the ten tolerances
    words     right if equal to an accepted answer after LEO's cleaning: `qa`; `em_refined` counts also words that are part of one
              another, but not an empty answer

An answer that cannot be read is worth 0 and stays in the denominator.
"""

from sightline.evaluate.measured import Measured, usable
from sightline.evaluate.protocols.qa.relative_accuracy import TOLERANCES, relative_accuracy
from sightline.evaluate.protocols.qa.texts import truths
from sightline.evaluate.protocols.qa.wording import clean_answer, matches
from sightline.types import Answer, Choice, Example, Number, Reading, TextAnswer


def measure_answer(example: Example, reading: Reading) -> Measured:
    """The worth of a spatial-QA answer, as `hit` and `values`."""
    answer, truth = usable(reading), example.truth.answer
    match truth:
        case Number(value=value):
            error = _error(answer, value)
            mra = 0.0 if error is None else relative_accuracy(error)
            return Measured(hit=error is not None and error <= TOLERANCES[-1], values={"qa": mra, "mra": mra})
        case TextAnswer():
            exact, refined = _words(example, answer)
            return Measured(hit=exact, values={"qa": float(exact), "em_refined": float(refined)})
    hit = isinstance(answer, Choice) and answer == truth
    return Measured(hit=hit, values={"qa": float(hit)})


def _error(answer: Answer | None, truth: float) -> float | None:
    if not isinstance(answer, Number):
        return None
    return abs(answer.value - truth) / (abs(truth) or 1.0)


def _words(example: Example, answer: Answer | None) -> tuple[bool, bool]:
    said = clean_answer(answer.text).strip() if isinstance(answer, TextAnswer) else ""
    return matches(said, [clean_answer(text).strip() for text in truths(example)]) if said else (False, False)
