"""`sightline build relations` from the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.cli import run
from sightline.taskset.store import TaskSet
from tests.davis_tree import PALETTE

SIDE = 100


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip in which object 1 passes object 2, below object 3, and one with a single object."""
    root = tmp_path_factory.mktemp("davis")
    for number in range(12):
        left = 4 + 7 * number
        _frame(root, "passing", number, {1: (left, 60, left + 10, 90), 2: (44, 10, 56, 40)})
        _frame(root, "single", number, {1: (5, 5, 25, 30)})
    return root


def _frame(root: Path, sequence: str, number: int, boxes: dict[int, tuple[int, int, int, int]]) -> None:
    labels = np.zeros((SIDE, SIDE), np.uint8)
    for label, (x0, y0, x1, y1) in boxes.items():
        labels[y0:y1, x0:x1] = label
    picture, mask = (root / folder / "480p" / sequence for folder in ("JPEGImages", "Annotations"))
    for folder in (picture, mask):
        folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((SIDE, SIDE, 3), 10 * number, np.uint8)).save(picture / f"{number:05d}.jpg")
    image = Image.fromarray(labels)
    image.putpalette(PALETTE)
    image.save(mask / f"{number:05d}.png")


def _build(tree: Path, out: Path, *more: str) -> int:
    return run(["build", "relations", "--data", "davis", "--root", str(tree), "--out", str(out), "--workers", "1", "--json", *more])


def test_all_relation_tasks_are_built_with_their_thresholds_in_the_manifest(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _build(tree, tmp_path / "sets", "--margin", "0.03", "--set", "agree=0.9") == 0
    built = {part["manifest"]["task"]: part["manifest"] for part in json.loads(capsys.readouterr().out)}
    assert set(built) == {f"relation_{name}" for name in ("choice", "box", "track", "when", "switch")}
    assert built["relation_when"]["num_examples"] == 4  # left and right of it, and both mirrored
    options = built["relation_box"]["recipe"]["options"]
    assert (options["margin"], options["agree"], options["buffer"]) == (0.03, 0.9, 0.05)
    assert built["relation_switch"]["dropped"]["too_few_objects"] == 1


def test_every_picture_of_an_example_can_be_read(tree: Path, tmp_path: Path) -> None:
    assert _build(tree, tmp_path / "sets", "--task", "relation_box", "--task", "relation_track") == 0
    for task in ("relation_box", "relation_track"):
        taskset = TaskSet(tmp_path / "sets" / f"{task}-all")
        for example in taskset:
            for image in example.question.images:
                assert taskset.read_rgb(image).shape == (SIDE, SIDE, 3)


def test_the_same_recipe_gives_the_same_bytes(tree: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert _build(tree, tmp_path / name, "--task", "relation_choice", "--wording", "mixed", "--frames", "random") == 0
    one, other = (TaskSet(tmp_path / name / "relation_choice-all").manifest for name in ("a", "b"))
    assert one == other
    assert one.num_examples > 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--set", "margn=0.1"], "one of margin"),
        (["--margin", "3"], "share from 0 to 1"),
        (["--task", "relation_bx"], "relation_box"),
        (["--names", "nowhere.json"], "nowhere.json"),
    ],
)
def test_wrong_options_say_what_is_right(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    assert _build(tree, tmp_path / "sets", *more) == 2
    assert message in capsys.readouterr().err
