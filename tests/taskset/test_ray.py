"""`--engine ray`, on Ray's own cluster of several nodes: the same bytes as local processes, whatever is lost on the way.

The driver runs in a process of its own: Ray keeps state in the process, and a driver must be killed here.
"""

import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sightline.errors import InputError
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.engine import open_engine
from sightline.taskset.ray_cluster import ShardWorker
from sightline.taskset.shards import ShardJob
from tests.taskset.test_build import content
from tests.x3_tree import write_object

HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed: pip install 'sightline[ray]'")
ROOMS = 6
TASKS = ("t1_multi", "t1_concat", "t2a", "t2b")


def request(root: Path) -> BuildRequest:
    return BuildRequest(
        reader="x3", root=str(root), splits=("train", "validation"), tasks=TASKS, options=CrossViewOptions(pairs="all")
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rooms")
    for index in range(ROOMS):
        write_object(folder, "train", f"room_{index}", 1, [(2, 2, 8, 8), (4, 4, 10, 10), (6, 3, 12, 9)])
        write_object(folder, "train", f"room_{index}", 2, [(14, 9, 20, 15), None, (12, 4, 18, 10)])
    write_object(folder, "validation", "attic", 1, [(2, 2, 8, 8), (4, 4, 10, 10)])
    return folder


@pytest.fixture(scope="module")
def local(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What local processes build."""
    out = tmp_path_factory.mktemp("local")
    build(request(root), out, workers=2)
    return content(out)


CLUSTER = """
import sys
from ray.cluster_utils import Cluster

SMALL = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
if __name__ == "__main__":
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SMALL})
    nodes = [cluster.add_node(num_cpus=1, **SMALL) for _ in range(2)]
    print("at", cluster.address, flush=True)
    for line in sys.stdin:
        if line == "lose a node\\n":
            cluster.remove_node(nodes.pop(), allow_graceful=False)
        else:
            nodes.append(cluster.add_node(num_cpus=1, **SMALL))
        print("at", cluster.address, flush=True)
    cluster.shutdown()
"""


class Cluster:
    """Ray's cluster of several nodes on one machine: a head without processors, and two nodes with one each."""

    def __init__(self, folder: Path) -> None:
        script = folder / "cluster.py"
        script.write_text(CLUSTER)
        self.process = subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = self._answer()

    def tell(self, what: str) -> None:
        """`lose a node` or `add a node`."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        self._answer()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("at "):
                return line.split()[1]
        raise AssertionError("the cluster did not start")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.process.communicate()


DRIVER = """
import json, os, signal, sys
from pathlib import Path
from sightline.errors import InputError
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset import ray_cluster
from sightline.taskset.build import BuildRequest, build

class Poisoned(ray_cluster.ShardWorker):
    def build(self, bounds):
        if bounds[0] == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().build(bounds)

class Refusing(ray_cluster.ShardWorker):
    def build(self, bounds):
        raise InputError("room_0: nobody lives here.")

def progress(split, done, total):
    posts = [(post.pid, post.node) for post in cluster.posts.values()]
    print(json.dumps({"split": split, "done": done, "posts": posts}), flush=True)
    sys.stdin.readline()

if __name__ == "__main__":
    root, out, address, worker = sys.argv[1:]
    if worker:
        ray_cluster.ShardWorker = globals()[worker]
    cluster = ray_cluster.RayCluster(address)
    tasks = ("t1_multi", "t1_concat", "t2a", "t2b")
    options = CrossViewOptions(pairs="all")
    request = BuildRequest(reader="x3", root=root, splits=("train", "validation"), tasks=tasks, options=options)
    try:
        build(request, Path(out), workers=None, engine=cluster.run, on_progress=progress)
    except InputError as error:
        sys.exit(f"refused: {error}")
"""


class Driver:
    """A driver that waits after each report of its progress until it is told to go on."""

    def __init__(self, root: Path, out: Path, address: str, *, worker: str = "") -> None:
        script = out.with_name(f"{out.name}.py")
        script.write_text(DRIVER)
        command = [sys.executable, str(script), str(root), str(out), address, worker]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"RAY_DEDUP_LOGS": "0"},
        )
        self.reports: list[dict] = []

    def until(self, reached: Callable[[dict], bool]) -> dict:
        """Let it work up to a report for which this is true; it then waits."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                self.reports.append(json.loads(line))
                if reached(self.reports[-1]):
                    return self.reports[-1]
                self._go_on()
        raise AssertionError(f"it ended: {self.finish()}")

    def finish(self) -> tuple[int, str]:
        """Let it work to its end; its exit code and what it said about errors."""
        out, err = self.process.communicate("\n" * 1000, timeout=120)
        self.reports += [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        return self.process.returncode, err

    def _go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


def begun(report: dict) -> bool:
    """One shard of the training rooms is built and both workers are there."""
    return report["done"] >= 1 and len(report["posts"]) == 2


@needs_ray
@pytest.mark.slow
def test_a_cluster_builds_the_same_bytes(cluster: Cluster, root: Path, local: dict[str, bytes], tmp_path: Path) -> None:
    driver = Driver(root, tmp_path / "out", cluster.address)
    code, said = driver.finish()
    assert code == 0, said
    assert content(tmp_path / "out") == local
    assert len({node for report in driver.reports for _, node in report["posts"]}) == 2  # both nodes worked


@needs_ray
@pytest.mark.slow
def test_a_worker_that_is_killed_costs_nothing(cluster: Cluster, root: Path, local: dict[str, bytes], tmp_path: Path) -> None:
    driver = Driver(root, tmp_path / "out", cluster.address)
    pid = driver.until(begun)["posts"][0][0]
    os.kill(pid, signal.SIGKILL)
    code, said = driver.finish()
    assert code == 0, said
    assert content(tmp_path / "out") == local
    of_train = [report for report in driver.reports if report["split"] == "train"]
    assert pid not in [worker for worker, _ in of_train[-1]["posts"]]


@needs_ray
@pytest.mark.slow
def test_a_killed_driver_is_resumed_by_the_same_command(
    cluster: Cluster, root: Path, local: dict[str, bytes], tmp_path: Path
) -> None:
    driver = Driver(root, tmp_path / "out", cluster.address)
    done = driver.until(begun)["done"]
    driver.process.kill()
    driver.process.communicate()
    again = Driver(root, tmp_path / "out", cluster.address)
    code, said = again.finish()
    assert code == 0, said
    assert again.reports[0]["done"] >= done
    assert content(tmp_path / "out") == local


@needs_ray
@pytest.mark.slow
def test_what_a_cluster_began_local_processes_finish(cluster: Cluster, root: Path, local: dict[str, bytes], tmp_path: Path) -> None:
    driver = Driver(root, tmp_path / "out", cluster.address)
    driver.until(begun)
    driver.process.kill()
    driver.process.communicate()
    build(request(root), tmp_path / "out", workers=2)
    assert content(tmp_path / "out") == local


@needs_ray
@pytest.mark.slow
def test_a_shard_that_kills_its_workers_is_an_error_that_names_it(
    cluster: Cluster, root: Path, local: dict[str, bytes], tmp_path: Path
) -> None:
    code, said = Driver(root, tmp_path / "out", cluster.address, worker="Poisoned").finish()
    assert code == 1
    assert "3 workers died one after the other over units 3 to 3 of train" in said
    build(request(root), tmp_path / "out")
    assert content(tmp_path / "out") == local


@needs_ray
@pytest.mark.slow
def test_an_error_of_a_worker_arrives_in_its_own_words(cluster: Cluster, root: Path, tmp_path: Path) -> None:
    code, said = Driver(root, tmp_path / "out", cluster.address, worker="Refusing").finish()
    assert code == 1
    assert "refused: room_0: nobody lives here.\n" in said


@needs_ray
@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the end of another's process cannot be waited for here")
def test_a_node_that_is_lost_costs_nothing(cluster: Cluster, root: Path, local: dict[str, bytes], tmp_path: Path) -> None:
    driver = Driver(root, tmp_path / "out", cluster.address)
    pids = {os.pidfd_open(pid): pid for pid, _ in driver.until(begun)["posts"]}
    cluster.tell("lose a node")
    ended = first_to_end(list(pids))
    code, said = driver.finish()
    cluster.tell("add a node")
    assert code == 0, said
    assert content(tmp_path / "out") == local
    of_train = [report for report in driver.reports if report["split"] == "train"]
    assert pids[ended] not in [pid for pid, _ in of_train[-1]["posts"]]


def first_to_end(descriptors: list[int]) -> int:
    """Wait until one of some processes has ended; closes their descriptors."""
    watch = select.poll()
    for descriptor in descriptors:
        watch.register(descriptor, select.POLLIN)
    ended = watch.poll(60_000)
    for descriptor in descriptors:
        os.close(descriptor)
    assert ended, "a lost node takes its worker with it"
    return ended[0][0]


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_without_ray_the_error_says_how_to_get_it() -> None:
    with pytest.raises(InputError, match=r"pip install 'sightline\[ray\]'"):
        open_engine("ray")


def test_an_address_is_for_ray_alone() -> None:
    with pytest.raises(InputError, match="--engine ray"):
        open_engine("local", address="10.0.0.1:6379")


def test_a_node_that_does_not_share_the_files_is_named(root: Path, tmp_path: Path) -> None:
    job = ShardJob(reader="x3", root=str(root), split="train", tasks=TASKS, options=CrossViewOptions(), staging=str(tmp_path))
    with pytest.raises(InputError, match="does not see"):
        ShardWorker(job).report(b"{}")
    (tmp_path / "plan.json").write_bytes(b"{another}")
    with pytest.raises(InputError, match="does not see"):
        ShardWorker(job).report(b"{}")
