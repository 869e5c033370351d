"""Sa2VA on Qwen2.5-VL: a folder in the published layout is plain transformers' Qwen2.5-VL with our grounding path behind it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sightline  # noqa: F401 - mends torchvision before transformers looks at it

torch = pytest.importorskip("torch", reason="needs the models extra")
transformers = pytest.importorskip("transformers", reason="needs the models extra")

from PIL import Image  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.geometry.masks import decode_mask  # noqa: E402
from sightline.models.sa2va.checkpoint import load_sa2va, published_state, write_sa2va  # noqa: E402
from sightline.models.sa2va.modes import MODES  # noqa: E402
from sightline.models.sa2va.pictures import SquareFrames, at_picture_size  # noqa: E402
from sightline.models.sa2va.segment import asking, segment  # noqa: E402
from tests.models.sa2va.frames import Pictures  # noqa: E402
from tests.models.sa2va.published import write_qwen25vl  # noqa: E402

HEIGHT, WIDTH = 60, 90
TOKENS = 20
NEAR = 1e-5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_qwen25vl(tmp_path_factory.mktemp("qwen25vl"))


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return load_sa2va(folder)


@pytest.fixture(scope="module")
def plain(folder: Path) -> Any:
    """transformers' own model with the folder's weights."""
    stored = json.loads((folder / "config.json").read_text())
    keys = ("text_config", "vision_config", "image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    found = transformers.Qwen2_5_VLForConditionalGeneration(
        transformers.Qwen2_5_VLConfig(tie_word_embeddings=False, **{key: stored[key] for key in keys})
    )
    tensors = load_file(folder / "model.safetensors")
    found.load_state_dict({name.removeprefix("model."): each for name, each in tensors.items() if name.startswith("model.")})
    return found.eval()


def pictures(count: int) -> Pictures:
    return Pictures(np.random.default_rng(count).integers(0, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8))


def asked_plainly(plain: Any, folder: Path, shown: list[Any], words: str) -> tuple[Any, Any]:
    """Prompt and answer (L,), and the last hidden states (L - 1, D): the processor's steps and `generate`."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil  # noqa: PLC0415

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, config=transformers.Qwen2Config())
    processor = Qwen2VLImageProcessorPil.from_pretrained(folder)
    # 60 x 90 is 56 x 84 in multiples of 28; 512 x 784 pixels are 9.24**2 of that: 517 x 776, rounded up 19 x 28 times 28
    resized = [Image.fromarray(picture).resize((84, 56)) for picture in shown]
    ready = processor(resized, size={"shortest_edge": 512 * 784, "longest_edge": 2048 * 784}, return_tensors="pt")
    assert ready["image_grid_thw"].tolist() == [[1, 38, 56]] * len(shown)
    content = [*({"type": "image"} for _ in shown), {"type": "text", "text": words}]
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False)
    ids = tokenizer(prompt.replace("<|image_pad|>", "<|image_pad|>" * 19 * 28), return_tensors="pt").input_ids
    found = plain.generate(
        input_ids=ids,
        pixel_values=ready["pixel_values"],
        image_grid_thw=ready["image_grid_thw"],
        mm_token_type_ids=(ids == plain.config.image_token_id).int(),
        max_new_tokens=TOKENS,
        do_sample=False,
        pad_token_id=0,
        output_hidden_states=True,
        return_dict_in_generate=True,
    )
    return found.sequences[0], torch.cat([step[-1][0] for step in found.hidden_states])


@pytest.mark.parametrize("count", [1, 7])
def test_it_answers_as_plain_transformers_with_the_grounding_path_behind(count: int, model: Any, plain: Any, folder: Path) -> None:
    frames = pictures(count)
    (found,) = segment(model, frames, [asking("the dog")], MODES["official"], max_new_tokens=TOKENS)
    said, states = asked_plainly(plain, folder, [frames.rgb(frame) for frame in range(min(count, 5))], "\nPlease segment the dog.")
    assert found.heard.ids == tuple(said[-len(found.heard.ids) :].tolist())
    segs = states[said[:-1] == model.seg_id]
    assert len(segs) > 0
    torch.testing.assert_close(found.heard.states, segs, atol=NEAR, rtol=0)

    weights = load_file(folder / "model.safetensors")
    inner = torch.relu(segs @ weights["text_hidden_fcs.0.weight"].T + weights["text_hidden_fcs.0.bias"])
    tokens = inner @ weights["text_hidden_fcs.2.weight"].T + weights["text_hidden_fcs.2.bias"]
    side = model.grounding.image_size
    for token, track in zip(tokens, found.tracks, strict=True):
        steps = list(model.grounding.follow(SquareFrames(frames, side), {"it": token}, MODES["official"]))
        logits = torch.cat([at_picture_size(step.low_res, side, (HEIGHT, WIDTH)) for step in steps]).detach().numpy()
        masks = np.stack([decode_mask(rle) for rle in track])
        assert ((logits > 0) != masks)[np.abs(logits) > 1e-3].sum() == 0


def test_the_state_is_the_one_behind_the_final_normalisation(model: Any, plain: Any) -> None:
    media = model.family.show([pictures(1).rgb(0)], video=False)
    ids = torch.tensor([model._ids(model.family.question(asking("the dog"), media))])
    types = {"mm_token_type_ids": (ids == plain.config.image_token_id).int()}
    with torch.no_grad():
        own = model.read(ids, media)
        other = plain(input_ids=ids, output_hidden_states=True, **media.tensors, **types)
    torch.testing.assert_close(own.states, other.hidden_states[-1], atol=NEAR, rtol=0)
    torch.testing.assert_close(plain.lm_head(own.states), own.logits, atol=NEAR, rtol=0)


def test_the_prompt_has_the_system_turn_of_the_processors_template(model: Any) -> None:
    media = model.family.show([pictures(1).rgb(0)], video=False)
    prompt = model.family.question("<image>Hello", media)
    assert prompt.startswith("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|>")
    assert prompt.endswith("<|vision_end|>Hello<|im_end|>\n<|im_start|>assistant\n")


def test_questions_asked_together_get_the_answers_they_get_alone(model: Any) -> None:
    media = model.family.show([pictures(2).rgb(0)], video=False)
    texts = [asking("the dog"), asking("which one is red?"), asking("a man")]
    together = model.answers(media, texts, max_new_tokens=TOKENS)
    for text, heard in zip(texts, together, strict=True):
        (alone,) = model.answers(media, [text], max_new_tokens=TOKENS)
        assert heard.ids == alone.ids
        torch.testing.assert_close(heard.states, alone.states, atol=NEAR, rtol=0)


def test_published_names_come_back_unchanged(folder: Path, model: Any, tmp_path: Path) -> None:
    stored = load_file(folder / "model.safetensors")
    assert {
        "model.model.visual.merger.ln_q.weight",
        "model.model.language_model.norm.weight",
        "model.lm_head.weight",
    } <= stored.keys()
    back = published_state(model)
    assert back.keys() == stored.keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in stored.items())
    write_sa2va(model, tmp_path / "copy", source=folder)
    again = published_state(load_sa2va(tmp_path / "copy"))
    assert all(torch.equal(again[name], tensor) for name, tensor in stored.items())


@pytest.mark.parametrize("has_head", [True, False])
def test_a_head_of_its_own_is_what_the_weights_say(has_head: bool, folder: Path, tmp_path: Path) -> None:
    """The base model's configuration says that head and embeddings are one, and stays so in folders where they no longer are."""
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["tie_word_embeddings"] = config["tie_word_embeddings"] = True
    (tmp_path / "config.json").write_text(json.dumps(config))
    tensors = {name: each for name, each in load_file(folder / "model.safetensors").items() if has_head or "lm_head" not in name}
    save_file(tensors, tmp_path / "model.safetensors")
    model = load_sa2va(tmp_path)
    same = torch.equal(model.language.lm_head.weight, model.language.get_input_embeddings().weight)
    assert same is not has_head
    assert published_state(model).keys() == tensors.keys()


def test_other_language_models_are_refused_by_name(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["model_type"] = "llama"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"a Sa2VA on 'llama'\. Those on InternVL .* Qwen2\.5-VL and Qwen3-VL"):
        load_sa2va(tmp_path)
