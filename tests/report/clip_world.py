"""Task sets of clips and relations in the true file formats, with scored runs: pictures of 64 x 48 pixels, an object of 16 x 12."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from sightline.geometry.masks import encode_mask, mask_id
from sightline.media import pixel_digest
from sightline.report.write import write_report
from sightline.taskset.store import StoredMask
from sightline.taskset.write import assemble
from sightline.types import (
    Answer,
    AnswerForm,
    BoxTrack,
    Choice,
    Example,
    ImagePart,
    ImageRef,
    MaskRle,
    MaskTrack,
    NotVisible,
    Panel,
    Question,
    Reading,
    Span,
    TextPart,
    Truth,
    VideoPart,
)
from tests.report.world import HOSTILE, write_run

WIDTH, HEIGHT = 64, 48
LONG = 60
LOST = 7  # the frame of the long clip in which the answer is worst; it is not among those shown evenly
FORMS = {"refer_track": "box_track", "refer_mask_track": "mask_track", "refer_span": "span"}


@dataclass(frozen=True)
class ClipWorld:
    """`report` is of all runs."""

    root: Path
    runs: tuple[Path, ...]
    report: Path


def place(frame: int) -> tuple[float, float, float, float]:
    """The object's box: it moves a pixel a frame."""
    x = 4.0 + frame % 40
    return (x, 10.0, x + 16.0, 22.0)


def region(frame: int) -> MaskRle:
    x0, y0, x1, y1 = (int(end) for end in place(frame))
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y0:y1, x0:x1] = True
    return encode_mask(mask)


def track(*frames: int | None) -> BoxTrack:
    """The object's box in the given frames; None where there is none."""
    return BoxTrack(frames=tuple(() if frame is None else (place(frame),) for frame in frames))


def make_clip_world(root: Path) -> ClipWorld:
    tracks = [
        clip(root, "refer_track", "short", track(0, 1, 2, None, 4, 5), num_frames=6, scored=(0, 1, 2, 3, 4)),
        clip(root, "refer_track", "nothing", NotVisible(), num_frames=3),
    ]
    masks = [clip(root, "refer_mask_track", "long", MaskTrack(frames=tuple(map(region, range(LONG)))), num_frames=LONG)]
    spans = [clip(root, "refer_span", "when", Span(start_s=0.5, end_s=1.5), num_frames=5)]
    good = MaskTrack(frames=tuple(None if frame == LOST else region(frame) for frame in range(LONG)))
    sets = {
        "refer_track": (tracks, [[track(0, 1, 0, None, None, 5), track(0, None, None)], [NotVisible(), NotVisible()]]),
        "refer_mask_track": (masks, [[good], [NotVisible()]]),
        "refer_span": (spans, [[Span(start_s=1.0, end_s=2.0)], [NotVisible()]]),
        "relation_choice": ([relation(root)], [[Choice(value="left")], [Choice(value="right")]]),
    }
    runs = []
    for task, (examples, answers) in sets.items():
        folder = write_set(root, task, examples)
        for model, given in zip(("tracker", "second"), answers, strict=True):
            runs.append(write_run(root / "runs" / f"{model}-{task}", folder, model, [reading(answer) for answer in given]))
    return ClipWorld(root, tuple(runs), write_report(runs, root / "report"))


def reading(answer: Answer) -> Reading:
    return Reading(status="not_visible" if isinstance(answer, NotVisible) else "ok", answer=answer, num_found=1)


def write_set(root: Path, task: str, examples: Sequence[Example], masks: Sequence[MaskRle] = ()) -> Path:
    staging = root / f"staging-{task}"
    (staging / "set" / "media").mkdir(parents=True)
    (staging / "parts").mkdir()
    (staging / "set" / "examples-00000.jsonl").write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in examples))
    stored = {mask_id(rle): rle for rle in masks}
    lines = (msgspec.json.encode(StoredMask(id=name, rle=rle)) + b"\n" for name, rle in stored.items())
    (staging / "parts" / "00000.masks.jsonl").write_bytes(b"".join(lines))
    (staging / "parts" / "00000.ledger.jsonl").write_bytes(b"")
    roots = {"data": str(root / "pictures")}
    assemble(
        staging, f"{task}-val", task=task, split="val", recipe={"options": {"seed": 0}}, source_fingerprint="hand-made", roots=roots
    )
    return (staging / "set").rename(root / task)


def clip(root: Path, task: str, name: str, answer: Answer, *, num_frames: int, scored: tuple[int, ...] | None = None) -> Example:
    images = tuple(picture(root, f"{name}-{frame:03d}.png", frame) for frame in range(num_frames))
    part = VideoPart(image_indices=tuple(range(num_frames)), times_s=tuple(frame / 2 for frame in range(num_frames)))
    form = AnswerForm(shape=FORMS[task], image_index=0, offers_not_visible=True)  # pyright: ignore[reportArgumentType]
    question = Question(
        id=f"{task}/{name}",
        task=task,
        prompt=(part, TextPart(text="the dog"), form),
        images=images,
        panels=tuple(Panel(role="frame", image_index=k, source=image, view_id=f"{k:05d}") for k, image in enumerate(images)),
    )
    return Example(
        question=question,
        truth=Truth(answer=answer, panel_index=0, scored_frames=scored),
        split="val",
        group=name,
        tier="NT" if isinstance(answer, NotVisible) else "V",
        object_id="1",
        evidence={"sampling": "all"},
    )


def relation(root: Path) -> Example:
    """Is 1 left of 2? A reference picture with marks and the one that is asked about, whose view decided."""
    images = (picture(root, "marked.png", 3), picture(root, "asked.png", 4))
    question = Question(
        id="relation_choice/pair",
        task="relation_choice",
        prompt=(
            *(ImagePart(image_index=k) for k in range(2)),
            TextPart(text="On which side?"),
            AnswerForm(shape="choice", image_index=1, options=("left", "right")),
        ),
        images=images,
        panels=tuple(
            Panel(role=role, image_index=k, source=images[k], view_id=f"{k + 3:05d}")
            for k, role in enumerate(("reference", "query"))
        ),
    )
    return Example(
        question=question,
        truth=Truth(answer=Choice(value="left"), panel_index=1),
        split="val",
        group="pair",
        tier="left",
        object_id="1",
        pair_id="relation_choice/pair",
        evidence={
            "frame": 4,
            "a": "1",
            "b": "2",
            "rule": "left_of",
            "slack": 0.125,
            "threshold": 0.02,
            "frame_id": "00004",
            "boxes": '{"1": [4.0, 10.0, 20.0, 22.0], "2": [40.0, 10.0, 56.0, 22.0]}',
            "called": msgspec.json.encode({"1": "object A", "2": HOSTILE}).decode(),
            "runs": HOSTILE,
        },
    )


def picture(root: Path, name: str, frame: int) -> ImageRef:
    rgb = np.full((HEIGHT, WIDTH, 3), 40 + frame, np.uint8)
    rgb[..., 1] += np.arange(WIDTH, dtype=np.uint8)
    x0, y0, x1, y1 = (int(end) for end in place(frame))
    rgb[y0:y1, x0:x1] = (200, 80, 60 + sum(map(ord, name)) % 97)
    (root / "pictures").mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb).save(root / "pictures" / name)
    return ImageRef(root="data", path=name, width=WIDTH, height=HEIGHT, digest=pixel_digest(rgb))
