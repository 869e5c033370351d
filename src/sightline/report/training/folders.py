"""Which of the folders that a report is asked for are trainings, and not runs of answers.

A training's folder holds `config.yaml` beside its `run.json` (`train.folder`); a folder of several is a sweep.
"""

from collections.abc import Sequence
from pathlib import Path

from sightline.errors import InputError

RUN, CONFIG = "run.json", "config.yaml"


def training_folders(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The folders of the trainings among `paths`, a sweep as its runs in the order of their numbers; none where no path is one.

    Raises:
        InputError: trainings and runs of answers together.
    """
    found = [_trainings(path) for path in paths]
    if any(found) and not all(found):
        training, other = paths[[bool(each) for each in found].index(True)], paths[found.index(())]
        raise InputError(f"{training} is a training, {other} is not: one report shows trainings or scored runs. Give one kind.")
    return tuple(folder for each in found for folder in each)


def _trainings(path: Path) -> tuple[Path, ...]:
    if _is_training(path):
        return (path,)
    if not path.is_dir() or (path / RUN).exists():
        return ()
    return tuple(sorted((each for each in path.iterdir() if _is_training(each)), key=_order))


def _is_training(path: Path) -> bool:
    return (path / RUN).is_file() and (path / CONFIG).is_file()


def _order(path: Path) -> tuple[int, str]:
    """A sweep's folders begin with their number: `10_lr-1e-3` comes after `9_lr-1e-4`."""
    number = path.name.partition("_")[0]
    return (int(number) if number.isdecimal() else 2**31, path.name)
