"""Building: same bytes for any number of workers and after any kill; leaks and changed options are refused."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sightline.errors import InputError
from sightline.files import only_writer
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from tests.x3_tree import write_object, write_tree

ALL_TASKS = ("t1_multi", "t1_concat", "t2a", "t2b")


def request(root: Path, **changes: object) -> BuildRequest:
    values: dict[str, object] = {
        "reader": "x3",
        "root": str(root),
        "splits": ("train", "validation"),
        "tasks": ALL_TASKS,
        "options": CrossViewOptions(pairs="all"),
    }
    return BuildRequest(**(values | changes))  # pyright: ignore[reportArgumentType]


def content(folder: Path) -> dict[str, bytes]:
    """All files below `folder` but those with wall-clock figures and the lock."""
    skipped = {"timing.json", ".lock"}
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in skipped
    }


def test_any_number_of_workers_gives_the_same_bytes(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "data")
    build(request(root), tmp_path / "one", workers=1)
    build(request(root), tmp_path / "two", workers=2)
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert sorted(path.name for path in (tmp_path / "one").iterdir() if path.is_dir()) == sorted(
        f"{task}-{split}" for task in ALL_TASKS for split in ("train", "validation")
    )


def test_a_complete_build_is_left_alone(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "data")
    build(request(root), tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file() and path.name != ".lock"}
    assert all(part.existed for part in build(request(root), tmp_path / "out"))
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_further_tasks_can_be_added_later(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "data")
    build(request(root, tasks=("t1_multi",)), tmp_path / "out")
    later = build(request(root), tmp_path / "out")
    assert [part.existed for part in later if part.manifest.task == "t1_multi"] == [True, True]
    build(request(root), tmp_path / "fresh")
    assert content(tmp_path / "out") == content(tmp_path / "fresh")


def test_changed_options_and_changed_data_are_refused_by_name(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "data")
    build(request(root), tmp_path / "out")
    with pytest.raises(InputError, match="pairs: all there, anchor now"):
        build(request(root, options=CrossViewOptions()), tmp_path / "out")
    write_object(root, "train", "porch", 1, [(2, 2, 8, 8), (3, 3, 9, 9)])
    with pytest.raises(InputError, match="data that has changed"):
        build(request(root), tmp_path / "out")


def test_two_writers_are_refused(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "data")
    code = (
        "import sys, pathlib, sightline.files as f\n"
        "with f.only_writer(pathlib.Path(sys.argv[1])):\n print('held', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "out")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"pid {holder.pid}"):
            build(request(root), tmp_path / "out")
        holder.stdin.write("\n")
    with only_writer(tmp_path / "out"):
        pass


def test_a_scene_in_two_splits_is_refused_and_named(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "data")
    write_object(root, "validation", "kitchen", 7, [(2, 2, 8, 8), (3, 3, 9, 9)])
    with pytest.raises(InputError, match="kitchen is in train and validation"):
        build(request(root, splits=("train",)), tmp_path / "out")
    built = build(request(root, allow_shared_scenes=True), tmp_path / "out")
    assert all(part.manifest.num_examples for part in built)


def test_the_same_picture_under_another_scene_of_another_split_is_refused(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "data")
    shutil.copytree(root / "train" / "kitchen" / "uid_1", root / "validation" / "copied" / "uid_1")
    json_path = next((root / "validation" / "copied" / "uid_1").glob("*.json"))
    json_path.unlink()
    with pytest.raises(InputError, match=r"kitchen \(train\) and copied \(validation\)"):
        build(request(root), tmp_path / "out")
    assert not list((tmp_path / "out").glob("t*"))


def test_the_same_picture_is_found_when_splits_are_built_one_after_the_other(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "data")
    shutil.copytree(root / "train" / "kitchen" / "uid_1", root / "validation" / "copied" / "uid_1")
    next((root / "validation" / "copied" / "uid_1").glob("*.json")).unlink()
    build(request(root, splits=("train",)), tmp_path / "out")
    with pytest.raises(InputError, match="same content"):
        build(request(root, splits=("validation",)), tmp_path / "out")


def test_a_build_of_nothing_is_an_error_with_reasons(tmp_path: Path) -> None:
    write_object(tmp_path / "data", "train", "hall", 1, [None, None])
    with pytest.raises(InputError, match="reference_not_visible"):
        build(request(tmp_path / "data", splits=("train",)), tmp_path / "out")


def test_truncated_png_is_dropped_by_name_and_the_rest_is_built(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "data")
    path = root / "train/kitchen/uid_2/02_000020_original.png"
    path.write_bytes(path.read_bytes()[:-200])
    build(request(root), tmp_path / "out")
    entries = [entry for entry in TaskSet(tmp_path / "out/t1_multi-train").ledger if entry.reason == "unreadable"]
    assert [entry.path for entry in entries] == ["train/kitchen/uid_2/02_000020_original.png"]
    assert "02_000020_original.png" in entries[0].detail


def test_the_store_reads_what_was_built(tmp_path: Path) -> None:
    build(request(write_tree(tmp_path / "data")), tmp_path / "out")
    tasks = TaskSet(tmp_path / "out/t1_concat-train")
    examples = list(tasks)
    assert len(examples) == len(tasks) == sum(tasks.manifest.kept.values())
    assert tasks[examples[3].id] == tasks[3] == examples[3]
    picture = tasks.read_rgb(examples[0].question.images[0])
    assert picture.shape == (18, 48, 3)
    assert examples[0].question.reference is not None
    assert tasks.read_mask(examples[0].question.reference.mask).sum() == 36
    with pytest.raises(InputError, match="no example 'nothing'"):
        tasks["nothing"]


def test_a_changed_original_is_noticed_when_read(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "data")
    build(request(root), tmp_path / "out")
    tasks = TaskSet(tmp_path / "out/t2b-train")
    image = tasks[0].question.images[0]
    other = root / "train/kitchen/uid_1/02_000020_original.png"
    (root / image.path).write_bytes(other.read_bytes())
    with pytest.raises(InputError, match="pixels differ"):
        tasks.read_rgb(image)
    (root / image.path).unlink()
    with pytest.raises(FileNotFoundError, match=r"roots\.json"):
        TaskSet(tmp_path / "out/t2b-train").read_rgb(image)


KILLS = """
import os, random, signal, sys, time
from pathlib import Path
from sightline.taskset.build import BuildRequest, build
from sightline.tasks.crossview import CrossViewOptions

def run(out, workers):
    tasks = ("t1_multi", "t1_concat", "t2a", "t2b")
    options = CrossViewOptions(pairs="all")
    request = BuildRequest(reader="x3", root=sys.argv[1], splits=("train", "validation"), tasks=tasks, options=options)
    build(request, Path(out), workers=workers)

if __name__ == "__main__":
    kills = folders = 0
    moments = random.Random(0)
    longest = float(sys.argv[3])
    while kills < 20:
        child = os.fork()
        if child == 0:
            os.setsid()
            run(f"{sys.argv[2]}/{folders}", 1)
            os._exit(0)
        end = time.monotonic() + moments.uniform(0, longest)
        while time.monotonic() < end and os.waitpid(child, os.WNOHANG)[0] == 0:
            time.sleep(0.002)
        try:
            os.killpg(child, signal.SIGKILL)
            killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        except (ProcessLookupError, ChildProcessError):
            killed = False
        kills += killed
        folders += not killed  # it had finished: the next kills meet a fresh build
    for number in range(folders + 1):
        run(f"{sys.argv[2]}/{number}", 1 + number % 2)
    print(folders + 1)
"""


@pytest.mark.slow
def test_killed_at_twenty_random_moments_the_build_ends_with_the_same_bytes(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for index in range(4):
        write_object(root, "train", f"room_{index}", 1, [(2, 2, 8, 8), (4, 4, 10, 10), (6, 3, 12, 9)])
        write_object(root, "train", f"room_{index}", 2, [(14, 9, 20, 15), None, (12, 4, 18, 10)])
    write_object(root, "validation", "attic", 1, [(2, 2, 8, 8), (4, 4, 10, 10)])
    started = time.monotonic()
    build(request(root), tmp_path / "whole")
    undisturbed_s = time.monotonic() - started
    script = tmp_path / "kills.py"
    script.write_text(KILLS)
    command = [sys.executable, str(script), str(root), str(tmp_path / "killed"), str(undisturbed_s)]
    folders = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert all(content(tmp_path / "killed" / str(number)) == content(tmp_path / "whole") for number in range(folders))
