"""Three ways in which depth stands in a file: exact values, round trips, and files of another kind."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from sightline.depth_codecs import (
    CODECS,
    UnusableDepthError,
    encode_metric_f32,
    encode_mm_u16,
    encode_u8x3_minmax,
    get_codec,
    inverse_picture,
    minmax_picture,
    read_metric_f32,
    read_mm_u16,
    read_u8x3_minmax,
    share_beyond_u16,
)
from sightline.errors import InputError
from sightline.picture_header import Limits

NEAR_AND_FAR = np.array([[0.5, 1.0, 2.0], [4.0, 8.0, 10.0]], dtype=np.float32)
SIZES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=5)


def in_file(folder: Path, content: bytes, name: str = "depth") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def npy(array) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def png(array) -> bytes:
    content = io.BytesIO()
    Image.fromarray(array).save(content, format="PNG")
    return content.getvalue()


# ---------------------------------------------------------------- values


def test_min_max_is_cut_to_whole_numbers_and_the_nearest_is_255():
    inverse = np.array([[2.0, 6.0], [3.0, 2.5]])
    # (d - 2) / 4 * 255: 0, 255, 63.75 -> 63, 31.875 -> 31
    expected = [[0, 255], [63, 31]]
    assert minmax_picture(inverse)[:, :, 0].tolist() == expected
    assert np.array_equal(
        minmax_picture(inverse * 8 + 16), minmax_picture(inverse)
    )  # powers of two: scale and offset are lost exactly


def test_metres_become_inverse_depth_and_what_has_none_becomes_0():
    picture = inverse_picture(np.array([[1.0, 2.0], [4.0, 0.0]]))
    # 1/d: 1, 1/2, 1/4; (1/d - 1/4) / (3/4) * 255: 255, 85, 0
    assert picture[:, :, 0].tolist() == [[255, 85], [0, 0]]
    assert (picture == picture[:, :, :1]).all()


def test_millimetres_are_rounded_and_0_where_there_is_none_or_it_is_too_far(tmp_path):
    metres = np.array([[1.0004, 1.0006, -0.1], [65.535, 65.6, 0.0]])
    path = in_file(tmp_path, encode_mm_u16(metres))
    with Image.open(path) as image:
        assert np.asarray(image).tolist() == [[1000, 1001, 0], [65535, 0, 0]]
    assert share_beyond_u16(metres) == pytest.approx(1 / 6)


def test_the_8_bit_codec_gives_the_pictures_of_the_official_code(shared_data, tmp_path):
    folder = shared_data.parent / "golden" / "roborefer"
    compared = 0
    for case in ("case_4_rgbd_dynamic", "case_5_two_rgbd_dynamic", "case_8_rgbd_resize"):
        tensors = read_safetensors(folder / f"{case}.safetensors")
        for name, relative in tensors.items():
            if name.startswith("depth_") and name.endswith(".relative"):
                path = in_file(tmp_path, encode_u8x3_minmax(relative))
                assert np.array_equal(read_u8x3_minmax(path), tensors[name.replace("relative", "raw")]), (case, name)
                compared += 1
    assert compared == 4


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """float32 and uint8 tensors of the file: 8 bytes with the header's length, the JSON header, the numbers."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    kinds = {"F32": np.float32, "U8": np.uint8}
    return {
        name: np.frombuffer(content[start:][slice(*entry["data_offsets"])], kinds[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in json.loads(content[8:start]).items()
        if name != "__metadata__" and entry["dtype"] in kinds
    }


# ---------------------------------------------------------------- round trips


@given(hnp.arrays(np.float32, SIZES, elements=st.floats(0.25, 60, width=32)))
def test_metres_come_back_from_float32_exactly_and_from_millimetres_within_half_of_one(tmp_path_factory, metres):
    metres = np.append(metres, metres[:1] + 1, axis=0)  # so that it is not constant
    folder = tmp_path_factory.mktemp("depth")
    assert np.array_equal(read_metric_f32(in_file(folder, encode_metric_f32(metres))), metres)
    back = read_mm_u16(in_file(folder, encode_mm_u16(metres)))
    assert np.abs(back.astype(np.float64) - metres).max() <= 0.0005 + 1e-5


@given(hnp.arrays(np.uint8, SIZES))
def test_a_picture_that_uses_the_whole_range_comes_back_exactly(tmp_path_factory, grey):
    grey.flat[0] = 0
    full = np.append(grey, np.full_like(grey[:1], 255), axis=0)
    path = in_file(tmp_path_factory.mktemp("depth"), encode_u8x3_minmax(full.astype(np.float32)))
    assert np.array_equal(read_u8x3_minmax(path), np.repeat(full[:, :, None], 3, axis=2))


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_the_header_alone_gives_width_and_height(tmp_path, codec):
    path = in_file(tmp_path, codec.encode(NEAR_AND_FAR))
    assert codec.probe(path) == (3, 2)
    assert codec.read(path).shape[:2] == (2, 3)


# ---------------------------------------------------------------- maps that no file should hold


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.zeros((2, 3)), "constant_depth"),
        (np.full((2, 3), 1.5), "constant_depth"),
        (1.5 + 1e-6 * NEAR_AND_FAR, "constant_depth"),
        (np.where(NEAR_AND_FAR > 8, np.nan, NEAR_AND_FAR), "non_finite_depth"),
        (np.where(NEAR_AND_FAR > 8, np.inf, NEAR_AND_FAR), "non_finite_depth"),
    ],
)
def test_a_constant_or_non_finite_map_is_never_written(codec, values, reason):
    with pytest.raises(UnusableDepthError) as caught:
        codec.encode(values)
    assert caught.value.reason == reason


def test_a_map_that_is_constant_only_in_millimetres_is_not_written_so():
    far = 70 + NEAR_AND_FAR
    with pytest.raises(UnusableDepthError, match="every pixel would be 0 mm"):
        encode_mm_u16(far)
    assert encode_metric_f32(far)


@pytest.mark.parametrize("metres", [np.zeros((2, 2)), np.full((2, 2), 1.5), np.array([[1.5, 0.0]])])
def test_fewer_than_two_depths_have_no_min_max(metres):
    with pytest.raises(UnusableDepthError):
        inverse_picture(metres)


# ---------------------------------------------------------------- files of another kind

GREY = np.arange(6, dtype=np.uint8).reshape(2, 3)
COLOURS = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("u8x3_minmax", png(GREY), "three channels of 8 bits, found PNG of mode L"),
        ("u8x3_minmax", png(GREY.astype(np.uint16)), "found PNG of mode I;16"),
        ("u8x3_minmax", png(np.repeat(GREY[:, :, None], 4, axis=2)), "found PNG of mode RGBA"),
        ("u8x3_minmax", png(COLOURS), "depth in colours"),
        ("u8x3_minmax", npy(NEAR_AND_FAR), "expected a PNG, JPEG or WebP"),
        ("mm_u16", png(GREY), "one 16-bit channel, found PNG of mode L"),
        ("mm_u16", png(COLOURS), "one 16-bit channel, found PNG of mode RGB"),
        ("metric_f32", png(GREY), "header cannot be read"),
        ("metric_f32", npy(NEAR_AND_FAR.astype(np.float64)), "found float64 of shape"),
        ("metric_f32", npy(NEAR_AND_FAR.astype(">f4")), "found >f4 of shape"),
        ("metric_f32", npy(np.asfortranarray(NEAR_AND_FAR)), "in columns"),
        ("metric_f32", npy(np.repeat(NEAR_AND_FAR[:, :, None], 3, axis=2)), r"found float32 of shape \(2, 3, 3\)"),
        ("metric_f32", npy(NEAR_AND_FAR)[:-1], "cut short or damaged"),
        ("metric_f32", npy(NEAR_AND_FAR)[:20], "header cannot be read"),
        ("metric_f32", npy(-NEAR_AND_FAR), "negative, infinite or not a number"),
        ("metric_f32", npy(np.full((2, 3), np.nan, np.float32)), "not a number"),
        ("metric_f32", npy(np.array([[{}]], dtype=object)), "found object"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_name(tmp_path, name, content, message):
    with pytest.raises(InputError, match=message):
        get_codec(name).read(in_file(tmp_path, content))


@pytest.mark.parametrize("name", ["u8x3_minmax", "mm_u16"])
@pytest.mark.parametrize("array", [GREY, np.repeat(GREY[:, :, None], 4, axis=2)])
def test_the_header_is_enough_to_refuse_another_number_of_channels(tmp_path, name, array):
    with pytest.raises(InputError, match=f"{name} is a PNG with"):
        get_codec(name).probe(in_file(tmp_path, png(array)))


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_size_is_checked_before_numbers_are_read(tmp_path, codec):
    path = in_file(tmp_path, codec.encode(NEAR_AND_FAR))
    for read in (codec.read, codec.probe):
        with pytest.raises(InputError, match=r"expected 1 to 5 pixels"):
            read(path, Limits(max_pixels=5))


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_a_missing_file_is_missing(tmp_path, codec):
    with pytest.raises(FileNotFoundError):
        codec.read(tmp_path / "none")


def test_an_unknown_codec_lists_the_choices():
    with pytest.raises(InputError, match=r"no depth codec is called 'u16'. Choices: u8x3_minmax, mm_u16, metric_f32"):
        get_codec("u16")
