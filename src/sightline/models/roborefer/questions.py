"""Questions of a task set as RoboRefer's samples: words in its dialect, pictures, and depth from where the user says.

    no        pictures alone
    own       the data set's own depth in metres, as 1 / depth in the codec u8x3_minmax
    FOLDER    maps of a depth network (`sightline depth`), which is what RoboRefer was trained on

Depth goes with every picture of a question or with none. Where a picture has no depth, the run stops, or with `lacking="rgb"` that
question is asked with pictures alone.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from sightline.depth_codecs import UnusableDepthError, inverse_picture
from sightline.dialects import Dialect, Size
from sightline.dialects.render import render_prompt
from sightline.errors import InputError
from sightline.models.roborefer.inputs import Picture, RoboReferSample, asked_in_front
from sightline.models.roborefer.text_forms import Form, Part, Slot, Turn, worded
from sightline.taskset.depth import DepthFolder, depth_picture
from sightline.taskset.store import TaskSet
from sightline.types import DepthRef, ImagePart, Question

Lacking = Literal["stop", "rgb"]


@runtime_checkable
class BringsDepth(Protocol):
    """A task set whose questions may come with depth pictures as RoboRefer takes them, whatever the model's own setting is."""

    def depth_picture(self, ref: DepthRef) -> UInt8[np.ndarray, "h w 3"] | None:
        """The depth picture of a panel; None where its depth is in metres."""
        ...


@dataclass(frozen=True)
class DepthFrom:
    """Where depth comes from. `folder` None: the data set's own."""

    folder: DepthFolder | None
    lacking: Lacking = "stop"


def sample_of(
    question: Question, taskset: TaskSet, *, dialect: Dialect, form: Form, depth: DepthFrom | None = None
) -> RoboReferSample:
    """A question as a sample that asks it.

    In our own form the pictures stand in front, and a slot within the words becomes "image 2" (`text_forms.worded`); in the
    published form they stand where the words have them.

    Raises:
        FileNotFoundError: a picture or a depth map is not there.
        InputError: the prompt does not show every picture once, a picture without usable depth, or one of another size.
    """
    segments = render_prompt(question.prompt, dialect, Size.all_of(question))
    shown = [segment.image_index for segment in segments if isinstance(segment, ImagePart)]
    if sorted(shown) != list(range(len(question.images))):
        raise InputError(
            f"example {question.id!r}: its prompt shows the pictures {shown}, expected each of its {len(question.images)} once: "
            "RoboRefer knows them by their order alone. Build the task set again."
        )
    order = shown if form == "published" else sorted(shown)
    pictures = _pictures(question, order, taskset, depth)
    if form != "published":
        words = worded([segment if isinstance(segment, str) else segment.image_index for segment in segments])
        return RoboReferSample(question.id, asked_in_front(words, pictures), pictures)
    slots: tuple[Part, ...] = (
        (Slot("image"), Slot("depth")) if any(each.depth is not None for each in pictures) else (Slot("image"),)
    )
    parts = [part for segment in segments for part in ((segment,) if isinstance(segment, str) else slots)]
    return RoboReferSample(question.id, (Turn("user", tuple(parts)),), pictures)


def _pictures(question: Question, order: list[int], taskset: TaskSet, depth: DepthFrom | None) -> tuple[Picture, ...]:
    maps = [_brought(question, index, taskset) for index in order]
    if depth is not None and not all(maps):
        maps = [_depth(question, index, taskset, depth) for index in order]
    if any(each is None for each in maps):
        maps = [None] * len(order)
    return tuple(
        Picture(
            taskset.read_rgb(question.images[index]),
            None if found is None else found[1],
            key=question.images[index].digest if found is None else f"{question.images[index].digest} {found[0]}",
        )
        for index, found in zip(order, maps, strict=True)
    )


def _brought(question: Question, index: int, taskset: TaskSet) -> tuple[str, UInt8[np.ndarray, "h w 3"]] | None:
    """The depth picture that came with a question."""
    if not isinstance(taskset, BringsDepth):
        return None
    refs = [panel.depth for panel in question.panels if panel.image_index == index and panel.depth is not None]
    picture = taskset.depth_picture(refs[0]) if refs else None
    return None if picture is None else (f"{refs[0].root}:{refs[0].path}", picture)


def _depth(question: Question, index: int, taskset: TaskSet, depth: DepthFrom) -> tuple[str, UInt8[np.ndarray, "h w 3"]] | None:
    """The depth picture of a picture, with what tells it from others; None where it may lack."""
    try:
        if depth.folder is not None:
            view = depth_picture(question, index)
            picture = depth.folder.roborefer_picture(view)
            found = None if picture is None else (view.digest, picture)
            why = f"no map of it in {depth.folder.path}"
        else:
            panels = [panel for panel in question.panels if panel.image_index == index]
            ref = panels[0].depth if len(panels) == 1 else None
            found = None if ref is None else (f"{ref.root}:{ref.path}", inverse_picture(taskset.read_depth(ref)))
            why = "it is made of several views" if len(panels) > 1 else "the task set has none"
    except UnusableDepthError as error:
        found, why = None, str(error)
    if found is None and depth.lacking == "stop":
        raise InputError(
            f"example {question.id!r}: no depth for picture {index + 1} ({why}). Make maps with `sightline depth` and give "
            "their folder, or add lacking=rgb to ask such questions with pictures alone."
        )
    return found
