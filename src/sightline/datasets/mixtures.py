"""A registry of training data, and which of it is used how often: one YAML format for builds and trainings.

    rooms: {taskset: sets/t1_multi-train}
    spatial_mllm_mix_133k: {annotation_path: annotations/spatial-mllm-mix-133k.jsonl, media_root: visuals}

Paths are relative to the file's folder. A mixture is a list of names: `name*0.5` is half of the samples an epoch, the other half in
the next; `name*3` each three times an epoch; `name%10` a tenth of the samples, always the same ones; `name%10*3` both. More than
100 % is said by a weight, never by a percentage.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from sightline.errors import InputError, unknown_name
from sightline.files import write_whole

MAX_REGISTRY_BYTES = 4 * 2**20
TERM = re.compile(r"(?P<name>[^*%\s]+)\s*(?:%\s*(?P<percent>[0-9.]+))?\s*(?:\*\s*(?P<weight>[0-9.]+))?")
READY = Path(__file__).parents[1] / "conf" / "mixtures"


class Registered(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry of a registry: a task set, or an annotation file with its media. Where a training is with depth, `with_depth` is
    false for an entry whose pictures stay alone, and `depth_codec` says how the maps of an annotation file are written."""

    taskset: str | None = None
    annotation_path: str | None = None
    media_root: str | None = None
    with_depth: bool = True
    depth_codec: str | None = None


@dataclass(frozen=True)
class Term:
    """One name of a mixture: how often its samples come in an epoch, and which share of them is used."""

    name: str
    weight: float = 1.0
    percent: float = 100.0


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
    try:
        import yaml  # noqa: PLC0415 # pyright: ignore[reportMissingModuleSource] - an extra
    except ModuleNotFoundError as error:
        raise InputError("registries are YAML, which needs PyYAML. Install it: pip install 'sightline[train]'.") from error
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such registry of training data. Set data.registry, or name one file with data.path.")
    if path.stat().st_size > MAX_REGISTRY_BYTES:
        raise InputError(f"{path}: a registry of {path.stat().st_size:,} bytes; at most {MAX_REGISTRY_BYTES:,} are read.")
    try:
        plain = _strict_loader()(path.read_text()).get_single_data()
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
    places = {key: getattr(entry, key) for key in ("taskset", "annotation_path", "media_root")}
    absolute = {key: str(path.parent / value) for key, value in places.items() if value is not None}
    return msgspec.structs.replace(entry, **absolute)


def ready_mixtures() -> dict[str, Path]:
    """The registries that come with Sightline, by name."""
    return {path.stem: path for path in sorted(READY.glob("*.yaml"))}


def copy_mixture(name: str, out: Path) -> None:
    """Write a ready registry to `out`, beside which its data are to lie.

    Raises:
        InputError: no ready registry has this name, or `out` is there already with other content.
    """
    ready = ready_mixtures()
    if name not in ready:
        raise unknown_name("ready mixture", name, ready)
    content = ready[name].read_bytes()
    if out.exists() and out.read_bytes() != content:
        raise InputError(f"{out} is there already and is another file. Choose another --out, or delete it.")
    write_whole(out, content)
