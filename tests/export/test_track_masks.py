"""Mask tracks in three layouts come back equal through our readers; an export is whole, goes on, and is never mixed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.datasets import CLIP_READERS
from sightline.errors import InputError
from sightline.evaluate.vos.saved import list_frames, list_videos, read_labels, read_object
from sightline.export.track_masks import LAYOUTS, ClipTracks, Layout, TracksWritten, object_numbers, write_tracks
from sightline.geometry.masks import encode_mask
from sightline.types import MaskRle
from tests.davis_tree import HEIGHT, WIDTH, save_picture

SIZE = (HEIGHT, WIDTH)
RANDOM = np.random.default_rng(7).random((2, 3, HEIGHT, WIDTH)) > 0.6  # two objects that overlap in some pixels, three frames


def rle(pixels: np.ndarray) -> MaskRle:
    return encode_mask(pixels)


def duel(**changes: Any) -> ClipTracks:
    """Object 2 is not in the last frame."""
    tracks = {"1": [rle(pixels) for pixels in RANDOM[0]], "2": [rle(RANDOM[1, 0]), rle(RANDOM[1, 1]), None]}
    values: dict[str, Any] = {"video": "duel", "frames": ["00000", "00005", "00010"], "size": SIZE, "tracks": tracks}
    return ClipTracks(**(values | changes))


def write(out: Path, layout: Layout, *clips: ClipTracks, **source: Any) -> TracksWritten:
    return write_tracks(out, clips, layout=layout, source=source or {"run": "a"})


def test_palette_pictures_give_contested_pixels_to_the_lower_number(tmp_path: Path) -> None:
    written = write(tmp_path / "out", "palette", duel())
    assert list_videos(tmp_path / "out") == ["duel"]
    names = list_frames(tmp_path / "out" / "duel")
    assert names == ["00000.png", "00005.png", "00010.png"]
    for index, name in enumerate(names):
        labels = read_labels(tmp_path / "out", "duel", name)
        second = RANDOM[1, index] if index < 2 else np.zeros(SIZE, bool)
        assert ((labels == 1) == RANDOM[0, index]).all()
        assert ((labels == 2) == (second & ~RANDOM[0, index])).all()
    assert written.num_contested_pixels == int((RANDOM[0, :2] & RANDOM[1, :2]).sum())
    assert (written.num_videos, written.num_kept, written.num_masks) == (1, 0, 5)


def test_a_folder_an_object_keeps_what_overlaps(tmp_path: Path) -> None:
    write(tmp_path / "out", "objects", duel())
    for index, name in enumerate(["00000.png", "00005.png", "00010.png"]):
        assert (read_object(tmp_path / "out", "duel", "1", name) == RANDOM[0, index]).all()
        expected = RANDOM[1, index] if index < 2 else np.zeros(SIZE, bool)
        assert (read_object(tmp_path / "out", "duel", "2", name) == expected).all()


def test_the_json_is_read_back_as_tracks_by_the_coco_reader(tmp_path: Path) -> None:
    pictures = [f"frames/{number}.jpg" for number in range(3)]
    for number, picture in enumerate(pictures):
        save_picture(tmp_path / picture, seed=number)
    clip = duel(pictures=pictures, categories={"1": "dog"})
    written = write(tmp_path / "annotations", "rle", clip)
    assert written.num_masks == 5
    open_reader, _ = CLIP_READERS["coco-video"]
    (split,) = open_reader().splits(tmp_path)
    (found,) = list(open_reader()(tmp_path, split))
    assert [frame.image for frame in found.frames] == pictures
    assert {track.object_id: track.masks for track in found.tracks} == {name: tuple(codes) for name, codes in clip.tracks.items()}
    assert [track.category for track in found.tracks] == ["dog", "object"]


def test_numbers_are_the_objects_own_or_their_places() -> None:
    assert object_numbers(["3", "1"]) == {"3": 3, "1": 1}
    assert object_numbers(["cat", "1"]) == {"cat": 1, "1": 2}
    assert object_numbers(["000", "001"]) == {"000": 1, "001": 2}
    with pytest.raises(InputError, match="256 objects; a label picture holds 255"):
        object_numbers([f"o{number}" for number in range(256)])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_stopped_export_goes_on_to_the_same_files(tmp_path: Path, layout: Layout) -> None:
    def stops() -> Any:
        yield duel()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_tracks(tmp_path / "out", stops(), layout=layout, source={"run": "a"})
    killed = tmp_path / "out" / ".solo.1.ab.partial"
    killed.mkdir()
    (killed / "00000.png").write_bytes(b"half")
    second = duel(video="solo")
    written = write(tmp_path / "out", layout, duel(), second)
    write(tmp_path / "whole", layout, duel(), second)
    kept = {path.relative_to(tmp_path / "out"): path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    whole = {path.relative_to(tmp_path / "whole"): path.read_bytes() for path in (tmp_path / "whole").rglob("*") if path.is_file()}
    assert kept == whole
    assert (written.num_videos, written.num_kept) == (2, 0 if layout == "rle" else 1)


def test_masks_of_two_runs_are_never_mixed(tmp_path: Path) -> None:
    write(tmp_path / "out", "palette", duel(), run="a")
    with pytest.raises(InputError, match="holds other masks"):
        write(tmp_path / "out", "palette", duel(), run="b")
    with pytest.raises(InputError, match="holds other masks"):
        write(tmp_path / "out", "objects", duel(), run="a")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not an export of ours"):
        write(tmp_path / "full", "palette", duel())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": (5, 5)}, "a mask of 48x32 pixels; the video has 5x5"),
        ({"frames": ["0", "1"]}, "3 masks for 2 frames"),
        ({"frames": ["0", "1", "1"]}, "two frames of one name"),
        ({"frames": ["0", "1", "../2"]}, "cannot be a file or folder name"),
        ({"video": "../duel"}, "cannot be a file or folder name"),
        ({"tracks": {"a/b": [None] * 3}}, "cannot be a file or folder name"),
    ],
)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_cannot_be_written_leaves_no_video(tmp_path: Path, layout: Layout, changes: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        write(tmp_path / "out", layout, duel(**changes))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".lock", "tracks.json"]


def test_a_video_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'duel' comes twice"):
        write(tmp_path / "out", "palette", duel(), duel())
