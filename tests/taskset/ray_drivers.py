"""Ray's own cluster of several nodes, and a driver that builds on it; both in processes of their own.

Ray keeps state in the process, and a driver must be killed here.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from sightline.tasks.crossview import CrossViewOptions
from sightline.tasks.footage import Sampling
from sightline.tasks.refer import ReferOptions
from sightline.taskset.build import BuildRequest

HERE = Path(__file__).parents[2]
TASKS = ("t1_multi", "t1_concat", "t2a", "t2b")
PICTURE_TASKS = ("refer_box", "refer_mask", "refer_point")
CLIP_TASKS = ("refer_track", "refer_mask_track", "refer_span")

Kind = Literal["rooms", "pictures", "clips"]


def rooms(root: Path) -> BuildRequest:
    options = CrossViewOptions(pairs="all")
    return BuildRequest(reader="x3", root=str(root), splits=("train", "validation"), tasks=TASKS, options=options)


def pictures(root: Path) -> BuildRequest:
    options = ReferOptions(objects="one")
    return BuildRequest(reader="refcoco", root=str(root), splits=("train",), tasks=PICTURE_TASKS, options=options)


def clips(root: Path) -> BuildRequest:
    options = ReferOptions(sampling=Sampling(policy="random", num_frames=3), no_target="offered")
    return BuildRequest(reader="mevis", root=str(root), splits=("train",), tasks=CLIP_TASKS, options=options)


REQUESTS: dict[str, Callable[[Path], BuildRequest]] = {"rooms": rooms, "pictures": pictures, "clips": clips}


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


DRIVER = """
import json, os, signal, sys
from pathlib import Path
from sightline.errors import InputError
from sightline.taskset import ray_cluster
from sightline.taskset.build import build
from tests.taskset.ray_drivers import REQUESTS

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
    kind, root, out, address, worker = sys.argv[1:]
    if worker:
        ray_cluster.ShardWorker = globals()[worker]
    cluster = ray_cluster.RayCluster(address)
    try:
        build(REQUESTS[kind](Path(root)), Path(out), workers=None, engine=cluster.run, on_progress=progress)
    except InputError as error:
        sys.exit(f"refused: {error}")
"""


class Driver:
    """A driver that waits after each report of its progress until it is told to go on."""

    def __init__(self, root: Path, out: Path, address: str, *, kind: Kind = "rooms", worker: str = "") -> None:
        script = out.with_name(f"{out.name}.py")
        script.write_text(DRIVER)
        command = [sys.executable, str(script), kind, str(root), str(out), address, worker]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"RAY_DEDUP_LOGS": "0", "PYTHONPATH": str(HERE)},
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
