"""Following objects through a whole video: all objects of a frame at once, one frame in memory at a time.

Objects are independent in SAM 2, so objects that are prompted on the same frames are one batch, and a frame's features are shared
by all batches. What later frames can never look at again is dropped: memory is bounded by the number of prompted frames, not by
the length of the video. Prompts may come late, on several frames, and the video may be followed in both directions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from sightline.errors import InputError
from sightline.models.sam2.clip import ClipModel
from sightline.models.sam2.prompts import EmbeddingPrompt, MaskPrompt, PointPrompt, Prompt
from sightline.models.sam2.results import Features, FrameResult, MemoryBank
from sightline.models.sam2.shortcuts import Forward, shortcuts, taken

MOST_AHEAD, PIXELS_AHEAD = 4, 2**18  # frames encoded together: 4 up to 256 pixels a side, one from 512 on


@runtime_checkable
class Frames(Protocol):
    """A video's frames, normalised: (3, R, R) each. They are asked for in the order they are needed, each at most once a pass."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Tensor: ...


@dataclass(frozen=True)
class ObjectPrompt:
    """A prompt for one object: a mask (R, R), or points (P, 2) with labels (P,), or a token (C,)."""

    frame: int
    object_id: str
    mask: Tensor | None = None
    coords: Tensor | None = None
    labels: Tensor | None = None
    token: Tensor | None = None


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
    offload: bool = False

    @property
    def first(self) -> int:
        return min(self.prompts)


@torch.inference_mode()
def propagate(
    model: ClipModel, frames: Frames, prompts: Sequence[ObjectPrompt], *, both_directions: bool = False, offload: bool = False
) -> Iterator[FrameMasks]:
    """Follow every object from its prompts to the end of the video, and with `both_directions` also back to its beginning.

    Frames are given in order of time; the frames before an object's first prompt, found backwards, come after those. With `offload`
    what is remembered of earlier frames waits in the machine's memory and is brought to the GPU when a frame looks at it.

    Raises:
        InputError: no prompt, a frame outside the video, or two kinds of prompts for one object on one frame.
    """
    batches = _batches(prompts, len(frames), offload=offload)
    faster = shortcuts(model.model)
    prompted = sorted({frame for batch in batches for frame in batch.prompts})
    forward = range(prompted[0], len(frames))
    features = _encoded(model, frames, [*prompted, *_wanted(batches, forward)], faster)
    for frame in prompted:
        with taken(faster):
            seen = next(features)
            for batch in batches:
                if frame in batch.prompts:
                    _step(model, seen, batch, frame, num_frames=len(frames))
    yield from _pass(model, batches, order=forward, features=features, faster=faster, total=len(frames))
    if both_directions:
        for batch in batches:
            batch.bank.tracked.clear()
        backward = range(max(batch.first for batch in batches) - 1, -1, -1)
        features = _encoded(model, frames, _wanted(batches, backward), faster)
        yield from _pass(model, batches, order=backward, features=features, faster=faster, total=len(frames))


def _pass(
    model: ClipModel,
    batches: Sequence[_Batch],
    *,
    order: range,
    features: Iterator[Features],
    faster: Mapping[nn.Module, Forward],
    total: int,
) -> Iterator[FrameMasks]:
    """One direction; `features` are those of the frames that `_wanted` names."""
    for frame in order:
        due = _due(batches, frame, order)
        if not due:
            continue
        with taken(faster):
            seen = next(features) if any(frame not in batch.prompts for batch in due) else None
            found = [(batch, _found(model, seen, batch, frame, total=total, reverse=order.step < 0)) for batch in due]
        yield FrameMasks(
            frame=frame,
            object_ids=tuple(name for batch, _ in found for name in batch.object_ids),
            low_res=torch.cat([result.steps[-1].chosen_low_res for _, result in found]),
            presence=torch.cat([result.steps[-1].score[:, 0] for _, result in found]),
        )


def _due(batches: Sequence[_Batch], frame: int, order: range) -> list[_Batch]:
    """Whose masks a frame gives. Backwards, only before a batch's first prompt: the others were given on the way forward."""
    return [batch for batch in batches if (frame < batch.first if order.step < 0 else frame >= batch.first)]


def _wanted(batches: Sequence[_Batch], order: range) -> list[int]:
    """The frames of a pass whose features are looked at: not all of whose masks were their prompts' results."""
    return [frame for frame in order if any(frame not in batch.prompts for batch in _due(batches, frame, order))]


def _encoded(model: ClipModel, frames: Frames, wanted: Sequence[int], faster: Mapping[nn.Module, Forward]) -> Iterator[Features]:
    """The features of some frames, one after another; of small pictures, a few are computed together."""
    device = next(model.parameters()).device
    together = min(MOST_AHEAD, max(1, PIXELS_AHEAD // model.image_size**2))
    for start in range(0, len(wanted), together):
        pictures = torch.stack([frames[frame] for frame in wanted[start : start + together]]).to(device)
        with taken(faster):
            features = model.encode(pictures)
        for row in range(len(pictures)):
            yield features.rows(slice(row, row + 1))


def _found(model: ClipModel, seen: Features | None, batch: _Batch, frame: int, *, total: int, reverse: bool) -> FrameResult:
    """The result of one frame; known already where it was prompted."""
    if seen is None or frame in batch.bank.conditioning:
        return batch.bank.conditioning[frame]
    result = _step(model, seen, batch, frame, num_frames=total, reverse=reverse)
    _forget(model, batch.bank, frame, reverse=reverse)
    return result


def _step(model: ClipModel, seen: Features, batch: _Batch, frame: int, *, num_frames: int, reverse: bool = False) -> FrameResult:
    """`seen` has one row: all objects look at the same picture."""
    prompt = batch.prompts.get(frame)
    bank = _brought(batch.bank, seen.top.device) if batch.offload else batch.bank
    result = model.track(seen, frame, prompt, bank, num_frames=num_frames, reverse=reverse)
    # Only the chosen mask is asked for later, and nothing at full size.
    kept = FrameResult(steps=(result.steps[-1].slim(),), pointer=result.pointer, memory=result.memory)
    kept = _moved(kept, torch.device("cpu")) if batch.offload else kept
    (batch.bank.conditioning if prompt is not None else batch.bank.tracked)[frame] = kept
    return kept


def _moved(result: FrameResult, device: torch.device) -> FrameResult:
    steps = tuple(
        replace(step, **{name: getattr(step, name).to(device) for name in ("low_res", "iou", "score", "chosen")})
        for step in result.steps
    )
    return replace(result, steps=steps, pointer=result.pointer.to(device), memory=result.memory.to(device))


def _brought(bank: MemoryBank, device: torch.device) -> MemoryBank:
    """The same memories where the network is; later frames look at nothing else of a result."""

    def there(results: dict[int, FrameResult]) -> dict[int, FrameResult]:
        return {
            frame: FrameResult(steps=(), pointer=result.pointer.to(device), memory=result.memory.to(device))
            for frame, result in results.items()
        }

    return MemoryBank(conditioning=there(bank.conditioning), tracked=there(bank.tracked))


def _forget(model: ClipModel, bank: MemoryBank, frame: int, *, reverse: bool) -> None:
    """Drop what no later frame can look at: memories reach back `num_maskmem` - 1 frames, pointers a few more."""
    config = model.model.config
    reach = max(config.num_maskmem, config.max_object_pointers_in_encoder) - 1
    oldest = frame + reach if reverse else frame - reach
    for known in [known for known in bank.tracked if (known > oldest if reverse else known < oldest)]:
        del bank.tracked[known]


def _batches(prompts: Sequence[ObjectPrompt], num_frames: int, *, offload: bool) -> list[_Batch]:
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
        key = tuple((frame, _kind(prompt)) for frame, prompt in sorted(own.items()))
        alike.setdefault(key, []).append(object_id)
    return [
        _Batch(
            object_ids=tuple(names),
            prompts={frame: _together([by_object[name][frame] for name in names]) for frame, _ in key},
            bank=MemoryBank(),
            offload=offload,
        )
        for key, names in alike.items()
    ]


def _kind(prompt: ObjectPrompt) -> int:
    """The number of points, or a negative number for the other kinds: what can stand in one batch is alike in it."""
    if prompt.coords is not None:
        return len(prompt.coords)
    return -1 if prompt.token is None else -2


def _together(prompts: Sequence[ObjectPrompt]) -> Prompt:
    masks = [prompt.mask for prompt in prompts if prompt.mask is not None]
    coords = [prompt.coords for prompt in prompts if prompt.coords is not None]
    labels = [prompt.labels for prompt in prompts if prompt.labels is not None]
    tokens = [prompt.token for prompt in prompts if prompt.token is not None]
    if len(tokens) == len(prompts) and not coords and not masks:
        return EmbeddingPrompt(torch.stack(tokens))
    if len(masks) == len(prompts) and not coords and not tokens:
        return MaskPrompt(torch.stack(masks))
    if len(coords) == len(labels) == len(prompts) and not masks and not tokens:
        return PointPrompt(torch.stack(coords), torch.stack(labels))
    raise InputError(f"object {prompts[0].object_id!r}: a prompt is a mask, or points with a label each, or a token.")
