"""Task sets of two procedural rooms, and tiny checkpoints of each family."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from sightline.demo.rooms import write_rooms
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from tests.models.huggingface.conftest import copy, saved

__all__ = ["copy", "saved"]


@pytest.fixture(scope="session")
def rooms(tmp_path_factory) -> Mapping[str, TaskSet]:
    """The task sets of two rooms by task, 160 x 120 pixels, anchor pairs."""
    folder = tmp_path_factory.mktemp("rooms")
    write_rooms(folder / "data", num_train=0, num_validation=2, width=160, height=120, seed=4)
    request = BuildRequest(
        reader="x3",
        root=str(folder / "data"),
        splits=("validation",),
        tasks=("t1_multi", "t1_concat", "t2a"),
        options=CrossViewOptions(),
    )
    return {one.manifest.task: TaskSet(Path(one.path)) for one in build(request, folder / "sets")}
