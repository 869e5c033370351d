"""An example as texts for foreign files: its prompt with media slots, and its true answer, both in a declared dialect.

Every foreign row goes through here, so that a model is trained and asked with the same words, whatever file they travel in.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sightline.dialects import Dialect, Size
from sightline.dialects.render import name_slots, render_prompt
from sightline.errors import InputError
from sightline.taskset.store import TaskSet
from sightline.types import HIDDEN, Example, ImagePart, ImageRef, Question

IMAGE_TOKEN = "<image>"  # noqa: S105 - a media token


@dataclass(frozen=True)
class Rendered:
    """`segments` are words and media slots in order, `answer` what a perfect model would write."""

    example: Example
    segments: tuple[str | ImagePart, ...]
    answer: str

    @property
    def images(self) -> tuple[ImageRef, ...]:
        """The pictures in the order of their media slots, one a slot."""
        pictures = self.example.question.images
        return tuple(pictures[segment.image_index] for segment in self.segments if isinstance(segment, ImagePart))

    def with_tokens(self) -> str:
        """The prompt with one `<image>` for each media slot, where it stands.

        Raises:
            InputError: the words hold a media token themselves, so that slots and pictures would not match.
        """
        if any(isinstance(segment, str) and IMAGE_TOKEN in segment for segment in self.segments):
            raise InputError(
                f"example {self.example.id!r}: its words hold {IMAGE_TOKEN!r}, which would be taken for a picture. "
                "Change the wording."
            )
        return "".join(segment if isinstance(segment, str) else IMAGE_TOKEN for segment in self.segments)

    def without_tokens(self) -> str:
        """The prompt for files that list pictures apart (`name_slots`)."""
        return name_slots(self.segments)


def render(example: Example, dialect: Dialect) -> Rendered:
    """The example in the words of `dialect`.

    Raises:
        InputError: the dialect cannot write what is asked for (masks), the prompt does not show every picture once, or the truth is
            held back.
    """
    if example.tier == HIDDEN:
        raise InputError(
            f"example {example.id!r}: the data set holds back what is meant, so that there is nothing to learn from it. Use a "
            "split with annotations."
        )
    question = example.question
    sizes = Size.all_of(question)
    segments = render_question(question, dialect)
    shown = sorted(segment.image_index for segment in segments if isinstance(segment, ImagePart))
    if shown != list(range(len(sizes))):
        raise InputError(
            f"example {example.id!r}: its prompt shows the pictures {shown}, expected each of its {len(sizes)} pictures once. "
            "Build the task set again."
        )
    return Rendered(example=example, segments=segments, answer=dialect.encode(example.truth.answer, sizes))


def render_question(question: Question, dialect: Dialect) -> tuple[str | ImagePart, ...]:
    """The prompt of a question, whose right answer is not known, as words and media slots."""
    return render_prompt(question.prompt, dialect, [Size.of(image) for image in question.images])


def render_all(taskset: TaskSet, dialect: Dialect) -> Iterator[Rendered]:
    """Every example of a task set, in its order, one at a time."""
    return (render(example, dialect) for example in taskset)
