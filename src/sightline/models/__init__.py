"""Models: the baselines that stand in every table, checkpoints and servers. Look one up with `get_model`."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import msgspec

from sightline.errors import InputError, unknown_name
from sightline.models.model import Model, NotApplicable
from sightline.models.options import ModelOptions, split_name

__all__ = ["ANSWERERS", "CHOOSERS", "MODELS", "PREFIXES", "TRACKERS", "Model", "ModelOptions", "NotApplicable", "get_model"]

RECORDED_PREFIX, BOXES_PREFIX = "import", "boxes"
DEFAULTS = ModelOptions()


def _center() -> Model:
    from sightline.models.baselines.baseline import Baseline, center  # noqa: PLC0415 - see the style rules on look-up tables

    return Baseline("center", center)


def _random() -> Model:
    from sightline.models.baselines.baseline import Baseline, random_point  # noqa: PLC0415

    return Baseline("random", random_point)


def _not_visible() -> Model:
    from sightline.models.baselines.baseline import Baseline, not_visible  # noqa: PLC0415

    return Baseline("not-visible", not_visible)


def _whole() -> Model:
    from sightline.models.baselines.baseline import Baseline, require_region, whole  # noqa: PLC0415

    return Baseline("whole", whole, requires=require_region)


def _copy() -> Model:
    from sightline.models.baselines.baseline import Baseline, copy_reference  # noqa: PLC0415

    return Baseline("copy", copy_reference)


def _difference() -> Model:
    from sightline.models.baselines.baseline import Baseline  # noqa: PLC0415
    from sightline.models.baselines.difference import SETTINGS, difference, require_second_view  # noqa: PLC0415

    return Baseline("difference", difference, requires=require_second_view, settings=SETTINGS)


def _features() -> Model:
    from sightline.models.baselines.baseline import Baseline  # noqa: PLC0415
    from sightline.models.baselines.difference import require_second_view  # noqa: PLC0415
    from sightline.models.baselines.features import SETTINGS, Features  # noqa: PLC0415

    return Baseline("features", Features(), requires=require_second_view, settings=SETTINGS)


def _oracle() -> Model:
    from sightline.models.baselines.baseline import Baseline  # noqa: PLC0415
    from sightline.models.baselines.oracle import SETTINGS, oracle, require_geometry  # noqa: PLC0415

    return Baseline("oracle", oracle, requires=require_geometry, settings=SETTINGS)


def _copy_first_mask() -> Model:
    from sightline.models.tracking.trackers import CopyFirstMask, TrackerModel  # noqa: PLC0415

    return TrackerModel(CopyFirstMask())


def _flow_warp() -> Model:
    from sightline.models.tracking.trackers import FlowWarp, TrackerModel  # noqa: PLC0415

    return TrackerModel(FlowWarp())


def _chance() -> Model:
    from sightline.models.baselines.answers import PoolModel  # noqa: PLC0415

    return PoolModel("chance")


def _frequent() -> Model:
    from sightline.models.baselines.answers import PoolModel  # noqa: PLC0415

    return PoolModel("frequent")


def _largest_object() -> Model:
    from sightline.models.baselines.objects import ObjectModel, largest  # noqa: PLC0415

    return ObjectModel("largest-object", largest)


def _center_object() -> Model:
    from sightline.models.baselines.objects import ObjectModel, most_central  # noqa: PLC0415

    return ObjectModel("center-object", most_central)


MODELS: dict[str, Callable[[], Model]] = {
    "center": _center,
    "random": _random,
    "whole": _whole,
    "not-visible": _not_visible,
    "copy": _copy,
    "difference": _difference,
    "features": _features,
    "oracle": _oracle,
}
TRACKERS: dict[str, Callable[[], Model]] = {"copy-first-mask": _copy_first_mask, "flow-warp": _flow_warp}
"""Baselines that follow an object that is given."""
ANSWERERS: dict[str, Callable[[], Model]] = {"chance": _chance, "frequent": _frequent}
"""Baselines of questions with letters, numbers and words."""
CHOOSERS: dict[str, Callable[[], Model]] = {"largest-object": _largest_object, "center-object": _center_object}
"""Baselines of referring masks that know the objects and not the words."""


def _openai(rest: str, options: ModelOptions) -> Model:
    from sightline.models.openai.address import parse_spec  # noqa: PLC0415
    from sightline.models.openai.endpoint import Endpoint  # noqa: PLC0415

    url, name = parse_spec(rest)
    return Endpoint(url, name, options)


def _hf(rest: str, options: ModelOptions) -> Model:
    from sightline.models.architectures import ask_checkpoint  # noqa: PLC0415

    return ask_checkpoint(rest, options)


def _sam2(rest: str, options: ModelOptions) -> Model:
    if missing := [package for package in ("torch", "transformers") if importlib.util.find_spec(package) is None]:
        raise InputError(f"sam2: models need {' and '.join(missing)}, not installed here. Run: pip install 'sightline[models]'.")
    from sightline.models.sam2.tracker import sam2_model  # noqa: PLC0415

    return sam2_model(rest, options)


def _spatial_mllm(rest: str, options: ModelOptions) -> Model:
    if missing := [package for package in ("torch", "transformers") if importlib.util.find_spec(package) is None]:
        raise InputError(
            f"spatial-mllm: models need {' and '.join(missing)}, not installed here. Run: pip install 'sightline[models]'."
        )
    from sightline.models.spatial_mllm.asked import spatial_mllm_model  # noqa: PLC0415

    return spatial_mllm_model(rest, options)


def _sa2va(rest: str, options: ModelOptions) -> Model:
    if missing := [package for package in ("torch", "transformers") if importlib.util.find_spec(package) is None]:
        raise InputError(f"sa2va: models need {' and '.join(missing)}, not installed here. Run: pip install 'sightline[models]'.")
    from sightline.models.sa2va.asked import sa2va_model  # noqa: PLC0415

    return sa2va_model(rest, options)


def _roborefer(rest: str, options: ModelOptions) -> Model:
    if missing := [package for package in ("torch", "transformers") if importlib.util.find_spec(package) is None]:
        raise InputError(f"roborefer: needs {' and '.join(missing)}, not installed here. Run: pip install 'sightline[models]'.")
    from sightline.models.roborefer.asked import roborefer_model  # noqa: PLC0415

    return roborefer_model(rest, options)


def _frequent_elsewhere(rest: str, _options: ModelOptions) -> Model:
    from sightline.models.baselines.answers import PoolModel  # noqa: PLC0415

    return PoolModel("frequent", fitted_on=Path(rest))


def _blind(rest: str, options: ModelOptions) -> Model:
    from sightline.models.baselines.blind import Blind  # noqa: PLC0415

    return Blind(get_model(rest, options))


PREFIXES: dict[str, Callable[[str, ModelOptions], Model]] = {
    "hf": _hf,
    "openai": _openai,
    "sam2": _sam2,
    "roborefer": _roborefer,
    "sa2va": _sa2va,
    "spatial-mllm": _spatial_mllm,
    "frequent": _frequent_elsewhere,
    "blind": _blind,
}
"""What `PREFIX:REST` means; the functions take REST."""


def get_model(spec: str, options: ModelOptions = DEFAULTS) -> Model:
    """The model called `spec`; `NAME=PREFIX:REST` calls it NAME. `options` concern those with a prefix; baselines have none.

    Raises:
        InputError: no such model; the message lists the choices and the nearest name.
    """
    if spec in (known := MODELS | TRACKERS | ANSWERERS | CHOOSERS):
        return known[spec]()
    name, spec = split_name(spec)
    options = options if name is None else msgspec.structs.replace(options, name=name)
    prefix, colon, rest = spec.partition(":")
    if colon and prefix in PREFIXES:
        return _remembered(PREFIXES[prefix](rest, options), options)
    choices = [*MODELS, *TRACKERS, *ANSWERERS, *CHOOSERS, *(f"{prefix}:..." for prefix in PREFIXES)]
    if colon and prefix in (RECORDED_PREFIX, BOXES_PREFIX):
        raise InputError(
            f"model {spec!r}: recorded answers belong to a task set; only predict and eval take them. "
            f"Choices: {', '.join(choices)}."
        )
    raise unknown_name("model", spec, choices)


def _remembered(model: Model, options: ModelOptions) -> Model:
    """The model with the folder of earlier answers that the options name."""
    if options.cache is None:
        return model
    if options.temperature > 0:
        raise InputError(
            f"model {model.name!r}: --cache gives the same answer every time, and --temperature {options.temperature:g} asks for "
            "different ones. Leave one of the two out."
        )
    from sightline.models.cache import Cached  # noqa: PLC0415

    return Cached(model, Path(options.cache))
