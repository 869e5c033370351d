"""Shards built on a Ray cluster: one actor a worker, each with its reader open; the driver hands out one shard at a time.

The data and the output lie on a file system that all nodes share: actors write the same staging folder as local processes do, so a
build may be begun with one engine and ended with the other. Only names and counts travel over the network.

- A worker that dies, with its node or without: its shard goes to another one, up to MAX_ATTEMPTS times in all, and a new worker
  takes its place as soon as the cluster has a processor for it.
- A driver that dies: Ray ends its actors; the same command goes on where it was. An actor that lives on for a moment cannot do
  damage, see `shards.TaskWriter`.
"""

import os
import socket
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sightline
from sightline.errors import InputError
from sightline.taskset.engine import Bounds
from sightline.taskset.shards import ShardBuilder, ShardDone, ShardJob
from sightline.types import Record
from sightline.worker_process import settle_worker

MAX_ATTEMPTS = 3


class Post(Record):
    """Where a worker runs."""

    node: str
    host: str
    pid: int
    version: str


class ShardWorker:
    """The actor: builds shards of one job in a process of its own."""

    def __init__(self, job: ShardJob) -> None:
        self.job = job
        self.builder: ShardBuilder | None = None

    def report(self, plan: bytes) -> Post:
        """Open the reader, unless it is open, and say where this is.

        Raises:
            InputError: this node does not see the staging folder of the build, or it sees another one.
        """
        settle_worker()
        path = Path(self.job.staging) / "plan.json"
        if not path.is_file() or path.read_bytes() != plan:
            raise InputError(
                f"node {socket.gethostname()} of the cluster does not see {path} as the driver does. --out and --root have to lie "
                "on a file system that all nodes share, under the same path."
            )
        self.builder = self.builder or ShardBuilder(self.job)
        import ray  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

        node = ray.get_runtime_context().get_node_id()
        return Post(node=node, host=socket.gethostname(), pid=os.getpid(), version=sightline.__version__)

    def build(self, bounds: Bounds) -> ShardDone:
        """Build one shard."""
        assert self.builder is not None, "a worker reports before it builds"
        return self.builder.build(*bounds)


class RayCluster:
    """A cluster to build on. `posts` are the workers of the running build that have reported.

    Raises:
        InputError: Ray is not installed.
    """

    def __init__(self, address: str | None) -> None:
        try:
            import ray  # noqa: PLC0415 # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise InputError("--engine ray needs Ray: pip install 'sightline[ray]', on every node.") from error
        self.address = address
        self.posts: dict[Any, Post] = {}
        self._ray = ray

    def run(self, job: ShardJob, todo: Sequence[Bounds], workers: int | None) -> Iterator[ShardDone]:
        """Build shards; they are given in the order in which they are finished.

        Raises:
            InputError: no cluster at the address, a node that does not share the files or has another version, or a shard on which
                one worker after the other died.
        """
        if not todo:
            return
        ours = not self._ray.is_initialized()
        if ours:
            self._connect()
        try:
            yield from _Crew(self, job, todo).work(workers)
        finally:
            self.posts.clear()
            if ours:
                self._ray.shutdown()

    def _connect(self) -> None:
        try:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster that we start reports to nobody
            self._ray.init(address=self.address, log_to_driver=False)
        except ConnectionError as error:
            raise InputError(f"no Ray cluster answers at {self.address}: {error}. Start one with `ray start --head`.") from error


class _Crew:
    """The workers of one job, and the shards they are at. A task is a worker's report (no shard), or a shard being built."""

    def __init__(self, cluster: RayCluster, job: ShardJob, todo: Sequence[Bounds]) -> None:
        self.cluster = cluster
        self.job = job
        self.todo = deque(todo)
        self.tasks: dict[Any, tuple[Any, Bounds | None]] = {}
        self.attempts: Counter[Bounds | None] = Counter()  # those of opening the data under None
        self._ray = cluster._ray
        self._plan = (Path(job.staging) / "plan.json").read_bytes()

    def work(self, workers: int | None) -> Iterator[ShardDone]:
        """Hand out the shards until all are built."""
        count = workers or int(self._ray.cluster_resources().get("CPU", 1))
        actor_type = self._ray.remote(ShardWorker).options(num_cpus=1, scheduling_strategy="SPREAD")
        try:
            for _ in range(min(count, len(self.todo))):
                self._hire(actor_type)
            while self.todo or any(bounds for _, bounds in self.tasks.values()):
                (ready,), _ = self._ray.wait(list(self.tasks), num_returns=1)
                actor, bounds = self.tasks.pop(ready)
                try:
                    result = self._ray.get(ready)
                except self._ray.exceptions.RayActorError as error:
                    self._lose(actor, bounds, error)
                    self._hire(actor_type)
                    self._wake()
                    continue
                except self._ray.exceptions.RayTaskError as error:
                    raise error.cause or error from None  # what the builder raised, without Ray's words around it
                if bounds is None:
                    self._greet(actor, result)
                else:
                    yield result
                self._assign(actor)
        finally:
            for actor in {*self.cluster.posts, *(actor for actor, _ in self.tasks.values())}:
                self._ray.kill(actor)

    def _hire(self, actor_type: Any) -> None:  # noqa: ANN401 - Ray is not here for the type checker
        actor = actor_type.remote(self.job)
        self.tasks[actor.report.remote(self._plan)] = (actor, None)

    def _greet(self, actor: Any, post: Post) -> None:  # noqa: ANN401
        if post.version != sightline.__version__:
            raise InputError(
                f"node {post.host} has Sightline {post.version}, the driver {sightline.__version__}. Install the same on all nodes."
            )
        self.cluster.posts[actor] = post
        self.attempts[None] = 0

    def _assign(self, actor: Any) -> None:  # noqa: ANN401
        if self.todo:
            bounds = self.todo.popleft()
            self.attempts[bounds] += 1
            self.tasks[actor.build.remote(bounds)] = (actor, bounds)

    def _wake(self) -> None:
        """Have workers report that had nothing left to do: the shard of a lost one may be theirs. They may be lost as well, which
        no shard is to blame for."""
        busy = {actor for actor, _ in self.tasks.values()}
        for actor in self.cluster.posts.keys() - busy:
            self.tasks[actor.report.remote(self._plan)] = (actor, None)

    def _lose(self, actor: Any, bounds: Bounds | None, error: Exception) -> None:  # noqa: ANN401
        """A worker died: its shard is built by another one, unless it has cost too many."""
        reported = self.cluster.posts.pop(actor, None) is not None
        if bounds is not None:
            self.todo.appendleft(bounds)
        elif not reported:
            self.attempts[None] += 1
        if self.attempts[bounds] >= MAX_ATTEMPTS:
            over = (
                "while they opened the data" if bounds is None else f"over units {bounds[1]} to {bounds[2] - 1} of {self.job.split}"
            )
            raise InputError(
                f"{MAX_ATTEMPTS} workers died one after the other {over} (out of memory?). Nothing finished is lost: run the same "
                f"command again, on nodes with more memory. Ray says: {error}"
            )
