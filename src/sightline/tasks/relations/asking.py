"""From facts to questions: who is meant and how, which pictures are shown, the words, and the mirrored twins.

A *set* is what is asked about one fact: the question, its opposite or swapped form, and (with `mirror`) the same about the
mirrored pictures, with the words of direction swapped. Its examples share a `pair_id`. A set is closed under swapping left and
right, so that any choice of whole sets has as many left as right words and answers, and as many yes as no.

    evidence  {"rule": "left_of", "frame": 12, "frame_id": "00012", "a": "1", "b": "2", "side": "left", "boxes": "{..}",
               "called": "{\"1\": \"object A\", ..}", "width": 854, "slack": 0.11, "threshold": 0.02,
               "runs": "left 0-20; right 31-49", "mirrored": 0}

Boxes of the evidence are in pixels of the pictures shown (of the mirrored ones in a mirrored twin).
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from sightline.geometry.boxes import Box
from sightline.tasks.clips import SeenClip
from sightline.tasks.crossview import Outcome, example_rng, order_key
from sightline.tasks.footage import sample_frames
from sightline.tasks.pictures import Studio
from sightline.tasks.relations.cast import Cast, Casting
from sightline.tasks.relations.directions import mirror_words
from sightline.tasks.relations.facts import Facts, find_facts
from sightline.tasks.relations.names import Names, names_of
from sightline.tasks.relations.options import RelationOptions
from sightline.tasks.relations.shown import INKS, Frames, mirror_box
from sightline.tasks.relations.words import choose, definition, listed, question_words
from sightline.types import (
    Answer,
    AnswerForm,
    Boxes,
    BoxPart,
    BoxTrack,
    Choice,
    Example,
    ImagePart,
    ImageRef,
    LedgerEntry,
    NotVisible,
    ObjectTruth,
    Panel,
    Part,
    Question,
    TextPart,
    Truth,
    VideoPart,
)

Evidence = dict[str, str | float | int]


@dataclasses.dataclass(frozen=True)
class Asked:
    """One question before its pictures are drawn, in pixels of the unmirrored frames.

    `frames`: one frame (a picture), or several (a clip). `values` fill the slots of the wording `kind`; `defined` names the
    definition of left and right. `boxes`: those that decided, by object, in `evidence["frame"]`. `objects`: the truth of `frames`.
    """

    tail: str
    kind: str
    values: Mapping[str, str]
    defined: str
    cast: Cast
    frames: tuple[int, ...]
    form: AnswerForm
    answer: Answer
    object_id: str
    evidence: Evidence
    boxes: Mapping[str, Box] = dataclasses.field(default_factory=dict)
    objects: tuple[ObjectTruth, ...] = ()
    scored: tuple[int, ...] | None = None


@dataclasses.dataclass(frozen=True)
class TwinSet:
    """What is asked about one fact. `key` is unique in the clip and task."""

    key: str
    asked: tuple[Asked, ...]


class ClipAsker:
    """Everything a relation task needs of one clip: its facts, names, pictures and times."""

    def __init__(self, seen: SeenClip, studio: Studio, options: RelationOptions) -> None:
        self.seen, self.options = seen, options
        self.facts: Facts = find_facts(seen, options)
        self.names: Names = names_of(seen, options)
        self.pictures = Frames(seen, studio)
        self.rate = seen.clip.fps or options.sampling.assumed_fps
        self.casting = Casting(self.facts, self.names, self.pictures, options=options, rate=self.rate)
        self.shown = tuple(
            frame for frame, known in enumerate(self.facts.standings.labelled) if known and self.pictures.has_picture(frame)
        )

    def time_s(self, frame: int) -> float:
        return round(frame / self.rate, 3)

    def where(self, frame: int, cast: Cast) -> str:
        """How a question about one frame calls its picture."""
        return "in this picture" if cast.frame in (None, frame) else "in the second picture"

    def clip_frames(self) -> tuple[int, ...]:
        """The frames that questions about the clip show: labelled ones, as the policy samples them."""
        rng = example_rng(self.options.seed, f"{self.seen.clip.clip_id}/relation_frames")
        return sample_frames(self.shown, self.options.sampling, rng=rng, tracks=self.seen.tracks)

    def some_frames(self, frames: Iterable[int], name: str) -> list[int]:
        """At most `frames_per_relation` of the frames that have a picture, drawn by `name`, in order of time."""
        key = f"{self.seen.clip.clip_id}/{name}"
        drawn = sorted(
            (order_key(self.options.seed, f"{key}/{frame}"), frame) for frame in frames if self.pictures.has_picture(frame)
        )
        return sorted(frame for _, frame in drawn[: self.options.frames_per_relation])

    def pose(self, task: str, sets: Sequence[TwinSet]) -> Iterator[Outcome]:
        """The examples of the sets, at most `sets_per_clip` sets, which a hash chooses; the rest is one entry of the ledger."""
        clip_id = self.seen.clip.clip_id
        ranked = sorted(sets, key=lambda one: order_key(self.options.seed, f"{task}/{clip_id}/{one.key}"))
        chosen = {one.key for one in ranked[: self.options.sets_per_clip]}
        assert len({one.key for one in sets}) == len(sets), f"{task}/{clip_id}: two sets of one name"
        if len(sets) > len(chosen):
            detail = f"{len(sets) - len(chosen)} of {len(sets)} sets of twins; at most {self.options.sets_per_clip} are taken"
            yield LedgerEntry(unit=clip_id, reason="over_limit", detail=detail)
        for one in sets:
            if one.key in chosen:
                for asked in one.asked:
                    for mirrored in (False, True) if self.options.mirror else (False,):
                        yield self._example(task, one.key, asked, mirrored=mirrored)

    def _example(self, task: str, key: str, asked: Asked, *, mirrored: bool) -> Example:
        pair_id = f"{task}/{self.seen.clip.clip_id}/{key}"
        wording = choose(asked.kind, pair_id, self.options)
        stage = self._stage(asked, mirrored=mirrored)
        sentence = f"{question_words(asked.kind, wording, asked.values)} {definition(asked.defined)}"
        words = mirror_words(sentence) if mirrored else sentence
        form = msgspec.structs.replace(asked.form, image_index=len(stage.images) - 1 if len(asked.frames) == 1 else stage.first)
        if mirrored:
            form = msgspec.structs.replace(form, options=tuple(mirror_words(word) for word in form.options))
        question = Question(
            id=f"{pair_id}/{asked.tail}{'-mirrored' if mirrored else ''}",
            task=task,
            prompt=(*stage.parts, TextPart(text=words), form),
            images=stage.images,
            panels=stage.panels,
        )
        return Example(
            question=question,
            truth=self._truth(asked, stage, mirrored=mirrored),
            split=self.seen.clip.split,
            group=self.seen.clip.video_id or self.seen.clip.clip_id,
            tier=_tier(asked.answer, mirrored=mirrored),
            object_id=asked.object_id,
            label=self._label(asked.object_id),
            slices={"slack": round(float(asked.evidence["slack"]), 6), "mirrored": float(mirrored)},
            wording=wording,
            pair_id=pair_id,
            evidence=self._evidence(asked, mirrored=mirrored),
        )

    def _label(self, object_id: str) -> str | None:
        return self.seen.track(object_id).track.category if object_id in self.facts.standings.of else None

    def _stage(self, asked: Asked, *, mirrored: bool) -> "Stage":
        """The pictures in order and the parts that introduce them: the one with the marks, then what is asked about."""
        cast, stage = asked.cast, Stage()
        if cast.frame is not None and cast.by == "mark":
            image = self.pictures.marked(cast.frame, cast.boxes, mirrored=mirrored)
            source = image if mirrored else self.pictures.plain(cast.frame, mirrored=False)
            stage.add(image, source, self.seen.clip.frames[cast.frame].frame_id, role="reference")
            inks = [f"{phrase} is in the {ink.name} box" for phrase, ink in zip(cast.phrases.values(), INKS, strict=False)]
            stage.say("\nIn this picture " + listed(inks) + ".\n")
        elif cast.frame is not None:
            self._say_boxes(cast, cast.frame, stage, mirrored=mirrored)
        stage.first = len(stage.images)
        if (cast.frame,) == asked.frames:
            return stage
        for frame in asked.frames:
            image = self.pictures.plain(frame, mirrored=mirrored)
            role = "frame" if len(asked.frames) > 1 else "query"
            stage.add(image, image, self.seen.clip.frames[frame].frame_id, role=role, slot=len(asked.frames) == 1)
        if len(asked.frames) > 1:
            indices = tuple(range(stage.first, len(stage.images)))
            stage.parts.append(VideoPart(image_indices=indices, times_s=tuple(self.time_s(frame) for frame in asked.frames)))
        stage.say("\n")
        return stage

    def _say_boxes(self, cast: Cast, frame: int, stage: "Stage", *, mirrored: bool) -> None:
        image = self.pictures.plain(frame, mirrored=mirrored)
        stage.add(image, image, self.seen.clip.frames[frame].frame_id, role="reference")
        stage.say("\nIn this picture ")
        for place, (name, phrase) in enumerate(cast.phrases.items()):
            box = mirror_box(cast.boxes[name], image.width) if mirrored else cast.boxes[name]
            stage.say(f"{', ' if place else ''}{phrase} is at ")
            stage.parts.append(BoxPart(box=box, image_index=len(stage.images) - 1))
        stage.say(".\n")

    def _truth(self, asked: Asked, stage: "Stage", *, mirrored: bool) -> Truth:
        image_index = len(stage.images) - 1 if len(asked.frames) == 1 else stage.first
        answer, objects = asked.answer, asked.objects
        width = self.facts.standings.width(asked.frames[0])
        if isinstance(answer, Boxes):
            answer = msgspec.structs.replace(answer, image_index=image_index)
        if mirrored:
            answer = mirror_answer(answer, width)
            objects = tuple(_mirror_object(one, width) for one in objects)
        return Truth(
            answer=answer,
            panel_index=image_index,
            box=answer.boxes[0] if isinstance(answer, Boxes) else None,
            objects=objects,
            scored_frames=asked.scored,
        )

    def _evidence(self, asked: Asked, *, mirrored: bool) -> Evidence:
        frame = int(asked.evidence["frame"])
        width = self.facts.standings.width(frame)
        boxes = {name: mirror_box(box, width) if mirrored else box for name, box in asked.boxes.items()}
        found = {
            name: mirror_words(value) if mirrored and name in MIRRORED and isinstance(value, str) else value
            for name, value in asked.evidence.items()
        }
        more = {
            "frame_id": self.seen.clip.frames[frame].frame_id,
            "boxes": json.dumps(boxes),
            "width": width,
            "called": json.dumps(asked.cast.phrases),
            "referred_by": asked.cast.by,
            "mirrored": int(mirrored),
        }
        return found | more


MIRRORED = ("side", "runs", "label")
Role = Literal["reference", "query", "frame"]


class Stage:
    """The pictures, panels and first prompt parts of one question; `first` is the first picture that is asked about."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.first = 0
        self._images: list[ImageRef] = []
        self._panels: list[Panel] = []

    @property
    def images(self) -> tuple[ImageRef, ...]:
        return tuple(self._images)

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(self._panels)

    def add(self, image: ImageRef, source: ImageRef, view_id: str, *, role: Role, slot: bool = True) -> None:
        index = len(self._images)
        self._images.append(image)
        self._panels.append(Panel(role=role, image_index=index, source=source, view_id=view_id))
        if slot:
            self.parts.append(ImagePart(image_index=index))

    def say(self, text: str) -> None:
        last = self.parts[-1] if self.parts else None
        if isinstance(last, TextPart):
            self.parts[-1] = TextPart(text=last.text + text)
        else:
            self.parts.append(TextPart(text=text))


def mirror_answer(answer: Answer, width: int) -> Answer:
    """The right answer about the mirrored pictures."""
    match answer:
        case Boxes(boxes=boxes):
            return msgspec.structs.replace(answer, boxes=tuple(mirror_box(box, width) for box in boxes))
        case BoxTrack(frames=frames):
            return BoxTrack(frames=tuple(tuple(mirror_box(box, width) for box in boxes) for boxes in frames))
        case Choice(value=value):
            return Choice(value=mirror_words(value))
    return answer


def _mirror_object(one: ObjectTruth, width: int) -> ObjectTruth:
    return ObjectTruth(object_id=one.object_id, boxes=tuple(None if box is None else mirror_box(box, width) for box in one.boxes))


def _tier(answer: Answer, *, mirrored: bool) -> str:
    """The right word of a choice, so that a table shows whether a constant answer wins; NT where nothing is meant; else V."""
    match answer:
        case Choice(value=value):
            return mirror_words(value) if mirrored else value
        case NotVisible():
            return "NT"
    return "V"
