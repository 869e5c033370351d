"""Pairs built a second: our builder against the plain loop, marked and concatenated pictures together.

The plain loop is one process that, for each pair, decodes both views and masks with Pillow, blends the mark with numpy, and saves
the marked and the side-by-side picture as PNG with Pillow's defaults. Ours runs with two workers and writes complete task sets:
masks, index, ledger, fsync. Rooms are repeated, so that starting workers does not count for more than it does in earnest. The plain
loop has nothing to start and takes as long for each pair: it gets fewer repetitions, with every pair that differs from the others
among them, and pairs a second are compared. The pixels of all its pictures and ours have to be equal. Beside the wall clock stands
the CPU time of a pair (workers, their start and the parent together), which says more where others use the machine too.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from sightline import media
from sightline.demo.rooms import write_rooms
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.types import Example

ROOMS, WIDTH, HEIGHT = 12, 640, 480
COPIES = {"all": 4, "anchor": 12}  # of each room: with one reference view an object a room has a quarter of the pairs
PLAIN_COPIES = {"all": 1, "anchor": 3}
WORKERS = 2


def plain_loop(examples: Sequence[Example], root: Path, out: Path) -> None:
    """The straightforward way."""
    out.mkdir()
    for number, example in enumerate(examples):
        a, b = (root / panel.source.path for panel in example.question.panels)
        left, right = (np.array(Image.open(path).convert("RGB")) for path in (a, b))
        mask_a, _ = (np.array(Image.open(str(path).replace("_original", "_mask")).convert("L")) >= 128 for path in (a, b))
        marked = left.astype(np.float32)
        marked[mask_a] = 0.55 * marked[mask_a] + 0.45 * np.array([255, 0, 0], np.float32)
        Image.fromarray(np.rint(marked).astype(np.uint8)).save(out / f"{number}_marked.png")
        canvas = np.zeros((max(left.shape[0], right.shape[0]), left.shape[1] + right.shape[1], 3), np.uint8)
        canvas[: left.shape[0], : left.shape[1]] = left
        canvas[: right.shape[0], left.shape[1] :] = right
        Image.fromarray(canvas).save(out / f"{number}_concat.png")


def of_copies(tasks: TaskSet, copies: int) -> list[Example]:
    """The examples of each room's first so many copies."""
    return [example for example in tasks if copy_number(example.group) < copies]


def copy_number(room: str) -> int:
    """0 of `room_007`, 2 of `room_007_2`."""
    return int((*room.split("_"), "0")[2])


def same_pixels(ours: tuple[TaskSet, TaskSet], examples: tuple[Sequence[Example], Sequence[Example]], out: Path) -> bool:
    """Whether the plain loop's pictures are ours, pixel for pixel; marked and side by side."""
    multi, concat = ours
    pairs = enumerate(zip(*examples, strict=True))
    return all(
        np.array_equal(multi.read_rgb(one.question.images[0]), media.read_rgb(out / f"{number}_marked.png"))
        and np.array_equal(concat.read_rgb(two.question.images[0]), media.read_rgb(out / f"{number}_concat.png"))
        for number, (one, two) in pairs
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "rooms"
        write_rooms(root, num_train=0, num_validation=ROOMS, width=WIDTH, height=HEIGHT, workers=WORKERS)
        rooms, done = sorted((root / "validation").glob("room_???")), 1
        for pairs, copies in COPIES.items():
            for copy in range(done, copies):
                for room in rooms:
                    repeat(room, f"{room.name}_{copy}")
            done = copies
            print(f"{ROOMS * copies} rooms of {WIDTH}x{HEIGHT}, {WORKERS} workers against one plain process")
            compare(root, Path(folder) / pairs, pairs)


def repeat(room: Path, name: str) -> None:
    """The same room once more under another name, so that starting the workers does not count for more than it does in earnest."""
    for path in room.rglob("*"):
        target = room.with_name(name) / path.relative_to(room).as_posix().replace(room.name, name)
        if path.is_dir():
            target.mkdir(parents=True)
        elif path.suffix == ".json":
            target.write_text(path.read_text().replace(room.name, name))
        else:
            target.write_bytes(path.read_bytes())


def clocks() -> tuple[float, float]:
    """Wall clock, and CPU time of this process and of the children it has waited for, in seconds."""
    times = os.times()
    return time.perf_counter(), times.user + times.system + times.children_user + times.children_system


def compare(root: Path, out: Path, pairs: str) -> None:
    options = CrossViewOptions(pairs="all" if pairs == "all" else "anchor")
    request = BuildRequest(reader="x3", root=str(root), splits=("validation",), tasks=("t1_multi", "t1_concat"), options=options)
    started = clocks()
    build(request, out, workers=WORKERS)
    ours_s, ours_cpu_s = (now - before for now, before in zip(clocks(), started, strict=True))
    multi, concat = TaskSet(out / "t1_multi-validation"), TaskSet(out / "t1_concat-validation")
    plain = of_copies(multi, PLAIN_COPIES[pairs]), of_copies(concat, PLAIN_COPIES[pairs])
    started = clocks()
    plain_loop(plain[0], root, out / "plain")
    plain_s, plain_cpu_s = (now - before for now, before in zip(clocks(), started, strict=True))
    equal = same_pixels((multi, concat), plain, out / "plain")
    shutil.rmtree(out / "plain")
    count, plain_count = len(multi), len(plain[0])
    print(
        f"pairs={pairs}: ours {count} pairs, {count / ours_s:.0f} pairs/s; plain {plain_count} pairs, "
        f"{plain_count / plain_s:.1f} pairs/s; ratio {(count / ours_s) / (plain_count / plain_s):.1f}; CPU a pair: "
        f"ours {1000 * ours_cpu_s / count:.1f} ms, plain {1000 * plain_cpu_s / plain_count:.1f} ms; "
        f"pixels {'equal' if equal else 'DIFFER'}"
    )
    if not equal:
        raise SystemExit("the outputs differ: the ratio means nothing")


if __name__ == "__main__":
    main()
