"""`sightline export masks`: from a COCO-style video JSON back to label pictures."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.cli import run
from sightline.datasets.clips.davis import Davis
from sightline.datasets.coco.coco_video import CocoVideo
from sightline.tasks.clips import SeenClip
from tests.davis_tree import write_tree
from tests.video_tree import write_frames, write_json


def to_json(root: Path, data: str, split: str) -> None:
    out = root / "annotations" / "mine.json"
    assert run(["export", "coco-video", "--data", data, "--root", str(root), "--split", split, "--out", str(out)]) == 0


def back(root: Path, out: Path, layout: str, *, code: int = 0) -> None:
    command = ["export", "masks", "--data", "coco-video", "--root", str(root), "--split", "mine", "--out", str(out)]
    assert run([*command, "--write", layout]) == code


def test_label_pictures_come_back_pixel_for_pixel(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "davis")
    to_json(root, "davis", "train")
    back(root, tmp_path / "out", "palette")
    before = sorted((root / "Annotations" / "480p" / "duel").iterdir())
    after = sorted((tmp_path / "out" / "duel").iterdir())
    assert [path.name for path in after] == [path.name for path in before]
    assert len(after) == 6
    for old, new in zip(before, after, strict=True):
        with Image.open(old) as first, Image.open(new) as second:
            assert np.array_equal(np.asarray(first), np.asarray(second))


def test_a_picture_an_object_comes_back_and_is_kept_by_the_same_command(tmp_path: Path, capsys) -> None:
    root = write_tree(tmp_path / "davis")
    to_json(root, "davis", "train")
    back(root, tmp_path / "out", "objects")
    seen = SeenClip(Davis(root, "train")[0], root)
    for track in seen.tracks:
        areas = [
            int((np.asarray(Image.open(path)) > 0).sum()) for path in sorted((tmp_path / "out/duel" / track.object_id).iterdir())
        ]
        assert areas == [0 if place is None else place.area for place in track.places]
    capsys.readouterr()
    back(root, tmp_path / "out", "objects")
    assert "kept from before" in capsys.readouterr().out
    back(root, tmp_path / "out", "palette", code=2)
    assert "holds other masks" in capsys.readouterr().err


def test_a_frame_that_is_not_wholly_known_gets_no_picture(tmp_path: Path) -> None:
    shown = {0: {1: (2, 2, 12, 12), 2: (20, 2, 30, 12)}, 5: {1: (4, 2, 14, 12)}, 10: None}
    write_frames(tmp_path / "train", "late", shown)
    objects = {"1": {"category": "dog", "frames": ["00000", "00005"]}, "2": {"category": "cat", "frames": ["00000"]}}
    write_json(tmp_path / "train" / "meta.json", {"videos": {"late": {"objects": objects}}})
    to_json(tmp_path, "youtube-vos", "train")
    whole = [all(track.known[k] for track in SeenClip(CocoVideo(tmp_path, "mine")[0], tmp_path).tracks) for k in range(3)]
    back(tmp_path, tmp_path / "out", "palette")
    assert [path.stem for path in sorted((tmp_path / "out/late").iterdir())] == [
        name for name, known in zip(("00000", "00005", "00010"), whole, strict=True) if known
    ]
    assert not whole[2]
    ledger = [json.loads(line) for line in (tmp_path / "out" / "ledger.jsonl").read_text().splitlines()]
    assert ("late", "not_wholly_labelled") in {(entry["unit"], entry["reason"]) for entry in ledger}


def test_a_wrong_split_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_tree(tmp_path / "davis")
    to_json(root, "davis", "train")
    command = ["export", "masks", "--data", "coco-video", "--root", str(root), "--split", "mien", "--out", str(tmp_path / "out")]
    assert run(command) == 2
    assert "mien" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
