"""A clip with two cups and a plate, expressions for them, and runs that say words and draw masks: 4 frames of 64 x 48 pixels.

The left cup covers columns 4..20, the right one 30..46, the plate 4..46 further down. `words` answers on the wrong cup once.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sightline.geometry.masks import encode_mask, mask_id, rle_box, union_masks
from sightline.report.write import write_report
from sightline.types import (
    AnswerForm,
    Example,
    MaskRle,
    MaskTrack,
    NotVisible,
    ObjectTruth,
    Panel,
    Prediction,
    Question,
    Reading,
    TextPart,
    Truth,
    VideoPart,
)
from tests.report.clip_world import HEIGHT, WIDTH, picture, write_set
from tests.report.world import write_run

NUM_FRAMES = 4
TASK = "refer_mask_track"


def block(x0: int, y0: int, x1: int, y1: int) -> MaskRle:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y0:y1, x0:x1] = True
    return encode_mask(mask)


LEFT, RIGHT, PLATE = block(4, 10, 20, 22), block(30, 10, 46, 22), block(4, 30, 46, 40)
MASKS = {"1": LEFT, "2": RIGHT, "3": PLATE}


def expressions(root: Path) -> list[Example]:
    asked = [("the left cup", "1", "cup"), ("the right cup", "2", "cup"), ("the plate", "3", "plate"), ("the cups", "12", "cup")]
    return [question(root, words, tuple(objects), label) for words, objects, label in asked] + [
        question(root, "the spoon", (), None)
    ]


def question(root: Path, words: str, objects: Sequence[str], label: str | None) -> Example:
    images = tuple(picture(root, f"table-{frame:03d}.png", frame) for frame in range(NUM_FRAMES))
    clip = VideoPart(image_indices=tuple(range(NUM_FRAMES)), times_s=tuple(frame / 2 for frame in range(NUM_FRAMES)))
    form = AnswerForm(shape="mask_track", image_index=0, offers_not_visible=True)
    meant = [MASKS[name] for name in objects]
    truth = MaskTrack(frames=(union_masks(meant),) * NUM_FRAMES) if meant else NotVisible()
    return Example(
        question=Question(
            id=f"{TASK}/{words}",
            task=TASK,
            prompt=(clip, TextPart(text=f'Segment "{words}".'), form),
            images=images,
            panels=tuple(Panel(role="frame", image_index=k, source=image, view_id=f"{k:05d}") for k, image in enumerate(images)),
        ),
        truth=Truth(
            answer=truth,
            panel_index=0,
            objects=tuple(
                ObjectTruth(object_id=name, boxes=(rle_box(MASKS[name]),) * NUM_FRAMES, masks=(mask_id(MASKS[name]),) * NUM_FRAMES)
                for name in objects
            ),
        ),
        split="val",
        group="table",
        tier="V" if meant else "NT",
        object_id=",".join(objects),
        label=label,
    )


def said(example: Example, text: str, masks: Sequence[MaskRle | None] | None, *notes: str) -> Prediction:
    answer = NotVisible() if masks is None else MaskTrack(frames=tuple(masks))
    status = "not_visible" if masks is None else "ok"
    return Prediction(id=example.id, text=text, reading=Reading(status=status, answer=answer, num_found=1, notes=notes))


def answers(examples: Sequence[Example]) -> list[Prediction]:
    left, right, plate, cups, spoon = examples
    return [
        said(left, "It is [SEG].", [RIGHT, RIGHT, LEFT, None]),  # two of three frames on the other cup
        said(right, "Sure, [SEG] and [SEG] and [SEG].", [RIGHT] * NUM_FRAMES, "3_seg"),
        said(plate, "I see no plate.", None, "no_seg", "cut"),
        said(cups, "[SEG] [SEG]", [block(4, 10, 46, 22)] * NUM_FRAMES, "2_seg"),
        said(spoon, "Here: [SEG]", [PLATE] * NUM_FRAMES),
    ]


def make_referring_world(root: Path) -> tuple[Path, Path]:
    """The task set and the report of a run that speaks and one that does not."""
    examples = expressions(root)
    folder = write_set(root, TASK, examples, list(MASKS.values()))
    spoken = answers(examples)
    silent = [Prediction(id=each.id, reading=each.reading) for each in spoken]
    runs = [
        write_run(root / "runs" / name, folder, name, given)
        for name, given in (("words", spoken), ("silent", [_without_notes(each) for each in silent]))
    ]
    return folder, write_report(runs, root / "report")


def _without_notes(prediction: Prediction) -> Prediction:
    reading = prediction.reading
    return Prediction(id=prediction.id, reading=Reading(status=reading.status, answer=reading.answer, num_found=reading.num_found))
