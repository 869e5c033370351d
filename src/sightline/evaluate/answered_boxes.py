"""`boxes:SOURCE#TRACKER`: the boxes that a run answered, or those of a truth, as the prompts of a tracker.

    boxes:RUN#CHECKPOINT              a run on refer_track or refer_box, and a SAM 2 checkpoint with the settings of sam2:; of a run
                                      on refer_mask_track or refer_mask, the boxes of its masks
    boxes:RUNS/MODEL#CHECKPOINT       all runs of a model, as eval leaves them; the one that belongs to the task set is taken
    boxes:TASKSET#CHECKPOINT          the true boxes of a box task set, in the frames that it shows
    boxes:truth#CHECKPOINT            the true boxes of the task set that is answered, in all its frames
    boxes:...?absent=empty#...        no mask of an object in a frame that was asked about and has no box of it
    boxes:...#copy-first-mask         the filled boxes, or any other tracker without weights

An example belongs to another whose id differs in the task's name only (`refer_mask_track/CLIP/EXPRESSION` and
`refer_track/CLIP/EXPRESSION`). Its frames are found by their files: those of the boxes must be among those of the masks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from sightline.errors import InputError, unknown_name
from sightline.evaluate.measured import usable
from sightline.evaluate.run import RUN, read_predictions, read_run
from sightline.evaluate.score import open_taskset
from sightline.geometry.boxes import Box
from sightline.geometry.masks import rle_box
from sightline.models import PREFIXES, TRACKERS, NotApplicable
from sightline.models.model import Failure
from sightline.models.options import ModelOptions, split_name
from sightline.models.tracking.box_links import link_boxes
from sightline.models.tracking.box_masks import SHAPES, BoxMasks, BoxSource, Pointed
from sightline.models.tracking.trackers import TrackerModel
from sightline.taskset.store import TaskSet
from sightline.types import HIDDEN, Answer, Boxes, BoxTrack, Example, MaskAnswer, MaskTrack, Prediction, Question

PREFIX, TRUTH = "boxes:", "truth"
BOX_SHAPES, MASK_SHAPES = ("box", "box_track"), ("mask", "mask_track")
ABSENT = ("followed", "empty")
MANIFEST = "manifest.json"
Source = TypeVar("Source", "TrueBoxes", "RunBoxes")


def is_box_masks(spec: str) -> bool:
    """Whether `box_masks` knows this spec."""
    return split_name(spec)[1].startswith(PREFIX)


def box_masks(spec: str, options: ModelOptions) -> tuple[str, Callable[[TaskSet], BoxMasks]]:
    """The name of what `[NAME=]boxes:SOURCE#TRACKER` means, and the function that makes it for a task set.

    Raises:
        FileNotFoundError: no such source or checkpoint.
        InputError: the spec says something else.
    """
    given_name, rest = split_name(spec)
    source, hash_mark, follower = rest.removeprefix(PREFIX).partition("#")
    place, _, query = source.partition("?")
    if not (place and hash_mark and follower):
        raise InputError(
            f"model {spec!r}: expected boxes:SOURCE#TRACKER, where SOURCE is a run, a task set or {TRUTH!r}, and TRACKER a SAM 2 "
            f"checkpoint or one of {', '.join(TRACKERS)}."
        )
    absent = _absent(query)
    tracker = TRACKERS[follower]() if follower in TRACKERS else PREFIXES["sam2"](follower, _unnamed(options))
    assert isinstance(tracker, TrackerModel), "these follow objects"
    path = None if place == TRUTH else Path(place).expanduser()
    name = given_name or f"{_source_name(path)}+{tracker.name}"
    both = dict(parse_qsl(follower.partition("?")[2])).get("both_directions") != "no"

    def answering(taskset: TaskSet) -> BoxMasks:
        found = _source(path, taskset)
        return BoxMasks(name, tracker.tracker, found, both_directions=both, absent_empty=absent == "empty")

    return name, answering


@dataclass(frozen=True)
class TrueBoxes:
    """The boxes of a task set's own truth."""

    taskset: TaskSet

    def describe(self) -> dict[str, Any]:
        return {"kind": "truth", "taskset": self.taskset.manifest.fingerprint}

    def pointed(self, question: Question) -> Pointed:
        example = self.taskset[_counterpart(question.id, self.taskset)]
        if example.tier == HIDDEN:
            raise InputError(f"{self.taskset.path}: the data set holds back what {example.id!r} means; there are no true boxes.")
        places = _places(example, question, self.taskset)
        objects = [
            {places[at]: box for at, box in enumerate(one.boxes) if box is not None} for one in example.truth.objects
        ] or link_boxes(_by_place(example.truth.answer, places))
        return Pointed(objects=[boxes for boxes in objects if boxes], asked=frozenset(places))


class RunBoxes:
    """The boxes that a model answered in a run."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.info = folder, read_run(folder)
        self.taskset = open_taskset(folder)

    def describe(self) -> dict[str, Any]:
        info = self.info
        return {"kind": "run", "model": info.model, "description": info.description, "taskset": info.taskset_fingerprint}

    def pointed(self, question: Question) -> Pointed | Failure:
        name = _counterpart(question.id, self.taskset)
        prediction = self._predictions.get(name)
        if prediction is None:
            raise InputError(
                f"{self.folder}: no answer to {name!r} yet, and {question.id!r} needs its boxes. Finish that run with "
                f"`sightline predict {self.info.taskset_path} --model {self.info.model} --out {self.folder}`, or ask for fewer "
                "examples here (--limit)."
            )
        if prediction.reading.status == "error":
            return Failure(reason=f"{self.folder} has no answer to {name!r} (status error)")
        example = self.taskset[name]
        places = _places(example, question, self.taskset)
        frames = _by_place(usable(prediction.reading), places)
        if not example.question.form.several:
            frames = {place: boxes[:1] for place, boxes in frames.items()}
        return Pointed(objects=link_boxes(frames), asked=frozenset(places), prediction=prediction)

    @cached_property
    def _predictions(self) -> dict[str, Prediction]:
        return {prediction.id: prediction for prediction in read_predictions(self.folder)}


def _source(path: Path | None, taskset: TaskSet) -> BoxSource:
    """The boxes for a task set.

    Raises:
        NotApplicable: the task set asks for something else, or there are none that belong to its examples.
        InputError: there are two runs that do.
    """
    first = next(iter(taskset), None)
    if first is not None and first.question.form.shape not in SHAPES:
        raise NotApplicable(
            f"boxes become masks or boxes, and task set {taskset.manifest.name!r} asks for a {first.question.form.shape} (example "
            f"{first.id!r})"
        )
    if path is None:
        return TrueBoxes(taskset)
    if (path / MANIFEST).is_file():
        return _belonging(TrueBoxes(TaskSet(path)), taskset)
    if (path / RUN).is_file():
        return _belonging(RunBoxes(path), taskset, shapes=(*BOX_SHAPES, *MASK_SHAPES))
    faults: list[str] = []
    found: list[RunBoxes] = []
    for folder in _runs(path):
        try:
            found.append(_belonging(RunBoxes(folder), taskset))
        except NotApplicable as error:
            faults.append(str(error))
    if len(found) > 1:
        raise InputError(
            f"{path}: the runs {', '.join(str(one.folder) for one in found[:2])} both have boxes for task set "
            f"{taskset.manifest.name!r}. Name the one that is meant."
        )
    if not found:
        raise NotApplicable(f"{path}: no run of it has boxes for task set {taskset.manifest.name!r}: {'; '.join(faults[:3])}")
    return found[0]


def _belonging(source: Source, taskset: TaskSet, *, shapes: Sequence[str] = BOX_SHAPES) -> Source:
    """The source, if it has boxes for all examples of the task set, by answers of these shapes.

    Raises:
        NotApplicable: it asks for no boxes, or lacks an example.
    """
    asked = source.taskset
    first = next(iter(asked), None)
    if first is None or first.question.form.shape not in shapes:
        shape = "nothing" if first is None else f"a {first.question.form.shape}"
        raise NotApplicable(f"{asked.path} asks for {shape}, and boxes are needed: a set of refer_track, refer_box or the like")
    known = {_unit(name) for name in asked.ids}
    missing = [name for name in taskset.ids if _unit(name) not in known]
    if missing:
        raise NotApplicable(
            f"{asked.path} lacks {len(missing):,} of the {len(taskset):,} examples of {taskset.path}, first {missing[0]!r}: ids "
            "must be the same but for the task's name. Build both task sets from the same data, split and options"
        )
    return source


def _counterpart(name: str, taskset: TaskSet) -> str:
    return f"{taskset.manifest.task}/{_unit(name)}"


def _unit(name: str) -> str:
    """An example's id without the task: the clip and the expression."""
    return name.partition("/")[2]


def _places(example: Example, question: Question, taskset: TaskSet) -> list[int]:
    """For each frame of the example, its position among the frames of the question.

    Raises:
        InputError: a frame that the question does not show.
    """
    shown = {picture: at for at, picture in enumerate(_pictures(question))}
    pictures = _pictures(example.question)
    missing = [path for path in pictures if path not in shown]
    if missing:
        raise InputError(
            f"example {question.id!r} does not show {missing[0]!r}, on which {example.id!r} of {taskset.path} has boxes "
            f"({len(missing)} of {len(pictures)} frames). Build the mask task set with the same frames (--frames uniform with the "
            "same --num-frames) or with all of them (--frames all)."
        )
    return [shown[path] for path in pictures]


def _pictures(question: Question) -> list[str]:
    indices: Sequence[int] = question.clip.image_indices if question.clip else (question.form.image_index,)
    return [question.images[index].path for index in indices]


def _by_place(answer: Answer | None, places: Sequence[int]) -> Mapping[int, Sequence[Box]]:
    """The answered boxes by position, those of masks where these were answered; none of an answer without either."""
    match answer:
        case BoxTrack(frames=frames):
            return {place: boxes for place, boxes in zip(places, frames, strict=True) if boxes}
        case Boxes(boxes=boxes):
            return {places[0]: boxes} if boxes else {}
        case MaskTrack(frames=masks):
            found = {place: rle_box(mask) for place, mask in zip(places, masks, strict=True) if mask is not None}
            return {place: [box] for place, box in found.items() if box is not None}
        case MaskAnswer(rle=mask):
            box = rle_box(mask)
            return {} if box is None else {places[0]: [box]}
    return {}


def _runs(path: Path) -> list[Path]:
    return sorted(found.parent for found in path.glob(f"*/{RUN}"))


def _source_name(path: Path | None) -> str:
    if path is None:
        return TRUTH
    if (path / MANIFEST).is_file():
        return f"{TRUTH}-{path.resolve().name}"
    if (path / RUN).is_file():
        return read_run(path).model
    if not _runs(path):
        raise FileNotFoundError(
            f"{path}: no run, no task set, and no folder of runs. Ask a model for boxes first: `sightline eval "
            "tasks/refer_track-val --model M --out runs` leaves the runs of M in runs/M."
        )
    return path.resolve().name


def _absent(query: str) -> str:
    absent = "followed"
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key != "absent":
            raise unknown_name("setting of boxes:", key, ["absent"])
        absent = value
    if absent not in ABSENT:
        raise unknown_name("value of boxes: absent", absent, ABSENT)
    return absent


def _unnamed(options: ModelOptions) -> ModelOptions:
    return msgspec.structs.replace(options, name=None)
