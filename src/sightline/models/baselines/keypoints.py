"""Keypoints of pictures, their matches, and the two-view geometry that most of the matches agree on.

SIFT keypoints and the ratio test are those of Lowe (2004), "Distinctive image features from scale-invariant keypoints". The
geometries are fitted by OpenCV's plain RANSAC, which starts from the same random state every time, so equal pictures get equal
answers; its newer USAC stops with an assertion where all matches stand still. Points are continuous pixels (OpenCV puts the centre
of the first pixel at 0, here it is 0.5).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

MAX_KEYPOINTS = 4000  # the strongest; an indoor picture of 640 x 480 has 100 to 2500, and matching grows with their square
# OpenCV's 0.04 leaves 9 keypoints in the dimmest view of ICL-NUIM, 0.01 leaves 134; what noise adds fails the ratio test.
CONTRAST = 0.01
RATIO = 0.8  # Lowe (2004), 7.1: drops 90 % of the false matches and fewer than 5 % of the right ones
INLIER_PX = 3.0  # SIFT places a keypoint to about a pixel; the rest is for lenses and, with a homography, for what is not flat
# Brown and Lowe (2007), "Automatic panoramic image stitching": pictures show one place if more than 8 + 0.3 n of n matches agree.
VERIFIED_MIN = 8.0
VERIFIED_SHARE = 0.3
HOMOGRAPHY_ITERATIONS = 1000  # misses 4 right matches among a third of right ones with (80 / 81)^1000 = 4e-6
EPIPOLAR_ITERATIONS = 5000  # finds the 7 right matches of a fundamental matrix among a third of right ones with 90 %
CONFIDENCE = 0.999
SETTINGS: dict[str, int | float] = {
    "max_keypoints": MAX_KEYPOINTS,
    "contrast": CONTRAST,
    "ratio": RATIO,
    "inlier_px": INLIER_PX,
    "verified_min": VERIFIED_MIN,
    "verified_share": VERIFIED_SHARE,
    "homography_iterations": HOMOGRAPHY_ITERATIONS,
    "epipolar_iterations": EPIPOLAR_ITERATIONS,
    "confidence": CONFIDENCE,
}


@dataclass(frozen=True)
class Keypoints:
    """Where a picture has keypoints, and the SIFT descriptor of each (whole numbers 0..255). n is 0 without texture."""

    points: Float32[np.ndarray, "n 2"]
    descriptors: UInt8[np.ndarray, "n 128"]


@dataclass(frozen=True)
class Matches:
    """Points of picture A and the points of picture B that look like them, row by row."""

    a: Float32[np.ndarray, "n 2"]
    b: Float32[np.ndarray, "n 2"]

    def __len__(self) -> int:
        return len(self.a)


@dataclass(frozen=True)
class Relation:
    """How two pictures of one place lie to each other.

    `homography` carries A to B where the place is flat or the camera only turned; `by_homography` are the matches it explains to
    `INLIER_PX`. `by_epipolar` are those that one fundamental matrix explains. A geometry that too few matches agree on is None,
    and none of the matches is its.
    """

    homography: Float[np.ndarray, "3 3"] | None
    by_homography: Bool[np.ndarray, " n"]
    by_epipolar: Bool[np.ndarray, " n"]


def find_keypoints(rgb: UInt8[np.ndarray, "h w 3"]) -> Keypoints:
    """The SIFT keypoints of a picture."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    # Without the precise upscaling every keypoint of OpenCV lies a quarter of a pixel too far right and down.
    sift = cv2.SIFT.create(nfeatures=MAX_KEYPOINTS, contrastThreshold=CONTRAST, enable_precise_upscale=True)
    found, descriptors = sift.detectAndCompute(grey, None)
    if descriptors is None or not found:
        return Keypoints(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
    points = np.array([keypoint.pt for keypoint in found], dtype=np.float32) + np.float32(0.5)
    return Keypoints(points, descriptors.astype(np.uint8))


def match_keypoints(a: Keypoints, b: Keypoints) -> Matches:
    """Pairs that are each other's nearest, much nearer than A's second (the ratio test); one for each pair of places."""
    if len(a.points) == 0 or len(b.points) < 2:  # the ratio needs a second
        return Matches(a.points[:0], b.points[:0])
    squares = _square_distances(a.descriptors, b.descriptors)
    rows = np.arange(len(a.points))
    nearest = squares.argmin(axis=1)
    mutual = squares.argmin(axis=0)[nearest] == rows
    first = squares[rows, nearest]
    squares[rows, nearest] = np.inf
    good = np.flatnonzero(mutual & (first < RATIO**2 * squares.min(axis=1)))
    # SIFT gives one place several keypoints if it has several orientations: agreement must not be counted twice.
    places = np.floor(np.hstack([a.points[good], b.points[nearest[good]]])).astype(np.int64)
    kept = good[np.sort(np.unique(places, axis=0, return_index=True)[1])]
    return Matches(a.points[kept], b.points[nearest[kept]])


def relate(matches: Matches) -> Relation | None:
    """The geometries that the matches agree on; None if neither has enough of them behind it to show one place."""
    needed = VERIFIED_MIN + VERIFIED_SHARE * len(matches)
    if len(matches) <= needed:
        return None
    homography, by_homography = _homography(matches)
    by_epipolar = _on_epipolar_lines(matches)
    none = np.zeros(len(matches), dtype=bool)
    if by_epipolar.sum() <= needed:
        by_epipolar = none
    if by_homography.sum() <= needed:
        homography, by_homography = None, none
    return Relation(homography, by_homography, by_epipolar) if by_homography.any() or by_epipolar.any() else None


def _homography(matches: Matches) -> tuple[Float[np.ndarray, "3 3"] | None, Bool[np.ndarray, " n"]]:
    """The homography that most matches are within `INLIER_PX` of, and these; None and no match if there is none."""
    found, inliers = cv2.findHomography(
        matches.a, matches.b, cv2.RANSAC, INLIER_PX, maxIters=HOMOGRAPHY_ITERATIONS, confidence=CONFIDENCE
    )
    if found is None or not np.isfinite(found).all():
        return None, np.zeros(len(matches), dtype=bool)
    return found, inliers.ravel() > 0


def _on_epipolar_lines(matches: Matches) -> Bool[np.ndarray, " n"]:
    """The matches within `INLIER_PX` of the epipolar lines of the fundamental matrix that most of them are near; else none."""
    found, inliers = cv2.findFundamentalMat(matches.a, matches.b, cv2.FM_RANSAC, INLIER_PX, CONFIDENCE, EPIPOLAR_ITERATIONS)
    return np.zeros(len(matches), dtype=bool) if found is None or inliers is None else inliers.ravel() > 0


def _square_distances(a: UInt8[np.ndarray, "n 128"], b: UInt8[np.ndarray, "m 128"]) -> Float32[np.ndarray, "n m"]:
    """Squared distances of descriptors. All sums are whole numbers below 2 ** 24, so float32 is exact in any order of addition."""
    a, b = a.astype(np.float32), b.astype(np.float32)
    return (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * (a @ b.T)
