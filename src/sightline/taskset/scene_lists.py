"""Scenes that benchmarks of spatial QA test on, known without a registry: `scene_lists.toml`.

VSI-Bench (288 scenes), ViewSpatial-Bench's ScanNet scenes, and the validation splits of ScanNet, ScanNet++ and ARKitScenes, each
with the file it is from. Data that is trained on may not hold one of them. A ScanNet scene is known by its room, whichever scan it
is.
"""

import tomllib
from functools import lru_cache
from importlib import resources

import msgspec

from sightline.taskset.recordings import canonical_id
from sightline.taskset.registry import Sighting


class SceneList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The scenes of a split of a data set by where they were scanned; `source` is the file they are from."""

    name: str
    split: str
    source: str
    scannet: tuple[str, ...] = ()
    scannetpp: tuple[str, ...] = ()
    arkitscenes: tuple[str, ...] = ()

    @property
    def scenes(self) -> tuple[str, ...]:
        """As "scannet/scene0011_00"."""
        named = {"scannet": self.scannet, "scannetpp": self.scannetpp, "arkitscenes": self.arkitscenes}
        return tuple(f"{dataset}/{scene}" for dataset, scenes in named.items() for scene in scenes)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lists: tuple[SceneList, ...] = msgspec.field(name="list")


@lru_cache(maxsize=1)
def scene_lists() -> tuple[SceneList, ...]:
    """All lists, in the file's order."""
    text = resources.files("sightline.taskset").joinpath("scene_lists.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), _File).lists


@lru_cache(maxsize=1)
def listed_sightings() -> tuple[Sighting, ...]:
    """The listed scenes as entries of a registry, one a room and list."""
    return tuple(
        Sighting(video_id=video_id, dataset=each.name, split=each.split)
        for each in scene_lists()
        for video_id in dict.fromkeys(canonical_id(scene) for scene in each.scenes)
    )
