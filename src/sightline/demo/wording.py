"""What a tiny Sa2VA learns from in a few CPU minutes: clips of coloured shapes, their task sets, and a fresh checkpoint.

    OUT/clips/                                    `demo.worded`
    OUT/tasks/refer_mask_track-{train,valid_u}
    OUT/tiny/                                     `demo.tiny_sa2va`
    OUT/sam2/                                     its SAM 2 alone

`sightline train sa2va --config-name tiny_consistent` trains the former to find objects by words, `sightline train sam2
--config-name tiny_worded` the latter to follow boxes; `docs/sa2va.md` has the commands.
"""

from collections.abc import Callable
from pathlib import Path

from sightline.demo.learning import Lesson
from sightline.demo.tiny_sa2va import tiny_sa2va, tiny_sam2
from sightline.demo.worded import SPLITS, WORDS, write_worded
from sightline.tasks.footage import Sampling
from sightline.tasks.refer import ReferOptions
from sightline.taskset.build import BuildRequest, build

TASK = "refer_mask_track"
Progress = Callable[[str, int, int], None]


def prepare(
    out: Path,
    *,
    seed: int = 0,
    workers: int = 1,
    sizes: tuple[int, int] = (160, 40),
    on_progress: Progress = lambda *_: None,
) -> Lesson:
    """Draw the clips, build the task sets and write the fresh checkpoint; what is there already is kept.

    Args:
        sizes: how many clips to train on, and of others that are held out.

    Raises:
        InputError: `out` holds those of another request.
    """
    num_train, num_validation = sizes
    write_worded(
        out / "clips",
        num_train=num_train,
        num_validation=num_validation,
        seed=seed,
        on_clip=lambda done: on_progress("clips", done, sum(sizes)),
    )
    every_frame = ReferOptions(no_target="left_out", sampling=Sampling(policy="all"))
    request = BuildRequest(reader="mevis", root=str(out / "clips"), splits=SPLITS, tasks=(TASK,), options=every_frame)
    built = build(
        request, out / "tasks", workers=workers, on_progress=lambda split, *counts: on_progress(f"task: {split}", *counts)
    )
    folders = {part.manifest.split: Path(part.path) for part in built}
    checkpoint = out / "tiny"
    if not checkpoint.exists():
        tiny_sa2va(checkpoint, WORDS, seed=seed)
    if not (out / "sam2").exists():
        tiny_sam2(out / "sam2", checkpoint)
    return Lesson(folders[SPLITS[0]], folders[SPLITS[1]], checkpoint)
