"""J and F against the official scorer's numbers, the plain definition and small cases worked by hand."""

import itertools
import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import InputError
from sightline.evaluate.video.bit_kernels import compiled
from sightline.evaluate.video.definition import boundary_map, boundary_radius, plain_boundary_f, plain_region
from sightline.evaluate.video.packed import PackedMask, pack_labels, pack_mask, pack_rle, pack_track
from sightline.evaluate.video.region_boundary import boundary_f, region, score_frames
from sightline.geometry.masks import decode_mask, encode_mask
from sightline.types import MaskRle

OFFICIAL = json.loads((Path(__file__).parent / "official_davis.json").read_text())


def unpacked(rows: np.ndarray, width: int) -> np.ndarray:
    return np.unpackbits(rows.view(np.uint8), axis=1, bitorder="little")[:, :width].astype(bool)


@pytest.mark.parametrize("case", OFFICIAL["frames"], ids=lambda case: case["name"])
def test_every_value_is_the_official_one_to_the_last_bit(case):
    masks = [MaskRle(height=case["height"], width=case["width"], counts=case[side]) for side in ("truth", "predicted")]
    truth, predicted = (decode_mask(rle) for rle in masks)
    assert (plain_region(truth, predicted), plain_boundary_f(truth, predicted)) == (case["j"], case["f"])
    for packed in (list(map(pack_rle, masks)), [pack_mask(truth), pack_mask(predicted)]):
        assert (region(*packed), boundary_f(*packed)) == (case["j"], case["f"])


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two masks of one size: blobs, noise or a shifted copy, on sizes around the borders of words."""
    height = draw(st.integers(1, 40))
    width = draw(st.sampled_from([1, 2, 31, 63, 64, 65, 100, 127, 128, 129, 191, 200]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def mask() -> np.ndarray:
        noise = cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), draw(st.sampled_from([0.3, 1.5, 4.0])))
        return np.asarray(noise > draw(st.sampled_from([-9.0, -0.2, 0.0, 0.3, 1.0, 9.0])))

    truth = mask()
    return truth, draw(st.sampled_from([np.roll(truth, draw(st.integers(-3, 3)), draw(st.integers(0, 1))), mask()]))


@given(pair=pairs(), radius=st.sampled_from([None, 1, 2, 7, 30, 70, 140]))
@settings(max_examples=150, deadline=None)
def test_packed_masks_score_as_the_definition(pair, radius):
    truth, predicted = map(pack_mask, pair)
    assert region(truth, predicted) == plain_region(*pair)
    assert boundary_f(truth, predicted, radius=radius) == plain_boundary_f(*pair, radius=radius)


@given(pair=pairs())
@settings(max_examples=60, deadline=None)
def test_packing_keeps_every_pixel_whatever_it_starts_from(pair):
    first, second = pair[0], pair[1] & ~pair[0]
    labels = np.where(first, np.uint8(3), np.where(second, np.uint8(255), np.uint8(0)))
    by_label = pack_labels(labels, (255, 7, 3))
    for mask, packed in ((first, by_label[2]), (second, by_label[0]), (np.zeros_like(first), by_label[1])):
        for other in (packed, pack_mask(mask), pack_rle(encode_mask(mask))):
            assert np.array_equal(unpacked(other.rows, other.width), mask)
            assert np.array_equal(unpacked(other.boundary, other.width), boundary_map(mask))
            assert (other.area, other.boundary_area) == (mask.sum(), boundary_map(mask).sum())


def test_the_background_can_be_asked_for_like_an_object():
    labels = np.zeros((2, 70), np.uint8)
    labels[0, 3] = 9
    assert pack_labels(labels, (0,))[0].area == 139


def test_void_pixels_count_for_neither_mask():
    truth, predicted, void = (np.zeros((6, 6), bool) for _ in range(3))
    truth[1:5, 1:3] = True  # 8 pixels
    predicted[1:5, 1:5] = True  # 16, of which the void hides 4
    void[:, 4] = True
    packed = pack_mask(truth, void=void), pack_mask(predicted, void=void)
    assert region(*packed) == 8 / 12


def test_boundary_pixels_one_further_away_than_the_radius_do_not_match():
    truth, predicted = np.zeros((40, 200), bool), np.zeros((40, 200), bool)
    truth[:, :50] = True  # boundary: column 49
    for gap, expected in ((7, 1.0), (8, 0.0)):
        predicted[:] = False
        predicted[:, : 50 + gap] = True
        assert boundary_f(pack_mask(truth), pack_mask(predicted), radius=7) == expected


@pytest.mark.parametrize(("height", "width", "radius"), [(480, 854, 8), (1080, 1920, 18), (2160, 3840, 36), (1, 1, 1)])
def test_the_radius_is_that_of_the_picture(height, width, radius):
    assert boundary_radius(height, width) == radius == math.ceil(0.008 * math.hypot(height, width))


def test_masks_of_two_sizes_are_refused_with_both_sizes():
    wide, narrow = pack_mask(np.ones((4, 130), bool)), pack_mask(np.ones((4, 60), bool))
    for score in (region, boundary_f):
        with pytest.raises(InputError, match="60 x 4 pixels for a true one of 130 x 4"):
            score(wide, narrow)


def test_the_scores_of_frames_stand_in_their_order_and_none_is_an_empty_mask():
    mask = np.zeros((10, 12), bool)
    mask[2:6, 3:9] = True
    track = pack_track([encode_mask(mask), None, None], 10, 12)
    scores = score_frames(track, [track[0], track[0], track[1]])
    assert scores.region.tolist() == [1.0, 0.0, 1.0]
    assert scores.boundary.tolist() == [1.0, 0.0, 1.0]
    assert len(scores) == 3


def test_a_track_with_a_mask_of_another_size_names_the_frame():
    good, bad = encode_mask(np.ones((10, 12), bool)), encode_mask(np.ones((12, 10), bool))
    with pytest.raises(InputError, match="expression 7, frame 1: a mask of 10 x 12 pixels; the clip has 12 x 10"):
        pack_track([good, bad], 10, 12, what="expression 7")


@pytest.mark.parametrize("rle", [MaskRle(height=10**8, width=10**8, counts="0"), MaskRle(height=4, width=4, counts="3")])
def test_a_broken_code_is_refused_before_anything_of_its_size_is_made(rle):
    with pytest.raises(InputError, match="mask code of"):
        pack_rle(rle)


def test_tracks_of_two_lengths_are_never_scored_as_far_as_they_go():
    empty: PackedMask = pack_mask(np.zeros((3, 3), bool))
    with pytest.raises(ValueError, match="shorter"):
        score_frames([empty, empty], [empty])


def test_the_compiler_is_imported_only_when_a_mask_is_packed():
    names = ("region_boundary", "packed", "clip_statistics", "revos", "tubes")
    imports = "; ".join(f"import sightline.evaluate.video.{name}" for name in names)
    code = f"{imports}; import sightline.evaluate.referring_masks, sys; print('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_function_that_can_be_kept_nowhere_is_compiled_all_the_same():
    place: dict[str, Any] = {}
    exec("def twice(number):\n    return 2 * number", place)  # noqa: S102 - numba finds no file to keep it beside
    assert compiled(place["twice"])(21) == 42


def test_threads_score_side_by_side():
    rng = np.random.default_rng(0)
    masks = [pack_mask(rng.random((60, 150)) < 0.3) for _ in range(24)]
    pairs = list(itertools.pairwise(masks))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pair: boundary_f(*pair), pairs))
    assert found == [boundary_f(*pair) for pair in pairs]
