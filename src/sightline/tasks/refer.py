"""What the referring tasks share: which objects an expression means, which frames show them, and the example made of both.

An expression means one object, several, or nothing (no target, tier NT: the right answer is "not visible"). A text with a question
mark is asked as it stands; any other stands in one of the task's wordings. Ids: `{task}/{clip}/{expression}`.

Where a test set holds the objects back, an expression can be asked for the benchmark's server (`hidden="asked"`, tier "hidden"): it
has no truth, is not scored (no frame of it is), and cannot be learnt from.

Dropped, by reason: `no_expressions` (a clip without any), `no_text`, `targets_hidden` (with `hidden="left_out"`),
`unknown_object` (the clip has no such object), `target_without_mask` (the annotation shows it in no frame, as in some of
Ref-DAVIS17; that is no proof that nothing is meant), `several_objects` (with `objects="one"`), `no_target` (with
`no_target="left_out"`), `frames_unusable` (no frame can be shown, or too many), `no_masks` (boxes only, and a mask is needed),
`several_frames` and `single_frame` (a clip for a task about pictures, and the reverse).
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from sightline.errors import InputError
from sightline.geometry.boxes import Box, clip_box
from sightline.geometry.masks import union_masks
from sightline.tasks.clips import SeenClip, SeenTrack
from sightline.tasks.crossview import Outcome, example_rng
from sightline.tasks.footage import ClipOptions, Footage, sample_frames, show
from sightline.tasks.pictures import Studio
from sightline.tasks.wording import fill, prompt, worded, wordings
from sightline.types import HIDDEN, AnswerForm, Example, Expression, LedgerEntry, MaskRle, ObjectTruth, Part, Question, Truth

NO_TARGET = "NT"
ABSENT = "N12"


class ReferOptions(ClipOptions):
    """How expressions become questions.

    `objects`: whether an expression may mean several objects; the question then asks for all, whatever their number. `no_target`:
    "offered" keeps expressions that mean nothing and offers "not visible" in every question; "left_out" does neither. `boxes`: the
    annotation's own box where there is one (RefCOCO's box scores are defined on it), or always that of the mask. `frames`: show
    only frames in which the annotation says where the targets are, or any. `spans`: ask for the time only where that is a part of
    the clip, or always. `words`: the cleaned words of an expression, or those that its author typed, where both are there.
    `hidden`: "asked" keeps expressions of which the data set does not say what they mean.
    """

    objects: Literal["one", "several"] = "several"
    no_target: Literal["offered", "left_out"] = "offered"
    boxes: Literal["annotation", "mask"] = "annotation"
    frames: Literal["labelled", "any"] = "labelled"
    spans: Literal["partial", "all"] = "partial"
    words: Literal["cleaned", "typed"] = "cleaned"
    hidden: Literal["left_out", "asked"] = "left_out"


@dataclasses.dataclass(frozen=True, eq=False)
class Meant:
    """One expression of a clip and the tracks of the objects it means, in its order; none where nothing is meant."""

    seen: SeenClip
    expression: Expression
    targets: tuple[SeenTrack, ...]

    @property
    def unit(self) -> str:
        return f"{self.seen.clip.clip_id}/{self.expression.expression_id}"

    @property
    def hidden(self) -> bool:
        """Whether the data set holds back what is meant."""
        return self.expression.object_ids is None

    def known(self, frame: int) -> bool:
        """Whether the annotation says of every target if it is in the frame."""
        return not self.hidden and all(target.known[frame] for target in self.targets)

    def present(self, frame: int) -> bool:
        """Whether at least one target is in the frame."""
        return any(target.places[frame] is not None for target in self.targets)

    def dropped(self, reason: str, detail: str) -> LedgerEntry:
        return LedgerEntry(unit=self.unit, reason=reason, detail=detail)


def refer_options(options: ClipOptions) -> ReferOptions:
    """The options of a recipe of referring tasks."""
    assert isinstance(options, ReferOptions), "referring tasks are built with ReferOptions"
    return options


def meanings(seen: SeenClip, options: ReferOptions) -> Iterator[Meant | LedgerEntry]:
    """Every expression of the clip whose targets are known, and why the others are not used."""
    clip = seen.clip
    if not clip.expressions:
        yield LedgerEntry(unit=clip.clip_id, reason="no_expressions", detail="no expression refers to this clip")
    for expression in clip.expressions:
        meant = Meant(seen, expression, ())
        reason = _unusable(meant, options)
        if reason:
            yield meant.dropped(*reason)
        else:
            yield dataclasses.replace(meant, targets=tuple(seen.track(name) for name in _ids(expression) or ()))


def _unusable(meant: Meant, options: ReferOptions) -> tuple[str, str] | None:
    """The reason and the detail for not using an expression, None if it can be used."""
    expression, seen = meant.expression, meant.seen
    ids = _ids(expression)
    if not expression.text.strip():
        return "no_text", "the expression has no words"
    if ids is None:
        return None if options.hidden == "asked" else ("targets_hidden", "the data set holds back which objects are meant")
    if not ids:
        return None if options.no_target == "offered" else ("no_target", "nothing is meant")
    if len(ids) > 1 and options.objects == "one":
        return "several_objects", f"{len(ids)} objects are meant"
    tracks = {track.object_id: track for track in seen.tracks}
    if unknown := [name for name in ids if name not in tracks]:
        return "unknown_object", f"object {unknown[0]!r} is not among the clip's: {', '.join(sorted(tracks)[:8]) or 'it has none'}"
    if unseen := [name for name in ids if not any(tracks[name].places)]:
        return "target_without_mask", f"object {unseen[0]!r} is meant, but no frame shows it"
    return None


def _ids(expression: Expression) -> tuple[str, ...] | None:
    """The objects that are meant, each once."""
    return None if expression.object_ids is None else tuple(dict.fromkeys(expression.object_ids))


def choose_frames(meant: Meant, example_id: str, options: ReferOptions) -> tuple[int, ...]:
    """Positions of the frames that the question shows.

    Raises:
        InputError: no frame can be shown.
    """
    seen = meant.seen
    shown = [place for place, frame in enumerate(seen.clip.frames) if frame.image is not None and seen.sizes[place] is not None]
    if options.frames == "labelled":
        if meant.targets:
            shown = [frame for frame in shown if meant.known(frame)]
        else:  # as for the other expressions of the clip, lest the frames give the answer away
            shown = [frame for frame in shown if any(track.known[frame] for track in seen.tracks)] or shown
    rng = example_rng(options.seed, f"{example_id}/frames")
    return sample_frames(shown, options.sampling, rng=rng, tracks=meant.targets)


def filmed(meant: Meant, task: str, studio: Studio, options: ReferOptions) -> Footage | LedgerEntry:
    """The frames of a question about a clip, or why there are none."""
    try:
        frames = choose_frames(meant, example_id(task, meant), options)
        return show(meant.seen, frames, studio, sampling=options.sampling)
    except (InputError, FileNotFoundError) as error:
        return meant.dropped("frames_unusable", str(error))


def object_truths(meant: Meant, footage: Footage, studio: Studio, options: ReferOptions) -> tuple[ObjectTruth, ...]:
    """Box and mask of each target in each frame shown; the masks are kept in the studio."""

    def truth(target: SeenTrack) -> ObjectTruth:
        codes = [meant.seen.mask(target, frame) if has_masks(target) else None for frame in footage.frames]
        return ObjectTruth(
            object_id=target.object_id,
            boxes=tuple(_box(meant.seen, target, frame, options) for frame in footage.frames),
            masks=tuple(code and studio.keep_code(code) for code in codes) if has_masks(target) else (),
        )

    return tuple(truth(target) for target in meant.targets)


def has_masks(target: SeenTrack) -> bool:
    """Whether the track has masks, not boxes alone."""
    track = target.track
    return track.label is not None or bool(track.masks or track.mask_paths)


def union_at(meant: Meant, frame: int) -> MaskRle | None:
    """All that the expression means in a frame, as one mask; None where it means nothing there."""
    codes = [code for target in meant.targets if (code := meant.seen.mask(target, frame))]
    return union_masks(codes) if codes else None


def _box(seen: SeenClip, target: SeenTrack, frame: int, options: ReferOptions) -> Box | None:
    place, size = target.places[frame], seen.sizes[frame]
    if place is None:
        return None
    boxes = target.track.boxes
    own = boxes[frame] if boxes and options.boxes == "annotation" else None
    return (clip_box(own, *size) if own and size else own) or place.box


def example_id(task: str, meant: Meant) -> str:
    return f"{task}/{meant.unit}"


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a task asks about an expression: its name, the form of the answer, and how the pictures stand in the prompt."""

    task: str
    form: AnswerForm
    slots: Mapping[str, Part | str]
    kind: Literal["image", "clip"]


def example(meant: Meant, asked: Asked, footage: Footage, truth: Truth, options: ReferOptions) -> Example:
    """The example: tier V, NT where nothing is meant, N12 where what is meant is in none of the frames shown."""
    expression = meant.expression
    text = ((options.words == "typed" and expression.raw) or expression.text).strip()
    values = {**asked.slots, "expression": text, "answer": asked.form}
    is_question = "?" in text
    parts = fill(wordings()["verbatim"][asked.kind], values) if is_question else prompt(asked.task, values)
    question = Question(
        id=example_id(asked.task, meant), task=asked.task, prompt=parts, images=footage.images, panels=footage.panels
    )
    categories = {target.track.category for target in meant.targets}
    made = Example(
        question=question,
        truth=truth,
        split=meant.seen.clip.split,
        group=meant.seen.clip.clip_id,
        tier=HIDDEN if meant.hidden else "V" if truth.visible else ABSENT if meant.targets else NO_TARGET,
        object_id=",".join(target.object_id for target in meant.targets),
        label=categories.pop() if len(categories) == 1 else None,
        slices=_slices(meant, footage),
        evidence={"expression_kind": expression.kind or "referring", "sampling": options.sampling.policy},
    )
    return made if is_question else worded(made, values, options)


def _slices(meant: Meant, footage: Footage) -> dict[str, float]:
    """`objects` meant, `frames` shown; of the frames shown that a target is in: their share `present`, and `query_area`, the mean
    share of the picture that the targets cover there (their areas added up)."""
    areas = []
    for frame, image in zip(footage.frames, footage.images, strict=True):
        covered = [place.area for target in meant.targets if (place := target.places[frame])]
        if covered:
            areas.append(min(sum(covered) / (image.width * image.height), 1.0))
    found = {"objects": float(len(meant.targets)), "frames": float(len(footage.frames))}
    if areas:
        found |= {"present": round(len(areas) / len(footage.frames), 6), "query_area": round(sum(areas) / len(areas), 6)}
    return found


def scored(meant: Meant, frames: Sequence[int]) -> tuple[int, ...] | None:
    """The positions among `frames` where the truth is known; None where it is in all."""
    known = tuple(position for position, frame in enumerate(frames) if meant.known(frame))
    return None if len(known) == len(frames) else known


def each(seen: SeenClip, options: ReferOptions, *, single: bool) -> Iterator[Meant | LedgerEntry]:
    """The expressions of a picture (`single`) or of a clip of several frames; the other sort is dropped as a whole."""
    count = len(seen.clip.frames)
    if count == 0:
        yield LedgerEntry(unit=seen.clip.clip_id, reason="frames_unusable", detail="the clip has no frames")
        return
    if (count == 1) != single:
        wanted, reason = ("one picture", "several_frames") if single else ("a clip", "single_frame")
        yield LedgerEntry(unit=seen.clip.clip_id, reason=reason, detail=f"{count} frames, and the task is about {wanted}")
        return
    yield from meanings(seen, options)


def without_masks(outcome: Meant) -> Outcome | None:
    """The entry for an expression whose targets have boxes only; None if all have masks."""
    bare = [target.object_id for target in outcome.targets if not has_masks(target)]
    return outcome.dropped("no_masks", f"object {bare[0]!r} has boxes only") if bare else None
