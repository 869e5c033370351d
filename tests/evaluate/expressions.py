"""Hand-made examples of expressions in pictures and clips of 20 x 10 pixels."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from sightline.evaluate.predict import read_geometry
from sightline.evaluate.score import score_example
from sightline.geometry.masks import encode_mask
from sightline.types import (
    Answer,
    AnswerForm,
    Example,
    ImagePart,
    ImageRef,
    MaskRle,
    NotVisible,
    Panel,
    Prediction,
    Question,
    Reading,
    Score,
    TextPart,
    Truth,
    VideoPart,
)

WIDTH, HEIGHT = 20, 10
SHAPES: dict[str, Literal["box", "mask", "point", "box_track", "mask_track", "span", "choice"]] = {
    "refer_box": "box",
    "refer_mask": "mask",
    "refer_point": "point",
    "refer_track": "box_track",
    "refer_mask_track": "mask_track",
    "refer_span": "span",
    "relation_choice": "choice",
}


def block(x0: int, y0: int, x1: int, y1: int) -> MaskRle:
    """The mask of a rectangle."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[y0:y1, x0:x1] = True
    return encode_mask(mask)


def asked(
    task: str,
    answer: Answer,
    *,
    name: str = "1",
    num_frames: int = 1,
    several: bool = False,
    options: tuple[str, ...] = (),
    group: str = "clip",
    pair_id: str | None = None,
    scored: Sequence[int] | None = None,
    evidence: dict[str, str | float | int] | None = None,
    **truth: Any,
) -> Example:
    """An example whose right answer is `answer`; further fields of its truth by name."""
    images = tuple(ImageRef(root="data", path=f"{k}.png", width=WIDTH, height=HEIGHT, digest="0" * 32) for k in range(num_frames))
    form = AnswerForm(shape=SHAPES[task], image_index=0, offers_not_visible=True, several=several, options=options)
    is_clip = num_frames > 1
    slot = VideoPart(image_indices=tuple(range(num_frames)), times_s=tuple(k / 2 for k in range(num_frames)))
    question = Question(
        id=f"{task}/{group}/{name}",
        task=task,
        prompt=(slot if is_clip else ImagePart(image_index=0), TextPart(text="the dog"), form),
        images=images,
        panels=tuple(Panel(role="frame", image_index=k, source=image) for k, image in enumerate(images)),
    )
    return Example(
        question=question,
        truth=Truth(answer=answer, panel_index=0, scored_frames=None if scored is None else tuple(scored), **truth),
        split="validation",
        group=group,
        tier="NT" if isinstance(answer, NotVisible) else "V",
        object_id="1",
        pair_id=pair_id,
        evidence=evidence or {},
    )


def scored(example: Example, answer: Answer | Reading, masks: Mapping[str, np.ndarray] | None = None) -> Score:
    """The score of an answer in geometry, or of a reading; `masks` by hash."""
    reading = answer if isinstance(answer, Reading) else read_geometry(answer, example.question)
    return score_example(example, Prediction(id=example.id, reading=reading), (masks or {}).__getitem__)
