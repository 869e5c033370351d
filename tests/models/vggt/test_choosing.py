"""Frames by VGGT's points: chosen as the published tool does, kept once, and shown by every build that names them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")

from safetensors.torch import load_file, save_file  # noqa: E402

from sightline.cli import run  # noqa: E402
from sightline.errors import InputError  # noqa: E402
from sightline.media import encode_png  # noqa: E402
from sightline.models.spatial_mllm.vggt_of import open_vggt  # noqa: E402
from sightline.models.vggt.choosing import choice_settings, choose_frames, open_choices  # noqa: E402
from sightline.models.vggt.config import values_of_config  # noqa: E402
from sightline.models.vggt.model import Geometry, Vggt  # noqa: E402
from sightline.models.vggt.pictures import prepare_pictures, prepared_size  # noqa: E402
from sightline.tasks.space_aware import points_aware  # noqa: E402
from sightline.taskset.store import TaskSet  # noqa: E402
from tests.models.vggt.tiny import SMALL  # noqa: E402
from tests.qa_trees import write_vsi  # noqa: E402

NUM_FRAMES = 24


class Stored(Vggt):
    """A network that says what the published tool was given."""

    def __init__(self, points: Any, confidence: Any) -> None:
        super().__init__(SMALL, heads=())
        self.said = Geometry(points=points[None], points_confidence=confidence[None])

    def forward(self, images: Any, **_: Any) -> Geometry:
        assert images.shape[1] == NUM_FRAMES
        return self.said


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> Path:
    folder = shared_data.parent / "golden" / "space_aware_sampling"
    if not folder.is_dir():
        pytest.skip("the golden choices are not here")
    return folder


def save_room(folder: Path, count: int = NUM_FRAMES, *, size: tuple[int, int] = (185, 30)) -> Path:
    folder.mkdir(parents=True)
    for index in range(count):
        picture = np.random.default_rng(index).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        (folder / f"{index:03d}.png").write_bytes(encode_png(picture))
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small VGGT with random weights in the published layout."""
    folder = tmp_path_factory.mktemp("weights") / "vggt"
    folder.mkdir()
    torch.manual_seed(0)
    save_file(Vggt(SMALL).state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(values_of_config(SMALL)))
    return folder


@pytest.mark.parametrize("case", ["1_room_walk", "2_saturating", "4_unsure_frames"])
def test_the_reference_choice_of_a_source_is_the_published_tools(case: str, golden: Path, tmp_path: Path) -> None:
    tensors = load_file(golden / f"case_{case}.safetensors")
    network = Stored(tensors["world_points"], tensors["world_points_conf"])
    room = save_room(tmp_path / "room")
    for count, frames in json.loads((golden / f"case_{case}.json").read_text())["selected"].items():
        settings = choice_settings("points_reference", int(count), network)
        found = choose_frames(room, network, tmp_path / count, settings=settings)
        assert list(found.frames) == frames
        exact = choice_settings("points_aware", int(count), network)
        assert len(choose_frames(room, network, tmp_path / f"exact-{count}", settings=exact).frames) == int(count)


def test_pictures_are_prepared_as_the_published_tool_prepares_them(golden: Path) -> None:
    tensors, facts = (
        load_file(golden / "image_preparation.safetensors"),
        json.loads((golden / "image_preparation.json").read_text()),
    )
    for name, shapes in facts.items():
        if name == "sizes_only":
            continue
        pictures = [tensors[f"{name}.input_{index}"].numpy() for index in range(len(shapes["input_shapes"]))]
        found = np.rint(prepare_pictures(pictures, mode="turned") * 255).astype(np.uint8)
        assert np.array_equal(found, tensors[f"{name}.output"].numpy())
    for each in facts["sizes_only"]:
        width, height = prepared_size(each["width"], each["height"], mode="turned")
        assert [height, width] == each["result"]


def test_a_choice_is_what_the_networks_points_say_and_is_made_once(weights: Path, tmp_path: Path) -> None:
    network = open_vggt(weights, heads=("point",)).model
    room = save_room(tmp_path / "room", 6)
    settings = choice_settings("points_aware", 3, network)
    found = choose_frames(room, network, tmp_path / "choices", settings=settings)
    pictures = [np.random.default_rng(index).integers(0, 256, (30, 185, 3), dtype=np.uint8) for index in range(6)]
    with torch.no_grad():
        geometry = network(torch.from_numpy(prepare_pictures(pictures))[None])
    expected = points_aware(geometry.points[0].numpy(), geometry.points_confidence[0].numpy(), 3)
    assert (found.frames, found.num_greedy, found.new) == (expected.frames, expected.num_greedy, True)
    room.rename(tmp_path / "moved")
    again = choose_frames(tmp_path / "moved", network, tmp_path / "choices", settings=settings)
    assert (again.frames, again.new) == (found.frames, False)
    (tmp_path / "moved" / "003.png").write_bytes(encode_png(np.zeros((30, 185, 3), np.uint8)))
    assert choose_frames(tmp_path / "moved", network, tmp_path / "choices", settings=settings).new


def test_a_folder_holds_choices_of_one_way(weights: Path, tmp_path: Path) -> None:
    network = open_vggt(weights, heads=("point",)).model
    open_choices(tmp_path, choice_settings("points_aware", 3, network))
    open_choices(tmp_path, choice_settings("points_aware", 3, network))
    with pytest.raises(InputError, match=r"chosen otherwise \(policy points_aware there, points_reference here\)"):
        open_choices(tmp_path, choice_settings("points_reference", 3, network))
    with torch.no_grad():
        network.aggregator.register_token.add_(1)
    with pytest.raises(InputError, match=r"chosen otherwise \(weights"):
        open_choices(tmp_path, choice_settings("points_aware", 3, network))


def test_the_command_chooses_and_builds_show_exactly_these_frames(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_vsi(tmp_path / "vsi")
    scenes = [str(root / scene) for scene in ("scannetpp/7b6477cb95", "arkitscenes/41069025")]
    for seed, scene in enumerate(scenes):  # as written they are alike, and content is what names a choice
        for number, path in enumerate(sorted(Path(scene).iterdir())):
            picture = np.random.default_rng([seed, number]).integers(0, 256, (24, 96, 3), dtype=np.uint8)
            path.write_bytes(encode_png(picture))
    (tmp_path / "empty").mkdir()
    shown = ["--num-frames", "3", "--json"]
    choices = str(tmp_path / "choices")
    asked = ["choose-frames", "--model", str(weights), "--out", choices, "--device", "cpu", *shown]
    assert run([*asked, scenes[0], str(tmp_path / "empty")]) == 2
    said = capsys.readouterr()
    assert "empty: no frames in it" in said.err
    assert "1 of 2 sources have no choice" in json.loads(said.out)["error"]
    build = ["build", "qa", "--data", "vsi-bench", "--root", str(root), "--workers", "1", "--frames", "points-aware", *shown]
    assert run([*build, "--choices", choices, "--out", str(tmp_path / "half")]) == 0
    assert json.loads(capsys.readouterr().out)[0]["manifest"]["dropped"] == {"frames_not_chosen": 1}
    assert run([*asked, *scenes]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["new"] for each in found] == [False, True]
    assert run([*build, "--choices", choices, "--out", str(tmp_path / "tasks")]) == 0
    capsys.readouterr()
    frames = {
        example.evidence["scene_id"]: [int(panel.view_id or "") for panel in example.question.panels]
        for example in TaskSet(tmp_path / "tasks" / "spatial_qa-test")
    }
    assert frames == {Path(each["source"]).name: each["frames"] for each in found}
    for wrong, message in (
        (["--out", str(tmp_path / "a")], "--choices FOLDER go together"),
        (["--out", str(tmp_path / "a"), "--choices", str(root)], "no settings.json in it"),
        (["--out", str(tmp_path / "a"), "--choices", choices, "--num-frames", "4"], "points-aware choices of 3 among 128 frames"),
    ):
        assert run([*build, *wrong]) == 2
        assert message in capsys.readouterr().err
