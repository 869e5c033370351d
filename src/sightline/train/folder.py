"""The folder of a run: chosen, held against other processes, and told apart from runs of other data or settings.

    RUN/config.yaml        the resolved configuration
    RUN/run.json           its digest, fingerprints of the data, versions, git commit, when it was started and resumed
    RUN/train.log          what happened
    RUN/metrics.csv        numbers by step
    RUN/checkpoints/       see `train.checkpoints`
    RUN/.lock              who writes now; the hold ends with the process, however it ends

A folder that holds a run is only written again with `resume`. Settings that change what is learnt must then be as before.
"""

import contextlib
import fcntl
import json
import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import yaml

from sightline.errors import InputError
from sightline.files import read_json, write_json, write_whole
from sightline.train.checkpoints import Checkpoint, Checkpoints, read_checkpoint
from sightline.train.config.compose import Composed, flatten
from sightline.train.metrics import METRICS
from sightline.train.settings import RunSettings
from sightline.train.versions import git_commit, versions

CONFIG, RUN = "config.yaml", "run.json"
MAX_CONFIG_BYTES = 2**22
HANDED_ON = "SIGHTLINE_RUN_DIR"  # to the processes that Lightning starts: they must not choose a folder of their own
MAY_CHANGE = (
    "resume", "run", "logger", "trainer.devices", "trainer.num_nodes", "trainer.accelerator", "trainer.max_steps",
    "trainer.log_every", "checkpoints", "preflight", "data.on_bad_clip",
)  # fmt: skip
LEAVES_THAT_MAY_CHANGE = ("num_workers",)


class Resumption(msgspec.Struct, frozen=True):
    """One time a run went on: when, after how many updates, and which settings had changed since."""

    at: str
    step: int
    changed: tuple[str, ...] = ()


class RunRecord(msgspec.Struct, frozen=True):
    """The content of `run.json`."""

    family: str
    config: str
    overrides: tuple[str, ...]
    config_digest: str
    fingerprints: dict[str, str]
    started: str
    versions: dict[str, str]
    git: str | None = None
    resumed: tuple[Resumption, ...] = ()


@dataclass(frozen=True)
class RunFolder:
    """A run that this process may write. `start` is the checkpoint it goes on from, None at the beginning."""

    path: Path
    checkpoints: Checkpoints
    start: Checkpoint | None


@contextmanager
def open_run(
    composed: Composed,
    settings: RunSettings,
    *,
    resume: str | None = None,
    fingerprints: Mapping[str, str] | None = None,
    keep: int = 2,
) -> Iterator[RunFolder]:
    """Hold the run's folder, a new one or, with `resume`, an old one.

    With several processes the first one holds it; those that Lightning starts get it from there.

    Args:
        composed: the configuration; it is written to `config.yaml`, and on resuming must be what stands there.
        resume: None: a new folder. "last": the newest checkpoint of `settings.dir`, or of the newest run under `settings.root`; a
            folder without one starts at the beginning. A path: of a run, or of one of its checkpoints, which must be the newest.
        fingerprints: what else must not change between resumptions, for example {"data.train": "<sha256>"}.
        keep: how many checkpoints stay.

    Raises:
        InputError: the folder holds a run and `resume` is None; another process holds it; there is nothing to resume; settings or
            fingerprints differ from those it was started with (all differences are named).
    """
    if not is_first_process():
        yield _given_folder(settings, resume, keep)
        return
    path = _chosen(composed.family, settings, resume)
    with _held(path):
        checkpoints = Checkpoints(path / "checkpoints", keep=keep)
        if checkpoints.folder.is_dir():
            checkpoints.clean()
        start = _start(path, checkpoints, resume)
        _record(path, composed, dict(fingerprints or {}), start)
        os.environ[HANDED_ON] = str(path)
        try:
            yield RunFolder(path, checkpoints, start)
        finally:
            os.environ.pop(HANDED_ON, None)


def sweep_folders(settings: RunSettings, sweep: Sequence[Sequence[str]]) -> list[str]:
    """A folder for each combination of a sweep: `<root>/<date>/<time>/0_lr-1e-3`, ...; to be given as `run.dir=...`, so
    that no sign in them means anything in an override.

    Run each combination in a process of its own: where a run uses several devices, Lightning starts the command anew for each.
    """
    top = Path(settings.dir) if settings.dir is not None else _dated(settings)
    names = []
    for number, overrides in enumerate(sweep):
        varying = [each for place, each in enumerate(overrides) if len({other[place] for other in sweep}) > 1]
        words = ",".join(each.rpartition(".")[2] if "." in each.partition("=")[0] else each for each in varying)
        names.append(str(top / f"{number}_{re.sub(r'[^A-Za-z0-9.+-]+', '_', words.replace('=', '-'))[:80]}".rstrip("_")))
    return names


def is_first_process() -> bool:
    """Whether this is rank 0 of the run, as torchrun, SLURM or Lightning say it in the environment."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID"))


def _given_folder(settings: RunSettings, resume: str | None, keep: int) -> RunFolder:
    given = os.environ.get(HANDED_ON) or settings.dir
    if given is None:
        raise InputError("several processes that are started from outside (torchrun, srun) need one folder: give run.dir=...")
    path = Path(given)
    checkpoints = Checkpoints(path / "checkpoints", keep=keep)
    return RunFolder(path, checkpoints, None if resume is None else checkpoints.newest())


def _chosen(family: str, settings: RunSettings, resume: str | None) -> Path:
    if resume is None:
        path = Path(settings.dir) if settings.dir is not None else _dated(settings)
        if path.is_dir() and any(each.name != ".lock" for each in path.iterdir()):
            holds = "holds a run" if (path / RUN).exists() else "is not empty"
            raise InputError(f"{path} {holds}. Go on with it (resume=last), or choose another folder (run.dir=...).")
        return path
    path = _of_resume(family, settings, resume)
    if settings.dir is not None and path.resolve() != Path(settings.dir).resolve():
        raise InputError(
            f"resume={resume} is in {path}, but run.dir={settings.dir}. A run goes on in its own folder: leave out run.dir."
        )
    return path


def _of_resume(family: str, settings: RunSettings, resume: str) -> Path:
    if resume == "last":
        return Path(settings.dir) if settings.dir is not None else _newest_run(family, Path(settings.root))
    given = Path(resume)
    if read_checkpoint(given) is not None:
        return given.parent.parent
    if (given / RUN).is_file():
        return given
    raise InputError(f"resume={resume}: neither a run (a folder with {RUN}) nor a complete checkpoint. Give one, or resume=last.")


def _newest_run(family: str, root: Path) -> Path:
    records = [*root.glob(f"*/*/{RUN}"), *root.glob(f"*/*/*/{RUN}")]
    runs = [(record.started, path.parent) for path in records if (record := read_json(path, RunRecord)).family == family]
    if not runs:
        raise InputError(f"resume=last: no run of {family!r} under {root}. Give its folder (run.dir=...), or start without resume.")
    return max(runs)[1]


def _start(path: Path, checkpoints: Checkpoints, resume: str | None) -> Checkpoint | None:
    if resume is None:
        return None
    newest = checkpoints.newest()
    named = None if resume == "last" else read_checkpoint(Path(resume))
    if named is not None and newest is not None and named.step < newest.step:
        raise InputError(
            f"resume={resume}: {path} has a later checkpoint, {newest.path.name}. Delete the later ones to go on from this one, "
            "or use resume=last."
        )
    return newest


def _record(path: Path, composed: Composed, fingerprints: dict[str, str], start: Checkpoint | None) -> None:
    """Write `config.yaml` and `run.json`, or compare with those that are there. A run that failed before anything was learnt has
    nothing to keep equal, so it begins anew with the settings as they were mended."""
    now = datetime.now().astimezone().isoformat(timespec="microseconds")
    if (path / RUN).exists() and (start is not None or (path / METRICS).exists()):
        before = read_json(path / RUN, RunRecord)
        changed = _changes(path, composed, before, fingerprints)
        resumption = Resumption(at=now, step=start.step if start else 0, changed=tuple(changed))
        record = msgspec.structs.replace(before, config_digest=composed.digest, resumed=(*before.resumed, resumption))
    else:
        record = RunRecord(
            family=composed.family,
            config=composed.name,
            overrides=composed.overrides,
            config_digest=composed.digest,
            fingerprints=fingerprints,
            started=now,
            versions=versions(),
            git=git_commit(),
        )
    write_whole(path / CONFIG, composed.text.encode())
    write_json(path / RUN, record)


def _changes(path: Path, composed: Composed, before: RunRecord, fingerprints: dict[str, str]) -> list[str]:
    """What changed and may; all that may not is refused."""
    if before.family != composed.family:
        raise InputError(f"{path} holds a run of {before.family!r}, not of {composed.family!r}. Choose another folder.")
    old, new = dict(flatten(read_config(path / CONFIG))), dict(flatten(composed.values))
    differing = [key for key in dict.fromkeys((*old, *new)) if old.get(key) != new.get(key) or (key in old) != (key in new)]
    told = {key: f"{key}: was {_shown(old, key)}, now {_shown(new, key)}" for key in differing}
    refused = [told[key] for key in differing if not _may_change(key)]
    data = before.fingerprints
    refused += [
        f"{name}: its content is another (was {data.get(name)}, now {fingerprints.get(name)})"
        for name in dict.fromkeys((*data, *fingerprints))
        if data.get(name) != fingerprints.get(name)
    ]
    if refused:
        lines = "".join(f"\n  {each}" for each in refused)
        raise InputError(
            f"{path} cannot go on: {len(refused)} changed since it was started:{lines}\nUndo this, or start a new run."
        )
    return list(told.values())


def _may_change(key: str) -> bool:
    parents = {key, *(key[: match.start()] for match in re.finditer(r"\.", key))}
    return bool(parents & set(MAY_CHANGE)) or key.rpartition(".")[2] in LEAVES_THAT_MAY_CHANGE


def _shown(values: Mapping[str, object], key: str) -> str:
    return repr(values[key]) if key in values else "absent"


def read_config(path: Path) -> dict[str, object]:
    """The values of a run's `config.yaml`.

    Raises:
        InputError: too large, or no YAML of keys and values.
    """
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise InputError(f"{path}: more than {MAX_CONFIG_BYTES:,} bytes; this is no configuration of a run.")
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected keys and values.")
    return values


def _dated(settings: RunSettings) -> Path:
    """`<root>/<date>/<time>`, with a number behind the time where this is taken."""
    now = datetime.now().astimezone()
    path = Path(settings.root) / now.strftime("%Y-%m-%d") / now.strftime("%H-%M-%S")
    number = 1
    while path.exists():
        number += 1
        path = path.with_name(f"{now.strftime('%H-%M-%S')}-{number}")
    return path


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder by a record lock: it ends with this process, is not passed on to loader processes, and works over NFS."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            file.seek(0)
            raise InputError(
                f"{folder} is being written by another process ({_holder(file.read(500))}). Wait for it, or choose another folder."
            ) from None
        file.truncate(0)
        file.write(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _holder(text: str) -> str:
    with contextlib.suppress(msgspec.DecodeError, KeyError, TypeError):
        holder = msgspec.json.decode(text)
        return f"pid {holder['pid']} on {holder['host']}"
    return "unknown"
