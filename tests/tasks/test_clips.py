"""There, absent and unknown are three states, whatever form the masks have."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from sightline.datasets.clips.davis import Davis
from sightline.geometry.masks import decode_mask, encode_mask
from sightline.tasks.clips import Place, SeenClip
from sightline.types import Clip, ClipFrame, MaskRle, Track
from tests.davis_tree import HEIGHT, WIDTH, save_palette, write_sequence

SQUARE = (4, 6, 14, 16)  # 10 x 10 pixels


def _mask(x0: int, y0: int, x1: int, y1: int) -> MaskRle:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y0:y1, x0:x1] = True
    return encode_mask(mask)


def _coded(*masks: MaskRle | None, annotated: tuple[int, ...] | None = None) -> Clip:
    frames = tuple(ClipFrame(frame_id=f"{index:05d}") for index in range(len(masks)))
    track = Track(object_id="a", masks=masks, annotated=annotated)
    return Clip(clip_id="clip", split="train", frames=frames, tracks=(track,), width=WIDTH, height=HEIGHT)


def test_an_object_of_label_pictures_is_there_absent_or_unknown(tmp_path: Path) -> None:
    write_sequence(tmp_path, "seq", [{1: SQUARE}, {}, None, {255: SQUARE}])
    seen = SeenClip(Davis(tmp_path, "all")[0], tmp_path)
    track = seen.track("1")
    assert track.places == (Place((4.0, 6.0, 14.0, 16.0), 100), None, None, None)
    assert track.known == (True, True, False, False)  # frame 2 has no labels; in frame 3 void may hide it
    assert [track.absent(frame) for frame in range(4)] == [False, True, False, False]


def test_void_is_no_object(tmp_path: Path) -> None:
    write_sequence(tmp_path, "seq", [{1: SQUARE, 255: (20, 20, 24, 24)}])
    assert [track.object_id for track in SeenClip(Davis(tmp_path, "all")[0], tmp_path).tracks] == ["1"]


def test_a_mask_is_the_one_of_its_label(tmp_path: Path) -> None:
    write_sequence(tmp_path, "seq", [{1: SQUARE, 2: (20, 20, 24, 24)}])
    seen = SeenClip(Davis(tmp_path, "all")[0], tmp_path)
    assert seen.mask(seen.track("2"), 0) == _mask(20, 20, 24, 24)


def test_null_in_an_annotated_frame_is_absent_and_elsewhere_unknown(tmp_path: Path) -> None:
    clip = _coded(_mask(*SQUARE), None, None, annotated=(0, 1))
    track = SeenClip(clip, tmp_path).track("a")
    assert track.places == (Place((4.0, 6.0, 14.0, 16.0), 100), None, None)
    assert track.known == (True, True, False)


def test_an_empty_code_is_absent(tmp_path: Path) -> None:
    track = SeenClip(_coded(_mask(0, 0, 0, 0)), tmp_path).track("a")
    assert track.absent(0)


def test_a_code_that_does_not_add_up_goes_to_the_ledger_and_is_unknown(tmp_path: Path) -> None:
    broken = msgspec.structs.replace(_mask(*SQUARE), height=HEIGHT + 1)
    clip = msgspec.structs.replace(_coded(broken), width=None, height=None)
    seen = SeenClip(clip, tmp_path)
    assert not seen.track("a").known[0]
    assert [(entry.unit, entry.reason) for entry in seen.ledger] == [("clip/00000", "bad_mask")]


def test_a_code_of_another_size_goes_to_the_ledger(tmp_path: Path) -> None:
    other = encode_mask(np.ones((HEIGHT // 2, WIDTH // 2), bool))
    assert [entry.reason for entry in SeenClip(_coded(other), tmp_path).ledger] == ["size_mismatch"]


def test_mask_files_are_read_and_a_missing_one_is_unknown(tmp_path: Path) -> None:
    save_palette(tmp_path / "a/0.png", np.pad(np.ones((2, 3), np.uint8), ((0, HEIGHT - 2), (0, WIDTH - 3))))
    track = Track(object_id="7", mask_paths=("a/0.png", None, "a/2.png"))
    frames = tuple(ClipFrame(frame_id=str(index)) for index in range(3))
    seen = SeenClip(Clip(clip_id="c", split="val", frames=frames, tracks=(track,), width=WIDTH, height=HEIGHT), tmp_path)
    assert seen.tracks[0].places == (Place((0.0, 0.0, 3.0, 2.0), 6), None, None)
    assert seen.tracks[0].known == (True, True, False)
    assert [entry.reason for entry in seen.ledger] == ["unreadable"]
    mask = seen.mask(seen.tracks[0], 0)
    assert mask is not None
    assert decode_mask(mask).sum() == 6


def test_labels_of_another_size_than_the_picture_make_the_frame_unknown(tmp_path: Path) -> None:
    write_sequence(tmp_path, "seq", [{1: SQUARE}, {1: SQUARE}])
    save_palette(tmp_path / "Annotations/480p/seq/00001.png", np.ones((HEIGHT, WIDTH - 1), np.uint8))
    seen = SeenClip(Davis(tmp_path, "all")[0], tmp_path)
    assert seen.track("1").known == (True, False)
    assert [entry.reason for entry in seen.ledger] == ["size_mismatch"]


def test_boxes_alone_are_places(tmp_path: Path) -> None:
    clip = Clip(
        clip_id="c",
        split="val",
        frames=(ClipFrame(frame_id="0"), ClipFrame(frame_id="1")),
        tracks=(Track(object_id="1", boxes=((1.0, 2.0, 4.0, 4.0), None)),),
        width=WIDTH,
        height=HEIGHT,
    )
    seen = SeenClip(clip, tmp_path)
    assert seen.tracks[0].places == (Place((1.0, 2.0, 4.0, 4.0), 6.0), None)
    assert seen.tracks[0].known == (True, True)


def test_an_unknown_object_is_a_key_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        SeenClip(_coded(None), tmp_path).track("b")
