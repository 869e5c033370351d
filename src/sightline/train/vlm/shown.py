"""What a run writes down for people to look at, one JSON line each. It is small, and reading it needs no torch.

RUN/samples.jsonl      some answers of each evaluation
RUN/batches.jsonl      samples of the first batch of each stage, with what is to be learnt of each

    {"step": 200, "taskset": "t1_multi-validation", "id": "..", "said": "[(0.4, 0.7)]", "truth": "[(0.42, 0.71)]", "correct": true}
    {"step": 1, "stage": "all", "samples": [{"id": "..", "source": "rooms", "stretches": [{"text": "..", "supervised": true}]}]}
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from sightline.errors import InputError
from sightline.files import write_whole

SAMPLES, BATCHES = "samples.jsonl", "batches.jsonl"


class Shown(msgspec.Struct, frozen=True):
    """One line of `samples.jsonl`."""

    step: int
    taskset: str
    id: str
    said: str
    truth: str
    correct: bool


@dataclass(frozen=True)
class Stretch:
    """A piece of a sample's text. `supervised`: the model is to write it. Runs of the media token are told as `<token x 64>`."""

    text: str
    supervised: bool


@dataclass(frozen=True)
class DecodedSample:
    """One sample of a batch: its numbers, and its text in stretches."""

    id: str
    source: str
    num_pictures: int
    num_depths: int
    num_tokens: int
    num_supervised: int
    stretches: tuple[Stretch, ...]


class DecodedBatch(msgspec.Struct, frozen=True):
    """One line of `batches.jsonl`: samples of the first process's batch of update `step`."""

    step: int
    stage: str
    samples: tuple[DecodedSample, ...]


Line = TypeVar("Line", Shown, DecodedBatch)


def keep(path: Path, lines: Sequence[Line], *, step: int) -> None:
    """Add the lines of a step. Older lines of it and of later steps go: the run may have gone back to an earlier checkpoint."""
    before = read_lines(path, type(lines[0])) if lines and path.exists() else []
    kept = [line for line in before if line.step < step]
    write_whole(path, b"".join(msgspec.json.encode(line) + b"\n" for line in (*kept, *lines)))


def read_lines(path: Path, kind: type[Line]) -> list[Line]:
    """All lines of a file.

    Raises:
        InputError: a line that is none; the message names file and line.
    """
    decoder = msgspec.json.Decoder(kind)
    lines = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            lines.append(decoder.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}, line {number}: {error}. Delete the line, or the file: it is only for looking at.") from error
    return lines
