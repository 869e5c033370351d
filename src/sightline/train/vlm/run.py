"""One training of a vision-language model from its configuration to its weights.

RUN/ ...                                  what every run has (`train.folder`)
RUN/parts.json                            which parts are trained, how, and of how many parameters
RUN/left-out.jsonl                        samples that were left out of the plan (data.on_bad_sample=drop)
RUN/ledger.jsonl                          samples that were left out while training (data.on_missing=skip)
RUN/evaluation/, RUN/samples.jsonl        `evaluation`
RUN/batches.jsonl                         the first batch of each stage in words (`shown`)
RUN/weights/step-00000500/                the weights of the best step, or of the last where nothing is evaluated (`export`)
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from sightline.files import write_json
from sightline.train.checkpoints import Checkpoint
from sightline.train.config.compose import Composed
from sightline.train.config.typed import typed
from sightline.train.folder import RunFolder, is_first_process, open_run
from sightline.train.ledger import Ledger
from sightline.train.loop import Outcome, train
from sightline.train.vlm.check import decoded_samples
from sightline.train.vlm.evaluation import Held, held_tasksets
from sightline.train.vlm.export import export_weights
from sightline.train.vlm.lengths import Progress
from sightline.train.vlm.loading import Loaded
from sightline.train.vlm.module import VlmTraining
from sightline.train.vlm.parts import part_table
from sightline.train.vlm.prepare import Prepared, Report, prepare
from sightline.train.vlm.settings import VlmSettings
from sightline.train.vlm.shown import BATCHES, DecodedBatch, keep

NUM_DECODED = 8  # samples of a batch that are written down


@dataclass(frozen=True)
class Trained:
    """How a training ended. `weights` is the folder of the step that was kept, None where a signal stopped the run."""

    run: Path
    outcome: Outcome
    kept_step: int | None
    metrics: dict[str, float]
    weights: Path | None


def train_vlm(
    composed: Composed, *, quiet: bool = False, progress: Progress = lambda *_: None, report: Report = lambda _: None
) -> Trained:
    """Train as configured, or go on with a run, and write the weights.

    Args:
        progress: of counting tokens.
        report: is given lines for people before the first step.

    Raises:
        FileNotFoundError, InputError: a setting, the checkpoint or a sample cannot be used.
        OSError: the disk is full, for example; checkpoints so far are intact.
    """
    settings = typed(composed.values, VlmSettings, where=composed.where)
    held_tasksets(settings.validation.tasksets)  # a name that is wrong is told before a folder is made that holds the settings
    prepared = prepare(settings, progress=progress, report=report)
    prints = prepared.fingerprints() | {"model": prepared.chat.checkpoint.revision()}
    with open_run(composed, settings.run, resume=settings.resume, fingerprints=prints, keep=settings.checkpoints.keep) as run:
        held = Held(settings, run.path) if settings.validation.tasksets else None
        training = VlmTraining(settings, prepared, held=held, on_skip=Ledger(run.path / "ledger.jsonl").add)
        if is_first_process():
            training.on_batch = _writes_first_batches(training, run)
            _tell(training, run, report)
        outcome = train(training, settings.engine(), run, quiet=quiet)
        return _finish(training, run, outcome)


def plan_lines(prepared: Prepared) -> list[str]:
    """The plan in words: each stage with its steps, then what each source gives."""
    training = prepared.training
    plan = training.plan
    lines = []
    for number, name in enumerate(plan.stage_names):
        first, end = plan.first_steps[number : number + 2].tolist()
        rows = slice(first * plan.batching.rows_per_step, end * plan.batching.rows_per_step)
        samples = int(plan.starts[rows.stop] - plan.starts[rows.start])
        lines.append(f"stage {name!r}: steps {first + 1} to {end}, {samples:,} samples, {int(plan.tokens[rows].sum()):,} tokens")
    for source, counts in zip(training.sources, training.counts, strict=True):
        lines.append(f"source {source.name!r}: {len(source):,} samples, the longest of {int(counts.tokens.max()):,} tokens")
    if training.admitted.dropped:
        lines.append(f"{len(training.admitted.dropped):,} samples are left out; left-out.jsonl lists them")
    lines.append(f"rows are {plan.batching.mode}: {plan.fill():.1%} of the tokens are no padding")
    return lines


def _tell(training: VlmTraining, run: RunFolder, report: Report) -> None:
    for line in plan_lines(training.prepared):
        report(line)
    settings = training.settings
    rows = part_table(training.model, settings.model.parts.named(), lr=settings.rates.lr)
    for row in rows:
        report(f"{row.name}: {row.how}, rate {row.lr:g}, {row.num_trained:,} of {row.num_parameters:,} parameters are trained")
    write_json(run.path / "parts.json", [asdict(row) for row in rows])
    if training.prepared.training.admitted.dropped:
        training.prepared.training.admitted.write_ledger(run.path / "left-out.jsonl")


def _writes_first_batches(training: VlmTraining, run: RunFolder) -> Callable[[Loaded], None]:
    """Writes down the batch with which a stage begins; all others pass."""
    plan, accumulate = training.prepared.training.plan, training.settings.trainer.accumulate
    first = {step * accumulate: step for step in plan.first_steps.tolist()}

    def write(loaded: Loaded) -> None:
        if loaded.number in first and loaded.batch is not None:
            step, stage = first[loaded.number] + 1, plan.stage_names[loaded.stage]
            samples = decoded_samples(loaded.batch, training.prepared, limit=NUM_DECODED)
            keep(run.path / BATCHES, [DecodedBatch(step=step, stage=stage, samples=samples)], step=step)

    return write


def _finish(training: VlmTraining, run: RunFolder, outcome: Outcome) -> Trained:
    kept: Checkpoint | None = (run.checkpoints.best() or run.checkpoints.newest()) if outcome.finished else None
    if kept is None or not is_first_process():
        return Trained(run.path, outcome, None, dict(outcome.metrics), None)
    folder = run.path / "weights" / kept.path.name
    if not folder.exists():
        export_weights(training.undivided(kept.load()["model"]), training.prepared.chat, folder)
    return Trained(run.path, outcome, kept.step, dict(kept.record.metrics or outcome.metrics), folder)
