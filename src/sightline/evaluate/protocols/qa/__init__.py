"""Spatial QA as benchmarks and evaluation kits count it: rules by name, each equal to the published code on the same texts."""

from collections.abc import Callable

from sightline.evaluate.protocols.qa.answered import Rule


def _vsi_official() -> Rule:
    from sightline.evaluate.protocols.qa.vsi import vsi_official  # noqa: PLC0415 - see the style rules on look-up tables

    return vsi_official


def _vsi_lmms_eval() -> Rule:
    from sightline.evaluate.protocols.qa.vsi import vsi_lmms_eval  # noqa: PLC0415

    return vsi_lmms_eval


def _vsi_vlmevalkit() -> Rule:
    from sightline.evaluate.protocols.qa.vsi import vsi_vlmevalkit  # noqa: PLC0415

    return vsi_vlmevalkit


def _vsi_spatial_mllm() -> Rule:
    from sightline.evaluate.protocols.qa.vsi import vsi_spatial_mllm  # noqa: PLC0415

    return vsi_spatial_mllm


def _revsi() -> Rule:
    from sightline.evaluate.protocols.qa.revsi import revsi  # noqa: PLC0415

    return revsi


def _mindcube() -> Rule:
    from sightline.evaluate.protocols.qa.letters import mindcube  # noqa: PLC0415

    return mindcube


def _mindcube_lmms_eval() -> Rule:
    from sightline.evaluate.protocols.qa.letters import mindcube_lmms_eval  # noqa: PLC0415

    return mindcube_lmms_eval


def _letters_vlmevalkit() -> Rule:
    from sightline.evaluate.protocols.qa.letters import letters_vlmevalkit  # noqa: PLC0415

    return letters_vlmevalkit


def _viewspatial() -> Rule:
    from sightline.evaluate.protocols.qa.letters import viewspatial  # noqa: PLC0415

    return viewspatial


def _scanqa() -> Rule:
    from sightline.evaluate.protocols.qa.words import scanqa  # noqa: PLC0415

    return scanqa


def _scanqa_leo() -> Rule:
    from sightline.evaluate.protocols.qa.words import scanqa_leo  # noqa: PLC0415

    return scanqa_leo


def _scanqa_llava3d() -> Rule:
    from sightline.evaluate.protocols.qa.words import scanqa_llava3d  # noqa: PLC0415

    return scanqa_llava3d


def _sqa3d() -> Rule:
    from sightline.evaluate.protocols.qa.words import sqa3d  # noqa: PLC0415

    return sqa3d


RULES: dict[str, Callable[[], Rule]] = {
    "vsi-official": _vsi_official,
    "vsi-lmms-eval": _vsi_lmms_eval,
    "vsi-vlmevalkit": _vsi_vlmevalkit,
    "vsi-spatial-mllm": _vsi_spatial_mllm,
    "vsi-debiased": _vsi_official,
    "revsi": _revsi,
    "mindcube": _mindcube,
    "mindcube-lmms-eval": _mindcube_lmms_eval,
    "mindcube-vlmevalkit": _letters_vlmevalkit,
    "viewspatial": _viewspatial,
    "viewspatial-vlmevalkit": _letters_vlmevalkit,
    "scanqa": _scanqa,
    "scanqa-leo": _scanqa_leo,
    "scanqa-llava3d": _scanqa_llava3d,
    "sqa3d": _sqa3d,
}
"""`vsi-debiased` is the official rule over the questions that the benchmark's field `pruned` leaves in."""
