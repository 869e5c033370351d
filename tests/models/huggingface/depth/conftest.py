"""Depth networks made once, and task sets whose pictures they see."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from tests.x3_tree import write_tree


@pytest.fixture(scope="session")
def network(tmp_path_factory) -> Callable[[str], Path]:
    """The folder of a depth network, made once. Not to be changed: copy it first."""
    from tests.models.huggingface.depth.checkpoints import SAVERS  # noqa: PLC0415 - needs an extra

    folder = tmp_path_factory.mktemp("depth")
    return lambda name: folder / name if (folder / name).exists() else SAVERS[name](folder / name)


@pytest.fixture
def copied(network, tmp_path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copytree(network(name), tmp_path / name))


@pytest.fixture(scope="session")
def tasksets(tmp_path_factory) -> list[TaskSet]:
    """Three task sets of 24 x 18 pixels over one tree, which share pictures."""
    root = write_tree(tmp_path_factory.mktemp("x3") / "data")
    request = BuildRequest(
        reader="x3",
        root=str(root),
        splits=("train",),
        tasks=("t1_multi", "t1_concat", "t2b"),
        options=CrossViewOptions(pairs="all"),
    )
    return [TaskSet(Path(built.path)) for built in build(request, root.parent / "tasks")]
