"""Answers that were given before: the same question to the same model costs nothing, and one changed pixel asks it anew.

A folder of append-only files, one for each process that wrote to it, so that processes (also on different machines that share the
folder) never wait for each other and a killed one leaves at most half a last line, which is not read. One line:

    {"key":"5f2c...","said":{"text":"[(0.4, 0.2)]","exposure":{...}}}

The key is the SHA-256 of everything the answer depends on: the prompt's segments as rendered, the pixel digest and size of each
picture, the model's name and description (kind, URL or weights, generation settings, what is done to pictures before they are
sent), and the dialect with its options. Failures and empty texts are not kept; what a server charged is not charged again.

Source of the rules: lmms-eval's cache leaves pixels out of its key, lm-evaluation-harness's depends on the process's rank.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from sightline.dialects import Dialect, Size
from sightline.dialects.render import render_prompt
from sightline.errors import InputError
from sightline.models.model import Model, Replies, Reply, Said, Usage, replies_of
from sightline.taskset.store import TaskSet
from sightline.types import Question, Record

FORMAT = 1
LOOK_AHEAD = 256  # kept answers that are gathered before they are given on


class Kept(Record):
    """One line."""

    key: str
    said: Said


class Answers:
    """The answers in a folder: keys in memory, texts on disk.

    What other processes write after this one has opened the folder is not seen; both then keep their answer.

    Raises:
        InputError: a complete line that is not an answer; the message names file and line.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[bytes, tuple[Path, int, int]] = {}
        self._own: Path | None = None
        for path in sorted(folder.glob("answers-*.jsonl")):
            self._read_keys(path)

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: str) -> Said | None:
        place = self._places.get(bytes.fromhex(key))
        if place is None:
            return None
        path, offset, length = place
        with path.open("rb") as file:
            file.seek(offset)
            return msgspec.json.decode(file.read(length), type=Kept).said

    def put(self, key: str, said: Said) -> None:
        """Keep an answer; it is in the file when this returns."""
        line = msgspec.json.encode(Kept(key=key, said=said)) + b"\n"
        if self._own is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._own = self._folder / f"answers-{os.getpid()}-{secrets.token_hex(6)}.jsonl"
        with self._own.open("ab") as file:
            offset = file.tell()
            file.write(line)
        self._places[bytes.fromhex(key)] = (self._own, offset, len(line))

    def _read_keys(self, path: Path) -> None:
        decoder = msgspec.json.Decoder(Kept)
        offset = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return  # its writer was killed, or is writing
                try:
                    key = bytes.fromhex(decoder.decode(line).key)
                except ValueError as error:  # what msgspec raises is one, too
                    raise InputError(
                        f"{path}, line {number}: {error}. It is not an answer as this version keeps them: delete the file, and its "
                        "answers are asked for again."
                    ) from error
                self._places[key] = (path, offset, len(line))
                offset += len(line)


class Cached:
    """`model` with the answers in `folder`; a `Streaming` model that is told from `model` by nothing but its speed and price.

    Raises:
        InputError: a model that does not answer in text, or a damaged folder.
    """

    def __init__(self, model: Model, folder: Path) -> None:
        if model.dialect is None:
            raise InputError(f"model {model.name!r} answers in geometry: only texts are kept. Leave the cache out.")
        self._model, self._folder = model, folder
        self._dialect: Dialect = model.dialect

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    @property
    def batch_size(self) -> int:
        return self._model.batch_size

    def describe(self) -> dict[str, Any]:
        return self._model.describe()

    def check(self, taskset: TaskSet) -> None:
        self._model.check(taskset)

    @cached_property
    def answers(self) -> Answers:
        """Read when the first question comes, not before."""
        return Answers(self._folder)

    def key(self, question: Question) -> str:
        """64 hexadecimal digits that name the question, the pictures and the model."""
        segments = render_prompt(question.prompt, self.dialect, [Size.of(image) for image in question.images])
        content = {
            "format": FORMAT,
            "model": [self.name, self._description],
            "dialect": [self.dialect.name, self.dialect.options()],
            "prompt": [segment if isinstance(segment, str) else {"image": segment.image_index} for segment in segments],
            "images": [[image.digest, image.width, image.height] for image in question.images],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @cached_property
    def _description(self) -> dict[str, Any]:
        return self._model.describe()

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> list[Reply]:
        """One reply a question, in their order."""
        found = {question.id: reply for some in self.replies(questions, taskset) for question, reply in some}
        return [found[question.id] for question in questions]

    def replies(self, questions: Iterable[Question], taskset: TaskSet) -> Replies:
        """Every question once, with its reply: kept ones at once, others as the model gives them."""
        waiting = iter(questions)
        found: list[tuple[Question, Reply]] = []
        for question in waiting:
            said = self.answers.get(self.key(question))
            if said is None:
                missing = self._missing(question, waiting, found)
                with closing(replies_of(self._model, missing, taskset)) as replies:
                    for some in replies:
                        for asked, reply in some:
                            self._keep(asked, reply)
                        yield [*some, *_taken(found)]
            else:
                found.append((question, said))
            if len(found) >= LOOK_AHEAD:
                yield _taken(found)
        yield found

    def _missing(
        self, first: Question, waiting: Iterator[Question], found: list[tuple[Question, Reply]]
    ) -> Generator[Question, None, None]:
        """`first` and those of `waiting` that have to be asked; the others go to `found`. Ends when much is found, which the model
        would otherwise hold up."""
        yield first
        while len(found) < LOOK_AHEAD and (question := next(waiting, None)) is not None:
            said = self.answers.get(self.key(question))
            if said is None:
                yield question
            else:
                found.append((question, said))

    def _keep(self, question: Question, reply: Reply) -> None:
        said = Said(text=reply) if isinstance(reply, str) else reply
        if isinstance(said, Said) and said.text.strip():
            self.answers.put(self.key(question), msgspec.structs.replace(said, usage=Usage()))


def _taken(found: list[tuple[Question, Reply]]) -> list[tuple[Question, Reply]]:
    taken = found.copy()
    found.clear()
    return taken
