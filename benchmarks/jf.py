"""J and F of masks at 854 x 480, per object and frame: packed masks against two plain ways, all on one thread and in CPU time.

- stacked: what the official scorer does, step by step: float64 arrays [objects, frames, h, w] from the label pictures, J of all
  frames at once, F frame by frame with boundaries from shifted copies and two dilations with a disk.
- plain: `evaluate.video.definition`, bool masks one at a time, otherwise the same steps.
- ours: label pictures to packed masks, then J and F.

- official, vos-benchmark: those programs themselves, where they can be imported. `davis2017` (davisvideochallenge's
  davis2017-evaluation) is not on the package index: put a checkout on PYTHONPATH. `vos-benchmark` 0.1.0 is. Both need scikit-image.

Timed twice: from label arrays in memory, and from PNG files. All values have to be equal to the last bit. The ratios that are asked
for stand below each: at least 15 times official and 10 times vos-benchmark in memory, 8 times official from PNG files.
"""

import importlib.util
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from sightline import media
from sightline.evaluate.video.definition import boundary_radius, plain_boundary_f, plain_region
from sightline.evaluate.video.packed import pack_labels
from sightline.evaluate.video.region_boundary import score_frames
from sightline.label_png import encode_label_png

HEIGHT, WIDTH = 480, 854
OBJECTS, FRAMES, ROUNDS = 3, 30, 3
NUMBERS = range(1, OBJECTS + 1)
Scores = np.ndarray  # [objects, frames, J and F]
Way = Callable[[list[np.ndarray], list[np.ndarray]], Scores]
ASKED = {"in memory": {"official": 15, "vos-benchmark": 10}, "from PNG files": {"official": 8}}
NEEDS = {"official": ("davis2017", "skimage"), "vos-benchmark": ("vos_benchmark", "skimage")}


def draw_clip(seed: int) -> list[np.ndarray]:
    """Label pictures of blobs with wavy outlines that drift; another seed moves the outlines by some pixels."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    clip = []
    for frame in range(FRAMES):
        labels = np.zeros((HEIGHT, WIDTH), np.uint8)
        for number in NUMBERS:
            y, x = 120 * number + rng.normal(0, 2), 200 * number + 4 * frame + rng.normal(0, 2)
            angle = np.arctan2(rows - y, columns - x)
            radius = 70 + 9 * np.sin(5 * angle + frame / 4) + 3 * np.sin(17 * angle + rng.normal(0, 0.3))
            labels[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = number
        clip.append(labels)
    return clip


def stacked(truth: list[np.ndarray], found: list[np.ndarray]) -> Scores:
    truths, founds = (
        np.stack([np.stack([labels == number for labels in clip]).astype(float) for number in NUMBERS]) for clip in (truth, found)
    )
    scores = np.empty((OBJECTS, FRAMES, 2))
    for index, (a, b) in enumerate(zip(truths, founds, strict=True)):
        a_set, b_set, void = a.astype(bool), b.astype(bool), np.zeros_like(b)
        either = np.sum((a_set | b_set) & np.logical_not(void), axis=(1, 2))
        both = np.sum((a_set & b_set) & np.logical_not(void), axis=(1, 2))
        scores[index, :, 0] = np.where(either == 0, 1.0, both / np.maximum(either, 1))
        scores[index, :, 1] = [stacked_f(*pair) for pair in zip(a, b, strict=True)]
    return scores


def stacked_f(truth: np.ndarray, found: np.ndarray) -> float:
    radius = boundary_radius(*truth.shape)
    offsets = np.arange(-radius, radius + 1)
    disk = (offsets[:, None] ** 2 + offsets[None, :] ** 2 <= radius**2).astype(np.uint8)
    void = np.zeros_like(found).astype(bool)
    a, b = stacked_edge(truth * np.logical_not(void)), stacked_edge(found * np.logical_not(void))
    near_a, near_b = (cv2.dilate(edge.astype(np.uint8), disk) for edge in (a, b))
    num_a, num_b = np.sum(a), np.sum(b)
    if num_a == 0 or num_b == 0:
        return float(num_a == num_b)
    precision, recall = np.sum(b * near_a) / float(num_b), np.sum(a * near_b) / float(num_a)
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def stacked_edge(mask: np.ndarray) -> np.ndarray:
    here = mask.astype(bool)
    here[here > 0] = True
    east, south, corner = np.zeros_like(here), np.zeros_like(here), np.zeros_like(here)
    east[:, :-1], south[:-1], corner[:-1, :-1] = here[:, 1:], here[1:], here[1:, 1:]
    edge = here ^ east | here ^ south | here ^ corner
    edge[-1] = here[-1] ^ east[-1]
    edge[:, -1] = here[:, -1] ^ south[:, -1]
    edge[-1, -1] = False
    return edge


def plain(truth: list[np.ndarray], found: list[np.ndarray]) -> Scores:
    pairs = list(zip(truth, found, strict=True))
    return np.array(
        [[[score(a == number, b == number) for score in (plain_region, plain_boundary_f)] for a, b in pairs] for number in NUMBERS]
    )


def ours(truth: list[np.ndarray], found: list[np.ndarray]) -> Scores:
    truths, founds = ([pack_labels(labels, NUMBERS) for labels in clip] for clip in (truth, found))
    scores = [score_frames(*tracks) for tracks in zip(zip(*truths, strict=True), zip(*founds, strict=True), strict=True)]
    return np.stack([np.stack([score.region, score.boundary], axis=1) for score in scores])


def official(truth: list[np.ndarray], found: list[np.ndarray]) -> Scores:
    from davis2017.metrics import db_eval_boundary, db_eval_iou  # noqa: PLC0415  # pyright: ignore[reportMissingImports]

    truths, founds = (
        np.stack([np.stack([labels == number for labels in clip]).astype(float) for number in NUMBERS]) for clip in (truth, found)
    )
    scores = [(db_eval_iou(*pair), db_eval_boundary(*pair)) for pair in zip(truths, founds, strict=True)]
    return np.stack([np.stack(both, axis=1) for both in scores])


def vos_benchmark(truth: list[np.ndarray], found: list[np.ndarray]) -> Scores:
    from vos_benchmark.evaluator import Evaluator  # noqa: PLC0415  # pyright: ignore[reportMissingImports]

    evaluator = Evaluator()
    for labels, said in zip(truth, found, strict=True):
        evaluator.feed_frame(said, labels)
    return np.array([list(zip(evaluator.object_iou[each], evaluator.boundary_f[each], strict=True)) for each in NUMBERS])


def programs() -> dict[str, Way]:
    """The others' programs that are installed; says of the rest what is missing."""
    ways: dict[str, Way] = {"official": official, "vos-benchmark": vos_benchmark}
    for name, modules in NEEDS.items():
        if absent := [module for module in modules if importlib.util.find_spec(module) is None]:
            print(f"{name} is not compared: {', '.join(absent)} cannot be imported")
            del ways[name]
    return ways


def read_plain(folder: Path) -> list[np.ndarray]:
    return [np.array(Image.open(path)) for path in sorted(folder.iterdir())]


def read_ours(folder: Path) -> list[np.ndarray]:
    return [media.read_labels(path) for path in sorted(folder.iterdir())]


def measure(run: Callable[[], Scores]) -> tuple[Scores, float]:
    """The scores, and the least CPU time of some rounds in milliseconds for one object in one frame."""
    scores, least_s = run(), np.inf
    for _ in range(ROUNDS):
        started = time.process_time()
        run()
        least_s = min(least_s, time.process_time() - started)
    return scores, 1000 * least_s / (OBJECTS * FRAMES)


def compare(ways: dict[str, Callable[[], Scores]], title: str) -> None:
    results = {name: measure(run) for name, run in ways.items()}
    scores, ours_ms = results["ours"]
    equal = all(np.array_equal(found, scores) for found, _ in results.values())
    figures = ", ".join(f"{name} {ms:.3f} ms ({ms / ours_ms:.1f}x)" for name, (_, ms) in results.items() if name != "ours")
    print(
        f"{title}: {figures}, ours {ours_ms:.3f} ms; J {scores[..., 0].mean():.3f}, F {scores[..., 1].mean():.3f}, "
        f"values {'equal' if equal else 'DIFFER'}"
    )
    for name, least in ASKED[title].items():
        if name in results:
            ratio = results[name][1] / ours_ms
            print(f"  {name}: {ratio:.1f}x, asked for at least {least}x: {'met' if ratio >= least else 'NOT MET'}")
    if not equal:
        raise SystemExit("the scores differ: the ratio means nothing")


def main() -> None:
    cv2.setNumThreads(1)
    truth, found = draw_clip(1), draw_clip(2)
    print(f"{OBJECTS} objects x {FRAMES} frames of {WIDTH}x{HEIGHT}, CPU time for one object in one frame, one thread")
    others = programs()
    ways: dict[str, Way] = {**others, "stacked": stacked, "plain": plain, "ours": ours}
    compare({name: lambda way=way: way(truth, found) for name, way in ways.items()}, "in memory")
    with tempfile.TemporaryDirectory() as folder:
        places = Path(folder) / "truth", Path(folder) / "found"
        for place, clip in zip(places, (truth, found), strict=True):
            place.mkdir()
            for number, labels in enumerate(clip):
                (place / f"{number:05d}.png").write_bytes(encode_label_png(labels))
        readers = dict.fromkeys(ways, read_plain) | {"ours": read_ours}
        compare({name: lambda way=way, read=readers[name]: way(*map(read, places)) for name, way in ways.items()}, "from PNG files")


if __name__ == "__main__":
    main()
