"""What our client adds to a server that takes 50 ms a question, at 8 questions at a time, with all pictures encoded beforehand.

The server runs in a process of its own and answers each request 50 ms after it has read it. A plain client stands beside ours:
8 threads that post bodies made beforehand, each over an open connection (http.client), and throw the answers away. Ours puts the
bodies together, orders the answers, reads them and writes a complete run. Every number is the median of several rounds, taken in
turns. Ideal: questions / 8 * 50 ms.
"""

import http.client
import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue

from sightline.demo.rooms import write_rooms
from sightline.evaluate.predict import predict
from sightline.evaluate.run import read_predictions
from sightline.models import ModelOptions
from sightline.models.openai.endpoint import ENCODED_PICTURES, Endpoint
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.taskset.write import assemble

CONCURRENCY, SERVER_S = 8, 0.050
QUESTIONS, ROUNDS, ROOMS = 400, 5, 4
ANSWER = b'{"choices":[{"message":{"content":"[(0.512, 0.334)]"},"finish_reason":"stop"}],"usage":{"prompt_tokens":800}}'


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # status, headers and answer in one packet

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        buffer = memoryview(bytearray(length))
        while length:
            length -= self.rfile.readinto(buffer[:length]) or length
        time.sleep(SERVER_S)
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def serve(port: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    port.send(server.server_address[1])
    server.serve_forever()


def few_pictures(folder: Path) -> TaskSet:
    """A task set of `QUESTIONS` whose pictures all fit into what the client keeps encoded: those of a few rooms over and over."""
    write_rooms(folder / "rooms", num_train=0, num_validation=ROOMS, width=640, height=480, workers=2)
    options = CrossViewOptions(pairs="all")
    request = BuildRequest(reader="x3", root=str(folder / "rooms"), splits=("validation",), tasks=("t1_multi",), options=options)
    (built,) = build(request, folder / "sets", workers=2)
    source = TaskSet(Path(built.path))
    lines = [line for path in sorted(source.path.glob("examples-*.jsonl")) for line in path.read_bytes().splitlines(keepends=True)]
    repeated = (lines[n % len(lines)].replace(b'"id":"', b'"id":"%d/' % n, 1) for n in range(QUESTIONS))
    staging = folder / "repeated"
    (staging / "parts").mkdir(parents=True)
    shutil.copytree(source.path / "media", staging / "set" / "media")
    (staging / "set" / "examples-00000.jsonl").write_bytes(b"".join(repeated))
    (staging / "parts" / "00000.masks.jsonl").write_bytes(b"".join(path.read_bytes() for path in source.path.glob("masks-*.jsonl")))
    roots = {"data": str(folder / "rooms")}
    recipe = source.manifest.recipe
    assemble(staging, "repeated", task="t1_multi", split="validation", recipe=recipe, source_fingerprint="", roots=roots)
    return TaskSet(staging / "set")


def with_threads(port: int, bodies: list[bytes]) -> None:
    """8 threads, each with its own connection."""
    connections: SimpleQueue[http.client.HTTPConnection] = SimpleQueue()
    for _ in range(CONCURRENCY):
        connections.put(http.client.HTTPConnection("127.0.0.1", port))

    def post(body: bytes) -> None:
        connection = connections.get()
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        assert connection.getresponse().read() == ANSWER
        connections.put(connection)

    with ThreadPoolExecutor(CONCURRENCY) as pool:
        list(pool.map(post, bodies))
    while not connections.empty():
        connections.get().close()


def timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    port = ours.recv()
    try:
        with tempfile.TemporaryDirectory() as folder:
            compare(Path(folder), port)
    finally:
        server.terminate()
        server.join()


def compare(folder: Path, port: int) -> None:
    tasks = few_pictures(folder)
    questions = [example.question for example in tasks]
    num_pictures = len({image.digest for question in questions for image in question.images})
    assert num_pictures <= ENCODED_PICTURES, f"{num_pictures} pictures are more than the client keeps encoded"
    model = Endpoint(f"http://127.0.0.1:{port}", "bench", ModelOptions(dialect="roborefer", concurrency=CONCURRENCY))
    made = {tuple(image.digest for image in question.images): model.body(question, tasks) for question in questions}
    bodies = [made[tuple(image.digest for image in question.images)] for question in questions]
    runs = iter(range(1000))
    ways: dict[str, Callable[[], None]] = {
        "threads with http.client": lambda: with_threads(port, bodies),
        "sightline predict": lambda: predict(tasks, model, folder / f"run-{next(runs)}") and None,
    }
    for work in ways.values():
        work()  # connections, imports and the encoded pictures are ready
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, work in ways.items():
            seconds[name].append(timed(work))
    if sum(prediction.text == "[(0.512, 0.334)]" for prediction in read_predictions(folder / "run-1")) != QUESTIONS:
        raise SystemExit("answers are missing: the figures mean nothing")
    ideal = QUESTIONS / CONCURRENCY * SERVER_S
    kilobytes = statistics.mean(map(len, bodies)) / 1000
    print(f"{QUESTIONS} questions of {kilobytes:.0f} kB ({num_pictures} pictures), {CONCURRENCY} at a time, 50 ms each")
    for name, taken in seconds.items():
        median = statistics.median(taken)
        print(f"{name:26} {median:6.2f} s, {median / ideal - 1:+7.1%} of the ideal {ideal:.2f} s (fastest {min(taken):.2f} s)")


if __name__ == "__main__":
    main()
