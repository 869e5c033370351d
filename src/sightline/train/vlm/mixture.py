"""Which sources are trained on, and how often: one file or task set directly, or a list of names with weights from a registry.

    data.path=FILE                            a task set's folder, or a JSON or JSONL file
    data.mixture=[rooms*0.5,x3%10*3]          names of a registry

The format of registries and mixtures is that of `datasets.mixtures`.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sightline.datasets.mixtures import Registered, Term, parse_mixture, read_registry
from sightline.dialects import Dialect
from sightline.errors import InputError
from sightline.taskset.store import TaskSet
from sightline.train.vlm.json_source import JsonSource
from sightline.train.vlm.samples import Source
from sightline.train.vlm.taskset_source import TaskSetSource

__all__ = ["Opening", "Registered", "Term", "open_mixture", "open_path", "parse_mixture", "read_registry"]


@dataclass(frozen=True)
class Opening:
    """How sources are opened. `report` is told of what is noteworthy in a file; `depth_codec` is that of files of conversations;
    `whole_clips` is for models that are given a clip as a video."""

    dialect: Dialect
    with_depth: bool = False
    depth_codec: str = "u8x3_minmax"
    report: Callable[[str], None] = lambda _: None
    whole_clips: bool = False


def open_mixture(terms: Sequence[Term], registry: Mapping[str, Registered], opening: Opening) -> tuple[Source, ...]:
    """The sources of a mixture, in its order.

    Raises:
        InputError: a name that the registry does not have; the message has the nearest one.
        FileNotFoundError: a file or folder that is not there.
    """
    for term in terms:
        if term.name not in registry:
            nearest = difflib.get_close_matches(term.name, registry, n=1, cutoff=0.0)[0]
            raise InputError(
                f"data.mixture: {term.name!r} is not in the registry; did you mean {nearest!r}? It has {', '.join(registry)}."
            )
    return tuple(_open_registered(term.name, registry[term.name], opening) for term in terms)


def open_path(path: Path, opening: Opening, *, name: str | None = None, media_root: Path | None = None) -> Source:
    """A task set's folder, or an annotation file, as a source.

    Raises:
        FileNotFoundError: nothing is there.
        InputError: a media root for a task set, which has its own.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder. data.path is a task set's folder, or a JSON or JSONL file.")
    if path.is_dir():
        if media_root is not None:
            raise InputError(f"{path}: a task set knows where its media lie (roots.json); leave media_root out.")
        shown = {"with_depth": opening.with_depth, "whole_clips": opening.whole_clips}
        return TaskSetSource(TaskSet(path), opening.dialect, name=name, **shown)
    codec = opening.depth_codec if opening.with_depth else None
    return JsonSource(path, media_root=media_root, name=name, depth_codec=codec, report=opening.report)


def _open_registered(name: str, entry: Registered, opening: Opening) -> Source:
    opening = replace(
        opening,
        with_depth=opening.with_depth and entry.with_depth,
        depth_codec=entry.depth_codec or opening.depth_codec,
    )
    if entry.taskset is not None:
        return open_path(Path(entry.taskset), opening, name=name)
    assert entry.annotation_path is not None, name
    media_root = Path(entry.media_root) if entry.media_root else None
    return open_path(Path(entry.annotation_path), opening, name=name, media_root=media_root)
