"""`sightline train`: one run, or a sweep of them, from a configuration and KEY=VALUE overrides."""

import csv
import functools
import importlib.util
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, plain, print_table, progress, say
from sightline.cli.option_groups import Command, takes
from sightline.cli.sweep import sweep
from sightline.errors import InputError

if TYPE_CHECKING:
    from sightline.train.config.compose import Composed
    from sightline.train.sam2.run import Trained
    from sightline.train.vlm.run import Trained as TrainedVlm

CONF = Path(__file__).parents[1] / "conf"
TRAINING = ("torch", "transformers", "lightning")

train_app = typer.Typer(
    no_args_is_help=True, help="Train a model: settings from YAML, changed by KEY=VALUE.", rich_markup_mode=None
)
app.add_typer(train_app, name="train")

Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changed settings, for example trainer.max_steps=2000.")
]
ConfigName = Annotated[str, typer.Option("--config-name", help="The configuration to start from.")]
ConfigDir = Annotated[
    Path | None, typer.Option("--config-dir", help="A folder of your own configurations, looked into before ours.")
]
Multirun = Annotated[bool, typer.Option("--multirun", "-m", help="KEY=A,B runs each combination, one after the other.")]
ShowConfig = Annotated[bool, typer.Option("--show-config", help="Print the resolved settings and train nothing.")]


def _listed(family: str) -> str:
    """The configurations of a family with what their first line says."""
    lines = []
    for path in sorted((CONF / family).glob("*.yaml")):
        first = path.read_text("utf-8").partition("\n")[0].removeprefix("#").strip()
        lines.append(f"{path.stem}: {first}")
    return "\n\n".join(lines)


def _trains(family: str) -> Callable[[Command], Command]:
    """A function of the resolved settings, `composed`, as the command `train FAMILY`. It is not called where the settings were a
    sweep's, each run of which is a command of its own, or where they were only to be shown."""

    def settings(
        *,
        overrides: Overrides = None,
        config_name: ConfigName = "config",
        config_dir: ConfigDir = None,
        multirun: Multirun = False,
        show_config: ShowConfig = False,
    ) -> "Composed | None":
        given = overrides or []
        return _composed(family, given, config_name=config_name, config_dir=config_dir, multirun=multirun, show_config=show_config)

    def register(command: Command) -> Command:
        @functools.wraps(command)
        def train(*, composed: "Composed | None", **others: Any) -> None:  # noqa: ANN401 - as the command takes them
            if composed is not None:
                command(composed=composed, **others)

        named = train_app.command(family, epilog=f"Configurations (--config-name):\n\n{_listed(family)}")
        named(takes("composed", settings)(train))
        return command

    return register


@_trains("sam2")
def train_sam2(*, composed: "Composed", json: Json = False) -> None:
    """Train SAM 2 on videos with masks: a COCO-style video JSON, or any data set of clips; J&F of held-out videos on the way.

    Stopped runs go on with resume=last. docs/train-sam2.md explains every setting.
    """
    from sightline.train.sam2.run import train_sam2 as train  # noqa: PLC0415

    trained = train(composed, quiet=json, report=lambda line: None if json else say(line))
    if trained.first_process:
        emit(plain_of(trained), as_json=json, text=lambda: _print(trained))


@_trains("vlm")
def train_vlm(*, composed: "Composed", json: Json = False) -> None:
    """Fine-tune a vision-language model on task sets or files of conversations; held-out task sets are asked on the way.

    Stopped runs go on with resume=last. docs/train-vlm.md explains every setting.
    """
    from sightline.train.folder import is_first_process  # noqa: PLC0415
    from sightline.train.vlm.run import train_vlm as train  # noqa: PLC0415

    quiet = json or not is_first_process()
    with progress(quiet=quiet) as bar:
        _end(train(composed, quiet=quiet, progress=bar, report=lambda line: None if quiet else say(line)), json=json)


@_trains("sa2va")
def train_sa2va(*, composed: "Composed", json: Json = False) -> None:
    """Train Sa2VA on task sets of masks, with conversations beside them; held-out task sets are asked on the way.

    Stopped runs go on with resume=last. docs/sa2va.md explains every setting.
    """
    from sightline.train.folder import is_first_process  # noqa: PLC0415
    from sightline.train.sa2va.run import train_sa2va as train  # noqa: PLC0415

    quiet = json or not is_first_process()
    _end(train(composed, quiet=quiet, report=lambda line: None if quiet else say(line)), json=json)


@_trains("reward")
def train_reward(*, composed: "Composed", json: Json = False) -> None:
    """Fine-tune a vision-language model by the scores of its own answers to task sets of points, boxes or given words.

    Stopped runs go on with resume=last. docs/train-reward.md explains every setting.
    """
    from sightline.train.folder import is_first_process  # noqa: PLC0415
    from sightline.train.reward.run import train_reward as train  # noqa: PLC0415

    quiet = json or not is_first_process()
    _end(train(composed, quiet=quiet, report=lambda line: None if quiet else say(line)), json=json)


def _composed(
    family: str, given: list[str], *, config_name: str, config_dir: Path | None, multirun: bool, show_config: bool
) -> "Composed | None":
    """The settings to train with; None where that was a sweep, which has run, or where they were only to be shown."""
    _require("hydra")
    from sightline.train.config.compose import compose  # noqa: PLC0415

    if multirun:
        sweep(family, given, config_name=config_name, config_dir=config_dir, show_config=show_config)
        return None
    composed = compose(family, given, config_name=config_name, config_dir=config_dir)
    if show_config:
        print(composed.text, end="")
        return None
    _require(*TRAINING)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin make steps many times slower beside other processes
    return composed


def _end(trained: "TrainedVlm", *, json: bool) -> None:
    """Tell how a training ended, once however many processes it had."""
    from sightline.train.folder import is_first_process  # noqa: PLC0415

    if is_first_process():
        emit(plain_of(trained), as_json=json, text=lambda: _print_end(trained))


def plain_of(trained: "Trained | TrainedVlm") -> dict[str, object]:
    """How a training ended, as plain values."""
    return {
        "run": str(trained.run),
        "step": trained.outcome.step,
        "finished": trained.outcome.finished,
        "reason": trained.outcome.reason,
        "kept_step": trained.kept_step,
        "metrics": plain(trained.metrics),
        "weights": None if trained.weights is None else str(trained.weights),
    }


def _print(trained: "Trained") -> None:
    if trained.scores is not None:
        with trained.scores.open(newline="") as file:
            header, *rows = csv.reader(file)
        percent = [[*row[:2], *(f"{100 * float(value):.1f}" for value in row[2:-1]), row[-1]] for row in rows]
        print_table(f"held-out objects after step {trained.kept_step}, in %", header, percent)
    _print_end(trained)
    if trained.weights is not None and not trained.metrics:
        print(
            f"nothing was evaluated (data.val_path, evaluation.every): these are the weights of the last step, {trained.kept_step}"
        )


def _print_end(trained: "Trained | TrainedVlm") -> None:
    means = {name: value for name, value in trained.metrics.items() if "/" not in name}
    told = ", ".join(f"{name} {_told(name, value)}" for name, value in means.items())
    print(f"{trained.outcome.reason} after step {trained.outcome.step}{': ' if told else ''}{told}")
    _print_by_taskset(trained.metrics)
    if trained.weights is not None:
        print(f"weights: {trained.weights.resolve()}")
    print(f"run: {trained.run.resolve()}")
    print(f"to look at it: sightline report {trained.run} --out {trained.run / 'report'}")


def _print_by_taskset(metrics: Mapping[str, float]) -> None:
    """The numbers called TASKSET/METRIC, a row for each task set."""
    of_sets: dict[str, dict[str, str]] = {}
    for name, value in metrics.items():
        taskset, slash, metric = name.rpartition("/")
        if slash:
            of_sets.setdefault(taskset, {})[metric] = _told(metric, value)
    names = list(dict.fromkeys(metric for each in of_sets.values() for metric in each))
    rows = [[taskset, *(each.get(name, "–") for name in names)] for taskset, each in of_sets.items()]
    if rows:
        print_table("held-out task sets", ["task set", *names], rows)


def _told(name: str, value: float) -> str:
    from sightline.evaluate.table import is_share  # noqa: PLC0415

    return f"{100 * value:.1f} %" if is_share(name) else f"{value:.3f}"


def _require(*packages: str) -> None:
    if missing := [package for package in packages if importlib.util.find_spec(package) is None]:
        raise InputError(f"train needs {' and '.join(missing)}, not installed here. Run: pip install 'sightline[models,train]'.")
