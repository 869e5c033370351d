"""Semi-supervised segmentation of a clip: an object is given on one frame, and its mask is asked for in every frame shown.

The frame is the first one shown in which the object is (a late object is given where it comes in). How it is given stands in the
prompt: a box or a point as a part of it, a mask as the question's reference alone. Ids: `segment/{clip}/{object}`, and with
`objects="together"` `segment/{clip}/from_{frame}` for all objects that come in on that frame, whose union is then followed.

The frame on which the object is given does not count, nor does any before it: a right answer there costs nothing. Of the others
those count in which the annotation says where every followed object is.

Dropped, by reason: `no_objects` (a clip without any), `single_frame`, `no_masks` (boxes only), `crowd` (the region is a group),
`never_shown` (no frame shown has it), `late` (with `late="left_out"`), `nothing_to_follow` (no frame after the first one counts),
`not_drawn` (more objects than `max_objects`), `frames_unusable`, `sizes_differ`.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Literal

from sightline.errors import InputError
from sightline.geometry.boxes import mask_to_box
from sightline.geometry.masks import decode_mask, union_masks
from sightline.geometry.points import truth_point
from sightline.tasks.clips import SeenClip, SeenTrack
from sightline.tasks.crossview import Outcome, example_rng
from sightline.tasks.footage import ClipOptions, Footage, Sampling, sample_frames, show
from sightline.tasks.pictures import Studio
from sightline.tasks.refer import has_masks
from sightline.tasks.wording import prompt, worded
from sightline.types import (
    AnswerForm,
    BoxPart,
    Example,
    LedgerEntry,
    MaskRle,
    MaskTrack,
    ObjectTruth,
    Part,
    PointPart,
    Question,
    Reference,
    Truth,
)

TASK = "segment"
GivenBy = Literal["mask", "box", "point"]
WORDS: dict[GivenBy, str] = {"mask": "mask", "box": "box ", "point": "point "}
ALL_FRAMES = Sampling(policy="all", max_frames=2000)


class SegmentOptions(ClipOptions):
    """How objects of a clip become questions.

    `given_by`: what shows the object on its first frame. `late`: objects that come in after the first frame shown are given there,
    or left out. `objects`: a question for each, or one for all that come in on the same frame. `frames`: show any frame with a
    picture, or only those in which the annotation says of some object where it is. `max_objects`: at most so many of a clip, drawn,
    so that a crowded clip does not outweigh the others; 0: all.
    """

    sampling: Sampling = ALL_FRAMES
    given_by: GivenBy = "mask"
    late: Literal["given", "left_out"] = "given"
    objects: Literal["each", "together"] = "each"
    frames: Literal["any", "labelled"] = "any"
    max_objects: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class _Followed:
    """Objects that are given together on the frame at `position` of those shown."""

    name: str
    tracks: tuple[SeenTrack, ...]
    position: int


def segment(seen: SeenClip, studio: Studio, options: ClipOptions) -> Iterator[Outcome]:
    """`segment` examples of a clip."""
    assert isinstance(options, SegmentOptions), "segment is built with SegmentOptions"
    unit = seen.clip.clip_id
    if len(seen.clip.frames) < 2:
        yield LedgerEntry(unit=unit, reason="single_frame", detail=f"{len(seen.clip.frames)} frames: there is nothing to follow")
        return
    tracks: list[SeenTrack] = []
    for outcome in _usable(seen, options):
        if isinstance(outcome, LedgerEntry):
            yield outcome
        else:
            tracks.append(outcome)
    if not tracks:
        yield LedgerEntry(unit=unit, reason="no_objects", detail="no object of the clip can be followed")
        return
    footage = _filmed(seen, tracks, studio, options)
    if isinstance(footage, LedgerEntry):
        yield footage
        return
    for followed in _groups(seen, tracks, footage, options):
        yield followed if isinstance(followed, LedgerEntry) else _question(seen, followed, footage, studio, options)


def _usable(seen: SeenClip, options: SegmentOptions) -> Iterator[SeenTrack | LedgerEntry]:
    """The tracks that have masks of one object, at most `max_objects` of them in the clip's order."""
    found: list[SeenTrack] = []
    for track in seen.tracks:
        unit = f"{seen.clip.clip_id}/{track.object_id}"
        if track.track.crowd:
            yield LedgerEntry(unit=unit, reason="crowd", detail="the region covers a group, not one object")
        elif not has_masks(track):
            yield LedgerEntry(unit=unit, reason="no_masks", detail=f"object {track.object_id!r} has boxes only")
        else:
            found.append(track)
    kept = range(len(found))
    if options.max_objects and len(found) > options.max_objects:
        rng = example_rng(options.seed, f"{TASK}/{seen.clip.clip_id}/objects")
        kept = set(rng.choice(len(found), size=options.max_objects, replace=False).tolist())
    for place, track in enumerate(found):
        if place in kept:
            yield track
        else:
            detail = f"{len(found)} objects, of which {options.max_objects} were drawn"
            yield LedgerEntry(unit=f"{seen.clip.clip_id}/{track.object_id}", reason="not_drawn", detail=detail)


def _filmed(seen: SeenClip, tracks: Sequence[SeenTrack], studio: Studio, options: SegmentOptions) -> Footage | LedgerEntry:
    """The frames that all questions of the clip show, or why there are none."""
    unit = seen.clip.clip_id
    places = [place for place, frame in enumerate(seen.clip.frames) if frame.image is not None and seen.sizes[place] is not None]
    if options.frames == "labelled":
        places = [place for place in places if any(track.known[place] for track in tracks)]
    rng = example_rng(options.seed, f"{TASK}/{unit}/frames")
    try:
        footage = show(seen, sample_frames(places, options.sampling, rng=rng, tracks=tracks), studio, sampling=options.sampling)
    except (InputError, FileNotFoundError) as error:
        return LedgerEntry(unit=unit, reason="frames_unusable", detail=str(error))
    sizes = sorted({(image.width, image.height) for image in footage.images})
    if len(sizes) > 1:
        return LedgerEntry(unit=unit, reason="sizes_differ", detail=f"the frames shown have different sizes: {sizes}")
    return footage


def _groups(
    seen: SeenClip, tracks: Sequence[SeenTrack], footage: Footage, options: SegmentOptions
) -> Iterator[_Followed | LedgerEntry]:
    """What is followed by one question each."""
    clip_id = seen.clip.clip_id
    together: dict[int, list[SeenTrack]] = {}
    for track in tracks:
        unit = f"{clip_id}/{track.object_id}"
        position = next((at for at, frame in enumerate(footage.frames) if track.places[frame] is not None), None)
        if position is None:
            yield LedgerEntry(unit=unit, reason="never_shown", detail=f"in none of the {len(footage.frames)} frames shown")
        elif position and options.late == "left_out":
            yield LedgerEntry(unit=unit, reason="late", detail=f"comes in on frame {position} of those shown")
        elif options.objects == "together":
            together.setdefault(position, []).append(track)
        else:
            yield _Followed(track.object_id, (track,), position)
    for position, some in sorted(together.items()):
        frame = seen.clip.frames[footage.frames[position]].frame_id
        yield _Followed(f"from_{frame}", tuple(some), position)


def _question(seen: SeenClip, followed: _Followed, footage: Footage, studio: Studio, options: SegmentOptions) -> Outcome:
    known = [at for at, frame in enumerate(footage.frames) if all(track.known[frame] for track in followed.tracks)]
    scored = tuple(at for at in known if at > followed.position)
    example_id = f"{TASK}/{seen.clip.clip_id}/{followed.name}"
    if not scored:
        detail = f"no frame after the one it is given on (frame {followed.position} of those shown) is annotated"
        return LedgerEntry(unit=f"{seen.clip.clip_id}/{followed.name}", reason="nothing_to_follow", detail=detail)
    frames = tuple(_mask_at(seen, followed.tracks, frame) for frame in footage.frames)
    reference = _reference(frames[followed.position], followed, studio, example_id=example_id, seed=options.seed)
    values = _slots(followed, footage, reference, options)
    question = Question(
        id=example_id,
        task=TASK,
        prompt=prompt(TASK, values),
        images=footage.images,
        panels=footage.panels,
        reference=reference,
    )
    categories = {track.track.category for track in followed.tracks}
    objects = tuple(_object_truth(seen, track, footage, studio) for track in followed.tracks)
    example = Example(
        question=question,
        truth=Truth(answer=MaskTrack(frames=frames), panel_index=0, objects=objects, scored_frames=scored),
        split=seen.clip.split,
        group=seen.clip.clip_id,
        tier="V",
        object_id=",".join(track.object_id for track in followed.tracks),
        label=categories.pop() if len(categories) == 1 else None,
        slices=_slices(followed, footage, scored),
        evidence={"given_by": options.given_by, "sampling": options.sampling.policy},
    )
    return worded(example, values, options)


def _slots(followed: _Followed, footage: Footage, reference: Reference, options: SegmentOptions) -> dict[str, Part | str]:
    """What stands in the wording: the clip, which frame the object is given on (counted from 1), and by what."""
    mark: Part | str = ""
    if options.given_by == "box":
        mark = BoxPart(box=reference.box, image_index=followed.position)
    elif options.given_by == "point":
        mark = PointPart(x=reference.point[0], y=reference.point[1], image_index=followed.position)
    return {
        "clip": footage.part,
        "objects": "the object" if len(followed.tracks) == 1 else "the objects",
        "number": str(followed.position + 1),
        "kind": WORDS[options.given_by],
        "mark": mark,
        "answer": AnswerForm(shape="mask_track", image_index=0),
    }


def _reference(code: MaskRle | None, followed: _Followed, studio: Studio, *, example_id: str, seed: int) -> Reference:
    """The object on the frame where it is given."""
    assert code is not None, "the object is there where it is given"
    mask = decode_mask(code)
    box = mask_to_box(mask)
    assert box is not None, "a mask that is there has a pixel"
    point = truth_point(mask, example_rng(seed, f"{example_id}/point"))
    return Reference(panel_index=followed.position, point=point, box=box, mask=studio.keep_code(code))


def _mask_at(seen: SeenClip, tracks: Sequence[SeenTrack], frame: int) -> MaskRle | None:
    """All that is followed in a frame, as one mask; None where nothing of it is there, or known."""
    codes = [code for track in tracks if (code := seen.mask(track, frame))]
    return union_masks(codes) if codes else None


def _object_truth(seen: SeenClip, track: SeenTrack, footage: Footage, studio: Studio) -> ObjectTruth:
    codes = [seen.mask(track, frame) for frame in footage.frames]
    places = [track.places[frame] for frame in footage.frames]
    return ObjectTruth(
        object_id=track.object_id,
        boxes=tuple(place.box if place else None for place in places),
        masks=tuple(code and studio.keep_code(code) for code in codes),
    )


def _slices(followed: _Followed, footage: Footage, scored: Sequence[int]) -> dict[str, float]:
    """`objects`, `frames` shown; `late`: 1 if given after the first frame; of the frames that count, `present` is the share that
    shows any of the objects; `query_area` is the share of the picture that they cover on the frame where they are given."""
    image = footage.images[followed.position]
    given = [place.area for track in followed.tracks if (place := track.places[footage.frames[followed.position]])]
    present = [any(track.places[footage.frames[at]] for track in followed.tracks) for at in scored]
    return {
        "objects": float(len(followed.tracks)),
        "frames": float(len(footage.frames)),
        "late": float(followed.position > 0),
        "present": round(sum(present) / len(present), 6),
        "query_area": round(min(sum(given) / (image.width * image.height), 1.0), 6),
    }
