"""Predictions on their way into `predictions.jsonl`, when answers do not come in the order of the questions.

`predictions.jsonl` only ever holds the first examples of the task set, in order. An answer that comes before its turn is written
at once to `waiting.jsonl` beside it (same lines, order of arrival) and copied when its turn has come; the file goes when nothing
waits any more. So a process that is killed loses what was in flight and no more, and a finished run does not show in which order
its answers came.

A question without an answer (`Failure`) is not written while the run goes on. At its end it becomes a prediction of status "error"
with the reason as its note. The next time the run is opened for predicting, those are taken out again and asked anew: what stands
behind the first of them is moved to `waiting.jsonl`.
"""

import os
import time
from collections.abc import Iterator, Sequence
from io import BufferedWriter
from pathlib import Path

import msgspec

from sightline.errors import InputError
from sightline.evaluate.run import PREDICTIONS, WAITING, count_predictions, cut_torn_line
from sightline.files import sync_path
from sightline.types import Prediction, Reading

SYNC_EVERY_S = 1.0
ERROR = b'"status":"error"'  # as the encoder writes it; inside a text the quotes are escaped
_DECODER = msgspec.json.Decoder(Prediction)


class Journal:
    """The open prediction files of one run. `ids` are those of the whole task set in order, `total` how many are to be predicted.

    Raises:
        InputError: the files hold something else than predictions of this task set.
    """

    def __init__(self, folder: Path, ids: Sequence[str], total: int) -> None:
        self.folder, self.ids, self.total = folder, ids, total
        path = folder / WAITING
        if path.exists():
            cut_torn_line(path)
        self.done = _take_errors_out(folder, total, count_predictions(folder, ids))
        waiting = list(_read_waiting(path, ids, done=self.done))
        self._waiting = {ids[position]: line for position, line in waiting}
        self._num_asked_waiting = len({position for position, _ in waiting if position < total})
        self._failures: dict[str, str] = {}
        self._synced = time.monotonic()

    def __enter__(self) -> "Journal":
        self._file = (self.folder / PREDICTIONS).open("ab")
        self._early: BufferedWriter | None = None
        sync_path(self.folder)
        self._advance()
        self._file.flush()
        return self

    def __exit__(self, *_: object) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if self._early is not None:
            self._early.close()

    @property
    def num_answered(self) -> int:
        """How many of the first `total` are answered or have failed; those that wait are counted."""
        return min(self.done, self.total) + self._num_asked_waiting + len(self._failures)

    @property
    def failures(self) -> dict[str, str]:
        """The reasons of the questions that had no answer, by id."""
        return self._failures

    def has(self, position: int) -> bool:
        """Whether the example at this position is answered."""
        return position < self.done or self.ids[position] in self._waiting

    def add(self, predictions: Sequence[Prediction]) -> None:
        """Write predictions, each to where it belongs; they are in files when this returns, on the disk within a second."""
        early: list[bytes] = []
        for prediction in predictions:
            line = msgspec.json.encode(prediction) + b"\n"
            if self.done < self.total and prediction.id == self.ids[self.done]:
                self._file.write(line)
                self.done += 1
                self._advance()
            else:
                self._waiting[prediction.id] = line
                self._num_asked_waiting += 1
                early.append(line)
        if early:
            self._write_early(b"".join(early))
        self._file.flush()
        if time.monotonic() - self._synced > SYNC_EVERY_S:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def fail(self, example_id: str, reason: str) -> None:
        """Note that a question has no answer."""
        self._failures[example_id] = reason

    def finish(self) -> None:
        """Write the failures as predictions of status "error" in their places, and remove `waiting.jsonl` if nothing waits."""
        while self.done < self.total:
            name = self.ids[self.done]
            reading = Reading(status="error", notes=(self._failures[name],))
            self._file.write(msgspec.json.encode(Prediction(id=name, reading=reading)) + b"\n")
            self.done += 1
            self._advance()
        self._file.flush()
        os.fsync(self._file.fileno())
        if not self._waiting:
            (self.folder / WAITING).unlink(missing_ok=True)

    def _advance(self) -> None:
        while self.done < len(self.ids) and (line := self._waiting.pop(self.ids[self.done], None)) is not None:
            self._file.write(line)
            self._num_asked_waiting -= self.done < self.total
            self.done += 1

    def _write_early(self, lines: bytes) -> None:
        if self._early is None:
            self._early = (self.folder / WAITING).open("ab")
        self._early.write(lines)
        self._early.flush()


def _take_errors_out(folder: Path, total: int, done: int) -> int:
    """Cut `predictions.jsonl` before the first error among its first `total`; what else stood behind that waits from then on.

    Returns how many of the `done` predictions are left in it.
    """
    path = folder / PREDICTIONS
    if done == 0:
        return 0
    with path.open("rb") as file:
        lines = enumerate(file)
        kept, size = 0, 0
        for kept, line in lines:
            if kept >= total:
                return done
            if ERROR in line:
                break
            size += len(line)
        else:
            return done
        behind = b"".join(line for _, line in lines if ERROR not in line)
    with (folder / WAITING).open("ab") as file:  # first kept here, then cut there: nothing is lost in between
        file.write(behind)
        file.flush()
        os.fsync(file.fileno())
    sync_path(folder)
    with path.open("r+b") as file:
        file.truncate(size)
        os.fsync(file.fileno())
    return kept


def _read_waiting(path: Path, ids: Sequence[str], *, done: int) -> Iterator[tuple[int, bytes]]:
    """The lines that wait for their turn, with their positions; those whose turn has come are passed over."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                continue
            try:
                prediction = _DECODER.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise InputError(
                    f"{path}, line {number}: {error}. Delete the file: its answers are then asked for again."
                ) from error
            try:
                position = ids.index(prediction.id)
            except ValueError:
                raise InputError(
                    f"{path}, line {number}: prediction of {prediction.id!r}, which is not in the task set. "
                    "The file belongs to another run: delete it, and its answers are asked for again."
                ) from None
            if position >= done:
                yield position, line
