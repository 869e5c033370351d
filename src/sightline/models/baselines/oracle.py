"""The geometry oracle: it follows the marked surface through depth and pose into the asked view. No pixel is looked at.

Where the object is marked in one view and asked for in another:
1. forward, by the co-visibility rule of `geometry.visibility`: surface points of the reference mask that the asked view may show;
2. backward, around those: every asked pixel with depth is carried into the reference view and kept if it lands on the mask *and*
   the depth there is its own, strictly. The rule's 5 cm would also accept the floor behind an object that was taken away, along
   its lower edge; a strict test leaves of that a line a pixel or two wide.
3. It answers the deepest pixel of what is left, or not visible if that holds no block of 3 x 3 pixels.

In the difference task it answers where the depth of the two pictures differs. On exact depth it makes no mistake, so a score below
100 % there shows a fault of the geometry or of the task, not of a model.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from sightline.geometry.camera import project, scale_camera, unproject
from sightline.geometry.points import pixel_indices
from sightline.geometry.visibility import mask_points, point_visibility
from sightline.models.baselines.baseline import asked_panel, deepest_pixel
from sightline.models.baselines.difference import largest_region
from sightline.models.baselines.forms import region_answer
from sightline.taskset.store import TaskSet
from sightline.types import Answer, Camera, NotVisible, Panel, Question

AGREEMENT_M = 0.005  # depth in millimetres is off by 0.5 mm on either side; the rest is for poses and nearest-pixel look-up
AGREEMENT_OF_SLOPE = 0.75  # half a pixel of look-up error is half of the step to the next pixel; a half more on curved surfaces
EDGE_M = 0.05  # depth that varies by more than this among 3 x 3 pixels (or 5 % of z) is an edge or a surface seen edge-on
EDGE_OF_Z = 0.05
MIN_DEPTH_PX = 1.75  # a block of 3 x 3 agreeing pixels has 2; the line of floor along a removed object's edge, 1.41 at most
MIN_PIXELS = 12  # and a few more than that block: fewer are no patch anyone could point at
MIN_CHANGE_M = 0.02  # depth that differs by more has changed: above rounding, below the thickness of objects
MARGIN_PX = 4  # around the forward points, which are sparse
SETTINGS: dict[str, int | float] = {
    "agreement_m": AGREEMENT_M,
    "agreement_of_slope": AGREEMENT_OF_SLOPE,
    "edge_m": EDGE_M,
    "edge_of_z": EDGE_OF_Z,
    "min_depth_px": MIN_DEPTH_PX,
    "min_pixels": MIN_PIXELS,
    "min_change_m": MIN_CHANGE_M,
}


@dataclass(frozen=True)
class PosedDepth:
    """The depth picture of a panel's view and the camera at the depth picture's own size."""

    depth_m: Float[np.ndarray, "h w"]
    camera: Camera


def require_geometry(question: Question) -> str | None:
    """What the oracle lacks to answer this question; None if it can."""
    asked = asked_panel(question)
    if question.reference is None:
        before = _before_panel(question)
        return None if before is not None and before.depth is not None and asked.depth is not None else "a picture has no depth"
    shown = question.panels[question.reference.panel_index]
    for panel in (shown, asked):
        if panel.camera is None:
            return f"the {panel.role} view has no camera pose"
    if _in_other_world(shown, asked):
        return None
    for panel in (shown, asked):
        if panel.depth is None:
            return f"the {panel.role} view has no depth"
    return None


def oracle(question: Question, taskset: TaskSet) -> Answer:
    """The marked surface as the asked view shows it, or a point well inside it, or not visible."""
    asked = asked_panel(question)
    patch = _changed(question, taskset) if question.reference is None else _followed(question, taskset)
    if patch is None:
        return NotVisible()
    row, column, _ = deepest_pixel(patch)
    return region_answer(question, asked, patch, pixel=(row, column))


def visible_patch(mask: Bool[np.ndarray, "hr wr"], reference: PosedDepth, asked: PosedDepth) -> Bool[np.ndarray, "ha wa"] | None:
    """The pixels of the asked view that show the surface under `mask` of the reference view; None if there is no patch of them."""
    forward = point_visibility(mask_points(mask, reference.depth_m, reference.camera), asked.camera, asked.depth_m)
    if not forward.visible.any():
        return None
    window = _window(forward.pixels[forward.visible], asked.depth_m.shape)
    rows, columns = np.nonzero((asked.depth_m > 0) & window)
    centres = np.stack([columns + 0.5, rows + 0.5], axis=1)
    points = unproject(centres, asked.depth_m[rows, columns].astype(np.float64), asked.camera)
    same = _lies_on(points, mask, reference)
    patch = np.zeros(asked.depth_m.shape, dtype=bool)
    patch[rows[same], columns[same]] = True
    large_enough = same.sum() >= MIN_PIXELS and deepest_pixel(patch)[2] >= MIN_DEPTH_PX
    return patch if large_enough else None


def _followed(question: Question, taskset: TaskSet) -> Bool[np.ndarray, "h w"] | None:
    assert question.reference is not None
    shown, asked = question.panels[question.reference.panel_index], asked_panel(question)
    if _in_other_world(shown, asked):
        return None
    reference, query = _posed_depth(shown, taskset), _posed_depth(asked, taskset)
    mask = taskset.read_mask(question.reference.mask)
    if mask.shape != reference.depth_m.shape:
        height, width = reference.depth_m.shape
        mask = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    return visible_patch(mask, reference, query)


def _changed(question: Question, taskset: TaskSet) -> Bool[np.ndarray, "h w"] | None:
    before, after = _before_panel(question), asked_panel(question)
    assert before is not None, "checked by require_geometry"
    assert before.depth is not None, "checked by require_geometry"
    assert after.depth is not None, "checked by require_geometry"
    depth_before, depth_after = taskset.read_depth(before.depth), taskset.read_depth(after.depth)
    measured = (depth_before > 0) & (depth_after > 0)
    return largest_region(measured & (np.abs(depth_before - depth_after) > MIN_CHANGE_M), min_pixels=1)


def _lies_on(points: Float[np.ndarray, "n 3"], mask: Bool[np.ndarray, "h w"], reference: PosedDepth) -> Bool[np.ndarray, " n"]:
    """Which world points are on the very surface that the reference view shows under its mask, away from depth edges."""
    pixels, z_m = project(points, reference.camera)
    index, inside = pixel_indices(pixels, reference.camera.width, reference.camera.height)
    rows, columns = index.T
    step_m = _steps(reference.depth_m)[rows, columns]
    smooth = step_m < np.maximum(EDGE_M, EDGE_OF_Z * z_m)
    off_m = np.abs(reference.depth_m[rows, columns] - z_m)
    return inside & mask[rows, columns] & smooth & (off_m < AGREEMENT_M + AGREEMENT_OF_SLOPE * step_m)


def _steps(depth_m: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """The range of depth among each pixel's 3 x 3 neighbours, halved: about the step from a pixel to the next."""
    kernel = np.ones((3, 3), np.uint8)
    return (cv2.dilate(depth_m, kernel) - cv2.erode(depth_m, kernel)) / 2


def _window(pixels: Float[np.ndarray, "n 2"], shape: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
    """The rectangle around the given pixels, a little wider."""
    (left, top), (right, bottom) = np.floor(pixels.min(axis=0)).astype(int), np.ceil(pixels.max(axis=0)).astype(int)
    window = np.zeros(shape, dtype=bool)
    window[max(top - MARGIN_PX, 0) : bottom + MARGIN_PX, max(left - MARGIN_PX, 0) : right + MARGIN_PX] = True
    return window


def _in_other_world(shown: Panel, asked: Panel) -> bool:
    """Whether the views are of different places: nothing of the one can be seen in the other."""
    assert shown.camera is not None, "checked by require_geometry"
    assert asked.camera is not None, "checked by require_geometry"
    return shown.camera.world != asked.camera.world


def _posed_depth(panel: Panel, taskset: TaskSet) -> PosedDepth:
    assert panel.depth is not None, "checked by require_geometry"
    assert panel.camera is not None, "checked by require_geometry"
    depth_m = taskset.read_depth(panel.depth)
    return PosedDepth(depth_m, scale_camera(panel.camera, depth_m.shape[1], depth_m.shape[0]))


def _before_panel(question: Question) -> Panel | None:
    return next((panel for panel in question.panels if panel.role == "before"), None)
