"""Task sets of masks as conversations: several expressions of one picture or clip are turns about the same pictures.

    user        <image>\\nPlease segment the red disc.      the pictures stand in the first turn
    assistant   Sure, [SEG].                                with the masks of the red disc in the frames that are shown
    user        Please segment the small one.
    ...

A position is a clip or picture (the column `group`). Of its examples one is drawn, then others that show the same pictures.
"""

import functools
import hashlib
import json
from collections.abc import Sequence

import numpy as np

from sightline.errors import InputError
from sightline.models.sa2va.asked import question_text
from sightline.models.sa2va.conversation import MEDIUM, SEG, Turn
from sightline.taskset.store import TaskSet
from sightline.train.sa2va.conversations import Conversation, chosen_places
from sightline.train.sa2va.settings import DataSettings
from sightline.types import Example, ImageRef, MaskAnswer, MaskRle, MaskTrack, NotVisible

TASKS = ("refer_mask", "refer_mask_track")
EMPTY_MASK = "empty_mask"


class GroundedSource:
    """A task set whose answers are masks.

    Raises:
        InputError: one with no example.
    """

    kind = "masks"

    def __init__(self, taskset: TaskSet, settings: DataSettings, *, name: str | None = None) -> None:
        self.taskset, self.settings = taskset, settings
        self.name = name or taskset.manifest.name
        groups: dict[str, list[int]] = {}
        for position, group in enumerate(taskset.index.iterate("group")):
            groups.setdefault(group, []).append(position)
        self._groups = tuple(groups.values())
        if not self._groups:
            raise InputError(f"{taskset.path}: a task set without examples. Look at its ledger.jsonl for why they were dropped.")

    @property
    def fingerprint(self) -> str:
        """Task set, and the settings that conversations are made by."""
        own = self.settings
        how = [own.num_frames, own.frames, own.expressions, own.places, own.words, own.answers, own.no_target]
        return hashlib.blake2b(json.dumps([self.taskset.manifest.fingerprint, how]).encode(), digest_size=16).hexdigest()

    def __len__(self) -> int:
        return len(self._groups)

    def conversation(self, position: int, rng: np.random.Generator) -> Conversation:
        """Some expressions of a clip, drawn, over some of its frames."""
        examples = self._drawn(self._groups[position], rng)
        first = examples[0].question
        images = self._images(examples[0])
        known = sorted(set.intersection(*(_known(example, len(images)) for example in examples)))
        if not known:
            raise InputError(f"{self.taskset.path}, example {first.id!r}: no frame in which its targets are known. Leave it out.")
        places = chosen_places(known, self.settings.num_frames, self.settings.frames, rng)
        turns: list[Turn] = []
        masks: list[tuple[MaskRle | None, ...]] = []
        for example in examples:
            answer = self._answer(example, rng)
            text = question_text(example.question, self.settings.words)
            turns.append(Turn(text if not turns else text.removeprefix(f"{MEDIUM}\n"), answer))
            if SEG in answer:
                masks.append(tuple(_mask(example, place) for place in places))
        read = self.taskset.read_rgb
        pictures = tuple(functools.partial(read, images[place]) for place in places)
        return Conversation(first.id, self.name, tuple(turns), pictures, first.clip is not None, keyed=True, masks=tuple(masks))

    def _drawn(self, positions: Sequence[int], rng: np.random.Generator) -> list[Example]:
        """Examples that show the same pictures, in a random order, of those one that comes first."""
        found: list[Example] = []
        for place in rng.permutation(len(positions)).tolist():
            example = self.taskset[positions[place]]
            if not found or self._images(example) == self._images(found[0]):
                found.append(example)
            if len(found) == self.settings.expressions:
                break
        return found

    def _images(self, example: Example) -> list[ImageRef]:
        question = example.question
        indices = question.clip.image_indices if question.clip else (question.form.image_index,)
        return [question.images[index] for index in indices]

    def _answer(self, example: Example, rng: np.random.Generator) -> str:
        answers = self.settings.answers
        drawn = answers[int(rng.integers(len(answers)))]
        absent = isinstance(example.truth.answer, NotVisible)
        return self.settings.no_target if absent and self.settings.no_target != EMPTY_MASK else drawn


def _known(example: Example, count: int) -> set[int]:
    """The frames in which the truth is known."""
    scored = example.truth.scored_frames
    return set(range(count)) if scored is None else set(scored)


def _mask(example: Example, place: int) -> MaskRle | None:
    match example.truth.answer:
        case MaskTrack(frames=frames):
            return frames[place]
        case MaskAnswer(rle=rle):
            return rle
        case NotVisible():
            return None
    raise InputError(f"example {example.question.id!r}: its truth is no mask. Build refer_mask or refer_mask_track.")
