"""Runs by the rules of referring benchmarks. The baseline `whole` answers with the whole picture (20 x 10) in every frame."""

import json

import msgspec
import pytest

from sightline.cli.protocols import REFERRING
from sightline.errors import InputError
from sightline.evaluate.predict import predict
from sightline.evaluate.protocols.referring_compare import compare_referring
from sightline.evaluate.protocols.referring_original import PROTOCOLS, summarise_referring
from sightline.evaluate.score import score_run
from sightline.evaluate.summary import summarise
from sightline.models import get_model
from sightline.types import Boxes, MaskAnswer, MaskTrack, NotVisible, Prediction, Reading
from tests.evaluate.expressions import asked, block

HALF, ALL = block(0, 0, 10, 10), block(0, 0, 20, 10)  # J of the whole picture: 0.5 and 1


@pytest.fixture
def answer(write_taskset, tmp_path):
    """`answer(examples, model)`: the folder of a run."""

    def run(examples, model="whole"):
        folder = tmp_path / "runs" / model
        predict(write_taskset(examples, name=f"{model}-set"), get_model(model), folder)
        score_run(folder)
        return folder

    return run


def figures(folder, protocol):
    return {each.name: (each.value, each.n) for each in summarise_referring(folder, protocol).figures}


def track(*frames, name, kind="referring", **changes):
    evidence: dict[str, str | float | int] = {"sampling": "all", "expression_kind": kind}
    answer = MaskTrack(frames=frames) if any(frames) else NotVisible()
    return asked("refer_mask_track", answer, name=name, num_frames=2, evidence=evidence, **changes)


def test_refcoco_boxes_are_the_first_as_written(answer):
    boxes = [(0.0, 0.0, 20.0, 10.0), (0.0, 0.0, 10.0, 10.0), (0.0, 0.0, 2.0, 2.0)]  # IoU with the picture: 1, 0.5, 0.02
    folder = answer([asked("refer_box", Boxes(boxes=(box,)), name=str(k), box=box) for k, box in enumerate(boxes)])
    found = figures(folder, "refcoco-original")
    assert found["Acc@0.5"] == (pytest.approx(2 / 3), 3)
    assert found["Mean IoU"] == (pytest.approx(1.52 / 3), 3)
    assert found["Center_ACC"] == (pytest.approx(2 / 3), 3)  # (10, 5) lies in the first, and on the edge of the second
    assert json.loads((folder / "summary.refcoco-original.json").read_text())["num_answers"] == 3


def test_no_answer_is_a_box_at_the_origin_for_center_acc_alone(answer):
    boxes = [(0.0, 0.0, 4.0, 4.0), (2.0, 2.0, 4.0, 4.0)]
    examples = [asked("refer_box", Boxes(boxes=(box,)), name=str(k), box=box) for k, box in enumerate(boxes)]
    found = figures(answer(examples, "not-visible"), "refcoco-original")
    assert (found["Center_ACC"], found["Mean IoU"]) == ((0.5, 2), (0.0, 2))


def test_refcoco_is_not_for_expressions_of_several_objects(answer):
    example = asked("refer_box", Boxes(boxes=((0.0, 0.0, 2.0, 2.0), (4.0, 0.0, 6.0, 2.0))), several=True, box=(0.0, 0.0, 6.0, 2.0))
    with pytest.raises(InputError, match="grefcoco-original"):
        summarise_referring(answer([example]), "refcoco-original")


def test_refcoco_masks_are_those_of_sa2va_and_lisa(answer):
    folder = answer([asked("refer_mask", MaskAnswer(rle=rle), name=str(k)) for k, rle in enumerate((HALF, ALL))])
    found = figures(folder, "refcoco-original")
    assert found["cIoU (sa2va)"] == (pytest.approx(300 / 400), 2)
    assert found["gIoU (lisa)"] == (pytest.approx(1.5 / 2, abs=1e-4), 2)


def test_grefcoco_counts_a_box_for_nothing_as_wrong(answer):
    whole = (0.0, 0.0, 20.0, 10.0)
    examples = [
        asked("refer_box", Boxes(boxes=(whole,)), several=True, box=whole),
        asked("refer_box", NotVisible(), name="2", several=True),
    ]
    assert figures(answer(examples), "grefcoco-original") == {"Pr@(F1=1, IoU>=0.5)": (0.5, 2), "N-acc": (0.0, 1)}
    assert figures(answer(examples, "not-visible"), "grefcoco-original") == {"Pr@(F1=1, IoU>=0.5)": (0.5, 2), "N-acc": (1.0, 1)}


def test_grefcoco_masks_have_the_five_columns(answer):
    folder = answer([asked("refer_mask", MaskAnswer(rle=HALF)), asked("refer_mask", NotVisible(), name="2")])
    found = figures(folder, "grefcoco-original")
    assert found["gIoU"] == (0.25, 2)
    assert found["cIoU"] == (100 / 400, 2)  # I 100 + 0, U 200 + 200
    assert (found["N-acc"], found["T-acc"], found["Pr@0.7"]) == ((0.0, 1), (1.0, 1), (0.0, 1))


def test_mevis_takes_the_mean_over_expressions_of_the_mean_over_all_frames(answer):
    folder = answer([track(HALF, None, name="1"), track(ALL, ALL, name="2")])
    # J: (0.5 + 0) / 2 and 1. F: the whole picture has no boundary, the half has one: 0, and 1 against an empty mask; then 1.
    assert figures(folder, "mevis-original") == {"J": (0.625, 2), "F": (0.75, 2), "J&F": (0.6875, 2)}


def test_what_cannot_be_read_scores_nothing_and_not_visible_is_a_track_of_empty_masks(answer):
    examples = [track(HALF, None, name="1")]
    assert figures(answer(examples, "not-visible"), "mevis-original")["J"] == (0.5, 1)
    folder = answer(examples)
    line = Prediction(id=examples[0].id, reading=Reading(status="unreadable"))
    (folder / "predictions.jsonl").write_bytes(msgspec.json.encode(line) + b"\n")
    assert figures(folder, "mevis-original") == {"J": (0.0, 1), "F": (0.0, 1), "J&F": (0.0, 1)}


def test_ref_davis_averages_the_passes(answer):
    examples = [
        track(ALL, ALL, name="1", kind="annot1"),
        track(HALF, HALF, name="2", kind="annot1"),
        track(HALF, HALF, name="3", kind="annot2"),
    ]
    folder = answer(examples)
    assert figures(folder, "ref-davis17-original")["J"] == (pytest.approx((0.75 + 0.5) / 2), 3)
    assert figures(folder, "mevis-original")["J"] == (pytest.approx(2 / 3), 3)


def test_ref_davis_without_annotators_has_no_passes(answer):
    with pytest.raises(InputError, match="'Non-trivial', which is no annotator's pass"):
        summarise_referring(answer([track(ALL, ALL, name="1", kind="Non-trivial")]), "ref-davis17-original")


def test_revos_has_rows_by_kind_and_r_where_the_foreground_is_known(answer, tmp_path):
    examples = [
        track(HALF, ALL, name="1"),
        track(ALL, ALL, name="2", kind="reasoning"),
        track(None, None, name="3", kind="no_target"),
    ]
    folder = answer(examples)
    found = figures(folder, "revos-original")
    assert (found["J referring"], found["A referring"], found["J reasoning"]) == ((0.75, 1), (0.75, 1), (1.0, 1))
    assert found["J overall"] == (0.875, 2)
    assert not any(name.startswith("R ") for name in found)
    full = {"size": [10, 20], "counts": ALL.counts}
    (tmp_path / "mask_dict_foreground.json").write_text(
        json.dumps({"clip": {"masks_rle": [full, full], "foreground_ratio": [1, 1]}})
    )
    # 100 of 200 foreground pixels are wrong in the first frame: R (0.5 + 1) / 2
    assert figures(folder, "revos-original")["R referring"] == (pytest.approx(0.75), 1)


@pytest.mark.parametrize("changes", [{"scored": (0,)}, {}])
def test_a_clip_of_which_some_frames_are_not_asked_about_is_refused(answer, changes):
    example = track(HALF, None, name="1", **changes)
    if not changes:
        example = asked("refer_mask_track", MaskTrack(frames=(HALF, None)), num_frames=2, evidence={"sampling": "uniform"})
    with pytest.raises(InputError, match="--frames all"):
        summarise_referring(answer([example]), "mevis-original")


def test_a_protocol_of_another_task_is_refused(answer):
    with pytest.raises(InputError, match="is for refer_mask_track, the run answers refer_mask"):
        summarise_referring(answer([asked("refer_mask", MaskAnswer(rle=HALF))]), "mevis-original")


def test_figures_stand_beside_ours(answer):
    folder = answer([track(HALF, None, name="1"), track(ALL, ALL, name="2")])
    lines = compare_referring(summarise(folder), summarise_referring(folder, "mevis-original"))
    assert [(line.label, line.ours, line.theirs) for line in lines] == [
        ("J %", "62.5 (2)", "62.5 (2)"),
        ("F %", "75.0 (2)", "75.0 (2)"),
        ("J&F %", "68.8 (2)", "68.8 (2)"),
    ]


def test_the_command_line_offers_every_protocol():
    assert {protocol.value for protocol in REFERRING} == set(PROTOCOLS)
