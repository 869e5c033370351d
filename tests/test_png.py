"""Spliced PNG files are read by others as the side-by-side picture, bit by bit."""

import io
import zlib

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sightline.png import altered, splice, strip

shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(left=shapes, right=shapes, seed=st.integers(0, 1000))
def test_two_strips_make_the_side_by_side_picture(left: tuple[int, int], right: tuple[int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in (left, right))
    height = max(a.shape[0], b.shape[0])
    expected = np.zeros((height, a.shape[1] + b.shape[1], 3), np.uint8)
    expected[: a.shape[0], : a.shape[1]] = a
    expected[: b.shape[0], a.shape[1] :] = b
    content = splice([strip(a, height=height), strip(b, height=height)])
    assert np.array_equal(np.array(Image.open(io.BytesIO(content))), expected)
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert decoded is not None
    assert np.array_equal(decoded, expected)


def test_a_large_bright_picture_has_a_right_checksum() -> None:
    # long rows of 255 carry the Adler sums around their modulus many times
    white = np.full((300, 700, 3), 255, np.uint8)
    white[::2] = 254
    content = splice([strip(white), strip(white), strip(white)])
    picture = Image.open(io.BytesIO(content))
    assert picture.size == (2100, 300)
    assert np.array_equal(np.array(picture), np.concatenate([white] * 3, axis=1))
    start = content.index(b"IDAT") + 4
    length = int.from_bytes(content[start - 8 : start - 4])
    raw = zlib.decompress(content[start : start + length])  # raises on a wrong Adler-32
    assert len(raw) == 300 * (1 + 3 * 2100)


def test_one_strip_serves_many_pictures() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 256, (8, 5, 3), dtype=np.uint8) for _ in range(2))
    left, right = strip(a), strip(b)
    for parts, pixels in (((left, right), (a, b)), ((right, left), (b, a)), ((left,), (a,))):
        decoded = np.array(Image.open(io.BytesIO(splice(parts))))
        assert np.array_equal(decoded, np.concatenate(pixels, axis=1))


def test_a_row_longer_than_a_block_of_the_compressor_is_whole() -> None:
    # 4000 x 3 bytes of noise: literals of one row fill the compressor's buffer and begin a second block
    noise = np.random.default_rng(1).integers(0, 256, (3, 4000, 3), dtype=np.uint8)
    decoded = np.array(Image.open(io.BytesIO(splice([strip(noise), strip(noise[:, :7])]))))
    assert np.array_equal(decoded, np.concatenate((noise, noise[:, :7]), axis=1))


@given(height=st.integers(1, 9), width=st.integers(1, 9), rows=st.sets(st.integers(0, 8)), seed=st.integers(0, 1000))
def test_a_picture_that_changed_in_some_rows_has_the_strip_it_would_have_anew(
    height: int, width: int, rows: set[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    old = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    new = old.copy()
    for row in rows:
        new[row : row + 1, rng.integers(0, width)] += 1
    found, expected = altered(strip(old), old, new), strip(new)
    assert found.rows == expected.rows
    assert np.array_equal(found.sums, expected.sums)
    assert np.array_equal(found.weighted, expected.weighted)
    assert np.array_equal(np.array(Image.open(io.BytesIO(splice([found])))), new)
