"""Simulated prompts lie where a user's would."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from sightline.models.sam2.prompts import MaskPrompt, PointPrompt  # noqa: E402
from sightline.models.sam2.simulate import PromptRecipe, Simulated  # noqa: E402


def _masks(frames: int = 4, objects: int = 2, size: int = 32) -> Any:
    masks = torch.zeros(frames, objects, size, size, dtype=torch.bool)
    masks[:, 0, 4:12, 6:20] = True
    if objects > 1:
        masks[1:, 1, 20:28, 3:9] = True  # appears on frame 1
    return masks


def _simulate(seed: int, recipe: PromptRecipe, **of: int) -> Simulated:
    return Simulated(_masks(**of), recipe, np.random.default_rng(seed))


def test_the_first_frame_is_always_prompted_and_at_most_two_are() -> None:
    prompted = [tuple(_simulate(seed, PromptRecipe()).prompts) for seed in range(60)]
    assert all(frames[0] == 0 and len(frames) <= 2 for frames in prompted)
    assert {len(frames) for frames in prompted} == {1, 2}


def test_half_of_the_clips_are_prompted_by_masks_which_nobody_corrects() -> None:
    clips = [_simulate(seed, PromptRecipe()) for seed in range(200)]
    by_mask = [clip for clip in clips if all(isinstance(prompt, MaskPrompt) for prompt in clip.prompts.values())]
    assert 70 < len(by_mask) < 130
    assert all(not clip.corrected_frames for clip in by_mask)
    assert all(clip.corrected_frames >= set(clip.prompts) for clip in clips if clip not in by_mask)


def test_a_single_picture_is_never_prompted_by_its_mask() -> None:
    for seed in range(40):
        clip = _simulate(seed, PromptRecipe(), frames=1)
        assert isinstance(clip.prompts[0], PointPrompt)


@pytest.mark.parametrize("kind", ["mask", "box", "point"])
def test_an_ablation_prompts_in_one_way(kind: Any) -> None:
    for seed in range(20):
        for prompt in _simulate(seed, PromptRecipe(kind=kind)).prompts.values():
            assert isinstance(prompt, MaskPrompt) == (kind == "mask")
            if isinstance(prompt, PointPrompt):
                assert prompt.labels.shape[1] == {"box": 2, "point": 1}[kind]


def test_a_box_is_off_by_a_tenth_of_its_size_at_most_and_stays_in_the_picture() -> None:
    # object 0: columns 6..19 (14 wide), rows 4..11 (8 high)
    for seed in range(50):
        prompt = _simulate(seed, PromptRecipe(kind="box", max_prompted=1)).prompts[0]
        assert isinstance(prompt, PointPrompt)
        assert prompt.labels[0].tolist() == [2, 3]
        (x0, y0), (x1, y1) = prompt.coords[0].tolist()
        assert abs(x0 - 6) <= 1.4
        assert abs(x1 - 19) <= 1.4
        assert abs(y0 - 4) <= 0.8
        assert abs(y1 - 11) <= 0.8
        assert prompt.labels[1].tolist() == [-1, -1]  # object 1 is not there yet


def test_a_first_click_lies_on_the_object_or_says_that_it_is_not_there() -> None:
    masks = _masks()
    for seed in range(50):
        prompt = _simulate(seed, PromptRecipe(kind="point", max_prompted=1)).prompts[0]
        assert isinstance(prompt, PointPrompt)
        x, y = prompt.coords[0, 0].int().tolist()
        assert masks[0, 0, y, x]
        assert prompt.labels[:, 0].tolist() == [1, 0]  # a negative click for the absent one


def test_corrections_lie_on_what_is_wrong_with_the_right_sign() -> None:
    masks = _masks()
    logits = torch.where(masks[1], 5.0, -5.0)
    logits[0, 4:8] = -5.0  # upper half of object 0 missed
    logits[1, 0:4, 0:4] = 5.0  # and something of object 1 invented
    for seed in range(40):
        clip = _simulate(seed, PromptRecipe(kind="point", blind_click=0.0))
        clicks = clip(1, 0, logits)
        assert clicks is not None
        (x0, y0), (x1, y1) = clicks.coords[:, 0].int().tolist()
        assert (clicks.labels[:, 0].tolist(), masks[1, 0, y0, x0].item(), y0 < 8) == ([1, 0], True, True)
        assert max(x1, y1) < 4


def test_where_nothing_is_wrong_the_background_is_clicked() -> None:
    masks = _masks()
    clicks = _simulate(0, PromptRecipe(kind="point", blind_click=0.0))(1, 0, torch.where(masks[1], 5.0, -5.0))
    assert clicks is not None
    for index, (x, y) in enumerate(clicks.coords[:, 0].int().tolist()):
        assert not masks[1, index, y, x]
    assert clicks.labels[:, 0].tolist() == [0, 0]


def test_clicks_end() -> None:
    clip = _simulate(0, PromptRecipe(kind="point", num_clicks=3))
    assert [clip(0, step, torch.zeros(2, 32, 32)) is None for step in range(5)] == [False, False, False, True, True]


def test_the_same_generator_draws_the_same_user() -> None:
    first, second = (_simulate(7, PromptRecipe(kind="box")) for _ in range(2))
    assert list(first.prompts) == list(second.prompts)
    for frame, prompt in first.prompts.items():
        other = second.prompts[frame]
        assert isinstance(prompt, PointPrompt)
        assert isinstance(other, PointPrompt)
        assert torch.equal(prompt.coords, other.coords)
