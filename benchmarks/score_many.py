"""Scoring 100,000 predictions with mask hits: our scorer against the plain loop.

The plain loop parses each line with the json module, decodes the example's masks with pycocotools and looks at the pixel. It is
timed on every tenth prediction and its hits are compared with ours; ours writes scores and the summary with all intervals.
"""

import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from pycocotools import mask as coco

from sightline.demo.rooms import write_rooms
from sightline.evaluate.predict import predict
from sightline.evaluate.run import read_scores
from sightline.evaluate.score import score_run
from sightline.evaluate.summary import summarise
from sightline.models import get_model
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.taskset.write import assemble

COUNT = 100_000
ROOMS, WIDTH, HEIGHT = 6, 640, 480
PLAIN_EVERY = 10


def enlarged(source: TaskSet, folder: Path) -> TaskSet:
    """The examples of `source` over and over under new ids, as a task set of `COUNT` examples."""
    lines = [line for path in sorted(source.path.glob("examples-*.jsonl")) for line in path.read_bytes().splitlines(keepends=True)]
    staging = folder / "large"
    (staging / "set").mkdir(parents=True)
    (staging / "parts").mkdir()
    with (staging / "set" / "examples-00000.jsonl").open("wb") as file:
        for number in range(COUNT):
            file.write(lines[number % len(lines)].replace(b'"id":"', b'"id":"%d/' % number, 1))
    masks = b"".join(path.read_bytes() for path in sorted(source.path.glob("masks-*.jsonl")))
    (staging / "parts" / "00000.masks.jsonl").write_bytes(masks)
    recipe = source.manifest.recipe
    assemble(
        staging, "large", task=source.manifest.task, split="validation", recipe=recipe, source_fingerprint="", roots={"data": "/"}
    )
    return TaskSet(staging / "set")


def plain_loop(tasks: TaskSet, run: Path) -> dict[str, bool | None]:
    """Hits of every tenth prediction, the straightforward way."""
    masks = {}
    for path in tasks.path.glob("masks-*.jsonl"):
        for line in path.read_text().splitlines():
            stored = json.loads(line)
            masks[stored["id"]] = stored["rle"]
    hits: dict[str, bool | None] = {}
    with (tasks.path / "examples-00000.jsonl").open() as examples, (run / "predictions.jsonl").open() as predictions:
        for number, (one, two) in enumerate(zip(examples, predictions, strict=True)):
            if number % PLAIN_EVERY:
                continue
            example, prediction = json.loads(one), json.loads(two)
            name = example["truth"].get("mask")
            if name is None:
                hits[prediction["id"]] = None
                continue
            rle = masks[name]
            mask = coco.decode({"size": [rle["height"], rle["width"]], "counts": rle["counts"].encode()})
            x, y = prediction["reading"]["answer"]["points"][0]
            row, column = int(np.floor(y)), int(np.floor(x))
            hits[prediction["id"]] = 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1] and bool(mask[row, column])
    return hits


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rooms(folder / "rooms", num_train=0, num_validation=ROOMS, width=WIDTH, height=HEIGHT, workers=2)
        request = BuildRequest(
            reader="x3",
            root=str(folder / "rooms"),
            splits=("validation",),
            tasks=("t1_multi",),
            options=CrossViewOptions(pairs="all"),
        )
        build(request, folder / "tasks", workers=2)
        tasks = enlarged(TaskSet(folder / "tasks" / "t1_multi-validation"), folder)
        run = folder / "run"
        predict(tasks, get_model("random"), run)
        started = time.perf_counter()
        score_run(run)
        scored_s = time.perf_counter() - started
        summarise(run)
        ours_s = time.perf_counter() - started
        started = time.perf_counter()
        plain = plain_loop(tasks, run)
        plain_s = (time.perf_counter() - started) * PLAIN_EVERY
        ours = {score.id: score.hit for score in read_scores(run)}
    if any(ours[key] != hit for key, hit in plain.items()):
        raise SystemExit("the hits differ: the ratio means nothing")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(
        f"{COUNT:,} predictions on {WIDTH}x{HEIGHT} masks: scored in {scored_s:.1f} s, with summary and intervals {ours_s:.1f} s; "
        f"plain loop {plain_s:.1f} s (a tenth, times {PLAIN_EVERY}), ratio {plain_s / scored_s:.1f}; hits equal; peak {peak:.0f} MB"
    )


if __name__ == "__main__":
    main()
