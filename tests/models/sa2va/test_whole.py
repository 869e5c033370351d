"""Whole checkpoints of both families answer as the reference implementation does: tokens, states and masks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from safetensors.torch import load_file, save_file  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.geometry.masks import decode_mask  # noqa: E402
from sightline.models.sa2va.checkpoint import load_sa2va, published_state, write_sa2va  # noqa: E402
from sightline.models.sa2va.family import NO_MEDIA  # noqa: E402
from sightline.models.sa2va.modes import MODES, Mode  # noqa: E402
from sightline.models.sa2va.pictures import SquareFrames  # noqa: E402
from sightline.models.sa2va.segment import asking, segment  # noqa: E402
from tests.models.sa2va.frames import Pictures  # noqa: E402

SUBFOLDERS = {"internvl": "end_to_end", "qwen3vl": "qwen3vl"}
CASES = (
    ("internvl", "image_square"),
    ("internvl", "image_tiled_two_seg"),
    ("internvl", "video_eight_frames"),
    ("qwen3vl", "image"),
    ("qwen3vl", "video"),
)
STATES, LOW_RES, ROUNDED = 1e-4, 2e-4, 5e-3
FLOAT_MEMORY = Mode("official", spread=False)


class Case:
    """One golden question, the model it is put to, and its pictures."""

    def __init__(self, family: str, name: str, golden: Path, models: dict[str, Any]) -> None:
        folder = golden / SUBFOLDERS[family]
        self.model = models[family]
        self.facts = json.loads((folder / "cases.json").read_text())[name]
        self.tensors = load_file(folder / f"{name}.safetensors")
        self.video = "frames_uint8" in self.tensors
        self.frames = Pictures(self.tensors["frames_uint8"] if self.video else self.tensors["image_uint8"][None])
        shown = MODES["official"].key_frames(len(self.frames))
        self.media = self.model.family.show([self.frames.rgb(frame) for frame in shown], video=self.video)
        self.prompt = self.model.family.question(self.facts["text"], self.media)


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest, golden: Path, models: dict[str, Any]) -> Case:
    family, name = request.param
    return Case(family, name, golden, models)


def near(found: Any, expected: Any, limit: float) -> None:
    torch.testing.assert_close(found, expected, atol=limit, rtol=0)


def test_pictures_become_the_reference_tensors(case: Case) -> None:
    found, expected = case.media.tensors["pixel_values"], case.tensors
    if "pixel_values_every_7th_pixel" in expected:
        near(found[:, :, ::7, ::7], expected["pixel_values_every_7th_pixel"], 1e-6)
    else:
        step, rows = (256, "256th") if case.video else (64, "64th")
        near(found[::step], expected[f"pixel_values_every_{rows}_row"], 1e-6)
        assert torch.equal(case.media.tensors["image_grid_thw"], expected["image_grid_thw"])


def test_the_prompt_is_the_reference_one(case: Case) -> None:
    assert case.model._ids(case.prompt) == case.tensors["input_ids"].tolist()


def test_states_and_logits_of_the_given_answer_are_the_reference_ones(case: Case) -> None:
    answer = case.tensors["answer_ids"]
    ids = torch.cat([case.tensors["input_ids"], answer])[None]
    with torch.no_grad():
        reading = case.model.read(ids, case.media)
    near(reading.logits[0, -len(answer) - 1 : -1], case.tensors["logits_at_answer"], STATES)
    near(reading.states[0, -len(answer) :], case.tensors["last_hidden_at_answer_inputs"], STATES)


def test_the_answer_and_its_seg_states_are_the_reference_ones(case: Case) -> None:
    (heard,) = case.model.answers(case.media, [case.facts["text"]], max_new_tokens=30)
    assert heard.ids == tuple(case.facts["answer_ids"])
    assert heard.text == case.facts["prediction"].removesuffix("<|im_end|>")
    assert not heard.cut
    near(heard.states, case.tensors["seg_hidden_states"], STATES)
    with torch.no_grad():
        near(case.model.grounding.project(heard.states), case.tensors["seg_embeddings"], STATES)


def test_masks_of_the_answer_are_the_reference_ones(case: Case) -> None:
    (found,) = segment(case.model, case.frames, [case.facts["text"]], MODES["official"], max_new_tokens=30)
    assert len(found.tracks) == len(case.tensors["seg_hidden_states"])
    for index, track in enumerate(found.tracks):
        masks = np.stack([decode_mask(rle) for rle in track])
        expected = case.tensors[f"seg_{index}.final_masks"].bool().numpy()
        assert (masks != expected).sum() <= 3  # pixels whose logit is 0 up to rounding


def test_logits_of_the_masks_are_the_reference_ones(case: Case) -> None:
    side = case.model.grounding.image_size
    with torch.no_grad():
        tokens = case.model.grounding.project(case.tensors["seg_hidden_states"])
    for index, token in enumerate(tokens):
        own = {name.removeprefix(f"seg_{index}."): tensor for name, tensor in case.tensors.items()}
        for mode, name, limit in (
            (MODES["official"], "low_res_masks", ROUNDED if case.video else LOW_RES),
            (FLOAT_MEMORY, "low_res_masks_float32_memory", LOW_RES),
        ):
            if name in own:
                found = list(case.model.grounding.follow(SquareFrames(case.frames, side), {"it": token}, mode))
                near(torch.cat([each.low_res for each in found]), own[name], limit)


def test_questions_asked_together_get_the_answers_they_get_alone(case: Case) -> None:
    texts = [case.facts["text"], asking("the boat"), asking("which one is red?")]
    together = case.model.answers(case.media, texts, max_new_tokens=12)
    for text, heard in zip(texts, together, strict=True):
        (alone,) = case.model.answers(case.media, [text], max_new_tokens=12)
        assert heard.ids == alone.ids
        near(heard.states, alone.states, STATES)


def test_pictures_are_read_once_for_all_questions(case: Case) -> None:
    lengths: list[int] = []

    def count(_module: Any, args: Any, _output: Any) -> None:
        lengths.append(args[0].shape[1])

    handle = case.model.family.final_norm(case.model.language).register_forward_hook(count)
    case.model.answers(case.media, [asking(f"the {word}") for word in ("cup", "dog", "boat")], max_new_tokens=2)
    handle.remove()
    num_media = case.prompt.count(case.model.family.media_token)
    assert sum(length > num_media for length in lengths) == 1


@pytest.mark.parametrize("family", SUBFOLDERS)
def test_an_answer_that_ends_with_seg_has_no_mask_for_it(family: str, golden: Path, models: dict[str, Any]) -> None:
    case = Case(family, "video_eight_frames" if family == "internvl" else "video", golden, models)
    before = case.facts["answer_ids"].index(case.model.seg_id) + 1
    (cut,) = case.model.answers(case.media, [case.facts["text"]], max_new_tokens=before)
    assert cut.cut
    assert cut.ids[-1] == case.model.seg_id
    assert len(cut.states) == 0


def test_a_seg_of_the_prompt_counts_in_one_family_only(golden: Path, models: dict[str, Any]) -> None:
    for family, name, more in (("internvl", "image_square", 0), ("qwen3vl", "image", 1)):
        case = Case(family, name, golden, models)
        (heard,) = case.model.answers(case.media, ["<image>And [SEG]?"], max_new_tokens=1)
        assert len(heard.states) == more


def test_of_many_seg_the_first_ones_are_followed(golden: Path, models: dict[str, Any]) -> None:
    case = Case("internvl", "image_tiled_two_seg", golden, models)
    (both,) = segment(case.model, case.frames, [case.facts["text"]], MODES["official"], max_new_tokens=30)
    (one,) = segment(case.model, case.frames, [case.facts["text"]], MODES["official"], max_new_tokens=30, most_masks=1)
    assert one.tracks == both.tracks[:1]
    assert len(one.heard.states) == 2


def test_what_a_model_saw_before_does_not_change_what_it_says_without_pictures(golden: Path, folders: dict[str, Path]) -> None:
    for family, name in (("internvl", "image_square"), ("qwen3vl", "image")):
        model = load_sa2va(folders[family])
        case = Case(family, name, golden, {family: model})
        (before,) = model.answers(NO_MEDIA, ["Hello there, who is it?"], max_new_tokens=6)
        model.answers(case.media, [case.facts["text"]], max_new_tokens=2)
        (after,) = model.answers(NO_MEDIA, ["Hello there, who is it?"], max_new_tokens=6)
        assert before.ids == after.ids
        reading = model.read(torch.tensor([[*model._ids(model.family.question("Hello there, who is it?", NO_MEDIA))]]), NO_MEDIA)
        assert reading.logits[0, -1].argmax() == before.ids[0]


def test_words_with_the_media_token_are_refused(golden: Path, models: dict[str, Any]) -> None:
    for family, name in (("internvl", "image_square"), ("qwen3vl", "image")):
        case = Case(family, name, golden, models)
        token = case.model.family.media_token
        with pytest.raises(InputError, match="the media token"):
            case.model.answers(case.media, [f"<image>the {token} cup"], max_new_tokens=2)


@pytest.mark.parametrize(("family", "key"), [("internvl", "llm_config"), ("qwen3vl", "text_config")])
def test_how_the_authors_ran_it_is_not_how_it_is_run(family: str, key: str, folders: dict[str, Path], tmp_path: Path) -> None:
    """A checkpoint without a language head of its own, in bfloat16 with an attention that is not installed here."""
    for path in folders[family].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config[key] |= {"torch_dtype": "bfloat16", "attn_implementation": "flash_attention_2", "tie_word_embeddings": True}
    (tmp_path / "config.json").write_text(json.dumps(config))
    tensors = {name: tensor for name, tensor in load_file(tmp_path / "model.safetensors").items() if "lm_head" not in name}
    save_file(tensors, tmp_path / "model.safetensors")
    model = load_sa2va(tmp_path)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert torch.equal(model.language.lm_head.weight, model.language.get_input_embeddings().weight)
    assert published_state(model).keys() == tensors.keys()


@pytest.mark.parametrize("family", SUBFOLDERS)
def test_published_names_come_back_unchanged(family: str, folders: dict[str, Path], models: dict[str, Any]) -> None:
    stored = load_file(folders[family] / "model.safetensors")
    back = published_state(models[family])
    assert back.keys() == stored.keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in stored.items())


@pytest.mark.parametrize("family", SUBFOLDERS)
def test_a_written_checkpoint_is_the_one_that_was_loaded(
    family: str, folders: dict[str, Path], models: dict[str, Any], tmp_path: Path
) -> None:
    write_sa2va(models[family], tmp_path / "copy", source=folders[family])
    again = published_state(load_sa2va(tmp_path / "copy"))
    assert all(torch.equal(again[name], tensor) for name, tensor in published_state(models[family]).items())
    with pytest.raises(InputError, match="is there already"):
        write_sa2va(models[family], tmp_path / "copy", source=folders[family])


def test_what_does_not_belong_together_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    def folder(name: str, *, config: dict[str, Any], drop: str = "", add: str = "") -> Path:
        made = tmp_path / name
        made.mkdir()
        for path in folders["internvl"].iterdir():
            (made / path.name).write_bytes(path.read_bytes())
        stored = json.loads((made / "config.json").read_text())
        (made / "config.json").write_text(json.dumps(stored | config))
        tensors = load_file(made / "model.safetensors")
        tensors = {name: tensor for name, tensor in tensors.items() if name != drop} | ({add: torch.zeros(1)} if add else {})
        save_file(tensors, made / "model.safetensors")
        return made

    stored = json.loads((folders["internvl"] / "config.json").read_text())
    language, sizes = stored["llm_config"], stored["tiny_sam2_sizes"]
    with pytest.raises(InputError, match=r"its SAM 2.* of another size"):
        load_sa2va(folder("large", config={"tiny_sam2_sizes": sizes | {"embed_dim": 24}}))
    with pytest.raises(InputError, match=r"1 missing: model\.language_model\.norm\.weight"):
        load_sa2va(folder("less", config={}, drop="language_model.model.norm.weight"))
    with pytest.raises(InputError, match=r"'mlp1\.7\.weight' is no tensor"):
        load_sa2va(folder("more", config={}, add="mlp1.7.weight"))
    with pytest.raises(InputError, match="'phi3'; transformers' InternVL is run with qwen2, qwen3, internlm2"):
        load_sa2va(folder("other", config={"llm_config": language | {"model_type": "phi3"}}))
    with pytest.raises(InputError, match="internvl; expected model_type 'sa2va_chat'"):
        load_sa2va(folder("plain", config={"model_type": "internvl"}))
    with pytest.raises(InputError, match="Did you mean 'qwen_chat'"):
        load_sa2va(folder("template", config={"template": "qwen_chatt"}))
