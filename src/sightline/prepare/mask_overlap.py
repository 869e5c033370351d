"""Whether a scan's instance pictures show its mesh: the labelled triangles, drawn as each camera sees them, laid over the pictures.

Where poses, axes or the numbering of objects are wrong, the two lie beside each other, and so would everything that is asked about
the scan. Some frames of each part are compared, by intersection over union of each object over all of them:

    mask_off_mesh    one object's is below `MIN_IOU`
    masks_off_mesh   the median over the objects is below it
"""

from collections.abc import Iterable, Mapping

import cv2
import numpy as np
from jaxtyping import UInt8

from sightline.types import LedgerEntry, Scan

MIN_IOU = 0.4
MIN_PIXELS = 200
COMPARED_FRAMES = 4  # of each part
UNKNOWN = 255

Overlap = Mapping[int, tuple[int, int]]
"""Pixels of both and of either, by label."""


def compared(num_frames: int) -> frozenset[int]:
    """The positions of the frames of a part that are compared, evenly spread."""
    count = min(COMPARED_FRAMES, num_frames)
    return frozenset((2 * place + 1) * num_frames // (2 * count) for place in range(count))


def overlap(given: UInt8[np.ndarray, "h w"], drawn: UInt8[np.ndarray, "h2 w2"]) -> Overlap:
    """Of one frame: pixels that one of the two does not know (255) do not count."""
    if given.shape != drawn.shape:
        given = cv2.resize(given, drawn.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    known = (given != UNKNOWN) & (drawn != UNKNOWN)
    both = np.bincount(given[known & (given == drawn)], minlength=256)
    either = np.bincount(given[known], minlength=256) + np.bincount(drawn[known], minlength=256) - both
    return {label: (int(both[label]), int(either[label])) for label in range(1, UNKNOWN) if either[label]}


def added(parts: Iterable[Overlap]) -> dict[int, tuple[int, int]]:
    """The sums by label."""
    found: dict[int, tuple[int, int]] = {}
    for part in parts:
        for label, (both, either) in part.items():
            before = found.get(label, (0, 0))
            found[label] = (before[0] + both, before[1] + either)
    return dict(sorted(found.items()))


def disagreements(scan: Scan, overlaps: Overlap) -> tuple[LedgerEntry, ...]:
    """What the ledger says of a scan; objects that cover less than `MIN_PIXELS` are not judged."""
    names = {each.label: f"{each.object_id} ({each.category})" for each in scan.objects if each.label is not None}
    shares = {label: both / either for label, (both, either) in overlaps.items() if either >= MIN_PIXELS and label in names}
    if not shares:
        return ()
    entries = [
        LedgerEntry(
            unit=f"{scan.scan_id}/object {names[label]}",
            reason="mask_off_mesh",
            detail=f"its instance pictures and its mesh have an IoU of {share:.2f}, expected {MIN_IOU} or more",
            action="altered",
        )
        for label, share in shares.items()
        if share < MIN_IOU
    ]
    median = float(np.median(list(shares.values())))
    if median < MIN_IOU:
        detail = (
            f"instance pictures and mesh of {len(shares)} objects have a median IoU of {median:.2f}, expected {MIN_IOU} or more: "
            "the poses, the axes or the numbers of the objects are wrong. Get the scan's files again, of one release"
        )
        entries.insert(0, LedgerEntry(unit=scan.scan_id, reason="masks_off_mesh", detail=detail, action="altered"))
    return tuple(entries)
