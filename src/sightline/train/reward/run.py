"""One training by rewards from its configuration to its weights.

RUN/ ...                                  what every run has (`train.folder`)
RUN/parts.json                            which parts are trained, how, and of how many parameters
RUN/answers.jsonl                         answers that were drawn, with rewards and advantages (`rounds`)
RUN/evaluation/, RUN/samples.jsonl        `train.vlm.evaluation`
RUN/weights/step-00000500/                the weights of the best step, or of the last where nothing is evaluated
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from sightline.files import write_json
from sightline.train.checkpoints import Checkpoint
from sightline.train.config.compose import Composed
from sightline.train.config.typed import typed
from sightline.train.folder import RunFolder, is_first_process, open_run
from sightline.train.loop import Outcome, train
from sightline.train.reward.module import RewardTask, RewardTraining
from sightline.train.reward.prompts import Prompts
from sightline.train.reward.rounds import Judge, Round
from sightline.train.reward.sampling import TokenSampler
from sightline.train.reward.settings import RewardSettings
from sightline.train.vlm.chat import open_chat
from sightline.train.vlm.evaluation import Held, held_tasksets
from sightline.train.vlm.export import export_weights
from sightline.train.vlm.parts import part_table
from sightline.train.vlm.prepare import Report
from sightline.train.vlm.run import Trained


def train_reward(composed: Composed, *, quiet: bool = False, report: Report = lambda _: None) -> Trained:
    """Train as configured, or go on with a run, and write the weights.

    Args:
        report: is given lines for people before the first step.

    Raises:
        FileNotFoundError, InputError: a setting, the checkpoint, a task set or an example cannot be used.
        OSError: the disk is full, for example; checkpoints so far are intact.
    """
    settings = typed(composed.values, RewardSettings, where=composed.where)
    held_tasksets(settings.validation.tasksets)  # a name that is wrong is told before a folder is made that holds the settings
    task = open_task(settings)
    prints = task.prompts.fingerprints() | {"model": task.chat.checkpoint.revision()}
    with open_run(composed, settings.run, resume=settings.resume, fingerprints=prints, keep=settings.checkpoints.keep) as run:
        held = Held(settings.vlm, run.path) if settings.validation.tasksets else None
        training = RewardTraining(settings, task, held=held)
        if is_first_process():
            training.on_round = _writes_answers(training, run)
            _tell(training, run, report)
        outcome = train(training, settings.engine(), run, quiet=quiet)
        return _finish(training, run, outcome)


def open_task(settings: RewardSettings) -> RewardTask:
    """What is trained on, without weights.

    Raises:
        FileNotFoundError, InputError: the checkpoint or a task set cannot be used; the message says why.
    """
    chat = open_chat(Path(settings.model.path), settings.model.options, view=settings.vlm.view)
    sampler = TokenSampler(settings, chat.checkpoint)
    prompts = Prompts(settings.data, chat.dialect, seed=settings.seed)
    judge = Judge(chat.checkpoint.asked(settings.model.options), settings.rewards, settings.loss.scale)
    return RewardTask(chat, prompts, sampler, judge)


def _tell(training: RewardTraining, run: RunFolder, report: Report) -> None:
    settings = training.settings
    rounds = -(-settings.trainer.max_steps // settings.loss.inner_epochs)
    asked, size = settings.data.groups_per_step, settings.sampling.group_size
    report(f"{len(training.task.prompts):,} questions; {rounds:,} rounds of {asked} questions with {size} answers each")
    rows = part_table(training.model, settings.model.parts.named(), lr=settings.rates.lr)
    for row in rows:
        report(f"{row.name}: {row.how}, rate {row.lr:g}, {row.num_trained:,} of {row.num_parameters:,} parameters are trained")
    write_json(run.path / "parts.json", [asdict(row) for row in rows])


def _writes_answers(training: RewardTraining, run: RunFolder) -> Callable[[Round, int], None]:
    """Writes down answers of the updates that are logged; of a round that several updates learn from, at its first."""
    settings = training.settings

    def write(made: Round, update: int) -> None:
        step = update + 1
        passes = range(step, step + settings.loss.inner_epochs)
        if made.prompts[0].place == 0 and any(each == 1 or each % settings.trainer.log_every == 0 for each in passes):
            training.task.judge.write(made, run.path, step=step, limit=settings.num_shown)

    return write


def _finish(training: RewardTraining, run: RunFolder, outcome: Outcome) -> Trained:
    kept: Checkpoint | None = (run.checkpoints.best() or run.checkpoints.newest()) if outcome.finished else None
    if kept is None or not is_first_process():
        return Trained(run.path, outcome, None, dict(outcome.metrics), None)
    folder = run.path / "weights" / kept.path.name
    if not folder.exists():
        training.policy.load_state_dict(kept.load()["model"])
        export_weights(training.model, training.task.chat, folder)
    return Trained(run.path, outcome, kept.step, dict(kept.record.metrics or outcome.metrics), folder)
