"""A real service on a free port of this machine, and a client for it."""

import base64
import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline import media
from sightline.dialects import get_dialect
from sightline.geometry.masks import encode_mask
from sightline.models import Model
from sightline.models.model import Drawn, Reply
from sightline.report.confusions import expression_of
from sightline.serve.access import Access
from sightline.serve.clips import ClipFolder
from sightline.serve.depth_maker import DepthMaker
from sightline.serve.server import Server
from sightline.serve.service import Service, Settings
from sightline.types import MaskAnswer, MaskRle, MaskTrack, Question, TextPart

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        return self.json["error"]


class Client:
    """Asks over one connection of its own for each request."""

    def __init__(self, port: int) -> None:
        self.port = port

    def post(self, value: object, path: str = "/v1/point", *, method: str = "POST", **headers: str) -> Answer:
        """`value` is sent as JSON, bytes as they are. `Content_Type` and the like are headers."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
        return self._ask(method, path, body, sent)

    def get(self, path: str = "/health", *, method: str = "GET", **headers: str) -> Answer:
        return self._ask(method, path, None, {name.replace("_", "-"): text for name, text in headers.items()})

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())


@dataclass(frozen=True)
class Served(Client):
    """A service that runs until the block ends."""

    port: int
    service: Service
    stop: threading.Event
    stopped: "Future[bool]"
    pool: ThreadPoolExecutor

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is answered meanwhile, because one more request is expected: what comes waits and makes one batch."""
        with self.service.batcher.expecting():
            yield

    def together(self, values: Sequence[object]) -> list[Answer]:
        """Answers to requests of which all wait before the model gets the first."""
        with self.held():
            answers = [self.pool.submit(self.post, value) for value in values]
            until(lambda: self.service.batcher.num_waiting == len(values))
        return [answer.result(PATIENCE_S) for answer in answers]


@contextlib.contextmanager
def served(
    model: Model,
    *,
    access: Access | None = None,
    grace_s: float = PATIENCE_S,
    clips: ClipFolder | None = None,
    makes_depth: DepthMaker | None = None,
    **settings: Any,
) -> Iterator[Served]:
    # nothing is answered while something is expected, however long: no test depends on a clock
    chosen = Settings(**({"max_batch": 16, "max_wait_s": 1000.0} | settings))
    service = Service(model, chosen, clips=clips, makes_depth=makes_depth)
    server = Server(service, ("127.0.0.1", 0), access or Access(loopback=True))
    stop = threading.Event()
    with ThreadPoolExecutor(20) as pool:
        stopped = pool.submit(server.run, stop, grace_s=grace_s)
        try:
            yield Served(server.server_address[1], service, stop, stopped, pool)
        finally:
            stop.set()
            stopped.result(PATIENCE_S)


def until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < end, "this never came about"


def picture(width: int = 160, height: int = 120, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def as_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def sent(rgb: np.ndarray) -> str:
    """The picture as it stands in a request."""
    return as_base64(media.encode_png(rgb))


class Speaker:
    """A model that says what `words` makes of the question's own text; notes how many it was asked at a time."""

    name = "speaker"
    dialect = get_dialect("roborefer")
    batch_size = 16

    def __init__(self, words: Callable[[str], Reply]) -> None:
        self.words, self.sizes = words, list[int]()

    def describe(self) -> dict[str, Any]:
        return {"kind": "speaker"}

    def check(self, taskset: Any) -> None:
        pass

    def answer(self, questions: Sequence[Question], taskset: Any) -> list[Reply]:  # noqa: ARG002
        self.sizes.append(len(questions))
        return [self.words(asked(question)) for question in questions]


class Drawer:
    """A model that draws what `draws` makes of an expression and of the number of frames, and says so; notes what it was asked
    together."""

    name = "drawer"
    dialect = None
    batch_size = 16

    def __init__(self, draws: Callable[[str, int], tuple[str, Sequence[MaskRle | None], tuple[str, ...]]]) -> None:
        self.draws, self.batches = draws, list[list[str]]()

    def describe(self) -> dict[str, Any]:
        return {"kind": "sa2va"}

    def check(self, taskset: Any) -> None:
        pass

    def answer(self, questions: Sequence[Question], taskset: Any) -> list[Reply]:
        self.batches.append([question.id for question in questions])
        replies: list[Reply] = []
        for question in questions:
            shown = [taskset.read_rgb(image) for image in question.images]
            text, masks, notes = self.draws(expression_of(question), len(shown))
            answer = (
                MaskTrack(frames=tuple(masks)) if question.clip else MaskAnswer(rle=masks[0] or encode_mask(shown[0][..., 0] < 0))
            )
            replies.append(Drawn(answer=answer, text=text, notes=notes))
        return replies


def asked(question: Question) -> str:
    return "".join(part.text for part in question.prompt if isinstance(part, TextPart)).strip()
