"""The files of a shard: a worker that was given up for dead cannot damage what another one has finished."""

from pathlib import Path

import pytest

from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.shards import ShardBuilder, ShardJob, TaskWriter, end_attempts
from tests.taskset.test_build import content
from tests.x3_tree import write_tree

TASK = "t1_multi"


@pytest.fixture
def builder(tmp_path: Path) -> ShardBuilder:
    root, staging = write_tree(tmp_path / "data"), tmp_path / "staging"
    options = CrossViewOptions(pairs="all")
    job = ShardJob(reader="x3", root=str(root), split="train", tasks=(TASK,), options=options, staging=str(staging))
    return ShardBuilder(job)


def test_a_late_worker_replaces_whole_files_by_the_same_bytes(builder: ShardBuilder) -> None:
    late = TaskWriter(builder.staging / TASK, 0)
    for index in range(len(builder.units)):
        late.take(builder.units[index], TASK)
    builder.build(0, 0, len(builder.units))
    finished = content(builder.staging / TASK / "set")
    assert {path.split("/")[0] for path in finished} == {"examples-00000.jsonl", "media"}
    assert content(builder.staging / TASK / "set") == finished
    late.__exit__(None, None, None)
    assert content(builder.staging / TASK / "set") == finished


def test_a_late_worker_that_dies_leaves_what_is_finished_as_it_is(builder: ShardBuilder) -> None:
    builder.build(0, 0, len(builder.units))
    finished = content(builder.staging / TASK)
    late = TaskWriter(builder.staging / TASK, 0)
    late.take(builder.units[0], TASK)
    with pytest.raises(RuntimeError, match="out of memory"), late:
        raise RuntimeError("out of memory")
    assert content(builder.staging / TASK) == finished


def test_a_worker_of_an_earlier_build_cannot_finish_once_the_next_has_begun(builder: ShardBuilder) -> None:
    late = TaskWriter(builder.staging / TASK, 0)
    late.take(builder.units[0], TASK)
    end_attempts(builder.staging / TASK)
    with pytest.raises(FileNotFoundError):
        late.__exit__(None, None, None)
    assert not list((builder.staging / TASK).rglob("examples-*"))
    end_attempts(builder.staging / TASK)  # nothing to end is fine
