"""`sightline train`: one run, or a sweep of them, from a configuration and KEY=VALUE overrides."""

import csv
import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, plain, print_table, progress, say
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


@train_app.command("sam2", epilog=f"Configurations (--config-name):\n\n{_listed('sam2')}")
def train_sam2(
    overrides: Overrides = None,
    *,
    config_name: ConfigName = "config",
    config_dir: ConfigDir = None,
    multirun: Multirun = False,
    show_config: ShowConfig = False,
    json: Json = False,
) -> None:
    """Train SAM 2 on videos with masks: a COCO-style video JSON, or any data set of clips; J&F of held-out videos on the way.

    Stopped runs go on with resume=last. docs/train-sam2.md explains every setting.
    """
    composed = _composed(
        "sam2", overrides or [], config_name=config_name, config_dir=config_dir, multirun=multirun, show_config=show_config
    )
    if composed is None:
        return
    from sightline.train.sam2.run import train_sam2 as train  # noqa: PLC0415

    trained = train(composed, quiet=json, report=lambda line: None if json else say(line))
    if trained.first_process:
        emit(plain_of(trained), as_json=json, text=lambda: _print(trained))


@train_app.command("vlm", epilog=f"Configurations (--config-name):\n\n{_listed('vlm')}")
def train_vlm(
    overrides: Overrides = None,
    *,
    config_name: ConfigName = "config",
    config_dir: ConfigDir = None,
    multirun: Multirun = False,
    show_config: ShowConfig = False,
    json: Json = False,
) -> None:
    """Fine-tune a vision-language model on task sets or files of conversations; held-out task sets are asked on the way.

    Stopped runs go on with resume=last. docs/train-vlm.md explains every setting.
    """
    composed = _composed(
        "vlm", overrides or [], config_name=config_name, config_dir=config_dir, multirun=multirun, show_config=show_config
    )
    if composed is None:
        return
    from sightline.train.folder import is_first_process  # noqa: PLC0415
    from sightline.train.vlm.run import train_vlm as train  # noqa: PLC0415

    quiet = json or not is_first_process()
    with progress(quiet=quiet) as bar:
        trained = train(composed, quiet=quiet, progress=bar, report=lambda line: None if quiet else say(line))
    if is_first_process():
        emit(plain_of(trained), as_json=json, text=lambda: _print_end(trained))


@train_app.command("sa2va", epilog=f"Configurations (--config-name):\n\n{_listed('sa2va')}")
def train_sa2va(
    overrides: Overrides = None,
    *,
    config_name: ConfigName = "config",
    config_dir: ConfigDir = None,
    multirun: Multirun = False,
    show_config: ShowConfig = False,
    json: Json = False,
) -> None:
    """Train Sa2VA on task sets of masks, with conversations beside them; held-out task sets are asked on the way.

    Stopped runs go on with resume=last. docs/sa2va.md explains every setting.
    """
    composed = _composed(
        "sa2va", overrides or [], config_name=config_name, config_dir=config_dir, multirun=multirun, show_config=show_config
    )
    if composed is None:
        return
    from sightline.train.folder import is_first_process  # noqa: PLC0415
    from sightline.train.sa2va.run import train_sa2va as train  # noqa: PLC0415

    quiet = json or not is_first_process()
    trained = train(composed, quiet=quiet, report=lambda line: None if quiet else say(line))
    if is_first_process():
        emit(plain_of(trained), as_json=json, text=lambda: _print_end(trained))


@train_app.command("reward", epilog=f"Configurations (--config-name):\n\n{_listed('reward')}")
def train_reward(
    overrides: Overrides = None,
    *,
    config_name: ConfigName = "config",
    config_dir: ConfigDir = None,
    multirun: Multirun = False,
    show_config: ShowConfig = False,
    json: Json = False,
) -> None:
    """Fine-tune a vision-language model by the scores of its own answers to task sets of points, boxes or given words.

    Stopped runs go on with resume=last. docs/train-reward.md explains every setting.
    """
    composed = _composed(
        "reward", overrides or [], config_name=config_name, config_dir=config_dir, multirun=multirun, show_config=show_config
    )
    if composed is None:
        return
    from sightline.train.folder import is_first_process  # noqa: PLC0415
    from sightline.train.reward.run import train_reward as train  # noqa: PLC0415

    quiet = json or not is_first_process()
    trained = train(composed, quiet=quiet, report=lambda line: None if quiet else say(line))
    if is_first_process():
        emit(plain_of(trained), as_json=json, text=lambda: _print_end(trained))


def _composed(
    family: str, given: list[str], *, config_name: str, config_dir: Path | None, multirun: bool, show_config: bool
) -> "Composed | None":
    """The settings to train with; None where that was a sweep, which has run, or where they were only to be shown."""
    _require("hydra")
    from sightline.train.config.compose import compose  # noqa: PLC0415

    if multirun:
        _sweep(family, given, config_name=config_name, config_dir=config_dir, show_config=show_config)
        return None
    composed = compose(family, given, config_name=config_name, config_dir=config_dir)
    if show_config:
        print(composed.text, end="")
        return None
    _require(*TRAINING)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin make steps many times slower beside other processes
    return composed


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


def _sweep(family: str, overrides: list[str], *, config_name: str, config_dir: Path | None, show_config: bool) -> None:
    """Each combination in a process of its own. All settings are composed before the first run starts.

    A run that fails does not stop the others; Ctrl-C stops the run, which saves itself, and the sweep.
    """
    from sightline.train.config.compose import compose  # noqa: PLC0415
    from sightline.train.config.sweep import expand, hydra_text  # noqa: PLC0415
    from sightline.train.config.typed import typed  # noqa: PLC0415
    from sightline.train.folder import sweep_folders  # noqa: PLC0415
    from sightline.train.settings import RunSettings  # noqa: PLC0415

    runs = expand(overrides)
    composed = [compose(family, each, config_name=config_name, config_dir=config_dir) for each in runs]
    folders = sweep_folders(typed(composed[0].values["run"], RunSettings), runs)
    options = ["--config-name", config_name, *(["--config-dir", str(config_dir)] if config_dir else [])]
    failed = []
    for number, (each, folder) in enumerate(zip(runs, folders, strict=True), start=1):
        say(f"run {number} of {len(runs)}: {' '.join(each)}")
        if show_config:
            print(f"# {folder}\n{composed[number - 1].text}")
            continue
        own = [override for override in each if not override.startswith("run.dir=")]
        command = [sys.executable, "-m", "sightline", "train", family, *options, *own, "run.dir=" + hydra_text(folder)]
        code, interrupted = waited(command)
        if interrupted:
            top = Path(folder).parent
            say(f"The sweep was stopped in run {number} of {len(runs)}: -m with run.dir={top} resume=last goes on with it.")
            raise KeyboardInterrupt
        if code:
            failed.append(folder)
    if not show_config:
        _compare([Path(folder) for folder in folders])
    if failed:
        raise InputError(f"{len(failed)} of {len(runs)} runs failed: {', '.join(failed)}. What they said stands above.")


def waited(command: Sequence[str]) -> tuple[int, bool]:
    """Run a command; its exit code, and whether Ctrl-C came. It has come to the command as well, which is left time to save."""
    interrupted = False
    with subprocess.Popen(command) as process:
        while True:
            try:
                return process.wait(), interrupted
            except KeyboardInterrupt:
                interrupted = True


def _compare(folders: list[Path]) -> None:
    """The runs of a sweep in one table, and as `comparison.csv` beside them."""
    from sightline.files import write_whole  # noqa: PLC0415
    from sightline.train.comparison import compare_runs, comparison_csv  # noqa: PLC0415

    lines = compare_runs(folders, [folder.name for folder in folders])
    path = folders[0].parent / "comparison.csv"
    write_whole(path, comparison_csv(lines))
    shown = [
        (each.varied, each.step, "–" if each.loss is None else f"{each.loss:.4g}", each.metric or "–")
        + (("–", "–") if each.best is None else (f"{each.best:.4g}", str(each.best_step)))
        for each in lines
    ]
    print_table(f"runs in {folders[0].parent}", ("run", "step", "loss", "metric", "best", "at step"), shown)
    print(f"comparison: {path.resolve()}")
    print(f"to look at them: sightline report {folders[0].parent} --out {folders[0].parent / 'report'}")
