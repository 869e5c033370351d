"""What a tracker is given: the frames of a clip, and what shows each object in them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, UInt8

from sightline.errors import InputError
from sightline.models.baselines.forms import GUESS_SIDE
from sightline.taskset.store import TaskSet
from sightline.types import BoxPart, PointPart, Question


@dataclass(frozen=True, eq=False)
class Shown:
    """What an object is shown by, on one frame, in continuous pixels of that picture: exactly one of a mask, a box (exclusive ends)
    and points, each with whether it is on the object."""

    frame: int
    object_id: str
    mask: Bool[np.ndarray, "h w"] | None = None
    box: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float, bool], ...] = ()


@runtime_checkable
class RgbFrames(Protocol):
    """The frames of a clip as pictures of one size, decoded when they are asked for."""

    width: int
    height: int

    def __len__(self) -> int: ...
    def rgb(self, index: int) -> UInt8[np.ndarray, "h w 3"]: ...


class QuestionFrames:
    """The frames of the clip that a question shows, or its one picture; each is looked at whether it is what the task set was built
    from."""

    def __init__(self, question: Question, taskset: TaskSet) -> None:
        indices = question.clip.image_indices if question.clip else (question.form.image_index,)
        self._images = [question.images[index] for index in indices]
        self._taskset = taskset
        self.width, self.height = self._images[0].width, self._images[0].height

    def __len__(self) -> int:
        return len(self._images)

    def rgb(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        image = self._images[index]
        if (image.width, image.height) != (self.width, self.height):
            raise InputError(
                f"{image.path} has {image.width}x{image.height} pixels, the clip's first frame {self.width}x{self.height}. "
                "Trackers take clips of one size."
            )
        return self._taskset.read_rgb(image)


def lacks_prompt(question: Question) -> str | None:
    """What keeps a tracker from answering this question; None if it shows an object on a frame and asks for its masks."""
    if question.form.shape != "mask_track":
        return f"it follows masks through a clip, and a {question.form.shape} is asked for"
    return None if question.reference is not None else "nothing shows the object: there is no mask, box or point to begin with"


def shown_in(question: Question, taskset: TaskSet) -> Shown:
    """What the question shows of the object: the box or point of its prompt, and the reference's mask where it has neither."""
    reference, clip = question.reference, question.clip
    assert reference is not None, f"{question.id}: an object is shown"
    assert clip is not None, f"{question.id}: a clip is asked about"
    frame = clip.image_indices.index(question.panels[reference.panel_index].image_index)
    for part in question.prompt:
        match part:
            case BoxPart(box=box):
                return Shown(frame=frame, object_id=question.id, box=box)
            case PointPart(x=x, y=y):
                return Shown(frame=frame, object_id=question.id, points=((x, y, True),))
    return Shown(frame=frame, object_id=question.id, mask=taskset.read_mask(reference.mask))


def region_of(shown: Shown, frames: RgbFrames) -> Bool[np.ndarray, "h w"]:
    """The region that stands for what is shown, where a mask is needed: the mask, the filled box, or a block of `GUESS_SIDE` of the
    picture's sides around the mean of the points that are on the object.

    Raises:
        InputError: nothing is shown, or a mask is of another size than the frames.
    """
    if shown.mask is not None:
        check_mask_size(shown, frames)
        return shown.mask
    if shown.box is not None:
        x0, y0, x1, y1 = shown.box
    else:
        on = [(x, y) for x, y, positive in shown.points if positive]
        if not on:
            raise InputError(f"object {shown.object_id!r}, frame {shown.frame}: give a mask, a box or a point that is on it.")
        x, y = (sum(values) / len(on) for values in zip(*on, strict=True))
        half_width, half_height = GUESS_SIDE * frames.width / 2, GUESS_SIDE * frames.height / 2
        x0, y0, x1, y1 = x - half_width, y - half_height, x + half_width, y + half_height
    region = np.zeros((frames.height, frames.width), dtype=bool)
    region[max(round(y0), 0) : max(round(y1), 0), max(round(x0), 0) : max(round(x1), 0)] = True
    return region


def check_mask_size(shown: Shown, frames: RgbFrames) -> None:
    """Raise InputError if a mask is of another size than the frames."""
    if shown.mask is not None and shown.mask.shape != (frames.height, frames.width):
        raise InputError(
            f"object {shown.object_id!r}: a mask of {shown.mask.shape[1]}x{shown.mask.shape[0]} pixels for frames of "
            f"{frames.width}x{frames.height}. Give it in the size of the frames."
        )


def clips_of(questions: Iterable[Question], most: int) -> Iterator[list[Question]]:
    """Neighbouring questions about the same frames, at most so many together."""
    together: list[Question] = []
    for question in questions:
        if together and (len(together) == most or _frames(question) != _frames(together[0])):
            yield together
            together = []
        together.append(question)
    if together:
        yield together


def _frames(question: Question) -> list[str]:
    return [f"{image.root}/{image.path}" for image in question.images]
