"""Which sources are trained on, and how often: one file or task set directly, or a list of names with weights from a registry.

    data.path=FILE                            a task set's folder, or a JSON or JSONL file
    data.mixture=[rooms*0.5,x3%10*3]          names of a registry

A registry is YAML; paths are relative to its folder:

    rooms: {taskset: sets/t1_multi-train}
    x3: {annotation_path: x3.json, media_root: pictures}

`name*0.5`: half of the samples an epoch, the other half in the next. `name*3`: each three times an epoch. `name%10`: a tenth of the
samples, always the same ones. Both: `name%10*3`.
"""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from sightline.dialects import Dialect
from sightline.errors import InputError
from sightline.taskset.store import TaskSet
from sightline.train.vlm.json_source import JsonSource
from sightline.train.vlm.samples import Source
from sightline.train.vlm.taskset_source import TaskSetSource

MAX_REGISTRY_BYTES = 4 * 2**20
TERM = re.compile(r"(?P<name>[^*%\s]+)\s*(?:%\s*(?P<percent>[0-9.]+))?\s*(?:\*\s*(?P<weight>[0-9.]+))?")


class Registered(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry of a registry: a task set, or an annotation file with its media."""

    taskset: str | None = None
    annotation_path: str | None = None
    media_root: str | None = None


@dataclass(frozen=True)
class Term:
    """One name of a mixture: how often its samples come in an epoch, and which share of them is used."""

    name: str
    weight: float = 1.0
    percent: float = 100.0


@dataclass(frozen=True)
class Opening:
    """How sources are opened. `report` is told of what is noteworthy in a file; `with_depth` is for task sets."""

    dialect: Dialect
    with_depth: bool = False
    report: Callable[[str], None] = lambda _: None


def parse_mixture(terms: Sequence[str]) -> tuple[Term, ...]:
    """The terms `name`, `name*WEIGHT`, `name%PERCENT` or `name%PERCENT*WEIGHT`.

    Raises:
        InputError: no term, a name twice, or one that cannot be read; a weight that is not above 0, a percentage not in (0, 100].
    """
    if not terms:
        raise InputError("data.mixture is empty; expected at least one name, for example data.mixture=[rooms,x3*0.5].")
    parsed = tuple(_term(term) for term in terms)
    names = [term.name for term in parsed]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"data.mixture names {', '.join(twice)} more than once. Give each one term, with its weight: NAME*2.")
    return parsed


def _term(text: str) -> Term:
    match = TERM.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        term = Term(match["name"], weight=float(match["weight"] or 1), percent=float(match["percent"] or 100))
    except ValueError:
        raise InputError(f"data.mixture: {text!r} cannot be read; expected NAME, NAME*WEIGHT or NAME%PERCENT*WEIGHT.") from None
    if term.weight <= 0 or not 0 < term.percent <= 100:
        raise InputError(f"data.mixture: {text!r}; expected a weight above 0, and a percentage above 0 and at most 100.")
    return term


def read_registry(path: Path) -> Mapping[str, Registered]:
    """The entries of a registry by name, with paths made absolute.

    Raises:
        FileNotFoundError: no such file.
        InputError: larger than 4 MiB, not YAML, or an entry with unknown or missing fields; the message names the entry.
    """
    import yaml  # noqa: PLC0415 # pyright: ignore[reportMissingModuleSource] - an extra

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such registry of training data. Set data.registry, or name one file with data.path.")
    if path.stat().st_size > MAX_REGISTRY_BYTES:
        raise InputError(f"{path}: a registry of {path.stat().st_size:,} bytes; at most {MAX_REGISTRY_BYTES:,} are read.")
    try:
        plain = yaml.load(path.read_text(), Loader=_strict_loader())  # noqa: S506 - a subclass of the safe loader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not YAML that is read here ({error}). Mend the file.") from error
    if not isinstance(plain, dict) or not plain:
        raise InputError(f"{path}: expected entries like `rooms: {{taskset: FOLDER}}`, found {type(plain).__name__}.")
    return {str(name): _entry(path, str(name), fields) for name, fields in plain.items()}


def _strict_loader() -> Any:  # noqa: ANN401 - a class of yaml's
    """The safe loader, without aliases (a few of them make a file of gigabytes) and without a key twice."""
    import yaml  # noqa: PLC0415 # pyright: ignore[reportMissingModuleSource]

    class Strict(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError(f"an alias{self.peek_event().start_mark}; write the entry out")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: ANN401
            keys = [key.value for key, _ in node.value]
            if twice := sorted({str(key) for key in keys if keys.count(key) > 1}):
                raise yaml.YAMLError(f"the key {twice[0]!r} stands twice{node.start_mark}")
            return super().construct_mapping(node, deep)

    return Strict


def _entry(path: Path, name: str, fields: object) -> Registered:
    try:
        entry = msgspec.convert(fields, Registered)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}, entry {name!r}: {error}. It has taskset, or annotation_path and media_root.") from error
    if (entry.taskset is None) == (entry.annotation_path is None) or (entry.taskset is not None and entry.media_root is not None):
        raise InputError(f"{path}, entry {name!r}: expected either taskset, or annotation_path with media_root if need be.")
    places = {key: str(path.parent / value) for key, value in msgspec.structs.asdict(entry).items() if value is not None}
    return Registered(**places)


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
        return TaskSetSource(TaskSet(path), opening.dialect, name=name, with_depth=opening.with_depth)
    return JsonSource(path, media_root=media_root, name=name, report=opening.report)


def _open_registered(name: str, entry: Registered, opening: Opening) -> Source:
    if entry.taskset is not None:
        return open_path(Path(entry.taskset), opening, name=name)
    assert entry.annotation_path is not None, name
    media_root = Path(entry.media_root) if entry.media_root else None
    return open_path(Path(entry.annotation_path), opening, name=name, media_root=media_root)
