"""One question to a server that speaks the OpenAI chat protocol: time limits, repetitions, refusals.

    POST {url}/chat/completions   {"model": "qwen", "messages": [...], "max_tokens": 128, "temperature": 0.0}

Repeated, with growing waits: 408, 425, 429, 5xx, no connection, a connection that breaks, no answer in time, an answer that is not
what it should be. `Retry-After` is obeyed, by all requests and not only by the one that was told. Every other status is the user's
to mend and ends the run with the server's own message. Source of Retry-After: RFC 9110.
"""

import http.client
import random
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from socket import SHUT_RDWR, socket
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec

from sightline.errors import InputError
from sightline.models.model import Failure, Said, Usage
from sightline.models.openai.completion import NotACompletion, error_message, read_completion

MAX_ANSWER_BYTES = 8 * 2**20
MAX_QUOTED = 300
MAX_IDLE_S = 2.0  # servers close connections that nobody uses, some after 5 s
LOOPBACK = ("127.0.0.1", "::1", "localhost")
REPEATED = frozenset({408, 425, 429})


@dataclass(frozen=True)
class Patience:
    """How long to go on with one question. `retries` repetitions, each after a random wait of half to all of `first_wait_s`,
    doubled each time up to `longest_wait_s`; `timeout_s` for one request, `budget_s` for all of it."""

    retries: int = 6
    timeout_s: float = 120.0
    budget_s: float = 600.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0

    def wait_s(self, attempt: int) -> float:
        return min(self.first_wait_s * 2**attempt, self.longest_wait_s) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load


class _Again(Exception):  # noqa: N818 - a turn in the conversation
    """This request failed; another may not."""

    def __init__(self, reason: str, *, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class _Never(Exception):  # noqa: N818
    """No repetition will mend this one question."""

    def __init__(self, reason: str, *, asked: bool = True) -> None:
        super().__init__(reason)
        self.asked = asked


class Stopped(Exception):  # noqa: N818 - `Chat.stop` was called
    """Nobody waits for this answer any more."""


class Chat:
    """One server, asked from many threads, each over a connection of its own. `key` is sent as a bearer token and shown nowhere.

    Somebody has to call `expire` several times a `timeout_s`: it ends requests that take too long, whatever they are waiting for.
    (A socket's own time-out begins anew with every byte.)
    """

    def __init__(self, url: str, *, key: str | None, patience: Patience) -> None:
        self._key, self._patience = key, patience
        self._url = f"{url}/chat/completions"
        self._new_connection, self._target = _route(self._url)
        self._headers = {"Content-Type": "application/json", "User-Agent": "sightline"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"
        self._threads = threading.local()
        self._lock = threading.Lock()
        self._ends: dict[http.client.HTTPConnection, float] = {}
        self._stopped = threading.Event()
        self._quiet_until = 0.0

    def ask(self, body: bytes) -> Said | Failure:
        """The server's answer to `body`, or why there was none after all repetitions.

        Raises:
            InputError: the server refuses the request (400, 401, 404, ...), or its certificate is not trusted.
            Stopped: `stop` was called meanwhile.
        """
        end = time.monotonic() + self._patience.budget_s
        num_requests = 0
        while True:
            outcome = self._try(body, end)
            num_requests += not isinstance(outcome, _Never) or outcome.asked
            if isinstance(outcome, Said):
                return msgspec.structs.replace(outcome, usage=msgspec.structs.replace(outcome.usage, num_requests=num_requests))
            pause_s = self._patience.wait_s(max(num_requests - 1, 0))
            if isinstance(outcome, _Again):
                pause_s = max(outcome.wait_s, pause_s)
            if isinstance(outcome, _Never) or num_requests > self._patience.retries or time.monotonic() + pause_s >= end:
                times = {0: "not asked", 1: "asked once"}.get(num_requests, f"asked {num_requests} times")
                return Failure(reason=f"{outcome} ({times})", usage=Usage(num_requests=num_requests))
            self._sleep(pause_s)

    def expire(self) -> None:
        """End the requests whose time is over."""
        self._cut(time.monotonic())

    def stop(self) -> None:
        """End all requests and waits; the threads that asked get `Stopped`."""
        self._stopped.set()
        self._cut(float("inf"))

    def close(self) -> None:
        """Close the connection of this thread."""
        connection = getattr(self._threads, "connection", None)
        if connection is not None:
            connection.close()

    def _cut(self, now: float) -> None:
        with self._lock:
            for connection, end in self._ends.items():
                if end <= now and connection.sock is not None:
                    with suppress(OSError):  # it has ended by itself
                        socket.shutdown(connection.sock, SHUT_RDWR)  # not that of `SSLSocket`, which its reader would trip over

    def _sleep(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise Stopped

    def _try(self, body: bytes, end: float) -> "Said | _Again | _Never":
        timeout_s = self._patience.timeout_s
        try:
            self._quiet(end)
            end = min(time.monotonic() + timeout_s, end)
            return self._once(body, end)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if self._stopped.is_set():
                raise Stopped from error
            if isinstance(error, ssl.SSLCertVerificationError):
                raise InputError(
                    f"{self._url}: {error}. Trust its certificate by the environment variable SSL_CERT_FILE."
                ) from error
            if time.monotonic() >= end:
                return _Again(f"no answer within {timeout_s:g} s")
            return _Again(self._shown(f"{type(error).__name__}: {error}".rstrip(": ")))
        except _Again as error:
            self.close()  # some servers (uvicorn) close theirs after an error without saying so
            self._quiet_until = max(self._quiet_until, time.monotonic() + error.wait_s)
            return error
        except _Never as error:
            self.close()
            return error

    def _quiet(self, end: float) -> None:
        """Wait as long as the server has asked for, of whichever request."""
        while (wait_s := self._quiet_until - time.monotonic()) > 0:
            if self._quiet_until >= end:
                reason = f"the server asks to wait {wait_s:.0f} s more, longer than --budget allows for one question"
                raise _Never(reason, asked=False)
            self._sleep(wait_s)
        if self._stopped.is_set():
            raise Stopped

    def _once(self, body: bytes, end: float) -> Said:
        connection = self._connection(max(end - time.monotonic(), 0.001))
        with self._lock:
            self._ends[connection] = end
        try:
            if self._stopped.is_set():
                raise Stopped
            connection.request("POST", self._target, body, self._headers)
            response = connection.getresponse()
            content = _read(response)
        finally:
            with self._lock:
                del self._ends[connection]
            self._threads.used = time.monotonic()
        if response.status == HTTPStatus.OK:
            if response.getheader("Content-Encoding", "identity") != "identity":
                raise _Again("the server compressed its answer although it was asked not to")
            try:
                return read_completion(content)
            except NotACompletion as error:
                raise _Again(self._shown(str(error))) from error
        message = self._shown(error_message(content))
        what = f"status {response.status} ({response.reason or 'no reason given'}): {message}"
        if response.status in REPEATED or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _Again(what, wait_s=_retry_after_s(response.getheader("Retry-After")))
        raise InputError(f"{self._url} refused a request with {what}. {self._remedy(response.status)}")

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        """This thread's connection, opened anew where it was closed or not used for a while."""
        connection = getattr(self._threads, "connection", None)
        if connection is None:
            connection = self._threads.connection = self._new_connection()
            self._threads.used = time.monotonic()
        elif time.monotonic() - self._threads.used > MAX_IDLE_S:
            connection.close()
        connection.timeout = timeout_s
        if connection.sock is None:
            connection.connect()
        assert connection.sock is not None, "connect() opens it or raises"
        connection.sock.settimeout(timeout_s)
        return connection

    def _shown(self, text: str) -> str:
        """The text in one short line without the key: servers like to quote what they refuse."""
        if self._key:
            text = text.replace(self._key, "***")
        text = " ".join(text.split())
        return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."

    def _remedy(self, status: int) -> str:
        match status:
            case 401 | 403:
                sent = "The key that was sent is not accepted" if self._key else "No key was sent"
                return (
                    f"{sent}: put the right one into the environment variable OPENAI_API_KEY, or name another with --api-key-env."
                )
            case 404:
                return "Check the URL (it usually ends in /v1) and the model's name after '#'; `GET {url}/models` lists the names."
            case 301 | 302 | 307 | 308:
                return "Give the URL that it points to."
        return "Mend what it complains of and run the same command again: answers so far are kept."


def _route(url: str) -> tuple[Callable[[], http.client.HTTPConnection], str]:
    """How to make a connection, not opened yet, and what to ask for on it; through the environment's proxy for this host, if any.

    This machine's own ports are never looked for behind a proxy.
    """
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    proxy = None if host in LOOPBACK or proxy_bypass(host) else getproxies().get(parts.scheme)
    if proxy is None:
        return lambda: kind(host, port), parts.path
    via = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    if not secure:
        return lambda: kind(via.hostname or "", via.port or 80), url

    def tunnel() -> http.client.HTTPConnection:
        connection = kind(via.hostname or "", via.port or 80)
        connection.set_tunnel(host, port)
        return connection

    return tunnel, parts.path


def _read(response: http.client.HTTPResponse) -> bytes:
    """The body, all of it, but never more than `MAX_ANSWER_BYTES`."""
    content = response.read(MAX_ANSWER_BYTES + 1)
    if len(content) > MAX_ANSWER_BYTES:
        raise _Never(f"an answer of more than {MAX_ANSWER_BYTES:,} bytes, which is no answer to a question of this kind")
    if response.length:  # of the announced bytes so many did not come
        raise http.client.IncompleteRead(content, response.length)
    return content


def _retry_after_s(value: str | None) -> float:
    """Seconds of a `Retry-After` header, which holds seconds or a date; 0 where there is none or it cannot be read."""
    if value is None:
        return 0.0
    try:
        return max(0.0, float(value)) if value.strip()[:1].isdigit() else parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0
