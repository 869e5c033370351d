"""Boxes of a run as prompts of a tracker: which boxes reach which frames, what answers without boxes become, what is refused."""

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from sightline.errors import InputError
from sightline.evaluate.choosing import choose
from sightline.evaluate.predict import predict
from sightline.evaluate.run import describe_run, open_run, read_predictions
from sightline.evaluate.score import score_run
from sightline.evaluate.suite import Suite
from sightline.evaluate.summary import summarise
from sightline.geometry.masks import rle_area, rle_box, union_masks
from sightline.models import ModelOptions, NotApplicable, get_model
from sightline.tasks.refer import ReferOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.types import Boxes, BoxTrack, Example, MaskAnswer, MaskRle, MaskTrack, NotVisible, Prediction, Reading, Status
from tests.datasets.referring.refer_trees import write_refcoco
from tests.evaluate.box_world import CLIP, MOVING, NUM_FRAMES, STILL, make_sets, square

NO_OPTIONS = ModelOptions()
KEYS = (0, 2, 5)  # three even ones of six


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TaskSet]:
    return make_sets(tmp_path_factory.mktemp("boxes"))


def write_run(folder: Path, taskset: TaskSet, readings: Sequence[Reading], *, texts: Sequence[str] = ()) -> Path:
    """A run of the first so many examples."""
    open_run(folder, describe_run(taskset, get_model("center")))
    texts = texts or ["?"] * len(readings)
    made = [Prediction(id=name, reading=one, text=text) for name, one, text in zip(taskset.ids, readings, texts, strict=False)]
    (folder / "predictions.jsonl").write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in made))
    return folder


def truth_of(example: Example) -> Reading:
    return Reading(status="ok", answer=example.truth.answer, num_found=1)


def masks_of(taskset: TaskSet, out: Path, spec: str) -> list[Prediction]:
    predict(taskset, choose(spec, NO_OPTIONS).answering(taskset), out)
    return list(read_predictions(out))


def frames_of(prediction: Prediction) -> Sequence[MaskRle | None]:
    assert isinstance(prediction.reading.answer, MaskTrack)
    return prediction.reading.answer.frames


def test_the_key_frames_are_those_of_the_boxes(sets: dict[str, TaskSet]) -> None:
    example = sets["refer_track"][0]
    assert [image.path[-9:-4] for image in example.question.images] == [f"{key:05d}" for key in KEYS]
    assert len(sets["refer_mask_track"][0].question.images) == NUM_FRAMES


def test_answered_boxes_prompt_all_their_frames_in_one_pass(sets: dict[str, TaskSet], tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", sets["refer_track"], [truth_of(example) for example in sets["refer_track"]])
    moving, still, both = (
        frames_of(one) for one in masks_of(sets["refer_mask_track"], tmp_path / "m", f"boxes:{run}#copy-first-mask")
    )
    # the copy keeps the latest box: those of frames 0, 2 and 5, and of the still object 0 and 2
    assert list(moving) == [square(MOVING[key]) for key in (0, 0, 2, 2, 2, 5)]
    assert list(still) == [square(STILL[0] or MOVING[0])] * NUM_FRAMES
    assert list(both) == [union_masks([first, second]) for first, second in zip(moving, still, strict=True) if first and second]


def test_the_boxes_of_answered_masks_prompt_as_well(sets: dict[str, TaskSet], tmp_path: Path) -> None:
    asked = sets["refer_mask_track"]
    run = write_run(tmp_path / "run", asked, [truth_of(example) for example in asked])
    moving, _, _ = (frames_of(one) for one in masks_of(asked, tmp_path / "m", f"boxes:{run}#copy-first-mask"))
    assert list(moving) == [square(box) for box in MOVING]  # of squares, the filled boxes are the masks


def test_a_frame_that_was_asked_and_has_no_box_can_be_kept_empty(sets: dict[str, TaskSet], tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", sets["refer_track"], [truth_of(example) for example in sets["refer_track"]])
    moving, still, both = (
        frames_of(one) for one in masks_of(sets["refer_mask_track"], tmp_path / "m", f"boxes:{run}?absent=empty#copy-first-mask")
    )
    assert [mask is None for mask in still] == [False] * 5 + [True]  # frame 5 was asked about, 3 and 4 were not
    assert both[5] == moving[5]  # of the two objects one was left out there
    assert both[4] != moving[4]


def test_an_object_that_comes_late_is_followed_back(sets: dict[str, TaskSet], tmp_path: Path) -> None:
    late = Reading(status="ok", answer=BoxTrack(frames=((), ((4.0, 4.0, 10.0, 10.0),), ())), num_found=1)
    run = write_run(tmp_path / "run", sets["refer_track"], [late] * 3)
    found = masks_of(sets["refer_mask_track"], tmp_path / "m", f"boxes:{run}#copy-first-mask")
    assert list(frames_of(found[0])) == [square((4, 4, 10, 10))] * NUM_FRAMES


def test_answers_without_boxes_keep_their_status_and_are_counted(sets: dict[str, TaskSet], tmp_path: Path) -> None:
    absent = Reading(status="not_visible", answer=NotVisible())
    outside = Reading(status="ok", answer=BoxTrack(frames=(((90.0, 90.0, 99.0, 99.0),), (), ())), num_found=1)
    unreadable = Reading(status="unreadable", notes=("no_coordinates",))
    run = write_run(tmp_path / "run", sets["refer_track"], [unreadable, absent, outside], texts=["no idea", "[]", "far"])
    found = masks_of(sets["refer_mask_track"], tmp_path / "m", f"boxes:{run}#copy-first-mask")
    assert [(one.reading.status, one.reading.answer, one.text) for one in found] == [
        ("unreadable", None, "no idea"),
        ("not_visible", NotVisible(), "[]"),
        ("out_of_range", None, "far"),
    ]
    assert found[0].reading.notes == ("no_coordinates", "no_boxes")
    assert found[2].reading.notes == ("boxes_outside_1",)
    score_run(tmp_path / "m")
    summary = summarise(tmp_path / "m")
    assert summary.statuses["unreadable"] == 1
    # the still object is gone in three of six frames, where saying nothing is right: J 1/2; the other two answers are worth 0
    assert summary.metrics["j"].value == pytest.approx((0 + 1 / 2 + 0) / 3)


@pytest.mark.parametrize(("status", "notes"), [("empty", ()), ("ambiguous", ("two_answers",)), ("truncated", ("truncated",))])
def test_no_status_is_lost(sets: dict[str, TaskSet], tmp_path: Path, status: Status, notes: tuple[str, ...]) -> None:
    run = write_run(tmp_path / "run", sets["refer_track"], [Reading(status=status, notes=notes)] * 3)
    found = masks_of(sets["refer_mask_track"], tmp_path / "m", f"boxes:{run}#copy-first-mask")
    assert [one.reading for one in found] == [Reading(status=status, notes=(*notes, "no_boxes"))] * 3


def test_the_true_boxes_are_an_upper_bound_of_any_source(sets: dict[str, TaskSet], tmp_path: Path) -> None:
    masks, boxes = sets["refer_mask_track"], sets["refer_track"]
    whole = masks_of(masks, tmp_path / "truth", "boxes:truth?absent=empty#copy-first-mask")
    # objects are rectangles and every frame is prompted, so the filled boxes are the truth
    assert [one.reading.answer for one in whole] == [example.truth.answer for example in masks]
    by_set = masks_of(masks, tmp_path / "set", f"boxes:{boxes.path}#copy-first-mask")
    run = write_run(tmp_path / "run", boxes, [truth_of(example) for example in boxes])
    by_run = masks_of(masks, tmp_path / "by-run", f"boxes:{run}#copy-first-mask")
    assert [one.reading.answer for one in by_set] == [one.reading.answer for one in by_run]


def test_boxes_are_answered_where_boxes_are_asked(sets: dict[str, TaskSet], tmp_path: Path) -> None:
    boxes = sets["refer_track"]
    run = write_run(tmp_path / "run", boxes, [truth_of(example) for example in boxes])
    found = masks_of(boxes, tmp_path / "m", f"boxes:{run}?absent=empty#copy-first-mask")
    assert [one.reading.answer for one in found] == [example.truth.answer for example in boxes]
    assert rle_box(square(MOVING[0])) == tuple(map(float, MOVING[0]))


def test_a_run_goes_on_and_is_told_apart_by_its_boxes(sets: dict[str, TaskSet], tmp_path: Path) -> None:
    boxes, masks = sets["refer_track"], sets["refer_mask_track"]
    run = write_run(tmp_path / "run", boxes, [truth_of(example) for example in boxes])
    spec = f"boxes:{run}#copy-first-mask"
    predict(masks, choose(spec, NO_OPTIONS).answering(masks), tmp_path / "m", limit=1)
    first = (tmp_path / "m" / "predictions.jsonl").read_bytes()
    whole = masks_of(masks, tmp_path / "m", spec)
    assert (tmp_path / "m" / "predictions.jsonl").read_bytes().startswith(first)
    assert [one.reading for one in whole] == [one.reading for one in masks_of(masks, tmp_path / "at-once", spec)]
    with pytest.raises(InputError, match=r"holds another run.*description.absent"):
        masks_of(masks, tmp_path / "m", f"boxes:{run}?absent=empty#copy-first-mask")
    with pytest.raises(InputError, match=r"holds another run.*description.boxes.kind"):
        masks_of(masks, tmp_path / "m", "center+copy-first-mask=boxes:truth#copy-first-mask")


def test_eval_takes_of_a_models_runs_the_one_that_belongs(sets: dict[str, TaskSet], tmp_path: Path) -> None:
    boxes, masks = sets["refer_track"], sets["refer_mask_track"]
    suite = Suite([boxes, masks], tmp_path, limit=None, max_errors=0.0)
    suite.ask(["center"], NO_OPTIONS)
    runs, skipped = suite.ask([f"boxes:{tmp_path / 'center'}#copy-first-mask"], NO_OPTIONS)
    assert [str(run.relative_to(tmp_path)) for run in runs] == [
        f"center+copy-first-mask/{name}" for name in ("refer_track-valid_u", "refer_mask_track-valid_u")
    ]
    assert skipped == []
    (first, *_) = read_predictions(runs[1])
    # the middle quarter of 48 x 32 in every frame: 12 x 8 pixels
    assert {rle_box(mask) if mask else None for mask in frames_of(first)} == {(18.0, 12.0, 30.0, 20.0)}


def test_an_unfinished_run_of_boxes_says_what_is_missing(sets: dict[str, TaskSet], tmp_path: Path) -> None:
    boxes, masks = sets["refer_track"], sets["refer_mask_track"]
    run = write_run(tmp_path / "run", boxes, [truth_of(boxes[0])])
    with pytest.raises(InputError, match=rf"no answer to 'refer_track/{CLIP}/1' yet.*sightline predict .*refer_track-valid_u"):
        masks_of(masks, tmp_path / "m", f"boxes:{run}#copy-first-mask")


def test_an_error_stays_an_error_and_is_asked_again(sets: dict[str, TaskSet], tmp_path: Path) -> None:
    boxes, masks = sets["refer_track"], sets["refer_mask_track"]
    readings = [truth_of(example) for example in boxes]
    run = write_run(tmp_path / "run", boxes, [Reading(status="error"), *readings[1:]])
    spec = f"boxes:{run}#copy-first-mask"
    predict(masks, choose(spec, NO_OPTIONS).answering(masks), tmp_path / "m", max_errors=0.5)
    assert [one.reading.status for one in read_predictions(tmp_path / "m")] == ["error", "ok", "ok"]
    write_run(run, boxes, readings)
    assert [one.reading.status for one in masks_of(masks, tmp_path / "m", spec)] == ["ok", "ok", "ok"]


def test_frames_that_the_mask_question_does_not_show_are_refused(sets: dict[str, TaskSet], tmp_path: Path) -> None:
    more = make_sets(tmp_path / "more", key_frames=4)["refer_track"]
    words = rf"'refer_track/{CLIP}/0' does not show .*00003.jpg'.*2 of 4 frames.*--frames all"  # 0, 2, 3, 5 against 0, 2, 5
    with pytest.raises(InputError, match=words.replace("2 of 4", "1 of 4")):
        masks_of(sets["refer_track"], tmp_path / "m", f"boxes:{more.path}#copy-first-mask")


def test_examples_without_a_counterpart_are_refused_before_anything_is_asked(sets: dict[str, TaskSet], tmp_path: Path) -> None:
    other = make_sets(tmp_path / "other", clip="another")["refer_track"]
    words = rf"lacks 3 of the 3 examples .*first 'refer_mask_track/{CLIP}/0'"
    with pytest.raises(NotApplicable, match=words):
        choose(f"boxes:{other.path}#copy-first-mask", NO_OPTIONS).answering(sets["refer_mask_track"])
    with pytest.raises(NotApplicable, match="asks for a mask_track, and boxes are needed"):
        choose(f"boxes:{sets['refer_mask_track'].path}#copy-first-mask", NO_OPTIONS).answering(sets["refer_mask_track"])


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("boxes:truth", "expected boxes:SOURCE#TRACKER"),
        ("boxes:#copy-first-mask", "expected boxes:SOURCE#TRACKER"),
        ("boxes:truth?absnt=empty#copy-first-mask", "no setting of boxes: is called 'absnt'. Did you mean 'absent'"),
        ("boxes:truth?absent=gone#copy-first-mask", "no value of boxes: absent is called 'gone'"),
        ("boxes:nowhere#copy-first-mask", "nowhere: no run, no task set, and no folder of runs"),
    ],
)
def test_a_spec_that_cannot_be_meant_is_refused(spec: str, words: str) -> None:
    with pytest.raises((InputError, FileNotFoundError), match=words):
        choose(spec, NO_OPTIONS)


def test_other_commands_say_where_it_belongs() -> None:
    with pytest.raises(InputError, match="only predict and eval take them"):
        get_model("boxes:truth#copy-first-mask")


def test_the_run_says_whose_boxes_it_has(sets: dict[str, TaskSet], tmp_path: Path) -> None:
    boxes, masks = sets["refer_track"], sets["refer_mask_track"]
    run = write_run(tmp_path / "run", boxes, [truth_of(example) for example in boxes])
    masks_of(masks, tmp_path / "m", f"boxes:{run}#copy-first-mask")
    info = json.loads((tmp_path / "m" / "run.json").read_text())
    assert info["model"] == "center+copy-first-mask"
    assert info["description"]["boxes"]["taskset"] == boxes.manifest.fingerprint


def test_a_box_in_a_picture_becomes_its_mask(tmp_path: Path) -> None:
    boxes, masks = make_picture_sets(tmp_path)
    answers = [Reading(status="ok", answer=Boxes(boxes=((2.4, 1.0, 6.0, 5.0), (7.0, 1.0, 20.0, 5.0))), num_found=2)]
    run = write_run(tmp_path / "run", boxes, [*answers, Reading(status="unreadable"), truth_of(boxes[2])])
    first, second, third = masks_of(masks, tmp_path / "m", f"boxes:{run}#copy-first-mask")
    assert isinstance(first.reading.answer, MaskAnswer)
    # columns 2 to 5 and 7 to 11 (the picture is 12 wide), rows 1 to 4
    assert rle_area(first.reading.answer.rle) == 4 * (4 + 5)
    assert (second.reading.status, second.reading.answer) == ("unreadable", None)
    assert third.reading.answer == masks[2].truth.answer  # a rectangle
    score_run(tmp_path / "m")
    summary = summarise(tmp_path / "m")
    assert summary.metrics["giou"].n == 3
    assert summary.statuses["unreadable"] == 1


def make_picture_sets(folder: Path) -> tuple[TaskSet, TaskSet]:
    """`refer_box` and `refer_mask` of a RefCOCO tree."""
    root = write_refcoco(folder / "data")
    for task in ("refer_box", "refer_mask"):
        request = BuildRequest(reader="refcoco", root=str(root), splits=("train",), tasks=(task,), options=ReferOptions())
        build(request, folder / "tasks", workers=1)
    return TaskSet(folder / "tasks" / "refer_box-train"), TaskSet(folder / "tasks" / "refer_mask-train")
