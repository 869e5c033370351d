"""Which scene a question is about: the data set and its name of the scan, spelt in one way whatever the file calls them.

    scannet/scene0011_00, scannetpp/7b6477cb95, arkitscenes/41069025      "ScanNet++", "scannet_pp" and "ScanNetPP" are one data set

A record that names no scene is of the scene that its media lie in: `scannet/videos/scene0011_00.mp4`. Where a path is of none of
the three, the first folder stands for the data set and the video's name (of several pictures their folder) for the scene.
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

ALIASES = {
    "scannet": "scannet",
    "scannetv2": "scannet",
    "scannet_v2": "scannet",
    "scannetv2_val": "scannet",
    "scannetpp": "scannetpp",
    "scannet_pp": "scannetpp",
    "scannet++": "scannetpp",
    "arkitscenes": "arkitscenes",
    "arkitscene": "arkitscenes",
    "arkit_scenes": "arkitscenes",
    "arkit": "arkitscenes",
}
SCENES = {
    "scannet": re.compile(r"scene\d{4}_\d{2}"),
    "scannetpp": re.compile(r"[0-9a-f]{10}"),
    "arkitscenes": re.compile(r"\d{8}"),
}


class SceneName(NamedTuple):
    """A data set and its scene; `dataset` is "" where nobody says."""

    dataset: str
    scene_id: str

    def __str__(self) -> str:
        return f"{self.dataset}/{self.scene_id}" if self.dataset else self.scene_id


def dataset_name(written: str) -> str:
    """A data set's name in our spelling; any other than the three in lower case."""
    key = written.strip().lower().replace("-", "_")
    return ALIASES.get(key, key)


def named_scene(dataset: str, scene: str) -> SceneName:
    """The scene that a record names itself."""
    return SceneName(dataset_name(dataset), scene.strip())


def scene_in_paths(paths: Sequence[str]) -> SceneName | None:
    """The scene that the media lie in; None where there is no medium."""
    if not paths:
        return None
    path = PurePosixPath(paths[0])
    names = [*path.parts[:-1], path.stem]
    dataset = next((ALIASES[key] for name in names if (key := name.lower().replace("-", "_")) in ALIASES), "")
    for kind, pattern in SCENES.items():
        if dataset == kind or (not dataset and kind == "scannet"):
            found = next((match[0] for name in reversed(names) if (match := pattern.search(name))), None)
            if found:
                return SceneName(kind, found)
    first = names[0] if len(names) > 1 else ""
    own = names[1:-1] if len(paths) > 1 and len(names) > 2 else names[1:]
    return SceneName(dataset or dataset_name(first), "/".join(own) if len(names) > 1 else names[0])
