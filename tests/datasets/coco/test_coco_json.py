"""COCO instances, CocoVID and YouTube-VIS JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from sightline.datasets import CLIP_READERS, ClipFormat, ClipReader
from sightline.datasets.coco.coco import Coco
from sightline.datasets.coco.coco_video import CocoVideo, YouTubeVis
from sightline.errors import InputError
from sightline.geometry.masks import decode_mask, rle_area, rle_box
from sightline.types import Track
from tests.datasets.referring.refer_trees import SIDE, annotation, coco_name, instances, rle, save_jpeg, save_json

SIZE = {"width": SIDE[0], "height": SIDE[1]}
VIDEOS = [{"id": 1, "name": "0a1b2c3d4e", **SIZE}]


def cocovid(order: str = "frame_id") -> dict[str, Any]:
    """Three frames, listed out of order; object 7 in the first two, object 8 in the first with its box alone."""
    images = [{"id": 22 - k, "video_id": 1, order: k, "file_name": f"0a1b2c3d4e/{5 * k:05d}.jpg", **SIZE} for k in (2, 0, 1)]
    annotations = [
        annotation(1, 22, (1, 1, 4, 4), video_id=1, instance_id=7),
        annotation(2, 21, (2, 1, 5, 4), video_id=1, instance_id=7, iscrowd=False),
        annotation(3, 22, (6, 2, 9, 5), video_id=1, instance_id=8, segmentation=[]),
    ]
    return {"videos": VIDEOS, "images": images, "annotations": annotations, "categories": [{"id": 18, "name": "dog"}]}


def youtube_vis() -> dict[str, Any]:
    videos = [{"id": 3, **SIZE, "length": 3, "file_names": [f"b/{k:05d}.jpg" for k in (0, 5, 10)]}]
    counts = {"size": [8, 12], "counts": [0, 96]}  # not compressed: everything
    annotations = [
        {
            "id": 31,
            "video_id": 3,
            "category_id": 18,
            "iscrowd": 1,
            "segmentations": [rle(1, 1, 4, 4), None, counts],
            "bboxes": [[1, 1, 3, 3], None, [0, 0, 12, 8]],
            "areas": [9, None, 96],
        }
    ]
    return {"info": {}, "videos": videos, "annotations": annotations, "categories": [{"id": 18, "name": "dog"}]}


def states(track: Track, frames: int) -> str:
    """One letter a frame: t(here), a(bsent), u(nknown)."""
    known = range(frames) if track.annotated is None else track.annotated
    shown = track.masks or track.boxes
    return "".join("u" if k not in known else "t" if shown[k] else "a" for k in range(frames))


@pytest.mark.parametrize("name", ["coco", "coco-video", "youtube-vis"])
def test_they_are_clip_readers(name: str) -> None:
    assert isinstance(CLIP_READERS[name][0](), ClipFormat)


def test_coco_pictures_are_clips_of_one_frame_in_order_of_their_names(tmp_path: Path) -> None:
    content = instances([9002, 9001], [annotation(5, 9001, (1, 2, 5, 6)), annotation(6, 9001, (6, 2, 9, 5), iscrowd=1)])
    save_json(tmp_path / "annotations" / "instances_val2017.json", content)
    save_jpeg(tmp_path / "val2017" / coco_name(9001))
    assert Coco.splits(tmp_path) == ["val2017"]
    reader = Coco(tmp_path, "val2017")
    assert isinstance(reader, ClipReader)
    first, second = reader
    assert (first.clip_id, first.frames[0].image) == (coco_name(9001)[:-4], f"val2017/{coco_name(9001)}")
    assert [(track.object_id, track.category, track.crowd, track.boxes[0]) for track in first.tracks] == [
        ("5", "dog", False, (1.0, 2.0, 5.0, 6.0)),
        ("6", "dog", True, (6.0, 2.0, 9.0, 5.0)),
    ]
    assert (second.tracks, second.frames[0].image, second.problems[0].reason) == ((), None, "picture_missing")
    assert first.video_id == "coco/000000009001"


@pytest.mark.parametrize("folder", ["images/val2017", "images", "val2017/JPEGImages", ".", "somewhere"])
def test_pictures_are_found_where_copies_have_them(tmp_path: Path, folder: str) -> None:
    save_json(tmp_path / "annotations" / "instances_val2017.json", instances([9001], [annotation(5, 9001, (1, 2, 5, 6))]))
    save_jpeg(tmp_path / folder / coco_name(9001))
    (clip,) = Coco(tmp_path, "val2017")
    assert clip.problems == ()


def test_damaged_and_foreign_coco_files_are_refused(tmp_path: Path) -> None:
    path = save_json(tmp_path / "annotations" / "instances_val.json", instances([9001], [annotation(5, 77, (1, 2, 5, 6))]))
    with pytest.raises(InputError, match="no annotation is of a picture that the file lists"):
        Coco(tmp_path, "val")
    save_json(path, instances([9001], [annotation(5, 9001, (1, 2, 5, 6))] * 2))
    with pytest.raises(InputError, match="annotation id 5 stands twice"):
        Coco(tmp_path, "val")
    path.write_text(path.read_text()[:100])
    with pytest.raises(InputError, match="cut off at byte 100"):
        Coco.splits(tmp_path)
    save_json(path, {"images": [], "annotations": [{"id": 1, "image_id": 2, "segments_info": [{"id": 3}]}]})
    with pytest.raises(InputError, match=r"holds no COCO instances .* looked at annotations/instances_val\.json"):
        Coco.splits(tmp_path)
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        Coco.splits(tmp_path / "none")


def test_a_picture_name_that_leaves_the_root_is_refused(tmp_path: Path) -> None:
    content = instances([9001], [annotation(5, 9001, (1, 2, 5, 6))])
    content["images"][0]["file_name"] = "../../etc/passwd.jpg"
    save_json(tmp_path / "annotations" / "instances_val.json", content)
    with pytest.raises(InputError, match="leaves its root"):
        Coco(tmp_path, "val")


@pytest.mark.parametrize("order", ["frame_id", "order_in_video"])
def test_cocovid_frames_stand_in_order_of_time(tmp_path: Path, order: str) -> None:
    save_json(tmp_path / "demo" / "ann.json", cocovid(order))
    for k in range(3):
        save_jpeg(tmp_path / "demo" / "0a1b2c3d4e" / f"{5 * k:05d}.jpg")
    assert CocoVideo.splits(tmp_path) == ["demo/ann"]
    (clip,) = CocoVideo(tmp_path, "demo/ann")
    assert [frame.image for frame in clip.frames] == [f"demo/0a1b2c3d4e/{5 * k:05d}.jpg" for k in range(3)]
    assert (clip.clip_id, clip.video_id, clip.width, clip.problems) == ("0a1b2c3d4e", "youtube_vos/0a1b2c3d4e", 12, ())
    seven, eight = clip.tracks
    assert (seven.object_id, states(seven, 3)) == ("7", "ttu")  # the last frame has no annotation at all
    assert (eight.object_id, eight.masks, states(eight, 3)) == ("8", (), "tau")  # a box only; the second frame has others
    assert eight.boxes[0] == (6.0, 2.0, 9.0, 5.0)


def test_a_frame_with_a_box_only_is_unknown_for_an_object_with_masks(tmp_path: Path) -> None:
    content = cocovid()
    content["annotations"][1]["segmentation"] = []
    save_json(tmp_path / "ann.json", content)
    assert states(CocoVideo(tmp_path, "ann")[0].tracks[0], 3) == "tuu"


def test_bad_cocovid_is_an_error_or_a_problem(tmp_path: Path) -> None:
    content = cocovid()
    content["annotations"].append(annotation(9, 22, (0, 0, 2, 2), video_id=1, instance_id=7))
    content["annotations"].append({**annotation(10, 22, (0, 0, 2, 2), video_id=1)})
    content["annotations"].append(annotation(11, 21, (0, 0, 2, 2), video_id=1, instance_id=8, segmentation=[[1, 2, 3, 4, 5, 6, 7]]))
    save_json(tmp_path / "ann.json", content)
    (clip,) = CocoVideo(tmp_path, "ann")
    assert [problem.reason for problem in clip.problems] == ["object_twice", "no_instance_id", "bad_mask", "picture_missing"]
    assert [track.object_id for track in clip.tracks] == ["7", "8", "annotation-10"]
    assert states(clip.tracks[1], 3) == "tuu"
    content["images"][0]["frame_id"] = 0
    save_json(tmp_path / "ann.json", content)
    with pytest.raises(InputError, match="3 images with 2 places in time"):
        CocoVideo(tmp_path, "ann")
    content["images"][0]["video_id"] = 5
    save_json(tmp_path / "ann.json", content)
    with pytest.raises(InputError, match="is of video 5, which the file does not list"):
        CocoVideo(tmp_path, "ann")


def test_youtube_vis_tracks_have_null_where_absent(tmp_path: Path) -> None:
    save_json(tmp_path / "train" / "instances.json", youtube_vis())
    for k in (0, 5, 10):
        save_jpeg(tmp_path / "train" / "JPEGImages" / "b" / f"{k:05d}.jpg")
    assert YouTubeVis.splits(tmp_path) == ["train"]
    (clip,) = YouTubeVis(tmp_path, "train")
    assert (clip.clip_id, clip.problems, clip.video_id) == ("b", (), "")
    assert [frame.frame_id for frame in clip.frames] == ["00000", "00005", "00010"]
    (track,) = clip.tracks
    assert (track.crowd, track.category, states(track, 3)) == (True, "dog", "tat")
    assert track.boxes == ((1.0, 1.0, 4.0, 4.0), None, (0.0, 0.0, 12.0, 8.0))
    assert track.masks[2] is not None
    assert rle_area(track.masks[2]) == 96


def test_youtube_vis_without_annotations_is_read_and_lists_that_do_not_fit_are_dropped(tmp_path: Path) -> None:
    content = youtube_vis()
    save_json(tmp_path / "valid.json", {**content, "annotations": None})
    content["annotations"][0]["bboxes"] = [None]
    save_json(tmp_path / "train.json", content)
    assert YouTubeVis.splits(tmp_path) == ["train", "valid"]
    assert YouTubeVis(tmp_path, "valid")[0].tracks == ()
    (clip,) = YouTubeVis(tmp_path, "train")
    assert (clip.tracks, clip.problems[0].reason) == ((), "masks_do_not_fit")
    with pytest.raises(InputError, match="has no split 'test'; it has train, valid"):
        YouTubeVis(tmp_path, "test")


def test_the_real_coco_samples(shared_data: Path) -> None:
    root = shared_data / "coco_panoptic"
    assert Coco.splits(root) == ["panoptic_coco_detection_format"]
    clips = list(Coco(root, "panoptic_coco_detection_format"))
    assert [(clip.clip_id, clip.problems) for clip in clips] == [("000000142238", ()), ("000000439180", ())]
    assert [frame.image for clip in clips for frame in clip.frames] == [f"input_images/{clip.clip_id}.jpg" for clip in clips]
    assert sum(len(clip.tracks) for clip in clips) == 50
    track = clips[0].tracks[0]
    assert track.masks[0] is not None
    assert (rle_box(track.masks[0]), track.boxes[0]) == ((282.0, 207.0, 330.0, 356.0), (282.0, 207.0, 330.0, 356.0))
    tiny = shared_data / "tiny_formats" / "coco_dataset" / "coco_instances"
    assert Coco.splits(tiny) == ["train", "val"]
    (a,), (b,) = Coco(tiny, "train"), Coco(tiny, "val")
    assert (a.tracks[0].masks, a.tracks[0].boxes, a.frames[0].image) == ((), ((2.0, 2.0, 5.0, 3.0),), "images/train/a.jpg")
    assert [decode_mask(mask).sum() for track in b.tracks for mask in track.masks if mask] == [2, 20]
    assert [track.crowd for track in b.tracks] == [False, True]


def test_the_real_video_samples(shared_data: Path) -> None:
    root = shared_data / "mmtracking_vis"
    assert CocoVideo.splits(root) == ["demo_cocovid_data/ann", "demo_vis_data/ann"]
    (masked,) = CocoVideo(root, "demo_vis_data/ann")
    (track,) = masked.tracks
    assert (masked.clip_id, track.category, track.boxes) == ("0043f083b5", "sedan", ((1174.0, 335.0, 1278.0, 414.0),))
    assert track.masks[0] is not None
    assert rle_area(track.masks[0]) == 6377  # the area that the annotation gives
    (boxes,) = CocoVideo(root, "demo_cocovid_data/ann")
    annotations = json.loads((root / "demo_cocovid_data" / "ann.json").read_text())["annotations"]
    assert len(boxes.frames) == 8
    assert sum(box is not None for track in boxes.tracks for box in track.boxes) == len(annotations)


def test_youtube_vis_reads_what_mmtracking_made_of_it(tmp_path: Path) -> None:
    save_json(tmp_path / "demo/ann.json", cocovid())
    assert YouTubeVis.splits(tmp_path) == ["demo/ann"]
    assert [track.object_id for track in YouTubeVis(tmp_path, "demo/ann")[0].tracks] == ["7", "8"]


def test_youtube_vis_does_not_take_a_file_of_boxes(tmp_path: Path) -> None:
    file = cocovid()
    for each in file["annotations"]:
        each["segmentation"] = []
    save_json(tmp_path / "demo/ann.json", file)
    with pytest.raises(InputError, match="holds no YouTube-VIS"):
        YouTubeVis.splits(tmp_path)


def test_a_root_one_folder_above_will_do_if_only_one_folder_fits(tmp_path: Path) -> None:
    save_json(tmp_path / "set/inner/annotations/instances_train.json", instances([1], [annotation(1, 1, (1, 1, 4, 4))]))
    save_jpeg(tmp_path / f"set/inner/images/train/{coco_name(1)}")
    (clip,) = Coco(tmp_path / "set", "train")
    assert clip.frames[0].image == f"inner/images/train/{coco_name(1)}"
    save_json(tmp_path / "set/other/annotations/instances_val.json", instances([1], [annotation(1, 1, (1, 1, 4, 4))]))
    with pytest.raises(InputError, match=r"has 2 folders with COCO instances.*: inner, other\. Give one of them"):
        Coco.splits(tmp_path / "set")


def test_real_files_one_folder_above_are_found(shared_data: Path) -> None:
    assert Coco.splits(shared_data / "tiny_formats/coco_dataset") == ["train", "val"]
    assert YouTubeVis.splits(shared_data / "mmtracking_vis") == ["demo_vis_data/ann"]
    (clip,) = YouTubeVis(shared_data / "mmtracking_vis", "demo_vis_data/ann")
    assert [(track.category, len(track.masks)) for track in clip.tracks] == [("sedan", 1)]
