"""From [SEG] states to masks as the reference implementation does it, within the limits that its numbers come with."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from safetensors.torch import load_file  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.models.sa2va.grounding import Grounding  # noqa: E402
from sightline.models.sa2va.modes import MODES, Mode, get_mode  # noqa: E402
from sightline.models.sa2va.names import to_published  # noqa: E402
from sightline.models.sa2va.pictures import SquareFrames, at_picture_size, normalised, square  # noqa: E402
from sightline.models.sam2.clip import ClipModel  # noqa: E402
from sightline.models.sam2.prompts import EmbeddingPrompt  # noqa: E402
from sightline.models.sam2.results import MemoryBank  # noqa: E402
from tests.models.sa2va.frames import Pictures  # noqa: E402
from tests.models.sam2.tiny import config_of  # noqa: E402

LOGITS, IOU, SCORE, POINTER, MEMORY = 2e-4, 1e-5, 1e-4, 1e-4, 1e-3
ROUNDED_LOGITS = 5e-3  # where two implementations both keep memories in bfloat16
VIDEOS = ("video_inference", "video_inference_absent", "video_inference_short")
SIDE = 128


def near(found: Any, expected: Any, limit: float) -> None:
    torch.testing.assert_close(found, expected, atol=limit, rtol=0)


@pytest.fixture(scope="module")
def picture(golden: Path) -> dict[str, Any]:
    return load_file(golden / "grounding" / "image_two_seg.safetensors")


def test_published_names_go_to_ours_and_back_unchanged(golden: Path, grounding: Any) -> None:
    weights = load_file(golden / "grounding" / "weights.safetensors")
    back = to_published(grounding.state_dict())
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in weights.items())


def test_pictures_are_made_square_and_normalised_with_either_constants(picture: dict[str, Any]) -> None:
    pixels = square(picture["image_uint8"].numpy(), SIDE)
    assert np.array_equal(pixels, picture["image_resized_uint8"].numpy())
    near(normalised(pixels, constants="rounded"), picture["pixel_values.inference"], 1e-6)
    near(normalised(pixels, constants="exact"), picture["pixel_values.training"], 1e-6)
    assert torch.equal(normalised(pixels, constants="rounded", dtype=torch.bfloat16), picture["pixel_values.inference_bf16"])


def test_two_seg_tokens_of_one_picture_give_the_reference_masks(picture: dict[str, Any], grounding: Any) -> None:
    with torch.no_grad():
        tokens = grounding.project(picture["seg_hidden_states"])
        features = grounding.clip.encode(picture["pixel_values.inference"][None])
        step = grounding.alone(features, tokens)
        pointers = grounding.clip.track(features, 0, EmbeddingPrompt(tokens), MemoryBank(), num_frames=1).pointer
    near(tokens, picture["seg_embeddings"], 1e-5)
    for level, found in enumerate((features.fine, features.middle, features.top)):
        near(found[0], picture[f"image_features.level_{level}"], 1e-5)
    whole = torch.nn.functional.interpolate(step.chosen_low_res[None], size=(SIDE, SIDE), mode="bilinear")[0]
    final = at_picture_size(step.chosen_low_res, SIDE, (75, 110))
    for index in range(2):
        expected = {name.partition(f"seg_{index}.")[2]: tensor for name, tensor in picture.items() if f"seg_{index}." in name}
        near(step.low_res[index], expected["low_res_multimasks"], LOGITS)
        near(step.iou[index], expected["iou_pred"], IOU)
        near(step.score[index], expected["object_score_logits"], SCORE)
        near(pointers[index], expected["obj_ptr"], POINTER)
        assert step.chosen[index] == expected["chosen_index"]
        near(whole[index], expected["masks_sam_size_logits"], LOGITS)
        near(final[index], expected["final_logits"], LOGITS)
        same_mask(final[index], expected["final_mask"])


def same_mask(logits: Any, mask: Any) -> None:
    certain = logits.abs() > 1e-3
    assert torch.equal((logits > 0)[certain], mask.bool()[certain])


@pytest.mark.parametrize("name", VIDEOS)
def test_every_frame_of_a_clip_is_the_reference_one(name: str, golden: Path, grounding: Any) -> None:
    case = load_file(golden / "grounding" / f"{name}.safetensors")
    frames = SquareFrames(Pictures(case["frames_uint8"]), SIDE)
    images = torch.stack([frames[index] for index in range(len(frames))])
    with torch.no_grad():
        token = grounding.project(case["seg_hidden_states"])
        results = grounding.remembering(images, token, MODES["official"].key_frames(len(frames)))
    for frame, result in results.items():
        step = result.steps[-1]
        expected = {key.removeprefix("memory_float32."): value for key, value in case.items()}
        near(step.chosen_low_res[0], expected["low_res_masks"][frame], LOGITS)
        near(step.iou[0], expected["iou_pred"][frame], IOU)
        near(step.score[0, 0], expected["object_score_logits"][frame], SCORE)
        near(result.pointer[0], expected["obj_ptr"][frame], POINTER)
        near(result.memory[0], expected["maskmem_features"][frame], MEMORY)
        if "image_embeddings_into_decoder" in expected:  # a clip that is prompted throughout has none
            near(result.fused[0], expected["image_embeddings_into_decoder"][frame], POINTER)
        assert step.chosen[0] == expected["chosen_index"][frame]


@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize("memory", ["float32", "bfloat16"])
def test_following_a_clip_gives_the_reference_masks(name: str, memory: str, golden: Path, grounding: Any) -> None:
    case = load_file(golden / "grounding" / f"{name}.safetensors")
    frames = SquareFrames(Pictures(case["frames_uint8"]), SIDE)
    mode = MODES["official"] if memory == "bfloat16" else Mode("official", spread=False)
    with torch.inference_mode():
        token = grounding.project(case["seg_hidden_states"])[0]
        found = list(grounding.follow(frames, {"it": token}, mode))
    low_res = torch.cat([each.low_res for each in found])
    limit = ROUNDED_LOGITS if memory == "bfloat16" else LOGITS
    assert [each.frame for each in found] == list(range(len(frames)))
    near(low_res, case[f"memory_{memory}.low_res_masks"], limit)
    near(torch.cat([each.presence for each in found]), case[f"memory_{memory}.object_score_logits"], limit)
    final = at_picture_size(low_res, SIDE, (60, 96))
    if memory == "float32":
        shown = json.loads((golden / "grounding" / f"{name}.json").read_text())["final_logits_frames"]
        near(final[shown], case["memory_float32.final_logits"], LOGITS)
    for logits, mask in zip(final, case[f"memory_{memory}.final_mask"], strict=True):
        certain = logits.abs() > limit + 1e-3
        assert torch.equal((logits > 0)[certain], mask.bool()[certain])


def test_the_official_mode_keeps_memories_in_bfloat16_and_the_other_does_not(golden: Path, grounding: Any) -> None:
    case = load_file(golden / "grounding" / "video_inference_short.safetensors")
    image = SquareFrames(Pictures(case["frames_uint8"]), SIDE)[0]
    with torch.no_grad():
        prompt = EmbeddingPrompt(grounding.project(case["seg_hidden_states"]))
        memories = {}
        for name, mode in MODES.items():
            clip = ClipModel(grounding.clip.model, blank_absent=False, memory_dtype=mode.memory_dtype)
            memories[name] = clip.track(clip.encode(image[None]), 0, prompt, MemoryBank(), num_frames=3).memory
    assert torch.equal(memories["official"], memories["consistent"].bfloat16().float())
    assert not torch.equal(memories["official"], memories["consistent"])


def test_the_training_path_decodes_every_frame_alone(golden: Path, grounding: Any) -> None:
    case = load_file(golden / "grounding" / "clip_training.safetensors")
    images = torch.stack([normalised(frame.numpy(), constants="exact") for frame in case["frames_resized_uint8"]])
    with torch.no_grad():
        step = grounding.alone(images, grounding.project(case["seg_hidden_states"]))
    near(step.low_res, case["low_res_multimasks"], LOGITS)
    near(step.iou, case["iou_pred"], IOU)
    near(step.score[:, 0], case["object_score_logits"], SCORE)
    near(step.chosen_low_res, case["pred_masks"], LOGITS)


def test_objects_that_are_followed_together_do_not_see_each_other(golden: Path, grounding: Any) -> None:
    case = load_file(golden / "grounding" / "video_inference.safetensors")
    frames = SquareFrames(Pictures(case["frames_uint8"]), SIDE)
    states = torch.cat([case["seg_hidden_states"], case["seg_hidden_states"].flip(1)])
    for mode in MODES.values():
        with torch.inference_mode():
            first, second = grounding.project(states)
            both = list(grounding.follow(frames, {"a": first, "b": second}, mode))
            alone = list(grounding.follow(frames, {"b": second}, mode))
        for together, own in zip(both, alone, strict=True):
            assert together.object_ids == ("a", "b")
            near(together.low_res[1], own.low_res[0], ROUNDED_LOGITS)  # another batch rounds otherwise


def test_a_clip_is_encoded_once_for_all_objects(golden: Path, grounding: Any) -> None:
    case = load_file(golden / "grounding" / "video_inference.safetensors")
    frames = SquareFrames(Pictures(case["frames_uint8"]), SIDE)
    encoded: list[int] = []
    grounding.clip.model.vision_encoder.register_forward_pre_hook(lambda _, args: encoded.append(len(args[0])))
    with torch.inference_mode():
        token = grounding.project(case["seg_hidden_states"])[0]
        for mode in MODES.values():
            encoded.clear()
            list(grounding.follow(frames, {str(index): token for index in range(5)}, mode))
            assert sum(encoded) == len(frames)


def test_consistent_inference_is_the_computation_of_its_training(golden: Path, grounding: Any) -> None:
    case = load_file(golden / "grounding" / "video_inference.safetensors")
    frames = SquareFrames(Pictures(case["frames_uint8"]), SIDE)
    images = torch.stack([frames[index] for index in range(len(frames))])
    mode = MODES["consistent"]
    grounding.clip.model.eval()  # dropout of the memory attention apart
    token = grounding.project(case["seg_hidden_states"])
    trained = grounding.remembering(images, token, mode.key_frames(len(frames)))
    with torch.inference_mode():
        asked = list(grounding.follow(frames, {"it": token[0]}, mode))
    for each in asked:
        near(each.low_res, trained[each.frame].steps[-1].chosen_low_res.detach(), LOGITS)
    others = [result.steps[-1].chosen_low_res for frame, result in trained.items() if frame not in mode.key_frames(13)]
    torch.cat(others).mean().backward()  # through the memory to what the language model said
    assert grounding.text_hidden_fcs[0].weight.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("mode", "num_frames", "expected"),
    [
        ("official", 13, (0, 1, 2, 3, 4)),
        ("official", 3, (0, 1, 2)),
        ("consistent", 13, (0, 3, 6, 9, 12)),
        ("consistent", 8, (0, 2, 4, 5, 7)),  # 0, 1.75, 3.5, 5.25, 7
        ("consistent", 1, (0,)),
        ("consistent", 4, (0, 1, 2, 3)),
    ],
)
def test_key_frames(mode: str, num_frames: int, expected: tuple[int, ...]) -> None:
    assert MODES[mode].key_frames(num_frames) == expected


def test_what_does_not_fit_is_refused(sam2_values: dict[str, Any]) -> None:
    newer = copy.deepcopy(sam2_values) | {"enable_occlusion_spatial_embedding": True}
    with pytest.raises(InputError, match="enable_occlusion_spatial_embedding set"):
        Grounding(config_of(newer), hidden_size=96)
    with pytest.raises(InputError, match="Did you mean 'official'"):
        get_mode("offical")
    with pytest.raises(InputError, match="0 prompted frames"):
        get_mode("consistent", num_prompted=0)


def test_absent_objects_are_blanked_where_sam2_itself_is_asked(golden: Path, grounding: Any) -> None:
    case = load_file(golden / "grounding" / "video_inference_short.safetensors")
    frames = SquareFrames(Pictures(case["frames_uint8"]), SIDE)
    plain = ClipModel(grounding.clip.model)
    with torch.no_grad():
        features = plain.encode(frames[0][None])
        step = plain.alone(features, EmbeddingPrompt(grounding.project(case["seg_hidden_states"])))
    assert (step.low_res == -1024).all()
