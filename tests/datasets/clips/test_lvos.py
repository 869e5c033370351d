"""The LVOS reader on tiny trees in the true layout."""

from pathlib import Path

import pytest

from sightline.datasets import CLIP_READERS, ClipFormat, ClipReader
from sightline.datasets.clips.lvos import Lvos
from sightline.errors import InputError
from sightline.tasks.clips import SeenClip
from tests.video_tree import write_frames, write_json

FIRST, LATER, VOID = (4, 4, 14, 14), (20, 10, 30, 20), (40, 20, 44, 24)


def _objects(captions: bool = False, **ranges: tuple[int, int]) -> dict[str, object]:
    def fields(name: str, start: int, end: int) -> dict[str, object]:
        found: dict[str, object] = {"frame_range": {"start": str(start), "end": str(end), "frame_nums": "2"}}
        return found | ({"caption": f"thing {name}"} if captions else {})

    return {"videos": {"ab12CD34": {"objects": {name[1:]: fields(name[1:], *ends) for name, ends in ranges.items()}}}}


def write_lvos(root: Path, split: str = "train") -> Path:
    """Frames 1, 6, 11, 16. Object 1 ranges over three and is gone in the third, object 2 over the last two; frame 16 has void."""
    shown = {1: {1: FIRST}, 6: {1: FIRST}, 11: {2: LATER}, 16: {2: LATER, 255: VOID}}
    write_frames(root / split, "ab12CD34", shown, digits=8)
    write_json(root / split / f"{split}_meta.json", _objects(o1=(1, 11), o2=(11, 16)))
    return root


def test_it_is_a_clip_reader(tmp_path: Path) -> None:
    assert isinstance(CLIP_READERS["lvos"][0](), ClipFormat)
    assert isinstance(Lvos(write_lvos(tmp_path), "train"), ClipReader)


def test_frames_have_eight_digits_and_go_in_steps_of_five(tmp_path: Path) -> None:
    (clip,) = Lvos(write_lvos(tmp_path), "train")
    assert [frame.frame_id for frame in clip.frames] == ["00000001", "00000006", "00000011", "00000016"]
    assert (clip.fps, clip.video_id, clip.problems) == (6.0, "lvos/ab12CD34", ())


def test_an_object_is_known_in_its_range_only(tmp_path: Path) -> None:
    (clip,) = Lvos(write_lvos(tmp_path), "train")
    first, later = SeenClip(clip, tmp_path).tracks
    assert (first.known, first.absent(2)) == ((True, True, True, False), True)
    assert later.known == (False, False, True, True)
    assert [track.object_id for track in (first, later)] == ["1", "2"]  # 255 is void, no object


@pytest.mark.parametrize("split", ["val", "valid"])
@pytest.mark.parametrize("name", ["val_meta.json", "valid_meta.json", "train_meta.json"])
def test_the_second_split_and_its_file_have_either_name(tmp_path: Path, split: str, name: str) -> None:
    write_lvos(tmp_path, split)
    (tmp_path / split / f"{split}_meta.json").rename(tmp_path / split / name)
    assert Lvos.splits(tmp_path) == [split]
    assert [track.annotated for track in Lvos(tmp_path, split)[0].tracks] == [(0, 1, 2), (2, 3)]


def test_a_meta_file_beside_the_splits_is_found_but_not_that_of_another_split(tmp_path: Path) -> None:
    write_lvos(tmp_path)
    (tmp_path / "train" / "train_meta.json").rename(tmp_path / "train_meta.json")
    assert len(Lvos(tmp_path, "train")[0].tracks) == 2
    write_lvos(tmp_path, "test")
    (tmp_path / "test" / "test_meta.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"test_meta\.json: no such file\. It says in which frames"):
        Lvos(tmp_path, "test")


def test_captions_of_the_first_version_become_expressions(tmp_path: Path) -> None:
    write_lvos(tmp_path)
    meta = _objects(captions=True, o1=(1, 11), o3=(1, 11))
    write_json(tmp_path / "train" / "train_expression_meta.json", meta)
    (clip,) = Lvos(tmp_path, "train")
    assert [(each.expression_id, each.text, each.object_ids, each.kind) for each in clip.expressions] == [
        ("1", "thing 1", ("1",), "caption")
    ]
    assert [(entry.reason, entry.detail) for entry in clip.problems] == [
        ("expression_without_object", "captions of the objects 3, which it lacks")
    ]


def test_the_test_split_knows_an_object_at_its_first_frame_alone(tmp_path: Path) -> None:
    write_lvos(tmp_path, "test")
    for name in ("00000006", "00000016"):
        (tmp_path / "test" / "Annotations" / "ab12CD34" / f"{name}.png").unlink()
    (clip,) = Lvos(tmp_path, "test")
    assert [track.annotated for track in clip.tracks] == [(0,), (2,)]
    assert [(entry.reason, entry.action) for entry in clip.problems] == [("first_masks_only", "altered")]


def test_a_missing_first_label_makes_the_start_unknown_not_another_frame_the_start(tmp_path: Path) -> None:
    write_lvos(tmp_path)
    (tmp_path / "train" / "Annotations" / "ab12CD34" / "00000001.png").unlink()
    (clip,) = Lvos(tmp_path, "train")
    assert [track.annotated for track in clip.tracks] == [(1, 2), (2, 3)]
    assert [(entry.reason, entry.detail) for entry in clip.problems] == [("labels_missing", "1 of 4 frames have no labels")]


def test_what_only_the_meta_file_or_only_the_disk_has_is_a_problem(tmp_path: Path) -> None:
    write_lvos(tmp_path)
    for kind in ("JPEGImages", "Annotations"):
        (tmp_path / "train" / kind / "ab12CD34").rename(tmp_path / "train" / kind / "other")
    listed, unlisted = Lvos(tmp_path, "train")
    assert [entry.reason for entry in listed.problems] == ["clip_missing"]
    assert [entry.reason for entry in unlisted.problems] == ["not_in_meta"]


def test_bad_roots_splits_and_numbers_say_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        Lvos(tmp_path / "none", "train")
    with pytest.raises(InputError, match="is not an LVOS tree: expected train/JPEGImages/"):
        Lvos(tmp_path, "train")
    with pytest.raises(InputError, match="has no split 'val'; it has train"):
        Lvos(write_lvos(tmp_path), "val")
    meta = {"videos": {"ab12CD34": {"objects": {"1": {"frame_range": {"start": "one", "end": "11"}}}}}}
    write_json(tmp_path / "train" / "train_meta.json", meta)
    with pytest.raises(InputError, match=r"train_meta\.json: Expected `int`, got `str`"):
        Lvos(tmp_path, "train")
    write_json(tmp_path / "train" / "train_meta.json", {"videos": {"ab12CD34": {"objects": {"1": {}}}}})
    assert [entry.reason for entry in Lvos(tmp_path, "train")[0].problems] == ["bad_object"]
