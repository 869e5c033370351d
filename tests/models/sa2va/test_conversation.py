"""Conversations in tokens, and which of them carry loss, as the reference has them."""

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
transformers = pytest.importorskip("transformers", reason="needs the models extra")

from safetensors.torch import load_file  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.models.sa2va.conversation import IGNORED, TEMPLATES, Turn, get_template, labelled, with_media  # noqa: E402

QWEN_TOKENS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
CASES = [
    f"{family}.{name}" for family in ("intern_vl", "qwen") for name in ("two_turns_image", "gcg_phrases", "video_three_frames")
]


@pytest.fixture(scope="module")
def facts(golden: Path) -> dict[str, Any]:
    return json.loads((golden / "losses" / "label_masking.json").read_text())


@pytest.fixture
def tokenizer(golden: Path) -> Any:
    return transformers.AutoTokenizer.from_pretrained(golden / "tokenizer", config=transformers.Qwen2Config())


def turns_of(case: dict[str, Any], family: str) -> list[Turn]:
    frames = case["num_frames"]
    each = case["num_image_tokens"] // frames
    start, token, end = (
        ("<img>", "<IMG_CONTEXT>", "</img>") if family == "intern_vl" else (QWEN_TOKENS[0], QWEN_TOKENS[2], QWEN_TOKENS[1])
    )
    slots = "\n".join([start + token * each + end] * frames)
    said = [message["value"] for message in case["messages"]]
    pairs = list(zip(said[::2], said[1::2], strict=True))
    return [
        Turn(with_media(text, "" if place else slots, video=not place and frames > 1), answer)
        for place, (text, answer) in enumerate(pairs)
    ]


@pytest.mark.parametrize("name", CASES)
def test_ids_and_labels_are_the_reference_ones(name: str, facts: dict[str, Any], tokenizer: Any) -> None:
    family, case = name.partition(".")[0], facts[name]
    if family == "qwen":
        tokenizer.add_special_tokens({"additional_special_tokens": list(QWEN_TOKENS)})
    found = labelled(turns_of(case, family), get_template("qwen_chat"), tokenizer)
    assert tokenizer.decode(found.ids) == case["rendered"]
    assert list(found.ids) == case["input_ids"]
    assert list(found.labels) == case["labels"]
    seg = tokenizer.convert_tokens_to_ids("[SEG]")
    assert [place for place, token in enumerate(found.ids) if token == seg] == case["seg_positions"]


def test_the_text_loss_over_these_labels_is_the_reference_one(golden: Path, facts: dict[str, Any]) -> None:
    stated = facts["llm_loss"]
    labels = torch.tensor(facts[stated["case"]]["labels"])
    logits = load_file(golden / "losses" / "llm_loss.safetensors")["logits"][0]
    loss = torch.nn.functional.cross_entropy(logits[:-1], labels[1:], ignore_index=IGNORED)
    assert loss.item() == pytest.approx(stated["loss"], rel=1e-5)


def test_a_beginning_token_stands_once_at_the_start() -> None:
    class Beginning:
        bos_token_id = 1

        def __call__(self, text: str) -> dict[str, list[int]]:
            return {"input_ids": [1, *map(ord, text)]}

        def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
            return [1] * add_special_tokens + [ord(letter) for letter in text]

    found = labelled([Turn("a", "b"), Turn("c", "d")], TEMPLATES["phi3_chat"], Beginning())
    assert found.ids.count(1) == 1
    assert (
        "".join(map(chr, found.ids[1:]))
        == "<|user|>\na<|end|>\n<|assistant|>\nb<|end|>\n<|user|>\nc<|end|>\n<|assistant|>\nd<|end|>\n"
    )
    assert "".join(chr(label) for label in found.labels if label != IGNORED) == "b<|end|>d<|end|>"


def test_places_for_pictures_are_counted() -> None:
    assert with_media("see <image>!", "XX") == "see XX!"
    assert with_media("see <image>!", "XX", video=True) == "XXsee !"
    for text, slots in (("none", "XX"), ("<image><image>", "XX"), ("<image>", "")):
        with pytest.raises(InputError, match="places for a picture"):
            with_media(text, slots)
    with pytest.raises(InputError, match="phi3_chat"):
        get_template("phi3")
    assert get_template("internlm2-chat") is TEMPLATES["internlm2_chat"]
