"""The prompts of a batch follow from the seed and the numbers alone."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from sightline.models.sam2.prompts import MaskPrompt, PointPrompt  # noqa: E402
from sightline.models.sam2.simulate import PromptRecipe  # noqa: E402
from sightline.train.sam2.batches import Batch, join  # noqa: E402
from sightline.train.sam2.prompting import BatchPrompts  # noqa: E402
from sightline.train.sam2.windows import Window  # noqa: E402

RECIPE = PromptRecipe(num_clicks=2)


def clip_of(number: int, objects: int) -> Batch:
    """Four frames; each object a square of its own."""
    masks = torch.zeros(4, objects, 32, 32, dtype=torch.bool)
    for place in range(objects):
        masks[:, place, 4 * place : 4 * place + 9, 3 : 14 + number] = True
    return Batch(
        images=torch.zeros(4, 1, 3, 32, 32),
        masks=masks,
        known=torch.ones(4, objects, dtype=torch.bool),
        video_of_object=torch.zeros(objects, dtype=torch.long),
        names=tuple(f"{number}/{place}" for place in range(objects)),
        windows=(Window(0, str(number), (0, 1, 2, 3), number, 0),),
    )


def drawn(batch: Batch, number: int, **options) -> BatchPrompts:
    return BatchPrompts(batch, RECIPE, seed=5, number=number, **options)


def tensors_of(prompts: BatchPrompts) -> dict[int, list]:
    return {
        frame: [prompt.coords, prompt.labels] if isinstance(prompt, PointPrompt) else [prompt.masks]
        for frame, prompt in prompts.prompts.items()
        if isinstance(prompt, MaskPrompt | PointPrompt)
    }


def test_a_clip_has_the_same_prompts_alone_and_beside_another():
    first, second = clip_of(0, 2), clip_of(1, 1)
    for number in range(20):
        together, alone = drawn(join([first, second]), number), drawn(second, number)
        assert together.corrected_frames == alone.corrected_frames
        expected = tensors_of(alone)
        for frame, found in tensors_of(together).items():
            assert all(torch.equal(one[2:], other) for one, other in zip(found, expected[frame], strict=True))
        frame = min(together.corrected_frames, default=0)
        said = torch.zeros(3, 32, 32)
        clicks, own = together(frame, 0, said), alone(frame, 0, said[2:])
        assert clicks is not None
        assert own is not None
        assert torch.equal(clicks.coords[2:], own.coords)


def test_the_batches_number_decides_the_way_and_all_ways_come():
    kinds = {
        (type(drawn(clip_of(0, 1), number).prompts[0]).__name__, len(drawn(clip_of(0, 1), number).prompts)) for number in range(40)
    }
    assert kinds == {("MaskPrompt", 1), ("MaskPrompt", 2), ("PointPrompt", 1), ("PointPrompt", 2)}


def test_only_allowed_frames_are_prompted_or_corrected():
    for number in range(40):
        prompts = drawn(clip_of(0, 1), number, allowed=(0, 2))
        assert set(prompts.prompts) | prompts.corrected_frames <= {0, 2}


def test_clips_of_a_batch_are_clicked_at_places_of_their_own():
    first = clip_of(0, 1)
    second = replace(first, windows=(replace(first.windows[0], number=1),))
    found = [drawn(join([first, second]), number)(0, 0, torch.zeros(2, 32, 32)) for number in range(8)]
    assert any(clicks is not None and not torch.equal(clicks.coords[0], clicks.coords[1]) for clicks in found)


def test_corrections_end_after_the_given_number():
    prompts = drawn(clip_of(0, 1), 0)
    assert prompts(0, 1, torch.zeros(1, 32, 32)) is not None
    assert prompts(0, 2, torch.zeros(1, 32, 32)) is None


def test_an_object_keeps_the_key_of_its_random_points_whatever_stands_beside_it():
    first, second = clip_of(0, 2), clip_of(1, 2)
    together, alone = drawn(join([first, second]), 3).point_keys, drawn(second, 3).point_keys
    assert together[2:] == alone
    assert len(set(together)) == 4
    other = replace(second, windows=(replace(second.windows[0], number=7),))
    assert drawn(other, 3).point_keys != alone
