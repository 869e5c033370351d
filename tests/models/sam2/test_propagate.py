"""Objects together are the same as objects alone, and what a long video remembers is bounded."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from safetensors.torch import load_file  # noqa: E402
from transformers import Sam2VideoModel  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.models.sam2.clip import ClipModel  # noqa: E402
from sightline.models.sam2.names import from_original  # noqa: E402
from sightline.models.sam2.prompts import MaskPrompt  # noqa: E402
from sightline.models.sam2.propagate import FrameMasks, ObjectPrompt, propagate  # noqa: E402

EXACT = 1e-4  # of logits up to 20, in float32


@pytest.fixture(scope="module")
def model(golden: Path, tiny_config: Any) -> ClipModel:
    inner = Sam2VideoModel(tiny_config)
    inner.load_state_dict(from_original(load_file(golden / "weights.safetensors")))
    return ClipModel(inner).eval()


@pytest.fixture(scope="module")
def clip(golden: Path) -> dict[str, Any]:
    return load_file(golden / "case_1_mask.safetensors")


def _masks(clip: dict[str, Any], frame: int, *objects: int) -> list[ObjectPrompt]:
    return [ObjectPrompt(frame=frame, object_id=str(index), mask=clip["gt_masks"][frame, index]) for index in objects]


def _run(model: ClipModel, clip: dict[str, Any], prompts: list[ObjectPrompt], **how: bool) -> dict[tuple[int, str], Any]:
    images = clip["images"].float()
    found = list(propagate(model, list(images), prompts, **how))  # pyright: ignore[reportArgumentType] - a list is frames enough
    return {(frame.frame, name): frame.low_res[row] for frame in found for row, name in enumerate(frame.object_ids)}


def test_propagation_is_the_clip_forward_frame_by_frame(model: ClipModel, clip: dict[str, Any]) -> None:
    with torch.no_grad():
        whole = model(clip["images"].float(), {0: MaskPrompt(clip["gt_masks"][0])})
    found = _run(model, clip, _masks(clip, 0, 0, 1))
    assert set(found) == {(frame, name) for frame in range(4) for name in "01"}
    for (frame, name), logits in found.items():
        torch.testing.assert_close(logits, whole[frame].steps[-1].chosen_low_res[int(name)], atol=EXACT, rtol=0)


def test_objects_together_are_the_objects_alone(model: ClipModel, clip: dict[str, Any]) -> None:
    together = _run(model, clip, _masks(clip, 0, 0, 1))
    for index in (0, 1):
        alone = _run(model, clip, _masks(clip, 0, index))
        for (frame, name), logits in alone.items():
            torch.testing.assert_close(logits, together[frame, name], atol=EXACT, rtol=0)


def test_a_late_prompt_starts_its_object_late_and_leaves_the_other_as_it_was(model: ClipModel, clip: dict[str, Any]) -> None:
    both = _run(model, clip, [*_masks(clip, 0, 0), *_masks(clip, 2, 1)])
    assert set(both) == {(frame, "0") for frame in range(4)} | {(2, "1"), (3, "1")}
    alone = _run(model, clip, _masks(clip, 0, 0))
    for place, logits in alone.items():
        torch.testing.assert_close(both[place], logits, atol=EXACT, rtol=0)


def test_backwards_is_the_reversed_video_forwards(model: ClipModel, clip: dict[str, Any]) -> None:
    back = _run(model, clip, _masks(clip, 3, 0), both_directions=True)
    assert sorted(back) == [(frame, "0") for frame in range(4)]
    turned = {"images": clip["images"].flip(0), "gt_masks": clip["gt_masks"].flip(0)}
    forward = _run(model, turned, _masks(turned, 0, 0))
    for frame in range(4):
        torch.testing.assert_close(back[frame, "0"], forward[3 - frame, "0"], atol=EXACT, rtol=0)


def test_prompts_on_two_frames_are_both_remembered(model: ClipModel, clip: dict[str, Any]) -> None:
    once, twice = _run(model, clip, _masks(clip, 0, 0)), _run(model, clip, [*_masks(clip, 0, 0), *_masks(clip, 2, 0)])
    assert not torch.allclose(once[1, "0"], twice[1, "0"], atol=100 * EXACT)
    assert (twice[2, "0"].min(), twice[2, "0"].max()) == (-10, 10)  # the prompt itself


def test_memory_is_bounded_on_a_long_video(model: ClipModel, clip: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [clip["images"][index % 4].float() for index in range(40)]
    kept: list[int] = []
    track = ClipModel.track

    def watch(self: ClipModel, seen: Any, frame: int, prompt: Any, bank: Any, **how: Any) -> Any:
        kept.append(len(bank.tracked))
        return track(self, seen, frame, prompt, bank, **how)

    monkeypatch.setattr(ClipModel, "track", watch)
    long: list[FrameMasks] = list(propagate(model, frames, _masks(clip, 0, 0)))  # pyright: ignore[reportArgumentType]
    assert len(long) == 40
    assert max(kept) == model.model.config.max_object_pointers_in_encoder  # 15 back and the frame itself


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        ([], "there is no prompt"),
        ([ObjectPrompt(frame=4, object_id="a", mask=torch.zeros(128, 128))], "frame 4 of a video of 4"),
        ([ObjectPrompt(frame=0, object_id="a", mask=torch.zeros(128, 128))] * 2, "two prompts on frame 0"),
        ([ObjectPrompt(frame=0, object_id="a")], "a mask, or points"),
    ],
)
def test_prompts_that_mean_nothing_are_refused(
    model: ClipModel, clip: dict[str, Any], prompts: list[ObjectPrompt], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        _run(model, clip, prompts)
