"""Boxes of all objects, and the lint of a data set, each beside the plain way in the same run; CPU time of one thread.

- label picture: all boxes of a 1080p label PNG, against decoding it alone, and against a bitmap for each object. The decoder is the
  same in all three.
- codes: boxes of 1080p run-length codes without decoding, against decoding each and looking for its ends.
- lint: `check-data` of 10,000 frames of 854x480 (pictures and label pictures), as it is by default, against a loop that reads every
  file whole, which the system has in memory; with two processes; and with `--full`.
- build: boxes of these clips exported with one process and with two.

All results have to be equal. Scaling is given as wall time and as CPU time of all processes: where other work runs on the machine,
wall time says little.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sightline import media
from sightline.export.boxes import export_boxes
from sightline.geometry.label_maps import label_masks, label_regions
from sightline.geometry.masks import decode_mask, rle_box
from sightline.label_png import encode_label_png
from sightline.taskset.check_clips import lint_clips
from sightline.taskset.clip_work import ClipSource

OBJECTS, ROUNDS, REPEATS = 10, 5, 10
CLIPS, FRAMES = 128, 80  # 10,240 frames, each with a picture and a label picture
Boxes = dict[int, tuple[float, float, float, float]]


def draw_labels(height: int, width: int, *, seed: int) -> np.ndarray:
    """Blobs with wavy outlines, as annotators draw them."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((height, width), np.uint8)
    rows, columns = np.mgrid[:height, :width]
    for number in range(1, OBJECTS + 1):
        y, x = rng.uniform(0.1, 0.9) * height, rng.uniform(0.1, 0.9) * width
        angle = np.arctan2(rows - y, columns - x)
        radius = height / 10 * (1 + 0.1 * np.sin(5 * angle + number) + 0.05 * np.sin(23 * angle))
        labels[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = number
    return labels


def plain_boxes(labels: np.ndarray) -> Boxes:
    """A bitmap for each object, and the least and greatest place set in it."""
    found = {}
    for number in np.unique(labels)[1:]:
        rows, columns = np.nonzero(labels == number)
        found[int(number)] = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
    return found


def our_boxes(labels: np.ndarray) -> Boxes:
    return {number: region.box for number, region in label_regions(labels).items()}


def cpu_ms(run: Callable[[], Any]) -> float:
    """The least CPU time of some rounds."""
    run()
    least_s = np.inf
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(REPEATS):
            run()
        least_s = min(least_s, time.process_time() - started)
    return 1000 * least_s / REPEATS


def all_cpu_s() -> float:
    """User and system time of this process and of its children that have ended."""
    return sum(os.times()[:4])


def equal(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise SystemExit(f"{what}: the results differ, so the ratio means nothing")


def label_picture(folder: Path) -> None:
    path = folder / "labels.png"
    path.write_bytes(encode_label_png(draw_labels(1080, 1920, seed=0)))
    equal(our_boxes(media.read_labels(path)), plain_boxes(media.read_labels(path)), "label picture")
    decode = cpu_ms(lambda: media.read_labels(path))
    ours, plain = (cpu_ms(lambda way=way: way(media.read_labels(path))) for way in (our_boxes, plain_boxes))
    print(
        f"label picture 1920x1080, {OBJECTS} objects: decode {decode:.2f} ms; with boxes {ours:.2f} ms ({ours / decode:.2f}x of "
        f"decode), plain {plain:.2f} ms ({plain / decode:.2f}x)"
    )


def codes() -> None:
    masks = list(label_masks(draw_labels(1080, 1920, seed=0)).values())

    def plain() -> list[tuple[float, float, float, float]]:
        places = (np.nonzero(decode_mask(rle)) for rle in masks)
        return [tuple(map(float, (x.min(), y.min(), x.max() + 1, y.max() + 1))) for y, x in places]  # pyright: ignore[reportReturnType]

    equal([rle_box(rle) for rle in masks], plain(), "codes")
    ours_ms, plain_ms = (cpu_ms(run) / len(masks) for run in (lambda: [rle_box(rle) for rle in masks], plain))
    print(f"codes of 1920x1080: box {ours_ms:.3f} ms, decode and look {plain_ms:.3f} ms ({plain_ms / ours_ms:.0f}x)")


def write_clips(root: Path) -> None:
    """A DAVIS tree whose files are few different ones, many times: what is measured is opening and reading."""
    rng = np.random.default_rng(0)
    noise = cv2.resize(rng.integers(0, 256, (60, 107, 3), dtype=np.uint8), (854, 480)) + rng.integers(
        0, 12, (480, 854, 3), np.uint8
    )
    picture = media.encode_jpeg(noise.astype(np.uint8))
    labels = [encode_label_png(draw_labels(480, 854, seed=seed)) for seed in range(4)]
    for clip in range(CLIPS):
        for kind in ("JPEGImages", "Annotations"):
            (root / kind / "480p" / f"clip{clip:03d}").mkdir(parents=True)
        for frame in range(FRAMES):
            (root / f"JPEGImages/480p/clip{clip:03d}/{frame:05d}.jpg").write_bytes(picture)
            (root / f"Annotations/480p/clip{clip:03d}/{frame:05d}.png").write_bytes(labels[frame % 4])


def timed(run: Callable[[], Any]) -> tuple[Any, float, float]:
    """What `run` gives, its wall time, and the CPU time of it and its processes, in seconds."""
    wall, cpu = time.perf_counter(), all_cpu_s()
    result = run()
    return result, time.perf_counter() - wall, all_cpu_s() - cpu


def read_all(root: Path) -> int:
    return sum(len(path.read_bytes()) for path in sorted(root.glob("*/480p/*/*")))


def lint(root: Path) -> None:
    read_all(root)
    size, read_wall, read_cpu = timed(lambda: read_all(root))
    alone, one_wall, one_cpu = timed(lambda: lint_clips("davis", root, workers=1))
    both, two_wall, two_cpu = timed(lambda: lint_clips("davis", root, workers=2))
    full, full_wall, full_cpu = timed(lambda: lint_clips("davis", root, full=True, workers=1))
    equal((both.problems, both.notes, full.problems), ((), (), ()), "lint")
    equal(both, alone, "lint with two processes")
    print(f"lint of {2 * CLIPS * FRAMES:,} files, {size / 2**20:.0f} MiB, in wall / CPU seconds")
    print(f"  {'reading them':12} {read_wall:.2f} / {read_cpu:.2f}")
    for name, wall, cpu in (
        ("1 process", one_wall, one_cpu),
        ("2 processes", two_wall, two_cpu),
        ("1, --full", full_wall, full_cpu),
    ):
        print(f"  {name:12} {wall:.2f} / {cpu:.2f} ({cpu / read_cpu:.2f}x of reading in CPU, {wall / read_wall:.2f}x in wall time)")


def scaling(root: Path, out: Path) -> None:
    source = ClipSource(reader="davis", root=str(root), split="all")
    _, one_wall, one_cpu = timed(lambda: export_boxes(source, out / "one.json", workers=1))
    _, two_wall, two_cpu = timed(lambda: export_boxes(source, out / "two.json", workers=2))
    equal((out / "one.json").read_bytes(), (out / "two.json").read_bytes(), "build with two processes")
    print(
        f"boxes of {CLIPS * FRAMES:,} frames: 1 process {one_wall:.1f} s wall ({one_cpu:.1f} CPU), 2 processes {two_wall:.1f} s "
        f"({two_cpu:.1f} CPU): {one_wall / two_wall:.2f}x in wall time, CPU work {two_cpu / one_cpu:.2f}x"
    )


def main() -> None:
    cv2.setNumThreads(1)
    folder = Path(tempfile.mkdtemp())
    try:
        label_picture(folder)
        codes()
        root, out = folder / "data", folder / "out"
        write_clips(root)
        lint(root)
        out.mkdir()
        scaling(root, out)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
