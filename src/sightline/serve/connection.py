"""One connection: requests are read within limits of size and time, and answered or refused as JSON.

Times are for the whole of a thing, not for its next byte: somebody who sends a byte a second is cut off like anybody else. Bodies
need a `Content-Length`. Where a request is refused before its body was read, what still comes is read and thrown away for a moment,
because a connection closed under a sender loses the answer. Source of the rules: RFC 9110, RFC 9112.
"""

import io
import socket
import time
import traceback
from contextlib import AbstractContextManager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Protocol, cast

from sightline.serve.access import Access
from sightline.serve.refusal import Refusal
from sightline.serve.routes import JSON, ROUTES, Request, Response, Route
from sightline.serve.service import Service

IDLE_S = 30.0  # until the first line of a request
READ_S = 30.0  # from there to the end of its body
WRITE_S = 30.0
LINGER_S = 2.0
MAX_LINE = 65536
CHUNK = 65536


class Owner(Protocol):
    """What a connection needs of the server that accepted it."""

    service: Service
    access: Access

    def active(self) -> AbstractContextManager[None]: ...


class Connection(BaseHTTPRequestHandler):
    """Answers the requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # status, headers and answer in one packet
    owner: Owner

    def setup(self) -> None:
        super().setup()
        self.owner = cast(Owner, self.server)
        self.rfile.close()
        self._input = _Input(self.connection)
        self.rfile = io.BufferedReader(self._input)

    def handle_one_request(self) -> None:
        """Read a request and answer it; a connection that breaks or stays silent is closed without a word."""
        self._left_unread = False
        try:
            self._input.allow(IDLE_S)
            self.raw_requestline = self.rfile.readline(MAX_LINE + 1)
            if not self.raw_requestline:
                self.close_connection = True
                return
            with self.owner.active():
                self._answer()
        except (TimeoutError, ConnectionError):
            self.close_connection = True
        if self._left_unread:
            self._linger()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """What the library finds wrong with a request line or with headers."""
        self.request_version = self.protocol_version  # else what cannot be read counts as HTTP/0.9, which has no headers
        status = HTTPStatus(code)
        remedy = "Send a request of HTTP/1.1, such as curl does."
        self._refuse(Refusal(status, message or status.phrase, where="request", remedy=remedy, closes=True))

    def version_string(self) -> str:
        return "sightline"

    def handle_expect_100(self) -> bool:
        return True  # the go-ahead is given when the body is wanted

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Requests are counted in `/health` and not written down."""

    def _answer(self) -> None:
        end = time.monotonic() + self.owner.service.settings.timeout_s
        self._input.allow(READ_S)
        try:
            if len(self.raw_requestline) > MAX_LINE:
                self.requestline, self.request_version, self.command = "", "", ""
                self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
                return
            if not self.parse_request():
                return
            self._left_unread = self._has_body()
            route = self._route()
            response = route.function(self.owner.service, Request(self._body, end))
        except Refusal as refusal:
            self._refuse(refusal)
        except (TimeoutError, ConnectionError):
            raise
        except Exception as error:  # one request must not end the service; it is told here and to the caller
            traceback.print_exc()
            remedy = "This is a mistake in Sightline: please report it with what the service wrote to its standard error."
            message = f"the service failed ({type(error).__name__})"
            self._refuse(Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, message, where="service", remedy=remedy))
        else:
            self._send(response)

    def _route(self) -> Route:
        """Who asks, for what, and in which form, before the body is read."""
        headers = self.headers
        path = self.path.partition("?")[0]
        methods = ROUTES.get(path)
        method = "GET" if self.command == "HEAD" else self.command
        self.owner.access.check(
            hosts=headers.get_all("Host") or [],
            authorizations=headers.get_all("Authorization") or [],
            needs_token=not (methods and method in methods and methods[method].is_page),
        )
        if methods is None:
            remedy = f"There are {', '.join(f'{method} {name}' for name, routes in ROUTES.items() for method in routes)}."
            raise Refusal(HTTPStatus.NOT_FOUND, f"nothing is at {path[:80]!r}", where="path", remedy=remedy)
        if method not in methods:
            allowed = ", ".join(methods)
            message = f"{self.command} is not for {path}"
            raise Refusal(
                HTTPStatus.METHOD_NOT_ALLOWED, message, where="method", remedy=f"Use {allowed}.", headers={"Allow": allowed}
            )
        route = methods[method]
        if route.takes_json:
            declared = headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if declared != JSON:
                message = f"a body of type {declared[:80]!r}"
                remedy = f"Send JSON, and the header Content-Type: {JSON}."
                raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message, where="Content-Type", remedy=remedy)
        return route

    def _has_body(self) -> bool:
        return "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0").strip() != "0"

    def _body(self) -> bytes:
        """All of the body.

        Raises:
            Refusal: 411 no length, 400 a strange one, 413 too long, 408 too slow.
            ConnectionError: the client hung up.
        """
        length = self._length()
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(HTTPStatus.CONTINUE)
            self.end_headers()
            self.wfile.flush()
        try:
            content = self.rfile.read(length)
        except TimeoutError:
            remedy = "Send it faster, or smaller pictures."
            message = f"the body of {length:,} bytes did not come within {READ_S:g} s"
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, message, where="body", remedy=remedy, closes=True) from None
        if len(content) < length:
            raise ConnectionAbortedError(f"{len(content):,} of {length:,} bytes came")
        self._left_unread = False
        return content

    def _length(self) -> int:
        lengths = self.headers.get_all("Content-Length") or []
        if "Transfer-Encoding" in self.headers or not lengths:
            remedy = "Send the whole body at once, with its Content-Length."
            raise Refusal(HTTPStatus.LENGTH_REQUIRED, "a body without a declared length", where="Content-Length", remedy=remedy)
        if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdigit() and len(lengths[0]) < 16):
            message = f"a length of {', '.join(lengths)[:80]!r}"
            raise Refusal(HTTPStatus.BAD_REQUEST, message, where="Content-Length", remedy="Send one number of bytes.")
        length, most = int(lengths[0]), self.owner.service.settings.limits.max_body_bytes
        if length > most:
            message = f"a body of {length:,} bytes; at most {most:,} are taken"
            remedy = "Send smaller or compressed pictures, or start the service with a larger --max-body-mb."
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message, where="body", remedy=remedy)
        return length

    def _refuse(self, refusal: Refusal) -> None:
        self.close_connection = self.close_connection or refusal.closes
        self._send(Response(refusal.body(), status=refusal.status, headers=refusal.headers))

    def _send(self, response: Response) -> None:
        self.connection.settimeout(WRITE_S)
        self.send_response(response.status)
        headers = {
            "Content-Type": response.content_type,
            "Content-Length": str(len(response.body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        for name, value in (headers | response.headers).items():
            self.send_header(name, value)
        if self.close_connection or self._left_unread or self.owner.service.stopping:
            self.send_header("Connection", "close")  # which also closes it
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)
        self.wfile.flush()

    def _linger(self) -> None:
        """Let a client that is still sending come to its end and read the answer."""
        self.close_connection = True
        self._input.allow(LINGER_S)
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while self.rfile.read1(CHUNK):
                pass


class _Input(io.RawIOBase):
    """A socket's bytes, as long as their time is not over."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._end = connection, 0.0

    def allow(self, seconds: float) -> None:
        """What is read from now on has to come within so many seconds."""
        self._end = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)
