import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageOps

from sightline.errors import InputError
from sightline.media import encode_grey_png, encode_png, pixel_digest, read_depth, read_mask, read_rgb
from sightline.picture_header import Header, Limits, probe

READERS = [probe, read_rgb, read_mask, lambda path, limits=Limits(): read_depth(path, 0.001, limits)]  # noqa: B008


def saved(path: Path, array, mode=None, **options) -> Path:
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    (image if mode is None else image.convert(mode)).save(path, **options)
    return path


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_header(width: int, height: int, bits=8, colour=2) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


RGB = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 10


# ---------------------------------------------------------------- headers and limits


def test_probe_reads_size_mode_and_format(tmp_path):
    assert probe(saved(tmp_path / "a.png", RGB)) == Header(width=3, height=2, mode="RGB", format="PNG", orientation=1)
    assert probe(saved(tmp_path / "a.jpg", RGB[:, :, 0])) == Header(width=3, height=2, mode="L", format="JPEG", orientation=1)
    assert probe(saved(tmp_path / "d.png", RGB[:, :, 0].astype(np.uint16))).mode == "I;16"


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": exif(6), "quality": 90}])
def test_probe_reads_the_three_kinds_of_webp(tmp_path, options):
    path = saved(tmp_path / "a.webp", np.zeros((20, 33, 3), np.uint8), format="WEBP", **options)
    header = probe(path)
    assert (header.format, header.width, header.height) == ("WEBP", *((20, 33) if "exif" in options else (33, 20)))
    assert read_rgb(path).shape == (header.height, header.width, 3)


def test_a_name_does_not_tell_the_format(tmp_path):
    assert probe(saved(tmp_path / "really_png.jpg", RGB, format="PNG")).format == "PNG"


@pytest.mark.parametrize("read", READERS)
def test_a_huge_png_is_refused_from_its_header_alone(tmp_path, read):
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(30_000, 30_000) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))
    with pytest.raises(InputError, match=r"huge\.png: picture of 30,000 x 30,000 pixels; expected 1 to 100,000,000"):
        read(path)


def test_a_huge_webp_is_refused_before_its_canvas_is_allocated(tmp_path):
    path = saved(tmp_path / "a.webp", np.zeros((4, 4, 3), np.uint8), lossless=True)
    content = bytearray(path.read_bytes())
    content[21:25] = (16383 | 16383 << 14).to_bytes(4, "little")  # 16384 x 16384
    path.write_bytes(content)
    with pytest.raises(InputError, match="picture of 16,384 x 16,384"):
        probe(path)


def test_a_picture_at_the_limit_is_read_and_one_above_it_refused(tmp_path):
    path = saved(tmp_path / "a.png", RGB)  # 6 pixels
    assert read_rgb(path, Limits(max_pixels=6)).shape == (2, 3, 3)
    with pytest.raises(InputError, match="expected 1 to 5 pixels"):
        read_rgb(path, Limits(max_pixels=5))


def test_a_file_above_the_limit_is_refused(tmp_path):
    path = saved(tmp_path / "a.png", RGB)
    size = path.stat().st_size
    assert probe(path, Limits(max_file_bytes=size)).width == 3
    with pytest.raises(InputError, match=f"file of {size} bytes; at most {size - 1}"):
        probe(path, Limits(max_file_bytes=size - 1))


@pytest.mark.parametrize("read", READERS)
def test_a_missing_file_is_named(tmp_path, read):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.png"):
        read(tmp_path / "nowhere.png")
    with pytest.raises(FileNotFoundError, match="no such picture file"):
        read(tmp_path)  # a folder


@pytest.mark.parametrize("content", [b"", b"P", b"hello, this is not a picture at all", b"BM" + bytes(60), b"II*\0" + bytes(60)])
@pytest.mark.parametrize("read", READERS)
def test_other_files_are_refused(tmp_path, read, content):
    path = tmp_path / "odd.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"odd\.png: expected a PNG, JPEG or WebP picture"):
        read(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_a_file_cut_off_anywhere_is_refused_and_named(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    content = saved(tmp_path / name, noise).read_bytes()
    for length in {*range(0, 60, 3), *range(60, len(content) - 20, 97)}:
        (tmp_path / name).write_bytes(content[:length])
        with pytest.raises(InputError, match=name):
            read_rgb(tmp_path / name)


def test_damaged_pixel_data_is_refused(tmp_path):
    content = bytearray(
        saved(tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (24, 24, 3), dtype=np.uint8)).read_bytes()
    )
    content[60:80] = bytes(20)
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png: the picture"):
        read_rgb(tmp_path / "a.png")


@given(st.binary(max_size=120))
def test_any_bytes_after_a_png_signature_are_refused_or_read(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.png"
    path.write_bytes(png_header(2, 2) + content)
    with pytest.raises(InputError, match=r"fuzz\.png"):
        read_rgb(path)


def test_animations_are_refused(tmp_path):
    frames = [Image.fromarray(np.full((4, 4, 3), value, np.uint8)) for value in (0, 200)]
    for name in ("a.png", "a.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        with pytest.raises(InputError, match="an animation"):
            probe(tmp_path / name)


# ---------------------------------------------------------------- RGB


def test_grey_palette_and_one_bit_become_rgb(tmp_path):
    grey = np.array([[0, 128, 255]], dtype=np.uint8)
    as_rgb = grey[:, :, None].repeat(3, axis=2)
    assert (read_rgb(saved(tmp_path / "l.png", grey)) == as_rgb).all()
    assert (read_rgb(saved(tmp_path / "1.png", grey > 100)) == np.array([[[0] * 3, [255] * 3, [255] * 3]])).all()
    palette = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8)).convert("P")
    palette.putdata([0, 1, 2])
    palette.putpalette([1, 2, 3, 40, 50, 60, 255, 254, 253])
    assert read_rgb(saved(tmp_path / "p.png", palette)).tolist() == [[[1, 2, 3], [40, 50, 60], [255, 254, 253]]]


def test_alpha_is_dropped_and_not_blended(tmp_path):
    alpha = np.array([[0, 128, 255], [0, 128, 255]], dtype=np.uint8)
    assert (read_rgb(saved(tmp_path / "rgba.png", np.dstack([RGB, alpha]))) == RGB).all()
    assert (read_rgb(saved(tmp_path / "la.png", np.dstack([RGB[:, :, 0], alpha]))) == RGB[:, :, :1]).all()


def test_a_palette_with_transparent_entries_keeps_its_colours(tmp_path):
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putdata([0, 1])
    path = saved(tmp_path / "p.png", palette, transparency=b"\x00\x80")
    assert read_rgb(path).tolist() == [[[10, 20, 30], [40, 50, 60]]]


def test_cmyk_jpeg_becomes_rgb(tmp_path):
    path = saved(tmp_path / "c.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), quality=95)
    assert probe(path).mode == "CMYK"
    assert np.abs(read_rgb(path).astype(int) - [255, 0, 0]).max() <= 3  # no cyan, all magenta and yellow: red


def test_sixteen_bit_grey_is_scaled_and_rounded(tmp_path):
    # 65535 / 257 = 255, 257 / 257 = 1, 128 / 257 = 0.498 -> 0, 129 / 257 = 0.502 -> 1, 32768 / 257 = 127.5 -> 128 (127.502)
    path = saved(tmp_path / "g.png", np.array([[0, 128, 129, 257, 32768, 65535]], dtype=np.uint16))
    assert read_rgb(path)[0].tolist() == [[value] * 3 for value in (0, 0, 1, 1, 128, 255)]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_exif_orientation_is_applied_like_a_viewer_does(tmp_path, orientation, suffix):
    blocks = np.random.default_rng(0).integers(0, 255, (2, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    path = saved(tmp_path / f"a.{suffix}", blocks, exif=exif(orientation))
    with Image.open(path) as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    read = read_rgb(path)[:, :, 0]
    assert (read == upright).all()
    header = probe(path)
    assert (header.height, header.width, header.orientation) == (*upright.shape, orientation)


def test_orientation_6_puts_the_first_stored_column_on_top(tmp_path):
    # Stored [[a, b, c], [d, e, f]]; 6: the first row is the right-hand side, the first column is the top: [[d, a], [e, b], [f, c]].
    grey = np.array([[10, 20, 30], [40, 50, 60]], dtype=np.uint8)
    assert read_rgb(saved(tmp_path / "a.png", grey, exif=exif(6)))[:, :, 0].tolist() == [[40, 10], [50, 20], [60, 30]]


@pytest.mark.parametrize(
    "tags", [b"Exif\0\0II*\0", b"Exif\0\0nonsense", exif(6)[:-8], exif(0), exif(9), b"Exif\0\0II*\0\xff\xff\xff\xff"]
)
def test_an_orientation_that_cannot_be_read_counts_as_stored(tmp_path, tags):
    for name in ("a.png", "a.jpg"):
        path = saved(tmp_path / name, RGB[:, :, 0], exif=tags)
        assert probe(path) == Header(width=3, height=2, mode="L", format=probe(path).format, orientation=1)


def test_big_endian_exif_is_read(tmp_path):
    tags = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 8, 0, 0)
    assert probe(saved(tmp_path / "a.jpg", RGB, exif=tags)).orientation == 8


# ---------------------------------------------------------------- masks

OBJECT = np.array([[False, True, True], [False, False, True]])


@pytest.mark.parametrize(
    "array",
    [
        OBJECT,
        OBJECT * np.uint8(255),
        np.where(OBJECT, 128, 127).astype(np.uint8),
        np.where(OBJECT, 32768, 32767).astype(np.uint16),
        (OBJECT * np.uint8(255))[:, :, None].repeat(3, axis=2),
        (np.where(OBJECT, 255, 0).astype(np.uint8))[:, :, None].repeat(4, axis=2) | np.array([0, 0, 0, 255], np.uint8),
    ],
    ids=["1-bit", "grey", "threshold 128", "16-bit threshold", "rgb", "rgba"],
)
def test_each_kind_of_mask_gives_the_same_object(tmp_path, array):
    assert (read_mask(saved(tmp_path / "m.png", array)) == OBJECT).all()


def labelled(path, indices):
    image = Image.new("P", (len(indices), 1))
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    image.putdata(indices)
    return saved(path, image)


def test_a_palette_mask_is_set_where_the_index_is_not_zero(tmp_path):
    assert read_mask(labelled(tmp_path / "m.png", [0, 2, 2, 0])).tolist() == [[False, True, True, False]]
    assert not read_mask(labelled(tmp_path / "m.png", [0, 0])).any()


def test_a_palette_mask_of_several_objects_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"m\.png: a palette mask with 2 labels \(1, 2\)"):
        read_mask(labelled(tmp_path / "m.png", [0, 1, 2, 0]))


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (OBJECT * np.uint8(1), r"values \(0, 1\) all lie below the threshold 128"),
        (np.full((2, 3), 7, np.uint8), r"values \(7\)"),
        (np.where(OBJECT, 127, 3).astype(np.uint8), r"values \(3, 127\)"),
        (OBJECT * np.uint16(255), r"values \(0, 255\) all lie below the threshold 32768"),
        ((OBJECT * np.uint8(1))[:, :, None].repeat(3, axis=2), r"values \(0, 1\)"),
        (RGB, "a mask in colours"),
        (np.dstack([RGB[:, :, :1].repeat(3, axis=2), OBJECT * np.uint8(255)]), "transparent part"),
        (np.dstack([RGB[:, :, 0], OBJECT * np.uint8(255)]), "transparent part"),
    ],
)
def test_a_mask_that_would_be_misread_is_refused(tmp_path, array, reason):
    with pytest.raises(InputError, match=reason):
        read_mask(saved(tmp_path / "m.png", array))


def test_a_mask_of_four_inks_is_refused(tmp_path):
    with pytest.raises(InputError, match="mode CMYK is not a mask"):
        read_mask(saved(tmp_path / "m.jpg", Image.new("CMYK", (8, 8))))


def test_a_black_mask_and_a_faint_soft_one_are_empty(tmp_path):
    assert not read_mask(saved(tmp_path / "m.png", np.zeros((2, 3), np.uint8))).any()
    soft = np.arange(100, dtype=np.uint8).reshape(10, 10)  # 100 values below 128
    assert not read_mask(saved(tmp_path / "s.png", soft)).any()


def test_a_mask_is_turned_upright_like_its_picture(tmp_path):
    path = saved(tmp_path / "m.png", OBJECT * np.uint8(255), exif=exif(3))  # half a turn
    assert (read_mask(path) == OBJECT[::-1, ::-1]).all()


# ---------------------------------------------------------------- depth


def test_depth_is_stored_value_times_scale_and_zero_stays_zero(tmp_path):
    path = saved(tmp_path / "d.png", np.array([[0, 1, 5000, 65535]], dtype=np.uint16))
    depth = read_depth(path, 1 / 5000)
    assert depth.dtype == np.float32
    assert depth[0].tolist() == pytest.approx([0.0, 0.0002, 1.0, 13.107])


@pytest.mark.parametrize(("array", "mode"), [(RGB[:, :, 0], "L"), (RGB, "RGB"), (OBJECT, "1")])
def test_depth_of_other_bits_or_channels_is_refused(tmp_path, array, mode):
    with pytest.raises(InputError, match=rf"d\.png: depth must be a PNG with one 16-bit channel, found PNG of mode {mode}"):
        read_depth(saved(tmp_path / "d.png", array), 0.001)


def test_sixteen_bit_colour_is_not_depth(tmp_path):
    path = tmp_path / "d.png"
    path.write_bytes(cv2.imencode(".png", np.zeros((2, 3, 3), np.uint16))[1].tobytes())
    with pytest.raises(InputError, match="found PNG of mode RGB"):
        read_depth(path, 0.001)


@pytest.mark.parametrize("scale", [0.0, -0.001, float("nan"), float("inf")])
def test_a_depth_scale_that_is_no_scale_is_refused(tmp_path, scale):
    path = saved(tmp_path / "d.png", np.zeros((2, 2), np.uint16))
    with pytest.raises(InputError, match="metres per unit"):
        read_depth(path, scale)


# ---------------------------------------------------------------- out, and names of content

pictures = hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))


@given(pictures)
def test_reading_undoes_encoding(tmp_path_factory, rgb):
    path = tmp_path_factory.getbasetemp() / "round.png"
    path.write_bytes(encode_png(rgb))
    assert (read_rgb(path) == rgb).all()
    assert encode_png(np.asfortranarray(rgb)) == path.read_bytes()


@given(hnp.arrays(st.sampled_from([np.uint8, np.uint16]), hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_grey_keeps_its_values_and_bits(grey):
    with Image.open(io.BytesIO(encode_grey_png(grey))) as image:
        assert image.mode == ("L" if grey.dtype == np.uint8 else "I;16")
        assert (np.asarray(image) == grey).all()


def test_the_digest_is_that_of_shape_and_pixels():
    assert pixel_digest(RGB) == blake3(b"2 3 " + bytes(range(0, 180, 10))).hexdigest(length=16)
    assert pixel_digest(np.asfortranarray(RGB)) == pixel_digest(RGB)
    assert pixel_digest(RGB.reshape(3, 2, 3)) != pixel_digest(RGB)
    assert pixel_digest(RGB[:, ::-1]) != pixel_digest(RGB)


def test_a_re_encoded_copy_has_the_same_digest(tmp_path):
    slow = saved(tmp_path / "slow.png", RGB, compress_level=9)
    webp = saved(tmp_path / "a.webp", RGB, lossless=True)
    (tmp_path / "fast.png").write_bytes(encode_png(RGB))
    assert pixel_digest(read_rgb(slow)) == pixel_digest(read_rgb(webp)) == pixel_digest(read_rgb(tmp_path / "fast.png"))


# ---------------------------------------------------------------- real files


def test_real_pictures_masks_and_depth_are_read(shared_data):
    folder = shared_data / "icl_nuim_5view"
    assert read_rgb(folder / "color" / "1.png").shape == (480, 640, 3)
    depth = read_depth(folder / "depth" / "1.png", 1 / 5000)
    assert depth.shape == (480, 640)
    assert 0.5 < np.median(depth[depth > 0]) < 6  # a living room, in metres
    masks = sorted((shared_data / "x3_icl_nuim").rglob("*_mask.png"))
    assert len(masks) == 15
    assert {read_mask(path).shape for path in masks} == {(480, 640)}


def test_real_palette_results_with_several_objects_are_refused(shared_data):
    kinds = {"one": 0, "several": 0}
    for path in sorted((shared_data / "davis" / "osvos_results").rglob("*.png"))[::20]:
        labels = set(np.unique(np.asarray(Image.open(path)))) - {0}
        if len(labels) > 1:
            with pytest.raises(InputError, match="labels"):
                read_mask(path)
            kinds["several"] += 1
        else:
            assert read_mask(path).any() == bool(labels)
            kinds["one"] += 1
    assert all(kinds.values())
