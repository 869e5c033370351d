"""The step of `sightline demo` in which a tiny model learns to point: pictures, task sets, a fresh checkpoint, training, questions.

    OUT/rooms/                       `demo.pointing`
    OUT/tasks/refer_point-{train,val}
    OUT/tiny/                        the checkpoint before training, `demo.tiny_vlm`
    OUT/run/                         of `sightline train vlm --config-name demo`; the trained checkpoint is in OUT/run/weights/

Before and after, the checkpoint is asked about rooms that it was not trained on, by the code of `sightline predict` and `score`,
beside baselines that see no picture. One of them is unfair on purpose: the one point that hits the most of these very objects.
"""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sightline.demo.pointing import write_pointing
from sightline.demo.tiny_vlm import tiny_vlm
from sightline.dialects import Size, get_dialect
from sightline.dialects.render import render_prompt
from sightline.errors import InputError
from sightline.evaluate.predict import predict
from sightline.models import Model, ModelOptions, get_model
from sightline.models.baselines.baseline import Baseline, asked_panel, point_in
from sightline.tasks.refer import ReferOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet

NUM_TRAIN, NUM_VALIDATION = 2000, 200
CONFIG = "demo"
ASKED = ModelOptions(dialect="pixels", batch_size=100, max_new_tokens=8)
THREADS = 2
NEEDED = ("torch", "transformers", "lightning", "hydra", "yaml")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Lesson:
    """What is learnt, and by whom: the task sets of the rooms to train on and of other rooms, and the fresh checkpoint."""

    train: Path
    validation: Path
    checkpoint: Path


def missing_packages() -> list[str]:
    """What training needs and is not installed."""
    return [package for package in NEEDED if importlib.util.find_spec(package) is None]


def prepare(
    out: Path,
    *,
    seed: int = 0,
    workers: int = 1,
    sizes: tuple[int, int] = (NUM_TRAIN, NUM_VALIDATION),
    on_progress: Progress = lambda *_: None,
) -> Lesson:
    """Draw the pictures, build the task sets and write the fresh checkpoint; what is there already is kept.

    Args:
        sizes: how many pictures to train on, and of rooms that are held out.

    Raises:
        InputError: `out` holds those of another request.
    """
    num_train, num_validation = sizes
    write_pointing(
        out / "rooms",
        num_train=num_train,
        num_validation=num_validation,
        seed=seed,
        workers=workers,
        on_picture=lambda drawn: on_progress("small pictures", drawn, sum(sizes)),
    )
    request = BuildRequest(
        reader="grefcoco",
        root=str(out / "rooms"),
        splits=("train", "val"),
        tasks=("refer_point",),
        options=ReferOptions(objects="one", no_target="left_out"),
    )
    built = build(
        request, out / "tasks", workers=workers, on_progress=lambda split, *counts: on_progress(f"task: {split}", *counts)
    )
    folders = {part.manifest.split: Path(part.path) for part in built}
    checkpoint = out / "tiny"
    if not checkpoint.exists():
        tiny_vlm(checkpoint, phrases(TaskSet(folders["train"])), seed=seed)
    return Lesson(folders["train"], folders["val"], checkpoint)


def phrases(taskset: TaskSet) -> list[str]:
    """The words of the first question, as the model will be asked: all questions of these task sets have the same."""
    question = taskset[0].question
    assert ASKED.dialect is not None
    prompt = render_prompt(question.prompt, get_dialect(ASKED.dialect), Size.all_of(question))
    return [part for part in prompt if isinstance(part, str)]


def learn(
    lesson: Lesson,
    out: Path,
    *,
    seed: int = 0,
    overrides: Sequence[str] = (),
    on_progress: Progress = lambda *_: None,
    quiet: bool = False,
) -> Path:
    """Train as `sightline train vlm --config-name demo` does, or go on with it; the trained checkpoint.

    Args:
        overrides: changed settings, `trainer.max_steps=10`.

    Raises:
        InputError: the run in `out` is of other settings, or a signal stopped this one.
    """
    from sightline.train.config.compose import compose  # noqa: PLC0415 - needs the train extra
    from sightline.train.config.sweep import hydra_text  # noqa: PLC0415
    from sightline.train.vlm.run import train_vlm  # noqa: PLC0415

    places = {
        "model.path": lesson.checkpoint,
        "data.path": lesson.train,
        "data.counts_dir": out / "token-counts",
        "run.dir": out / "run",
    }
    given = [f"{key}={hydra_text(str(path))}" for key, path in places.items()]
    composed = compose("vlm", [*given, f"seed={seed}", "resume=last", *overrides], config_name=CONFIG)
    with _few_threads():
        trained = train_vlm(composed, quiet=quiet, progress=on_progress)
    if trained.weights is None:
        raise InputError(f"training stopped after step {trained.outcome.step} ({trained.outcome.reason}). Run it again to go on.")
    return trained.weights


@contextmanager
def _few_threads() -> Iterator[None]:
    """So small a model is slower with many."""
    import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra

    before = torch.get_num_threads()
    torch.set_num_threads(min(before, THREADS))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def ask(lesson: Lesson, weights: Path, out: Path, *, on_progress: Progress = lambda *_: None) -> list[Path]:
    """Answers of the baselines, of the fresh checkpoint and of the trained one: the runs OUT/{model}/{task set}, to be scored."""
    taskset = TaskSet(lesson.validation)
    models: list[Model] = [
        get_model("center"),
        get_model("random"),
        best_constant(taskset),
        get_model(f"before=hf:{lesson.checkpoint}", ASKED),
        get_model(f"after=hf:{weights}", ASKED),
    ]
    runs = []
    for model in models:
        name = str(model.describe()["name"])
        run = out / name / taskset.manifest.name
        predict(
            taskset, model, run, on_progress=lambda done, total, name=name: on_progress(f"{name} on small pictures", done, total)
        )
        runs.append(run)
    return runs


def best_constant(taskset: TaskSet) -> Baseline:
    """The constant answer that scores best on this very task set, of pictures of one size; the first of equals in row order."""
    hits = sum(taskset.read_mask(example.truth.mask).astype(int) for example in taskset if example.truth.mask is not None)
    row, column = np.unravel_index(np.argmax(hits), np.shape(hits))
    x, y = float(column) + 0.5, float(row) + 0.5
    return Baseline("best-constant", lambda question, _: point_in(asked_panel(question), x, y), settings={"x": x, "y": y})
