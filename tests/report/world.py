"""A small world in the true file formats: two task sets of coloured pictures and three scored runs, one of them hostile."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from sightline.dialects import Size, get_dialect
from sightline.evaluate.run import RunInfo
from sightline.evaluate.score import score_run
from sightline.evaluate.summary import summarise
from sightline.files import write_json
from sightline.geometry.masks import encode_mask, mask_id
from sightline.media import encode_grey_png, pixel_digest
from sightline.report.write import write_report
from sightline.taskset.store import FORMAT, Manifest, StoredMask
from sightline.types import (
    AnswerForm,
    DepthRef,
    Example,
    ImagePart,
    ImageRef,
    LedgerEntry,
    NotVisible,
    Panel,
    PointPart,
    Points,
    Prediction,
    Question,
    Reading,
    Record,
    Reference,
    TextPart,
    Truth,
)

WIDTH, HEIGHT = 320, 240
NUM_EXAMPLES = 60
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">\u202edecrof\u202c [(12, 34)]"
HOSTILE_MODEL = "<b>bold</b>\u202e & co"


@dataclass(frozen=True)
class World:
    """What the tests start from; `runs` are scored."""

    root: Path
    runs: tuple[Path, ...]
    report: Path


def make_world(root: Path) -> World:
    """Write the task sets, the runs and their report below `root`."""
    multi = write_taskset(root / "multi", "t1_multi", concat=False)
    concat = write_taskset(root / "concat", "t1_concat", concat=True)
    runs = (
        write_run(root / "run-center", root / "multi", "center", [_centre(example) for example in multi]),
        write_run(root / "run-vlm", root / "multi", HOSTILE_MODEL, [_text(example) for example in multi], dialect="qwen25"),
        write_run(root / "run-concat", root / "concat", "center", [_centre(example) for example in concat]),
    )
    return World(root, runs, write_report(runs, root / "report"))


def write_taskset(folder: Path, task: str, *, concat: bool) -> list[Example]:
    """Examples of four scenes in turn; every third object is absent. The object is a rectangle with a hole, dilated by 4."""
    pictures = _Pictures(root=folder / "media")
    masks: list[StoredMask] = []
    examples = [_example(index, task, pictures, masks, concat=concat) for index in range(NUM_EXAMPLES)]
    lines = [msgspec.json.encode(example) + b"\n" for example in examples]
    (folder / "examples-00000.jsonl").write_bytes(b"".join(lines))
    (folder / "masks-00000.jsonl").write_bytes(b"".join(msgspec.json.encode(mask) + b"\n" for mask in masks))
    lost = [LedgerEntry(unit=f"room_00{number}/7", reason="mask missing", detail="=no <mask>") for number in range(2)]
    (folder / "ledger.jsonl").write_bytes(b"".join(msgspec.json.encode(entry) + b"\n" for entry in lost))
    offsets = np.cumsum([0] + [len(line) for line in lines[:-1]])
    ids = [example.id for example in examples]
    slices = pa.array([list(example.slices.items()) for example in examples], pa.map_(pa.string(), pa.float64()))
    index = {"id": ids, "shard": [0] * len(ids), "offset": offsets, "length": [len(line) for line in lines], "slices": slices}
    index |= {"group": [example.group for example in examples], "split": [example.split for example in examples]}
    index |= {"sources": [[panel.source.digest for panel in example.question.panels] for example in examples]}
    pq.write_table(pa.table(index), folder / "index.parquet")
    (folder / "roots.json").write_text(json.dumps({}))
    write_json(
        folder / "manifest.json",
        Manifest(
            format=FORMAT,
            name=f"{task}-validation",
            task=task,
            split="validation",
            recipe={"options": {"mark": "overlay"}},
            package_version="0",
            source_fingerprint="5" * 32,
            rng_key="key",
            num_examples=len(examples),
            kept={"V": 40, "N1": 20},
            dropped={"mask missing": 2},
            altered={},
            files={},
            fingerprint=task,
        ),
    )
    return examples


def write_run(
    folder: Path,
    taskset: Path,
    model: str,
    answers: Sequence[Reading | str | Prediction],
    *,
    dialect: str | None = None,
    scored: bool = True,
) -> Path:
    """A run whose predictions are readings, or texts that the dialect reads; scored by the real scorer."""
    lines = (taskset / "examples-00000.jsonl").read_bytes().splitlines()
    examples = [msgspec.json.decode(line, type=Example) for line in lines]
    folder.mkdir(parents=True)
    write_json(folder / "run.json", _info(taskset, model, dialect))
    with (folder / "predictions.jsonl").open("wb") as file:
        for example, answer in zip(examples, answers, strict=False):
            file.write(msgspec.json.encode(_prediction(example, answer, dialect)) + b"\n")
    if scored:
        score_run(folder, partial=len(answers) < len(examples))
        summarise(folder)
    return folder


def _prediction(example: Example, answer: Reading | str | Prediction, dialect: str | None) -> Prediction:
    if isinstance(answer, Prediction):
        return answer
    if isinstance(answer, Reading):
        return Prediction(id=example.id, reading=answer)
    assert dialect is not None
    sizes = [Size(image.width, image.height) for image in example.question.images]
    return Prediction(id=example.id, reading=get_dialect(dialect).decode(answer, example.question.form, sizes), text=answer)


def _info(taskset: Path, model: str, dialect: str | None) -> RunInfo:
    manifest = msgspec.json.decode((taskset / "manifest.json").read_bytes(), type=Manifest)
    return RunInfo(
        format=1,
        model=model,
        description={"kind": "test <model>"},
        dialect=dialect,
        dialect_options=dict(get_dialect(dialect).options()) if dialect else {},
        task=manifest.task,
        split=manifest.split,
        taskset_name=manifest.name,
        taskset_fingerprint=manifest.fingerprint,
        taskset_path=str(taskset),
        versions={"sightline": "0"},
    )


class _Pictures(Record):
    """Writes pictures and says where."""

    root: Path

    def add(self, name: str, rgb: np.ndarray) -> ImageRef:
        self.root.mkdir(parents=True, exist_ok=True)
        file = io.BytesIO()
        Image.fromarray(rgb).save(file, "PNG", compress_level=1)
        (self.root / name).write_bytes(file.getvalue())
        return ImageRef(root="media", path=name, width=rgb.shape[1], height=rgb.shape[0], digest=pixel_digest(rgb))

    def add_depth(self) -> DepthRef:
        """From 1 m at the left edge, 1 cm a column; the lower half has none. The same file for every view that has one."""
        depth_mm = np.tile(1000 + 10 * np.arange(WIDTH, dtype=np.uint16), (HEIGHT, 1))
        depth_mm[HEIGHT // 2 :] = 0
        (self.root / "depth.png").write_bytes(encode_grey_png(depth_mm))
        return DepthRef(root="media", path="depth.png", metres_per_unit=0.001)


def _example(index: int, task: str, pictures: _Pictures, masks: list[StoredMask], *, concat: bool) -> Example:
    scene = f"room_{index % 4:03d}"
    visible = index % 3 != 2
    x, y = 40 + (index * 37) % 200, 30 + (index * 23) % 120
    reference_rgb, query_rgb = _room(index, (60, 80)), _room(index + 1, (x, y) if visible else None)
    reference, query = pictures.add(f"{index}-a.png", reference_rgb), pictures.add(f"{index}-b.png", query_rgb)
    images = (pictures.add(f"{index}-ab.png", np.hstack([reference_rgb, query_rgb])),) if concat else (reference, query)
    shift = WIDTH if concat else 0
    panels = (
        Panel(role="reference", image_index=0, source=reference, view_id="01_000001"),
        Panel(role="query", image_index=len(images) - 1, source=query, x=shift, view_id="02_000002", depth=pictures.add_depth()),
    )
    slots = tuple(ImagePart(image_index=number) for number in range(len(images)))
    words = (
        TextPart(text="Find the same object as at "),
        PointPart(x=80.0, y=95.0, image_index=0),
        TextPart(text=" in the other view."),
    )
    own = _stored(masks, _object((60, 80)))
    question = Question(
        id=f"{task}/{scene}/{index}/01_000001/02_000002",
        task=task,
        prompt=(*slots, *words, AnswerForm(shape="point", image_index=len(images) - 1, offers_not_visible=True)),
        images=images,
        panels=panels,
        reference=Reference(panel_index=0, point=(80.0, 95.0), box=(60.0, 80.0, 100.0, 110.0), mask=own),
    )
    return Example(
        question=question,
        truth=_truth(masks, (x, y) if visible else None, shift, image_index=len(images) - 1),
        split="validation",
        group=scene,
        tier="V" if visible else "N1",
        object_id=str(index),
        label="chair" if index % 2 else "lamp",
        slices=_slices(index, visible=visible),
    )


def _room(seed: int, corner: tuple[int, int] | None) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rgb = np.linspace(60, 200, WIDTH * HEIGHT * 3).reshape(HEIGHT, WIDTH, 3) * rng.uniform(0.6, 1, size=3)
    rgb[160:] *= 0.7
    if corner is not None:
        rgb[_object(corner)] = (70, 70, 220)
    return rgb.astype(np.uint8)


def _object(corner: tuple[int, int], *, margin: int = 0) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    x, y = corner
    mask[y - margin : y + 30 + margin, x - margin : x + 40 + margin] = True
    if not margin:
        mask[y + 4 : y + 10, x + 4 : x + 12] = False
    return mask


def _stored(masks: list[StoredMask], mask: np.ndarray) -> str:
    code = encode_mask(mask)
    stored = StoredMask(id=mask_id(code), rle=code)
    if stored not in masks:
        masks.append(stored)
    return stored.id


def _slices(index: int, *, visible: bool) -> dict[str, float]:
    """Sizes on and around the edges of the bins; every fifth overlap is unknown."""
    found = {"query_area": (0.009, 0.01, 0.0499, 0.05)[index % 4]} if visible else {}
    return found | ({"covisible": (index % 5) / 4} if index % 5 != 4 else {})


def _truth(masks: list[StoredMask], corner: tuple[int, int] | None, shift: int, *, image_index: int) -> Truth:
    panel_index = 1
    if corner is None:
        return Truth(answer=NotVisible(), panel_index=panel_index)
    exact, dilated = (_stored(masks, _object(corner, margin=margin)) for margin in (0, 4))
    x, y = corner
    return Truth(
        answer=Points(points=((x + 20.0 + shift, y + 15.0),), image_index=image_index),
        panel_index=panel_index,
        mask=exact,
        mask_dilated=dilated,
        box=(float(x), float(y), x + 40.0, y + 30.0),
    )


def _centre(example: Example) -> Reading:
    panel = example.question.panels[1]
    point = (panel.x + WIDTH / 2, HEIGHT / 2)
    return Reading(status="ok", answer=Points(points=(point,), image_index=panel.image_index), num_found=1)


def _text(example: Example) -> str:
    """In turn: right, hostile, nothing readable, not visible, outside the picture, a close miss."""
    number = int(example.object_id)
    truth = example.truth.answer
    form = get_dialect("qwen25")
    sizes = [Size(image.width, image.height) for image in example.question.images]
    match number % 6:
        case 0 if isinstance(truth, Points):
            return form.encode(truth, sizes)
        case 1:
            return HOSTILE
        case 2:
            return "I am not sure " + "really " * 900
        case 3:
            return "not visible"
        case 4:
            return "[(9999, 9999)]"
    return '[{"point_2d": [200, 100], "label": "chair"}]'
