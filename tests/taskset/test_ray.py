"""`--engine ray`, on Ray's own cluster of several nodes: the same bytes as local processes, whatever is lost on the way."""

import importlib.util
import os
import select
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sightline.errors import InputError
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import build
from sightline.taskset.engine import open_engine
from sightline.taskset.ray_cluster import ShardWorker
from sightline.taskset.shards import ShardJob
from tests.taskset.ray_drivers import REQUESTS, TASKS, Cluster, Driver, Kind, rooms
from tests.taskset.test_build import content
from tests.taskset.test_build_refer import write_clips, write_pictures
from tests.x3_tree import write_object

HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed: pip install 'sightline[ray]'")
ROOMS = 6


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
    build(rooms(root), out, workers=2)
    return content(out)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.process.communicate()


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
@pytest.mark.parametrize(("kind", "write"), [("pictures", write_pictures), ("clips", write_clips)])
def test_a_cluster_builds_the_same_referring_sets(
    cluster: Cluster, tmp_path: Path, kind: Kind, write: Callable[[Path], Path]
) -> None:
    root = write(tmp_path / "data")
    code, said = Driver(root, tmp_path / "out", cluster.address, kind=kind).finish()
    assert code == 0, said
    build(REQUESTS[kind](root), tmp_path / "local", workers=2)
    assert content(tmp_path / "out") == content(tmp_path / "local")
    assert sum(name.endswith("manifest.json") for name in content(tmp_path / "out")) == 3


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
    build(rooms(root), tmp_path / "out", workers=2)
    assert content(tmp_path / "out") == local


@needs_ray
@pytest.mark.slow
def test_a_shard_that_kills_its_workers_is_an_error_that_names_it(
    cluster: Cluster, root: Path, local: dict[str, bytes], tmp_path: Path
) -> None:
    code, said = Driver(root, tmp_path / "out", cluster.address, worker="Poisoned").finish()
    assert code == 1
    assert "3 workers died one after the other over units 3 to 3 of train" in said
    build(rooms(root), tmp_path / "out")
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
