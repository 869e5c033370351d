"""Pictures in, masks of their own size out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from safetensors.torch import load_file  # noqa: E402
from transformers import Sam2VideoModel  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.geometry.masks import decode_mask  # noqa: E402
from sightline.models.sam2.clip import ClipModel  # noqa: E402
from sightline.models.sam2.names import from_original  # noqa: E402
from sightline.models.sam2.track import PictureFrames, ready, ready_mask, track_frames  # noqa: E402
from sightline.models.tracking.shown import Shown  # noqa: E402
from sightline.models.tracking.trackers import whole_tracks  # noqa: E402

WIDTH, HEIGHT, SIDE = 96, 60, 128


@pytest.fixture(scope="module")
def model(golden: Path, tiny_config: Any) -> ClipModel:
    inner = Sam2VideoModel(tiny_config)
    inner.load_state_dict(from_original(load_file(golden / "weights.safetensors")))
    return ClipModel(inner).eval()


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    found = []
    for index in range(3):
        pixels = np.random.default_rng(index).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        found.append(tmp_path / f"{index:05d}.png")
        Image.fromarray(pixels).save(found[-1])
    return found


def _mask() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:40, 20:60] = True
    return mask


def test_a_grey_picture_becomes_the_normalised_constant() -> None:
    tensor = ready(np.full((HEIGHT, WIDTH, 3), 51, np.uint8), SIDE)  # 51 / 255 = 0.2
    assert tensor.shape == (3, SIDE, SIDE)
    expected = [(0.2 - mean) / deviation for mean, deviation in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))]
    assert tensor.amax(dim=(1, 2)).tolist() == pytest.approx(expected, abs=1e-5)
    assert tensor.amin(dim=(1, 2)).tolist() == pytest.approx(expected, abs=1e-5)


def test_a_mask_keeps_its_place_and_share() -> None:
    square = ready_mask(_mask(), SIDE)
    rows, columns = torch.where(square)
    # columns 20..59 of 96 are 26.7..80 of 128; rows 10..39 of 60 are 21.3..85.3 of 128
    assert (columns.min().item(), columns.max().item()) == (27, 79)
    assert (rows.min().item(), rows.max().item()) == (21, 84)


def test_masks_come_back_in_the_size_of_the_frames(model: ClipModel, paths: list[Path]) -> None:
    frames = PictureFrames(paths, SIDE)
    found = dict(track_frames(model, frames, [Shown(frame=0, object_id="a", mask=_mask())]))
    assert sorted(found) == [0, 1, 2]
    first = decode_mask(found[0]["a"])
    assert first.shape == (HEIGHT, WIDTH)
    assert (first & _mask()).sum() / (first | _mask()).sum() > 0.95  # the prompt itself, through 32x32 logits


def test_tracks_have_an_entry_a_frame(model: ClipModel, paths: list[Path]) -> None:
    shown = [Shown(frame=1, object_id="late", box=(20.0, 10.0, 60.0, 40.0)), Shown(frame=0, object_id="a", mask=_mask())]
    tracks = whole_tracks(track_frames(model, PictureFrames(paths, SIDE), shown), ["a", "late"], 3)
    assert [len(track) for track in tracks.values()] == [3, 3]
    assert tracks["late"][0] is None


def test_a_point_and_the_box_around_the_picture_reach_the_network_where_they_are(
    model: ClipModel, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    track = ClipModel.track
    monkeypatch.setattr(ClipModel, "track", lambda self, *args, **how: seen.append(args[2]) or track(self, *args, **how))
    shown = [Shown(frame=0, object_id="p", points=((48.0, 30.0, True),)), Shown(frame=0, object_id="b", box=(0.0, 0.0, 96.0, 60.0))]
    list(track_frames(model, PictureFrames(paths, SIDE), shown))
    assert seen[0].coords.tolist() == [[[63.5, 63.5]]]  # the middle: 48 * 128 / 96 - 0.5
    assert seen[1].coords.tolist() == [[[-0.5, -0.5], [127.5, 127.5]]]
    assert seen[1].labels.tolist() == [[2, 3]]


def test_a_frame_of_another_size_is_an_error_with_its_path(model: ClipModel, paths: list[Path]) -> None:
    Image.fromarray(np.zeros((HEIGHT, WIDTH + 2, 3), np.uint8)).save(paths[2])
    with pytest.raises(InputError, match=r"00002\.png has 98x60 pixels, the first frame 96x60"):
        list(track_frames(model, PictureFrames(paths, SIDE), [Shown(frame=0, object_id="a", mask=_mask())]))


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (Shown(frame=0, object_id="a"), "give a mask, a box or points"),
        (Shown(frame=0, object_id="a", mask=np.zeros((5, 5), bool)), "a mask of 5x5 pixels for frames of 96x60"),
    ],
)
def test_what_shows_nothing_is_refused(model: ClipModel, paths: list[Path], shown: Shown, words: str) -> None:
    with pytest.raises(InputError, match=words):
        list(track_frames(model, PictureFrames(paths, SIDE), [shown]))


def test_a_clip_without_frames_is_refused() -> None:
    with pytest.raises(InputError, match="without frames"):
        PictureFrames([], SIDE)
