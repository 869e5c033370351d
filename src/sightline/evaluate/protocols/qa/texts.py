"""Answers and truths of spatial QA as the texts that benchmarks compare."""

from sightline.dialects.values import encode_number
from sightline.types import Answer, Choice, Example, Number, TextAnswer


def truths(example: Example) -> tuple[str, ...]:
    """The published answers as texts, the first one first; ours in the form of the benchmarks where nobody published one."""
    accepted = (example.evidence.get(f"accepted_{number}") for number in range(1, len(example.evidence) + 1))
    texts = tuple(text for text in accepted if isinstance(text, str))
    if texts:
        return texts
    return (example.published.answer,) if example.published else (as_text(example.truth.answer),)


def as_text(answer: Answer | None) -> str:
    """An answer as benchmarks write it: the letter, the number's digits, the words; nothing of any other."""
    match answer:
        case Choice(value=value) | TextAnswer(text=value):
            return value
        case Number():
            return encode_number(answer)
    return ""


def category(example: Example) -> str:
    """The question's type as the benchmark calls it."""
    return example.published.category if example.published and example.published.category else example.tier
