"""What a batch takes of a device's memory, and what is said where it does not fit: which clip, how large, and what would."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from sightline.errors import InputError
from sightline.train.sam2.batches import Batch
from sightline.train.sam2.settings import Sam2Settings

GIB = 2**30
CPU_MESSAGES = ("can't allocate memory", "not enough memory", "DefaultCPUAllocator")
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Extent:
    """How large a batch is; `objects` are those of all its clips."""

    clips: int
    frames: int
    objects: int

    @classmethod
    def of(cls, batch: Batch) -> "Extent":
        frames, clips = batch.images.shape[:2]
        return cls(clips=clips, frames=frames, objects=len(batch.names))

    @property
    def order(self) -> tuple[int, int]:
        """The larger, the more memory: object-frames first, then frames."""
        return self.objects * self.frames, self.clips * self.frames

    def __str__(self) -> str:
        return f"{self.objects} object(s) in {self.frames} frames of {self.clips} clip(s)"


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

    `weights` holds the parameters, their gradients and the two moments of AdamW. `peak` is what a GPU had allocated at most, None
    without one; `available` what the GPU or the machine has, None where it does not say.
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


def available_memory(device: torch.device) -> int | None:
    """Bytes that a GPU has in all, else those of the machine or of the container that this process runs in; None if unknown."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    found: list[int] = []
    with suppress(ValueError, OSError):  # not every system has these names
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(ValueError, OSError):  # "max": no limit
        found.append(int(CONTAINER_LIMIT.read_text()))
    return min(found, default=None)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the processor has no memory left."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(message in str(error) for message in CPU_MESSAGES)
    )


def out_of_memory(batch: Batch, measured: Preflight | None, settings: Sam2Settings, *, passed: Extent | None = None) -> InputError:
    """The error for a batch that does not fit, with what would.

    Args:
        measured: what the preflight found, of this batch or another of the same model and size of picture.
        passed: the largest batch that went through before.
    """
    extent, size = Extent.of(batch), batch.images.shape[-1]
    told = [f"out of memory: {', '.join(str(window) for window in batch.windows[:3])}: {extent} at {size} px."]
    if measured is not None:
        kept = measured.activations.of(clips=extent.clips, frames=extent.frames, objects=extent.objects)
        text = f"It keeps about {kept / GIB:.2f} GiB beside {measured.weights / GIB:.2f} GiB of weights and AdamW"
        of_all = "" if measured.available is None else f", of {measured.available / GIB:.2f} GiB"
        told.append(f"{text}{of_all}.")
        if measured.available is not None:
            told.append(_fits(measured, measured.available, extent))
    if passed is not None:
        told.append(f"The largest batch that went through before had {passed}.")
    told += [f"Take {', '.join(_remedies(settings, extent))}.", "Checkpoints so far are intact."]
    return InputError(" ".join(told))


def _fits(measured: Preflight, available: int, extent: Extent) -> str:
    """What would fit, a tenth left free for what operations need while they run."""
    room = 0.9 * available - measured.weights
    kept, clips, frames, objects = measured.activations, extent.clips, extent.frames, extent.objects
    needed = kept.of(clips=clips, frames=frames, objects=objects)
    if needed <= room:
        return "By this it would fit: something else holds the memory, or an operation needs much more than is kept."
    choices = [
        (int((room - kept.per_frame * clips * frames) // (kept.per_object_frame * frames)), "objects"),
        (int(room // kept.of(clips=clips, frames=1, objects=objects)), "frames"),
        (int(room // (needed / clips)) if clips > 1 else 0, "clips"),
        (int((max(room, 0) / needed) ** 0.5 * measured.image_size) // 32 * 32, "px"),
    ]
    told = [f"{number} {what}" for number, what in choices if number >= 1]
    return f"By this, {' or '.join(told)} would fit." if told else "No smaller clip of this kind would fit."


def _remedies(settings: Sam2Settings, extent: Extent) -> list[str]:
    remedies = ["fewer objects (data.clips.max_objects)", "fewer frames (data.clips.num_frames)"]
    if extent.clips > 1:
        remedies.append("fewer clips at a time (data.batch_size, with more trainer.accumulate)")
    remedies.append("fewer pixels (model.image_size)")
    if not settings.model.checkpoint_blocks:
        remedies.insert(0, "model.checkpoint_blocks=true")
    return remedies
