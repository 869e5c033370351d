"""Before the first step: the largest clip once through the model and back, and what it takes.

The largest batch is `batch_size` clips of `num_frames` frames, each with as many objects as a clip may have and a video has. It is
prompted in the way that takes most: by points, with every correction click. What the backward pass keeps is measured tensor by
tensor, each memory once, also where there is no GPU; first the encoder's part, which grows with frames, then the rest, which grows
with objects times frames. From these two follows what would fit where a clip does not.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sightline.errors import InputError
from sightline.models.sam2.clip import ClipModel
from sightline.models.sam2.losses import clip_loss
from sightline.models.sam2.simulate import PromptRecipe, Simulated
from sightline.train.sam2.batches import Batch, join, load
from sightline.train.sam2.settings import Sam2Settings
from sightline.train.sam2.windows import WindowPlan

GIB = 2**30
CPU_MESSAGES = ("can't allocate memory", "not enough memory", "DefaultCPUAllocator")


@dataclass(frozen=True)
class Activations:
    """Bytes kept for the backward pass: of one picture in the encoder, of one object in one frame behind it."""

    per_frame: float
    per_object_frame: float

    def of(self, *, clips: int, frames: int, objects: int) -> float:
        """Bytes of a batch; `objects` are those of all its clips."""
        return self.per_frame * clips * frames + self.per_object_frame * objects * frames


@dataclass(frozen=True)
class Preflight:
    """What the largest batch takes. Sizes in bytes.

    `weights` holds the parameters, their gradients and the two moments of AdamW. `peak` is what the device had allocated at most,
    `available` what it has; None where there is no GPU.
    """

    clip: str
    clips: int
    frames: int
    objects: int
    image_size: int
    activations: Activations
    weights: int
    peak: int | None = None
    available: int | None = None

    @property
    def needed(self) -> float:
        """Weights and kept activations; what operations need while they run comes on top."""
        return self.weights + self.activations.of(clips=self.clips, frames=self.frames, objects=self.objects)

    def __str__(self) -> str:
        kept = self.activations.of(clips=self.clips, frames=self.frames, objects=self.objects)
        text = (
            f"preflight: {self.clip}: {self.clips} clip(s), {self.frames} frames, {self.objects} object(s), {self.image_size} px: "
            f"{self.weights / GIB:.2f} GiB weights and AdamW, {kept / GIB:.2f} GiB kept for the backward pass"
        )
        if self.peak is not None and self.available is not None:
            text += f"; peak {self.peak / GIB:.2f} of {self.available / GIB:.2f} GiB"
        return text


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


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the processor has no memory left."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(message in str(error) for message in CPU_MESSAGES)
    )


def out_of_memory(batch: Batch, measured: Preflight | None, settings: Sam2Settings) -> InputError:
    """The error for a batch that does not fit, with what would fit by what was measured."""
    frames, clips = batch.images.shape[:2]
    objects, size = len(batch.names), batch.images.shape[-1]
    text = (
        f"out of memory: {', '.join(str(window) for window in batch.windows[:3])}: {objects} object(s) in {frames} frames of "
        f"{clips} clip(s) at {size} px."
    )
    if measured is not None:
        text += f" It keeps about {measured.activations.of(clips=clips, frames=frames, objects=objects) / GIB:.2f} GiB"
        text += f" beside {measured.weights / GIB:.2f} GiB of weights and AdamW"
        text += (
            "."
            if measured.available is None
            else f", of {measured.available / GIB:.2f} GiB. {_fits(measured, clips, frames, objects)}"
        )
    remedies = ["fewer objects (data.clips.max_objects)", "fewer frames (data.clips.num_frames)", "fewer pixels (model.image_size)"]
    if not settings.model.checkpoint_blocks:
        remedies.insert(0, "model.checkpoint_blocks=true")
    return InputError(f"{text} Take {', '.join(remedies)}. Checkpoints so far are intact.")


def _fits(measured: Preflight, clips: int, frames: int, objects: int) -> str:
    """What would fit, a tenth left free for what operations need while they run."""
    assert measured.available is not None
    room = 0.9 * measured.available - measured.weights
    kept = measured.activations
    fewer = int((room - kept.per_frame * clips * frames) // (kept.per_object_frame * frames))
    shorter = int(room // kept.of(clips=clips, frames=1, objects=objects))
    smaller = int((room / kept.of(clips=clips, frames=frames, objects=objects)) ** 0.5 * measured.image_size) // 32 * 32
    choices = [(fewer, "objects"), (shorter, "frames"), (smaller, "px")]
    told = [f"{number} {what}" for number, what in choices if number >= 1]
    return f"By this, {' or '.join(told)} would fit." if told else "No smaller clip of this kind would fit."


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
        available=torch.cuda.mem_get_info(device)[1] if device.type == "cuda" else None,
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
