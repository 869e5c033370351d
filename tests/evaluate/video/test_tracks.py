from hypothesis import given
from hypothesis import strategies as st

from sightline.evaluate.video.tracks import score_box_sets
from sightline.evaluate.video.tubes import Tube, score_tube

NUM_FRAMES = 6
SIDES = st.integers(0, 6).map(float)
BOXES = st.tuples(SIDES, SIDES, SIDES, SIDES).map(lambda b: (b[0], b[1], b[0] + b[2] + 1, b[1] + b[3] + 1))


@st.composite
def tubes(draw):
    """A tube in one piece over some of the frames, and the same as boxes frame by frame."""
    start, end = sorted(draw(st.tuples(st.integers(0, NUM_FRAMES), st.integers(0, NUM_FRAMES))))
    boxes = {frame: draw(BOXES) for frame in range(start, end)}
    return Tube((start, end) if start < end else None, boxes), [(boxes[f],) if f in boxes else () for f in range(NUM_FRAMES)]


@given(tubes(), tubes())
def test_tracks_in_one_piece_score_as_vidstg_scores_tubes(truth, predicted):
    expected = score_tube(truth[0], predicted[0], sampled=range(NUM_FRAMES))
    found = score_box_sets(truth[1], predicted[1])
    assert (found.tiou, found.gt_viou) == (expected.tiou, expected.gt_viou)
    assert abs(found.viou - expected.viou) < 1e-12


def test_an_object_may_come_and_go():
    box, other = (0.0, 0.0, 2.0, 2.0), (0.0, 0.0, 2.0, 1.0)
    found = score_box_sets([(box,), (), (box,)], [(box,), (box,), (other,)])
    # boxes on both sides in frames 0 and 2, on either in all three: tIoU 2/3, vIoU (1 + 0.5) / 3; true frames (1 + 0.5) / 2
    assert (found.tiou, found.viou, found.gt_viou, found.frame_iou) == (2 / 3, 0.5, 0.75, 0.5)
