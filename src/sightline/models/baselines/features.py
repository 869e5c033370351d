"""The keypoint baseline: SIFT matches, RANSAC geometry and transfer of the marked object; no learning, no depth.

Where an object is marked in one view and asked for in another:
1. the plain views are matched and must agree on a homography or a fundamental matrix (`keypoints.relate`), else not visible;
2. the matches on the object's mask must agree on how *it* moved: by the homography of the whole, or, off its plane, by a similarity
   fitted to those that satisfy the fundamental matrix. What has more matches behind it carries the mask. Fewer than `MIN_SUPPORT`:
   not visible. (The place where a removed object stood is found by the homography, but nothing there looks like it.)
3. It answers the pixel deepest inside the carried mask among those between the matched points.

In the difference task nothing is marked: the picture before is laid over the one after by the homography and brought to its
brightness; the largest region that still differs is the answer. So a shift, a change of scale or of exposure do not fool it as
they fool `difference`.
"""

from collections import OrderedDict

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from sightline.geometry.points import pixel_indices
from sightline.models.baselines import keypoints
from sightline.models.baselines.baseline import asked_panel, deepest_pixel, point_in
from sightline.models.baselines.difference import differing_pixels, largest_region
from sightline.models.baselines.forms import region_answer
from sightline.models.baselines.keypoints import INLIER_PX, Keypoints, Matches, Relation, find_keypoints, match_keypoints, relate
from sightline.taskset.store import TaskSet
from sightline.types import Answer, ImageRef, NotVisible, Question

MIN_SUPPORT = 3  # matches on the object: Lowe (2004) takes an object as found from 3 that agree on its pose
SIMILARITY_TOLERANCE = 0.1  # of the object's size: how far a similarity may be off where the object turned (and at least INLIER_PX)
MIN_MOTION_PX = 0.5  # a homography that moves no corner by more is the noise of its fit: the pictures are compared as they are
MIN_REGION_PIXELS = 12  # of the difference task; smaller is what resampling leaves
KEPT_PAIRS = 256
KEPT_PICTURES = 64  # at most 0.6 MB of keypoints each
SETTINGS: dict[str, int | float] = keypoints.SETTINGS | {
    "min_support": MIN_SUPPORT,
    "similarity_tolerance": SIMILARITY_TOLERANCE,
    "min_motion_px": MIN_MOTION_PX,
    "min_region_pixels": MIN_REGION_PIXELS,
}


class Features:
    """The answer to one question; remembers the keypoints of the last `KEPT_PICTURES` pictures and the matches of the last
    `KEPT_PAIRS` pairs: the objects of a scene are asked about in the same pictures."""

    def __init__(self) -> None:
        self._matched: OrderedDict[tuple[str, str], Matches] = OrderedDict()
        self._kept: OrderedDict[str, Keypoints] = OrderedDict()

    def __call__(self, question: Question, taskset: TaskSet) -> Answer:
        asked = asked_panel(question)
        if question.reference is None:
            region = self._changed(question, taskset)
            return NotVisible() if region is None else region_answer(question, asked, region, pixel=deepest_pixel(region)[:2])
        pixel = self._followed(question, taskset)
        if pixel is None:
            return NotVisible()
        return point_in(asked, pixel[1] + 0.5, pixel[0] + 0.5)

    def _followed(self, question: Question, taskset: TaskSet) -> tuple[int, int] | None:
        assert question.reference is not None
        shown, asked = question.panels[question.reference.panel_index].source, asked_panel(question).source
        matches = self._matches(shown, asked, taskset)
        return follow(taskset.read_mask(question.reference.mask), matches, shape=(asked.height, asked.width))

    def _changed(self, question: Question, taskset: TaskSet) -> Bool[np.ndarray, "h w"] | None:
        shown = next(panel for panel in question.panels if panel.role == "before").source
        asked = asked_panel(question).source
        relation = relate(self._matches(shown, asked, taskset))
        homography = relation.homography if relation else None
        return changed_region(taskset.read_rgb(shown), taskset.read_rgb(asked), homography)

    def _matches(self, a: ImageRef, b: ImageRef, taskset: TaskSet) -> Matches:
        key = (a.digest, b.digest)
        found = self._matched.pop(key, None)
        if found is None:
            found = match_keypoints(self._keypoints(a, taskset), self._keypoints(b, taskset))
        self._matched[key] = found
        if len(self._matched) > KEPT_PAIRS:
            self._matched.popitem(last=False)
        return found

    def _keypoints(self, picture: ImageRef, taskset: TaskSet) -> Keypoints:
        found = self._kept.pop(picture.digest, None) or find_keypoints(taskset.read_rgb(picture))
        self._kept[picture.digest] = found
        if len(self._kept) > KEPT_PICTURES:
            self._kept.popitem(last=False)
        return found


def follow(mask: Bool[np.ndarray, "ha wa"], matches: Matches, *, shape: tuple[int, int]) -> tuple[int, int] | None:
    """The pixel (row, column) of picture B (`shape` is its height and width) that shows the object under `mask` of picture A.

    None if the matches do not show one place, or fewer than `MIN_SUPPORT` of them are on the object and agree on its motion.
    """
    index, inside = pixel_indices(matches.a.astype(np.float64), mask.shape[1], mask.shape[0])
    on_object = inside & mask[index[:, 0], index[:, 1]]
    if on_object.sum() < MIN_SUPPORT:  # before any fitting, which takes nearly all the time
        return None
    relation = relate(matches)
    if relation is None:
        return None
    transform, supporting = _object_motion(mask, matches, relation, on_object)
    if transform is None or supporting.sum() < MIN_SUPPORT:
        return None
    return _supported_pixel(carry(mask, transform, shape), matches.b[supporting])


def carry(
    mask: Bool[np.ndarray, "ha wa"], transform: Float[np.ndarray, "3 3"], shape: tuple[int, int]
) -> Bool[np.ndarray, "hb wb"]:
    """The mask moved by a homography between continuous pixels, into a picture of `shape` (height, width)."""
    warped = cv2.warpPerspective(mask.astype(np.uint8), _between_centres(transform), (shape[1], shape[0]), flags=cv2.INTER_NEAREST)
    return warped > 0


def changed_region(
    before: UInt8[np.ndarray, "ha wa 3"], after: UInt8[np.ndarray, "hb wb 3"], homography: Float[np.ndarray, "3 3"] | None
) -> Bool[np.ndarray, "hb wb"] | None:
    """The largest region of `after` that differs from `before` laid over it; None if nothing does.

    Without a homography, or with one that moves nothing, the pictures are compared as they are (resized to one size).
    """
    height, width = after.shape[:2]
    if homography is None or (before.shape == after.shape and _motion_px(homography, width, height) <= MIN_MOTION_PX):
        if before.shape != after.shape:
            before = cv2.resize(before, (width, height), interpolation=cv2.INTER_AREA)
        return largest_region(differing_pixels(same_brightness(before, after), after), min_pixels=MIN_REGION_PIXELS)
    common = carry(np.ones(before.shape[:2], dtype=bool), homography, (height, width))
    if not common.any():
        return None
    laid = cv2.warpPerspective(before, _between_centres(homography), (width, height), flags=cv2.INTER_LINEAR)
    laid = same_brightness(laid, after, common)
    # Resampling blurs one of the two: both are, and lines a pixel or two wide, where edges lie a fraction of a pixel apart, go.
    differs = differing_pixels(cv2.GaussianBlur(laid, (5, 5), 0), cv2.GaussianBlur(after, (5, 5), 0))
    inner = cv2.erode(common.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=1)
    opened = cv2.morphologyEx(differs.astype(np.uint8) * inner, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return largest_region(opened > 0, min_pixels=MIN_REGION_PIXELS)


def same_brightness(
    before: UInt8[np.ndarray, "h w 3"], after: UInt8[np.ndarray, "h w 3"], where: Bool[np.ndarray, "h w"] | None = None
) -> UInt8[np.ndarray, "h w 3"]:
    """`before` with gain and offset of each channel fitted to `after` over `where`.

    Least squares, refined over the half of the pixels that fit best, so that what changed does not take part. A channel of one
    value is only shifted.
    """
    chosen = np.ones(before.shape[:2], dtype=bool) if where is None else where
    channels = []
    for channel in range(3):
        x, y = before[..., channel][chosen].astype(np.float64), after[..., channel][chosen].astype(np.float64)
        gain, offset = 1.0, float(np.median(y - x))
        for _ in range(3):
            error = np.abs(gain * x + offset - y)
            best = error <= np.median(error)
            spread = float(x[best].var())
            gain = float(np.mean((x[best] - x[best].mean()) * (y[best] - y[best].mean()))) / spread if spread > 0 else 1.0
            offset = float(y[best].mean() - gain * x[best].mean())
        channels.append(np.clip(np.rint(gain * before[..., channel] + offset), 0, 255).astype(np.uint8))
    return np.stack(channels, axis=2)


def _object_motion(
    mask: Bool[np.ndarray, "h w"], matches: Matches, relation: Relation, on_object: Bool[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "3 3"] | None, Bool[np.ndarray, " n"]]:
    """What carries the object, and the matches on it that say so."""
    by_homography = on_object & relation.by_homography
    by_similarity = on_object & relation.by_epipolar
    similarity = None
    if by_similarity.sum() >= MIN_SUPPORT:
        tolerance_px = max(INLIER_PX, SIMILARITY_TOLERANCE * float(np.sqrt(mask.sum())))
        chosen = np.flatnonzero(by_similarity)
        affine, inliers = cv2.estimateAffinePartial2D(matches.a[chosen], matches.b[chosen], ransacReprojThreshold=tolerance_px)
        if affine is not None:
            similarity = np.vstack([affine, [0.0, 0.0, 1.0]])
            by_similarity[chosen] = inliers.ravel() > 0
    if similarity is None or by_homography.sum() >= by_similarity.sum():
        return relation.homography, by_homography
    return similarity, by_similarity


def _supported_pixel(carried: Bool[np.ndarray, "h w"], support: Float32[np.ndarray, "n 2"]) -> tuple[int, int]:
    """The pixel deepest inside the carried mask among those between the supporting points; the point in their midst if none is."""
    hull = np.zeros(carried.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(np.floor(support).astype(np.int32)), 1)
    depth = cv2.distanceTransform(np.pad(carried, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1] * hull
    if depth.any():
        row, column = divmod(int(depth.argmax()), carried.shape[1])
        return row, column
    nearest = int(np.hypot(*(support - np.median(support, axis=0)).T).argmin())
    column, row = np.floor(support[nearest]).astype(int)
    return min(int(row), carried.shape[0] - 1), min(int(column), carried.shape[1] - 1)


def _motion_px(homography: Float[np.ndarray, "3 3"], width: int, height: int) -> float:
    """How far the homography moves the corner that it moves most."""
    corners = np.array([[[0, 0]], [[width, 0]], [[width, height]], [[0, height]]], dtype=np.float64)
    return float(np.linalg.norm(cv2.perspectiveTransform(corners, homography) - corners, axis=2).max())


def _between_centres(transform: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """A homography of continuous pixels as one of OpenCV's, where the centre of the first pixel is 0."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    return np.linalg.inv(half) @ transform @ half
