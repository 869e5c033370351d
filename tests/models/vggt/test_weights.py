"""Published weights load name by name, and are refused with a reason where they do not fit."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")

from loguru import logger  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.models.named_weights import take  # noqa: E402
from sightline.models.vggt.config import VggtConfig, config_of_folder, values_of_config  # noqa: E402
from sightline.models.vggt.model import Vggt  # noqa: E402
from sightline.models.vggt.weights import load_vggt  # noqa: E402
from tests.models.vggt.tiny import SMALL  # noqa: E402

TRACK_HEAD = 394


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder with a small network as it is published: weights and config.json."""
    torch.manual_seed(0)
    save_file(Vggt(SMALL).state_dict() | {"track_head.x.weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(values_of_config(SMALL)))
    return tmp_path


def test_every_published_name_but_the_tracking_head_is_here_in_its_shape(golden: Path) -> None:
    published: dict[str, list[int]] = json.loads((golden / "full_size_names.json").read_text())["shapes"]
    with torch.device("meta"):
        full = Vggt(VggtConfig())
    found = {name: list(tensor.shape) for name, tensor in full.state_dict().items()}
    track = {name for name in published if name.startswith("track_head.")}
    assert len(track) == TRACK_HEAD
    assert found == {name: shape for name, shape in published.items() if name not in track}


def test_the_published_list_fills_a_full_size_network_strictly(golden: Path) -> None:
    published: dict[str, list[int]] = json.loads((golden / "full_size_names.json").read_text())["shapes"]
    with torch.device("meta"):
        full = Vggt(VggtConfig())
        tensors = {name: torch.empty(shape) for name, shape in published.items() if not name.startswith("track_head.")}
    take(full, tensors, where="VGGT-1B")
    assert sum(tensor.numel() for tensor in full.state_dict().values()) == 1_190_596_120  # all but the tracking head's 65,941,396
    with pytest.raises(InputError, match=r"VGGT-1B does not fit .*1 missing: camera_head\.token_norm\.bias"):
        take(full, {name: tensor for name, tensor in tensors.items() if name != "camera_head.token_norm.bias"}, where="VGGT-1B")


def test_a_published_folder_loads_and_counts_what_it_leaves_out(saved: Path) -> None:
    stored = load_file(saved / "model.safetensors")
    loaded = load_vggt(saved)
    assert loaded.num_ignored == 1
    assert loaded.model.config == SMALL
    assert not loaded.model.training
    assert all(torch.equal(tensor, stored[name]) for name, tensor in loaded.model.state_dict().items())
    only = load_vggt(saved, heads=())
    assert only.num_ignored == 1 + sum(not name.startswith("aggregator.") for name in loaded.model.state_dict())
    assert only.model.layers_read() == {2}


def test_a_pt_file_gives_the_same_numbers(saved: Path) -> None:
    torch.save(load_file(saved / "model.safetensors"), saved / "model.pt")
    images = torch.rand(1, 2, 3, 28, 42)
    with torch.no_grad():
        found, expected = (load_vggt(saved / name).model(images) for name in ("model.pt", "model.safetensors"))
    assert torch.equal(found.points, expected.points)


def test_the_heads_stay_in_float32_beside_a_bfloat16_aggregator(saved: Path) -> None:
    images = torch.rand(1, 2, 3, 28, 42)
    whole, half = (load_vggt(saved, dtype=dtype).model for dtype in (torch.float32, torch.bfloat16))
    assert half.aggregator.camera_token.dtype == torch.bfloat16
    with torch.no_grad():
        found, expected = half(images), whole(images)
    assert found.depth.dtype == torch.float32
    torch.testing.assert_close(found.depth, expected.depth, rtol=0.05, atol=0)


def test_the_licence_of_the_weights_is_said_where_they_are_loaded(saved: Path) -> None:
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}")
    load_vggt(saved)
    logger.remove(sink)
    assert "non-commercial use only" in lines[0]
    assert "VGGT-1B-Commercial" in lines[0]
    assert "1 ignored" in lines[0]


def test_weights_of_other_sizes_are_refused_with_names(saved: Path) -> None:
    (saved / "config.json").unlink()
    with pytest.raises(InputError, match=r"does not fit the model .*missing: .*of another size: "):
        load_vggt(saved)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"x": copy.deepcopy}, tmp_path / "model.pt")
    with pytest.raises(InputError, match="not a file of weights alone"):
        load_vggt(tmp_path)


@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
def test_a_damaged_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04cut")
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        load_vggt(tmp_path)


def test_a_pt_file_of_other_things_is_refused(tmp_path: Path) -> None:
    torch.save({"model": {}}, tmp_path / "model.pt")
    with pytest.raises(InputError, match="expected tensors by name"):
        load_vggt(tmp_path)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors or model\.pt"):
        load_vggt(tmp_path)


def test_sizes_are_written_and_read_back(tmp_path: Path) -> None:
    assert config_of_folder(tmp_path) == VggtConfig()
    for values, expected in (
        ({"img_size": 518, "patch_size": 14, "embed_dim": 1024}, VggtConfig()),
        (values_of_config(SMALL), SMALL),
    ):
        (tmp_path / "config.json").write_text(json.dumps(values))
        assert config_of_folder(tmp_path) == expected
    (tmp_path / "config.json").write_text('{"img_size": "large"}')
    with pytest.raises(InputError, match=r"config\.json: sizes of VGGT"):
        config_of_folder(tmp_path)


def test_frames_and_layers_that_do_not_fit_are_refused() -> None:
    aggregator: Any = Vggt(SMALL, heads=()).aggregator
    with pytest.raises(InputError, match=r"30 x 28 pixels .* multiples of 14"):
        aggregator(torch.rand(1, 1, 3, 28, 30))
    with pytest.raises(InputError, match=r"layers \[3\] .* 0 to 2"):
        aggregator(torch.rand(1, 1, 3, 28, 28), layers=[3])


def test_layers_after_the_last_one_wanted_are_not_computed() -> None:
    aggregator: Any = Vggt(SMALL, heads=()).aggregator
    run: list[int] = []
    for layer, block in enumerate(aggregator.global_blocks):
        block.attn.register_forward_hook(lambda *_, layer=layer: run.append(layer))
        block.norm2.register_forward_hook(lambda *_, layer=layer: run.append(layer))
    with torch.no_grad():
        assert sorted(aggregator(torch.rand(1, 2, 3, 28, 28), layers=[1])) == [1]
    assert set(run) == {0, 1}
