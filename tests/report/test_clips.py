"""What the report holds of clips and of the rules behind relations."""

import msgspec
import pytest

from sightline.report.clips import MOST_FRAMES, clip_detail, hidden_images, overlaps_of, shown_frames, track_detail, worst_frame
from sightline.report.evidence import evidence_detail
from sightline.taskset.store import TaskSet
from sightline.types import MaskTrack, Prediction
from tests.report.clip_world import LONG, LOST, ClipWorld, make_clip_world, place, reading, region, track


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> ClipWorld:
    return make_clip_world(tmp_path_factory.mktemp("clips"))


def example(clips, task, position=0):
    return TaskSet(clips.root / task)[position]


def test_the_worst_frame_is_the_first_with_the_least_overlap_that_is_known():
    assert worst_frame([None, 0.5, 0.2, 0.2, None]) == 2
    assert worst_frame([None]) is None
    assert worst_frame(None) is None


def test_of_a_long_clip_some_frames_are_shown_evenly_and_the_worst_of_each_run(clips):
    long = example(clips, "refer_mask_track")
    even = shown_frames(long, [None])
    assert (len(even), even[0], even[-1]) == (MOST_FRAMES, 0, LONG - 1)
    assert LOST not in even
    answer = MaskTrack(frames=tuple(None if frame == LOST else region(frame) for frame in range(LONG)))
    overlaps = overlaps_of(long, Prediction(id=long.id, reading=reading(answer)))
    shown = shown_frames(long, [overlaps, None])
    assert set(shown) == {*even, LOST}
    assert len(hidden_images(long, shown)) == LONG - MOST_FRAMES - 1


def test_a_report_writes_each_shown_picture_once(clips):
    written = list((clips.report.parent / "assets").glob("*.webp"))
    long = MOST_FRAMES + 1  # and the worst frame
    assert len(written) == 6 + 3 + long + 5 + 2  # of the other sets every picture


def test_frames_carry_what_is_true_and_what_was_answered(clips):
    short = example(clips, "refer_track")
    answer = track(0, 1, 0, None, None, 5)
    overlaps = overlaps_of(short, Prediction(id=short.id, reading=reading(answer)))
    # in frame 2 the box is 2 pixels late: 14 of 18 columns; frame 3 is rightly empty, frame 4 is missed, frame 5 is not known
    assert overlaps == [1.0, 1.0, pytest.approx(14 / 18), 1.0, 0.0, None]
    detail = clip_detail(short, range(6))
    assert detail is not None
    assert [frame["scored"] for frame in detail["frames"]] == [True] * 5 + [False]
    assert [frame["boxes"] for frame in detail["frames"]][2:4] == [(place(2),), ()]
    told = track_detail(reading(answer), overlaps, (0, 4))
    assert (told["worst"], [frame["boxes"] for frame in told["frames"]]) == (4, [(place(0),), ()])


def test_a_question_about_pictures_has_no_clip(clips):
    pair = example(clips, "relation_choice")
    assert (clip_detail(pair, ()), shown_frames(pair, ()), hidden_images(pair, ())) == (None, (), frozenset())


def test_evidence_names_both_objects_where_it_decided_and_the_rule_first(clips):
    found = evidence_detail(example(clips, "relation_choice"))
    assert [(each["image"], each["box"]) for each in found["boxes"]] == [
        (1, (4.0, 10.0, 20.0, 22.0)),
        (1, (40.0, 10.0, 56.0, 22.0)),
    ]
    assert found["boxes"][0]["words"] == "a: object A"
    assert found["facts"][:3] == [("rule", "left_of"), ("margin", "0.125"), ("least margin", "0.02")]


def test_evidence_of_another_form_is_shown_as_it_stands(clips):
    pair = example(clips, "relation_choice")
    changed = msgspec.structs.replace(pair, evidence={"boxes": "not <JSON>", "frame_id": "00004"})
    assert evidence_detail(changed) == {"facts": [("boxes", "not <JSON>"), ("deciding frame", "00004")], "boxes": []}
