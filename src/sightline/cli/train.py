"""`sightline train`: one run, or a sweep of them, from a configuration and KEY=VALUE overrides."""

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, plain, print_table, say
from sightline.errors import InputError

if TYPE_CHECKING:
    from sightline.train.sam2.run import Trained

CONF = Path(__file__).parents[1] / "conf"

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
    from sightline.train.config.compose import compose  # noqa: PLC0415

    given = overrides or []
    if multirun:
        _sweep("sam2", given, config_name=config_name, config_dir=config_dir, show_config=show_config)
        return
    composed = compose("sam2", given, config_name=config_name, config_dir=config_dir)
    if show_config:
        print(composed.text, end="")
        return
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin make steps many times slower beside other processes
    from sightline.train.sam2.run import train_sam2 as train  # noqa: PLC0415

    trained = train(composed, quiet=json, report=lambda line: None if json else say(line))
    if trained.first_process:
        emit(plain_of(trained), as_json=json, text=lambda: _print(trained))


def plain_of(trained: "Trained") -> dict[str, object]:
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
    told = ", ".join(f"{name} {100 * value:.1f} %" for name, value in trained.metrics.items())
    print(f"{trained.outcome.reason} after step {trained.outcome.step}{': ' if told else ''}{told}")
    if trained.weights is not None:
        print(f"weights: {trained.weights.resolve()}")
    print(f"run: {trained.run.resolve()}")


def _sweep(family: str, overrides: list[str], *, config_name: str, config_dir: Path | None, show_config: bool) -> None:
    """Each combination in a process of its own. All settings are composed before the first run starts."""
    from sightline.train.config.compose import compose  # noqa: PLC0415
    from sightline.train.config.sweep import expand  # noqa: PLC0415
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
        command = [sys.executable, "-m", "sightline", "train", family, *options, *own, f"run.dir={folder}"]
        if subprocess.run(command, check=False).returncode:
            failed.append(folder)
    if failed:
        raise InputError(f"{len(failed)} of {len(runs)} runs failed: {', '.join(failed)}. What they said stands above.")
