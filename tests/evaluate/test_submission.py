"""Runs as submissions: names and frames of the data set, nothing missing unseen."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.cli import run as command
from sightline.dialects import get_dialect
from sightline.errors import InputError
from sightline.evaluate.choosing import choose
from sightline.evaluate.predict import predict
from sightline.evaluate.submission import submit_run
from sightline.export.rendered import render
from sightline.geometry.masks import decode_mask
from sightline.models import ModelOptions
from sightline.taskset.store import TaskSet
from tests.evaluate.box_world import CLIP, MOVING, NUM_FRAMES, make_sets, square, write_tree


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TaskSet]:
    return make_sets(tmp_path_factory.mktemp("boxes"))


@pytest.fixture
def run(sets: dict[str, TaskSet], tmp_path: Path) -> Path:
    """The true boxes, filled."""
    taskset = sets["refer_mask_track"]
    model = choose("boxes:truth?absent=empty#copy-first-mask", ModelOptions()).answering(taskset)
    predict(taskset, model, tmp_path / "run")
    return tmp_path / "run"


def picture(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(archive.read(name))))


def test_a_zip_has_every_frame_of_every_expression(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["export", "submission", str(run), "--layout", "mevis", "--out", str(tmp_path / "s.zip"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["num_expressions"], told["num_frames"]) == (3, 3 * NUM_FRAMES)
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        names = [f"{CLIP}/{expression}/{frame:05d}.png" for expression in "012" for frame in range(NUM_FRAMES)]
        assert sorted(archive.namelist()) == names
        assert (picture(archive, f"{CLIP}/0/00004.png") == 255 * decode_mask(square(MOVING[4]))).all()
        assert not picture(archive, f"{CLIP}/1/00005.png").any()  # the still object has gone


def test_other_layouts_have_the_same_masks(run: Path, tmp_path: Path) -> None:
    submit_run(run, tmp_path / "revos.json", layout="revos")
    stored = json.loads((tmp_path / "revos.json").read_text())
    assert stored[CLIP]["0"]["prediction_masks"][4]["counts"] == square(MOVING[4]).counts
    submit_run(run, tmp_path / "ytvos.zip", layout="ref_youtube_vos")
    with zipfile.ZipFile(tmp_path / "ytvos.zip") as archive:
        assert f"Annotations/{CLIP}/2/00000.png" in archive.namelist()


def test_what_is_no_submission_is_refused(run: Path, sets: dict[str, TaskSet], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no submission layout 'coco'"):
        submit_run(run, tmp_path / "x", layout="coco")
    with pytest.raises(InputError, match=r"an expression of kind '?referring'? about object '0'"):
        submit_run(run, tmp_path / "x", layout="ref_davis17")
    model = choose("center", ModelOptions()).answering(sets["refer_track"])
    predict(sets["refer_track"], model, tmp_path / "boxes")
    with pytest.raises(InputError, match=r"answers refer_track; .*boxes:RUN#SAM2"):
        submit_run(tmp_path / "boxes", tmp_path / "x", layout="mevis")
    predict(
        sets["refer_mask_track"], choose("whole", ModelOptions()).answering(sets["refer_mask_track"]), tmp_path / "few", limit=1
    )
    with pytest.raises(InputError, match="2 of 3 expressions are not answered"):
        submit_run(tmp_path / "few", tmp_path / "x", layout="mevis")
    assert not (tmp_path / "x").exists()


def test_expressions_whose_objects_are_held_back_are_asked_and_submitted_but_neither_scored_nor_learnt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_tree(tmp_path / "mevis", hidden=True)
    build = ["build", "refer", "--data", "mevis", "--root", str(root), "--split", "valid", "--task", "refer_mask_track"]
    build += ["--frames", "all", "--workers", "1", "--json"]
    assert command([*build, "--out", str(tmp_path / "without")]) == 2
    assert "targets_hidden 3" in capsys.readouterr().err
    assert command([*build, "--out", str(tmp_path / "tasks"), "--hidden", "asked"]) == 0
    taskset = TaskSet(tmp_path / "tasks" / "refer_mask_track-valid")
    assert [(example.tier, example.truth.scored_frames) for example in taskset] == [("hidden", ())] * 3
    predict(taskset, choose("whole", ModelOptions()).answering(taskset), tmp_path / "run")
    assert submit_run(tmp_path / "run", tmp_path / "s.zip", layout="mevis").num_frames == 3 * NUM_FRAMES
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        assert picture(archive, f"{CLIP}/2/00005.png").all()
    capsys.readouterr()
    assert command(["score", str(tmp_path / "run")]) == 2
    assert "export submission" in " ".join(capsys.readouterr().err.split())
    with pytest.raises(InputError, match="there is nothing to learn from it"):
        render(taskset[0], get_dialect("qwen3"))
    truth = choose("boxes:truth#copy-first-mask", ModelOptions()).answering(taskset)
    with pytest.raises(InputError, match="there are no true boxes"):
        truth.answer([taskset[0].question], taskset)


def test_a_task_set_that_lacks_expressions_is_submitted_only_if_that_is_asked_for(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "mevis")
    build = ["build", "refer", "--data", "mevis", "--root", str(root), "--split", "valid_u", "--task", "refer_mask_track"]
    assert command([*build, "--frames", "all", "--objects", "one", "--workers", "1", "--out", str(tmp_path), "--json"]) == 0
    taskset = TaskSet(tmp_path / "refer_mask_track-valid_u")
    predict(taskset, choose("whole", ModelOptions()).answering(taskset), tmp_path / "run")
    with pytest.raises(InputError, match=r"1 entries of what was left out \(several_objects 1\).*--partial"):
        submit_run(tmp_path / "run", tmp_path / "s.zip", layout="mevis")
    assert submit_run(tmp_path / "run", tmp_path / "s.zip", layout="mevis", partial=True).num_expressions == 2
