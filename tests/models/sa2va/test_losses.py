"""Mask losses and their gradients are the reference implementation's, at all pixels and at points."""

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from safetensors.torch import load_file  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.models.sa2va.losses import (  # noqa: E402
    MaskLossWeights,
    draw_mask_points,
    mask_losses,
    padded_objects,
    pick_points,
    truth_at,
)
from sightline.models.sa2va.pictures import normalised  # noqa: E402
from sightline.models.sam2.point_samples import read_at  # noqa: E402

RELATIVE, GRADIENT = 1e-5, 1e-4
WEIGHTS = MaskLossWeights()


@pytest.fixture(scope="module")
def case(golden: Path) -> dict[str, Any]:
    return load_file(golden / "losses" / "mask_loss.safetensors")


@pytest.fixture(scope="module")
def facts(golden: Path) -> dict[str, Any]:
    return json.loads((golden / "losses" / "mask_loss.json").read_text())


def assert_losses(found: Any, expected: dict[str, float]) -> None:
    assert found.mask.item() == pytest.approx(expected["loss_mask"], rel=RELATIVE)
    assert found.dice.item() == pytest.approx(expected["loss_dice"], rel=RELATIVE)


def assert_gradient(found: Any, expected: Any) -> None:
    assert (found - expected).norm() <= GRADIENT * expected.norm()


@pytest.mark.parametrize("kind", ["full", "sampled"])
def test_losses_and_gradients_of_given_masks(kind: str, case: dict[str, Any], facts: dict[str, Any]) -> None:
    logits = case["logits"].clone().requires_grad_()
    points = case["point_coords"] if kind == "sampled" else None
    found = mask_losses(logits, case["gt_masks_at_logit_size"], WEIGHTS, points=points)
    expected = facts["normal"]["sampled" if kind == "sampled" else "full_mask"]
    assert_losses(found, expected)
    assert found.total.item() == pytest.approx(expected["total"], rel=RELATIVE)
    found.total.backward()
    assert_gradient(logits.grad, case[f"grad_logits.{kind}"])


def test_truth_comes_to_the_logits_size_by_nearest_neighbour(case: dict[str, Any]) -> None:
    assert torch.equal(truth_at(case["gt_masks_original"], 64), case["gt_masks_at_logit_size"].float())


def test_added_up_polygons_count_as_their_union(case: dict[str, Any], facts: dict[str, Any]) -> None:
    """The reference trains on the value 2 where polygons overlap; we do not."""
    summed = case["gt_masks_with_value_2"].float()
    as_is = mask_losses(case["logits"], summed, WEIGHTS)
    assert_losses(as_is, facts["gt_with_value_2"]["full_mask"])
    assert torch.equal(truth_at(summed, 64), summed.clamp(max=1))
    assert (summed == 2).any()


def test_points_are_picked_and_read_as_the_reference_does(case: dict[str, Any], facts: dict[str, Any]) -> None:
    number, drawn = len(case["logits"]), torch.Generator().manual_seed(facts["normal"]["sampled"]["torch_generator_start"])
    candidates = torch.rand(number, 3 * 12_544, 2, generator=drawn)
    anywhere = torch.rand(number, 12_544 - 9408, 2, generator=drawn)
    picked = pick_points(case["logits"], candidates, anywhere, num_doubtful=9408)
    assert torch.equal(picked[:, 9408:], case["point_coords"][:, 9408:])
    assert torch.equal(picked.sort(dim=1).values, case["point_coords"].sort(dim=1).values)
    read = read_at(case["logits"][:, None], case["point_coords"][:, None], outside="zeros")[:, 0]
    torch.testing.assert_close(read, case["sampled_logits"], atol=1e-5, rtol=0)


def test_own_points_follow_their_key_and_the_doubt(case: dict[str, Any]) -> None:
    weights = MaskLossWeights(points=400)
    keys = [(7, index) for index in range(4)]
    points = draw_mask_points(case["logits"], weights, keys)
    alone = draw_mask_points(case["logits"][2:3], weights, [(7, 2)])
    assert points.shape == (4, 400, 2)
    assert torch.equal(points[2], alone[0])  # whatever else is in the batch
    doubt = read_at(case["logits"][:, None], points[:, None], outside="zeros").abs()[:, 0]
    assert doubt[:, :300].mean() < 0.5 * doubt[:, 300:].mean()


@pytest.mark.parametrize("kind", ["full", "sampled"])
def test_two_seg_states_get_the_reference_gradients(kind: str, golden: Path, grounding: Any) -> None:
    case = load_file(golden / "grounding" / "image_two_seg.safetensors")
    facts = json.loads((golden / "grounding" / "image_two_seg.json").read_text())["training"]
    places = padded_objects(2, to=5, generator=torch.Generator())
    assert places.tolist() == facts["objects_after_padding"]
    states = case["seg_hidden_states"].clone().requires_grad_()
    tokens = grounding.project(states)[places]
    step = grounding.alone(case["pixel_values.training"][None], tokens)
    torch.testing.assert_close(step.chosen_low_res[None], case["training.pred_masks"], atol=2e-4, rtol=0)
    truth = truth_at(case["training.gt_masks"], 32)[places]
    points = case["training.point_coords"] if kind == "sampled" else None
    found = mask_losses(step.chosen_low_res, truth, WEIGHTS, points=points)
    expected = facts["sampled" if kind == "sampled" else "full_mask"]
    assert_losses(found, expected["losses"])
    found.total.backward()
    assert_gradient(states.grad, case[f"training.grad_seg_hidden_states.{kind}"])
    assert_norms(grounding, expected["gradient_norms"])


def test_a_clip_of_training_gets_the_reference_losses_and_gradients(golden: Path, grounding: Any) -> None:
    case = load_file(golden / "grounding" / "clip_training.safetensors")
    facts = json.loads((golden / "grounding" / "clip_training.json").read_text())["full_mask"]
    images = torch.stack([normalised(frame.numpy(), constants="exact") for frame in case["frames_resized_uint8"]])
    states = case["seg_hidden_states"].clone().requires_grad_()
    tokens = grounding.project(states)[padded_objects(1, to=5, generator=torch.Generator())]
    step = grounding.alone(images, tokens)
    found = mask_losses(step.chosen_low_res, truth_at(case["gt_masks"], 32).repeat(5, 1, 1), WEIGHTS)
    assert_losses(found, facts["losses"])
    found.total.backward()
    assert_gradient(states.grad, case["grad_seg_hidden_states.full"])
    assert_norms(grounding, facts["gradient_norms"])


def assert_norms(grounding: Any, expected: dict[str, Any]) -> None:
    """The stated norms, of parameters under their published names."""
    from sightline.models.sa2va.names import to_published  # noqa: PLC0415

    zero = {name: torch.zeros_like(tensor) for name, tensor in grounding.state_dict().items()}
    gradients = zero | {name: own.grad for name, own in grounding.named_parameters() if own.grad is not None}
    published = to_published(gradients)
    compared = 0
    for name, norm in expected.items():
        if name in published:
            assert published[name].norm().item() == pytest.approx(norm, rel=GRADIENT, abs=1e-6), name
            compared += 1
    assert compared == len(expected) - 1  # all but the states themselves


def test_places_of_a_sample() -> None:
    generator = torch.Generator().manual_seed(3)
    assert padded_objects(3, to=5, generator=generator).tolist() == [0, 1, 2, 0, 1]
    chosen = padded_objects(9, to=5, generator=generator).tolist()
    assert len(set(chosen)) == 5
    assert max(chosen) < 9
    assert chosen != padded_objects(9, to=5, generator=generator).tolist()
    with pytest.raises(InputError, match="without an object"):
        padded_objects(0, to=5, generator=generator)


def test_weights_of_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match="importance 2"):
        MaskLossWeights(importance=2.0)
