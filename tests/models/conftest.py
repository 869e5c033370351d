"""Task sets built from two procedural rooms, 160 x 120 pixels, with exact depth and poses."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from sightline.demo.rooms import write_rooms
from sightline.tasks import TASKS
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet


@pytest.fixture(scope="session")
def rooms(tmp_path_factory) -> Mapping[str, TaskSet]:
    """The task sets of two rooms by task."""
    folder = tmp_path_factory.mktemp("rooms")
    write_rooms(folder / "data", num_train=0, num_validation=2, width=160, height=120, seed=4)
    request = BuildRequest(
        reader="x3", root=str(folder / "data"), splits=("validation",), tasks=tuple(TASKS), options=CrossViewOptions(pairs="all")
    )
    built = build(request, folder / "sets")
    return {one.manifest.task: TaskSet(Path(one.path)) for one in built}
