"""One training of SAM 2 from its configuration to its weights.

RUN/ ...                                  what every run has (`train.folder`)
RUN/preflight.json                        what the largest clip takes
RUN/validation/step-00000500.csv          scores of every held-out object after so many steps
RUN/ledger.jsonl                          clips that were left out (data.on_bad_clip=skip)
RUN/weights/step-00000500/                the weights of the best step, or of the last where nothing is evaluated (`publish`)
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from sightline.errors import InputError
from sightline.files import read_json, write_json, write_whole
from sightline.train.checkpoints import Checkpoint
from sightline.train.config.compose import Composed
from sightline.train.config.typed import typed
from sightline.train.folder import RunFolder, is_first_process, open_run
from sightline.train.ledger import Ledger
from sightline.train.loop import Outcome, train
from sightline.train.sam2.evaluation import table
from sightline.train.sam2.memory import Preflight, available_memory, is_out_of_memory, out_of_memory
from sightline.train.sam2.module import Sam2Training
from sightline.train.sam2.preflight import run_preflight
from sightline.train.sam2.publish import publish_weights
from sightline.train.sam2.settings import Sam2Settings
from sightline.train.sam2.videos import Videos

Report = Callable[[str], None]
PREFLIGHT = "preflight.json"


@dataclass(frozen=True)
class Trained:
    """How a training ended. `weights` and `scores` are the folder and the CSV of the step that was kept, None if there is none.
    Only the first of several processes writes them and has something to tell.
    """

    run: Path
    outcome: Outcome
    kept_step: int | None
    metrics: dict[str, float]
    weights: Path | None
    scores: Path | None
    first_process: bool = True


def train_sam2(composed: Composed, *, quiet: bool = False, report: Report = lambda _: None) -> Trained:
    """Train as configured, or go on with a run, and write the weights in both forms.

    Args:
        report: is given lines for people before the first step.

    Raises:
        FileNotFoundError, InputError: a setting, checkpoint or video cannot be used, or a clip does not fit into memory.
        OSError: the disk is full, for example; checkpoints so far are intact.
    """
    settings = typed(composed.values, Sam2Settings, where=composed.where)
    training = Sam2Training(settings)
    prints = {"data.train": fingerprint(Path(settings.data.train_path), training.plan.videos)}
    keep = settings.checkpoints.keep
    with open_run(composed, settings.run, resume=settings.resume, fingerprints=prints, keep=keep) as run:
        training.on_skip = Ledger(run.path / "ledger.jsonl").add
        training.on_scores = lambda step, scores: write_whole(_scores_path(run, step), table(scores))
        if settings.preflight and run.start is None and is_first_process():
            found = run_preflight(training.clips, training.plan, settings, device=_device(settings))
            write_json(run.path / PREFLIGHT, asdict(found))
            report(str(found))
        try:
            outcome = train(training, settings.engine(), run, quiet=quiet)
        except RuntimeError as error:
            if not is_out_of_memory(error) or training.current is None or training.current.batch is None:
                raise
            measured = _measured_before(run, _device(settings))
            raise out_of_memory(training.current.batch, measured, settings, passed=training.passed) from error
        return _finish(training, settings, run, outcome)


def fingerprint(path: Path, videos: Videos) -> str:
    """sha256 of a JSON's content, and of the names and lengths of the videos."""
    digest = hashlib.sha256()
    if path.is_file():
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    for video in range(len(videos)):
        digest.update(f"{videos.name(video)}\n{videos.num_frames(video)}\n".encode())
    return digest.hexdigest()


def _finish(training: Sam2Training, settings: Sam2Settings, run: RunFolder, outcome: Outcome) -> Trained:
    kept: Checkpoint | None = (run.checkpoints.best() or run.checkpoints.newest()) if outcome.finished else None
    if kept is None or not is_first_process():
        return Trained(run.path, outcome, None, dict(outcome.metrics), None, None, is_first_process())
    folder = run.path / "weights" / kept.path.name
    if not folder.exists():
        training.clips.load_state_dict(kept.load()["model"])
        yaml = None if settings.model.config_path is None else Path(settings.model.config_path)
        publish_weights(training.clips.model, folder, config_path=yaml)
    scores = _scores_path(run, kept.step)
    metrics = kept.record.metrics or outcome.metrics
    return Trained(run.path, outcome, kept.step, dict(metrics), folder, scores if scores.exists() else None)


def _measured_before(run: RunFolder, device: torch.device) -> Preflight | None:
    """What the preflight of this run found, now or before it went on, with the memory that there is here."""
    path = run.path / PREFLIGHT
    return replace(read_json(path, Preflight), available=available_memory(device)) if path.is_file() else None


def _scores_path(run: RunFolder, step: int) -> Path:
    return run.path / "validation" / f"step-{step:08d}.csv"


def _device(settings: Sam2Settings) -> torch.device:
    if settings.trainer.accelerator == "cpu" or not torch.cuda.is_available():
        if settings.trainer.accelerator == "gpu":
            raise InputError("trainer.accelerator=gpu: torch sees no GPU. Use trainer.accelerator=cpu, or install torch with CUDA.")
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
