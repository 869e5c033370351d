import cv2
import msgspec
import numpy as np
import pytest

from sightline.media import encode_png, pixel_digest
from sightline.models import get_model
from sightline.models.baselines.features import KEPT_PICTURES, Features, carry, changed_region, follow, same_brightness
from sightline.models.baselines.keypoints import Matches, find_keypoints, match_keypoints
from sightline.types import ImageRef, NotVisible, Points
from tests.models.baselines.test_keypoints import HOMOGRAPHY, texture, warp

SHAPE = (240, 320)


def square(x0: int, y0: int, size: int) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[y0 : y0 + size, x0 : x0 + size] = True
    return mask


def matched(a: np.ndarray, b: np.ndarray) -> Matches:
    return match_keypoints(find_keypoints(a), find_keypoints(b))


def test_an_object_in_a_moved_picture_is_found_where_the_motion_carries_it():
    a, mask = texture(0), square(100, 80, 60)
    pixel = follow(mask, matched(a, warp(a, HOMOGRAPHY)), shape=SHAPE)
    assert pixel is not None
    carried = warp(mask.astype(np.uint8), HOMOGRAPHY) > 0
    assert carried[pixel]
    depth = cv2.distanceTransform(carried.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert depth[pixel] > 0.6 * depth.max()  # well inside


def test_an_object_that_moved_otherwise_than_the_rest_is_followed_by_its_own_matches():
    # Along the x axis everything moves by 30 pixels, the square by 60: epipolar lines are rows, and no homography moves both.
    rng = np.random.default_rng(5)
    far = np.stack([rng.uniform(0, 300, 80), rng.uniform(0, 240, 80)], axis=1)
    near = np.stack([rng.uniform(102, 138, 12), rng.uniform(102, 138, 12)], axis=1)
    a = np.vstack([far[~((abs(far - 120) <= 20).all(axis=1))], near])
    b = a + np.array([30, 0])
    b[-12:, 0] += 30
    pixel = follow(square(100, 100, 40), Matches(a.astype(np.float32), b.astype(np.float32)), shape=SHAPE)
    assert pixel is not None
    assert square(160, 100, 40)[pixel]


def test_the_place_of_an_object_that_was_taken_away_is_not_answered():
    a, mask = texture(0), square(100, 80, 60)
    removed = a.copy()
    removed[mask] = texture(9)[mask]
    assert follow(mask, matched(a, warp(removed, HOMOGRAPHY)), shape=SHAPE) is None


def test_unrelated_and_textureless_pictures_are_not_visible():
    mask, flat = square(100, 80, 60), np.full((*SHAPE, 3), 90, np.uint8)
    for a, b in ((texture(0), texture(1)), (texture(0), flat), (flat, texture(0)), (flat, flat)):
        assert follow(mask, matched(a, b), shape=SHAPE) is None


def test_two_matches_on_the_object_are_too_few():
    rng = np.random.default_rng(2)
    a = np.vstack([rng.uniform(150, 300, (40, 2)), [[25, 25], [35, 35], [28, 34]]]).astype(np.float32)
    both = Matches(a, a + np.array([5, 0], dtype=np.float32))
    assert follow(square(20, 20, 20), both, shape=SHAPE) is not None  # 3 of them
    assert follow(square(20, 20, 20), Matches(both.a[:-1], both.b[:-1]), shape=SHAPE) is None


def test_the_answer_lies_between_the_matches_where_only_a_part_of_the_object_is_seen():
    # The mask is 100 x 100; matches are only in its upper left quarter, as if the rest were hidden. Everything moves by (10, 0).
    rng = np.random.default_rng(4)
    a = np.vstack([rng.uniform(150, 300, (40, 2)), [[22, 22], [60, 24], [24, 60], [58, 56]]]).astype(np.float32)
    pixel = follow(square(20, 20, 100), Matches(a, a + np.array([10, 0], dtype=np.float32)), shape=SHAPE)
    assert pixel is not None
    row, column = pixel
    assert 22 <= row <= 60
    assert 32 <= column <= 70  # the middle of the carried mask is (70, 80)


def test_a_mask_is_carried_in_continuous_pixels():
    mask = np.zeros((4, 6), dtype=bool)
    mask[1, 2] = True
    doubled = carry(mask, np.diag([2.0, 2.0, 1.0]), (8, 12))  # [2, 3) x [1, 2) becomes [4, 6) x [2, 4)
    assert np.argwhere(doubled).tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]]


@pytest.mark.parametrize("gain", [1.0, 0.8])
@pytest.mark.parametrize("motion", [np.eye(3), np.array([[1, 0, 9.3], [0, 1, -6.6], [0, 0, 1.0]]), np.diag([1.06, 1.06, 1.0])])
def test_a_change_is_found_under_shift_scale_and_exposure(motion, gain):
    before, mask = texture(0), square(200, 60, 30)
    after = before.copy()
    after[mask] = 0
    after = np.rint(warp(after, motion) * gain).astype(np.uint8)
    matches = matched(before, after)
    exact = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    region = changed_region(before, after, exact @ motion @ np.linalg.inv(exact))
    assert region is not None
    assert len(matches) > 0
    carried = warp(mask.astype(np.uint8), motion) > 0
    assert (region & carried).sum() / (region | carried).sum() > 0.8


def test_a_picture_that_only_moved_has_no_change():
    motion = np.array([[1, 0, 9.3], [0, 1, -6.6], [0, 0, 1.0]])
    assert changed_region(texture(0), warp(texture(0), motion), motion) is None
    assert changed_region(texture(0), texture(0), None) is None


def test_brightness_is_fitted_to_what_did_not_change():
    before = np.tile(np.arange(40, 200, dtype=np.uint8), (20, 1))[:, :, None].repeat(3, axis=2)
    after = np.rint(before * 0.5 + 20).astype(np.uint8)
    after[:, :40] = 255  # a quarter of the picture has changed
    expected = before * 0.5 + 20
    assert np.abs(same_brightness(before, after).astype(float) - expected).max() <= 1
    flat = np.full((4, 4, 3), 50, np.uint8)
    assert (same_brightness(flat, flat + 30) == 80).all()


@pytest.mark.parametrize("task", ["t1_multi", "t1_concat", "t2a", "t2b"])
def test_answers_to_real_questions_are_points_in_the_asked_view_or_not_visible_and_always_the_same(rooms, task):
    questions = [example.question for example in rooms[task]][:12]
    answers = get_model("features").answer(questions, rooms[task])
    assert answers == get_model("features").answer(questions, rooms[task])
    for question, answer in zip(questions, answers, strict=True):
        if isinstance(answer, Points):
            panel = question.panels[1]
            ((x, y),) = answer.points
            assert 0 < x - panel.x < panel.source.width
            assert 0 < y - panel.y < panel.source.height
        else:
            assert answer == NotVisible()


def test_a_reference_view_shown_again_is_answered_on_its_object(rooms):
    hits = 0
    for example in list(rooms["t1_multi"])[:8]:
        question = example.question
        shown, asked = question.panels
        again = msgspec.structs.replace(question, panels=(shown, msgspec.structs.replace(asked, source=shown.source)))
        answer = Features()(again, rooms["t1_multi"])
        if isinstance(answer, Points):
            hits += 1
            ((x, y),) = answer.points
            assert rooms["t1_multi"].read_mask(question.reference.mask)[int(y), int(x)]
    assert hits > 0


def test_keypoints_are_kept_of_the_last_pictures_only(rooms, tmp_path):
    model = Features()
    taskset = type(rooms["t1_multi"])(rooms["t1_multi"].path, roots={"data": tmp_path})
    digests = []
    for index in range(KEPT_PICTURES + 5):
        picture = np.full((8, 8, 3), index, np.uint8)
        (tmp_path / f"{index}.png").write_bytes(encode_png(picture))
        ref = ImageRef(root="data", path=f"{index}.png", width=8, height=8, digest=pixel_digest(picture))
        model._keypoints(ref, taskset)
        digests.append(ref.digest)
    assert list(model._kept) == digests[-KEPT_PICTURES:]
