"""Referring in a clip: boxes or masks over its frames, or the time, of what an expression means.

    refer_track        the box of each object that is meant, in each frame shown; none where it is absent
    refer_mask_track   the mask of all of them together, in each frame shown
    refer_span         the stretch of time in which they are there, or the one that the data set gives with the expression

A frame shown in which nothing is known of a target counts neither way (`Truth.scored_frames`). Where all frames shown prove that
nothing meant is there, the right answer is "not visible" (tier N12); where some of them say nothing, the example is dropped
(`visibility_unknown`), and so is a span at whose ends nothing is known.

A span runs from the first labelled frame with a target up to the next labelled frame without one. Dropped: `several_spans` (it
comes and goes, so no single stretch is right), `always_there` (with `spans="partial"`: the answer would be the same for all),
`between_frames` (no frame shown lies in it).
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

from sightline.tasks.clips import SeenClip
from sightline.tasks.crossview import Outcome
from sightline.tasks.footage import ClipOptions, Footage
from sightline.tasks.pictures import Studio
from sightline.tasks.refer import (
    Asked,
    Meant,
    ReferOptions,
    each,
    example,
    filmed,
    object_truths,
    refer_options,
    scored,
    union_at,
    without_masks,
)
from sightline.types import Answer, AnswerForm, BoxTrack, LedgerEntry, MaskTrack, NotVisible, ObjectTruth, Span, Truth

Shape = Literal["box_track", "mask_track", "span"]
TASK_OF: dict[Shape, str] = {"box_track": "refer_track", "mask_track": "refer_mask_track", "span": "refer_span"}


def refer_track(seen: SeenClip, studio: Studio, options: ClipOptions) -> Iterator[Outcome]:
    """`refer_track` examples of a clip."""
    return _questions(seen, studio, refer_options(options), "box_track")


def refer_mask_track(seen: SeenClip, studio: Studio, options: ClipOptions) -> Iterator[Outcome]:
    """`refer_mask_track` examples of a clip."""
    return _questions(seen, studio, refer_options(options), "mask_track")


def refer_span(seen: SeenClip, studio: Studio, options: ClipOptions) -> Iterator[Outcome]:
    """`refer_span` examples of a clip."""
    return _questions(seen, studio, refer_options(options), "span")


def _questions(seen: SeenClip, studio: Studio, options: ReferOptions, shape: Shape) -> Iterator[Outcome]:
    for meant in each(seen, options, single=False):
        if isinstance(meant, LedgerEntry):
            yield meant
        elif shape == "mask_track" and (bare := without_masks(meant)):
            yield bare
        else:
            footage = filmed(meant, TASK_OF[shape], studio, options)
            yield footage if isinstance(footage, LedgerEntry) else _question(meant, shape, footage, studio, options)


def _question(meant: Meant, shape: Shape, footage: Footage, studio: Studio, options: ReferOptions) -> Outcome:
    sizes = sorted({(image.width, image.height) for image in footage.images})
    if len(sizes) > 1:
        return meant.dropped("sizes_differ", f"the frames shown have different sizes: {sizes}")
    objects = object_truths(meant, footage, studio, options)
    answer = _span(meant, footage, options) if shape == "span" else _track(meant, shape, footage, objects)
    if isinstance(answer, LedgerEntry):
        return answer
    offers_not_visible = options.no_target == "offered"
    if isinstance(answer, NotVisible) and not offers_not_visible and not meant.hidden:
        return meant.dropped("no_target", "no frame shown has what is meant")
    truth = Truth(answer=answer, panel_index=0, objects=objects, scored_frames=scored(meant, footage.frames))
    several = shape == "box_track" and options.objects == "several"
    form = AnswerForm(shape=shape, image_index=0, offers_not_visible=offers_not_visible, several=several)
    asked = Asked(task=TASK_OF[shape], form=form, slots={"clip": footage.part}, kind="clip")
    return example(meant, asked, footage, truth, options)


def _track(meant: Meant, shape: Shape, footage: Footage, objects: tuple[ObjectTruth, ...]) -> Answer | LedgerEntry:
    if not meant.targets:
        return NotVisible()
    if not any(meant.present(frame) for frame in footage.frames):
        unknown = sum(not meant.known(frame) for frame in footage.frames)
        if unknown:
            detail = f"no frame shown has what is meant, but {unknown} of {len(footage.frames)} say nothing of it"
            return meant.dropped("visibility_unknown", detail)
        return NotVisible()
    if shape == "mask_track":
        return MaskTrack(frames=tuple(union_at(meant, frame) for frame in footage.frames))
    by_frame = zip(*(item.boxes for item in objects), strict=True)
    return BoxTrack(frames=tuple(tuple(box for box in boxes if box) for boxes in by_frame))


def _span(meant: Meant, footage: Footage, options: ReferOptions) -> Answer | LedgerEntry:
    if not meant.targets:
        return NotVisible()
    clip = meant.seen.clip
    found = meant.expression.span or _presence(meant)
    if isinstance(found, LedgerEntry):
        return found
    first, end = found
    if not any(first <= frame < end for frame in footage.frames):
        return meant.dropped(
            "between_frames", f"none of the {len(footage.frames)} frames shown lies in frames {first} to {end - 1}"
        )
    if options.spans == "partial" and (first, end) == (0, len(clip.frames)):
        return meant.dropped("always_there", "the stretch of time is the whole clip")
    rate = clip.fps or options.sampling.assumed_fps
    return Span(start_s=round(first / rate, 3), end_s=round(end / rate, 3))


def _presence(meant: Meant) -> tuple[int, int] | LedgerEntry:
    """The frames [first, end) in which a target is there; a labelled frame stands for those up to the next labelled one."""
    count = len(meant.seen.clip.frames)
    labelled = [frame for frame in range(count) if meant.present(frame) or meant.known(frame)]
    there = [place for place, frame in enumerate(labelled) if meant.present(frame)]
    if there[-1] - there[0] + 1 != len(there):
        return meant.dropped("several_spans", "what is meant comes and goes")
    gap = max((after - before for before, after in pairwise(labelled)), default=1)
    if (there[0] == 0 and labelled[0] > 0) or (there[-1] == len(labelled) - 1 and count - labelled[-1] > gap):
        return meant.dropped("visibility_unknown", "nothing is known before the first or after the last frame that shows it")
    after = there[-1] + 1
    return labelled[there[0]], labelled[after] if after < len(labelled) else count
