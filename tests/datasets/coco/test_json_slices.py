"""Large JSON files by slices, and the forms of a region in them."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from sightline.datasets.coco.json_slices import JsonSlices
from sightline.datasets.coco.segmentations import Code, region
from sightline.errors import InputError
from sightline.geometry.masks import decode_mask, encode_mask
from sightline.types import MaskRle


def slices(path: Path, text: str | bytes) -> JsonSlices[list[int]]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return JsonSlices(path, list[int])


def test_values_are_parsed_when_asked_for_and_keys_are_known(tmp_path: Path) -> None:
    found = slices(tmp_path / "a.json", '{"1": [1, 2], "x": ["no number"], "1/2": []}')
    assert (list(found), len(found), "1" in found, "2" in found) == (["1", "x", "1/2"], 3, True, False)
    assert found["1"] == [1, 2]
    with pytest.raises(InputError, match=r"a\.json, 'x': Expected `int`, got `str`"):
        found["x"]
    with pytest.raises(KeyError):
        found["2"]


def test_a_file_that_is_cut_off_is_told_by_its_byte(tmp_path: Path) -> None:
    whole = json.dumps({str(key): [key] * 50 for key in range(200)})
    with pytest.raises(InputError, match=r"a\.json: the JSON is cut off at byte 20,000, the end of the file\. Fetch it again"):
        slices(tmp_path / "a.json", whole[:20_000])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ('{"a": [1, 2}', r"expected ',' or ']' \(byte 11\)"),
        ('{"a": [1]} x', r"trailing characters \(byte 12\)"),
        ("[1]", "Expected `object`, got `array`"),
        (b'{"\xff": [1]}', "a.json"),
    ],
)
def test_a_file_that_is_no_object_is_refused(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        slices(tmp_path / "a.json", text)


def rss_anonymous_kib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mask_dict.json"
    value = json.dumps([{"size": [480, 640], "counts": "x" * 4000}] * 100)
    with path.open("w") as file:
        file.write("{" + ", ".join(f'"{key}": {value}' for key in range(100)) + "}")
    before = rss_anonymous_kib()
    found: JsonSlices[object] = JsonSlices(path, list)
    grown = rss_anonymous_kib() - before
    assert path.stat().st_size > 40_000_000
    assert (len(found), grown < 4_000) == (100, True)


@settings(max_examples=40)
@given(st.lists(st.lists(st.integers(0, 1), min_size=6, max_size=6), min_size=4, max_size=4))
def test_run_lengths_and_their_compressed_form_are_one_region(rows: list[list[int]]) -> None:
    mask = np.array(rows, dtype=bool)
    flat = [*mask.T.ravel().tolist()]
    counts, value = [0], False
    for pixel in flat:
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    packed = encode_mask(mask)
    assert region(Code(size=(4, 6), counts=counts), height=4, width=6) == packed
    assert region(Code(size=(4, 6), counts=packed.counts), height=4, width=6) == packed
    assert region([Code(size=(4, 6), counts=counts)], height=4, width=6) == packed


def test_polygons_are_drawn_as_pycocotools_draws_them_and_united() -> None:
    parts: list[list[float] | Code] = [[1.0, 1.0, 5.0, 1.0, 5.0, 4.0], [3.0, 1.0, 7.5, 1.0, 7.5, 6.0, 3.0, 6.0]]
    united = region(parts, height=8, width=10)
    assert united is not None
    drawn = coco.frPyObjects(parts, 8, 10)  # type: ignore[arg-type]
    alone = [decode_mask(MaskRle(height=8, width=10, counts=code["counts"].decode())) for code in drawn]
    assert (alone[0] & alone[1]).any()
    assert np.array_equal(decode_mask(united), alone[0] | alone[1])


def test_no_region_and_polygons_of_two_points_are_none() -> None:
    assert region([], height=8, width=10) is None
    assert region([[1.0, 1.0, 4.0, 4.0]], height=8, width=10) is None  # four numbers: pycocotools would take them for a box


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([[1.0, 1.0, 5.0, 1.0, 5.0, 4.0, 2.0]], "a polygon of 7 numbers"),
        ([[1.0, 1.0, 5.0, 1.0, 1e9, 4.0]], "far outside its picture of 10x8 pixels"),
        ([[1.0, 1.0, float("nan"), 1.0, 5.0, 4.0]], "far outside"),
        ([[0.0, 0.0, 10.0, 8.0] * 200_000], "outline is 4,000,000 pixels long"),
        (Code(size=(4, 6), counts=[20, 5]), "a sum of 24, found 2 with the sum 25"),
        (Code(size=(4, 6), counts=[-1, 25]), "none below 0"),
        (Code(size=(100_000, 100_000), counts=[10**10]), "a mask of 100000x100000 pixels"),
    ],
)
def test_regions_that_cannot_be_are_refused_before_anything_is_drawn(parts: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        region(parts, height=8, width=10)  # type: ignore[arg-type]


def test_a_picture_larger_than_any_is_refused() -> None:
    with pytest.raises(InputError, match="polygons of a picture of 100000x100000 pixels"):
        region([[1.0, 1.0, 5.0, 1.0, 5.0, 4.0]], height=100_000, width=100_000)
