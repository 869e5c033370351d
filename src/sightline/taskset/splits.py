"""The leak check: no scene in two splits, and no picture under the ids of two scenes of different splits."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sightline.errors import InputError

NAMED = 5  # how many culprits an error names


def check_scenes(scenes: Mapping[str, Sequence[str]]) -> None:
    """Raise InputError if a scene id stands in two splits. `scenes` maps each split to its scene ids."""
    seen: dict[str, list[str]] = {}
    for split, names in scenes.items():
        for name in names:
            seen.setdefault(name, []).append(split)
    shared = {name: splits for name, splits in seen.items() if len(splits) > 1}
    if shared:
        first = "; ".join(f"{name} is in {' and '.join(splits)}" for name, splits in sorted(shared.items())[:NAMED])
        raise InputError(
            f"{len(shared)} scene(s) stand in two splits, so that a model would be tested on what it was trained on: {first}. "
            "Move each scene to one split, or pass --allow-shared-scenes if this is meant."
        )


def check_pictures(sets: Iterable[Path]) -> None:
    """Raise InputError if the same picture stands in task sets of different splits. `sets` are folders with an index."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    home: dict[str, tuple[str, str]] = {}
    shared: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {}
    for folder in sets:
        columns = pq.read_table(folder / "index.parquet", columns=["split", "group", "sources"]).to_pydict()
        for split, group, sources in zip(columns["split"], columns["group"], columns["sources"], strict=True):
            for digest in sources:
                first = home.setdefault(digest, (split, group))
                if first[0] != split:
                    shared.setdefault(digest, (first, (split, group)))
    if shared:
        named = "; ".join(f"{a[1]} ({a[0]}) and {b[1]} ({b[0]})" for a, b in sorted(set(shared.values()))[:NAMED])
        raise InputError(
            f"{len(shared)} picture(s) with the same content stand in two splits: {named}. "
            "Remove the copies from one split, or pass --allow-shared-scenes if this is meant."
        )
