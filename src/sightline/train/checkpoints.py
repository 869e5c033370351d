"""Checkpoints that are there whole or not at all.

    RUN/checkpoints/step-00000200/state.pt     what `torch.save` writes of a dict of tensors and plain values
    RUN/checkpoints/step-00000200/record.json  {"step": 200, "metrics": {...}, "parts": {"state.pt": {"bytes": ..., "sha256": ...}}}
    RUN/checkpoints/last.json                  {"checkpoint": "step-00000200"}
    RUN/checkpoints/best.json                  {"checkpoint": "step-00000100", "metric": "J&F", "value": 0.81}

A checkpoint is written into a hidden folder `.step-….partial`: the parts, then the record, each flushed to disk; then the folder
gets its name by one rename. What has no record that fits its parts is never read. Older ones go only after the new one is there;
the best one stays. A published checkpoint is never written again.
"""

import hashlib
import pickle
import re
import shutil
from collections.abc import Mapping
from io import BufferedWriter
from pathlib import Path
from typing import IO, Any, Literal, cast

import msgspec

from sightline.errors import InputError
from sightline.files import read_json, remove_temporaries, whole_folder, write_json

STATE = "state.pt"
RECORD = "record.json"
NAME = re.compile(r"step-(\d{8,})")
MAX_RECORD_BYTES = 2**20


class Part(msgspec.Struct, frozen=True):
    """One file of a checkpoint."""

    bytes: int
    sha256: str


class Record(msgspec.Struct, frozen=True):
    """What a checkpoint says of itself; it is written last."""

    step: int
    parts: dict[str, Part]
    metrics: dict[str, float] = {}


class Pointer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The content of `last.json` and `best.json`."""

    checkpoint: str
    metric: str | None = None
    value: float | None = None


class Checkpoint(msgspec.Struct, frozen=True):
    """A published checkpoint."""

    path: Path
    record: Record

    @property
    def step(self) -> int:
        """Updates that were made before it."""
        return self.record.step

    def load(self) -> dict[str, Any]:
        """The state, on the CPU. Read with torch's `weights_only`: nothing in it is executed.

        Raises:
            InputError: the file is not what the record says, or holds more than tensors and plain values.
        """
        import torch  # noqa: PLC0415

        path = self.path / STATE
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.record.parts[STATE].sha256:
            raise InputError(
                f"{path}: its content is not what {RECORD} says (sha256 {found}, expected {self.record.parts[STATE].sha256}): "
                "it was damaged after it was written. Delete this checkpoint's folder; `resume=last` then takes the one before."
            )
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError) as error:
            raise InputError(f"{path}: no state of a run: {error}") from error


class Checkpoints:
    """The checkpoints of one run. Only the holder of the run's folder may write.

    Args:
        folder: `RUN/checkpoints`; made by the first `publish`.
        keep: how many of the newest stay; the best stays beside them.
    """

    def __init__(self, folder: Path, *, keep: int = 2) -> None:
        self.folder = folder
        self.keep = keep

    def publish(self, step: int, state: Mapping[str, Any], *, metrics: Mapping[str, float] | None = None) -> Checkpoint:
        """Write a checkpoint and let `last` point to it. Older ones are left; `prune` deletes them.

        Args:
            step: updates that were made.
            state: tensors and plain values, nested in dicts and lists.
            metrics: numbers of the evaluation at this step, kept in the record.

        Raises:
            InputError: this step is published already.
            OSError: the disk is full, for example; the checkpoints before are as they were.
        """
        path = self.folder / f"step-{step:08d}"
        if path.exists():
            if read_checkpoint(path) is not None:
                raise InputError(f"{path} is there already. A checkpoint is never written again: delete it, or go on from it.")
            shutil.rmtree(path)
        with whole_folder(path) as partial:
            part = _write_state(partial / STATE, state)
            write_json(partial / RECORD, Record(step=step, parts={STATE: part}, metrics=dict(metrics or {})))
        checkpoint = _known(read_checkpoint(path))
        self.point("last", checkpoint)
        return checkpoint

    def point(self, name: Literal["last", "best"], to: Checkpoint, *, metric: str | None = None) -> None:
        """Let `last.json` or `best.json` name a checkpoint, with the metric by which it is the best."""
        value = None if metric is None else to.record.metrics[metric]
        write_json(self.folder / f"{name}.json", Pointer(to.path.name, metric=metric, value=value))

    def prune(self) -> None:
        """Delete all but the newest `keep` and the one that `best` points to."""
        best = self.best()
        for checkpoint in self.all()[: -self.keep]:
            if best is None or checkpoint.path != best.path:
                shutil.rmtree(checkpoint.path)

    def all(self) -> list[Checkpoint]:
        """Every complete checkpoint, the newest last."""
        found = [read_checkpoint(path) for path in self.folder.glob("step-*") if NAME.fullmatch(path.name)]
        return sorted((each for each in found if each is not None), key=lambda each: each.step)

    def newest(self) -> Checkpoint | None:
        """The complete checkpoint of the most steps, whatever `last.json` says: that file is for people and other programs."""
        return next(reversed(self.all()), None)

    def best(self) -> Checkpoint | None:
        """The checkpoint that `best.json` names; None where there is none."""
        path = self.folder / "best.json"
        if not path.exists():
            return None
        name = read_json(path, Pointer, max_bytes=MAX_RECORD_BYTES).checkpoint
        return read_checkpoint(self.folder / name) if NAME.fullmatch(name) else None

    def clean(self) -> None:
        """Delete what killed processes left half-written. Only for the holder of the run's folder."""
        for path in self.folder.glob(".step-*.partial"):
            shutil.rmtree(path)
        remove_temporaries(self.folder)


def read_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint in a folder; None where it is not complete: no record, an unreadable one, or parts of other sizes."""
    try:
        record = read_json(path / RECORD, Record, max_bytes=MAX_RECORD_BYTES)
    except (FileNotFoundError, NotADirectoryError, InputError):
        return None
    sizes = {name: (path / name).stat().st_size if (path / name).is_file() else -1 for name in record.parts}
    whole = STATE in sizes and all(sizes[name] == part.bytes for name, part in record.parts.items())
    return Checkpoint(path, record) if whole else None


class _Hashing:
    """A file that is hashed while it is written. torch turns an error of writing into its own; the first one is kept here."""

    def __init__(self, file: BufferedWriter) -> None:
        self.file = file
        self.sha256 = hashlib.sha256()
        self.error: OSError | None = None

    def write(self, content: bytes | memoryview) -> int:
        self.sha256.update(content)
        try:
            return self.file.write(content)
        except OSError as error:
            self.error = self.error or error
            raise

    def flush(self) -> None:
        self.file.flush()


def _write_state(path: Path, state: Mapping[str, Any]) -> Part:
    import torch  # noqa: PLC0415

    with path.open("xb") as file:
        hashing = _Hashing(file)
        try:
            torch.save(dict(state), cast("IO[bytes]", hashing))  # all that torch calls are write and flush
        except RuntimeError:
            if hashing.error is not None:
                raise hashing.error from None
            raise
        file.flush()
        size = file.tell()
    return Part(bytes=size, sha256=hashing.sha256.hexdigest())


def _known(checkpoint: Checkpoint | None) -> Checkpoint:
    assert checkpoint is not None, "it was published a moment ago"
    return checkpoint
