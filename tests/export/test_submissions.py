"""Submissions: opened again as the benchmarks' scorers open them."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from sightline import media
from sightline.errors import InputError
from sightline.export.submissions import ExpressionMasks, write_submission
from sightline.geometry.masks import decode_mask, encode_mask
from sightline.label_png import encode_label_png, voc_palette
from sightline.types import MaskRle

SIZE = (6, 9)
FRAMES = ("00000", "00005")


def block(x0: int, x1: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[1:5, x0:x1] = True
    return mask


def answer(clip: str = "0a1b", expression: str = "0", x0: int = 0) -> ExpressionMasks:
    """The object is 3 columns wide in the first frame and absent from the second."""
    return ExpressionMasks(clip, expression, FRAMES, (encode_mask(block(x0, x0 + 3)), None), SIZE)


def grey(content: bytes) -> np.ndarray:
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert decoded is not None
    return np.asarray(decoded)


@pytest.mark.parametrize(("layout", "prefix"), [("mevis", ""), ("ref_youtube_vos", "Annotations/")])
def test_a_zip_has_a_grey_picture_for_every_frame_of_every_expression(tmp_path: Path, layout: str, prefix: str):
    out = tmp_path / "new" / "submission.zip"
    written = write_submission(out, [answer(), answer(expression="11", x0=4)], layout=layout)
    assert (written.path, written.num_expressions, written.num_frames) == (out, 2, 4)
    with zipfile.ZipFile(out) as archive:
        names = [f"{prefix}0a1b/{expression}/{frame}.png" for expression in ("0", "11") for frame in FRAMES]
        assert archive.namelist() == names
        pictures = [grey(archive.read(name)) for name in names]
    assert [np.unique(picture).tolist() for picture in pictures] == [[0, 255], [0], [0, 255], [0]]
    assert np.array_equal(pictures[2] == 255, block(4, 7))


def test_the_same_answers_give_the_same_bytes(tmp_path: Path):
    contents = []
    for name in ("a.zip", "b.zip"):
        write_submission(tmp_path / name, [answer()], layout="mevis")
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


def test_revos_results_are_run_lengths_by_clip_and_expression(tmp_path: Path):
    out = tmp_path / "results.json"
    write_submission(out, [answer("TAO/clip_a", "0"), answer("TAO/clip_a", "1", x0=2)], layout="revos")
    results = json.loads(out.read_text())
    assert list(results) == ["TAO/clip_a"]
    masks = results["TAO/clip_a"]["1"]["prediction_masks"]
    decoded = [decode_mask(MaskRle(height=mask["size"][0], width=mask["size"][1], counts=mask["counts"])) for mask in masks]
    assert np.array_equal(decoded, [block(2, 5), np.zeros(SIZE, bool)])


def test_revos_pictures_keep_the_slash_of_a_clip_as_a_folder(tmp_path: Path):
    write_submission(tmp_path / "out", [answer("TAO/clip_a", "3", x0=1)], layout="revos_png")
    picture = grey((tmp_path / "out" / "TAO" / "clip_a" / "3" / "00000.png").read_bytes())
    assert np.array_equal(picture == 255, block(1, 4))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_each_pass_of_ref_davis17_shows_all_objects_of_a_clip(tmp_path: Path):
    # object 1 in columns 0..2 (moved by its pass), object 2 in columns 2..4: pass 0 shares column 2, pass 3 columns 3, 4
    answers = [answer("cat-park", str(number), x0=number if number < 4 else 2) for number in range(8)]
    written = write_submission(tmp_path / "davis", reversed(answers), layout="ref_davis17")
    labels = media.read_labels(tmp_path / "davis" / "anno_0" / "cat-park" / "00000.png")
    assert labels[2].tolist() == [1, 1, 1, 2, 2, 0, 0, 0, 0]
    labels = media.read_labels(tmp_path / "davis" / "anno_3" / "cat-park" / "00000.png")
    assert labels[2].tolist() == [0, 0, 2, 1, 1, 1, 0, 0, 0]
    assert not media.read_labels(tmp_path / "davis" / "anno_3" / "cat-park" / "00005.png").any()
    assert (written.num_expressions, written.num_frames) == (8, 8)
    assert written.num_contested_pixels == 4 * (1 + 2 + 3 + 2)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [((0, 1, 2), "no answer for expression 3 of 4"), ((0, 1, 2, 3, 4), "no answer for expression 5, 6, 7 of 8")],
)
def test_ref_davis17_needs_every_wording_of_every_object(tmp_path: Path, numbers, message):
    with pytest.raises(InputError, match=message):
        write_submission(tmp_path / "davis", [answer(expression=str(number)) for number in numbers], layout="ref_davis17")
    assert list(tmp_path.iterdir()) == []


def test_ref_davis17_expressions_are_numbers(tmp_path: Path):
    with pytest.raises(InputError, match="expression 'a' is not a number"):
        write_submission(tmp_path / "davis", [answer(expression="a")], layout="ref_davis17")


GOOD = answer()
BAD = {
    "is answered twice": [GOOD, GOOD],
    "1 masks for 2 frames": [replace(GOOD, masks=GOOD.masks[:1])],
    r"2 masks for 2 frames \(1 different": [replace(GOOD, frames=("00000", "00000"))],
    "frame 00000: a mask of 9 x 6 pixels; the clip has 6 x 9": [replace(GOOD, size=SIZE[::-1])],
    "'..' cannot be a file": [replace(GOOD, clip_id="../outside")],
    "'' cannot be a file": [replace(GOOD, clip_id="/outside")],
    "'a/b' cannot be a file": [replace(GOOD, expression_id="a/b")],
    r"'..\\\\x' cannot be a file": [replace(GOOD, frames=("00000", "..\\x"))],
}


@pytest.mark.parametrize("layout", ["mevis", "ref_youtube_vos", "revos", "revos_png", "ref_davis17"])
@pytest.mark.parametrize("message", BAD)
def test_a_bad_answer_is_refused_and_nothing_is_left(tmp_path: Path, layout: str, message: str):
    others = [answer(clip="other", expression=str(number)) for number in range(4)]
    with pytest.raises(InputError, match=message):
        write_submission(tmp_path / "out", [*others, *BAD[message]], layout=layout)
    assert list(tmp_path.iterdir()) == []


def test_the_split_must_be_answered_whole_and_alone(tmp_path: Path):
    asked = [("0a1b", "0"), ("0a1b", "1")]
    with pytest.raises(InputError, match=r"1 of 2 expressions are not answered \(0a1b/1\)"):
        write_submission(tmp_path / "out.zip", [answer()], layout="mevis", asked=asked)
    with pytest.raises(InputError, match="expression 2 is not in the split"):
        write_submission(tmp_path / "out.zip", [answer(expression="2")], layout="mevis", asked=asked)
    assert list(tmp_path.iterdir()) == []
    write_submission(tmp_path / "out.zip", [answer(), answer(expression="1")], layout="mevis", asked=asked)


def test_what_is_there_is_never_overwritten(tmp_path: Path):
    (tmp_path / "out").write_text("precious")
    with pytest.raises(InputError, match="is there already"):
        write_submission(tmp_path / "out", [answer()], layout="mevis")
    assert (tmp_path / "out").read_text() == "precious"
    with pytest.raises(InputError, match="no submission layout 'youtube'; there are mevis, ref_youtube_vos"):
        write_submission(tmp_path / "other", [answer()], layout="youtube")


def test_label_pictures_have_the_colours_of_davis(tmp_path: Path):
    labels = np.arange(256, dtype=np.uint8).reshape(8, 32)
    (tmp_path / "labels.png").write_bytes(encode_label_png(labels))
    assert np.array_equal(media.read_labels(tmp_path / "labels.png"), labels)
    palette = [tuple(voc_palette()[3 * number : 3 * number + 3]) for number in (0, 1, 2, 3, 8, 255)]
    assert palette == [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (64, 0, 0), (224, 224, 192)]


def test_the_palette_is_that_of_the_real_annotations(shared_data: Path):
    path = shared_data / "davis" / "osvos_results" / "kite-surf" / "00000.png"
    with Image.open(path) as picture:
        palette = picture.getpalette()
    assert palette is not None
    assert bytes(palette[: 3 * 16]) == voc_palette()[: 3 * 16]
