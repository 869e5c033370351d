"""The losses of a conversation with its pictures: the text's is the reference one, masks follow their [SEG], both modes learn."""

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
from sightline.models.sa2va.conversation import IGNORED, Labelled, Turn, labelled, with_media  # noqa: E402
from sightline.models.sa2va.losses import MaskLossWeights, mask_losses, truth_at  # noqa: E402
from sightline.models.sa2va.modes import MODES  # noqa: E402
from sightline.models.sa2va.objective import Objects, sample_losses  # noqa: E402
from sightline.models.sa2va.pictures import normalised, square  # noqa: E402

SIDE = 128
PLAIN = MaskLossWeights(points=0)


class Sample:
    """A golden picture with its answer, and masks of our own making for its [SEG] tokens."""

    def __init__(self, golden: Path, models: dict[str, Any], *, num_frames: int = 1) -> None:
        self.model = models["internvl"]
        case = load_file(golden / "end_to_end" / "image_tiled_two_seg.safetensors")
        self.facts = json.loads((golden / "end_to_end" / "cases.json").read_text())["image_tiled_two_seg"]
        picture = case["image_uint8"].numpy()
        self.media = self.model.family.show([picture], video=False)
        ids = [*case["input_ids"].tolist(), *case["answer_ids"].tolist()]
        asked = len(case["input_ids"])
        self.said = Labelled(tuple(ids), (*[IGNORED] * asked, *ids[asked:]))
        image = normalised(square(picture, SIDE), constants="exact")
        images = torch.stack([image.roll(8 * frame, dims=2) for frame in range(num_frames)])
        masks = torch.zeros(2, num_frames, *picture.shape[:2])
        masks[0, :, 20:60, 10:50] = 1
        masks[1, :, 5:30, 60:100] = 1
        self.objects = Objects(images, masks)


def test_the_text_loss_of_the_golden_answer_is_the_reference_one(golden: Path, models: dict[str, Any]) -> None:
    sample = Sample(golden, models)
    with torch.no_grad():
        found = sample_losses(sample.model, sample.said, sample.media, sample.objects, mode=MODES["official"], weights=PLAIN)
    assert found.text.item() == pytest.approx(sample.facts["llm_loss_on_answer"], rel=1e-4)
    assert found.total.item() == pytest.approx(found.text.item() + found.masks.mask.item() + found.masks.dice.item())


def test_each_seg_answers_for_its_own_mask(golden: Path, models: dict[str, Any]) -> None:
    sample = Sample(golden, models, num_frames=2)
    states = load_file(golden / "end_to_end" / "image_tiled_two_seg.safetensors")["seg_hidden_states"]
    with torch.no_grad():
        found = sample_losses(sample.model, sample.said, sample.media, sample.objects, mode=MODES["official"], weights=PLAIN)
        tokens = sample.model.grounding.project(states)
        each = [sample.model.grounding.alone(sample.objects.images, token[None]).chosen_low_res for token in tokens]
        expected = mask_losses(torch.cat(each), truth_at(sample.objects.masks.flatten(0, 1), 32), PLAIN)
    assert found.masks.total.item() == pytest.approx(expected.total.item(), rel=1e-5)


def test_places_repeat_objects(golden: Path, models: dict[str, Any]) -> None:
    sample = Sample(golden, models)
    one = Objects(sample.objects.images, sample.objects.masks, places=torch.tensor([1, 1, 1]))
    swapped = Objects(sample.objects.images, sample.objects.masks, places=torch.tensor([1]))
    with torch.no_grad():
        first, second = (
            sample_losses(sample.model, sample.said, sample.media, objects, mode=MODES["official"], weights=PLAIN)
            for objects in (one, swapped)
        )
    assert first.masks.total.item() == pytest.approx(second.masks.total.item(), rel=1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("points", [0, 200])
def test_a_few_steps_bring_the_masks_nearer_to_the_truth(mode: str, points: int, golden: Path, models: dict[str, Any]) -> None:
    sample = Sample(golden, models, num_frames=7 if mode == "consistent" else 2)
    model = copy.deepcopy(sample.model)
    model.requires_grad_(False)
    trained = [*model.grounding.text_hidden_fcs.parameters(), *model.grounding.clip.model.mask_decoder.parameters()]
    for parameter in trained:
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(trained, lr=2e-3)
    weights, losses = MaskLossWeights(points=points), []
    for step in range(6):
        found = sample_losses(model, sample.said, sample.media, sample.objects, mode=MODES[mode], weights=weights, key=(step,))
        optimizer.zero_grad()
        found.total.backward()
        optimizer.step()
        losses.append(found.masks.total.item())
    assert losses[-1] < 0.8 * losses[0]


def test_a_conversation_without_seg_reaches_every_parameter_with_a_gradient_of_zero(golden: Path, models: dict[str, Any]) -> None:
    model = copy.deepcopy(models["internvl"]).train()
    sample = Sample(golden, models)
    turn = Turn(with_media("<image>\nWhat is it?", sample.media.slots), "A cup.")
    said = labelled([turn], model.family.template, model.tokenizer)
    found = sample_losses(model, said, sample.media, None, mode=MODES["official"], weights=PLAIN)
    found.total.backward()
    assert found.masks.total.item() == 0
    reached = model.grounding.text_hidden_fcs[0].weight.grad
    assert reached is not None
    assert not reached.any()
    assert model.language.lm_head.weight.grad.abs().max() > 0


def test_seg_tokens_and_objects_must_be_as_many(golden: Path, models: dict[str, Any]) -> None:
    sample = Sample(golden, models)
    fewer = Objects(sample.objects.images, sample.objects.masks[:1])
    for objects, count in ((fewer, 1), (None, 0)):
        with pytest.raises(InputError, match=f"2 \\[SEG\\] for {count} objects"):
            sample_losses(sample.model, sample.said, sample.media, objects, mode=MODES["official"], weights=PLAIN)


def test_a_seg_of_the_asking_side_has_no_object(golden: Path, models: dict[str, Any]) -> None:
    sample = Sample(golden, models)
    turn = Turn(with_media("<image>\nIs [SEG] a cup?", sample.media.slots), "It is [SEG].")
    said = labelled([turn], sample.model.family.template, sample.model.tokenizer)
    one = Objects(sample.objects.images, sample.objects.masks[:1])
    with torch.no_grad():
        found = sample_losses(sample.model, said, sample.media, one, mode=MODES["official"], weights=PLAIN)
    assert np.isfinite(found.total.item())
