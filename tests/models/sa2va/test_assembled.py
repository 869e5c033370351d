"""A Sa2VA put together from a language model and a SAM 2: theirs is theirs, the rest is new, and the whole can be asked."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from safetensors.torch import load_file, save_file  # noqa: E402

from sightline.cli import run  # noqa: E402
from sightline.demo.tiny_sa2va import DECODER_SIZES, SAM2_SIZES, tiny_sa2va  # noqa: E402
from sightline.errors import InputError  # noqa: E402
from sightline.models.sa2va.assembled import write_assembled  # noqa: E402
from sightline.models.sa2va.checkpoint import load_sa2va  # noqa: E402
from sightline.models.sa2va.conversation import NEW_TOKENS  # noqa: E402
from sightline.models.sa2va.modes import MODES  # noqa: E402
from sightline.models.sa2va.names import is_grounding  # noqa: E402
from sightline.models.sa2va.segment import asking, segment  # noqa: E402
from sightline.models.sa2va.sizes import sam2_config, sizes_of  # noqa: E402
from sightline.models.sam2.weights import write_folder  # noqa: E402
from tests.models.sa2va.frames import Pictures  # noqa: E402
from tests.models.sa2va.separated import separate  # noqa: E402


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> tuple[Path, Path]:
    """An InternVL in its authors' layout, whose tokenizer lacks the new tokens, and a small SAM 2.0."""
    place = tmp_path_factory.mktemp("parts")
    return separate(tiny_sa2va(place / "whole", ["cup"]), place)


def test_what_was_there_stays_and_the_new_tokens_have_rows_of_their_own(parts, tmp_path, capsys):
    mllm, sam2 = parts
    assert run(["assemble-sa2va", "--mllm", str(mllm), "--sam2", str(sam2), "--out", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"checkpoint": str(tmp_path / "out")}
    before, after = (load_file(folder / "model.safetensors") for folder in (mllm, tmp_path / "out"))
    assert {name for name in after if not is_grounding(name)} == before.keys()
    grown = {name for name in before if after[name].shape != before[name].shape}
    assert grown == {"language_model.model.embed_tokens.weight", "language_model.lm_head.weight"}
    for name, tensor in before.items():
        assert torch.equal(after[name][: len(tensor)], tensor), name
    for name in grown:
        rows = after[name][len(before[name]) :]
        assert len(rows) == len(NEW_TOKENS)
        assert len(torch.unique(rows, dim=0)) == len(NEW_TOKENS)
        assert float(rows.std()) == pytest.approx(float(before[name].std()), rel=0.2)
    model = load_sa2va(tmp_path / "out")
    theirs = load_file(sam2 / "model.safetensors")
    assert all(torch.equal(tensor, model.grounding.clip.model.state_dict()[name]) for name, tensor in theirs.items())
    assert model.seg_id == len(before["language_model.lm_head.weight"])
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["tiny_sam2_sizes"], config["template"]) == (SAM2_SIZES, "qwen_chat")
    assert "auto_map" not in config
    frames = Pictures(torch.randint(0, 256, (3, 40, 60, 3), dtype=torch.uint8).numpy())
    assert len(segment(model, frames, [asking("the cup")], MODES["consistent"], max_new_tokens=4)) == 1


def test_the_seed_alone_says_what_is_drawn(parts, tmp_path):
    mllm, sam2 = parts
    drawn = [load_file(write_assembled(mllm, sam2, tmp_path / str(n), seed=n % 2) / "model.safetensors") for n in range(3)]
    assert all(torch.equal(drawn[0][name], drawn[2][name]) for name in drawn[0])
    assert not torch.equal(drawn[0]["text_hidden_fcs.0.weight"], drawn[1]["text_hidden_fcs.0.weight"])


def test_a_qwen_vl_becomes_one_too(models, folders, tmp_path):
    whole = models["qwen3vl"]
    whole.language.save_pretrained(tmp_path / "qwen")
    for path in folders["qwen3vl"].iterdir():
        if path.name not in ("config.json", "model.safetensors"):
            (tmp_path / "qwen" / path.name).write_bytes(path.read_bytes())
    write_folder(whole.grounding.clip.model, tmp_path / "sam2")
    made = load_sa2va(write_assembled(tmp_path / "qwen", tmp_path / "sam2", tmp_path / "out"))
    assert made.family.name == "qwen3vl"
    theirs = whole.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in made.state_dict().items() if "text_hidden_fcs" not in name)


def test_sizes_are_read_back():
    given = {"tiny_sam2_sizes": SAM2_SIZES, "tiny_sam2_overridden": DECODER_SIZES}
    assert sizes_of(sam2_config(given, where="here")) == given
    assert sizes_of(sam2_config({}, where="here")) == {}


def test_what_cannot_be_put_together_is_refused_by_name(parts, tmp_path):
    mllm, sam2 = parts
    with pytest.raises(InputError, match=r"sam2_video.*expected one of internvl_chat, qwen2_5_vl, qwen3_vl"):
        write_assembled(sam2, sam2, tmp_path / "out")
    with pytest.raises(InputError, match="'internvl_chat'; expected 'sam2_video'"):
        write_assembled(mllm, mllm, tmp_path / "out")
    newer = json.loads((sam2 / "config.json").read_text()) | {"enable_occlusion_spatial_embedding": True}
    weights = load_file(sam2 / "model.safetensors")
    weights["occlusion_spatial_embedding_parameter"] = torch.zeros(1, 64)
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / "config.json").write_text(json.dumps(newer))
    save_file(weights, tmp_path / "newer" / "model.safetensors")
    with pytest.raises(InputError, match=r"a SAM 2\.1; Sa2VA has a SAM 2\.0"):
        write_assembled(mllm, tmp_path / "newer", tmp_path / "out")
    with pytest.raises(FileNotFoundError):
        write_assembled(tmp_path / "none", sam2, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="is there already"):
        write_assembled(mllm, sam2, tmp_path / "out")
