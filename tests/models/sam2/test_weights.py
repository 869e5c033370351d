"""Checkpoints in both published forms load, are written, and are refused with a reason where they do not fit."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from safetensors.torch import load_file  # noqa: E402
from transformers import Sam2VideoModel  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.models.sam2.architecture import config_of_original, config_of_yaml, resized  # noqa: E402
from sightline.models.sam2.names import from_original, to_original, to_original_name, to_transformers  # noqa: E402
from sightline.models.sam2.weights import load_sam2, read_original, write_folder, write_original  # noqa: E402
from tests.models.sam2.tiny import original_yaml  # noqa: E402


@pytest.fixture
def model(tiny_config: Any, golden: Path) -> Sam2VideoModel:
    found = Sam2VideoModel(tiny_config)
    found.load_state_dict(from_original(load_file(golden / "weights.safetensors")))
    return found


def test_original_weights_go_to_transformers_and_back_unchanged(golden: Path) -> None:
    weights = load_file(golden / "weights.safetensors")
    back = to_original(from_original(weights))
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in weights.items())


def test_every_name_of_the_published_tiny_model_has_an_original_and_back() -> None:
    with torch.device("meta"):
        full = Sam2VideoModel(config_of_original(original_yaml()["model"]))
    reshaped = {"prompt_encoder.point_embed.weight"} | {name for name in full.state_dict() if "positional_embedding" in name}
    names = full.state_dict().keys() - reshaped
    assert {to_transformers(to_original_name(name)) for name in names} == names
    assert len(names) + 5 == 471  # the published file's number of tensors: the rest, four point embeddings and one matrix


def test_the_published_tiny_model_has_its_published_size() -> None:
    with torch.device("meta"):
        full = Sam2VideoModel(config_of_original(original_yaml()["model"]))
    assert sum(parameter.numel() for parameter in full.parameters()) / 1e6 == pytest.approx(38.96, abs=0.01)
    assert sum(parameter.numel() for parameter in full.vision_encoder.parameters()) / 1e6 == pytest.approx(27.22, abs=0.01)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InputError, match=r"'sam_mask_decoders\.x' is no tensor"):
        to_transformers("sam_mask_decoders.x")


def test_a_transformers_folder_is_written_and_loads_the_same(model: Sam2VideoModel, tmp_path: Path) -> None:
    write_folder(model, tmp_path / "saved")
    again = load_sam2(tmp_path / "saved")
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in model.state_dict().items())
    with pytest.raises(InputError, match="exists already"):
        write_folder(model, tmp_path / "saved")


def test_plain_transformers_loads_the_folder(model: Sam2VideoModel, tmp_path: Path) -> None:
    write_folder(model, tmp_path / "saved")
    loaded: Any = Sam2VideoModel.from_pretrained(tmp_path / "saved", local_files_only=True, output_loading_info=True)
    again, report = loaded
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert torch.equal(again.no_object_pointer, model.no_object_pointer)


def test_an_original_file_is_written_and_read_back(model: Sam2VideoModel, golden: Path, tmp_path: Path) -> None:
    write_original(model, tmp_path / "tiny.pt")
    weights = load_file(golden / "weights.safetensors")
    assert all(torch.equal(tensor, weights[name]) for name, tensor in read_original(tmp_path / "tiny.pt").items())


def test_an_original_file_needs_its_yaml(model: Sam2VideoModel, tmp_path: Path) -> None:
    write_original(model, tmp_path / "tiny.pt")
    with pytest.raises(InputError, match="needs its YAML"):
        load_sam2(tmp_path / "tiny.pt")


def test_a_checkpoint_of_another_size_is_refused_with_names(model: Sam2VideoModel, tmp_path: Path) -> None:
    write_original(model, tmp_path / "tiny.pt")
    (tmp_path / "full.yaml").write_text(yaml.safe_dump(original_yaml(image_size=128)))
    with pytest.raises(InputError, match=r"does not fit the model .*missing: .*of another size: "):
        load_sam2(tmp_path / "tiny.pt", config=tmp_path / "full.yaml")


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"model": copy.deepcopy}, tmp_path / "evil.pt")
    with pytest.raises(InputError, match="not a file of weights alone"):
        read_original(tmp_path / "evil.pt")


@pytest.mark.parametrize("content", [b"", b"no torch file", b"PK\x03\x04cut"])
def test_what_is_no_torch_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken.pt").write_bytes(content)
    with pytest.raises(InputError, match="not a file of weights alone"):
        read_original(tmp_path / "broken.pt")


def test_a_missing_checkpoint_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="neither a transformers folder nor"):
        load_sam2(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"expected config\.json"):
        load_sam2(tmp_path / "empty")


def test_another_input_size_keeps_all_weights(model: Sam2VideoModel, tmp_path: Path) -> None:
    write_folder(model, tmp_path / "saved")
    larger = load_sam2(tmp_path / "saved", image_size=192)
    assert larger.prompt_encoder.input_image_size == 192
    assert all(torch.equal(tensor, larger.state_dict()[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("size", [0, 16, 100])
def test_an_input_size_that_is_no_multiple_of_32_is_refused(tiny_config: Any, size: int) -> None:
    with pytest.raises(InputError, match="multiple of 32"):
        resized(tiny_config, size)


@pytest.mark.parametrize("text", ["model: [", "a: 1", "model: {image_encoder: 3}"])
def test_a_yaml_without_a_model_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InputError, match=r"x\.yaml"):
        config_of_yaml(tmp_path / "x.yaml")
