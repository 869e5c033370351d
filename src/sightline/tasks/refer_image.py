"""Referring in one picture: the box, the mask or a point of what an expression means. A picture is a clip of one frame.

refer_box      the box of each object that is meant
refer_mask     the mask of all of them together
refer_point    a point on any of them; the truth has one on each
"""

from collections.abc import Iterator
from typing import Literal

from sightline.geometry.masks import decode_mask
from sightline.geometry.points import truth_point
from sightline.tasks.clips import SeenClip
from sightline.tasks.crossview import Outcome, example_rng
from sightline.tasks.footage import ClipOptions, Footage
from sightline.tasks.pictures import Studio
from sightline.tasks.refer import (
    Asked,
    Meant,
    ReferOptions,
    each,
    example,
    example_id,
    filmed,
    object_truths,
    refer_options,
    union_at,
    without_masks,
)
from sightline.types import Answer, AnswerForm, Boxes, LedgerEntry, MaskAnswer, NotVisible, ObjectTruth, Points, Truth


def refer_box(seen: SeenClip, studio: Studio, options: ClipOptions) -> Iterator[Outcome]:
    """`refer_box` examples of a picture."""
    return _questions(seen, studio, refer_options(options), "box")


def refer_mask(seen: SeenClip, studio: Studio, options: ClipOptions) -> Iterator[Outcome]:
    """`refer_mask` examples of a picture."""
    return _questions(seen, studio, refer_options(options), "mask")


def refer_point(seen: SeenClip, studio: Studio, options: ClipOptions) -> Iterator[Outcome]:
    """`refer_point` examples of a picture."""
    return _questions(seen, studio, refer_options(options), "point")


def _questions(seen: SeenClip, studio: Studio, options: ReferOptions, shape: Literal["box", "mask", "point"]) -> Iterator[Outcome]:
    form = AnswerForm(
        shape=shape,
        image_index=0,
        offers_not_visible=options.no_target == "offered",
        several=options.objects == "several",
    )
    asked = Asked(task=f"refer_{shape}", form=form, slots={}, kind="image")
    for meant in each(seen, options, single=True):
        if isinstance(meant, LedgerEntry):
            yield meant
        elif shape != "box" and (bare := without_masks(meant)):
            yield bare
        else:
            footage = filmed(meant, asked.task, studio, options)
            yield footage if isinstance(footage, LedgerEntry) else _question(meant, asked, footage, studio, options)


def _question(meant: Meant, asked: Asked, footage: Footage, studio: Studio, options: ReferOptions) -> Outcome:
    if not meant.targets:
        return example(meant, asked, footage, Truth(answer=NotVisible(), panel_index=0), options)
    objects = object_truths(meant, footage, studio, options)
    boxes = [item.boxes[0] for item in objects if item.boxes[0]]
    masked = without_masks(meant) is None
    union = union_at(meant, footage.frames[0]) if masked else None
    truth = Truth(
        answer=_answer(meant, asked, objects, studio, options),
        panel_index=0,
        mask=studio.keep_code(union) if union else None,
        box=(min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)),
        objects=objects,
    )
    return example(meant, asked, footage, truth, options)


def _answer(meant: Meant, asked: Asked, objects: tuple[ObjectTruth, ...], studio: Studio, options: ReferOptions) -> Answer:
    match asked.form.shape:
        case "box":
            return Boxes(boxes=tuple(item.boxes[0] for item in objects if item.boxes[0]))
        case "mask":
            union = union_at(meant, 0)
            assert union is not None, "a target has a mask"
            return MaskAnswer(rle=union)
    name = example_id(asked.task, meant)
    masks = [decode_mask(studio.made_masks[item.masks[0]]) for item in objects if item.masks[0]]
    points = (truth_point(mask, example_rng(options.seed, f"{name}/{place}")) for place, mask in enumerate(masks))
    return Points(points=tuple(points))
