"""Hand-made examples and task sets: one object in a view of 100 x 50 pixels.

The exact mask covers columns 30..49 and rows 10..29: box (30, 10, 50, 30), centre (40, 20), square root of the area 20. The dilated
mask is 5 pixels wider on every side.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from sightline.geometry.masks import encode_mask, mask_id
from sightline.taskset.store import StoredMask, TaskSet
from sightline.taskset.write import assemble
from sightline.types import (
    AnswerForm,
    Example,
    ImagePart,
    ImageRef,
    NotVisible,
    Panel,
    Points,
    Question,
    Reference,
    TextPart,
    Truth,
)

WIDTH, HEIGHT = 100, 50


def _mask(margin: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[10 - margin : 30 + margin, 30 - margin : 50 + margin] = True
    return mask


MASKS = {mask_id(encode_mask(mask)): mask for mask in (_mask(0), _mask(5))}
EXACT, DILATED = MASKS


def _image(name: str, width: int = WIDTH, height: int = HEIGHT) -> ImageRef:
    return ImageRef(root="data", path=name, width=width, height=height, digest="0" * 32)


def _panels(task: str) -> tuple[tuple[ImageRef, ...], tuple[Panel, ...]]:
    reference, query = _image("reference.png", 60, 60), _image("query.png")
    if task == "t1_concat":  # 60 x 60 on the left, 100 x 50 on the right, black below that
        return (_image("concat.png", 160, 60),), (
            Panel(role="reference", image_index=0, source=reference),
            Panel(role="query", image_index=0, source=query, x=60),
        )
    roles = ("before", "after") if task == "t2b" else ("reference", "query")
    return (reference, query), (
        Panel(role=roles[0], image_index=0, source=reference),
        Panel(role=roles[1], image_index=1, source=query),
    )


def _example(task: str, name: str = "x", *, visible: bool = True, group: str = "room", tier: str = "") -> Example:
    images, panels = _panels(task)
    image_index, x = panels[1].image_index, panels[1].x
    form = AnswerForm(shape="point", image_index=image_index, offers_not_visible=task != "t2b")
    reference = None if task == "t2b" else Reference(panel_index=0, point=(15.0, 30.0), box=(10.0, 20.0, 20.0, 40.0), mask=EXACT)
    question = Question(
        id=f"{task}/{name}",
        task=task,
        prompt=(TextPart(text="Where?"), *(ImagePart(image_index=index) for index in range(len(images))), form),
        images=images,
        panels=panels,
        reference=reference,
    )
    truth = Truth(answer=NotVisible(), panel_index=1)
    if visible:
        answer = Points(points=((40.0 + x, 20.0),), image_index=image_index)
        truth = Truth(answer=answer, panel_index=1, mask=EXACT, mask_dilated=DILATED, box=(30.0, 10.0, 50.0, 30.0))
    return Example(
        question=question, truth=truth, split="validation", group=group, tier=tier or ("V" if visible else "N1"), object_id="1"
    )


@pytest.fixture(scope="session")
def make_example() -> Callable[..., Example]:
    """`make_example(task, name, visible=, group=, tier=)`."""
    return _example


@pytest.fixture(scope="session")
def masks() -> Callable[[str], np.ndarray]:
    return MASKS.__getitem__


@pytest.fixture
def write_taskset(tmp_path: Path) -> Callable[..., TaskSet]:
    """`write_taskset(examples, name="tiny")`: a complete task set of the given examples; pictures are named but not there."""

    def write(examples: Sequence[Example], name: str = "tiny") -> TaskSet:
        staging = tmp_path / f"staging-{name}"
        (staging / "set" / "media").mkdir(parents=True)
        (staging / "parts").mkdir()
        lines = (msgspec.json.encode(example) + b"\n" for example in examples)
        (staging / "set" / "examples-00000.jsonl").write_bytes(b"".join(lines))
        stored = (StoredMask(id=name, rle=encode_mask(mask)) for name, mask in MASKS.items())
        (staging / "parts" / "00000.masks.jsonl").write_bytes(b"".join(msgspec.json.encode(mask) + b"\n" for mask in stored))
        (staging / "parts" / "00000.ledger.jsonl").write_bytes(b"")
        assemble(
            staging,
            name,
            task=examples[0].question.task,
            split="validation",
            recipe={"options": {"seed": 0}},
            source_fingerprint="hand-made",
            roots={"data": str(tmp_path)},
        )
        return TaskSet((staging / "set").rename(tmp_path / name))

    return write
