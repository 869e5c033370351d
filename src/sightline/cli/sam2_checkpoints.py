"""Which checkpoints of SAM 2 are meant: folders and files, what a training ended with, or all runs of a sweep."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import InputError

RUN = "run.json"
WEIGHTS = "weights/step-*/sam2_video"  # as `train.sam2.publish` writes them


@dataclass(frozen=True)
class Found:
    """A transformers folder or original file, and what it is called; None: as the folder or file."""

    path: Path
    name: str | None = None


def find_checkpoints(given: Sequence[str]) -> list[Found]:
    """The checkpoints that each of `given` means, in order: `PATH` or `NAME=PATH`, where the path is a transformers folder, a
    `.pt`, a run of `train sam2` (the weights it ended with), or the folder of a sweep (all of its runs).

    Raises:
        InputError: none is given, a run has no weights, or one name is given to the several runs of a sweep.
    """
    found = [each for text in given for each in _meant(text)]
    if not found:
        raise InputError("model.checkpoint_path: expected one checkpoint at least, or several: A,B.")
    return found


def quoted(overrides: Sequence[str], key: str) -> list[str]:
    """The overrides, with `key=A,B` as a list of quoted texts: paths may hold what Hydra's grammar has other uses for."""
    return [_quoted(override) if override.startswith(f"{key}=") else override for override in overrides]


def _quoted(override: str) -> str:
    from sightline.train.config.sweep import hydra_text  # noqa: PLC0415

    key, _, value = override.partition("=")
    if not value or value[0] in "[\"'":
        return override
    return f"{key}=[{', '.join(hydra_text(part.strip()) for part in value.split(','))}]"


def _meant(text: str) -> list[Found]:
    name, path = _named(text)
    if path.is_file() or (path / "config.json").is_file():
        return [Found(path, name)]
    if (path / RUN).is_file():
        return [Found(_weights(path), name or _as_name(path))]
    runs = sorted((each.parent for each in path.glob(f"*/{RUN}")), key=_place)
    if len(runs) > 1 and name is not None:
        raise InputError(f"model.checkpoint_path: {text}: {path} holds {len(runs)} runs, which cannot all be called {name!r}.")
    return [Found(_weights(run), name or _as_name(run)) for run in runs] or [Found(path, name)]


def _named(text: str) -> tuple[str | None, Path]:
    """A path that is there is no name, whatever signs it has: folders may be called `lr=0.001`."""
    name, equals, rest = text.partition("=")
    whole = Path(text).expanduser()
    if not equals or whole.exists() or not re.fullmatch(r"\w[\w.+-]*", name):
        return None, whole
    return name, Path(rest).expanduser()


def _weights(run: Path) -> Path:
    """What the run ended with: a better step comes later, so the last one counts."""
    written = sorted(run.glob(WEIGHTS))
    if not written:
        raise InputError(
            f"{run}: a run without weights: it has not ended. Go on with it (resume=last), or name those to evaluate: "
            "model.checkpoint_path=RUN,RUN."
        )
    return written[-1]


def _place(run: Path) -> tuple[int, str]:
    """In the order of the sweep, whose folders begin with a number."""
    number = run.name.partition("_")[0]
    return int(number) if number.isdecimal() else 0, run.name


def _as_name(run: Path) -> str:
    """The folder's name in the signs that a model's name may have."""
    return re.sub(r"[^\w.+-]+", "-", run.resolve().name).strip("-.+") or "run"
