"""Boxes of objects that only have masks: from the depth inside them, as all frames see it together.

1. A pixel counts where its eight neighbours have its label and the depth beside it does not jump: borders of masks and edges of
   depth pictures are where neither is right.
2. A point is kept unless more of the other frames speak against it than for it: those that see its surface, by their labels (255
   says nothing), and those that see through it to something farther. So other views mend masks that run over.
3. Pieces (cells of `CELL_M` that touch) with less than `MIN_PIECE` of the object's points are specks, and go.
4. The box is upright with the least footprint around the rest (`mesh.upright_box`), so the scan must have z up.

What no frame sees is not in the box. `ScanObject.cut` says that no frame shows the object whole: its mask ends at the border of
the picture, or at something nearer. `ScanObject.unseen_deg` is the widest angle around the object, on the plan, without a camera
that sees it: from about 150 degrees on its back may be missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from sightline.datasets.scans.mesh import upright_box
from sightline.datasets.scans.pixels import ScanPixels, depth_camera
from sightline.geometry.camera import project
from sightline.geometry.points import pixel_indices
from sightline.geometry.visibility import mask_points, point_visibility, tolerance_m
from sightline.types import Camera, LedgerEntry, Scan, ScanFrame, ScanObject

UNKNOWN = 255
MAX_VIEWS = 48
OBJECT_POINTS = 20_000  # of all its views together
MAX_JUMP = 0.03  # of the depth, between a pixel's neighbours
MIN_POINTS = 100
MIN_AGREED = 0.5
CELL_M = 0.05
MIN_PIECE = 0.05
HIDDEN_SHARE = 0.05
RING_PX = 2
BORDER = 1 / 200  # of the width: borders of masks and depth are not sharper, seen from elsewhere


@dataclass(frozen=True, eq=False)
class _View:
    """What one frame shows, all in the size of its depth picture."""

    camera: Camera
    depth_m: Float[np.ndarray, "h w"]
    labels: UInt8[np.ndarray, "h w"]

    @property
    def place(self) -> Float[np.ndarray, "3"]:
        return np.reshape(self.camera.camera_to_world, (4, 4))[:3, 3]


def boxes_of_masks(scan: Scan, root: Path, names: Mapping[int, str]) -> tuple[tuple[ScanObject, ...], tuple[LedgerEntry, ...]]:
    """The objects of the labels in `names` (1 to 254), as far as frames with depth and labels show them; and those left out.

    Raises:
        FileNotFoundError, InputError: a picture that is needed is missing or damaged.
    """
    assert scan.z_up, "the caller looks"
    usable = [each for each in scan.frames if each.depth is not None and each.instances is not None and each.camera is not None]
    chosen = np.linspace(0, len(usable) - 1, min(MAX_VIEWS, len(usable))).round().astype(int).tolist() if usable else []
    with ScanPixels(scan, root) as pixels:
        views = [_view(usable[index], pixels) for index in chosen]
    clean = [_clean(view) for view in views]
    objects, left_out = [], []
    for label, name in sorted(names.items()):
        found = _object(label, name, views, clean)
        if isinstance(found, ScanObject):
            objects.append(found)
        else:
            left_out.append(LedgerEntry(unit=f"{scan.scan_id}/object {label}", reason=found[0], detail=f"{name}: {found[1]}"))
    return tuple(objects), tuple(left_out)


def _view(frame: ScanFrame, pixels: ScanPixels) -> _View:
    depth, labels = pixels.depth_m(frame), pixels.instances(frame)
    assert depth is not None, "chosen because it has depth"
    assert labels is not None, "and labels"
    camera = depth_camera(frame, depth)
    if labels.shape != depth.shape:
        labels = cv2.resize(labels, depth.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return _View(camera, depth.astype(np.float64), labels)


def _clean(view: _View) -> Bool[np.ndarray, "h w"]:
    """Pixels in the middle of a label where depth does not jump."""
    box = np.ones((3, 3), np.uint8)
    same = cv2.erode(view.labels, box) == cv2.dilate(view.labels, box)
    depth = view.depth_m.astype(np.float32)
    return same & (cv2.dilate(depth, box) - cv2.erode(depth, box) < MAX_JUMP * depth)


def _object(
    label: int, name: str, views: Sequence[_View], clean: Sequence[Bool[np.ndarray, "h w"]]
) -> ScanObject | tuple[str, str]:
    """The object, or the reason and its detail why there is none."""
    inside = [(view.labels == label) & smooth for view, smooth in zip(views, clean, strict=True)]
    showing = [place for place, mask in enumerate(inside) if mask.any()]
    limit = OBJECT_POINTS // max(len(showing), 1)
    clouds = [mask_points(inside[at], views[at].depth_m, views[at].camera, max_points=limit) for at in showing]
    points = np.concatenate(clouds) if clouds else np.zeros((0, 3))
    if len(points) < MIN_POINTS:
        return "object_without_points", f"{len(points)} points of depth in its masks, {MIN_POINTS} are needed"
    agreed = _agreed(points, np.repeat(showing, [len(cloud) for cloud in clouds]), label, views)
    if agreed.mean() < MIN_AGREED:
        detail = f"other frames speak against {1 - agreed.mean():.0%} of its points. Check poses, depth scale and masks"
        return "masks_disagree", detail
    kept = _without_specks(points[agreed])
    box = upright_box(kept)
    seen_from = np.array([views[at].place for at in showing]) - box.centre
    return ScanObject(
        object_id=str(label),
        category=name,
        box=box,
        label=label,
        cut=not any(_shows_whole(views[at], label) for at in showing),
        unseen_deg=_widest_gap_deg(seen_from[:, :2]),
    )


def _agreed(points: Float[np.ndarray, "n 3"], own: np.ndarray, label: int, views: Sequence[_View]) -> Bool[np.ndarray, " n"]:
    """Which points no more of the other views speak against than for."""
    balance = np.zeros(len(points), np.int64)
    for place, view in enumerate(views):
        reach = 1 + round(BORDER * view.camera.width)
        window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
        seen = point_visibility(points, view.camera, view.depth_m)
        index, _ = pixel_indices(seen.pixels, view.camera.width, view.camera.height)
        at = (index[:, 0], index[:, 1])
        own_here = cv2.dilate((view.labels == label).astype(np.uint8), window)[at] > 0
        nearest_m = cv2.erode(np.where(view.depth_m > 0, view.depth_m, np.inf).astype(np.float32), window)[at]
        z_m = project(points, view.camera)[1]
        through = seen.in_frame & np.isfinite(nearest_m) & (nearest_m - z_m > tolerance_m(z_m))
        against = through | (seen.visible & ~own_here & (view.labels[at] != UNKNOWN))
        balance += np.where(own == place, 0, (seen.visible & own_here).astype(int) - against)
    return balance >= 0


def _without_specks(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "m 3"]:
    cells = np.floor(points / CELL_M).astype(np.int64)
    names, inverse, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    piece = _pieces(names)
    sizes = np.bincount(piece, weights=counts)
    return points[sizes[piece][inverse.ravel()] >= min(MIN_PIECE * len(points), sizes.max())]


def _pieces(cells: np.ndarray) -> np.ndarray:
    """The number of each cell's piece: cells of one piece touch, by a corner at least."""
    at = {tuple(cell): index for index, cell in enumerate(cells.tolist())}
    around = [(x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)]
    piece = np.full(len(cells), -1, np.int64)
    for start in range(len(cells)):
        if piece[start] >= 0:
            continue
        number, waiting = int(piece.max()) + 1, [start]
        piece[start] = number
        while waiting:
            x, y, z = cells[waiting.pop()].tolist()
            for dx, dy, dz in around:
                other = at.get((x + dx, y + dy, z + dz))
                if other is not None and piece[other] < 0:
                    piece[other] = number
                    waiting.append(other)
    return piece


def _shows_whole(view: _View, label: int) -> bool:
    """Whether the mask neither meets the picture's border nor ends at something nearer, but for a small part of its outline."""
    mask = (view.labels == label).astype(np.uint8)
    if mask[[0, -1]].any() or mask[:, [0, -1]].any():
        return False
    window = np.ones((2 * RING_PX + 1, 2 * RING_PX + 1), np.uint8)
    ring = (cv2.dilate(mask, window) > mask) & (view.depth_m > 0)
    own_m = np.where((mask > 0) & (view.depth_m > 0), view.depth_m, np.inf).astype(np.float32)
    nearest_m = cv2.erode(own_m, window).astype(np.float64)[ring]
    known = np.isfinite(nearest_m)
    hidden = nearest_m[known] - view.depth_m[ring][known] > tolerance_m(nearest_m[known])
    return bool(hidden.size) and float(hidden.mean()) <= HIDDEN_SHARE


def _widest_gap_deg(directions: Float[np.ndarray, "n 2"]) -> float:
    """The widest angle between neighbours of these directions, 0 to 360; 360 for one."""
    angles = np.sort(np.degrees(np.arctan2(directions[:, 1], directions[:, 0])))
    return round(float(np.diff(np.append(angles, angles[0] + 360.0)).max()), 1)
