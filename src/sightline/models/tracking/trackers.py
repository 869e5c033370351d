"""Models that follow what they are shown through a clip, and two without weights that any other must beat.

    copy-first-mask   the mask that was given, unchanged in every frame
    flow-warp         the mask that was given, carried from frame to frame by dense optical flow (OpenCV's DIS)

A box stands for its filled rectangle and a point for a block around it. Objects of one clip are followed together, so that each
frame is decoded once for all of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from sightline.errors import InputError
from sightline.geometry.masks import encode_mask, rle_area
from sightline.models.model import NotApplicable, Replies
from sightline.models.tracking.shown import QuestionFrames, RgbFrames, Shown, clips_of, lacks_prompt, region_of, shown_in
from sightline.taskset.store import TaskSet
from sightline.types import MaskRle, MaskTrack, Question

OBJECTS_TOGETHER = 64
Found = Iterator[tuple[int, dict[str, MaskRle]]]
"""(frame, the mask of every object that is followed there); a frame may come more than once, with other objects."""
Region = Bool[np.ndarray, "h w"]
Grey = UInt8[np.ndarray, "h w"]


@runtime_checkable
class Tracker(Protocol):
    """Follows objects through frames, from each one's first prompt on, with `both_directions` also back to the beginning.

    `describe` tells this tracker from any other, in plain JSON values.
    """

    @property
    def name(self) -> str: ...
    def describe(self) -> dict[str, Any]: ...
    def follow(self, frames: RgbFrames, shown: Sequence[Shown], *, both_directions: bool = False) -> Found: ...


@dataclass(frozen=True)
class TrackerModel:
    """A tracker as a model of ours: it answers with mask tracks where an object is shown."""

    tracker: Tracker
    both_directions: bool = False
    batch_size: int = OBJECTS_TOGETHER
    dialect: None = None

    @property
    def name(self) -> str:
        return self.tracker.name

    def describe(self) -> dict[str, Any]:
        return self.tracker.describe() | {"both_directions": self.both_directions}

    def check(self, taskset: TaskSet) -> None:
        first = next(iter(taskset), None)
        if first is not None and (lack := lacks_prompt(first.question)):
            raise NotApplicable(
                f"model {self.name!r} cannot answer task set {taskset.manifest.name!r}: {lack} (example {first.id!r}). "
                "Build a segment task set (`sightline build segment`), or leave this model out."
            )

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> list[MaskTrack]:
        found = {question.id: reply for some in self.replies(questions, taskset) for question, reply in some}
        return [found[question.id] for question in questions]  # pyright: ignore[reportReturnType] - this model says nothing else

    def replies(self, questions: Iterable[Question], taskset: TaskSet) -> Replies:
        """The questions about one clip together.

        Raises:
            InputError: a question shows no object.
        """
        for together in clips_of(questions, self.batch_size):
            for question in together:
                if lack := lacks_prompt(question):
                    raise InputError(f"example {question.id!r}, model {self.name!r}: {lack}.")
            frames = QuestionFrames(together[0], taskset)
            shown = [shown_in(question, taskset) for question in together]
            found = self.tracker.follow(frames, shown, both_directions=self.both_directions)
            tracks = whole_tracks(found, [question.id for question in together], len(frames))
            yield [(question, MaskTrack(frames=tracks[question.id])) for question in together]


def whole_tracks(found: Found, object_ids: Sequence[str], num_frames: int) -> dict[str, tuple[MaskRle | None, ...]]:
    """Tracks with an entry a frame: None where the object was not followed or not found."""
    tracks: dict[str, list[MaskRle | None]] = {name: [None] * num_frames for name in object_ids}
    for frame, masks in found:
        for name, rle in masks.items():
            tracks[name][frame] = rle if rle_area(rle) else None
    return {name: tuple(track) for name, track in tracks.items()}


def check_shown(shown: Sequence[Shown], frames: RgbFrames) -> None:
    """Raise InputError if nothing is shown, or on a frame that the clip does not have."""
    if not shown:
        raise InputError("nothing to follow: there is no prompt.")
    for each in shown:
        if not 0 <= each.frame < len(frames):
            raise InputError(f"object {each.object_id!r} is prompted on frame {each.frame} of a video of {len(frames)} frames.")


@dataclass(frozen=True)
class CopyFirstMask:
    """The latest mask given; with `both_directions` the first one also before it."""

    name: str = "copy-first-mask"

    def describe(self) -> dict[str, Any]:
        return {"kind": "tracker", "name": self.name, "revision": 1}

    def follow(self, frames: RgbFrames, shown: Sequence[Shown], *, both_directions: bool = False) -> Found:
        given = _regions(frames, shown)
        codes = {name: {frame: encode_mask(region) for frame, region in some.items()} for name, some in given.items()}
        for frame in range(len(frames)):
            masks = {}
            for name, some in codes.items():
                before = [at for at in some if at <= frame]
                if before or both_directions:
                    masks[name] = some[max(before) if before else min(some)]
            if masks:
                yield frame, masks


@dataclass(frozen=True)
class FlowWarp:
    """The mask of the frame before, fetched along the flow: a pixel is set where the point it came from was (bilinear, at least
    half). A mask given later replaces what was carried to its frame. What comes in from outside the picture is not the object."""

    name: str = "flow-warp"

    def describe(self) -> dict[str, Any]:
        return {"kind": "tracker", "name": self.name, "revision": 1, "settings": {"flow": "DIS medium", "opencv": cv2.__version__}}

    def follow(self, frames: RgbFrames, shown: Sequence[Shown], *, both_directions: bool = False) -> Found:
        given = _regions(frames, shown)
        yield from self._carry(frames, given, range(min(min(some) for some in given.values()), len(frames)))
        if both_directions:
            firsts = {name: {min(some): some[min(some)]} for name, some in given.items()}
            for frame, masks in self._carry(frames, firsts, range(max(min(some) for some in given.values()), -1, -1)):
                if early := {name: code for name, code in masks.items() if frame < min(given[name])}:
                    yield frame, early

    def _carry(self, frames: RgbFrames, given: dict[str, dict[int, Region]], order: range) -> Found:
        """One direction, from the first mask on."""
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        before: Grey | None = None
        carried: dict[str, Region] = {}
        for frame in order:
            grey = cv2.cvtColor(frames.rgb(frame), cv2.COLOR_RGB2GRAY)
            if before is not None and carried:
                came_from = _sources(np.asarray(flow.calc(grey, before, None), dtype=np.float32))  # pyright: ignore[reportCallIssue, reportArgumentType]
                carried = {name: _fetched(region, came_from) for name, region in carried.items()}
            carried |= {name: some[frame] for name, some in given.items() if frame in some}
            yield frame, {name: encode_mask(region) for name, region in carried.items()}
            before = grey


def _sources(flow: Float32[np.ndarray, "h w 2"]) -> Float32[np.ndarray, "h w 2"]:
    """Where each pixel was in the frame before, as pixel indices (x, y)."""
    height, width = flow.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return flow + np.stack((columns, rows), axis=2)


def _fetched(region: Region, came_from: Float32[np.ndarray, "h w 2"]) -> Region:
    soft = cv2.remap(region.astype(np.float32), came_from, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return soft >= 0.5


def _regions(frames: RgbFrames, shown: Sequence[Shown]) -> dict[str, dict[int, Region]]:
    """The masks that are given of each object, by frame."""
    check_shown(shown, frames)
    found: dict[str, dict[int, Region]] = {}
    for each in shown:
        if each.frame in found.setdefault(each.object_id, {}):
            raise InputError(f"object {each.object_id!r} has two prompts on frame {each.frame}; give all its points in one.")
        found[each.object_id][each.frame] = region_of(each, frames)
    return found
