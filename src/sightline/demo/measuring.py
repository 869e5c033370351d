"""What a tiny Spatial-MLLM learns distances from: rooms, task sets, a VGGT that has learnt depth, and checkpoints.

    OUT/vggt.json                              how long VGGT is trained; another request against it is an error
    OUT/rooms/                                 `demo.near_far`
    OUT/tasks/spatial_qa-{train,val}           two questions a room
    OUT/vggt/, OUT/vggt-fresh/                 `demo.tiny_vggt`, trained on the depth of the training rooms, and as it began
    OUT/start/, OUT/start-fresh/               `demo.tiny_spatial_mllm` with the one and the other; all else in them is equal

`sightline train vlm --config-name spatial_mllm_ablation` trains them; docs/spatial-mllm.md has the commands. No room of the split
`val` is seen by VGGT or by the language model while they learn.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sightline.demo.near_far import SPLITS, scans_of, write_near_far
from sightline.demo.tiny_spatial_mllm import tiny_spatial_mllm
from sightline.demo.tiny_vggt import tiny_vggt
from sightline.dialects import get_dialect
from sightline.errors import InputError
from sightline.export.rendered import render_all
from sightline.files import read_json, write_json
from sightline.tasks.frame_rules import FrameRule
from sightline.tasks.spatial_qa import TASK, QaOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.types import Record

RECORD = "vggt.json"
MAX_TENTHS = 100  # of a metre: numbers below 10.0 have a token of their own
DIALECT = "qwen25"
Progress = Callable[[str, int, int], None]


class VggtRecord(Record):
    """`vggt.json`: the request that OUT/vggt answers, beside that of the rooms."""

    steps: int


@dataclass(frozen=True)
class Measuring:
    """The task sets, and the checkpoints with VGGT trained and fresh. `depth_error_m`: of VGGT in its last steps, in metres; None
    where it was there already."""

    train: Path
    validation: Path
    start: Path
    fresh: Path
    depth_error_m: float | None


def prepare(
    out: Path,
    *,
    sizes: tuple[int, int],
    steps: int,
    seed: int = 0,
    workers: int = 1,
    on_progress: Progress = lambda *_: None,
) -> Measuring:
    """Draw the rooms, build the task sets, train VGGT and write the checkpoints; what is there already is kept.

    Args:
        sizes: how many rooms to train on, and how many that are held out.
        steps: of VGGT's training.

    Raises:
        InputError: `out` holds those of another request.
    """
    rooms = out / "rooms"
    folders = _tasksets(rooms, out / "tasks", sizes=sizes, seed=seed, workers=workers, on_progress=on_progress)
    _check_request(out / RECORD, VggtRecord(steps=steps))
    error = None
    for name, own in (("vggt", steps), ("vggt-fresh", 0)):
        if not (out / name).exists():
            scans = scans_of(rooms, range(sizes[0])) if own else []
            found = tiny_vggt(out / name, rooms, scans, steps=own, seed=seed, on_step=lambda *done: on_progress("depth", *done))
            error = found if own else error
    words = phrases(TaskSet(folders[SPLITS[0]]))
    for name, vggt in (("start", "vggt"), ("start-fresh", "vggt-fresh")):
        if not (out / name).exists():
            tiny_spatial_mllm(out / name, words, seed=seed, vggt=out / vggt)
    return Measuring(folders[SPLITS[0]], folders[SPLITS[1]], out / "start", out / "start-fresh", error)


def _tasksets(
    rooms: Path, out: Path, *, sizes: tuple[int, int], seed: int, workers: int, on_progress: Progress
) -> dict[str | None, Path]:
    """The task sets by split."""
    write_near_far(
        rooms,
        num_train=sizes[0],
        num_validation=sizes[1],
        seed=seed,
        workers=workers,
        on_room=lambda done: on_progress("rooms", done, sum(sizes)),
    )
    options = QaOptions(words="published", frames=FrameRule(num_frames=2), seed=seed)
    request = BuildRequest(reader="qa-json", root=str(rooms), splits=SPLITS, tasks=(TASK,), options=options)
    built = build(request, out, workers=workers, on_progress=lambda split, *counts: on_progress(f"task: {split}", *counts))
    return {part.manifest.split: Path(part.path) for part in built}


def _check_request(path: Path, asked: VggtRecord) -> None:
    if not path.is_file():
        write_json(path, asked)
    elif (found := read_json(path, VggtRecord)) != asked:
        raise InputError(f"{path.parent} holds a VGGT of {found}, asked for is {asked}. Choose another folder, or delete this one.")


def phrases(taskset: TaskSet) -> list[str]:
    """The words of each question as one phrase, and numbers to a tenth: a question is one token, and so is its answer."""
    texts = [part for rendered in render_all(taskset, get_dialect(DIALECT)) for part in rendered.segments if isinstance(part, str)]
    return [*dict.fromkeys(texts), *(f"{number / 10:.1f}" for number in range(MAX_TENTHS))]
