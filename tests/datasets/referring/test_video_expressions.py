"""MeViS, ReVOS and Ref-YouTube-VOS on tiny trees in the true layouts."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sightline.datasets import CLIP_READERS, ClipFormat, ClipReader
from sightline.datasets.referring import mevis as mevis_module
from sightline.datasets.referring.mevis import MeVis
from sightline.datasets.referring.ref_youtube_vos import RefYouTubeVos
from sightline.datasets.referring.revos import ReVos
from sightline.errors import InputError
from sightline.geometry.masks import rle_box
from sightline.types import Clip, Expression
from tests.datasets.referring.refer_trees import rle, save_frames, save_json, save_labels

STEMS = ["00000", "00001", "00002"]
MASKS = {
    "5": [rle(1, 1, 4, 4), None, rle(2, 1, 5, 4)],
    "7": [None, rle(6, 2, 9, 5), rle(6, 3, 9, 6)],
    "99": [None, None, None],
}


def say(text: str, objects: Any = None, annotations: Any = None, **more: Any) -> dict[str, Any]:
    ids = {} if objects is None else {"obj_id": objects}
    return {"exp": text, **ids, **({} if annotations is None else {"anno_id": annotations}), **more}


def videos(name: str, *said: dict[str, Any], frames: list[str] | None = None) -> dict[str, Any]:
    return {
        "videos": {name: {"vid_id": 0, "frames": frames or STEMS, "expressions": {str(k): each for k, each in enumerate(said)}}}
    }


def write_mevis(root: Path, split: str = "train", masks: dict[str, Any] | None = None, **more: Any) -> Path:
    both = say("two birds flying away", [0, 2], [5, 7])
    content = videos("0a1b2c3d4e5f", both, say("the first bird", [0], [5]), **more)
    save_json(root / split / "meta_expressions.json", content)
    save_json(root / split / "mask_dict.json", MASKS if masks is None else masks)
    save_frames(root / split / "JPEGImages" / "0a1b2c3d4e5f", more.get("frames", STEMS))
    return root


def states(clip: Clip, index: int) -> str:
    """One letter a frame: t(here), a(bsent), u(nknown)."""
    track = clip.tracks[index]
    known = range(len(clip.frames)) if track.annotated is None else track.annotated
    return "".join("u" if k not in known else "t" if track.masks[k] else "a" for k in range(len(clip.frames)))


@pytest.mark.parametrize("name", ["mevis", "revos", "ref-youtube-vos", "ref-davis17"])
def test_they_are_clip_readers(name: str) -> None:
    assert isinstance(CLIP_READERS[name][0](), ClipFormat)


@pytest.mark.parametrize("place", ["", "MeViS_release"])
def test_mevis_expressions_mean_several_objects_with_masks_and_nulls(tmp_path: Path, place: str) -> None:
    write_mevis(tmp_path / place)
    reader = MeVis(tmp_path, "train")
    assert isinstance(reader, ClipReader)
    (clip,) = reader
    assert (clip.clip_id, clip.problems, clip.video_id) == ("0a1b2c3d4e5f", (), "mevis/0a1b2c3d4e5f")
    assert clip.frames[1].image == "/".join(filter(None, (place, "train/JPEGImages/0a1b2c3d4e5f/00001.jpg")))
    assert [(track.object_id, states(clip, k)) for k, track in enumerate(clip.tracks)] == [("0", "tat"), ("2", "att")]
    mask = clip.tracks[0].masks[2]
    assert mask is not None
    assert rle_box(mask) == (2.0, 1.0, 5.0, 4.0)
    assert clip.expressions[0] == Expression(
        expression_id="0", text="two birds flying away", object_ids=("0", "2"), annotation_ids=("5", "7")
    )
    assert {path.name for path in reader.sources()} == {"meta_expressions.json", "mask_dict.json", "0a1b2c3d4e5f"}


def test_mevis_holds_the_objects_of_valid_and_test_back_and_reads_no_masks_for_them(tmp_path: Path) -> None:
    write_mevis(tmp_path)
    hidden = videos("0b1b2c3d4e5f", say("a bird"))
    save_json(tmp_path / "valid" / "meta_expressions.json", hidden)
    save_json(tmp_path / "test" / "meta_expressions_release.json", hidden)
    assert MeVis.splits(tmp_path) == ["train", "valid", "test"]
    for split in ("valid", "test"):
        (clip,) = MeVis(tmp_path, split)
        assert (clip.tracks, clip.expressions[0].object_ids, clip.expressions[0].text) == ((), None, "a bird")
        assert [problem.reason for problem in clip.problems] == ["picture_missing"]
    (tmp_path / "train" / "mask_dict.json").unlink()
    with pytest.raises(FileNotFoundError, match="the masks of train are in it"):
        MeVis(tmp_path, "train")[0]
    assert MeVis(tmp_path, "train").clip_ids() == ["0a1b2c3d4e5f"]  # building another split needs no more
    with pytest.raises(InputError, match="has no split 'valid_u'; it has train, valid, test"):
        MeVis(tmp_path, "valid_u")


def test_masks_of_another_release_are_an_error_and_a_lost_list_is_a_problem(tmp_path: Path) -> None:
    write_mevis(tmp_path, masks={"50": [None] * 3})
    with pytest.raises(InputError, match=r"has the masks of none of the 2 annotations .* \(the first is 5\)"):
        MeVis(tmp_path, "train")[0]
    write_mevis(tmp_path, masks={"5": MASKS["5"]})
    (clip,) = MeVis(tmp_path, "train")
    assert [each.text for each in clip.expressions] == ["the first bird"]
    assert [(each.unit, each.reason) for each in clip.problems] == [
        ("0a1b2c3d4e5f/2", "masks_missing"),
        ("0a1b2c3d4e5f/0", "target_missing"),
    ]


def test_a_mask_dict_that_is_cut_off_is_told_by_its_byte(tmp_path: Path) -> None:
    write_mevis(tmp_path)
    path = tmp_path / "train" / "mask_dict.json"
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(InputError, match=r"mask_dict\.json: the JSON is cut off at byte 150"):
        MeVis(tmp_path, "train")[0]


def test_frames_have_gaps_and_a_short_mask_list_leaves_the_rest_unknown(tmp_path: Path) -> None:
    write_mevis(tmp_path, masks={"5": MASKS["5"][:2], "7": MASKS["7"]}, frames=["00000", "00005", "00015"])
    (tmp_path / "train" / "JPEGImages" / "0a1b2c3d4e5f" / "00005.jpg").unlink()
    (clip,) = MeVis(tmp_path, "train")
    assert [(frame.frame_id, frame.image is None) for frame in clip.frames] == [("00000", False), ("00005", True), ("00015", False)]
    assert [problem.reason for problem in clip.problems] == ["picture_missing", "masks_do_not_fit"]
    assert (states(clip, 0), states(clip, 1)) == ("tau", "att")


def test_masks_that_are_not_compressed_are_read_and_bad_ones_are_unknown(tmp_path: Path) -> None:
    bad = {"5": [{"size": [8, 12], "counts": [90, 6]}, {"size": [8, 12], "counts": [90, 5]}, None], "7": MASKS["7"]}
    (clip,) = MeVis(write_mevis(tmp_path, masks=bad), "train")
    assert states(clip, 0) == "tua"
    assert [problem.reason for problem in clip.problems] == ["bad_mask"]
    assert "a sum of 96, found 2 with the sum 95" in clip.problems[0].detail


@pytest.mark.parametrize("stem", ["../00000", "00000/1", "", "00001"])
def test_a_frame_that_is_no_name_or_stands_twice_is_refused(tmp_path: Path, stem: str) -> None:
    content = videos("v", say("a bird"), frames=["00001", stem])
    save_json(tmp_path / "valid" / "meta_expressions.json", content)
    with pytest.raises(InputError, match="clip v: frame"):
        MeVis(tmp_path, "valid")[0]


def test_a_video_whose_name_leaves_the_root_is_refused(tmp_path: Path) -> None:
    save_json(tmp_path / "valid" / "meta_expressions.json", videos("../../../etc", say("a bird")))
    with pytest.raises(InputError, match="leaves its root"):
        MeVis(tmp_path, "valid")[0]


def test_sums_are_checked_on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mevis(tmp_path)
    (entry,) = MeVis.check_sums(tmp_path)
    assert (entry.path, entry.reason) == ("train/mask_dict.json", "not_as_published")
    digest = hashlib.sha256((tmp_path / "train" / "mask_dict.json").read_bytes()).hexdigest()
    monkeypatch.setitem(mevis_module.PUBLISHED_SHA256, "train/mask_dict.json", digest)
    assert MeVis.check_sums(tmp_path) == []


def write_revos(root: Path, *, pictures: str = "JPEGImages") -> Path:
    said = [
        say("the dog that runs first", [1], [5], type_id=0),
        say("which animal is faster?", [1, 4], [5, 7], type_id=1),
        say("the cat", [], [], type_id=2),
        say("a dog", [1], [5], type_id=2),
    ]
    content = videos("TAO/clip_a", *said)
    content["videos"]["TAO/clip_a"] |= {"height": 8, "width": 12}
    content["videos"] |= videos("UVO/one", say("it", [2], [99], type_id=0), frames=["00000"])["videos"]
    save_json(root / "meta_expressions_valid_.json", content)
    save_json(root / "meta_expressions_train_sub_.json", content)
    save_json(root / "mask_dict.json", {**MASKS, "99": [None]})
    save_frames(root / pictures / "TAO" / "clip_a", STEMS)
    save_frames(root / pictures / "UVO" / "one", ["00000"])
    return root


@pytest.mark.parametrize("pictures", ["JPEGImages", "."])
def test_revos_names_have_a_slash_and_kinds_come_from_type_id(tmp_path: Path, pictures: str) -> None:
    write_revos(tmp_path, pictures=pictures)
    assert ReVos.splits(tmp_path) == ["valid"]  # train_sub is a part of train
    clip, single = ReVos(tmp_path, "valid")
    assert (clip.clip_id, clip.video_id, clip.width, clip.height) == ("TAO/clip_a", "tao/clip_a", 12, 8)
    assert clip.frames[0].image == f"{'' if pictures == '.' else 'JPEGImages/'}TAO/clip_a/00000.jpg"
    assert [(each.object_ids, each.kind) for each in clip.expressions] == [
        (("1",), "referring"),
        (("1", "4"), "reasoning"),
        ((), "no_target"),
        (("1",), "no_target"),
    ]
    assert clip.expressions[1].text == "which animal is faster?"
    assert [(problem.reason, problem.action) for problem in clip.problems] == [("no_target_has_objects", "altered")]
    assert (single.clip_id, len(single.frames), states(single, 0)) == ("UVO/one", 1, "a")
    assert len(ReVos(tmp_path, "train_sub")) == 2


def test_revos_ids_that_do_not_fit_are_problems(tmp_path: Path) -> None:
    write_revos(tmp_path)
    said = [say("a", [1], [5]), say("b", [1], [7]), say("c", [1, 2], [5])]
    save_json(tmp_path / "meta_expressions_valid_.json", videos("TAO/clip_a", *said))
    (clip,) = ReVos(tmp_path, "valid")
    assert [each.text for each in clip.expressions] == ["a"]
    assert [(each.unit, each.detail) for each in clip.problems] == [
        ("TAO/clip_a/1", "expression 1 has 1 as 7"),
        ("TAO/clip_a/2", "expression 2 has 2 objects with 1 annotations"),
    ]


def test_a_file_of_expressions_without_any_target_needs_no_masks_to_join(tmp_path: Path) -> None:
    write_revos(tmp_path)
    save_json(tmp_path / "meta_expressions_valid_.json", videos("TAO/clip_a", say("the cat", [], [], type_id=2)))
    (clip,) = ReVos(tmp_path, "valid")
    assert (clip.tracks, clip.expressions[0].object_ids) == ((), ())


def test_revos_without_masks_or_expressions_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is no ReVOS tree: expected meta_expressions_train_\.json"):
        ReVos.splits(tmp_path)
    write_revos(tmp_path)
    (tmp_path / "mask_dict.json").unlink()
    with pytest.raises(FileNotFoundError, match="the masks of all splits are in it"):
        ReVos(tmp_path, "valid")[0]
    assert [entry.path for entry in ReVos.check_sums(tmp_path)] == [
        "meta_expressions_train_sub_.json",
        "meta_expressions_valid_.json",
    ]


def write_ref_youtube_vos(root: Path) -> Path:
    frames = ["00000", "00005", "00010"]
    said = videos("00ab12cd34", say("a penguin on the left", "1"), say("the other", "3"), say("a third", "9"), frames=frames)
    save_json(root / "meta_expressions" / "train" / "meta_expressions.json", said)
    objects = {"1": {"category": "penguin", "frames": frames}, "3": {"category": "person", "frames": frames[1:]}}
    save_json(root / "train" / "meta.json", {"videos": {"00ab12cd34": {"objects": objects}}})
    for frame in frames:
        save_frames(root / "train" / "JPEGImages" / "00ab12cd34", [frame])
        save_labels(root / "train" / "Annotations" / "00ab12cd34" / f"{frame}.png", (1, (1, 1, 4, 4)), (3, (6, 2, 9, 5)))
    for split, names in (("valid", ("v1", "v2", "t1")), ("test", ("t1",))):
        listed = {name: videos(name, say("a dog"))["videos"][name] for name in names}
        save_json(root / "meta_expressions" / split / "meta_expressions.json", {"videos": listed})
    (root / "mask_dict.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    return root


@pytest.mark.parametrize("place", ["", "rvos"])
def test_ref_youtube_vos_objects_are_labels_with_rebuilt_annotation_ids(tmp_path: Path, place: str) -> None:
    write_ref_youtube_vos(tmp_path / place)
    (clip,) = RefYouTubeVos(tmp_path, "train")
    base = f"{place}/" if place else ""
    assert clip.frames[1].labels == f"{base}train/Annotations/00ab12cd34/00005.png"
    assert [(track.object_id, track.label, track.category, track.annotated) for track in clip.tracks] == [
        ("1", 1, "penguin", (0, 1, 2)),
        ("3", 3, "person", (1, 2)),  # nothing is known of it in the first frame
    ]
    assert [(each.object_ids, each.annotation_ids) for each in clip.expressions] == [
        (("1",), ("00ab12cd34/1",)),
        (("3",), ("00ab12cd34/3",)),
    ]
    assert [(each.unit, each.reason) for each in clip.problems] == [("00ab12cd34/2", "target_missing")]
    assert (clip.video_id, clip.fps) == ("youtube_vos/00ab12cd34", 6.0)


def test_ref_youtube_vos_without_meta_says_so_and_takes_objects_from_expressions(tmp_path: Path) -> None:
    write_ref_youtube_vos(tmp_path)
    (tmp_path / "train" / "meta.json").unlink()
    (tmp_path / "train" / "Annotations" / "00ab12cd34" / "00005.png").unlink()
    (clip,) = RefYouTubeVos(tmp_path, "train")
    assert [track.object_id for track in clip.tracks] == ["1", "3", "9"]
    assert [problem.reason for problem in clip.problems] == ["labels_missing", "meta_missing"]


def test_ref_youtube_vos_valid_is_what_test_leaves_of_it(tmp_path: Path) -> None:
    write_ref_youtube_vos(tmp_path)
    assert RefYouTubeVos.splits(tmp_path) == ["train", "valid", "test"]
    assert RefYouTubeVos(tmp_path, "valid", num_valid=2).clip_ids() == ["v1", "v2"]
    assert RefYouTubeVos(tmp_path, "test").clip_ids() == ["t1"]
    assert RefYouTubeVos(tmp_path, "valid", num_valid=2)[0].expressions[0].object_ids is None
    with pytest.raises(InputError, match="3 videos, of which 1 are among the 1 of test; 2 are left, expected 202"):
        RefYouTubeVos(tmp_path, "valid")
    (tmp_path / "meta_expressions" / "test" / "meta_expressions.json").unlink()
    with pytest.raises(FileNotFoundError, match="it tells which videos of the file of valid are those of test"):
        RefYouTubeVos(tmp_path, "valid")
    assert RefYouTubeVos.splits(tmp_path) == ["train"]


@pytest.mark.parametrize("reader", [MeVis, ReVos, RefYouTubeVos])
def test_a_root_that_is_not_there_is_told(tmp_path: Path, reader: Callable[..., Any]) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        reader(tmp_path / "none", "train")
    with pytest.raises(InputError, match="is no"):
        reader(tmp_path, "train")


def test_the_real_expressions_of_ref_youtube_vos(shared_data: Path) -> None:
    reader = RefYouTubeVos(shared_data / "ref_youtube_vos", "all")
    clips = list(reader)
    assert (len(clips), sum(len(clip.expressions) for clip in clips)) == (507, 2096)
    assert all(each.object_ids is None for clip in clips for each in clip.expressions)
    assert all(problem.reason == "picture_missing" for clip in clips for problem in clip.problems)
    first = clips[0]
    assert (first.clip_id, first.frames[1].frame_id) == ("0062f687f1", "00005")
    assert first.expressions[0].text == "a dog is with its puppies on the cloth"
    written = json.loads(next(iter(reader.sources())).read_text())["videos"]
    assert len(first.expressions) == len(written["0062f687f1"]["expressions"])
