"""Tokens, poses, depth, points, losses and gradients are the reference's, within the limits that its numbers come with."""

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")

from safetensors.torch import load_file  # noqa: E402

from sightline.models.vggt.aggregator import DEVIATION, MEAN, Chunks  # noqa: E402
from sightline.models.vggt.model import Vggt  # noqa: E402
from sightline.models.vggt.poses import cameras_of_poses  # noqa: E402
from sightline.models.vggt.rotary import angle_tables  # noqa: E402

CASES = (
    "case_1_one_frame_square",
    "case_2_three_frames",
    "case_3_wide",
    "case_4_tall_same_count",
    "case_5_batch_of_two",
    "case_6_ten_frames",
)
TOKENS, POSE, DEPTH, POINTS = 1e-5, 3e-6, 1.5e-5, 3e-5
SMALLEST_GRADIENT = 1e-3  # below it there is only rounding
NOT_IN_GRAPH = "aggregator.patch_embed.mask_token"


class Case:
    """One golden case and the network that it is for."""

    def __init__(self, folder: Path, name: str, model: Vggt) -> None:
        self.tensors = load_file(folder / f"{name}.safetensors")
        self.facts: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
        self.images = self.tensors["images"]
        self.model = model


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, golden: Path, model: Vggt) -> Case:
    return Case(golden, request.param, model)


def near(found: Any, expected: Any, limit: float) -> None:
    torch.testing.assert_close(found, expected, atol=limit, rtol=0)


@pytest.mark.parametrize("gradients", [True, False])
def test_patches_and_all_layers_are_the_reference_ones(case: Case, gradients: bool) -> None:
    frames = case.images.flatten(0, 1)
    normed = (frames - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
    with torch.set_grad_enabled(gradients):
        embed = case.model.aggregator.patch_embed
        near(embed.positions(*frames.shape[-2:]), case.tensors["pos_embed_used"], 5e-6)
        near(embed(normed), case.tensors["patch_tokens"], 5e-6)
        layers = case.model.aggregator(case.images)
    assert sorted(layers) == [0, 1, 2, 3]
    for layer, tokens in layers.items():
        near(tokens, case.tensors[f"tokens.layer_{layer}"], TOKENS)


def test_all_rounds_of_poses_and_the_cameras_are_the_reference_ones(case: Case) -> None:
    with torch.no_grad():
        found = case.model(case.images)
    near(found.poses, case.tensors["pose_enc_iterations"], POSE)
    near(found.extrinsics, case.tensors["extrinsic"], POSE)
    torch.testing.assert_close(found.intrinsics, case.tensors["intrinsic"], rtol=1e-5, atol=0)


def test_depth_and_points_are_the_reference_ones(case: Case) -> None:
    with torch.no_grad():
        found = case.model(case.images)
    near(found.depth, case.tensors["depth"][..., 0], DEPTH)
    near(found.depth_confidence, case.tensors["depth_conf"], DEPTH)
    near(found.points, case.tensors["world_points"], POINTS)
    near(found.points_confidence, case.tensors["world_points_conf"], POINTS)


def test_what_the_dense_heads_join_is_the_reference_one(case: Case) -> None:
    with torch.no_grad():
        layers = case.model.aggregator(case.images)
        height, width = case.images.shape[-2:]
        for name, head in (("depth_head", case.model.depth_head), ("point_head", case.model.point_head)):
            assert head is not None
            expected = case.tensors[f"{name}.fused"]  # of the last frames where there are many
            tokens = tuple(layers[layer].flatten(0, 1)[-len(expected) :] for layer in case.model.config.head_layers)
            near(head.fused(tokens, height, width), expected, DEPTH)


def test_losses_and_all_gradients_are_the_reference_ones(case: Case) -> None:
    found: Any = case.model(case.images)
    parts = {
        "depth": found.depth.square().mean(),
        "depth_conf": found.depth_confidence.mean(),
        "world_points": found.points.square().mean(),
        "world_points_conf": found.points_confidence.mean(),
    }
    rounds = [poses.square().mean() for poses in found.poses]
    assert [part.item() for part in rounds] == pytest.approx(case.facts["loss_parts"]["pose"], rel=1e-4)
    for name, part in parts.items():
        assert part.item() == pytest.approx(case.facts["loss_parts"][name], rel=1e-4), name
    total = torch.stack([*rounds, *parts.values()]).sum()
    assert total.item() == pytest.approx(case.facts["loss"], rel=1e-4)
    total.backward()
    parameters: dict[str, Any] = dict(case.model.named_parameters())
    assert parameters.keys() == case.facts["all_gradient_norms"].keys()
    for name, norm in case.facts["all_gradient_norms"].items():
        gradient = parameters[name].grad
        if norm is None:
            assert name == NOT_IN_GRAPH
            assert gradient is None
        elif norm > SMALLEST_GRADIENT:
            assert gradient.norm().item() == pytest.approx(norm, rel=2e-4), name


def test_a_field_of_view_that_is_cut_is_not_carried_on(golden: Path, model: Vggt) -> None:
    tensors = load_file(golden / "camera_head_only.safetensors")
    assert model.camera_head is not None
    poses = model.camera_head(tensors["aggregated_tokens_last"])
    assert (poses[0, ..., 7:] == 0).any()
    near(poses, tensors["pose_enc_iterations"], POSE)
    near(cameras_of_poses(poses[-1], 56, 56)[0], tensors["extrinsic"], POSE)


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_rotary_tables_are_rounded_as_the_reference_rounds_them(golden: Path, name: str) -> None:
    tensors = load_file(golden / "bfloat16.safetensors")
    both = torch.arange(48)[:, None].expand(-1, 2)
    cosine, sine = angle_tables(both, 64, getattr(torch, name))
    for half in (slice(0, 32), slice(32, 64)):
        near(cosine[:, half], tensors[f"cos.{name}"], 0 if name == "bfloat16" else 1e-6)
        near(sine[:, half], tensors[f"sin.{name}"], 0 if name == "bfloat16" else 1e-6)


@pytest.mark.parametrize("name", ["case_2_three_frames", "case_3_wide"])
def test_in_bfloat16_the_tokens_are_near_the_reference_ones(golden: Path, model: Vggt, name: str) -> None:
    tensors = load_file(golden / "bfloat16.safetensors")
    with torch.no_grad():
        layers = model.aggregator.bfloat16()(load_file(golden / f"{name}.safetensors")["images"], layers=(0, 3))
    for layer, tokens in layers.items():
        expected = tensors[f"{name}.tokens.layer_{layer}"].float()
        assert tokens.dtype == torch.bfloat16
        assert ((tokens.float() - expected).square().mean() / expected.square().mean()).sqrt().item() < 0.02


def test_chunks_change_no_number_beyond_rounding(golden: Path, model: Vggt) -> None:
    images = load_file(golden / "case_5_batch_of_two.safetensors")["images"]
    with torch.no_grad():
        whole, small = (model(images, chunks=chunks) for chunks in (Chunks(99, 999), Chunks(1, 3)))
    near(small.poses, whole.poses, POSE)
    near(small.depth, whole.depth, DEPTH)
    near(small.points, whole.points, POINTS)
