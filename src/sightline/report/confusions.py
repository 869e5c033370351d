"""Whose mask an answer to a referring question is: which other object of the same picture or clip it overlaps most.

Other objects are those that the task set's other expressions about the same pictures mean, so what is found is a lower bound. An
answer is *on another object* if it overlaps that object more than what is meant. Overlaps are pixels in both by pixels in either,
added up over the frames in which the truth is known.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sightline.evaluate.measured import usable
from sightline.geometry.masks import common_area, rle_area
from sightline.types import Example, MaskAnswer, MaskRle, MaskTrack, Prediction, Question, Reading, TextPart

SHAPES = ("mask", "mask_track")
NUM_LISTED = 20  # confusions of a run that the page lists
SEVERAL = re.compile(r"(\d+)_seg")
SEVERAL_SEG, MORE_SEG, OTHER, OTHER_OF_CLASS = "several_seg", "more_seg_than_objects", "on_other_object", "on_other_of_same_class"
"""Marks that follow from the notes and the confusion of an answer."""
_QUOTED = re.compile(r'"(.+)"', re.DOTALL)
Masks = Sequence[MaskRle | None]


@dataclass(frozen=True)
class Confusion:
    """The other object that an answer overlaps most, an expression that means it, and both overlaps, 0..1.

    `same_class`: whether the two objects are of one category; None where the data does not say.
    """

    object_id: str
    expression: str
    label: str | None
    same_class: bool | None
    iou: float
    own_iou: float

    @property
    def mistaken(self) -> bool:
        """Whether the answer is on the other object rather than on what is meant."""
        return self.iou > self.own_iou


@dataclass(frozen=True)
class Named:
    """What is known of an object: its category, and the first expression that means it alone (else one that means it)."""

    label: str | None
    expression: str
    alone: bool


class Companions:
    """The objects that a task set has masks of, picture by picture, from one pass over its examples. Empty where no mask is
    asked for by words."""

    def __init__(self, examples: Iterable[Example], masks: Mapping[str, MaskRle]) -> None:
        self._codes = masks
        self._masks: dict[tuple[str, str], dict[str, str | None]] = {}
        self._named: dict[tuple[str, str], Named] = {}
        for example in examples:
            if not refers(example.question):
                return
            for object_id, ids in _objects(example).items():
                self._name(example, object_id)
                for picture, mask in zip(_pictures(example), ids, strict=True):
                    self._masks.setdefault((example.group, picture), {})[object_id] = mask

    def confusion(self, example: Example, reading: Reading) -> Confusion | None:
        """The other object that the answer overlaps most; None where it overlaps none, or says nothing."""
        found = _masks_of(usable(reading))
        if found is None:
            return None
        own = _objects(example)
        known = range(len(found)) if example.truth.scored_frames is None else example.truth.scored_frames
        best = max(((self._overlap(example, other, found, known), other) for other in self._others(example, own)), default=None)
        if best is None or best[0] == 0:
            return None
        named = self._named[example.group, best[1]]
        classes = (example.label, named.label)
        return Confusion(
            object_id=best[1],
            expression=named.expression,
            label=named.label,
            same_class=None if None in classes else classes[0] == classes[1],
            iou=best[0],
            own_iou=_tube_iou([(found[frame], true) for frame, true in self._meant(example, known)]),
        )

    def _others(self, example: Example, own: Mapping[str, object]) -> list[str]:
        seen = (name for picture in _pictures(example) for name in self._masks.get((example.group, picture), {}))
        return [name for name in dict.fromkeys(seen) if name not in own]

    def _overlap(self, example: Example, other: str, found: Masks, known: Iterable[int]) -> float:
        """Of the frames in which the other object's mask, or its absence, is known."""
        pictures = _pictures(example)
        pairs = []
        for frame in known:
            of_picture = self._masks.get((example.group, pictures[frame]), {})
            if other in of_picture:
                mask = of_picture[other]
                pairs.append((found[frame], None if mask is None else self._codes[mask]))
        return _tube_iou(pairs)

    def _meant(self, example: Example, known: Iterable[int]) -> list[tuple[int, MaskRle | None]]:
        """What is meant in each known frame."""
        true = _masks_of(example.truth.answer)
        return [(frame, None if true is None else true[frame]) for frame in known]

    def _name(self, example: Example, object_id: str) -> None:
        alone = len(_objects(example)) == 1
        before = self._named.get((example.group, object_id))
        if before is None or (alone and not before.alone):
            self._named[example.group, object_id] = Named(example.label, expression_of(example.question), alone)


@dataclass
class Referring:
    """Counts over a run's answers with masks to questions in words.

    `num_spoken` have a text. `several` and `more_than_objects`: answers with more than one [SEG], and with more than objects are
    meant, as the notes say. `absent`: examples without what is meant in any frame; `drawn`: those of them that got a mask.
    `listed`: the answers that are most clearly on another object, with the example's id and expression.
    """

    num_answers: int = 0
    num_spoken: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    several: int = 0
    more_than_objects: int = 0
    absent: int = 0
    drawn: int = 0
    mistaken: Counter[bool | None] = field(default_factory=Counter)
    listed: list[tuple[float, str, str, Confusion]] = field(default_factory=list)

    def add(self, example: Example, prediction: Prediction, confusion: Confusion | None) -> None:
        """Count one answer."""
        self.num_answers += 1
        self.num_spoken += prediction.text is not None
        self.notes.update(note for note in prediction.reading.notes if not SEVERAL.fullmatch(note))
        found = marks(example, prediction, confusion)
        self.several += SEVERAL_SEG in found
        self.more_than_objects += MORE_SEG in found
        if not example.truth.visible:
            self.absent += 1
            self.drawn += _masks_of(usable(prediction.reading)) is not None
        if confusion is not None and confusion.mistaken:
            self.mistaken[confusion.same_class] += 1
            gap = confusion.iou - confusion.own_iou
            self.listed = sorted(
                [*self.listed, (gap, example.id, expression_of(example.question), confusion)], key=lambda each: (-each[0], each[1])
            )[:NUM_LISTED]


def marks(example: Example, prediction: Prediction, confusion: Confusion | None) -> tuple[str, ...]:
    """What the gallery is filtered by: the notes of an answer, whether it has several [SEG] or more than objects are meant, and
    whether it is on another object, and on one of the same class."""
    notes = prediction.reading.notes
    numbers = [int(several[1]) for note in notes if (several := SEVERAL.fullmatch(note))]
    mistaken = confusion is not None and confusion.mistaken
    derived = {
        SEVERAL_SEG: bool(numbers),
        MORE_SEG: any(number > max(len(_objects(example)), 1) for number in numbers),
        OTHER: mistaken,
        OTHER_OF_CLASS: mistaken and confusion is not None and confusion.same_class is True,
    }
    return (*notes, *(name for name, holds in derived.items() if holds))


def refers(question: Question) -> bool:
    """Whether masks are asked for in words alone."""
    return question.form.shape in SHAPES and question.reference is None


def expression_of(question: Question) -> str:
    """The expression of a referring question: what stands between the first and the last double quote, else all its words."""
    words = "".join(part.text for part in question.prompt if isinstance(part, TextPart)).strip()
    quoted = _QUOTED.search(words)
    return quoted[1] if quoted else words


def _objects(example: Example) -> dict[str, tuple[str | None, ...]]:
    """The hashes of the masks of each object that is meant, one a picture; without those that have boxes alone."""
    truth = example.truth
    if truth.objects:
        return {each.object_id: each.masks for each in truth.objects if each.masks}
    if truth.mask is not None and example.question.clip is None:
        return {example.object_id: (truth.mask,)}
    return {}


def _pictures(example: Example) -> list[str]:
    """The content of each picture that is asked about."""
    question = example.question
    indices = question.clip.image_indices if question.clip else (question.form.image_index,)
    return [question.images[index].digest for index in indices]


def _masks_of(answer: object) -> Masks | None:
    match answer:
        case MaskTrack(frames=frames):
            return frames
        case MaskAnswer(rle=rle):
            return (rle,)
    return None


def _tube_iou(pairs: Iterable[tuple[MaskRle | None, MaskRle | None]]) -> float:
    """Pixels in both by pixels in either over all frames; 0 where nothing is in either."""
    both = either = 0
    for a, b in pairs:
        common = common_area(a, b) if a is not None and b is not None else 0
        both += common
        either += sum(rle_area(mask) for mask in (a, b) if mask is not None) - common
    return both / either if either else 0.0
