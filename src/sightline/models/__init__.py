"""Models: the baselines that stand in every table. Look one up by name with `get_model`."""

import difflib
from collections.abc import Callable

from sightline.errors import InputError
from sightline.models.model import Model, NotApplicable

__all__ = ["MODELS", "Model", "NotApplicable", "get_model"]

LATER_PREFIXES = ("hf", "openai", "import")


def _center() -> Model:
    from sightline.models.baselines import Baseline, center  # noqa: PLC0415 - see the style rules on look-up tables

    return Baseline("center", center)


def _random() -> Model:
    from sightline.models.baselines import Baseline, random_point  # noqa: PLC0415

    return Baseline("random", random_point)


def _not_visible() -> Model:
    from sightline.models.baselines import Baseline, not_visible  # noqa: PLC0415

    return Baseline("not-visible", not_visible)


def _copy() -> Model:
    from sightline.models.baselines import Baseline, copy_reference  # noqa: PLC0415

    return Baseline("copy", copy_reference)


def _difference() -> Model:
    from sightline.models.baselines import Baseline  # noqa: PLC0415
    from sightline.models.difference import SETTINGS, difference  # noqa: PLC0415

    return Baseline("difference", difference, settings=SETTINGS)


def _features() -> Model:
    from sightline.models.baselines import Baseline  # noqa: PLC0415
    from sightline.models.features import SETTINGS, Features  # noqa: PLC0415

    return Baseline("features", Features(), settings=SETTINGS)


def _oracle() -> Model:
    from sightline.models.baselines import Baseline  # noqa: PLC0415
    from sightline.models.oracle import SETTINGS, oracle, require_geometry  # noqa: PLC0415

    return Baseline("oracle", oracle, requires=require_geometry, settings=SETTINGS)


MODELS: dict[str, Callable[[], Model]] = {
    "center": _center,
    "random": _random,
    "not-visible": _not_visible,
    "copy": _copy,
    "difference": _difference,
    "features": _features,
    "oracle": _oracle,
}


def get_model(spec: str) -> Model:
    """The model called `spec`.

    Raises:
        InputError: no such model; the message lists the choices and the nearest name.
    """
    if spec in MODELS:
        return MODELS[spec]()
    choices = ", ".join(MODELS)
    prefix, colon, _ = spec.partition(":")
    if colon and prefix in LATER_PREFIXES:
        raise InputError(f"model {spec!r}: models given as `{prefix}:` are not part of this version yet. Models it has: {choices}.")
    nearest = difflib.get_close_matches(spec, MODELS, n=1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    raise InputError(f"no model is called {spec!r}.{hint} Choices: {choices}.")
