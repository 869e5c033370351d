"""The leak check: no scene in two splits, and no picture under the ids of two scenes of different splits."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt64

from sightline.errors import InputError

NAMED = 5  # how many culprits an error names
ROWS_AT_A_TIME = 20_000


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
    """Raise InputError if the same picture stands in task sets of different splits. `sets` are folders with an index.

    Kept in memory: about 8 bytes a picture; more only of pictures that may stand in two splits.
    """
    folders = list(sets)
    keys: dict[str, list[UInt64[np.ndarray, " n"]]] = {}
    for folder in folders:
        for split, _, digests in _pictures(folder):
            keys.setdefault(split, []).append(np.unique(picture_keys(digests)))
    if len(keys) < 2:
        return
    every = np.sort(np.concatenate([np.unique(np.concatenate(of_split)) for of_split in keys.values()]))
    shared = _name_pictures(folders, np.unique(every[1:][every[1:] == every[:-1]]))
    if shared:
        named = "; ".join(f"{a[1]} ({a[0]}) and {b[1]} ({b[0]})" for a, b in sorted(set(shared.values()))[:NAMED])
        raise InputError(
            f"{len(shared)} picture(s) with the same content stand in two splits: {named}. "
            "Remove the copies from one split, or pass --allow-shared-scenes if this is meant."
        )


def same_pictures(sets: Sequence[Path], others: Sequence[Path]) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """The groups that show the same picture in a set and in another: (set's name, group) of both, each pair once.

    Kept in memory: every picture of `others`, so these are the smaller side.
    """
    theirs = {
        digest: (folder.name, group)
        for folder in others
        for _, groups, digests in _pictures(folder)
        for group, digest in zip(groups, digests, strict=True)
    }
    found: dict[tuple[tuple[str, str], tuple[str, str]], None] = {}
    for folder in sets:
        for _, groups, digests in _pictures(folder):
            both = (
                ((folder.name, group), theirs[digest]) for group, digest in zip(groups, digests, strict=True) if digest in theirs
            )
            found.update(dict.fromkeys(both))
    return list(found)


def _name_pictures(
    folders: Sequence[Path], suspects: UInt64[np.ndarray, " n"]
) -> dict[str, tuple[tuple[str, str], tuple[str, str]]]:
    """The pictures with one of these keys that do stand in two splits: by digest, the (split, group) of both places."""
    home: dict[str, tuple[str, str]] = {}
    shared: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {}
    for folder in folders if suspects.size else ():
        for split, groups, digests in _pictures(folder):
            for place in np.flatnonzero(np.isin(picture_keys(digests), suspects)).tolist():
                here = (split, groups[place])
                first = home.setdefault(digests[place], here)
                if first[0] != split:
                    shared.setdefault(digests[place], (first, here))
    return shared


def _pictures(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """The pictures of a task set, some rows at a time: the split, and of each picture the group and the digest."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    for batch in pq.ParquetFile(folder / "index.parquet").iter_batches(ROWS_AT_A_TIME, columns=["split", "group", "sources"]):
        rows: dict[str, tuple[list[str], list[str]]] = {}
        for row in batch.to_pylist():
            groups, digests = rows.setdefault(row["split"], ([], []))
            groups.extend([row["group"]] * len(row["sources"]))
            digests.extend(row["sources"])
        yield from ((split, groups, digests) for split, (groups, digests) in rows.items())


def picture_keys(digests: Sequence[str]) -> UInt64[np.ndarray, " n"]:
    """The first 64 bits of each picture's digest."""
    return np.fromiter((int(digest[:16], 16) for digest in digests), np.uint64, len(digests))
