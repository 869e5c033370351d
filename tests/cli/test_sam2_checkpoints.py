"""Which checkpoints a command means."""

from pathlib import Path

import pytest

from sightline.cli.sam2_checkpoints import Found, find_checkpoints, quoted
from sightline.errors import InputError


def a_run(folder: Path, *steps: int) -> Path:
    """A run that wrote its weights after these steps."""
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    for step in steps:
        (folder / f"weights/step-{step:08d}/sam2_video").mkdir(parents=True)
    return folder


def test_a_file_or_a_folder_is_called_as_it_is_or_as_it_is_named(tmp_path):
    file = tmp_path / "a.pt"
    file.touch()
    assert find_checkpoints([str(file), f"mine={file}"]) == [Found(file), Found(file, "mine")]


def test_a_run_means_the_weights_it_ended_with(tmp_path):
    run = a_run(tmp_path / "0_model.lr=0.1", 50, 100)
    weights = run / "weights/step-00000100/sam2_video"
    assert find_checkpoints([str(run)]) == [Found(weights, "0_model.lr-0.1")]
    assert find_checkpoints([f"base={run}"]) == [Found(weights, "base")]


def test_a_sweep_means_all_of_its_runs_in_their_order(tmp_path):
    for number in (10, 2, 0):
        a_run(tmp_path / f"{number}_num_maskmem={number}", 1)
    names = [found.name for found in find_checkpoints([str(tmp_path)])]
    assert names == ["0_num_maskmem-0", "2_num_maskmem-2", "10_num_maskmem-10"]
    with pytest.raises(InputError, match="holds 3 runs, which cannot all be called 'x'"):
        find_checkpoints([f"x={tmp_path}"])


def test_a_run_that_has_not_ended_is_an_error(tmp_path):
    a_run(tmp_path / "0_a", 1)
    a_run(tmp_path / "1_b")
    with pytest.raises(InputError, match=r"1_b: a run without weights: it has not ended"):
        find_checkpoints([str(tmp_path)])


def test_a_path_that_is_not_there_is_left_for_the_model_to_tell_and_none_at_all_is_an_error():
    assert find_checkpoints(["nowhere"]) == [Found(Path("nowhere"))]
    with pytest.raises(InputError, match="expected one checkpoint at least"):
        find_checkpoints([])


def test_paths_with_any_signs_reach_the_settings_as_they_are():
    compose = pytest.importorskip("sightline.train.config.compose", reason="needs the train extra")
    pytest.importorskip("hydra", reason="needs the train extra")
    given = ["output_dir=o", "data.val_path=v", "model.checkpoint_path=a b/0_x=1, it's/(c)"]
    values = compose.compose("sam2_eval", quoted(given, "model.checkpoint_path")).values
    assert values["model"]["checkpoint_path"] == ["a b/0_x=1", "it's/(c)"]
    assert quoted(["model.checkpoint_path=[a,b]", "write=[a,b]"], "model.checkpoint_path")[0] == "model.checkpoint_path=[a,b]"
