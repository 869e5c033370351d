"""SAM 2 as a model that is asked: `sam2:CHECKPOINT[?KEY=VALUE&...]`, a transformers folder or an original `.pt` with its YAML.

    config=FILE.yaml        the YAML of a `.pt`
    size=512                another side of the square input than the checkpoint's, a multiple of 32
    both_directions=yes     also back to the beginning of the clip
    offload=yes             memories of earlier frames wait in the machine's memory, not the GPU's
    objects=8               at most so many objects at a time; the frames are encoded once for each such group

All objects of a clip are followed together, a frame at a time; what is kept does not grow with the clip. In bfloat16 the weights
stay in float32 and the operations are autocast, as in the official code. Weights are loaded when the first clip comes.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import torch
from torch import Tensor

from sightline.errors import InputError, unknown_name
from sightline.models.options import ModelOptions
from sightline.models.sam2.clip import ClipModel
from sightline.models.sam2.track import ready, track_frames
from sightline.models.sam2.weights import load_sam2
from sightline.models.tracking.shown import RgbFrames, Shown, check_mask_size
from sightline.models.tracking.trackers import Found, TrackerModel, check_shown

KEYS = ("config", "size", "both_directions", "offload", "objects")
YES_OR_NO = {"yes": True, "no": False}


@dataclass(frozen=True)
class Sam2Settings:
    """A checkpoint and how it is run. `image_size` None: the checkpoint's own. `most_objects`: at a time; 0: all of a clip.

    `device` None: a GPU where there is one. `dtype` "auto": bfloat16 on a GPU, float32 on a CPU.
    """

    checkpoint: Path
    config: Path | None = None
    image_size: int | None = None
    offload: bool = False
    most_objects: int = 0
    device: str | None = None
    dtype: str = "auto"


def sam2_model(rest: str, options: ModelOptions) -> TrackerModel:
    """The model of `sam2:REST`.

    Raises:
        FileNotFoundError: no such checkpoint or YAML.
        InputError: an unknown key, a value that is none, or an option of no sense for a tracker.
    """
    path, _, query = rest.partition("?")
    values = _values(query)
    if options.cache is not None:
        raise InputError("--cache keeps texts, and sam2: answers with masks. Leave it out.")
    checkpoint, config = Path(path).expanduser(), Path(values["config"]).expanduser() if "config" in values else None
    for given in (checkpoint, config):
        if given is not None and not given.exists():
            raise FileNotFoundError(f"{given}: no such file or folder (model 'sam2:{rest}').")
    if checkpoint.is_file() and config is None:
        raise InputError(f"{checkpoint}: an original checkpoint needs its YAML: sam2:{checkpoint}?config=sam2.1_hiera_t.yaml.")
    settings = Sam2Settings(
        checkpoint=checkpoint,
        config=config,
        image_size=_number(values, "size") or None,
        offload=_flag(values, "offload"),
        most_objects=_number(values, "objects"),
        device=options.device,
        dtype=options.dtype,
    )
    return TrackerModel(Sam2Tracker(settings, name=options.name), both_directions=_flag(values, "both_directions"))


class Sam2Tracker:
    """A checkpoint that follows objects. Give `model` where it is in memory already (while it is trained)."""

    def __init__(self, settings: Sam2Settings, *, name: str | None = None) -> None:
        if settings.dtype not in ("auto", "float32", "bfloat16"):
            raise InputError(f"--dtype {settings.dtype}: SAM 2 is run in float32 or bfloat16.")
        self.settings = settings
        checkpoint = settings.checkpoint
        self.name = name or (checkpoint.resolve().name if checkpoint.is_dir() else checkpoint.stem)

    def describe(self) -> dict[str, Any]:
        """What tells this model's answers from others': not how many objects are followed at a time, nor where memories wait."""
        device, dtype = self._placement
        return {
            "kind": "sam2",
            "name": self.name,
            "revision": self._revision,
            "image_size": self.settings.image_size,
            "dtype": dtype,
            "device": device.type,
            "versions": {package: version(package) for package in ("torch", "transformers")},
        }

    def follow(self, frames: RgbFrames, shown: Sequence[Shown], *, both_directions: bool = False) -> Found:
        """Every object from its first prompt to the end.

        Raises:
            InputError: a prompt outside the clip or of another size, or not enough GPU memory.
        """
        check_shown(shown, frames)
        for each in shown:
            check_mask_size(each, frames)
        squares = SquareFrames(frames, self.model.image_size)
        for group in _groups(shown, self.settings.most_objects):
            found = track_frames(self.model, squares, group, both_directions=both_directions, offload=self.settings.offload)
            try:
                yield from self._stepped(found)
            except torch.OutOfMemoryError as error:
                count = len({each.object_id for each in group})
                raise InputError(
                    f"model {self.name!r}: out of GPU memory with {count} objects of {frames.width}x{frames.height} frames at a "
                    f"time, the first of them {group[0].object_id!r}. Follow fewer at a time (?objects={max(count // 2, 1)}), let "
                    "memories wait outside the GPU (?offload=yes), or use a smaller input (?size=512); the same command goes on."
                ) from error

    @cached_property
    def model(self) -> ClipModel:
        """The network, loaded once."""
        settings = self.settings
        loaded = load_sam2(settings.checkpoint, config=settings.config, image_size=settings.image_size)
        model: torch.nn.Module = ClipModel(loaded, future_pointers=False).eval().to(self._placement[0])
        assert isinstance(model, ClipModel), "a module stays what it is"
        return model

    def _stepped(self, found: Found) -> Found:
        """Frame by frame, each computed in the number format; between two frames the caller's own is back."""
        while True:
            with self._format():
                step = next(found, None)
            if step is None:
                return
            yield step

    def _format(self) -> AbstractContextManager[object]:
        device, dtype = self._placement
        return torch.autocast(device.type, torch.bfloat16) if dtype == "bfloat16" else nullcontext()

    @cached_property
    def _placement(self) -> tuple[torch.device, str]:
        """Device and number format."""
        wanted = self.settings.device
        if wanted is None or wanted == "auto":
            wanted = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            device = torch.device(wanted)
        except RuntimeError as error:
            raise InputError(f"--device {wanted!r}: expected auto, cpu, cuda or cuda:N ({error}).") from error
        if device.type == "cuda" and not torch.cuda.is_available():
            raise InputError(f"--device {wanted!r}: torch {torch.__version__} sees no GPU here. Use --device cpu.")
        dtype = self.settings.dtype
        return device, ("bfloat16" if device.type == "cuda" else "float32") if dtype == "auto" else dtype

    @cached_property
    def _revision(self) -> str:
        """A hash of the weights and the configuration."""
        checkpoint = self.settings.checkpoint
        files = [checkpoint / "config.json", checkpoint / "model.safetensors"] if checkpoint.is_dir() else [checkpoint]
        digest = hashlib.sha256()
        for path in (*files, *((self.settings.config,) if self.settings.config else ())):
            if not path.is_file():
                raise InputError(f"{checkpoint}: expected {path.name} of a transformers Sam2VideoModel; it is not there.")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()[:32]


class SquareFrames:
    """Frames as the network takes them, made ready when they are asked for."""

    def __init__(self, frames: RgbFrames, image_size: int) -> None:
        self._frames, self._size = frames, image_size
        self.width, self.height = frames.width, frames.height

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Tensor:
        """(3, R, R), normalised."""
        return ready(self._frames.rgb(index), self._size)


def _groups(shown: Sequence[Shown], most: int) -> Iterator[list[Shown]]:
    """Prompts of at most so many objects at a time, all of an object together."""
    names = list(dict.fromkeys(each.object_id for each in shown))
    step = most or len(names)
    for start in range(0, len(names), step):
        chosen = set(names[start : start + step])
        yield [each for each in shown if each.object_id in chosen]


def _values(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in KEYS:
            raise unknown_name("setting of sam2:", key, KEYS)
        found[key] = value
    return found


def _flag(values: dict[str, str], key: str) -> bool:
    value = values.get(key, "no")
    if value not in YES_OR_NO:
        raise InputError(f"sam2: {key}={value!r}: expected yes or no.")
    return YES_OR_NO[value]


def _number(values: dict[str, str], key: str) -> int:
    """A whole number above 0; 0 where it is not given."""
    value = values.get(key)
    if value is None:
        return 0
    if not (value.isdecimal() and int(value) > 0):
        raise InputError(f"sam2: {key}={value!r}: expected a whole number above 0.")
    return int(value)
