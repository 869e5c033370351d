"""Clips of moving shapes: what the JSON says is what the pictures show."""

import json
from pathlib import Path

import numpy as np
import pytest

from sightline import media
from sightline.datasets import CLIP_READERS
from sightline.demo.moving import NUM_FRAMES, SIDE, write_moving
from sightline.errors import InputError
from sightline.geometry.masks import decode_mask


def content(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.suffix in (".png", ".json")
    }


def test_the_reader_finds_two_objects_a_clip_whose_masks_do_not_overlap(tmp_path):
    write_moving(tmp_path, num_train=2, num_validation=1)
    assert len(list(tmp_path.glob("train_*"))) == 2
    reader = CLIP_READERS["coco-video"][0]()(tmp_path, "train")
    for clip in (reader[0], reader[1]):
        assert (len(clip.frames), clip.width, clip.height) == (NUM_FRAMES, SIDE, SIDE)
        disk, box = (track.masks for track in clip.tracks)
        for one, other in zip(disk, box, strict=True):
            assert one is not None
            assert other is not None
            assert not (decode_mask(one) & decode_mask(other)).any()


def test_a_mask_is_where_the_object_is_painted(tmp_path):
    write_moving(tmp_path, num_train=1, num_validation=1)
    reader = CLIP_READERS["coco-video"][0]()(tmp_path, "train")
    clip = reader[0]
    rgb = media.read_rgb(tmp_path / str(clip.frames[5].image))
    code = clip.tracks[0].masks[5]
    assert code is not None
    mask = decode_mask(code)
    inside = {tuple(pixel) for pixel in rgb[mask].tolist()}
    assert len(inside) == 2  # the stripes of the disk
    assert not inside & {tuple(pixel) for pixel in rgb[~mask].tolist()}


def test_a_clip_moves_and_depends_on_the_seed_and_its_number_alone(tmp_path):
    write_moving(tmp_path / "a", num_train=2, num_validation=1)
    write_moving(tmp_path / "b", num_train=3, num_validation=1)
    write_moving(tmp_path / "c", num_train=2, num_validation=1, seed=1)
    first, more, other = (content(tmp_path / name) for name in "abc")
    assert all(more[name] == data for name, data in first.items() if name.startswith("train_"))
    assert first["train_00/00000.png"] != other["train_00/00000.png"]
    early, late = (media.read_rgb(tmp_path / f"a/train_00/{frame:05d}.png") for frame in (0, 6))
    assert not np.array_equal(early, late)


def test_splits_share_no_clip(tmp_path):
    write_moving(tmp_path, num_train=2, num_validation=2)
    names = [
        {video["name"] for video in json.loads((tmp_path / f"{split}.json").read_text())["videos"]} for split in ("train", "val")
    ]
    assert names == [{"train_00", "train_01"}, {"val_02", "val_03"}]


def test_no_clip_at_all_is_refused(tmp_path):
    with pytest.raises(InputError, match="0 and 1 clips"):
        write_moving(tmp_path, num_train=0, num_validation=1)
