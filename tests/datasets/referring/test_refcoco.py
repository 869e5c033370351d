"""The RefCOCO family on tiny trees in the true layouts."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from sightline.datasets import CLIP_READERS, ClipFormat, ClipReader
from sightline.datasets.referring.grefcoco import GREFCOCO
from sightline.datasets.referring.refcoco import REFCOCO, REFCOCO_PLUS, REFCOCOG
from sightline.datasets.referring.refcoco_rec import RefCocoRec
from sightline.errors import InputError
from sightline.geometry.masks import decode_mask
from sightline.types import Clip, Expression
from tests.datasets.referring.refer_trees import (
    ANNOTATIONS,
    REFS,
    annotation,
    coco_name,
    instances,
    ref,
    save_jpeg,
    save_json,
    write_refcoco,
)


def covered(clip: Clip, object_id: str) -> np.ndarray:
    (track,) = (track for track in clip.tracks if track.object_id == object_id)
    rle = track.masks[0]
    assert rle is not None
    return decode_mask(rle)


def test_a_picture_is_a_clip_of_one_frame_with_all_its_objects_and_both_wordings(tmp_path: Path) -> None:
    (clip,) = REFCOCO(write_refcoco(tmp_path), "train")
    assert (clip.clip_id, clip.width, clip.height, clip.problems) == ("COCO_train2014_000000009001", 12, 8, ())
    assert clip.frames[0].image == f"coco2014/train2014/{coco_name(9001)}"  # not the expression's file_name, which has a suffix
    assert clip.video_id == "coco/000000009001"
    assert [(track.object_id, track.category, track.boxes) for track in clip.tracks] == [
        ("11", "dog", ((1.0, 2.0, 5.0, 6.0),)),
        ("12", "dog", ((6.0, 2.0, 11.0, 7.0),)),
    ]
    assert clip.expressions[0] == Expression(
        expression_id="10", text="brown dog", raw="Brown Dog", object_ids=("11",), annotation_ids=("11",)
    )
    assert [each.text for each in clip.expressions] == ["brown dog", "the left one", "right dog"]


def test_overlapping_polygons_are_united_and_never_added(tmp_path: Path) -> None:
    (clip,) = REFCOCO(write_refcoco(tmp_path), "train")
    mask = covered(clip, "12")
    assert mask.dtype == bool
    assert mask.sum() == 25  # 5 wide, 5 high; the parts share a column


def test_crowds_are_marked_and_a_list_of_codes_is_a_region(tmp_path: Path) -> None:
    write_refcoco(tmp_path)
    (crowd,) = REFCOCO(tmp_path, "testA")
    assert crowd.tracks[0].crowd
    assert covered(crowd, "21").sum() == 24  # run lengths: two rows of twelve
    (single,) = REFCOCO(tmp_path, "testB")
    assert covered(single, "31").sum() == 9


@pytest.mark.parametrize(
    ("folder", "images"),
    [
        ("refcoco", "refcoco/coco2014/train2014"),
        ("ref_seg/refcoco", "ref_seg/refcoco/coco2014/train2014"),
        ("ref_seg/refcoco", "glamm_data/images/coco2014/train2014"),
        ("refer_seg/refcoco", "refer_seg/images/mscoco/images/train2014"),
        ("refcoco", "images/mscoco/images/train2014"),
    ],
)
def test_all_places_of_pictures_are_found(tmp_path: Path, folder: str, images: str) -> None:
    (clip,) = REFCOCO(write_refcoco(tmp_path, folder, images=images), "train")
    assert clip.frames[0].image == f"{images}/{coco_name(9001)}"
    assert clip.problems == ()


def test_the_splits_are_those_in_the_file_and_test_is_testa_and_testb(tmp_path: Path) -> None:
    write_refcoco(tmp_path)
    assert REFCOCO.splits(tmp_path) == ["train", "testA", "testB"]
    assert [clip.clip_id[-4:] for clip in REFCOCO(tmp_path, "test")] == ["9002", "9003"]
    with pytest.raises(InputError, match="has no split 'val' of refcoco; it has train, testA, testB"):
        REFCOCO(tmp_path, "val")


def test_a_split_named_testab_belongs_to_both_letters(tmp_path: Path) -> None:
    write_refcoco(tmp_path)
    changed = [{**each, "split": "testAB"} if each["split"] == "testA" else each for each in REFS]
    (tmp_path / "refcoco" / "refs(unc).p").write_bytes(pickle.dumps(changed))
    assert [clip.clip_id[-4:] for clip in REFCOCO(tmp_path, "testB")] == ["9002", "9003"]
    assert [clip.clip_id[-4:] for clip in REFCOCO(tmp_path, "testA")] == ["9002"]


def test_another_partition_has_its_name_in_its_splits(tmp_path: Path) -> None:
    write_refcoco(tmp_path, "refcocog")
    base = tmp_path / "refcocog"
    (base / "refs(unc).p").rename(base / "refs(google).p")
    (base / "refs(umd).p").write_bytes(pickle.dumps([ref(5, 11, 9001, "val", "a dog")], protocol=2))
    assert REFCOCOG.splits(tmp_path) == ["val", "google-train", "google-testA", "google-testB"]
    assert len(REFCOCOG(tmp_path, "val")[0].expressions) == 1
    assert len(REFCOCOG(tmp_path, "google-train")[0].expressions) == 3
    with pytest.raises(InputError, match=r"holds no refcoco\+"):
        REFCOCO_PLUS.splits(tmp_path)


def test_python_2_strings_that_are_not_utf_8_are_latin_1(tmp_path: Path) -> None:
    write_refcoco(tmp_path)
    path = tmp_path / "refcoco" / "refs(unc).p"
    path.write_bytes(path.read_bytes().replace(b"Vright dog", b"S'caf\\xe9 dog'"))
    assert "café dog" in {each.text for each in REFCOCO(tmp_path, "train")[0].expressions}


def test_a_pickle_that_calls_something_is_refused(tmp_path: Path) -> None:
    write_refcoco(tmp_path)
    (tmp_path / "refcoco" / "refs(unc).p").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(InputError, match=r"refs\(unc\)\.p, byte 0: the instruction GLOBAL"):
        REFCOCO(tmp_path, "train")


def test_expressions_of_another_release_are_an_error_and_a_lost_object_a_problem(tmp_path: Path) -> None:
    write_refcoco(tmp_path)
    save_json(tmp_path / "refcoco" / "instances.json", instances([9001, 77], ANNOTATIONS[:1]))
    (clip,) = REFCOCO(tmp_path, "train")
    assert [each.text for each in clip.expressions] == ["brown dog", "the left one"]
    assert [(each.unit, each.reason) for each in clip.problems] == [(f"{clip.clip_id}/2", "target_missing")]
    with pytest.raises(InputError, match=r"none of its 1 expressions of split 'testA' .* different releases"):
        REFCOCO(tmp_path, "testA")
    pair = REFCOCO(tmp_path, "train")
    assert pair.clip_ids() == [clip.clip_id]


def test_a_picture_of_which_only_expressions_are_there_is_an_empty_clip(tmp_path: Path) -> None:
    write_refcoco(tmp_path)
    save_json(tmp_path / "refcoco" / "instances.json", instances([9002], ANNOTATIONS))
    by_id = {clip.clip_id: clip for clip in REFCOCO(tmp_path, "test")}
    assert by_id["image_9003"].frames == ()
    assert by_id["image_9003"].problems[0].reason == "clip_missing"


def test_bad_annotations_and_missing_pictures_are_problems(tmp_path: Path) -> None:
    write_refcoco(tmp_path)
    (tmp_path / "coco2014" / "train2014" / coco_name(9001)).unlink()
    bad = [annotation(11, 9001, (1, 2, 5, 6), segmentation={"size": [8, 12], "counts": [5, 5]}), annotation(12, 9001, (6, 2, 6, 7))]
    save_json(tmp_path / "refcoco" / "instances.json", instances([9001], bad))
    (clip,) = REFCOCO(tmp_path, "train")
    assert [each.reason for each in clip.problems] == ["bad_mask", "bad_box", "picture_missing"]
    assert "a sum of 96, found 2 with the sum 10" in clip.problems[0].detail
    assert (clip.tracks[0].masks, clip.tracks[0].boxes) == ((), ((1.0, 2.0, 5.0, 6.0),))
    assert clip.frames[0].image is None


def test_grefcoco_means_several_objects_or_none_and_skips_crowds(tmp_path: Path) -> None:
    refs = [
        ref(1, [11, 12], 9001, "val", "both dogs"),
        ref(2, [-1], 9001, "val", "the cat"),
        ref(3, [11, 13], 9001, "val", "a dog and the pack"),
        ref(4, [13], 9001, "val", "the pack"),
    ]
    crowd = annotation(13, 9001, (0, 0, 4, 2), iscrowd=1)
    save_json(tmp_path / "grefcoco" / "instances.json", instances([9001], [*ANNOTATIONS[:2], crowd]))
    save_json(tmp_path / "grefcoco" / "grefs(unc).json", refs)
    save_jpeg(tmp_path / "coco2014" / "train2014" / coco_name(9001))
    (clip,) = GREFCOCO(tmp_path, "val")
    assert [(each.text, each.object_ids, each.kind) for each in clip.expressions] == [
        ("both dogs", ("11", "12"), None),
        ("the cat", (), "no_target"),
        ("a dog and the pack", ("11",), None),
    ]
    assert [(each.reason, each.action) for each in clip.problems] == [("crowd_skipped", "altered"), ("target_missing", "dropped")]


def test_rec_lines_give_boxes_with_exclusive_ends(tmp_path: Path) -> None:
    lines = [
        {"image": coco_name(9001), "sent": "left dog", "bbox": [1.0, 2.0, 5.0, 6.0], "width": 12, "height": 8},
        {"image": coco_name(9002), "sent": "it", "bbox": [0.5, 0.0, 2.0, 2.0], "width": 12, "height": 8},
        {"image": coco_name(9001), "sent": "brown dog", "bbox": [1.0, 2.0, 5.0, 6.0], "width": 12, "height": 8},
    ]
    (tmp_path / "refcoco_testA.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    save_jpeg(tmp_path / "coco2014" / "train2014" / coco_name(9001))
    assert RefCocoRec.splits(tmp_path) == ["refcoco_testA"]
    first, second = RefCocoRec(tmp_path, "refcoco_testA")
    assert [track.boxes for track in first.tracks] == [((1.0, 2.0, 5.0, 6.0),)]
    assert [(each.expression_id, each.text, each.object_ids) for each in first.expressions] == [
        ("0", "left dog", ("0",)),
        ("2", "brown dog", ("0",)),
    ]
    assert first.frames[0].image == f"coco2014/train2014/{coco_name(9001)}"
    assert (second.frames[0].image, second.problems[0].reason) == (None, "picture_missing")


@pytest.mark.parametrize("line", ['{"image": "a.jpg"}', '{"image":"a.jpg","sent":"x","bbox":[5,0,1,2],"width":9,"height":9}', "{"])
def test_a_rec_line_that_cannot_be_read_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "refcoco_val.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=r"refcoco_val\.jsonl, line 1"):
        RefCocoRec(tmp_path, "refcoco_val")


@pytest.mark.parametrize("name", ["refcoco", "refcoco+", "refcocog", "grefcoco", "refcoco-rec"])
def test_they_are_clip_readers(name: str) -> None:
    assert isinstance(CLIP_READERS[name][0](), ClipFormat)


def test_a_reader_says_what_it_read(tmp_path: Path) -> None:
    reader = REFCOCO(write_refcoco(tmp_path), "train")
    assert isinstance(reader, ClipReader)
    assert {path.name for path in reader.sources()} == {"refs(unc).p", "instances.json", "train2014"}
