"""Requests a second of `sightline serve` with 8 callers at a time: answered together, against one at a time by the same model.

Two models. `50 ms a batch` takes that long however many it is asked, which is how a GPU nearly behaves that writes a few tokens; it
shows what the service itself costs. The other one is a tiny Qwen2.5-VL with random weights on one CPU thread (left out where torch
is not installed). Each service runs in a process of its own; callers are 8 threads with an open connection each, which post the
next request (two JPEG pictures of 640 x 480 and a box) when they have the answer to the last. The ways take turns; medians over
rounds.
"""

import base64
import http.client
import importlib.util
import json
import multiprocessing
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from sightline import media
from sightline.models import Model, ModelOptions, get_model
from sightline.models.model import Reply
from sightline.serve.access import Access
from sightline.serve.server import Server
from sightline.serve.service import Service, Settings
from sightline.taskset.store import TaskSet
from sightline.types import NotVisible, Question

CALLERS, MODEL_S, ROUNDS = 8, 0.050, 5
REQUESTS = {"50 ms a batch": 160, "tiny Qwen2.5-VL": 32}


class Slow:
    """50 ms a batch."""

    name, dialect, batch_size = "slow", None, CALLERS

    def describe(self) -> dict[str, str]:
        return {"kind": "slow"}

    def check(self, taskset: TaskSet) -> None:
        pass

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> list[Reply]:  # noqa: ARG002
        time.sleep(MODEL_S)
        return [NotVisible() for _ in questions]


def serve(pipe: Connection, folder: str | None, max_batch: int) -> None:
    model: Model = Slow()
    if folder is not None:
        import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra

        torch.set_num_threads(1)
        model = get_model(f"hf:{folder}", ModelOptions(max_new_tokens=24))
    server = Server(Service(model, Settings(max_batch=max_batch)), ("127.0.0.1", 0), Access(loopback=True))
    server.service.warm_up()
    stop = threading.Event()
    threading.Thread(target=lambda: (pipe.recv(), stop.set())).start()
    pipe.send(server.server_address[1])
    server.run(stop, grace_s=10)


def bodies(count: int) -> list[bytes]:
    """Requests that all differ, because equal ones are asked once."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (2, 12, 16, 3), dtype=np.uint8)
    pictures = [base64.b64encode(media.encode_jpeg(np.kron(part, np.ones((40, 40, 1), np.uint8)))).decode() for part in coarse]
    request = {"images": pictures, "mark": {"box": [100, 100, 200, 180]}}
    return [json.dumps(request | {"question": f"Where is it now? ({number})"}).encode() for number in range(count)]


def post(port: int, requests: Sequence[bytes]) -> list[float]:
    """One caller: the seconds that each request took."""
    seconds: list[float] = []
    with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        for body in requests:
            started = time.perf_counter()
            connection.request("POST", "/v1/point", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
            assert response.status == 200, content
            seconds.append(time.perf_counter() - started)
    return seconds


def rate(port: int, requests: list[bytes]) -> float:
    """Requests a second of all callers together."""
    shares = [requests[first::CALLERS] for first in range(CALLERS)]
    started = time.perf_counter()
    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(lambda share: post(port, share), shares))
    return len(requests) / (time.perf_counter() - started)


def mean_batch(port: int) -> float:
    """Requests a batch since the service began."""
    with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("GET", "/health")
        counts = json.loads(connection.getresponse().read())
    return counts["num_answered"] / counts["num_batches"]


def compare(name: str, folder: str | None) -> None:
    context = multiprocessing.get_context("spawn")
    requests, ways = bodies(REQUESTS[name]), {"one at a time": 1, "together": CALLERS}
    services = []
    for max_batch in ways.values():
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, folder, max_batch), daemon=True)
        process.start()
        services.append((ours.recv(), ours, process))
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, (port, _, _) in zip(ways, services, strict=True):
            rates[way].append(rate(port, requests))
    batches = dict(zip(ways, (mean_batch(port) for port, _, _ in services), strict=True))
    lone_s = statistics.median(post(services[-1][0], requests[:20]))
    for way, found in rates.items():
        print(f"{name:16} {way:14} {statistics.median(found):7.1f} requests/s (best {max(found):.1f}), {batches[way]:.1f} a batch")
    ratios = [together / alone for alone, together in zip(*rates.values(), strict=True)]
    print(f"{name:16} ratio          {statistics.median(ratios):7.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")
    print(f"{name:16} a lone caller  {1000 * lone_s:7.1f} ms a request")
    for _, pipe, process in services:
        pipe.send(None)
        process.join()


def main() -> None:
    print(f"{CALLERS} callers, requests of {len(bodies(1)[0]) / 1000:.0f} kB")
    compare("50 ms a batch", None)
    if importlib.util.find_spec("torch") is None:
        print("tiny Qwen2.5-VL: left out, torch is not installed")
        return
    from tests.models.huggingface.checkpoints import save_qwen25  # noqa: PLC0415 - needs an extra

    with tempfile.TemporaryDirectory() as folder:
        compare("tiny Qwen2.5-VL", str(save_qwen25(Path(folder) / "tiny")))


if __name__ == "__main__":
    main()
