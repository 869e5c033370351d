"""How a question calls objects: by a name that means one object only, by a mark drawn in a picture, or by a box in numbers.

A name comes from the file that `sightline name-objects` writes, from the object's category, or from an expression that means it
alone. It is used only if no other object of the clip has it. A category is a name only where every object of it is labelled
(`Clip.exhaustive`): otherwise another one, which nobody labelled, may be in the picture. Names that speak of left or right are
not used, because they would say what is asked, and because they are wrong in other frames.

    {"format": 1, "data": "sav", "model": "qwen", "clips": {"sav_000001": {"0": "wooden chair"}}}      a names file
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from sightline.errors import InputError
from sightline.files import read_json
from sightline.tasks.clips import SeenClip
from sightline.tasks.relations.directions import has_direction
from sightline.tasks.relations.options import NamesFile, RelationOptions
from sightline.types import LedgerEntry, Record

NAMES_FORMAT = 1
ARTICLE = re.compile(r"(?:the|an?)\s+", re.IGNORECASE)
SPACES = re.compile(r"\s+")
MAX_NAME = 120
Source = Literal["file", "category", "expression"]


class NamesTable(Record):
    """A names file: by clip and object. `data` is the reader, `model` who named them."""

    format: int
    data: str
    model: str
    clips: dict[str, dict[str, str]]


class Name(NamedTuple):
    """`text` as it stands in a sentence ("the wooden chair"), and where it is from."""

    text: str
    source: Source


class Names(NamedTuple):
    """The names that may be used, by object, and why others may not."""

    of: dict[str, Name]
    ledger: tuple[LedgerEntry, ...] = ()


def names_file(path: Path) -> NamesFile:
    """The reference to a names file for the options.

    Raises:
        FileNotFoundError, InputError: there is none, or it is not one.
    """
    _read(str(path), digest := hashlib.sha256(path.read_bytes()).hexdigest()[:32])
    return NamesFile(path=str(path), digest=digest)


@lru_cache(maxsize=4)
def _read(path: str, digest: str) -> NamesTable:
    if hashlib.sha256(Path(path).read_bytes()).hexdigest()[:32] != digest:
        raise InputError(f"{path} has changed since this build began. Put it back, or build into another folder.")
    table = read_json(Path(path), NamesTable)
    if table.format != NAMES_FORMAT:
        raise InputError(
            f"{path}: format {table.format}; this version reads {NAMES_FORMAT}. Write it again: sightline name-objects."
        )
    return table


def names_of(seen: SeenClip, options: RelationOptions) -> Names:
    """The usable names of a clip's objects."""
    if options.refer in ("mark", "box"):
        return Names({})
    found: dict[str, Name] = {}
    ledger: list[LedgerEntry] = []
    for track in seen.tracks:
        for name in _candidates(seen, track.object_id, options):
            reason = _fault(name)
            if reason:
                ledger.append(_unused(seen, track.object_id, reason, name.text))
            else:
                found[track.object_id] = name
                break
    counts = Counter(name.text.casefold() for name in found.values())
    shared = [object_id for object_id, name in found.items() if counts[name.text.casefold()] > 1]
    ledger += [_unused(seen, object_id, "ambiguous_name", found.pop(object_id).text) for object_id in shared]
    ledger += _inexhaustive(seen, found)
    return Names(found, tuple(ledger))


def _candidates(seen: SeenClip, object_id: str, options: RelationOptions) -> Iterator[Name]:
    if options.names is not None:
        text = _read(options.names.path, options.names.digest).clips.get(seen.clip.clip_id, {}).get(object_id)
        if text is not None:
            yield Name(_definite(text), "file")
    category = seen.track(object_id).track.category
    if category is not None and category in seen.clip.exhaustive:
        yield Name(_definite(category), "category")
    for expression in seen.clip.expressions:
        if expression.object_ids == (object_id,) and "?" not in expression.text:
            yield Name(_definite(expression.text), "expression")


def _definite(text: str) -> str:
    """With "the" in front, in one line, without a full stop."""
    plain = SPACES.sub(" ", text).strip().rstrip(".")
    match = ARTICLE.match(plain)
    return f"the {plain[match.end() :] if match else plain}"


def _fault(name: Name) -> str:
    if not 5 <= len(name.text) <= MAX_NAME:  # "the " and at least one letter
        return "unusable_name"
    return "direction_in_name" if has_direction(name.text) else ""


def _inexhaustive(seen: SeenClip, found: dict[str, Name]) -> Iterator[LedgerEntry]:
    for track in seen.tracks:
        category = track.track.category
        if track.object_id not in found and category is not None and category not in seen.clip.exhaustive:
            yield _unused(seen, track.object_id, "class_not_exhaustive", category)


def _unused(seen: SeenClip, object_id: str, reason: str, text: str) -> LedgerEntry:
    detail = f"{text[:80]!r} is not used as its name"
    return LedgerEntry(unit=f"{seen.clip.clip_id}/{object_id}", reason=reason, detail=detail, action="altered")
