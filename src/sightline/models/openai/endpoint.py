"""Models behind an OpenAI-compatible server: vLLM, SGLang, `transformers serve`, commercial endpoints.

`openai:http://127.0.0.1:8000#Qwen/Qwen2.5-VL-7B-Instruct` asks that model there. One user message a question, texts and pictures in
the order of the prompt, pictures as data URLs whose longer side is at most `max_side`: what is sent, in which size and encoding, is
declared in `describe` and so stored with the run. Coordinates are read in pixels of the picture as sent (`dialects.sent`). A server
that makes pictures smaller still must be declared too: for `qwen25` with the pixel limits of its image processor.

Many questions are under way at once, and replies are given as they come; no text depends on that order. `chat` repeats what fails.
"""

import base64
import re
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any

import cv2
import msgspec
import numpy as np
from jaxtyping import UInt8

from sightline import media
from sightline.dialects import Dialect, Size
from sightline.dialects.render import render_prompt
from sightline.dialects.sent import AsSent, sent_size
from sightline.errors import InputError
from sightline.models.model import Failure, NotApplicable, Replies, Reply, Said, Usage
from sightline.models.openai.address import checked_url, read_key
from sightline.models.openai.chat import Chat, Patience, Stopped
from sightline.models.options import ModelOptions, served_dialect
from sightline.taskset.store import TaskSet
from sightline.types import Exposure, ImageRef, Question

ENCODED_PICTURES = 64
MAKERS = 2  # threads beyond those that wait for the server: they make the next requests
MAX_POLL_S = 1.0
LAST_WAIT_S = 1.0
NEW_LIMIT_HOSTS = ("api.openai.com",)  # where `max_tokens` is refused in favour of its new name
Done = tuple[Question, Said | Failure | Exception]


class Endpoint:
    """The model `name` of the server at `url`; a `Streaming` model.

    Raises:
        InputError: a URL that cannot be right, an unusable key, or a dialect that is not declared.
    """

    batch_size: int

    def __init__(self, url: str, name: str, options: ModelOptions, *, patience: Patience | None = None) -> None:
        self._url, self._host = checked_url(url)
        self._model, self._options = name, options
        self._key = read_key(options.api_key_env, self._url, self._host)
        self.patience = patience or Patience(retries=options.retries, timeout_s=options.timeout_s, budget_s=options.budget_s)
        self.name = options.name or re.sub(r"[^\w.+-]+", "-", name).lstrip(".-") or "model"
        self.batch_size = options.concurrency
        self.dialect: Dialect = AsSent(served_dialect(options, name), options.max_side)
        self._encoded = lru_cache(maxsize=ENCODED_PICTURES)(self._data_url)

    def describe(self) -> dict[str, Any]:
        """What decides the answers; how fast and how often it is asked does not, and may change within a run."""
        return {
            "kind": "openai",
            "url": self._url,
            "model": self._model,
            "max_new_tokens": self._options.max_new_tokens,
            "temperature": self._options.temperature,
            "pictures": {"max_side": self._options.max_side, "encoding": self._encoding(), "resampling": "area"},
        }

    def check(self, taskset: TaskSet) -> None:
        if len(taskset) and taskset[0].question.form.shape == "mask":
            raise NotApplicable(
                f"model {self.name!r} cannot answer task set {taskset.manifest.name!r}: it asks for masks, and a chat server "
                "answers in text. Leave this model out for this task set."
            )

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> list[Reply]:
        """One reply a question, in their order."""
        found = {question.id: reply for some in self.replies(questions, taskset) for question, reply in some}
        return [found[question.id] for question in questions]

    def replies(self, questions: Iterable[Question], taskset: TaskSet) -> Replies:
        """Every question once, with its reply, as they come.

        Raises:
            InputError: the server refuses a request, or a picture cannot be read; what came at the same moment is given first.
        """
        waiting, num_under_way = iter(questions), 0
        workers = _Workers(self, taskset)
        try:
            while True:
                for question in islice(waiting, workers.window - num_under_way):
                    workers.todo.put(question)
                    num_under_way += 1
                if num_under_way == 0:
                    return
                done = workers.some_done()
                num_under_way -= len(done)
                yield [(question, reply) for question, reply in done if not isinstance(reply, Exception)]
                workers.raise_first(done)
        finally:
            workers.end()

    def ask(self, body: bytes, question: Question, chat: Chat) -> Said | Failure:
        """What the server says to a question whose request is `body`, with its price and what was sent."""
        reply = chat.ask(body)
        reply = msgspec.structs.replace(reply, usage=self._priced(reply.usage))
        return reply if isinstance(reply, Failure) else self._exposed(reply, question)

    def new_chat(self) -> Chat:
        return Chat(self._url, key=self._key, patience=self.patience)

    def body(self, question: Question, taskset: TaskSet) -> bytes:
        """The request for a question, as JSON."""
        pictures = [Size.of(image) for image in question.images]
        content: list[dict[str, Any]] = []
        for segment in render_prompt(question.prompt, self.dialect, pictures):
            if isinstance(segment, str):
                content.append({"type": "text", "text": segment})
            else:
                image = question.images[segment.image_index]
                url = self._encoded(_Picture(image.digest, image, taskset))
                content.append({"type": "image_url", "image_url": {"url": url}})
        limit = "max_completion_tokens" if self._host in NEW_LIMIT_HOSTS else "max_tokens"
        return msgspec.json.encode(
            {
                "model": self._model,
                "messages": [{"role": "user", "content": content}],
                limit: self._options.max_new_tokens,
                "temperature": self._options.temperature,
                "stream": False,
            }
        )

    def _data_url(self, picture: "_Picture") -> msgspec.Raw:
        """The picture as a JSON string."""
        rgb = as_sent(picture.taskset.read_rgb(picture.image), self._options.max_side)
        encode = media.encode_jpeg if self._options.image_format == "jpeg" else media.encode_png
        return msgspec.Raw(b'"data:image/%s;base64,%s"' % (self._options.image_format.encode(), base64.b64encode(encode(rgb))))

    def _encoding(self) -> str:
        return "jpeg, quality 95" if self._options.image_format == "jpeg" else "png"

    def _priced(self, usage: Usage) -> Usage:
        cost = usage.prompt_tokens * self._options.prompt_price + usage.answer_tokens * self._options.answer_price
        return msgspec.structs.replace(usage, cost=cost / 1_000_000)

    def _exposed(self, said: Said, question: Question) -> Said:
        shown = [question.images[index] for index in question.slots]
        sizes = [sent_size(Size.of(image), self._options.max_side) for image in shown]
        exposure = said.exposure or Exposure()
        sent = tuple((size.width, size.height) for size in sizes)
        return msgspec.structs.replace(said, exposure=msgspec.structs.replace(exposure, processed_sizes=sent))


@dataclass(frozen=True)
class _Picture:
    """Pictures are the same if their pixels are, wherever they lie."""

    digest: str
    image: ImageRef = field(compare=False)
    taskset: TaskSet = field(compare=False)


class _Workers:
    """Threads that make requests and send them, one more of each kind than may be sent at a time makes the next ones ready.

    They are daemons: a process that has to end does not wait for a server.
    """

    def __init__(self, model: Endpoint, taskset: TaskSet) -> None:
        self._model, self._taskset, self._chat = model, taskset, model.new_chat()
        self._slots = threading.Semaphore(model.batch_size)
        self._refused: InputError | None = None
        self._poll_s = min(MAX_POLL_S, model.patience.timeout_s / 10)
        self.window = 2 * (model.batch_size + MAKERS)
        self.todo: SimpleQueue[Question | None] = SimpleQueue()
        self._done: SimpleQueue[Done] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(model.batch_size + MAKERS)]
        for thread in self._threads:
            thread.start()

    def some_done(self) -> list[Done]:
        """At least one question with its reply, or what went wrong with it."""
        done: list[Done] = []
        while not done:
            with suppress(Empty):
                done.append(self._done.get(timeout=self._poll_s))
            self._chat.expire()
        with suppress(Empty):
            while True:
                done.append(self._done.get_nowait())
        return done

    @staticmethod
    def raise_first(done: list[Done]) -> None:
        """Raise what went wrong first, if anything did."""
        error = next((reply for _, reply in done if isinstance(reply, Exception)), None)
        done.clear()
        try:
            if error is not None:
                raise error
        finally:
            del error  # it refers to this frame, and the other way round

    def end(self) -> None:
        self._refused = None
        self._chat.stop()
        for _ in self._threads:
            self.todo.put(None)
        end = time.monotonic() + LAST_WAIT_S
        for thread in self._threads:
            thread.join(timeout=max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        while (question := self.todo.get()) is not None:
            try:
                self._done.put((question, self._reply(question)))
            except Stopped:
                break
            except Exception as error:
                self._done.put((question, error))
        self._chat.close()

    def _reply(self, question: Question) -> Said | Failure:
        body = self._model.body(question, self._taskset)
        with self._slots:
            if self._refused is not None:  # nothing more is sent after the first request that the server refuses
                raise self._refused
            try:
                return self._model.ask(body, question, self._chat)
            except InputError as error:
                self._refused = error
                raise


def as_sent(rgb: UInt8[np.ndarray, "h w 3"], max_side: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The picture with its longer side at most `max_side`, area-averaged; itself where it is not larger."""
    height, width = rgb.shape[:2]
    size = sent_size(Size(width, height), max_side)
    if (size.width, size.height) == (width, height):
        return rgb
    return cv2.resize(rgb, (size.width, size.height), interpolation=cv2.INTER_AREA).astype(np.uint8)
