"""Trackers without weights, and trackers as models: what they are shown, from where on they answer, what they refuse."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from sightline.errors import InputError
from sightline.evaluate.predict import predict
from sightline.evaluate.run import read_predictions
from sightline.evaluate.score import score_run
from sightline.evaluate.summary import summarise
from sightline.geometry.masks import decode_mask, encode_mask
from sightline.models import NotApplicable, get_model
from sightline.models.tracking.shown import Shown, clips_of, lacks_prompt, region_of
from sightline.models.tracking.trackers import CopyFirstMask, FlowWarp, Tracker, TrackerModel, whole_tracks
from sightline.tasks.footage import Sampling
from sightline.tasks.segment import SegmentOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.types import AnswerForm, Example, MaskTrack
from tests.davis_tree import write_tree
from tests.models.tracking.moving import HEIGHT, SIDE, STEP, WIDTH, Moving, code, region


def overlap(found: np.ndarray, truth: np.ndarray) -> float:
    return float((found & truth).sum() / (found | truth).sum())


def test_the_copied_mask_stays_where_it_was_given() -> None:
    frames = Moving()
    found = dict(CopyFirstMask().follow(frames, [Shown(frame=2, object_id="a", mask=region(2))]))
    assert found == {frame: {"a": code(2)} for frame in (2, 3, 4)}
    assert frames.asked == []  # no picture is decoded for it
    back = dict(CopyFirstMask().follow(frames, [Shown(frame=2, object_id="a", mask=region(2))], both_directions=True))
    assert sorted(back) == [0, 1, 2, 3, 4]


def test_a_later_mask_replaces_the_copied_one() -> None:
    shown = [Shown(frame=0, object_id="a", mask=region(0)), Shown(frame=3, object_id="a", mask=region(3))]
    found = dict(CopyFirstMask().follow(Moving(), shown))
    assert [found[frame]["a"] for frame in range(5)] == [code(0)] * 3 + [code(3)] * 2


def test_the_flow_carries_the_mask_with_the_square_and_decodes_each_frame_once() -> None:
    frames = Moving()
    shown = [Shown(frame=0, object_id="a", mask=region(0)), Shown(frame=1, object_id="late", mask=region(1))]
    found = dict(FlowWarp().follow(frames, shown))
    assert frames.asked == [0, 1, 2, 3, 4]
    assert sorted(found[0]) == ["a"]
    last = decode_mask(found[4]["a"])
    # the copy has (SIDE - 4 * STEP) of SIDE columns in common with the last place: 12 of 28
    assert overlap(region(0), region(4)) == pytest.approx((SIDE - 4 * STEP) / (SIDE + 4 * STEP))
    assert overlap(last, region(4)) > 0.65
    assert overlap(decode_mask(found[4]["late"]), region(4)) > 0.7


def test_backwards_the_flow_reaches_the_beginning_once() -> None:
    shown = [Shown(frame=3, object_id="a", mask=region(3)), Shown(frame=1, object_id="b", mask=region(1))]
    found = list(FlowWarp().follow(Moving(), shown, both_directions=True))
    places = sorted((name, frame) for frame, masks in found for name in masks)
    assert places == [("a", frame) for frame in range(5)] + [("b", frame) for frame in range(5)]
    tracks = whole_tracks(iter(found), ["a", "b"], 5)
    assert overlap(decode_mask(tracks["a"][0] or code(0)), region(0)) > 0.8


def test_boxes_are_filled_and_points_become_a_block_cut_at_the_border() -> None:
    frames = Moving()
    assert (region_of(Shown(frame=0, object_id="a", box=(10.0, 20.0, 30.0, 40.0)), frames) == region(0)).all()
    block = region_of(Shown(frame=0, object_id="a", points=((0.0, 32.0, True), (90.0, 60.0, False))), frames)
    # a quarter of 96 x 64 around (0, 32): columns -12..12, rows 24..40
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[24:40, :12] = True
    assert (block == expected).all()


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ([], "there is no prompt"),
        ([Shown(frame=5, object_id="a", mask=region(0))], "'a' is prompted on frame 5 of a video of 5 frames"),
        ([Shown(frame=0, object_id="a", mask=np.ones((4, 6), bool))], "a mask of 6x4 pixels for frames of 96x64"),
        ([Shown(frame=0, object_id="a", points=((1.0, 1.0, False),))], "a point that is on it"),
        ([Shown(frame=0, object_id="a", mask=region(0))] * 2, "two prompts on frame 0"),
    ],
)
@pytest.mark.parametrize("tracker", [CopyFirstMask(), FlowWarp()])
def test_what_cannot_be_followed_is_refused(tracker: Tracker, shown: list[Shown], words: str) -> None:
    with pytest.raises(InputError, match=words):
        list(tracker.follow(Moving(), shown))


def test_an_empty_mask_is_no_mask_in_a_track() -> None:
    empty = encode_mask(np.zeros((HEIGHT, WIDTH), bool))
    assert whole_tracks(iter([(0, {"a": code(0)}), (1, {"a": empty})]), ["a"], 3) == {"a": (code(0), None, None)}


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TaskSet]:
    """Two objects over six frames; the second leaves after the fourth."""
    folder = tmp_path_factory.mktemp("segment")
    root = write_tree(folder / "davis")
    built = {}
    for given_by in ("mask", "box", "point"):
        options = SegmentOptions(given_by=given_by, sampling=Sampling(policy="all"))
        request = BuildRequest(reader="davis", root=str(root), splits=("train",), tasks=("segment",), options=options)
        build(request, folder / given_by, workers=1)
        built[given_by] = TaskSet(folder / given_by / "segment-train")
    return built


@pytest.mark.parametrize("name", ["copy-first-mask", "flow-warp"])
def test_a_run_on_a_segment_task_set_has_j_f_recall_and_decay(tasks: dict[str, TaskSet], tmp_path: Path, name: str) -> None:
    predict(tasks["mask"], get_model(name), tmp_path / "run")
    score_run(tmp_path / "run")
    summary = summarise(tmp_path / "run")
    assert summary.num_examples == 2
    assert {"jf", "j", "f", "j_recall", "f_recall", "j_decay", "f_decay"} <= set(summary.metrics)
    metric = summary.metrics["j"].value
    assert metric is not None
    if name == "copy-first-mask":
        # object 1 moves 2 of its 10 columns a frame: (10 - 2k) / (10 + 2k) in frames 1 to 5, 0 in the last; object 2 stays for
        # three of the five frames that count and is then gone
        moved = [(10 - 2 * k) / (10 + 2 * k) for k in range(1, 6)]
        assert metric == pytest.approx((sum(moved) / 5 + 3 / 5) / 2)
        # above a half: 8/12 of the first alone, three frames of the second; quarters of 5 frames are two frames each
        assert summary.metrics["j_recall"].value == pytest.approx((1 / 5 + 3 / 5) / 2)
        assert summary.metrics["j_decay"].value == pytest.approx(((moved[0] + moved[1] - moved[3] - moved[4]) / 2 + 1) / 2)


def test_a_box_prompt_gives_its_filled_box_and_a_point_prompt_never_the_mask(tasks: dict[str, TaskSet], tmp_path: Path) -> None:
    areas = {}
    for given_by, taskset in tasks.items():
        predict(taskset, get_model("copy-first-mask"), tmp_path / given_by)
        first = next(iter(read_predictions(tmp_path / given_by)))
        assert isinstance(first.reading.answer, MaskTrack)
        frame = first.reading.answer.frames[0]
        assert frame is not None
        areas[given_by] = int(decode_mask(frame).sum())
    # the square is 10 x 10 and its own box; a quarter of 48 x 32 is 12 x 8, where the point is not near the border
    assert (areas["mask"], areas["box"]) == (100, 100)
    assert areas["point"] <= 96


def test_questions_about_one_clip_are_answered_together(tasks: dict[str, TaskSet]) -> None:
    questions = [example.question for example in tasks["mask"]]
    assert [len(some) for some in clips_of(questions, 8)] == [2]
    assert [len(some) for some in clips_of(questions, 1)] == [1, 1]
    model = TrackerModel(CopyFirstMask())
    together = model.answer(questions, tasks["mask"])
    assert together == [model.answer([question], tasks["mask"])[0] for question in questions]


class Unshown(TaskSet):
    """The same questions, with nothing that shows an object."""

    def __iter__(self) -> Iterator[Example]:
        for example in super().__iter__():
            yield msgspec.structs.replace(example, question=msgspec.structs.replace(example.question, reference=None))


def test_a_task_set_without_prompts_is_not_for_trackers(tasks: dict[str, TaskSet]) -> None:
    model = TrackerModel(CopyFirstMask())
    model.check(tasks["mask"])
    bare = Unshown(tasks["mask"].path)
    with pytest.raises(NotApplicable, match="nothing shows the object"):
        model.check(bare)
    with pytest.raises(InputError, match=r"example 'segment/.*nothing shows the object"):
        model.answer([next(iter(bare)).question], bare)
    point = AnswerForm(shape="point", image_index=0)
    asked = msgspec.structs.replace(tasks["mask"][0].question, prompt=(point,))
    assert lacks_prompt(asked) == "it follows masks through a clip, and a point is asked for"
