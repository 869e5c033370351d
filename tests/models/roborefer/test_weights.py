"""The published folder is read, written and refused with a reason; one folder in transformers' form as well."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from safetensors.torch import load_file, save_file  # noqa: E402
from transformers import AutoModelForImageTextToText  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.models.roborefer.names import PARTS, to_model, to_published  # noqa: E402
from sightline.models.roborefer.opening import open_roborefer  # noqa: E402
from sightline.models.roborefer.weights import load_roborefer, write_published, write_single  # noqa: E402
from tests.models.roborefer import tiny  # noqa: E402


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint that may be spoilt."""
    return Path(shutil.copytree(saved, tmp_path / "checkpoint"))


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def tensors_of(folder: Path, part: str) -> dict[str, Any]:
    return load_file(folder / part / "model.safetensors")


def equal(left: Any, right: Any) -> bool:
    ours, theirs = left.state_dict(), right.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


def test_the_originals_checkpoint_is_written_back_with_the_same_tensors(golden: Path, original: Any, tmp_path: Path) -> None:
    folder, model = original
    write_published(model, tmp_path / "written", tokenizer_from=folder.tokenizer_path)
    for part in PARTS:
        before, after = tensors_of(golden / "checkpoint", part), tensors_of(tmp_path / "written", part)
        assert before.keys() == after.keys()
        assert all(tensor.numpy().tobytes() == after[name].numpy().tobytes() for name, tensor in before.items())
        was = json.loads((golden / "checkpoint" / part / "config.json").read_text())
        now = json.loads((tmp_path / "written" / part / "config.json").read_text())
        read = {"_name_or_path", "transformers_version", "model_max_length", "num_image_tokens", "projection_dim"}
        assert {name: now.get(name) for name in was.keys() - read - {"projector_hidden_act"}} == {
            name: value for name, value in was.items() if name not in read | {"projector_hidden_act"}
        }
    top = json.loads((tmp_path / "written" / "config.json").read_text())
    assert not {"_name_or_path", "model_name_or_path", "resume_path"} & top.keys()
    assert (top["image_aspect_ratio"], top["max_tiles"], top["chat_template"]) == ("dynamic", 12, "qwen2")


def test_stale_paths_and_copies_of_parts_in_the_top_config_are_not_looked_at(folder: Path) -> None:
    change(folder / "config.json", _name_or_path="/gone", resume_path="/gone", llm_cfg={"hidden_size": 7}, fwbit="E4M3")
    assert equal(load_roborefer(open_roborefer(folder)), tiny.model(tiny.config()))


@pytest.mark.parametrize("kind", ["mlp_downsample", "mlp_downsample_2x2_fix", "mlp_downsample_3x3_fix"])
@pytest.mark.parametrize("tied", [True, False])
def test_both_forms_hold_every_tensor(kind: str, tied: bool, tmp_path: Path) -> None:
    model = tiny.model(tiny.config(projector=kind, tied=tied))
    words = tiny.tokenizer_folder(tmp_path / "tokenizer")
    write_published(model, tmp_path / "published", tokenizer_from=words)
    write_single(model, tmp_path / "single", tokenizer_from=words)
    assert ("lm_head.weight" in tensors_of(tmp_path / "published", "llm")) != tied
    published, single = (open_roborefer(tmp_path / name) for name in ("published", "single"))
    assert (published.published, single.published) == (True, False)
    assert equal(load_roborefer(published), model)
    assert equal(load_roborefer(single), model)
    assert (single.config.image_token_id, single.config.newline_token_id) == (
        model.config.image_token_id,
        model.config.newline_token_id,
    )


def test_plain_transformers_loads_the_single_folder(tmp_path: Path) -> None:
    model = tiny.model(tiny.config())
    write_single(model, tmp_path / "single", tokenizer_from=tiny.tokenizer_folder(tmp_path / "tokenizer"))
    open_roborefer(tmp_path / "single")  # tells transformers of the family
    again = AutoModelForImageTextToText.from_pretrained(tmp_path / "single", local_files_only=True)
    assert equal(again, model)


def test_the_checkpoint_may_be_in_bin_files(folder: Path) -> None:
    for part in PARTS:
        torch.save(tensors_of(folder, part), folder / part / "pytorch_model.bin")
        (folder / part / "model.safetensors").unlink()
    assert equal(load_roborefer(open_roborefer(folder)), tiny.model(tiny.config()))


def test_the_checkpoint_may_be_split_with_an_index(folder: Path) -> None:
    tensors = tensors_of(folder, "llm")
    names = sorted(tensors)
    halves = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for name, held in halves.items():
        save_file({each: tensors[each] for each in held}, folder / "llm" / name)
    (folder / "llm" / "model.safetensors").unlink()
    index = {"weight_map": {each: name for name, held in halves.items() for each in held}}
    (folder / "llm" / "model.safetensors.index.json").write_text(json.dumps(index))
    found = open_roborefer(folder)
    assert len(found.weights()) == 6
    assert equal(load_roborefer(found), tiny.model(tiny.config()))
    (folder / "llm" / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(InputError, match="1 of the 2 weight files"):
        load_roborefer(found)


def test_a_bin_that_holds_more_than_weights_is_refused(folder: Path) -> None:
    torch.save({"layers.1.weight": Path("anything")}, folder / "mm_projector" / "pytorch_model.bin")
    (folder / "mm_projector" / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"mm_projector.*not a file of weights alone"):
        load_roborefer(open_roborefer(folder))


def test_a_model_without_depth_has_two_parts_fewer(tmp_path: Path) -> None:
    model = tiny.model(tiny.config(depth=False))
    write_published(model, tmp_path / "rgb", tokenizer_from=tiny.tokenizer_folder(tmp_path / "tokenizer"))
    assert not (tmp_path / "rgb" / "depth_tower").exists()
    assert equal(load_roborefer(open_roborefer(tmp_path / "rgb")), model)


def test_a_model_of_several_scales_is_read_as_it_was_written(tmp_path: Path) -> None:
    model = tiny.model(tiny.config(mode="dynamic_s2", projector="mlp_downsample"))
    write_published(model, tmp_path / "8b", tokenizer_from=tiny.tokenizer_folder(tmp_path / "tokenizer"))
    folder = open_roborefer(tmp_path / "8b")
    assert (folder.config.image_mode, list(folder.config.scales), folder.config.scale_index) == ("dynamic_s2", [28, 56, 84], -1)
    assert equal(load_roborefer(folder), model)


def test_depth_goes_through_the_vision_tower_where_the_checkpoint_says_so(folder: Path) -> None:
    change(folder / "config.json", use_depth_tower=False)
    shutil.rmtree(folder / "depth_tower")
    model = load_roborefer(open_roborefer(folder))
    tiles = torch.randn(2, 3, tiny.SIDE, tiny.SIDE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(model.model.tower_features(tiles, depth=True), model.model.tower_features(tiles))
        shown, deep = (torch.stack(model.model.media_features(tiles, depth=depth)) for depth in (False, True))
    assert not torch.equal(shown, deep)  # the projector is depth's own


def test_a_pooling_head_is_read_and_left_out(folder: Path) -> None:
    change(folder / "vision_tower" / "config.json", vision_use_head=True)
    tensors = tensors_of(folder, "vision_tower") | {"vision_model.head.probe": torch.zeros(1, 1, 16)}
    save_file(tensors, folder / "vision_tower" / "model.safetensors")
    assert equal(load_roborefer(open_roborefer(folder)), tiny.model(tiny.config()))


def test_an_encoder_may_be_a_json_string(folder: Path) -> None:
    change(folder / "config.json", image_encoder='{"_target_": "llava.model.encoders.BasicImageEncoder"}')
    assert open_roborefer(folder).published
    change(folder / "config.json", depth_encoder={"_target_": "llava.model.encoders.TSPVideoEncoder"})
    with pytest.raises(InputError, match=r"depth_encoder .*TSPVideoEncoder.*only BasicImageEncoder"):
        open_roborefer(folder)


def drop(folder: Path) -> None:
    tensors = tensors_of(folder, "depth_projector")
    del tensors["layers.5.bias"]
    save_file(tensors, folder / "depth_projector" / "model.safetensors")


def add(folder: Path) -> None:
    tensors = tensors_of(folder, "vision_tower") | {"vision_model.encoder.layers.9.x": torch.zeros(1)}
    save_file(tensors, folder / "vision_tower" / "model.safetensors")


def rename(folder: Path) -> None:
    tensors = {f"module.{name}": tensor for name, tensor in tensors_of(folder, "mm_projector").items()}
    save_file(tensors, folder / "mm_projector" / "model.safetensors")


def widen(folder: Path) -> None:
    tensors = tensors_of(folder, "mm_projector")
    tensors["layers.2.bias"] = torch.zeros(5)
    save_file(tensors, folder / "mm_projector" / "model.safetensors")


def cut(folder: Path) -> None:
    path = folder / "depth_tower" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-8])


def untie(folder: Path) -> None:
    tensors = tensors_of(folder, "llm")
    save_file(tensors | {"lm_head.weight": torch.zeros(265, 32)}, folder / "llm" / "model.safetensors")


SPOILT: list[tuple[Callable[[Path], object], str]] = [
    (lambda f: shutil.rmtree(f / "depth_tower"), r"no sub-folder depth_tower/"),
    (lambda f: shutil.rmtree(f / "mm_projector"), r"no sub-folder mm_projector/"),
    (lambda f: (f / "llm" / "config.json").unlink(), r"no config.json in the sub-folder llm/"),
    (lambda f: (f / "vision_tower" / "model.safetensors").unlink(), r"vision_tower: no weights"),
    (
        lambda f: change(f / "llm" / "config.json", vocab_size=300),
        r"wrong vocabulary size: model.embed_tokens.weight has 265 rows.*300",
    ),
    (lambda f: change(f / "llm" / "config.json", vocab_size=200), r"wrong vocabulary size: its tokenizer has 265 tokens.*200"),
    (lambda f: change(f / "llm" / "config.json", model_type="llama"), r"llm/config.json: model_type 'llama'; expected 'qwen2'"),
    (lambda f: change(f / "llm" / "config.json", tie_word_embeddings=False), r"1 missing: llm/lm_head.weight"),
    (lambda f: change(f / "mm_projector" / "config.json", mm_projector_type="mlp"), r"mm_projector/config.json: .*'mlp'.*Choices"),
    (lambda f: change(f / "vision_tower" / "config.json", model_type="clip"), r"expected 'siglip_vision_model'"),
    (lambda f: change(f / "config.json", model_type="qwen2_vl"), r"model_type 'qwen2_vl'; a RoboRefer has 'llava_llama'"),
    (lambda f: change(f / "config.json", image_aspect_ratio="pad"), r"config.json: no image mode of RoboRefer is called 'pad'"),
    (lambda f: change(f / "config.json", max_tiles=0), r"expected 1 <= min_tiles <= max_tiles"),
    (lambda f: change(f / "config.json", mm_vision_select_feature="patch"), r"only 'cls_patch'"),
    (lambda f: change(f / "config.json", max_tiles="many"), r"config.json: Expected `int`"),
    (lambda f: change(f / "depth_tower" / "preprocessor_config.json", size={"height": 56, "width": 56}), r"expected 28"),
    (lambda f: change(f / "depth_tower" / "preprocessor_config.json", image_mean=[0, 0, 0]), r"another mean or std"),
    (lambda f: (f / "llm" / "tokenizer_config.json").unlink(), r"llm: no tokenizer"),
    (drop, r"1 missing: depth_projector/layers.5.bias"),
    (add, r"1 unknown: vision_tower/vision_model.encoder.layers.9.x"),
    (rename, r"mm_projector/: 'module.layers"),
    (widen, r"1 of another size: mm_projector/layers.2.bias is \(5,\), expected \(48,\)"),
    (cut, r"depth_tower/model.safetensors cannot be read"),
    (untie, r"lm_head.weight is not the word embedding"),
]


@pytest.mark.parametrize(("spoil", "message"), SPOILT, ids=[message[:40] for _, message in SPOILT])
def test_what_is_wrong_with_a_checkpoint_is_named(spoil: Callable[[Path], object], message: str, folder: Path) -> None:
    spoil(folder)
    with pytest.raises(InputError, match=message):
        load_roborefer(open_roborefer(folder))


def test_a_folder_that_is_none_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is no folder"):
        open_roborefer(tmp_path / "none")
    with pytest.raises(InputError, match=r"no config.json\. Expected the folder"):
        open_roborefer(tmp_path)


def test_a_projector_of_one_scale_is_not_asked_with_several(saved: Path) -> None:
    assert open_roborefer(saved, image_mode="resize", max_tiles=4).config.tiling.max_tiles == 4
    with pytest.raises(InputError, match="'dynamic_s2' for a checkpoint of 'dynamic'"):
        open_roborefer(saved, image_mode="dynamic_s2", max_tiles=12)


def test_every_name_goes_both_ways() -> None:
    for name in tiny.model(tiny.config(tied=False)).state_dict():
        assert to_model(*to_published(name)) == name
    with pytest.raises(InputError, match="no tensor of RoboRefer"):
        to_published("model.visual.x")


def test_nothing_is_written_over(saved: Path, tmp_path: Path) -> None:
    model = tiny.model(tiny.config())
    for write in (write_published, write_single):
        with pytest.raises(InputError, match="is there already"):
            write(model, saved, tokenizer_from=tmp_path)
