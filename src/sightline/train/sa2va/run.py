"""One training of Sa2VA from its configuration to its weights.

RUN/ ...                                  what every run has (`train.folder`)
RUN/parts.json                            which parts are trained, how, and of how many parameters
RUN/ledger.jsonl                          conversations that were left out (data.on_missing=skip)
RUN/evaluation/, RUN/samples.jsonl        `evaluation`
RUN/weights/step-00000500/                a checkpoint as published, of the best step, or of the last where nothing is evaluated
"""

from collections.abc import Callable
from pathlib import Path

from sightline.files import write_json
from sightline.models.checkpoint import open_checkpoint
from sightline.models.sa2va.checkpoint import write_sa2va
from sightline.train.checkpoints import Checkpoint
from sightline.train.config.compose import Composed
from sightline.train.config.typed import typed
from sightline.train.folder import RunFolder, is_first_process, open_run
from sightline.train.ledger import Ledger
from sightline.train.loop import Outcome, train
from sightline.train.sa2va.building import rows_of
from sightline.train.sa2va.evaluation import HeldOut
from sightline.train.sa2va.module import Sa2VaTraining
from sightline.train.sa2va.settings import Sa2VaTrainSettings
from sightline.train.sa2va.sources import open_sources
from sightline.train.vlm.evaluation import held_tasksets
from sightline.train.vlm.run import Trained

Report = Callable[[str], None]


def train_sa2va(composed: Composed, *, quiet: bool = False, report: Report = lambda _: None) -> Trained:
    """Train as configured, or go on with a run, and write the weights.

    Args:
        report: is given lines for people before the first step.

    Raises:
        FileNotFoundError, InputError: a setting, the checkpoint or a conversation cannot be used.
        OSError: the disk is full, for example; checkpoints so far are intact.
    """
    settings = typed(composed.values, Sa2VaTrainSettings, where=composed.where)
    held_tasksets(settings.validation.tasksets)  # a name that is wrong is told before a folder is made that holds the settings
    sources = open_sources(settings.data, report=report)
    prints = {f"data.{each.source.name}": each.source.fingerprint for each in sources}
    for name, folder in (("model", settings.model.path), ("sam2", settings.model.grounding.sam2_path)):
        if folder is not None:
            prints[name] = open_checkpoint(Path(folder), processor=False).revision()
    with open_run(composed, settings.run, resume=settings.resume, fingerprints=prints, keep=settings.checkpoints.keep) as run:
        held = HeldOut(settings, run.path) if settings.validation.tasksets else None
        training = Sa2VaTraining(settings, sources, held=held, on_skip=Ledger(run.path / "ledger.jsonl").add)
        if is_first_process():
            _tell(training, run, report)
        outcome = train(training, settings.engine(), run, quiet=quiet)
        return _finish(training, run, outcome)


def _tell(training: Sa2VaTraining, run: RunFolder, report: Report) -> None:
    settings = training.settings
    shown = settings.trainer.max_steps * settings.trainer.accumulate * settings.data.batch_size
    report(f"mode {settings.mode.name}: {shown:,} conversations in all")
    for each in training.plan.sources:
        unit = "pictures or clips with masks" if each.source.kind == "masks" else "conversations without masks"
        report(f"source {each.source.name!r}: {len(each.source):,} {unit}, weight {each.weight:g}")
    rows = rows_of(training.model, settings.model, settings.rates)
    for row in rows:
        told = f"{row['num_trained']:,} of {row['num_parameters']:,} parameters are trained"
        report(f"{row['name']}: {row['how']}, rate {row['lr']:g}, {told}")
    write_json(run.path / "parts.json", rows)


def _finish(training: Sa2VaTraining, run: RunFolder, outcome: Outcome) -> Trained:
    kept: Checkpoint | None = (run.checkpoints.best() or run.checkpoints.newest()) if outcome.finished else None
    if kept is None or not is_first_process():
        return Trained(run.path, outcome, None, dict(outcome.metrics), None)
    folder = run.path / "weights" / kept.path.name
    if not folder.exists():
        training.model.load_state_dict(kept.load()["model"])
        write_sa2va(training.plain(), folder, source=Path(training.settings.model.path))
    return Trained(run.path, outcome, kept.step, dict(kept.record.metrics or outcome.metrics), folder)
