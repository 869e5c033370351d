"""The report of two runs over 10,000 examples and 2,000 distinct 640 x 480 pictures: time, size on disk and peak memory.

The pictures are drawn here (smooth ground, rectangles, grain, so that they are about as hard to encode as photographs), every
example has a reference and a query with masks of their own; making them is not timed.
"""

import resource
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import msgspec
import numpy as np

from sightline.evaluate.predict import predict
from sightline.evaluate.score import score_run
from sightline.evaluate.summary import summarise
from sightline.geometry.masks import encode_mask, mask_id
from sightline.media import pixel_digest, read_rgb
from sightline.models import get_model
from sightline.report.write import write_report
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

EXAMPLES, PICTURES, WIDTH, HEIGHT = 10_000, 2_000, 640, 480
SCENES = 50
GRAIN = np.random.default_rng(0).integers(0, 9, (HEIGHT, WIDTH, 3), dtype=np.uint8)
MODELS = ("center", "random")


def draw_picture(path: Path, seed: int) -> ImageRef:
    """A picture of its own, written as JPEG, which is made in half the time of PNG."""
    rng = np.random.default_rng(seed)
    rgb = np.asarray(cv2.resize(rng.integers(40, 210, (9, 12, 3), dtype=np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC))
    for _ in range(25):
        x, y, w, h = rng.integers(0, (WIDTH, HEIGHT, 160, 120))
        cv2.rectangle(rgb, (int(x), int(y)), (int(x + w), int(y + h)), rng.integers(0, 255, 3).tolist(), -1)
    rgb = np.asarray(cv2.add(rgb, np.roll(GRAIN, seed * 1009, axis=1)))
    cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])
    return ImageRef(root="data", path=path.name, width=WIDTH, height=HEIGHT, digest=pixel_digest(read_rgb(path)))


def make_taskset(folder: Path, *, examples: int = EXAMPLES, pictures: int = PICTURES) -> TaskSet:
    """The examples, all of one task; every third object is absent."""
    drawn, staging = folder / "pictures", folder / "large"
    for path in (drawn, staging / "set", staging / "parts"):
        path.mkdir(parents=True)
    with ThreadPoolExecutor(2) as pool:
        refs = list(pool.map(lambda seed: draw_picture(drawn / f"{seed:05d}.jpg", seed), range(pictures)))
    masks = [_ellipse(seed, margin=margin) for margin in (0, 8) for seed in range(pictures)]
    with (staging / "set" / "examples-00000.jsonl").open("wb") as file:
        for number in range(examples):
            file.write(msgspec.json.encode(_example(number, refs, [mask.id for mask in masks])) + b"\n")
    lines = {mask.id: msgspec.json.encode(mask) + b"\n" for mask in masks}
    (staging / "parts" / "00000.masks.jsonl").write_bytes(b"".join(lines.values()))
    assemble(
        staging,
        "large",
        task="t1_multi",
        split="validation",
        recipe={"options": {"seed": 0}},
        source_fingerprint="",
        roots={"data": str(drawn)},
    )
    return TaskSet(staging / "set")


def _middle(seed: int) -> tuple[float, float]:
    return 100.5 + seed * 37 % 440, 90.5 + seed * 53 % 300


def _ellipse(seed: int, *, margin: int) -> StoredMask:
    (x, y), size = _middle(seed), 15 + seed % 60
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    cv2.ellipse(mask, (int(x), int(y)), (size + margin, size // 2 + margin), seed % 180, 0, 360, 1, -1)
    code = encode_mask(mask.astype(bool))
    return StoredMask(id=mask_id(code), rle=code)


def _example(number: int, refs: list[ImageRef], masks: list[str]) -> Example:
    pictures = len(refs)
    a, b = number % pictures, (number * 7 + number // pictures + 1) % pictures
    visible = number % 3 != 2
    (x, y), reference_point = _middle(b), _middle(a)
    box = (x - 20, y - 10, x + 20, y + 10)
    form = AnswerForm(shape="point", image_index=1, offers_not_visible=True)
    question = Question(
        id=f"t1_multi/{number}",
        task="t1_multi",
        prompt=(TextPart(text="Find the marked object."), ImagePart(image_index=0), ImagePart(image_index=1), form),
        images=(refs[a], refs[b]),
        panels=(Panel(role="reference", image_index=0, source=refs[a]), Panel(role="query", image_index=1, source=refs[b])),
        reference=Reference(panel_index=0, point=reference_point, box=box, mask=masks[a]),
    )
    truth = Truth(answer=NotVisible(), panel_index=1)
    if visible:
        truth = Truth(
            answer=Points(points=((x, y),), image_index=1), panel_index=1, mask=masks[b], mask_dilated=masks[pictures + b], box=box
        )
    return Example(
        question=question,
        truth=truth,
        split="validation",
        group=f"scene_{number % SCENES:03d}",
        tier="V" if visible else "N1",
        object_id=str(b),
        slices={"query_area": (b % 8) / 100, "covisible": (number % 11) / 10},
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tasks = make_taskset(folder)
        runs = [folder / model for model in MODELS]
        for model, run in zip(MODELS, runs, strict=True):
            predict(tasks, get_model(model), run)
            score_run(run)
            summarise(run)
        started = time.perf_counter()
        page = write_report(runs, folder / "report")
        took_s = time.perf_counter() - started
        size_mb = sum(path.stat().st_size for path in page.parent.rglob("*") if path.is_file()) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(
        f"{EXAMPLES:,} examples, {PICTURES:,} pictures of {WIDTH}x{HEIGHT}, {len(MODELS)} runs: report in {took_s:.1f} s, "
        f"{size_mb:.0f} MB; peak {peak:.0f} MB"
    )


if __name__ == "__main__":
    main()
