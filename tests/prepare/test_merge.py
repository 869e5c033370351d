"""Several sources as one collection: prefixed ids, linked files, and no recording twice."""

import json
from pathlib import Path

import pytest

from sightline.datasets import CLIP_READERS, ClipFormat, ClipReader
from sightline.datasets.clips.merged import Merged
from sightline.datasets.clips.mose import Mose
from sightline.errors import InputError
from sightline.prepare.merge import MergeSource, merge_sources
from sightline.tasks.clips import SeenClip
from tests.davis_tree import save_picture
from tests.video_tree import save_binary, write_frames, write_json, write_masklets

SQUARE = (4, 4, 14, 14)


def paint(root: Path, seed: int) -> None:
    """Other pictures in the place of those in `root`, the same in every frame."""
    for path in root.rglob("*.jpg"):
        save_picture(path, seed=seed)


def write_mose(root: Path, *clips: str, seed: int = 1) -> MergeSource:
    for number, clip in enumerate(clips):
        write_frames(root / "train", clip, {0: {1: SQUARE}, 1: {}})
        paint(root / "train" / "JPEGImages" / clip, seed + number)
    return MergeSource(name="mose", reader="mose", split="train", root=str(root))


def write_lvos(root: Path, name: str, *clips: str, seed: int = 50) -> MergeSource:
    objects = {"1": {"frame_range": {"start": "1", "end": "6"}}}
    for number, clip in enumerate(clips):
        write_frames(root / "train", clip, {1: {1: SQUARE}, 6: {}}, digits=8)
        paint(root / "train" / "JPEGImages" / clip, seed + number)
    write_json(root / "train" / "train_meta.json", {"videos": {clip: {"objects": objects} for clip in clips}})
    return MergeSource(name=name, reader="lvos", split="train", root=str(root))


def stop(done: int, total: int) -> None:
    """Ends the run after the first clip of it."""
    if 0 < done < total:
        raise KeyboardInterrupt


def reasons(out: Path) -> list[tuple[str, str]]:
    return [(line["unit"], line["reason"]) for line in map(json.loads, (out / "ledger.jsonl").read_text().splitlines())]


def test_ids_name_the_source_and_pictures_are_hard_links(tmp_path: Path) -> None:
    sources = [write_mose(tmp_path / "mose", "0a1b"), write_lvos(tmp_path / "lvos", "lvos1", "ab12CD34")]
    found = merge_sources(sources, tmp_path / "all")
    assert (found.clips, found.dropped, found.altered) == ({"mose": 1, "lvos1": 1}, {}, {})
    assert isinstance(CLIP_READERS["merged"][0](), ClipFormat)
    reader = Merged(tmp_path / "all", "train")
    assert isinstance(reader, ClipReader)
    assert reader.clip_ids() == ["lvos1_ab12CD34", "mose_0a1b"]
    clip = reader[1]
    assert (clip.video_id, clip.frames[0].image) == ("mose/0a1b", "JPEGImages/mose_0a1b/00000.jpg")
    linked = tmp_path / "all" / "JPEGImages" / "mose_0a1b" / "00000.jpg"
    assert linked.samefile(tmp_path / "mose" / "train" / "JPEGImages" / "0a1b" / "00000.jpg")


def test_a_merged_clip_says_of_its_objects_what_the_original_says(tmp_path: Path) -> None:
    sources = [write_mose(tmp_path / "mose", "0a1b"), write_lvos(tmp_path / "lvos", "lvos1", "ab12CD34")]
    merge_sources(sources, tmp_path / "all")
    original = SeenClip(Mose(tmp_path / "mose", "train")[0], tmp_path / "mose")
    merged = SeenClip(Merged(tmp_path / "all", "train")[1], tmp_path / "all")
    assert [(track.places, track.known) for track in merged.tracks] == [(track.places, track.known) for track in original.tracks]
    lvos = SeenClip(Merged(tmp_path / "all", "train")[0], tmp_path / "all")
    assert [track.known for track in lvos.tracks] == [(True, True)]


def test_codes_and_mask_pictures_of_single_objects_come_along(tmp_path: Path) -> None:
    sav = tmp_path / "sav"
    write_masklets(sav / "sav_train" / "sav_000", "sav_000002", [[SQUARE], [None]])
    for number in (0, 4):
        save_picture(sav / "JPEGImages_6fps" / "sav_000002" / f"{number:05d}.jpg", seed=number + 7)
        save_picture(sav / "sav_val" / "JPEGImages_24fps" / "sav_000005" / f"{number:05d}.jpg", seed=number + 9)
    save_binary(sav / "sav_val" / "Annotations_6fps" / "sav_000005" / "000" / "00000.png", SQUARE)
    sources = [MergeSource(name=split, reader="sav", split=split, root=str(sav)) for split in ("train", "val")]
    merge_sources(sources, tmp_path / "all")
    assert Merged.splits(tmp_path / "all") == ["train", "val"]
    for split in ("train", "val"):
        (track,) = SeenClip(Merged(tmp_path / "all", split)[0], tmp_path / "all").tracks
        assert track.places[0] is not None
        assert track.places[0].box == SQUARE
    assert (tmp_path / "all" / "Masks" / "val_sav_000005" / "000" / "00000.png").is_file()


def test_what_is_wrong_with_a_clip_is_told_under_its_new_name(tmp_path: Path) -> None:
    source = write_mose(tmp_path / "mose", "0a1b")
    (tmp_path / "mose" / "train" / "Annotations" / "0a1b" / "00001.png").unlink()
    merge_sources([source], tmp_path / "all")
    assert [(entry.unit, entry.reason) for entry in Merged(tmp_path / "all", "train")[0].problems] == [
        ("mose_0a1b", "labels_missing")
    ]


def test_the_same_recording_is_taken_from_the_earlier_source_only(tmp_path: Path) -> None:
    first = write_lvos(tmp_path / "v1", "lvos1", "ab12CD34", seed=1)
    second = write_lvos(tmp_path / "v2", "lvos2", "ab12CD34", "ef56GH78", seed=70)
    found = merge_sources([first, second], tmp_path / "all")
    assert (found.clips, found.dropped) == ({"lvos1": 1, "lvos2": 1}, {"duplicate_video": 1})
    assert reasons(tmp_path / "all") == [("lvos2_ab12CD34", "duplicate_video")]


def test_a_clip_that_looks_like_one_of_another_source_is_dropped_unless_it_is_to_be_kept(tmp_path: Path) -> None:
    sources = [write_mose(tmp_path / "mose", "0a1b", "cafe", seed=3), write_lvos(tmp_path / "lvos", "lvos", "ab12CD34", seed=3)]
    found = merge_sources(sources, tmp_path / "all")
    assert found.dropped == {"duplicate_picture": 1}
    entry = json.loads((tmp_path / "all" / "ledger.jsonl").read_text())
    assert (entry["unit"], entry["detail"]) == ("lvos_ab12CD34", "its first picture looks like that of mose_0a1b")
    kept = merge_sources(sources, tmp_path / "kept", keep_lookalikes=True)
    assert (kept.clips, kept.dropped, kept.altered) == ({"mose": 2, "lvos": 1}, {}, {"lookalike": 1})


def test_clips_of_one_source_are_not_compared(tmp_path: Path) -> None:
    source = write_mose(tmp_path / "mose", "0a1b", "cafe")
    paint(tmp_path / "mose", seed=1)
    assert merge_sources([source], tmp_path / "all").clips == {"mose": 2}


def test_clips_without_pictures_or_with_a_broken_one_are_dropped(tmp_path: Path) -> None:
    source = write_mose(tmp_path / "mose", "0a1b", "cafe", "f00d")
    for path in (tmp_path / "mose" / "train" / "JPEGImages" / "0a1b").iterdir():
        path.unlink()
    (tmp_path / "mose" / "train" / "JPEGImages" / "cafe" / "00000.jpg").write_bytes(b"\xff\xd8\xff broken")
    assert merge_sources([source], tmp_path / "all").dropped == {"no_pictures": 1, "unreadable": 1}


def test_a_stopped_merge_goes_on_and_is_not_read_before(tmp_path: Path) -> None:
    sources = [write_mose(tmp_path / "mose", "0a1b", "cafe"), write_lvos(tmp_path / "lvos", "lvos", "ab12CD34", seed=1)]

    with pytest.raises(KeyboardInterrupt):
        merge_sources(sources, tmp_path / "all", on_progress=stop)
    with pytest.raises(InputError, match="the merge is not finished"):
        Merged.splits(tmp_path / "all")
    (tmp_path / "all" / "JPEGImages" / "mose_cafe").mkdir()  # killed while it linked
    (tmp_path / "all" / "JPEGImages" / "mose_cafe" / "00099.jpg").write_bytes(b"left over")
    merge_sources(sources, tmp_path / "all")
    merge_sources(sources, tmp_path / "whole")
    tree = [{str(path.relative_to(root)) for path in root.rglob("*")} for root in (tmp_path / "all", tmp_path / "whole")]
    assert tree[0] == tree[1]
    assert (tmp_path / "all" / "ledger.jsonl").read_bytes() == (tmp_path / "whole" / "ledger.jsonl").read_bytes() != b""


def test_sources_can_be_added_but_not_changed(tmp_path: Path) -> None:
    mose, lvos = write_mose(tmp_path / "mose", "0a1b"), write_lvos(tmp_path / "lvos", "lvos", "ab12CD34")
    merge_sources([mose], tmp_path / "all")
    assert merge_sources([mose, lvos], tmp_path / "all").clips == {"mose": 1, "lvos": 1}
    more = write_lvos(tmp_path / "v2", "lvos2", "ef56GH78", seed=90)
    with pytest.raises(KeyboardInterrupt):
        merge_sources([mose, lvos, more], tmp_path / "all", on_progress=stop)
    with pytest.raises(InputError, match="the merge is not finished"):
        Merged(tmp_path / "all", "train")
    merge_sources([mose, lvos, more], tmp_path / "all")
    with pytest.raises(InputError, match=r"is a merge of other sources or options \(mose=mose:train:"):
        merge_sources([lvos, mose], tmp_path / "all")
    with pytest.raises(InputError, match="keep_lookalikes False"):
        merge_sources([mose, lvos, more], tmp_path / "all", keep_lookalikes=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    with pytest.raises(InputError, match=r"holds thesis\.tex but no merge\.json"):
        merge_sources([mose], tmp_path / "full")


def test_names_that_are_none_or_stand_twice_are_refused(tmp_path: Path) -> None:
    mose = write_mose(tmp_path / "mose", "0a1b")
    with pytest.raises(InputError, match="another one for each source"):
        merge_sources([mose, mose], tmp_path / "all")
    with pytest.raises(InputError, match="the source name 'a_b': expected small letters"):
        merge_sources([MergeSource(name="a_b", reader="mose", split="train", root=mose.root)], tmp_path / "all")
    with pytest.raises(InputError, match="no data with clips is called 'vos'"):
        merge_sources([MergeSource(name="vos", reader="vos", split="train", root=mose.root)], tmp_path / "all")


def test_the_reader_says_what_is_no_collection(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        Merged.splits(tmp_path / "none")
    with pytest.raises(InputError, match="is not a merged collection"):
        Merged.splits(tmp_path)
    merge_sources([write_mose(tmp_path / "mose", "0a1b")], tmp_path / "all")
    with pytest.raises(InputError, match="has no split 'val'; it has train"):
        Merged(tmp_path / "all", "val")
    record = tmp_path / "all" / "clips" / "train" / "mose_0a1b.json"
    record.rename(record.with_name("mose_ffff.json"))
    with pytest.raises(InputError, match="the record of clip 'mose_0a1b' of 'train'"):
        Merged(tmp_path / "all", "train")[0]
