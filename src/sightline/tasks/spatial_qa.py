"""Spatial QA: questions about a room that end in a letter, a number or a word. The task `spatial_qa`.

    prompt   media slots where the authors put them, the question with its options, the answer form
    truth    Choice("B"), Number(2.5, "m") or TextAnswer("piano")

A video is shown by frames of it: `tasks.frame_rules` says which, `tasks.video_frames` makes pictures of them. The group of an
example is its scene ("scannet/scene0011_00"), the tier its question type, so that every table by tier is one by question type.
`Example.published` has the authors' words without media, how they ask to answer, and the answer as published;
the evidence has the scene, the options, every accepted text, the paths of the media, and what else the record says.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from sightline.errors import InputError
from sightline.files import inside
from sightline.tasks.crossview import example_rng
from sightline.tasks.frame_rules import FrameRule, shortfall
from sightline.tasks.pictures import Studio
from sightline.tasks.point_choices import FramesUnchosenError
from sightline.tasks.scan_coverage import SceneUnseenError
from sightline.tasks.video_frames import video_frames
from sightline.types import (
    AnswerForm,
    Choice,
    Example,
    ImagePart,
    ImageRef,
    LedgerEntry,
    Medium,
    Number,
    Panel,
    Part,
    Published,
    Question,
    Record,
    SpatialInquiry,
    TextAnswer,
    TextPart,
    Truth,
    VideoPart,
)

TASK = "spatial_qa"
OTHER = "other"


class QaOptions(Record):
    """`words`: whose words say how to write the answer, the authors' (the dialect's where they say nothing) or the dialect's.
    `missing_media`: a medium that is not there stops the build, drops its question, or is left out of it (a blind question); the
    ledger has it. `seed` keys the draw of random frames."""

    words: Literal["published", "dialect"] = "published"
    frames: FrameRule = FrameRule()
    missing_media: Literal["error", "drop", "keep"] = "error"
    seed: int = 0


class QaSource(Record):
    """Where inquiries come from: the reader's name, its split, and the split of the examples (`role`)."""

    reader: str
    split: str
    role: str


class Shown(Record):
    """The media of a question as its pictures: `parts` takes the place of each medium, in order."""

    parts: tuple[tuple[Part, ...], ...] = ()
    images: tuple[ImageRef, ...] = ()
    panels: tuple[Panel, ...] = ()
    evidence: dict[str, int] = {}


def pose_qa(inquiry: SpatialInquiry, source: QaSource, studio: Studio, options: QaOptions) -> Iterator[Example | LedgerEntry]:
    """The example of an inquiry, or why there is none; also what was altered.

    Raises:
        InputError: a medium is missing, and `missing_media` is "error".
    """
    unit = f"{source.split}/{inquiry.inquiry_id}"
    missing = _missing(inquiry, studio.root)
    if missing:
        if options.missing_media == "error":
            check_media((inquiry,), source, studio.root)
        keeps = options.missing_media == "keep"
        detail = f"{studio.root / missing[0]} is not there{': asked without any picture' if keeps else ''}"
        yield LedgerEntry(
            unit=unit, reason="media_missing", detail=detail, action="altered" if keeps else "dropped", path=missing[0]
        )
        if not keeps:
            return
    try:
        shown, short = (Shown(parts=((),) * len(inquiry.media)), []) if missing else _show(inquiry, studio, options, source)
    except FramesUnchosenError as error:
        yield LedgerEntry(unit=unit, reason="frames_not_chosen", detail=str(error), path=inquiry.media[0].path)
        return
    except SceneUnseenError as error:
        yield LedgerEntry(unit=unit, reason="scan_unusable", detail=str(error), path=inquiry.media[0].path)
        return
    except (InputError, FileNotFoundError) as error:
        path = inquiry.media[0].path if inquiry.media else None
        yield LedgerEntry(unit=unit, reason="media_unusable", detail=str(error), path=path)
        return
    yield from short
    yield _example(inquiry, source, shown, options)


def check_media(inquiries: Sequence[SpatialInquiry], source: QaSource, root: Path) -> None:
    """Raise InputError if a medium of the questions is not there."""
    for inquiry in inquiries:
        if missing := _missing(inquiry, root):
            raise InputError(
                f"{source.reader} {source.split}/{inquiry.inquiry_id}: {root / missing[0]} is not there. Put the media below "
                "--root; or give --missing-media drop to leave such questions out, or keep to ask them without pictures."
            )


def _missing(inquiry: SpatialInquiry, root: Path) -> list[str]:
    return [medium.path for medium in inquiry.media if not inside(root, medium.path).exists()]


def qa_form(target: Choice | Number | TextAnswer, options: tuple[str, ...] = (), *, words: str = "") -> AnswerForm:
    """The answer form of a question with this truth; `options` are the letters of a choice."""
    match target:
        case Choice():
            return AnswerForm(shape="choice", image_index=0, options=options, words=words)
        case Number(unit=unit):
            return AnswerForm(shape="number", image_index=0, unit=unit, words=words)
        case TextAnswer():
            return AnswerForm(shape="text", image_index=0, words=words)


def _example(inquiry: SpatialInquiry, source: QaSource, shown: Shown, options: QaOptions) -> Example:
    form = qa_form(
        inquiry.target,
        tuple(letter for letter, _ in inquiry.options),
        words=inquiry.suffix if options.words == "published" else "",
    )
    scene = f"{inquiry.dataset}/{inquiry.scene_id}" if inquiry.dataset else inquiry.scene_id
    return Example(
        question=Question(
            id=f"{source.reader}/{source.split}/{inquiry.inquiry_id}",
            task=TASK,
            prompt=(*_words(inquiry, shown), form),
            images=shown.images,
            panels=shown.panels,
        ),
        truth=Truth(answer=inquiry.target, panel_index=0),
        split=source.role,
        group=scene or f"{source.reader}/{source.split}/{inquiry.inquiry_id}",
        tier=inquiry.question_type or OTHER,
        object_id=inquiry.inquiry_id,
        evidence=_evidence(inquiry) | shown.evidence,
        published=Published(
            id=inquiry.published_id,
            instruction=inquiry.text,
            suffix=inquiry.suffix,
            answer=inquiry.answer_text,
            category=inquiry.question_type,
        ),
    )


def _words(inquiry: SpatialInquiry, shown: Shown) -> Iterator[Part]:
    places = iter(shown.parts)
    begun = bool(shown.images)
    for part in inquiry.words:
        if isinstance(part, Medium):
            yield from next(places)
        elif words := part if begun else part.lstrip("\n"):  # the line breaks behind media that are not shown
            begun = True
            yield TextPart(text=words)


def _evidence(inquiry: SpatialInquiry) -> dict[str, str | float | int]:
    named = {"dataset": inquiry.dataset, "scene_id": inquiry.scene_id, "question_type": inquiry.question_type}
    numbered = {"turn": inquiry.turn, "inherited_media": inquiry.inherited}
    return (
        {name: value for name, value in named.items() if value}
        | {f"option_{letter}": words for letter, words in inquiry.options}
        | {f"accepted_{number}": text for number, text in enumerate(inquiry.accepted, start=1)}
        | {f"{medium.what}_{number}": medium.published or medium.path for number, medium in enumerate(inquiry.media)}
        | {name: value for name, value in numbered.items() if value}
        | inquiry.evidence
    )


def _show(inquiry: SpatialInquiry, studio: Studio, options: QaOptions, source: QaSource) -> tuple[Shown, list[LedgerEntry]]:
    """The media as pictures, and the videos that have too few frames."""
    rng = example_rng(options.seed, f"{source.reader}/{source.split}/{inquiry.inquiry_id}")
    shown = Shown()
    short: list[LedgerEntry] = []
    for medium in inquiry.media:
        start = len(shown.images)
        if medium.what == "image":
            images, names, part = (studio.original(medium.path),), ("",), ImagePart(image_index=start)
            evidence = {}
        else:
            found = video_frames(inquiry, medium.path, studio, options.frames, rng=rng)
            images, names, evidence = found.images, found.names, found.evidence
            part = VideoPart(image_indices=tuple(range(start, start + len(images))), times_s=found.times_s)
            unit = f"{source.split}/{inquiry.inquiry_id}"
            short += [entry] if (entry := shortfall(unit, found.num_frames, options.frames, path=medium.path)) else []
        role = "query" if medium.what == "image" else "frame"
        panels = tuple(
            Panel(role=role, image_index=start + place, source=image, view_id=frame_id)
            for place, (image, frame_id) in enumerate(zip(images, names, strict=True))
        )
        shown = Shown(
            parts=(*shown.parts, (part,)),
            images=(*shown.images, *images),
            panels=(*shown.panels, *panels),
            evidence=shown.evidence | evidence,
        )
    return shown, short
