"""Sa2VA on InternVL2.5 with InternLM2.5: published tensors, computed by hand and by the loaded model."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sightline  # noqa: F401 - mends torchvision before transformers looks at it

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

import torch.nn.functional as F  # noqa: E402, N812
from safetensors.torch import load_file  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.models.sa2va.checkpoint import load_sa2va, published_state, write_sa2va  # noqa: E402
from sightline.models.sa2va.family import NO_MEDIA  # noqa: E402
from sightline.models.sa2va.internlm2 import InternLm2  # noqa: E402
from sightline.models.sa2va.modes import MODES  # noqa: E402
from sightline.models.sa2va.segment import asking, segment  # noqa: E402
from tests.models.sa2va.frames import Pictures  # noqa: E402
from tests.models.sa2va.published import CONTEXT, PATCH, SIDE, write_internlm2  # noqa: E402

NEAR = 1e-5
SCALINGS = {"none": None, "dynamic": {"type": "dynamic", "factor": 2.0}, "linear": {"type": "linear", "factor": 4.0}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_internlm2(tmp_path_factory.mktemp("internlm2"))


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return load_sa2va(folder)


def rms(states: Any, weight: Any, epsilon: float) -> Any:
    return weight * states / torch.sqrt((states**2).mean(dim=-1, keepdim=True) + epsilon)


def turned(states: Any, config: Mapping[str, Any]) -> Any:
    """Each (place, head) vector turned by its place, dimension i with i + d/2; the base grows with texts beyond the context."""
    length, _, size = states.shape
    base, places, most = config["rope_theta"], torch.arange(length).double(), config["max_position_embeddings"]
    scaling = config["rope_scaling"] or {}
    if scaling.get("type") == "linear":
        places = places / scaling["factor"]
    elif scaling and length > most:
        base = base * (scaling["factor"] * length / most - (scaling["factor"] - 1)) ** (size / (size - 2))
    angles = places[:, None] / base ** (torch.arange(0, size, 2).double() / size)
    cosines, sines = angles.cos().float()[:, None], angles.sin().float()[:, None]
    first, second = states[..., : size // 2], states[..., size // 2 :]
    return torch.cat([first * cosines - second * sines, second * cosines + first * sines], dim=-1)


def internlm2(tensors: Mapping[str, Any], config: Mapping[str, Any], states: Any) -> tuple[Any, Any]:
    """Last states (L, D) and logits (L, V) of embedded tokens (L, D), by published tensors."""
    heads, groups, epsilon = (config[name] for name in ("num_attention_heads", "num_key_value_heads", "rms_norm_eps"))
    length, wide = states.shape
    size, share = wide // heads, heads // groups
    seen = torch.ones(length, length, dtype=torch.bool).tril()
    for layer in range(config["num_hidden_layers"]):
        own = {name.partition(f"layers.{layer}.")[2]: each for name, each in tensors.items() if f"l.layers.{layer}." in name}
        rows = (rms(states, own["attention_norm.weight"], epsilon) @ own["attention.wqkv.weight"].T).view(
            length, groups, share + 2, size
        )
        attended = []
        for head in range(heads):
            group = rows[:, head // share]
            query, key = (turned(group[:, place, None], config)[:, 0] for place in (head % share, share))
            weights = (query @ key.T / math.sqrt(size)).masked_fill(~seen, -math.inf).softmax(dim=-1)
            attended.append(weights @ group[:, share + 1])
        states = states + torch.cat(attended, dim=-1) @ own["attention.wo.weight"].T
        inner = rms(states, own["ffn_norm.weight"], epsilon)
        gate, up = (inner @ own[f"feed_forward.{name}.weight"].T for name in ("w1", "w3"))
        states = states + (gate * torch.sigmoid(gate) * up) @ own["feed_forward.w2.weight"].T
    last = rms(states, tensors["language_model.model.norm.weight"], epsilon)
    return last, last @ tensors["language_model.output.weight"].T


def language_of(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The language model's published tensors, and its configuration."""
    tensors = {name: each for name, each in load_file(folder / "model.safetensors").items() if name.startswith("language_model.")}
    return tensors, json.loads((folder / "config.json").read_text())["llm_config"]


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("length", [30, 48])
def test_the_language_model_computes_what_its_published_tensors_say(scaling: str, length: int, tmp_path: Path) -> None:
    """Also beyond the 32 tokens that it was made for."""
    folder = write_internlm2(tmp_path, rope_scaling=SCALINGS[scaling], max_position_embeddings=32)
    tensors, config = language_of(folder)
    ids = torch.randint(0, 300, (1, length), generator=torch.Generator().manual_seed(length))
    with torch.no_grad():
        found = load_sa2va(folder).read(ids, NO_MEDIA)
    states, logits = internlm2(tensors, config, tensors["language_model.model.tok_embeddings.weight"][ids[0]])
    torch.testing.assert_close(found.states[0], states, atol=NEAR, rtol=0)
    torch.testing.assert_close(found.logits[0], logits, atol=NEAR, rtol=0)


def test_each_scaling_turns_in_its_own_way() -> None:
    """The computation by hand tells them apart where it must: `dynamic` behind the context only."""
    states = torch.randn(48, 1, 8, generator=torch.Generator().manual_seed(0))
    common = {"rope_theta": 10_000, "max_position_embeddings": 32}
    plain, dynamic, linear = (turned(states, common | {"rope_scaling": each}) for each in SCALINGS.values())
    short = turned(states[:30], common | {"rope_scaling": SCALINGS["dynamic"]})
    assert torch.equal(short, plain[:30])
    assert (dynamic - plain).abs().max() > 0.01
    assert (linear - plain).abs().max() > 0.1


def test_pictures_and_a_generated_answer_go_through_the_same_computation(folder: Path, model: Any) -> None:
    tensors, config = language_of(folder)
    frames = Pictures(np.random.default_rng(0).integers(0, 256, (1, 40, 90, 3), dtype=np.uint8))
    media = model.family.show([frames.rgb(0)], video=False)
    (heard,) = model.answers(media, [asking("the person")], max_new_tokens=24)
    prompt = model._ids(model.family.question(asking("the person"), media))
    assert prompt[0] == 1  # texts begin with <s>
    assert (
        prompt.count(model.tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>")) == 4 * 3
    )  # 2 x 1 tiles and a thumbnail, 4 tokens each
    embedded: list[Any] = []
    handle = model.language.model.language_model.register_forward_pre_hook(
        lambda _module, _args, given: embedded.append(given["inputs_embeds"]), with_kwargs=True
    )
    ids = torch.tensor([[*prompt, *heard.ids[:-1]]])
    with torch.no_grad():
        model.read(ids, media)
    handle.remove()
    states, logits = internlm2(tensors, config, embedded[0][0])
    assert logits[len(prompt) - 1 :].argmax(dim=-1).tolist() == list(heard.ids)
    said = torch.arange(ids.shape[1]) >= len(prompt)
    assert len(heard.states) > 0
    torch.testing.assert_close(heard.states, states[said & (ids[0] == model.seg_id)], atol=NEAR, rtol=0)


def test_a_clip_is_answered_with_masks(model: Any) -> None:
    frames = Pictures(np.random.default_rng(1).integers(0, 256, (3, 40, 60, 3), dtype=np.uint8))
    texts = [asking(words) for words in ("the person", "the hat on the left", "which one is it?")]
    found = segment(model, frames, texts, MODES["consistent"], max_new_tokens=40)
    assert any(own.tracks for own in found)
    assert all(len(track) == 3 for own in found for track in own.tracks)


@pytest.mark.parametrize("large", [False, True])
def test_the_vision_tower_computes_what_its_published_tensors_say(large: bool, tmp_path: Path) -> None:
    """That of 8B and that of 26B, which has RMS norms and normalises queries and keys over all heads at once."""
    folder = write_internlm2(tmp_path, large_vision=large)
    model = load_sa2va(folder)
    picture = np.random.default_rng(2).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    pixels = model.family.show([picture], video=True).tensors["pixel_values"]
    with torch.no_grad():
        found = model.language.model.vision_tower(pixels).last_hidden_state[0]
    torch.testing.assert_close(found, vision(load_file(folder / "model.safetensors"), pixels[0], large=large), atol=NEAR, rtol=0)


def vision(tensors: Mapping[str, Any], pixels: Any, *, large: bool) -> Any:
    """States (1 + N, C) of a picture (3, S, S) by published tensors."""
    start = "vision_model.embeddings."
    patches = F.conv2d(
        pixels[None], tensors[f"{start}patch_embedding.weight"], tensors[f"{start}patch_embedding.bias"], stride=PATCH
    )
    states = torch.cat([tensors[f"{start}class_embedding"][0], patches[0].flatten(1).T]) + tensors[f"{start}position_embedding"][0]
    wide = states.shape[-1]
    for layer in range(2):
        own = {name.partition(f"layers.{layer}.")[2]: each for name, each in tensors.items() if f"encoder.layers.{layer}." in name}

        def norm(given: Any, name: str, own: Mapping[str, Any] = own) -> Any:
            weight, bias = own[f"{name}.weight"], own.get(f"{name}.bias")
            return rms(given, weight, 1e-6) if large else F.layer_norm(given, (wide,), weight, bias, 1e-6)

        bias = own.get("attn.qkv.bias", torch.zeros(3 * wide))
        queries, keys, values = (norm(states, "norm1") @ own["attn.qkv.weight"].T + bias).chunk(3, dim=-1)
        if large:
            queries, keys = norm(queries, "attn.q_norm"), norm(keys, "attn.k_norm")
        heads = [part.view(len(states), 4, -1).transpose(0, 1) for part in (queries, keys, values)]
        weights = (heads[0] @ heads[1].transpose(1, 2) / math.sqrt(wide // 4)).softmax(dim=-1)
        joined = (weights @ heads[2]).transpose(0, 1).reshape(len(states), wide)
        states = states + own["ls1"] * (joined @ own["attn.proj.weight"].T + own["attn.proj.bias"])
        inner = F.gelu(norm(states, "norm2") @ own["mlp.fc1.weight"].T + own["mlp.fc1.bias"])
        states = states + own["ls2"] * (inner @ own["mlp.fc2.weight"].T + own["mlp.fc2.bias"])
    return states


def test_rows_go_by_key_value_head() -> None:
    names = InternLm2({"num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 8}, where="a test")
    # 2 groups of 2 queries, a key and a value of 2 rows each: rows 0-3 queries, 4-5 key, 6-7 value, then 8-11, 12-13, 14-15
    fused = torch.arange(16.0)[:, None] * torch.ones(8)
    queries, keys, values = names.split(fused)
    assert queries[:, 0].tolist() == [0, 1, 2, 3, 8, 9, 10, 11]
    assert keys[:, 0].tolist() == [4, 5, 12, 13]
    assert values[:, 0].tolist() == [6, 7, 14, 15]
    assert torch.equal(names.join(queries, keys, values), fused)
    assert torch.equal(names.join(*names.split(fused[:, 0])), fused[:, 0])  # and so do those of a bias


def test_published_names_come_back_unchanged(folder: Path, model: Any, tmp_path: Path) -> None:
    stored = load_file(folder / "model.safetensors")
    back = published_state(model)
    assert back.keys() == stored.keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in stored.items())
    write_sa2va(model, tmp_path / "copy", source=folder)
    again = load_sa2va(tmp_path / "copy")
    assert all(torch.equal(tensor, stored[name]) for name, tensor in published_state(again).items())
    assert again.tokenizer.encode("the person[SEG]") == model.tokenizer.encode("the person[SEG]")


def test_what_is_not_known_is_refused_by_name(tmp_path: Path) -> None:
    for name, changed, expected in (
        (
            "scaling",
            {"rope_scaling": {"type": "yarn", "factor": 2.0}},
            "rope_scaling .*yarn.* of InternLM2; expected none, or a type",
        ),
        ("factor", {"rope_scaling": {"type": "dynamic"}}, "expected none, or a type of dynamic or linear and a factor"),
        ("heads", {"num_key_value_heads": 3}, "8 heads, 3 of keys, in states 64 wide"),
    ):
        made = tmp_path / name
        made.mkdir()
        write_internlm2(made)
        config = json.loads((made / "config.json").read_text())
        config["llm_config"] |= changed
        (made / "config.json").write_text(json.dumps(config))
        with pytest.raises(InputError, match=expected):
            load_sa2va(made)


def test_the_room_is_that_of_the_language_model(model: Any) -> None:
    with pytest.raises(InputError, match=rf"room for {CONTEXT}"):
        model.answers(NO_MEDIA, ["the person" * CONTEXT], max_new_tokens=1)
