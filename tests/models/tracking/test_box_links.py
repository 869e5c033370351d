"""Which boxes of different frames are one object."""

from hypothesis import given
from hypothesis import strategies as st

from sightline.geometry.boxes import Box
from sightline.models.tracking.box_links import link_boxes


def at(x: float, y: float = 0.0) -> Box:
    return (float(x), float(y), float(x + 10), float(y + 10))


def test_the_boxes_that_overlap_most_are_one_object_whatever_their_order() -> None:
    # 0 and 2 share 8 of 12 columns, 100 and 96 share 6 of 14; the order is turned round in the second frame
    assert link_boxes({0: [at(0), at(100)], 3: [at(96), at(2)]}) == ({0: at(0), 3: at(2)}, {0: at(100), 3: at(96)})


def test_where_nothing_overlaps_the_nearest_centres_are_one_object() -> None:
    assert link_boxes({0: [at(0), at(100)], 1: [at(80), at(30)]}) == ({0: at(0), 1: at(30)}, {0: at(100), 1: at(80)})


def test_an_overlap_counts_before_any_distance() -> None:
    # the large box overlaps the first object (IoU 100 / 2500) although its centre is nearer to the second
    large = (0.0, 0.0, 50.0, 50.0)
    assert link_boxes({0: [at(0), at(30, 52)], 1: [large]}) == ({0: at(0), 1: large}, {0: at(30, 52)})


def test_an_object_is_looked_for_where_it_was_seen_last_and_a_surplus_box_begins_a_new_one() -> None:
    linked = link_boxes({0: [at(0)], 4: [at(40)], 2: [at(20)], 5: [at(41), at(0)]})
    assert linked == ({0: at(0), 2: at(20), 4: at(40), 5: at(41)}, {5: at(0)})


def test_without_boxes_there_are_no_objects() -> None:
    assert link_boxes({}) == ()
    assert link_boxes({0: []}) == ()


places = st.lists(st.integers(0, 50).map(at), max_size=4)


@given(st.dictionaries(st.integers(0, 9), places, max_size=5))
def test_every_box_belongs_to_one_object_and_there_are_as_many_as_the_fullest_frame_has(frames: dict[int, list[Box]]) -> None:
    linked = link_boxes(frames)
    assert len(linked) == max(map(len, frames.values()), default=0)
    for frame, boxes in frames.items():
        assert sorted(one[frame] for one in linked if frame in one) == sorted(boxes)
