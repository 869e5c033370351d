"""A real HTTP server on this machine that speaks the chat protocol and misbehaves as a test tells it to."""

import base64
import contextlib
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["Request"], None]


class Request:
    """One request: its JSON, how often this very body came (1 = first), and ways to answer it."""

    def __init__(self, handler: BaseHTTPRequestHandler, server: "ChatServer") -> None:
        content = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.handler, self.server = handler, server
        self.headers = dict(handler.headers)
        self.body: dict[str, Any] = json.loads(content)
        self.key = hashlib.sha256(content).hexdigest()
        self.number = 0
        self.place = 0

    @property
    def content(self) -> list[dict[str, Any]]:
        return self.body["messages"][0]["content"]

    @property
    def pictures(self) -> list[bytes]:
        urls = [part["image_url"]["url"] for part in self.content if part["type"] == "image_url"]
        return [base64.b64decode(url.partition(",")[2]) for url in urls]

    def text(self) -> str:
        """A point that depends on nothing but the body."""
        return f"[(0.{int(self.key[:6], 16) % 1000:03d}, 0.{int(self.key[6:12], 16) % 1000:03d})]"

    def say(self, content: Any = None, *, finish: str = "stop") -> None:
        message = {"role": "assistant", "content": self.text() if content is None else content}
        self.send_json(
            {"choices": [{"message": message, "finish_reason": finish}], "usage": {"prompt_tokens": 100, "completion_tokens": 7}}
        )

    def send_json(self, value: Any, *, status: int = 200, **headers: str) -> None:
        self.send(json.dumps(value).encode(), status=status, length=None, **headers)

    def send(self, content: bytes, *, status: int = 200, length: int | None = None, **headers: str) -> None:
        """`length` is what the header claims."""
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.send_header("Content-Length", str(len(content) if length is None else length))
        self.handler.end_headers()
        self.handler.wfile.write(content)
        if length is not None:
            self.handler.close_connection = True

    def hang_up(self) -> None:
        """Close the connection without a word."""
        self.handler.close_connection = True

    def hang(self) -> None:
        """Say nothing until the test is over."""
        self.server.over.wait()
        self.handler.close_connection = True

    def drip(self) -> None:
        """Begin a good answer and send a space every few milliseconds until the test is over."""
        self.handler.send_response(200)
        self.handler.send_header("Content-Length", "1000000")
        self.handler.end_headers()
        with contextlib.suppress(OSError):
            while not self.server.over.wait(0.01):
                self.handler.wfile.write(b" ")
        self.handler.close_connection = True


class ChatServer:
    """`url`, and what came: `requests` in order of arrival. `behave` may be changed at any time."""

    def __init__(self) -> None:
        self.behave: Behaviour = Request.say
        self.requests: list[Request] = []
        self.over = threading.Event()
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = Request(self, outer)
                with outer._lock:
                    outer._counts[request.key] += 1
                    request.number = outer._counts[request.key]
                    request.place = len(outer.requests)
                    outer.requests.append(request)
                with contextlib.suppress(OSError):  # the client has given up
                    outer.behave(request)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a client that was killed

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def counts(self) -> dict[str, int]:
        """How often each body came."""
        return dict(self._counts)


@contextlib.contextmanager
def serving() -> Iterator[ChatServer]:
    server = ChatServer()
    server._thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server._server.shutdown()
        server._thread.join()
        server._server.server_close()


def first(*behaviours: Behaviour) -> Behaviour:
    """Each body gets these behaviours in turn, and good answers after them."""

    def behave(request: Request) -> None:
        steps = [*behaviours, Request.say]
        steps[min(request.number, len(steps)) - 1](request)

    return behave
