"""Frozen features kept between runs: what `sightline cache-features` fills and `data.features` reads.

Which units of frames there are follows from the sources of a configuration, so that what is kept is what training shows.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from sightline.errors import InputError
from sightline.files import only_writer
from sightline.models.spatial_mllm.connector import FRAMES, MERGE
from sightline.models.spatial_mllm.encoding import FrozenFeatures, frozen_features, tensors_of_features
from sightline.models.spatial_mllm.feature_cache import (
    CacheSettings,
    FeatureCache,
    FeatureWriter,
    Stored,
    files_key,
    open_features,
)
from sightline.models.spatial_mllm.sequences import (
    digest_of_frames,
    grids_of,
    grids_of_geometry,
    prepare_sequence,
    sequence_digest,
)
from sightline.train.vlm.chat import Chat
from sightline.train.vlm.films import Frames, Kind, units_of
from sightline.train.vlm.prepare import open_sources
from sightline.train.vlm.samples import Source
from sightline.train.vlm.settings import VlmSettings

FROZEN = ("vision", "geometry")
Progress = Callable[[str, int, int], None]


@runtime_checkable
class KeepsFeatures(Protocol):
    """A checkpoint whose frozen encoders' features can be kept."""

    def feature_settings(self, *, computed: str, stored: Stored) -> CacheSettings:
        """What its features depend on."""
        ...


class KeptFeatures:
    """The features in `cache` as a batch takes them (`films.Features`)."""

    def __init__(self, cache: FeatureCache) -> None:
        self.cache = cache

    def unit(self, index: int, kind: Kind, frames: Frames) -> dict[str, Tensor]:
        """The tensors of unit `index`; raises InputError where nothing is kept of it."""
        digest = digest_of(self.cache, kind, frames)
        if digest not in self.cache:
            raise InputError(
                f"{self.cache.folder}: no features of {len(frames.shown)} frames, the first of them {frames.shown[0].ref.path}. "
                "Run sightline cache-features with the same configuration, which adds what is missing."
            )
        kept = self.cache.get(digest)
        return tensors_of_features(index, kind, torch.tensor(grids_of_geometry(kind, tuple(kept.geometry.shape))), kept)

    def blank_unit(self) -> dict[str, Tensor]:
        """Zeros for a picture of one token, two frames of 2 x 2 patches."""
        settings, dtype = self.cache.settings, getattr(torch, self.cache.settings.stored)
        vision = torch.zeros(MERGE * MERGE, settings.vision_width, dtype=dtype)
        geometry = torch.zeros(FRAMES, MERGE, MERGE, settings.geometry_width, dtype=dtype)
        return tensors_of_features(0, "image", torch.tensor([[1, MERGE, MERGE]]), FrozenFeatures(vision, geometry))


@dataclass(frozen=True)
class Filled:
    """What a filling did: units in the sources, new ones, and their bytes."""

    num_units: int
    num_new: int
    new_bytes: int


def features_of(settings: VlmSettings, chat: Chat) -> KeptFeatures | None:
    """The features that `data.features` names; None where it names none.

    Raises:
        FileNotFoundError: nothing is kept there.
        InputError: a family without kept features, features of other settings, or an encoder that is trained.
    """
    if settings.data.features is None:
        return None
    checkpoint = _keeping(chat)
    parts = settings.model.parts.named()
    trained = [name for name in FROZEN if (parts[name].how if name in parts else "frozen") != "frozen"]
    if trained:
        raise InputError(
            f"data.features: kept features are those of frozen encoders, but model.parts.{trained[0]}.how is not frozen. Freeze "
            "it, or leave data.features out."
        )
    return KeptFeatures(open_features(Path(settings.data.features), checkpoint.feature_settings(computed="", stored="bfloat16")))


def fill(settings: VlmSettings, chat: Chat, *, stored: Stored, device: torch.device, progress: Progress) -> Filled:
    """Compute and keep the features of every unit that the sources show, but those that are kept already.

    Raises:
        FileNotFoundError, InputError: media that cannot be read; features of other settings in the folder; too little room on the
            disk; or another process that fills it.
    """
    assert settings.data.features is not None, "the command asks for it"
    folder = Path(settings.data.features)
    dtype = torch.bfloat16 if settings.trainer.precision.startswith("bf16") else torch.float32
    kept = _keeping(chat).feature_settings(computed=str(dtype).removeprefix("torch."), stored=stored)
    units = tuple(_units(open_sources(settings, chat), chat))
    with only_writer(folder):
        cache = FeatureCache(folder, kept)
        missing = {unit: digest for unit in units if (digest := _new(cache, unit)) is not None}
        rule = chat.labeller.processor.rule
        needed = {
            digest: kept.num_bytes(grids_of(unit.kind, [frame.size for frame in unit.frames.shown], rule))
            for unit, digest in missing.items()
        }
        cache.check_room(sum(needed.values()))
        if missing:
            _compute(FeatureWriter(cache), missing, chat.checkpoint.load(dtype=dtype).to(device), rule=rule, progress=progress)
    return Filled(len(units), len(needed), sum(needed.values()))


def digest_of(cache: FeatureCache, kind: Kind, frames: Frames) -> str:
    """The digest of a unit: by what the source stored, by files that are as they were, or else by decoding them."""
    if (stored := frames.digests) is not None:
        return sequence_digest(kind, stored)
    known = cache.digest_of_files(files_key(kind, frames.files))
    return digest_of_frames(kind, frames.read()) if known is None else known


@dataclass(frozen=True)
class _Unit:
    kind: Kind
    frames: Frames


def _compute(writer: FeatureWriter, missing: dict[_Unit, str], model: Any, *, rule: Any, progress: Progress) -> None:  # noqa: ANN401
    try:
        for done, (unit, digest) in enumerate(missing.items()):
            progress("features", done, len(missing))
            if digest not in writer:
                writer.add(digest, frozen_features(model, prepare_sequence(unit.kind, _pixels(unit, digest), rule)))
            if unit.frames.digests is None:
                writer.name_files(files_key(unit.kind, unit.frames.files), digest)
    finally:
        writer.flush()  # what is computed is kept, whatever happened to the next
    progress("features", len(missing), len(missing))


def _pixels(unit: _Unit, digest: str) -> list[UInt8[np.ndarray, "_h _w 3"]]:
    pixels = unit.frames.read()
    if (found := digest_of_frames(unit.kind, pixels)) != digest:
        raise InputError(
            f"{unit.frames.shown[0].ref.path}: frames of digest {found}; expected {digest}, which the task set has stored or which "
            "they had a moment ago. Restore the pictures, or build the task set anew."
        )
    return pixels


def _new(cache: FeatureCache, unit: _Unit) -> str | None:
    """The digest of a unit of which nothing is kept."""
    digest = digest_of(cache, unit.kind, unit.frames)
    return None if digest in cache else digest


def _units(sources: Sequence[Source], chat: Chat) -> Iterator[_Unit]:
    """Each unit of the sources once, by its files."""
    seen: set[object] = set()
    for source in sources:
        for position in range(len(source)):
            for kind, frames, _ in units_of(chat.layout(source[position]).pictures):
                place = kind, tuple(frames.files)
                if place not in seen:
                    seen.add(place)
                    yield _Unit(kind, frames)


def _keeping(chat: Chat) -> KeepsFeatures:
    if not isinstance(chat.checkpoint, KeepsFeatures):
        raise InputError(
            f"{chat.checkpoint.path}: features can be kept of a Spatial-MLLM alone; this is another model. Leave data.features out."
        )
    return chat.checkpoint
