"""YAML and overrides composed by Hydra into plain values, and nothing else: no object is made, no code is named.

A family of configurations is a folder of YAML files: the package's `conf/<family>`, or a user's, which may build on the package's
(`defaults: [config, _self_]`). Of Hydra only the compose API is used: the working folder stays, no folder is made, no logging is
set up.

Refused, because a configuration is data: the key `_target_` anywhere, resolvers (`${oc.env:...}` would write a secret into the
saved configuration; `${other.key}` is what there is), overrides of Hydra itself, YAML tags, files of more than a megabyte, of many
aliases, or nested deeply.
"""

import difflib
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sightline.errors import InputError

CONF = Path(__file__).parents[2] / "conf"
MAX_FILES, MAX_BYTES, MAX_ALIASES, MAX_DEPTH = 500, 2**20, 50, 30
REFERENCE = re.compile(r"\$\{[\w.\[\]-]+\}")


@dataclass(frozen=True)
class Composed:
    """A configuration: `values` are plain dicts, lists, strings, numbers, booleans and None; every reference is resolved."""

    family: str
    name: str
    values: dict[str, Any]
    files: tuple[Path, ...]
    overrides: tuple[str, ...]

    @property
    def text(self) -> str:
        """As YAML, keys in their order."""
        return yaml.safe_dump(self.values, sort_keys=False, allow_unicode=True)

    @property
    def digest(self) -> str:
        """sha256 of the values, whatever the order of their keys."""
        return hashlib.sha256(yaml.safe_dump(self.values, sort_keys=True).encode()).hexdigest()

    @property
    def where(self) -> str:
        """For messages: the file it starts from."""
        return str(self.files[-1]) if self.files else f"{self.family}/{self.name}"


def compose(family: str, overrides: Sequence[str], *, config_name: str = "config", config_dir: Path | None = None) -> Composed:
    """Compose `config_name` of a family, change it by overrides such as `trainer.devices=2`, resolve it.

    Args:
        config_dir: a user's folder, which is looked into before the package's.

    Raises:
        InputError: no such family or configuration, a key that is not in it (the nearest one is named), or something refused.
    """
    package = CONF / family
    folders = [folder for folder in (config_dir, package) if folder is not None and folder.is_dir()]
    if config_dir is not None and config_dir not in folders:
        raise InputError(f"{config_dir}: no such folder of configurations.")
    if not folders:
        raise InputError(f"no configurations of {family!r} in {CONF}.")
    for folder in folders:
        _check_files(folder)
    for override in overrides:
        if re.match(r"[+~]*hydra[./@=]", override):
            raise InputError(f"{override!r}: Hydra itself cannot be configured here; runs are kept by `run.dir` and `run.root`.")
    names = config_names(folders)
    if config_name.removesuffix(".yaml") not in names:
        raise InputError(_unknown(config_name, names, f"no configuration {config_name!r} in {folders[0]}", "They are"))
    raw, files = _composed(folders, config_name.removesuffix(".yaml"), list(overrides))
    return Composed(family, config_name.removesuffix(".yaml"), _resolved(raw, str(files[-1])), files, tuple(overrides))


def config_names(folders: Sequence[Path]) -> list[str]:
    """The configurations that a run can start from: YAML files at the top of the folders."""
    return sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})


def families() -> dict[str, list[str]]:
    """The package's families with the names of their configurations."""
    return {path.name: config_names([path]) for path in sorted(CONF.iterdir()) if path.is_dir()} if CONF.is_dir() else {}


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves by their dotted keys; lists and empty mappings are leaves."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def nearest(name: str, names: Sequence[str]) -> str | None:
    """What was probably meant: the same last part of a dotted key first, then the most similar."""
    return next(iter(difflib.get_close_matches(name, names, n=1, cutoff=0.5)), None)


def _composed(folders: Sequence[Path], name: str, overrides: list[str]) -> tuple[Any, tuple[Path, ...]]:
    from hydra import compose as hydra_compose  # noqa: PLC0415
    from hydra import initialize_config_dir  # noqa: PLC0415
    from hydra.core.global_hydra import GlobalHydra  # noqa: PLC0415
    from hydra.errors import HydraException  # noqa: PLC0415
    from hydra.types import RunMode  # noqa: PLC0415
    from omegaconf.errors import OmegaConfBaseException  # noqa: PLC0415

    below = [f"hydra.searchpath=[file://{folder.resolve()}]" for folder in folders[1:]]
    with initialize_config_dir(str(folders[0].resolve()), version_base="1.3", job_name="sightline"):
        try:
            raw = hydra_compose(name, overrides=[*overrides, *below])
        except (HydraException, OmegaConfBaseException) as error:
            base = hydra_compose(name, overrides=below) if overrides else None
            raise InputError(_explained(error, overrides, base, folders[0] / f"{name}.yaml")) from error
        except yaml.YAMLError as error:
            raise InputError(f"{folders[0]}: {error}") from error
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None, "it was initialised above"
        used = hydra.config_loader.compute_defaults_list(name, [*overrides, *below], RunMode.RUN)
    stems = [default.config_path for default in used.defaults if not (default.config_path or "").startswith("hydra/")]
    found = [folder / f"{stem}.yaml" for stem in stems for folder in folders if (folder / f"{stem}.yaml").is_file()]
    return raw, tuple(dict.fromkeys(found)) or (folders[0] / f"{name}.yaml",)


def _explained(error: Exception, overrides: Sequence[str], base: Any, path: Path) -> str:  # noqa: ANN401 - omegaconf's
    """Which override is wrong, and what was probably meant."""
    from omegaconf import OmegaConf  # noqa: PLC0415

    if base is not None:
        plain = OmegaConf.to_container(base, resolve=False)
        assert isinstance(plain, dict), "a configuration is a mapping"
        keys = _all_keys({str(key): value for key, value in plain.items()})
        for override in overrides:
            key, equals, _ = override.partition("=")
            if equals and not key.startswith(("+", "~")) and "@" not in key and key not in keys:
                return _unknown(key, keys, f"{override!r}: there is no key {key!r} in {path}", "Its keys are")
    first = str(error).strip().splitlines()
    return f"{path} with {' '.join(overrides) or 'no overrides'}: {' '.join(line.strip() for line in first if line.strip())}"


def _all_keys(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    keys = []
    for key, value in values.items():
        keys.append(f"{prefix}{key}")
        if isinstance(value, Mapping):
            keys += _all_keys(value, f"{prefix}{key}.")
    return keys


def _unknown(name: str, names: Sequence[str], what: str, listing: str) -> str:
    """`what`, with the nearest name; where none is near, with all that have no dot."""
    meant = nearest(name, names)
    return (
        f"{what}; did you mean {meant!r}?"
        if meant
        else f"{what}. {listing}: {', '.join(each for each in names if '.' not in each)}."
    )


def _resolved(raw: Any, where: str) -> dict[str, Any]:  # noqa: ANN401
    from omegaconf import OmegaConf  # noqa: PLC0415
    from omegaconf.errors import OmegaConfBaseException  # noqa: PLC0415

    _check_values(OmegaConf.to_container(raw, resolve=False), where, "")
    try:
        values = OmegaConf.to_container(raw, resolve=True, throw_on_missing=False)
    except OmegaConfBaseException as error:
        raise InputError(f"{where}: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise InputError(f"{where}: expected keys and values, found a list.")
    missing = [key for key, value in flatten(_named(values, where)) if value == "???"]
    if missing:
        raise InputError(f"{where}: no value for {', '.join(missing)}. Give it, for example {missing[0]}=...")
    return _named(values, where)


def _named(values: Mapping[Any, Any], where: str) -> dict[str, Any]:
    wrong = [key for key in values if not isinstance(key, str)]
    if wrong:
        raise InputError(f"{where}: the key {wrong[0]!r} is no text; write it in quotes.")
    return {key: _named(value, where) if isinstance(value, Mapping) else value for key, value in values.items()}


def _check_values(value: object, where: str, key: str) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            path = f"{key}.{name}".lstrip(".")
            if name == "_target_":
                raise InputError(f"{where}: {path}: `_target_` would name code to run. Configurations hold values only: remove it.")
            _check_values(inner, where, path)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, inner in enumerate(value):
            _check_values(inner, where, f"{key}[{index}]")
    elif isinstance(value, str) and "${" in REFERENCE.sub("", value):
        raise InputError(
            f"{where}: {key}: {value!r}: only references to other keys such as ${{model.image_size}} are resolved, no functions "
            "and no environment. Write the value itself."
        )


def _check_files(folder: Path) -> None:
    """Before Hydra reads them: how large, how deep, how many aliases, no tags."""
    paths = sorted(folder.rglob("*.yaml"))
    if len(paths) > MAX_FILES:
        raise InputError(
            f"{folder}: {len(paths)} YAML files, at most {MAX_FILES} are read. Give configurations a folder of their own."
        )
    for path in paths:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise InputError(f"{path}: {size:,} bytes; a configuration has at most {MAX_BYTES:,}.")
        try:
            _check_events(path)
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{path}: no YAML: {' '.join(str(error).split())}") from error


def _check_events(path: Path) -> None:
    aliases = depth = 0
    for event in yaml.parse(path.read_text("utf-8"), Loader=yaml.SafeLoader):
        aliases += isinstance(event, yaml.AliasEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        tag = getattr(event, "tag", None)
        if aliases > MAX_ALIASES or depth > MAX_DEPTH:
            raise InputError(
                f"{path}: more than {MAX_ALIASES} aliases, or nested more than {MAX_DEPTH} deep. Write it out plainly."
            )
        if tag is not None and (not tag.startswith("tag:yaml.org,2002:") or "python" in tag):
            line = event.start_mark.line + 1
            raise InputError(f"{path}, line {line}: the tag {tag!r} is not read. Configurations hold plain values only.")
