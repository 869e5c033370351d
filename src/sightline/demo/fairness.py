"""Which layouts are kept: those in which depth and pose alone decide every question, and in which every kind of negative occurs.

A layout is drawn, cast (without colours) and judged; one with a fault is drawn again. What a kept room guarantees, per target:

- a view shows at least `MIN_AREA` of the picture of it, or nothing; view 1 and at least one more view show it;
- of two views that show it, each sees at least `MIN_SHARED` of the mask pixels of the other, and `MIN_SHARED_PIXELS`: carried over
  with depth and pose they fall on the mask there, at the depth there within `tolerance_m`;
- and each has a block of 4 x 4 pixels on it that the other sees too, not edge-on (`agreement`, told strictly); at least one such
  pixel has a 5 x 5 neighbourhood that is all mask;
- with it removed, no block of 3 x 3 pixels still agrees with it as any view shows it (`agreement`, told leniently): the line
  where it touched the floor is all that could;
- a view that does not show it has it out of view altogether (N1), or hidden with its centre inside the picture (N2), and then its
  surface lies at least `HIDDEN_BY_M` and `HIDDEN_BY_DEPTH` of its depth behind what hides it, seen from that view;
- targets do not hide each other: removing one shows nothing new of another.

And per room: one N1 at least with another target of its class in view, and one N2 at least.
"""

from dataclasses import dataclass
from itertools import permutations

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int

from sightline.demo.layout import Layout
from sightline.demo.render import Hits, Lens, cast, depth_without, ray_directions
from sightline.demo.solids import turned

MIN_AREA = 0.001
MIN_SHARED = 0.10
MIN_SHARED_PIXELS = 20
HIDDEN_BY_M = 0.05
HIDDEN_BY_DEPTH = 0.05
TOLERANCE_PIXELS = 5.0
ROUNDING_M = 0.005
PIXEL_STEP = 0.75
EDGE_M = 0.05
EDGE_OF_DEPTH = 0.05
STRICT = 0.8
LENIENT = 1.5
MARGIN_PX = 6


@dataclass(frozen=True)
class Sight:
    """One view with the pose it was cast from, and `step`: half the range of depth (metres) among each pixel's 3 x 3 neighbours."""

    hits: Hits
    pose: Float[np.ndarray, "4 4"]
    lens: Lens
    step: Float[np.ndarray, "h w"]


@dataclass(frozen=True)
class Landing:
    """Where surface points of one view come to lie in another: which are inside its picture, and pixel and depth of those."""

    inside: Bool[np.ndarray, " n"]
    row: Int[np.ndarray, " k"]
    column: Int[np.ndarray, " k"]
    depth: Float[np.ndarray, " k"]


def tolerance_m(lens: Lens) -> float:
    """How far two depths of one surface point may differ: what half a pixel makes on a slanted surface (0.02 m at 320 wide)."""
    return TOLERANCE_PIXELS / lens.focal


def cast_fair(layout: Layout, *, lens: Lens) -> tuple[Hits, ...] | None:
    """The hits of every view if the layout keeps all guarantees of this module, else None."""
    targets = [part_index for part_index, part in enumerate(layout.parts) if part.uid is not None]
    sights: list[Sight] = []
    for pose in layout.poses:
        hits = cast(layout, pose, lens=lens)
        sight = Sight(hits, pose, lens, _step(hits.depth))
        if not _view_is_clear(layout, sight, targets, is_first=not sights):
            return None
        sights.append(sight)
    if not _has_every_negative(layout, sights, targets):
        return None
    for target in targets:
        showing = [sight for sight in sights if (sight.hits.part == target).any()]
        hiding = [sight for sight in sights if sight.hits.amodal[target] and not (sight.hits.part == target).any()]
        fair = (
            len(showing) >= 2
            and all(_is_plainly_hidden(first, second, target) for first in showing for second in hiding)
            and all(_is_shared(first, second, target) for first, second in permutations(showing, 2))
            and not any(_has_ghost(first, second, target) for first in showing for second in showing)
        )
        if not fair:
            return None
    return tuple(sight.hits for sight in sights)


def project(points: Float[np.ndarray, "n 3"], pose: Float[np.ndarray, "4 4"], *, lens: Lens) -> Landing:
    """World points (metres) in the picture of a camera."""
    local = turned(points - pose[:3, 3], pose[:3, :3])
    depth = np.maximum(local[:, 2], 1e-6)
    column = np.floor(lens.focal * local[:, 0] / depth + lens.centre[0])
    row = np.floor(lens.focal * local[:, 1] / depth + lens.centre[1])
    inside = (local[:, 2] > 0) & (column >= 0) & (column < lens.width) & (row >= 0) & (row < lens.height)
    return Landing(inside, row[inside].astype(np.int64), column[inside].astype(np.int64), depth[inside])


def agreement(points: Float[np.ndarray, "n 3"], sight: Sight, target: int, *, allowance: float) -> Bool[np.ndarray, " n"]:
    """Which world points lie on the target's surface as the view shows it, by the depth of the nearest pixel alone.

    The depth may differ by what rounding and one pixel's step make; where the step is an edge, or the surface is seen edge-on,
    nothing agrees. `allowance` scales both: below 1 it is harder to agree, above 1 easier.
    """
    landing = project(points, sight.pose, lens=sight.lens)
    at = landing.row, landing.column
    step = sight.step[at]
    smooth = step < allowance * np.maximum(EDGE_M, EDGE_OF_DEPTH * landing.depth)
    near = np.abs(landing.depth - sight.hits.depth[at]) < allowance * (ROUNDING_M + PIXEL_STEP * step)
    agrees = np.zeros(len(points), dtype=bool)
    agrees[landing.inside] = smooth & near & (sight.hits.part[at] == target)
    return agrees


def _step(depth: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    around = np.ones((3, 3), np.uint8)
    return (cv2.dilate(depth, around) - cv2.erode(depth, around)) / 2


def _surface(sight: Sight, where: Bool[np.ndarray, "h w"], depth: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "n 3"]:
    """World points of the pixels `where`, at `depth`."""
    return sight.pose[:3, 3] + ray_directions(sight.lens, sight.pose)[where.ravel()] * depth[where][:, None]


def _view_is_clear(layout: Layout, sight: Sight, targets: list[int], *, is_first: bool) -> bool:
    """Each target is well visible, or hidden within the picture, or wholly out of view; in the first view all are visible."""
    hits = sight.hits
    for target in targets:
        mask = hits.part == target
        area = int(mask.sum())
        if 0 < area < MIN_AREA * mask.size or (is_first and not area):
            return False
        centre = project(np.array([layout.parts[target].solid.centre]), sight.pose, lens=sight.lens)
        if not area and hits.amodal[target] and not centre.inside[0]:
            return False
        if np.isin(hits.next_part[mask], targets).any():
            return False
    return True


def _has_every_negative(layout: Layout, sights: list[Sight], targets: list[int]) -> bool:
    """One target out of view while one of its class is in view, and one target hidden."""
    labels = {target: layout.parts[target].label for target in targets}
    distracted = hidden = False
    for hits in (sight.hits for sight in sights):
        shown = {target for target in targets if (hits.part == target).any()}
        for target in set(targets) - shown:
            hidden |= hits.amodal[target] > 0
            distracted |= hits.amodal[target] == 0 and any(labels[other] == labels[target] for other in shown)
    return distracted and hidden


def _is_plainly_hidden(first: Sight, second: Sight, target: int) -> bool:
    """Whatever of the target's surface the first view shows lies well behind what the second view shows there."""
    points = _surface(first, first.hits.part == target, first.hits.depth)
    landing = project(points, second.pose, lens=second.lens)
    behind = landing.depth - second.hits.depth[landing.row, landing.column]
    return bool((behind > np.maximum(HIDDEN_BY_M, HIDDEN_BY_DEPTH * landing.depth)).all())


def _is_shared(first: Sight, second: Sight, target: int) -> bool:
    """Enough of the target's surface in the first view is seen in the second, with a block of it well seen in both."""
    own, mask = first.hits.part == target, second.hits.part == target
    landing = project(_surface(first, own, first.hits.depth), second.pose, lens=second.lens)
    at = landing.row, landing.column
    seen = mask[at] & (np.abs(landing.depth - second.hits.depth[at]) < tolerance_m(second.lens))
    if seen.sum() < max(MIN_SHARED_PIXELS, MIN_SHARED * own.sum()):
        return False
    shared = np.zeros(mask.shape, dtype=bool)
    shared[mask] = agreement(_surface(second, mask, second.hits.depth), first, target, allowance=STRICT)
    return _has_block(shared, size=4) and bool((shared & _eroded(mask, size=5)).any())


def _has_ghost(first: Sight, second: Sight, target: int) -> bool:
    """The second view without the target still agrees with the target's surface in the first."""
    around = cv2.dilate((second.hits.part == target).astype(np.uint8), np.ones((2 * MARGIN_PX + 1,) * 2, np.uint8)) > 0
    ghost = np.zeros(around.shape, dtype=bool)
    ghost[around] = agreement(_surface(second, around, depth_without(second.hits, target)), first, target, allowance=LENIENT)
    return _has_block(ghost, size=3)


def _has_block(where: Bool[np.ndarray, "h w"], *, size: int) -> bool:
    return bool(_eroded(where, size=size).any())


def _eroded(where: Bool[np.ndarray, "h w"], *, size: int) -> Bool[np.ndarray, "h w"]:
    """The pixels in the middle of a `size` x `size` block of `where`; outside the picture nothing is."""
    kernel = np.ones((size, size), np.uint8)
    return cv2.erode(where.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=(0.0,)) > 0
