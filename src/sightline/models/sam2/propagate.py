"""Following objects through a whole video: all objects of a frame at once, one frame in memory at a time.

Objects are independent in SAM 2, so objects that are prompted on the same frames are one batch, and a frame's features are shared
by all batches. What later frames can never look at again is dropped: memory is bounded by the number of prompted frames, not by
the length of the video. Prompts may come late, on several frames, and the video may be followed in both directions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from sightline.errors import InputError
from sightline.models.sam2.clip import ClipModel, Features, FrameResult, MemoryBank
from sightline.models.sam2.prompts import MaskPrompt, PointPrompt, Prompt


@runtime_checkable
class Frames(Protocol):
    """A video's frames, normalised: (3, R, R) each. They are asked for in the order they are needed, each at most once a pass."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Tensor: ...


@dataclass(frozen=True)
class ObjectPrompt:
    """A prompt for one object: a mask (R, R), or points (P, 2) with labels (P,)."""

    frame: int
    object_id: str
    mask: Tensor | None = None
    coords: Tensor | None = None
    labels: Tensor | None = None


@dataclass(frozen=True)
class FrameMasks:
    """What was found in one frame: `low_res` logits (O, R/4, R/4) and presence logits (O,), in the order of `object_ids`.

    Objects whose first prompt is still to come (in a forward pass) are not among them.
    """

    frame: int
    object_ids: tuple[str, ...]
    low_res: Tensor
    presence: Tensor


@dataclass
class _Batch:
    """Objects prompted on the same frames, and what is remembered of them."""

    object_ids: tuple[str, ...]
    prompts: Mapping[int, Prompt]
    bank: MemoryBank

    @property
    def first(self) -> int:
        return min(self.prompts)


@torch.inference_mode()
def propagate(
    model: ClipModel, frames: Frames, prompts: Sequence[ObjectPrompt], *, both_directions: bool = False
) -> Iterator[FrameMasks]:
    """Follow every object from its prompts to the end of the video, and with `both_directions` also back to its beginning.

    Frames are given in order of time; the frames before an object's first prompt, found backwards, come after those.

    Raises:
        InputError: no prompt, a frame outside the video, or two kinds of prompts for one object on one frame.
    """
    batches = _batches(prompts, len(frames))
    device = next(model.parameters()).device
    for frame in sorted({frame for batch in batches for frame in batch.prompts}):
        features = model.encode(frames[frame].unsqueeze(0).to(device))
        for batch in batches:
            if frame in batch.prompts:
                _step(model, features, batch, frame, num_frames=len(frames))
    yield from _pass(model, frames, batches, range(min(batch.first for batch in batches), len(frames)))
    if both_directions:
        for batch in batches:
            batch.bank.tracked.clear()
        yield from _pass(model, frames, batches, range(max(batch.first for batch in batches) - 1, -1, -1))


def _pass(model: ClipModel, frames: Frames, batches: Sequence[_Batch], order: range) -> Iterator[FrameMasks]:
    """One direction. Backwards, only frames before a batch's first prompt are given: the others were given on the way forward."""
    reverse = order.step < 0
    device = next(model.parameters()).device
    for frame in order:
        due = [batch for batch in batches if (frame < batch.first if reverse else frame >= batch.first)]
        if not due:
            continue
        features = None
        found: list[tuple[_Batch, FrameResult]] = []
        for batch in due:
            if frame in batch.bank.conditioning:
                found.append((batch, batch.bank.conditioning[frame]))
                continue
            if features is None:
                features = model.encode(frames[frame].unsqueeze(0).to(device))
            found.append((batch, _step(model, features, batch, frame, num_frames=len(frames), reverse=reverse)))
            _forget(model, batch.bank, frame, reverse=reverse)
        yield FrameMasks(
            frame=frame,
            object_ids=tuple(name for batch, _ in found for name in batch.object_ids),
            low_res=torch.cat([result.steps[-1].chosen_low_res for _, result in found]),
            presence=torch.cat([result.steps[-1].score[:, 0] for _, result in found]),
        )


def _step(
    model: ClipModel, features: Features, batch: _Batch, frame: int, *, num_frames: int, reverse: bool = False
) -> FrameResult:
    count = len(batch.object_ids)
    levels = (features.fine, features.middle, features.top, features.position)
    seen = Features(*(level.expand(count, -1, -1, -1) for level in levels))
    prompt = batch.prompts.get(frame)
    result = model.track(seen, frame, prompt, batch.bank, num_frames=num_frames, reverse=reverse)
    # Only the chosen mask is asked for later, and nothing at full size.
    kept = FrameResult(steps=(result.steps[-1].slim(),), pointer=result.pointer, memory=result.memory)
    (batch.bank.conditioning if prompt is not None else batch.bank.tracked)[frame] = kept
    return kept


def _forget(model: ClipModel, bank: MemoryBank, frame: int, *, reverse: bool) -> None:
    """Drop what no later frame can look at: memories reach back `num_maskmem` - 1 frames, pointers a few more."""
    config = model.model.config
    reach = max(config.num_maskmem, config.max_object_pointers_in_encoder) - 1
    oldest = frame + reach if reverse else frame - reach
    for known in [known for known in bank.tracked if (known > oldest if reverse else known < oldest)]:
        del bank.tracked[known]


def _batches(prompts: Sequence[ObjectPrompt], num_frames: int) -> list[_Batch]:
    by_object: dict[str, dict[int, ObjectPrompt]] = {}
    for prompt in prompts:
        if not 0 <= prompt.frame < num_frames:
            raise InputError(f"object {prompt.object_id!r} is prompted on frame {prompt.frame} of a video of {num_frames} frames.")
        if prompt.frame in by_object.setdefault(prompt.object_id, {}):
            raise InputError(f"object {prompt.object_id!r} has two prompts on frame {prompt.frame}; give all its points in one.")
        by_object[prompt.object_id][prompt.frame] = prompt
    if not by_object:
        raise InputError("nothing to follow: there is no prompt.")
    alike: dict[tuple[tuple[int, int], ...], list[str]] = {}
    for object_id, own in by_object.items():
        key = tuple((frame, -1 if prompt.coords is None else len(prompt.coords)) for frame, prompt in sorted(own.items()))
        alike.setdefault(key, []).append(object_id)
    return [
        _Batch(
            object_ids=tuple(names),
            prompts={frame: _together([by_object[name][frame] for name in names]) for frame, _ in key},
            bank=MemoryBank(),
        )
        for key, names in alike.items()
    ]


def _together(prompts: Sequence[ObjectPrompt]) -> Prompt:
    masks = [prompt.mask for prompt in prompts if prompt.mask is not None]
    coords = [prompt.coords for prompt in prompts if prompt.coords is not None]
    labels = [prompt.labels for prompt in prompts if prompt.labels is not None]
    if len(masks) == len(prompts) and not coords:
        return MaskPrompt(torch.stack(masks))
    if len(coords) == len(labels) == len(prompts) and not masks:
        return PointPrompt(torch.stack(coords), torch.stack(labels))
    raise InputError(f"object {prompts[0].object_id!r}: a prompt is a mask, or points with a label each.")
