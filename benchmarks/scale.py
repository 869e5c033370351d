"""What a large build takes: examples a second and core, what a second process gains, and whether memory grows with the data.

Cross-view: procedural rooms, every ordered pair, marked and side-by-side pictures. Referring: clips in the layout of MeViS (640 x
360, 24 frames, two objects, four expressions), boxes and masks of 8 frames. Each build is a process of its own; its peak memory is
the largest of its processes. What two processes gain that share nothing but the machine stands beside it: cores that are two
threads of one do less than twice the work. Then the last step of a build alone (index, masks, manifest) over examples without
pictures.
"""

import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import msgspec
import numpy as np

from benchmarks.build_pairs import repeat
from sightline.demo.rooms import write_rooms
from sightline.geometry.masks import encode_mask
from sightline.tasks.refer import ReferOptions
from sightline.taskset.shards import ShardBuilder, ShardJob
from sightline.taskset.store import StoredMask, TaskSet
from sightline.taskset.write import assemble
from sightline.types import Example, MaskRle

WIDTH, HEIGHT, FRAMES = 640, 360, 24
ROOMS, CLIPS, TIMES, CLIP_TIMES = 6, 32, 15, 60
ASSEMBLED = 20_000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        cross = ["x3", "--pairs", "all", "--concat", "--split", "train"]
        refer = ["refer", "--data", "mevis", "--split", "train", "--task", "refer_track", "--task", "refer_mask_track"]
        small, large = place / "rooms", place / "rooms_large"
        write_rooms(small, num_train=ROOMS, num_validation=0, width=640, height=480, workers=2)
        shutil.copytree(small, large)
        for copy in range(1, TIMES):
            for room in sorted((small / "train").iterdir()):
                repeat(large / "train" / room.name, f"{room.name}_{copy}")
        print(f"two processes that share nothing: {machine_ratio():.2f} times one", flush=True)
        compare("cross-view", cross, small, large)
        compare("referring", refer, write_clips(place / "clips", CLIPS), write_clips(place / "clips_large", CLIP_TIMES * CLIPS))
        peaks = worker_peaks(place / "clips", place / "worker")
        print(f"one worker: peak {peaks[0]:.0f} MB after {CLIPS} clips, {peaks[1]:.0f} MB after {10 * CLIPS}", flush=True)
        tasks = TaskSet(place / "clips.1/refer_mask_track-train")
        example, mask = tasks[0], next(iter(tasks.masks.values()))
        few = measure_assembly(place / "assembled", example, mask, ASSEMBLED)
        many = measure_assembly(place / "assembled_large", example, mask, TIMES * ASSEMBLED)
        print(
            f"assembly of {ASSEMBLED:,} and {TIMES * ASSEMBLED:,} examples with 8 masks each: peak {few[0]:.0f} and "
            f"{many[0]:.0f} MB; CPU an example {1e6 * many[1] / (TIMES * ASSEMBLED):.0f} us"
        )


def compare(name: str, arguments: list[str], small: Path, large: Path) -> None:
    """Build the small data set with one process, the large one with one and with two."""
    few = measure(arguments, small, 1)
    one, two = (measure(arguments, large, workers) for workers in (1, 2))
    disk = disk_bytes(large.with_name(f"{large.name}.1")) / one[0]
    print(
        f"{name}: {one[0]} examples; one process {one[0] / one[1]:.1f} examples/s, two {two[0] / two[1]:.1f}, ratio "
        f"{one[1] / two[1]:.2f}; CPU an example {1000 * one[2] / one[0]:.2f} and {1000 * two[2] / two[0]:.2f} ms; peak memory with "
        f"{few[0]} examples {few[3]:.0f} MB, with {one[0]} {one[3]:.0f} MB; on disk {disk:.0f} bytes an example",
        flush=True,
    )


def measure(arguments: list[str], root: Path, workers: int) -> tuple[int, float, float, float]:
    """Examples, wall clock and CPU time in seconds, and peak memory in MB of one build."""
    out = root.with_name(f"{root.name}.{workers}")
    command = [sys.executable, "-m", "sightline", "build", *arguments, "--root", str(root), "--out", str(out)]
    started = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--workers", str(workers), "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    count = sum(len(TaskSet(path.parent)) for path in out.glob("*/manifest.json"))
    return count, time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**10


def machine_ratio() -> float:
    """How much more two processes do in a time than one, at compressing pixels (the median of three rounds)."""
    rows = np.random.default_rng(0).integers(0, 60, (480, 640, 3), dtype=np.uint8).tobytes()

    def seconds(processes: int) -> float:
        children = [multiprocessing.Process(target=compress, args=(rows,)) for _ in range(processes)]
        started = time.perf_counter()
        for child in children:
            child.start()
        for child in children:
            child.join()
        return time.perf_counter() - started

    return statistics.median(2 * seconds(1) / seconds(2) for _ in range(3))


def compress(rows: bytes) -> None:
    for _ in range(100):
        zlib.compress(rows, 1)


def disk_bytes(out: Path) -> int:
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


def write_clips(root: Path, count: int) -> Path:
    """Clips over a picture that passes by, with two discs on their way; masks and expressions in the files of MeViS.

    After the first `CLIPS` the pictures are those of an earlier clip.
    """
    videos, masks = {}, {}
    tracks = [[encode_mask(disc(number, frame)) for frame in range(FRAMES)] for number in range(2)]
    codes = [[{"size": [HEIGHT, WIDTH], "counts": rle.counts} for rle in track] for track in tracks]
    for clip in range(count):
        name = f"{clip:012x}"
        folder = root / "train" / "JPEGImages" / name
        if clip < CLIPS:
            draw_clip(folder, seed=clip)
        else:
            shutil.copytree(folder.with_name(f"{clip % CLIPS:012x}"), folder, copy_function=os.link)
        masks |= {str(2 * clip + number): track for number, track in enumerate(codes)}
        said = [("the upper disc", [0]), ("the lower disc", [1]), ("two discs that move right", [0, 1]), ("the first one", [0])]
        videos[name] = {
            "vid_id": clip,
            "frames": [f"{frame:05d}" for frame in range(FRAMES)],
            "expressions": {
                str(number): {"exp": text, "obj_id": objects, "anno_id": [2 * clip + item for item in objects]}
                for number, (text, objects) in enumerate(said)
            },
        }
    (root / "train" / "meta_expressions.json").write_text(json.dumps({"videos": videos}))
    (root / "train" / "mask_dict.json").write_text(json.dumps(masks))
    return root


def draw_clip(folder: Path, *, seed: int) -> None:
    coarse = np.random.default_rng(seed).integers(0, 256, (HEIGHT // 8, WIDTH // 4, 3), dtype=np.uint8)
    wide = cv2.resize(coarse, (2 * WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    folder.mkdir(parents=True)
    for frame in range(FRAMES):
        picture = wide[:, 8 * frame : 8 * frame + WIDTH].copy()
        for number in range(2):
            picture[disc(number, frame)] = (40, 90, 200)
        cv2.imwrite(str(folder / f"{frame:05d}.jpg"), picture)


def disc(number: int, frame: int) -> np.ndarray:
    """The mask of an object in a frame."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(mask, (100 + 15 * frame + 60 * number, 90 + 150 * number), 40, 1, -1)
    return mask > 0


def worker_peaks(root: Path, staging: Path) -> tuple[float, float]:
    """Peak memory in MB of a worker that has built all clips once, and ten times."""
    tasks = ("refer_track", "refer_mask_track")
    job = ShardJob(reader="mevis", root=str(root), split="train", tasks=tasks, options=ReferOptions(), staging=str(staging))
    staging.mkdir()
    in_a_process(lambda: rounds(ShardBuilder(job), staging))
    first, last = (int(line) / 2**10 for line in (staging / "peaks").read_text().split())
    return first, last


def rounds(builder: ShardBuilder, staging: Path) -> None:
    peaks = []
    for shard in range(10):
        builder.build(shard, 0, len(builder.units))
        peaks.append(peak_kb())
    (staging / "peaks").write_text(f"{peaks[0]} {peaks[-1]}")


def in_a_process(work: Callable[[], None]) -> None:
    """Do something in a child of this process, whose peak memory starts anew."""
    process_id = os.fork()
    if process_id == 0:
        Path("/proc/self/clear_refs").write_text("5")
        work()
        os._exit(0)
    if os.waitpid(process_id, 0)[1]:
        raise SystemExit("a measured process failed")


def peak_kb() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])


def measure_assembly(staging: Path, example: Example, mask: MaskRle, count: int) -> tuple[float, float]:
    """Peak memory in MB and CPU time in seconds of the last step over so many examples with eight masks of their own each."""

    def work() -> None:
        recipe = {"options": {"seed": 0}}
        assemble(staging, "big", task="refer_mask_track", split="train", recipe=recipe, source_fingerprint="", roots={})
        (staging / "peak").write_text(f"{peak_kb() / 2**10} {time.process_time()}")

    in_a_process(lambda: write_parts(staging, example, mask, count))
    in_a_process(work)
    peak, cpu_s = (float(number) for number in (staging / "peak").read_text().split())
    return peak, cpu_s


def write_parts(staging: Path, example: Example, mask: MaskRle, count: int) -> None:
    """The shards of `count` copies of an example, each under another id; of each copy eight masks under other hashes."""
    (staging / "set").mkdir(parents=True)
    (staging / "parts").mkdir()
    encoder, rng = msgspec.json.Encoder(), np.random.default_rng(0)
    size = 1000
    for shard in range(count // size):
        lines, masks = [], []
        for number in range(shard * size, (shard + 1) * size):
            question = msgspec.structs.replace(example.question, id=f"{example.id}/{number}")
            lines.append(encoder.encode(msgspec.structs.replace(example, question=question)))
            masks += [encoder.encode(StoredMask(id=rng.bytes(16).hex(), rle=mask)) for _ in range(8)]
        (staging / "set" / f"examples-{shard:05d}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        (staging / "parts" / f"{shard:05d}.masks.jsonl").write_bytes(b"\n".join(masks) + b"\n")


if __name__ == "__main__":
    main()
