"""The perceptual hash: stable under what data sets do to a frame, different between recordings."""

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline import media
from sightline.geometry.perceptual_hash import SAME_PICTURE, hash_distance, near_hashes, picture_hash

HASHES = st.lists(st.integers(0, 2**64 - 1), max_size=12)


def again(rgb: np.ndarray, *, scale: float, quality: int) -> np.ndarray:
    """The picture resized and stored as JPEG once more."""
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    code = cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_UNCHANGED))


def hashed(rgb: np.ndarray) -> int:
    found = picture_hash(rgb)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def recordings(shared_data: Path) -> dict[str, list[np.ndarray]]:
    """Six frames of each recording of which the sample data has pictures."""
    folders = [*sorted((shared_data / "davis/JPEGImages/480p").iterdir()), shared_data / "sam2_bedroom/bedroom"]
    return {folder.name: [media.read_rgb(path) for path in sorted(folder.glob("*.jpg"))[::9][:6]] for folder in folders}


def test_a_frame_is_known_again_after_resizing_and_compression(recordings: dict[str, list[np.ndarray]]) -> None:
    for name, frames in recordings.items():
        for frame in frames[::2]:
            for scale in (0.25, 0.5, 0.75, 2.0):
                for quality in (40, 75, 95):
                    distance = hash_distance(hashed(frame), hashed(again(frame, scale=scale, quality=quality)))
                    assert distance <= SAME_PICTURE, (name, scale, quality)
            square = cv2.resize(frame, (448, 448), interpolation=cv2.INTER_AREA)
            assert hash_distance(hashed(frame), hashed(square)) <= SAME_PICTURE


def test_frames_of_different_recordings_are_far_apart(recordings: dict[str, list[np.ndarray]]) -> None:
    assert len(recordings) >= 4
    hashes = {name: [hashed(frame) for frame in frames] for name, frames in recordings.items()}
    distances = [hash_distance(a, b) for one, two in combinations(hashes, 2) for a in hashes[one] for b in hashes[two]]
    assert min(distances) > 2 * SAME_PICTURE


def test_a_picture_of_one_colour_has_no_hash() -> None:
    noise = np.random.default_rng(0).integers(-2, 3, (90, 120, 3))
    assert picture_hash((128 + noise).astype(np.uint8)) is None
    assert picture_hash(np.zeros((3, 2, 3), np.uint8)) is None


def test_the_bits_are_the_signs_of_the_low_frequencies() -> None:
    # cos(pi * (2x + 1) * 1 / 64) over the columns times the same over the rows is the first coefficient, and nothing but it
    wave = np.cos(np.pi * (2 * np.arange(32) + 1) / 64)
    grey = np.rint(128 + 100 * np.outer(wave, wave)).astype(np.uint8)
    bits = hashed(np.repeat(grey[:, :, None], 3, axis=2))
    negative = hashed(np.repeat(255 - grey[:, :, None], 3, axis=2))
    assert bits >> 63 == 1
    assert negative >> 63 == 0


@given(HASHES, HASHES, st.integers(0, 40))
def test_near_hashes_are_those_of_a_comparison_one_by_one(a: list[int], b: list[int], at_most: int) -> None:
    found = near_hashes(np.array(a, np.uint64), np.array(b, np.uint64), at_most=at_most)
    expected = [(i, j) for i, x in enumerate(a) for j, y in enumerate(b) if hash_distance(x, y) <= at_most]
    assert [tuple(pair) for pair in found.tolist()] == expected


def test_near_hashes_counts_rows_on_over_its_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.geometry.perceptual_hash.PAIRS_AT_A_TIME", 4)
    a = np.array([0, 2**64 - 1, 1, 2**63], np.uint64)
    assert near_hashes(a, np.array([0, 7], np.uint64), at_most=1).tolist() == [[0, 0], [2, 0], [3, 0]]
