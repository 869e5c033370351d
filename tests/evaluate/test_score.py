import msgspec
import pytest

from sightline.dialects import Size, get_dialect
from sightline.errors import InputError
from sightline.evaluate.predict import read_geometry
from sightline.evaluate.score import score_example
from sightline.types import Boxes, NotVisible, Points, Prediction, Reading


def point(x, y, image_index=1):
    return Points(points=((x, y),), image_index=image_index)


@pytest.fixture
def score(make_example, masks):
    """`score(task, answer or reading, visible=)`: the score of one answer."""

    def run(task, answer, **kwargs):
        example = make_example(task, **kwargs)
        reading = answer if isinstance(answer, Reading) else read_geometry(answer, example.question)
        return score_example(example, Prediction(id=example.id, reading=reading), masks)

    return run


def test_a_point_on_the_mask_is_a_hit_and_its_distances_are_in_view_pixels_picture_shares_and_object_sizes(score):
    found = score("t1_multi", point(43.0, 24.0))  # the true point is (40, 20): dx 3, dy 4
    assert (found.status, found.visible, found.said_visible, found.hit, found.hit_dilated) == ("ok", True, True, True, True)
    assert found.correct
    assert found.l2_px == pytest.approx(5.0)  # hypot(3, 4)
    assert found.l2_norm == pytest.approx(0.08544003745)  # hypot(3 / 100, 4 / 50) = hypot(.03, .08) = sqrt(.0073)
    assert found.l2_over_size == pytest.approx(0.25)  # 5 / sqrt(20 * 20)


@pytest.mark.parametrize(
    ("x", "y", "hit", "dilated"),
    [
        (30.0, 10.0, True, True),  # the first pixel of the mask, at its corner
        (29.99, 10.0, False, True),
        (49.99, 29.99, True, True),
        (50.0, 29.0, False, True),  # ends are exclusive
        (25.0, 5.0, False, True),
        (24.99, 5.0, False, False),
    ],
)
def test_a_hit_is_decided_by_the_pixel_the_point_lies_in(score, x, y, hit, dilated):
    found = score("t1_multi", point(x, y))
    assert (found.hit, found.hit_dilated, found.correct) == (hit, dilated, hit)


def test_not_visible_on_a_visible_object_is_wrong_in_every_column(score):
    for task in ("t1_multi", "t1_concat", "t2a", "t2b"):
        found = score(task, NotVisible())
        assert (found.correct, found.said_visible, found.hit, found.hit_dilated, found.l2_px) == (False, False, False, False, None)


def test_not_visible_on_an_absent_object_is_right_and_has_no_hit(score):
    for task in ("t1_multi", "t1_concat", "t2a"):
        found = score(task, NotVisible(), visible=False)
        assert (found.correct, found.said_visible, found.hit, found.hit_dilated, found.l2_norm) == (True, False, None, None, None)


def test_a_point_for_an_absent_object_is_wrong_and_has_no_distance(score):
    found = score("t1_multi", point(40.0, 20.0), visible=False)
    assert (found.correct, found.said_visible, found.hit, found.l2_px) == (False, True, None, None)


def test_task_2a_asks_only_whether_the_object_is_visible(score):
    found = score("t2a", point(1.0, 1.0))
    assert (found.correct, found.hit) == (True, False)


@pytest.mark.parametrize(
    ("x", "y", "hit", "wrong_panel"),
    [
        (100.0, 20.0, True, False),  # 100 - 60 = 40: the true point
        (40.0, 20.0, False, True),  # the same place in the left half
        (59.99, 20.0, False, True),  # just left of the seam
        (60.0, 20.0, False, False),  # the seam belongs to the right half: its column 0
        (100.0, 55.0, False, False),  # the black strip below the query, whose height is 50: on no view
        (160.0, 20.0, False, False),  # the picture's right border: the query's last column
    ],
)
def test_a_concat_answer_counts_in_the_right_half_only(score, x, y, hit, wrong_panel):
    found = score("t1_concat", point(x, y, image_index=0))
    assert (found.hit, found.correct, found.wrong_panel) == (hit, hit, wrong_panel)
    assert (found.l2_px is None) == (wrong_panel or y > 50)


def test_concat_distances_are_those_of_the_view(score):
    found = score("t1_concat", point(103.0, 24.0, image_index=0))
    assert (found.l2_px, found.l2_norm) == (pytest.approx(5.0), pytest.approx(0.08544003745))  # as in the multi task above


def test_a_point_in_the_other_picture_is_a_miss_in_the_wrong_panel(score):
    found = score("t1_multi", point(40.0, 20.0, image_index=0))
    assert (found.hit, found.wrong_panel, found.said_visible, found.l2_px) == (False, True, True, None)


def test_a_point_out_of_range_is_a_miss_that_claims_visibility_and_is_never_clamped(score):
    found = score("t1_multi", point(40.0, -0.01))
    assert (found.status, found.hit, found.correct, found.said_visible, found.l2_px) == ("out_of_range", False, False, True, None)
    assert score("t2a", point(40.0, -0.01), visible=False).correct is False


def test_the_first_point_decides(score):
    assert score("t1_multi", Points(points=((40.0, 20.0), (1.0, 1.0)), image_index=1)).hit is True
    assert score("t1_multi", Points(points=((1.0, 1.0), (40.0, 20.0)), image_index=1)).hit is False


def test_a_box_where_a_point_is_asked_stands_for_its_centre(score):
    box = (30.0, 10.0, 56.0, 38.0)  # centre (43, 24)
    found = score("t1_multi", Boxes(boxes=(box,), image_index=1))
    assert (found.hit, found.l2_px) == (True, pytest.approx(5.0))


@pytest.mark.parametrize("status", ["ambiguous", "unreadable", "empty", "error"])
@pytest.mark.parametrize("visible", [True, False])
def test_an_answer_that_claims_neither_is_wrong_on_both_sides(score, status, visible):
    for task in ("t1_multi", "t2a"):
        found = score(task, Reading(status=status), visible=visible)
        assert (found.status, found.correct, found.said_visible) == (status, False, None)
        assert found.hit == (False if visible else None)


def test_a_truncated_answer_is_scored_by_its_first_complete_point(score):
    found = score("t1_multi", Reading(status="truncated", answer=point(40.0, 20.0), num_found=1))
    assert (found.status, found.hit, found.correct, found.said_visible) == ("truncated", True, True, True)
    nothing = score("t1_multi", Reading(status="truncated"))
    assert (nothing.correct, nothing.said_visible) == (False, None)


def test_without_a_dilated_mask_the_dilated_hit_does_not_apply(make_example, masks):
    example = make_example("t1_multi")
    example = msgspec.structs.replace(example, truth=msgspec.structs.replace(example.truth, mask_dilated=None))
    found = score_example(example, Prediction(id=example.id, reading=Reading(status="not_visible", answer=NotVisible())), masks)
    assert (found.hit, found.hit_dilated) == (False, None)


@pytest.mark.parametrize(
    ("text", "status", "correct_if_visible", "correct_if_absent"),
    [
        ("[(0.4, 0.4)]", "ok", True, False),  # (40, 20) of 100 x 50
        ("NOT_VISIBLE", "not_visible", False, True),
        ("[(0.4, 0.4)] or NOT_VISIBLE", "ambiguous", False, False),
        ("I cannot say", "unreadable", False, False),
        ("[(40, 20)]", "out_of_range", False, False),  # pixels where shares are asked: never rescaled
        ("[(0.3, 0.2, 0.5, 0.6)]", "ok", True, False),  # a box: its centre (.4, .4)
    ],
)
def test_texts_are_scored_through_their_dialect(make_example, masks, text, status, correct_if_visible, correct_if_absent):
    dialect = get_dialect("roborefer")
    for visible, correct in ((True, correct_if_visible), (False, correct_if_absent)):
        example = make_example("t1_multi", visible=visible)
        reading = dialect.decode(text, example.question.form, [Size.of(image) for image in example.question.images])
        found = score_example(example, Prediction(id=example.id, reading=reading, text=text), masks)
        assert (found.status, found.correct) == (status, correct)


def test_a_task_without_a_rule_is_refused_by_name(score):
    with pytest.raises(InputError, match="'t9'"):
        score("t9", NotVisible())
