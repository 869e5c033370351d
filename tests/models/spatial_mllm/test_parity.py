"""Frames, positions, tokens, logits, losses, gradients and answers are the reference's, within the limits its numbers come with."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from safetensors.torch import load_file  # noqa: E402

from sightline.models.spatial_mllm.connector import merged  # noqa: E402
from sightline.models.spatial_mllm.frames import FrameRule, joined_pictures, prepare_frames  # noqa: E402
from sightline.models.spatial_mllm.geometry_fusion import GRIDS, PIXELS, Kind  # noqa: E402
from sightline.models.spatial_mllm.names import from_published  # noqa: E402

CASES = (
    "case_1_video_4_frames",
    "case_2_video_8_frames",
    "case_3_text_only",
    "case_4_image_list",
    "case_5_video_5_frames",
    "case_6_padded_batch",
    "case_7_two_videos",
)
WITH_MEDIA = tuple(name for name in CASES if "text" not in name)
GENERATED = ("case_1_video_4_frames", "case_2_video_8_frames", "case_3_text_only")
SMALLEST_GRADIENT = 1e-3  # below it there is only rounding
NEVER_IN_GRAPH = "mask_token"


class Case:
    """One golden case, its inputs as the model takes them."""

    def __init__(self, folder: Path, name: str) -> None:
        self.tensors = load_file(folder / f"{name}.safetensors")
        self.facts: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
        self.ids = self.tensors["input_ids"]
        self.mask = self.tensors["attention_mask"]
        self.kind: Kind = "image" if "pixel_values" in self.tensors else "video"
        names = (PIXELS[self.kind], GRIDS[self.kind], "second_per_grid_ts")
        self.media = {key: self.tensors[key] for key in names if key in self.tensors}
        frames = [self.tensors[key] for key in sorted(self.tensors) if key.startswith("vggt_frames.")]
        self.frames = {self.kind: frames} if frames else {}

    def last_eight(self, logits: Any) -> Any:
        ends = self.mask.sum(dim=1).tolist()
        return torch.stack([row[end - 8 : end] for row, end in zip(logits, ends, strict=True)])


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, golden: Path) -> Case:
    return Case(golden, request.param)


@pytest.fixture(params=WITH_MEDIA)
def shown(request: pytest.FixtureRequest, golden: Path) -> Case:
    """A case with pictures or videos."""
    return Case(golden, request.param)


def near(found: Any, expected: Any, limit: float) -> None:
    torch.testing.assert_close(found, expected, atol=limit, rtol=0)


def test_frames_are_prepared_as_in_the_reference(shown: Case) -> None:
    media, sequences = [], []
    for number, sample in enumerate(shown.facts["samples"]):
        rule = FrameRule(min_pixels=sample["min_pixels"], max_pixels=sample["max_pixels"])
        raw = [shown.tensors[f"raw_frames.sample_{number}.media_{index}"].numpy() for index in range(len(sample["media"]))]
        own = [prepare_frames(list(frames), rule) for frames in raw]
        media += own
        sequences += [joined_pictures(own)] if shown.kind == "image" else [medium.geometry_frames for medium in own]
    near(torch.from_numpy(np.concatenate([medium.patches for medium in media])), shown.media[PIXELS[shown.kind]], 1e-6)
    assert [list(medium.grid_thw) for medium in media] == shown.media[GRIDS[shown.kind]].tolist()
    for found, expected in zip(sequences, shown.frames[shown.kind], strict=True):
        near(torch.from_numpy(found), expected, 1e-6)


def test_positions_are_the_reference_ones(case: Case, model: Any) -> None:
    found = model.positions(case.ids, case.mask, case.media)
    valid = case.mask.bool()
    assert torch.equal(found.ids[:, valid], case.tensors["position_ids"][:, valid])
    assert torch.equal(found.ids[:, valid], case.tensors["position_ids_training"][:, valid])
    padding = case.ids.shape[1] - case.mask.sum(dim=1, keepdim=True)  # the reference counts deltas from the padded length
    assert torch.equal(found.deltas - padding, case.tensors["rope_deltas"])


def test_geometry_and_fused_tokens_are_the_reference_ones(shown: Case, model: Any) -> None:
    grid = shown.media[GRIDS[shown.kind]]
    geometry = model.geometry_tokens(shown.frames[shown.kind])
    for index, tokens in enumerate(geometry):
        expected = shown.tensors[f"vggt_tokens_last.{index}"][:, 5:]
        near(tokens.flatten(1, 2), expected, 1e-5)
    near(torch.cat([merged(tokens) for tokens in geometry]), shown.tensors["connector_merged"], 2e-5)
    encode = model.model.get_image_features if shown.kind == "image" else model.model.get_video_features
    visual = encode(shown.media[PIXELS[shown.kind]], grid, return_dict=True).pooler_output
    near(torch.cat(visual), shown.tensors["visual_embeds"], 1e-5)
    fused = torch.cat(model.fused(visual, grid, geometry))
    near(fused, shown.tensors["fused_embeds"], 1e-5)
    near(fused - torch.cat(visual), shown.tensors["connector_output"], 1e-5)


def test_logits_loss_and_all_gradients_are_the_reference_ones(case: Case, model: Any) -> None:
    out = model(case.ids, case.mask, labels=case.tensors["labels"], geometry_frames=case.frames, **case.media)
    near(case.last_eight(out.logits), case.tensors["logits_last8"], 6e-5)
    near(out.loss, torch.tensor(case.facts["loss"]), 2e-5)
    out.loss.backward()
    parameters = dict(model.named_parameters())
    seen = set()
    for published, norm in case.facts["all_gradient_norms"].items():
        name = from_published(published)
        if name not in parameters:
            assert "_head." in name
            assert norm is None
            continue
        seen.add(name)
        gradient = parameters[name].grad
        if norm is None:
            assert gradient is None, name
        elif norm > SMALLEST_GRADIENT:
            assert gradient.norm().item() == pytest.approx(norm, rel=1e-4), name
    assert seen == parameters.keys()


@pytest.mark.parametrize("name", GENERATED)
def test_greedy_answers_are_the_reference_ones(golden: Path, model: Any, name: str) -> None:
    tensors, case = load_file(golden / "generation.safetensors"), Case(golden, name)
    prompt = tensors[f"{name}.prompt_ids"]
    out = model.generate(
        prompt,
        geometry_frames=case.frames,
        max_new_tokens=8,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=306,
        output_logits=True,
        return_dict_in_generate=True,
        **case.media,
    )
    assert torch.equal(out.sequences[:, prompt.shape[1] :], tensors[f"{name}.new_ids"])
    near(torch.stack(out.logits, dim=1), tensors[f"{name}.step_logits"], 6e-5)
    assert torch.equal(model.model.rope_deltas, tensors[f"{name}.rope_deltas"])


def test_a_batch_padded_on_the_left_answers_as_each_sample_alone(golden: Path, model: Any) -> None:
    first, second = (Case(golden, name) for name in ("case_1_video_4_frames", "case_2_video_8_frames"))
    tensors = load_file(golden / "generation.safetensors")
    prompts = [tensors[f"{name}.prompt_ids"][0] for name in GENERATED[:2]]
    length = max(len(prompt) for prompt in prompts)
    padded = [torch.nn.functional.pad(prompt, (length - len(prompt), 0), value=306) for prompt in prompts]
    mask = torch.stack([(torch.arange(length) >= length - len(prompt)).long() for prompt in prompts])
    media = {key: torch.cat([first.media[key], second.media[key]]) for key in first.media}
    frames = {"video": [*first.frames["video"], *second.frames["video"]]}
    settings = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": None, "pad_token_id": 306}
    found = model.generate(torch.stack(padded), mask, geometry_frames=frames, **settings, **media)
    expected = torch.cat([tensors[f"{name}.new_ids"] for name in GENERATED[:2]])
    assert torch.equal(found[:, length:], expected)


def test_the_whole_model_in_bfloat16_is_near(golden: Path, model: Any) -> None:
    case = Case(golden, "case_2_video_8_frames")
    with torch.no_grad():
        out = model.bfloat16()(case.ids, case.mask, geometry_frames=case.frames, **case.media)
    expected = case.tensors["logits_last8"]
    error = (case.last_eight(out.logits).float() - expected).square().mean() / expected.square().mean()
    assert error.sqrt().item() < 0.03


def test_tokens_computed_before_give_the_same_as_frames(golden: Path, model: Any) -> None:
    case = Case(golden, "case_7_two_videos")
    with torch.no_grad():
        tokens = {"video": model.geometry_tokens(case.frames["video"])}
        found, expected = (
            model(case.ids, case.mask, **geometry, **case.media).logits
            for geometry in ({"geometry_tokens": tokens}, {"geometry_frames": case.frames})
        )
    assert torch.equal(found, expected)


def test_a_frozen_aggregator_runs_without_gradients(golden: Path, model: Any) -> None:
    case = Case(golden, "case_1_video_4_frames")
    model.spatial_encoder.requires_grad_(False)
    (tokens,) = model.geometry_tokens(case.frames["video"])
    assert not tokens.requires_grad
    out = model(case.ids, case.mask, labels=case.tensors["labels"], geometry_frames=case.frames, **case.media)
    near(out.loss, torch.tensor(case.facts["loss"]), 2e-5)
    out.loss.backward()
    assert model.connector.mlp[0].weight.grad.norm().item() == pytest.approx(
        case.facts["gradient_norms"]["connector.mlp.0.weight"], rel=1e-4
    )
