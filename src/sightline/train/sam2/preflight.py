"""Before the first step: the largest clip once through the model and back, and what it takes.

The largest batch is `batch_size` clips of `num_frames` frames, each with as many objects as a clip may have and a video has. It is
prompted in the way that takes most: by points, with every correction click. What the backward pass keeps is measured tensor by
tensor, each memory once, also where there is no GPU; first the encoder's part, which grows with frames, then the rest, which grows
with objects times frames. From these two follows what would fit where a clip does not (`memory`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sightline.models.sam2.clip import ClipModel
from sightline.models.sam2.losses import clip_loss
from sightline.models.sam2.simulate import PromptRecipe, Simulated
from sightline.train.sam2.batches import Batch, join, load
from sightline.train.sam2.memory import Activations, Preflight, available_memory, is_out_of_memory, out_of_memory
from sightline.train.sam2.settings import Sam2Settings
from sightline.train.sam2.windows import WindowPlan


def run_preflight(model: ClipModel, plan: WindowPlan, settings: Sam2Settings, *, device: torch.device) -> Preflight:
    """Measure the largest batch of one process on `device`. Weights, gradients and random numbers are as they were afterwards.

    Raises:
        FileNotFoundError, InputError: a clip cannot be loaded, or the batch does not fit into memory; the message says how many
            objects and frames it has, and what would fit.
    """
    share = max(1, settings.data.batch_size // (settings.trainer.devices * settings.trainer.num_nodes))
    largest = largest_clip(plan)
    batch = join([largest] * share)
    model.to(device)
    try:
        return _measured(model, batch, settings, device)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        smallest = shrunk(largest, objects=1, frames=min(2, len(largest.images)))
        raise out_of_memory(batch, _smallest(model, smallest, settings, device), settings) from error
    finally:
        model.zero_grad(set_to_none=True)
        model.cpu()
        if device.type == "cuda":
            torch.cuda.empty_cache()


def largest_clip(plan: WindowPlan) -> Batch:
    """The clip with most objects that the first round through the videos has, one video.

    A video that lists no objects is looked at in its first, middle and last frame.
    """
    counts = []
    for video in range(len(plan.videos)):
        last = plan.videos.num_frames(video) - 1
        listed = plan.videos.clip(video).tracks
        counts.append(len(listed or plan.videos.see(video, sorted({0, last // 2, last})).tracks))
    most = int(np.argmax(counts))
    rows = range(plan.steps_per_epoch * plan.batch_size)
    windows = (plan.window(*divmod(row, plan.batch_size)) for row in rows)
    window = next(each for each in windows if each.video == most)
    return load(plan.videos, window, replace(plan.options, late_objects=1.0))


def shrunk(batch: Batch, *, objects: int, frames: int) -> Batch:
    """The first objects and frames of a batch of one clip."""
    return replace(
        batch,
        images=batch.images[:frames],
        masks=batch.masks[:frames, :objects],
        known=batch.known[:frames, :objects],
        video_of_object=batch.video_of_object[:objects],
        names=batch.names[:objects],
    )


def _measured(model: ClipModel, batch: Batch, settings: Sam2Settings, device: torch.device) -> Preflight:
    on_device = batch.to(device)
    frames, clips = batch.images.shape[:2]
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), _precision(settings, device):
        with _kept(model, device) as encoder:
            features = model.encode(on_device.images.flatten(0, 1))
        del features
        with _kept(model, device) as all_of_it:
            loss = _costly_loss(model, on_device, settings)
    loss.backward()
    weights = sum(parameter.nbytes for parameter in model.parameters())
    trained = sum(parameter.nbytes for parameter in model.parameters() if parameter.requires_grad)
    per_frame = encoder() / (frames * clips)
    behind = max(all_of_it() - encoder(), 0.0)
    return Preflight(
        clip=str(batch.windows[0]),
        clips=clips,
        frames=frames,
        objects=len(batch.names),
        image_size=batch.images.shape[-1],
        activations=Activations(per_frame, behind / (frames * len(batch.names))),
        weights=weights + 3 * trained,
        peak=torch.cuda.max_memory_allocated(device) + 2 * trained if device.type == "cuda" else None,
        available=available_memory(device),
    )


def _smallest(model: ClipModel, batch: Batch, settings: Sam2Settings, device: torch.device) -> Preflight | None:
    """A measurement of a small clip, to reckon from; None where not even that fits."""
    model.zero_grad(set_to_none=True)
    try:
        return _measured(model, batch, settings, device)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return None


def _costly_loss(model: ClipModel, batch: Batch, settings: Sam2Settings) -> Tensor:
    recipe = settings.prompts
    kind = "point" if recipe.kind == "mixed" else recipe.kind
    costly: PromptRecipe = replace(recipe, kind=kind, max_prompted=1, blind_click=0.0)
    drawn = Simulated(batch.masks, costly, np.random.default_rng(settings.seed))
    corrected = frozenset(range(min(recipe.max_corrected, len(batch.masks)))) if drawn.corrected_frames else frozenset()
    results = model(batch.images, drawn.prompts, video_of_object=batch.video_of_object, correct=drawn, corrected_frames=corrected)
    return clip_loss(results, batch.masks, settings.losses, supervised=batch.known).total


def _precision(settings: Sam2Settings, device: torch.device) -> Any:  # noqa: ANN401 - torch's context
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=settings.trainer.precision.startswith("bf16"))


@contextmanager
def _kept(model: ClipModel, device: torch.device) -> Iterator[Callable[[], float]]:
    """Counts the bytes of what the block leaves for the backward pass: on a GPU what it has allocated, else tensor by tensor,
    parameters apart, each memory once; there the inputs of checkpointed layers are not seen."""
    counted = [0.0]
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        yield lambda: counted[0]
        counted[0] = float(torch.cuda.memory_allocated(device) - before)
        return
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    seen: dict[int, int] = {}
    held: list[Tensor] = []  # so that no address is used twice while counting

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own and storage.data_ptr() not in seen:
            seen[storage.data_ptr()] = storage.nbytes()
            held.append(tensor.detach())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield lambda: counted[0]
    counted[0] = float(sum(seen.values()))
    held.clear()
