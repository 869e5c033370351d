"""Annotated boxes of ScanNet++ and ARKitScenes as objects of a scan.

{"label": "chair", "obb": {"centroid": [x, y, z], "axesLengths": [a, b, c], "normalizedAxes": [9 numbers: axis after axis]}}
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from sightline.geometry.camera import MAX_ROTATION_ERROR
from sightline.types import LedgerEntry, OrientedBox, ScanObject

MAX_LABEL = 254


class Obb(msgspec.Struct):
    """A box as it is annotated, metres."""

    centroid: list[float]
    axesLengths: list[float]  # noqa: N815 - the files' own spelling
    normalizedAxes: list[float]  # noqa: N815


class AnnotatedBox(msgspec.Struct):
    """One annotated object."""

    label: str
    obb: Obb | None = None
    id: int | str | None = None
    objectId: int | None = None  # noqa: N815
    segments: tuple[int, ...] = ()


def boxes_as_objects(scan_id: str, boxes: Sequence[AnnotatedBox], problems: list[LedgerEntry]) -> tuple[ScanObject, ...]:
    """The objects, labelled from 1 in the order of the file; what has no usable box goes to `problems`."""
    objects = []
    for place, annotated in enumerate(boxes):
        number = annotated.id if annotated.id is not None else annotated.objectId
        object_id = str(place if number is None else number)
        reason = _unusable(annotated.obb)
        if reason is not None or annotated.obb is None:
            entry = LedgerEntry(unit=f"{scan_id}/object {object_id}", reason="box_invalid", detail=reason or "no box")
            problems.append(entry)
            continue
        obb = annotated.obb
        box = OrientedBox(
            centre=(obb.centroid[0], obb.centroid[1], obb.centroid[2]),
            lengths=(obb.axesLengths[0], obb.axesLengths[1], obb.axesLengths[2]),
            axes=tuple(obb.normalizedAxes),  # type: ignore[arg-type] - nine, see `_unusable`
        )
        label = place + 1 if place < MAX_LABEL else None
        objects.append(ScanObject(object_id=object_id, category=annotated.label, box=box, label=label))
    return tuple(objects)


def _unusable(obb: Obb | None) -> str | None:
    if obb is None:
        return "the object has no obb"
    if (len(obb.centroid), len(obb.axesLengths), len(obb.normalizedAxes)) != (3, 3, 9):
        return "centroid, axesLengths and normalizedAxes are not of 3, 3 and 9 numbers"
    if not all(map(math.isfinite, (*obb.centroid, *obb.axesLengths, *obb.normalizedAxes))) or min(obb.axesLengths) <= 0:
        return f"numbers that are not finite, or lengths {obb.axesLengths} not above 0"
    axes = np.reshape(obb.normalizedAxes, (3, 3))
    error = float(np.abs(axes @ axes.T - np.eye(3)).max())
    return f"axes that are not orthonormal (by {error:.2g})" if error > MAX_ROTATION_ERROR else None
