"""A small x3 tree, its task sets, and the pipeline's files that are written of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sightline.export.x3.write import export_x3
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from tests.x3_tree import picture, write_object, write_tree

TASKS = ("t1_multi", "t1_concat", "t2a", "t2b")
Rows = list[dict[str, Any]]


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tests.x3_tree.write_tree` and one more training scene, which has a control picture."""
    root = write_tree(tmp_path_factory.mktemp("x3") / "data")
    folder = write_object(root, "train", "cellar", 3, [(2, 2, 8, 8), (10, 3, 18, 11)])
    control = picture("cellar", 20)
    control[14:18, 0:4] = 0
    Image.fromarray(control).save(folder / "02_000020_control.png")
    return root


@pytest.fixture(scope="session")
def tasksets(tree: Path) -> Path:
    """Every task of the training scenes, all pairs, in the second wording."""
    options = CrossViewOptions(pairs="all", wording=1)
    request = BuildRequest(reader="x3", root=str(tree), splits=("train",), tasks=TASKS, options=options)
    build(request, tree.parent / "tasks")
    return tree.parent / "tasks"


@pytest.fixture(scope="session")
def files(tasksets: Path) -> Path:
    """The folder of the exported files."""
    export_x3([tasksets / f"{task}-train" for task in TASKS], tasksets.parent / "exported")
    return tasksets.parent / "exported"


@pytest.fixture
def rewrite(files: Path, tmp_path: Path) -> Callable[[str, Callable[[Rows], object]], Path]:
    """`rewrite("t1_train_multi.json", change)`: a copy of the file after `change(rows)`; its pictures stay where they are."""

    def write(name: str, change: Callable[[Rows], object]) -> Path:
        rows: Rows = json.loads((files / name).read_text())
        change(rows)
        path = tmp_path / name
        path.write_text(json.dumps(rows))
        return path

    return write
