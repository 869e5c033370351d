"""Published v1.1 checkpoints load and are written; v1.0 and damaged ones are refused with the reason."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from safetensors.torch import load_file, save_file  # noqa: E402
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.models.spatial_mllm.model import SpatialMllm  # noqa: E402
from sightline.models.spatial_mllm.names import LM_HEAD, from_published, to_published  # noqa: E402
from sightline.models.spatial_mllm.settings import SpatialSettings, settings_of_config, values_of_settings  # noqa: E402
from sightline.models.spatial_mllm.vggt_of import open_vggt  # noqa: E402
from sightline.models.spatial_mllm.weights import assemble_spatial_mllm, load_spatial_mllm, write_spatial_mllm  # noqa: E402
from sightline.models.vggt.config import VggtConfig, values_of_config  # noqa: E402
from sightline.models.vggt.model import HEADS, Vggt  # noqa: E402
from tests.models.spatial_mllm.tiny import qwen25_config, video  # noqa: E402
from tests.models.vggt.tiny import SMALL  # noqa: E402

PUBLISHED_TEXT = {
    "hidden_size": 2048,
    "intermediate_size": 11008,
    "num_hidden_layers": 36,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "vocab_size": 151936,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
}
PUBLISHED_VISION = {"hidden_size": 1280, "intermediate_size": 3420, "out_hidden_size": 2048}


@pytest.fixture
def copied(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "copied"))


def test_every_published_name_is_here_in_its_shape(golden: Path) -> None:
    listed: dict[str, list[int]] = json.loads((golden / "full_size_names.json").read_text())["shapes"]
    config: Any = Qwen2_5_VLConfig(text_config=PUBLISHED_TEXT, vision_config=PUBLISHED_VISION, tie_word_embeddings=True)
    with torch.device("meta"):
        full = SpatialMllm(config, SpatialSettings(), heads=HEADS)
    found = {to_published(name): list(tensor.shape) for name, tensor in full.state_dict().items() if name != LM_HEAD}
    vggt = {name for name in found if name.startswith("spatial_encoder.vggt_model.")}
    assert {name: shape for name, shape in found.items() if name not in vggt} == listed
    geometry = json.loads((golden.parent / "vggt" / "full_size_names.json").read_text())["shapes"]
    untracked = {f"spatial_encoder.vggt_model.{name}" for name in geometry if not name.startswith("track_head.")}
    assert vggt == untracked


def test_names_go_to_ours_and_back(golden: Path) -> None:
    names = list(load_file(golden / "weights.safetensors"))
    assert [to_published(from_published(name)) for name in names] == names
    assert len({from_published(name) for name in names}) == 370
    with pytest.raises(InputError, match=r"'mm_projector\.weight' is no tensor"):
        from_published("mm_projector.weight")


def test_published_weights_are_the_models_and_the_heads_are_counted(published: Path) -> None:
    stored = load_file(published / "model.safetensors")
    loaded: Any = load_spatial_mllm(published)
    found = {to_published(name): tensor for name, tensor in loaded.model.state_dict().items() if name != LM_HEAD}
    assert loaded.num_ignored == len(stored) - len(found) == sum("_head." in name for name in stored)
    assert all(torch.equal(tensor, stored[name]) for name, tensor in found.items())
    assert loaded.model.lm_head.weight is loaded.model.get_input_embeddings().weight
    half: Any = load_spatial_mllm(published, dtype=torch.bfloat16).model
    assert half.connector.mlp[0].weight.dtype == torch.bfloat16


def test_a_written_checkpoint_has_the_published_names_and_loads_the_same(published: Path, tmp_path: Path) -> None:
    model = load_spatial_mllm(published, heads=HEADS).model
    write_spatial_mllm(model, tmp_path / "out", shard_bytes=10**6)
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())["weight_map"]
    assert index.keys() == load_file(published / "model.safetensors").keys()
    assert len(set(index.values())) > 1
    again = load_spatial_mllm(tmp_path / "out", heads=HEADS).model
    assert again.spatial == model.spatial
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in model.state_dict().items())
    with pytest.raises(InputError, match="is there already"):
        write_spatial_mllm(model, tmp_path / "out")


def test_a_written_config_says_what_the_published_one_says(golden: Path, published: Path, tmp_path: Path) -> None:
    write_spatial_mllm(load_spatial_mllm(published).model, tmp_path / "out")
    found = json.loads((tmp_path / "out" / "config.json").read_text())
    expected = json.loads((golden / "config.json").read_text())["reference_config"]
    own = ("vision_config", "spatial_config", "connector_config", "sliding_window")  # the last is null where it is not used
    assert {key: found[key] for key in expected if key not in own} == {key: expected[key] for key in expected if key not in own}
    for part, left_out in (
        ("vision_config", {"model_type"}),
        ("spatial_config", {"_attn_implementation_autoset"}),
        ("connector_config", set()),
    ):
        kept = expected[part].keys() - left_out
        assert {key: found[part][key] for key in kept} == {key: expected[part][key] for key in kept}


def test_version_1_0_is_refused_by_its_config_and_by_its_tensors(copied: Path) -> None:
    tensors = load_file(copied / "model.safetensors")
    save_file({**tensors, "connector.mlp2.0.weight": torch.zeros(2)}, copied / "model.safetensors")
    with pytest.raises(InputError, match=r"a connector of \['ln_q\.weight'.*'mlp2\.0\.weight'\].*v1\.0 \(order frame, row, column"):
        load_spatial_mllm(copied)
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps({**config, "connector_config": {"version": "1.0"}}))
    with pytest.raises(InputError, match=r"connector of version 1\.0\. v1\.1 \(order row, column, channel, frame"):
        load_spatial_mllm(copied)
    del config["connector_config"]
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"no connector_config, so this is a Spatial-MLLM of version 1\.0"):
        load_spatial_mllm(copied)


def test_what_is_no_whole_checkpoint_is_refused(copied: Path, tmp_path: Path) -> None:
    tensors = load_file(copied / "model.safetensors")
    del tensors["model.norm.weight"]
    save_file(tensors, copied / "model.safetensors")
    with pytest.raises(InputError, match=r"1 missing: model\.language_model\.norm\.weight"):
        load_spatial_mllm(copied)
    (tmp_path / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
    with pytest.raises(InputError, match="a model of type 'qwen2_5_vl'; expected 'spatial-mllm'"):
        load_spatial_mllm(tmp_path)
    with pytest.raises(FileNotFoundError):
        load_spatial_mllm(tmp_path / "nowhere")


def test_settings_are_written_and_read_back() -> None:
    for settings in (SpatialSettings(), SpatialSettings(vggt=SMALL, fusion="cross_attn", layer=-2)):
        assert settings_of_config(values_of_settings(settings), where="x") == settings
    published = {"model_type": "spatial-mllm", "connector_config": {"connector_type": "mlp_add", "spatial_embeds_layer_idx": -1}}
    assert settings_of_config(published, where="x") == SpatialSettings(vggt=VggtConfig())
    with pytest.raises(InputError, match="x: a connector_config that cannot be read"):
        settings_of_config({**published, "connector_config": {"connector_type": "gate"}}, where="x")


def test_a_new_model_is_put_together_from_its_parts(tmp_path: Path) -> None:
    torch.manual_seed(1)
    language = Qwen2_5_VLForConditionalGeneration(qwen25_config())
    language.save_pretrained(tmp_path / "qwen")
    (tmp_path / "vggt").mkdir()
    save_file(Vggt(SMALL).state_dict(), tmp_path / "vggt" / "model.safetensors")
    (tmp_path / "vggt" / "config.json").write_text(json.dumps(values_of_config(SMALL)))
    parts = (tmp_path / "qwen", tmp_path / "vggt")
    model: Any = assemble_spatial_mllm(*parts, dtype=torch.float32)
    assert model.spatial == SpatialSettings(vggt=SMALL)
    assert torch.equal(model.get_input_embeddings().weight, language.get_input_embeddings().weight)
    same: Any = assemble_spatial_mllm(*parts, seed=0, dtype=torch.float32)
    other: Any = assemble_spatial_mllm(*parts, seed=1, dtype=torch.float32)
    assert torch.equal(model.connector.mlp[0].weight, same.connector.mlp[0].weight)
    assert not torch.equal(model.connector.mlp[0].weight, other.connector.mlp[0].weight)
    write_spatial_mllm(model, tmp_path / "out")
    inputs = video("qwen25")
    with torch.no_grad():
        found, expected = load_spatial_mllm(tmp_path / "out").model(**inputs).logits, model(**inputs).logits
    assert torch.equal(found, expected)


def test_a_language_model_that_counts_time_otherwise_is_refused(tmp_path: Path) -> None:
    config = qwen25_config()
    config.vision_config.tokens_per_second = 4
    Qwen2_5_VLForConditionalGeneration(config).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="4 tokens per second of video; Spatial-MLLM counts 2"):
        assemble_spatial_mllm(tmp_path, tmp_path)


def test_the_vggt_inside_a_published_checkpoint_is_used_by_itself(published: Path, tmp_path: Path) -> None:
    found = open_vggt(published, heads=("point",))
    whole = load_spatial_mllm(published, heads=("point",)).model
    images = torch.rand(1, 2, 3, 28, 42)
    with torch.no_grad():
        assert torch.equal(found.model(images).points, whole.spatial_encoder(images).points)
    assert found.num_ignored == load_spatial_mllm(published, heads=("point",)).num_ignored
    write_spatial_mllm(load_spatial_mllm(published).model, tmp_path / "without")
    with pytest.raises(InputError, match="a Spatial-MLLM without VGGT's point head"):
        open_vggt(tmp_path / "without", heads=("point",))
    assert open_vggt(tmp_path / "without", heads=()).num_ignored == 0
