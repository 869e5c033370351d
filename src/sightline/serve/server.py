"""The listening socket of a `Service`: a bounded number of connections, and a stop that loses no answer.

Every connection has a thread of the standard library's `ThreadingHTTPServer`; what is said on it is in `connection`.
"""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from sightline.serve.access import Access
from sightline.serve.connection import Connection
from sightline.serve.refusal import busy
from sightline.serve.service import Service

MAX_CONNECTIONS = 64
LAST_ANSWERS_S = 1.0  # to tell those who still wait that nothing will come


class Server(ThreadingHTTPServer):
    """Listens from the beginning and answers when `run` is called.

    Raises:
        OSError: the address is taken, or not one of this machine.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, service: Service, address: tuple[str, int], access: Access) -> None:
        self.service, self.access = service, access
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._slots = threading.Semaphore(MAX_CONNECTIONS)
        self._changed = threading.Condition()
        self._connections: set[socket.socket] = set()
        self._num_active = 0
        super().__init__(address, Connection)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self.server_address[:2]
        return f"http://[{host}]:{port}" if self.address_family == socket.AF_INET6 else f"http://{host}:{port}"

    def run(self, stop: threading.Event, *, grace_s: float) -> bool:
        """Answer until `stop` is set; then finish what is under way, for at most `grace_s`, and refuse what is new with 503.

        Returns whether everything was finished.
        """
        listening = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, name="listen", daemon=True)
        listening.start()
        try:
            stop.wait()
        finally:
            self.service.stopping = True
            finished = self._wait_idle(grace_s)
            self.service.batcher.close()
            self._wait_idle(LAST_ANSWERS_S)
            self.shutdown()
            listening.join()
            self.server_close()
        return finished

    def _wait_idle(self, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._num_active == 0, timeout=timeout_s)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # the class between looks up a name for the address, which can take seconds and is not used

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the library has it
        if not self._slots.acquire(blocking=False):
            with suppress(OSError):
                request.sendall(TOO_MANY)
            self.shutdown_request(request)
            return
        with self._changed:
            self._connections.add(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._changed:
                self._connections.discard(request)
            self._slots.release()

    def server_close(self) -> None:
        """Stop listening, and hang up on connections that are open but silent."""
        super().server_close()
        with self._changed:
            for connection in self._connections:
                with suppress(OSError):  # it ended by itself
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """A connection that breaks is nobody's mistake here; anything else is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Around a request from its first line to its answer: a stop waits for it."""
        with self._changed:
            self._num_active += 1
        try:
            yield
        finally:
            with self._changed:
                self._num_active -= 1
                self._changed.notify_all()


def _too_many() -> bytes:
    body = busy(f"{MAX_CONNECTIONS} connections are open already", remedy="Try again later, or keep fewer connections.").body()
    head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Retry-After: 1\r\nConnection: close\r\n\r\n".encode() + body


TOO_MANY = _too_many()
