"""`sightline train -m`: the runs of a sweep, one after the other, each in a process of its own, and their comparison."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from sightline.cli.console import print_table, say
from sightline.errors import InputError
from sightline.train.signals import WATCHED


def sweep(family: str, overrides: list[str], *, config_name: str, config_dir: Path | None, show_config: bool) -> None:
    """Each combination in a process of its own. All settings are composed before the first run starts.

    A run that fails does not stop the others; Ctrl-C, SIGTERM or SIGUSR1 stops the run, which saves itself, and the sweep.
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
        code, stopped_by = waited(command)
        if stopped_by:
            top = Path(folder).parent
            say(f"The sweep was stopped in run {number} of {len(runs)}: -m with run.dir={top} resume=last goes on with it.")
            raise KeyboardInterrupt if stopped_by == signal.SIGINT else SystemExit(code)
        if code:
            failed.append(folder)
    if not show_config:
        _compare([Path(folder) for folder in folders])
    if failed:
        raise InputError(f"{len(failed)} of {len(runs)} runs failed: {', '.join(failed)}. What they said stands above.")


def waited(command: Sequence[str]) -> tuple[int, int | None]:
    """Run a command; its exit code, and the number of the signal that asked to stop, if one came.

    The command is told of each and left time to save. Ctrl-C a terminal gives to it as well; the others, of a batch system, come to
    this process alone and are passed on.
    """
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        if number != signal.SIGINT and process.poll() is None:
            process.send_signal(number)

    with subprocess.Popen(command) as process:
        before = {number: signal.signal(number, note) for number in WATCHED}
        try:
            return process.wait(), (came[0] if came else None)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


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
