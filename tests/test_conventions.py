"""One test for each numbered sentence of docs/conventions.md. The modules' own tests go into the details."""

import math
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError
from sightline.geometry.boxes import clip_box, mask_to_box, pairwise_iou
from sightline.geometry.camera import check_pose, project, scale_camera, unproject
from sightline.geometry.masks import decode_mask, encode_mask, mask_id, rle_area
from sightline.geometry.points import hits_mask, pixel_index, truth_point
from sightline.geometry.resize import scale_box, scale_point
from sightline.geometry.visibility import frame_overlap, mask_points, point_visibility
from sightline.media import encode_grey_png, encode_png, pixel_digest, read_depth, read_mask, read_rgb
from sightline.picture_header import probe
from sightline.types import Camera, MaskRle

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "conventions.md"
SENTENCES = re.findall(r"^C(\d+)\. ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
FILES = (Path(__file__), Path(__file__).with_name("test_conventions_of_tasks.py"))
TESTS = [name for path in FILES for name in re.findall(r"^def test_c(\d+)_", path.read_text(encoding="utf-8"), flags=re.MULTILINE)]

RING = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=bool)


def mask_of(*pixels, shape=(4, 6)):
    mask = np.zeros(shape, dtype=bool)
    for pixel in pixels:
        mask[pixel] = True
    return mask


def camera(pose=None, *, fy=4.0, world="w"):
    """8 x 4 pixels, principal point in the middle of the picture, 4 pixels a metre at 1 m."""
    matrix = np.eye(4) if pose is None else pose
    return Camera(width=8, height=4, fx=4.0, fy=fy, cx=4.0, cy=2.0, camera_to_world=tuple(matrix.ravel().tolist()), world=world)


def seen(z_m, depth_m, x_m=0.0):
    """(visible, occluded) of the world point (x_m, 0, z_m) where the picture measures `depth_m` everywhere."""
    judged = point_visibility(np.array([[x_m, 0.0, z_m]]), camera(), np.full((4, 8), depth_m))
    return bool(judged.visible[0]), bool(judged.occluded[0])


def turned(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def test_the_document_numbers_its_sentences_from_one_without_gaps():
    assert list(map(int, SENTENCES)) == list(range(1, len(SENTENCES) + 1))
    assert len(SENTENCES) >= 38


@pytest.mark.parametrize("number", sorted({*SENTENCES, *TESTS}, key=int))
def test_each_sentence_has_one_test_and_each_test_its_sentence(number):
    assert TESTS.count(number) == 1, f"C{number} has {TESTS.count(number)} tests"
    assert number in SENTENCES, f"test_c{number}_... has no sentence C{number}"


def test_c1_a_pixel_covers_its_half_open_square():
    assert {pixel_index(x, y, 6, 4) for x in (2.0, 2.5, 2.999) for y in (1.0, 1.5, 1.999)} == {(1, 2)}
    assert pixel_index(3.0, 1.0, 6, 4) == (1, 3)
    assert pixel_index(2.0, 2.0, 6, 4) == (2, 2)


def test_c2_a_pixels_centre_is_half_a_pixel_in():
    assert truth_point(mask_of((1, 2)), np.random.default_rng(0)) == (2.5, 1.5)
    # The centre (4.5, 2.5) is half a pixel right of and below the principal point (4, 2): 0.5 / 4 m at 1 m.
    assert mask_points(mask_of((2, 4), shape=(4, 8)), np.ones((4, 8)), camera()).tolist() == [[0.125, 0.125, 1.0]]


def test_c3_the_far_borders_belong_to_the_last_column_and_row():
    assert pixel_index(6.0, 4.0, 6, 4) == (3, 5)


def test_c4_a_point_hits_where_the_pixel_of_its_floor_is_set():
    mask = mask_of((1, 2))
    assert hits_mask(mask, 2.0, 1.0)
    assert hits_mask(mask, 2.99, 1.99)
    assert not hits_mask(mask, 3.0, 1.5)  # rounding 2.6 up would hit column 3, floor does not
    assert not hits_mask(mask, 1.99, 1.5)


def test_c5_a_point_outside_hits_nothing():
    everything = np.ones((4, 6), dtype=bool)
    for x, y in ((-0.001, 1.0), (6.001, 1.0), (1.0, -0.001), (1.0, 4.001), (math.nan, 1.0), (1.0, math.inf)):
        assert pixel_index(x, y, 6, 4) is None
        assert not hits_mask(everything, x, y)


def test_c6_the_truth_point_is_the_box_centre_or_a_drawn_pixel():
    assert truth_point(np.ones((2, 4), dtype=bool), np.random.default_rng(0)) == (2.0, 1.0)
    drawn = {truth_point(RING, np.random.default_rng(seed)) for seed in range(200)}
    assert drawn == {(c + 0.5, r + 0.5) for r in range(3) for c in range(3) if (r, c) != (1, 1)}


def test_c7_a_masks_box_ends_after_its_last_pixel():
    assert mask_to_box(mask_of((1, 2), (2, 4))) == (2.0, 1.0, 5.0, 3.0)


def test_c8_the_box_of_one_pixel_is_one_by_one():
    assert mask_to_box(mask_of((1, 2))) == (2.0, 1.0, 3.0, 2.0)


def test_c9_an_empty_mask_has_no_box():
    assert mask_to_box(mask_of()) is None


def test_c10_clipping_keeps_the_part_inside():
    assert clip_box((-2.0, 1.0, 3.0, 9.0), 6, 4) == (0.0, 1.0, 3.0, 4.0)
    assert clip_box((7.0, 1.0, 9.0, 2.0), 6, 4) is None
    assert clip_box((3.0, 1.0, 1.0, 2.0), 6, 4) is None


def test_c11_the_iou_of_boxes_without_area_is_zero():
    assert pairwise_iou(np.array([[1.0, 1, 1, 1]]), np.array([[1.0, 1, 1, 1]])).tolist() == [[0.0]]


def test_c12_masks_are_bool_in_memory_and_coco_code_in_records():
    code = encode_mask(mask_of((0, 1), shape=(2, 2)))
    assert code == MaskRle(height=2, width=2, counts="211")  # by columns: 2 background, 1 object, 1 background
    assert decode_mask(code).dtype == np.bool_
    assert decode_mask(code).tolist() == [[False, True], [False, False]]


def test_c13_equal_masks_have_equal_names_and_others_have_others():
    names = [mask_id(encode_mask(mask)) for mask in (RING, np.asfortranarray(RING), ~RING, RING[:2])]
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_c14_a_code_is_checked_before_anything_is_allocated():
    # 10,000 x 10,000 is within the limit, and its bitmap would be 100 MB; a wrong sum is found from three characters.
    for read in (decode_mask, rle_area):
        with pytest.raises(InputError, match="add up to 4 pixels, expected 100,000,000"):
            read(MaskRle(height=10_000, width=10_000, counts="211"))
    with pytest.raises(InputError, match="at most 100,000,000 pixels"):
        decode_mask(MaskRle(height=10**6, width=10**6, counts="211"))


def test_c15_grey_masks_are_set_from_half_of_their_range(tmp_path):
    for name, values in (
        ("8.png", np.array([[0, 127, 128, 255]], np.uint8)),
        ("16.png", np.array([[0, 32767, 32768, 65535]], np.uint16)),
    ):
        (tmp_path / name).write_bytes(encode_grey_png(values))
        assert read_mask(tmp_path / name).tolist() == [[False, False, True, True]]


def test_c16_a_palette_mask_has_one_label(tmp_path):
    image = Image.new("P", (3, 1))
    image.putpalette([0, 0, 0, 9, 9, 9, 8, 8, 8])
    image.putdata([0, 2, 0])
    image.save(tmp_path / "one.png")
    assert read_mask(tmp_path / "one.png").tolist() == [[False, True, False]]
    image.putdata([0, 2, 1])
    image.save(tmp_path / "two.png")
    with pytest.raises(InputError, match="2 labels"):
        read_mask(tmp_path / "two.png")


def test_c17_label_numbers_are_not_taken_for_an_empty_mask(tmp_path):
    (tmp_path / "m.png").write_bytes(encode_grey_png(RING.astype(np.uint8)))
    with pytest.raises(InputError, match="would be read as empty"):
        read_mask(tmp_path / "m.png")
    (tmp_path / "m.png").write_bytes(encode_grey_png(np.zeros((3, 3), np.uint8)))
    assert not read_mask(tmp_path / "m.png").any()


def test_c18_colours_and_alpha_are_no_mask(tmp_path):
    Image.new("RGB", (2, 2), (255, 0, 0)).save(tmp_path / "red.png")
    with pytest.raises(InputError, match="in colours"):
        read_mask(tmp_path / "red.png")
    Image.new("RGBA", (2, 2), (255, 255, 255, 0)).save(tmp_path / "clear.png")
    with pytest.raises(InputError, match="transparent"):
        read_mask(tmp_path / "clear.png")


def test_c19_the_content_tells_the_format(tmp_path):
    for kind in ("PNG", "JPEG", "WEBP"):
        Image.new("RGB", (3, 2)).save(tmp_path / "picture.bin", format=kind)
        assert probe(tmp_path / "picture.bin").format == kind
    Image.new("RGB", (3, 2)).save(tmp_path / "picture.png", format="BMP")
    with pytest.raises(InputError, match="expected a PNG, JPEG or WebP"):
        probe(tmp_path / "picture.png")


def test_c20_a_huge_picture_is_refused_from_its_header(tmp_path):
    content = bytearray(encode_png(np.zeros((2, 3, 3), np.uint8)))
    content[16:24] = (30_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    (tmp_path / "huge.png").write_bytes(content)
    with pytest.raises(InputError, match="30,000 x 30,000"):
        read_rgb(tmp_path / "huge.png")


def test_c21_exif_orientation_is_applied_to_all_kinds(tmp_path):
    stored = np.array([[0, 200, 255], [0, 0, 0]], dtype=np.uint8)
    upright = np.array([[0, 0], [0, 200], [0, 255]], dtype=np.uint8)  # 6: the first stored column becomes the first row, reversed
    Image.fromarray(stored).save(tmp_path / "a.png", exif=turned(6))
    Image.fromarray(stored.astype(np.uint16)).save(tmp_path / "d.png", exif=turned(6))
    assert (probe(tmp_path / "a.png").width, probe(tmp_path / "a.png").height) == (2, 3)
    assert (read_rgb(tmp_path / "a.png")[:, :, 0] == upright).all()
    assert (read_mask(tmp_path / "a.png") == (upright >= 128)).all()
    assert (read_depth(tmp_path / "d.png", 1.0) == upright).all()


def test_c22_alpha_is_dropped(tmp_path):
    Image.new("RGBA", (1, 1), (10, 20, 30, 0)).save(tmp_path / "a.png")
    assert read_rgb(tmp_path / "a.png").tolist() == [[[10, 20, 30]]]


def test_c23_sixteen_bits_are_scaled_to_eight(tmp_path):
    (tmp_path / "a.png").write_bytes(encode_grey_png(np.array([[0, 257, 65535]], np.uint16)))  # 257 / 65535 * 255 = 1
    assert read_rgb(tmp_path / "a.png")[0, :, 0].tolist() == [0, 1, 255]


def test_c24_a_re_encoded_copy_has_the_same_name(tmp_path):
    rgb = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    Image.fromarray(rgb).save(tmp_path / "copy.webp", lossless=True)
    assert pixel_digest(read_rgb(tmp_path / "copy.webp")) == pixel_digest(rgb)
    assert pixel_digest(rgb.reshape(3, 2, 3)) != pixel_digest(rgb)


def test_c25_a_truncated_file_is_an_error_that_names_it(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    (tmp_path / "half.png").write_bytes(encode_png(noise)[:1500])
    with pytest.raises(InputError, match=r"half\.png: the picture is truncated or damaged"):
        read_rgb(tmp_path / "half.png")


def test_c26_resizing_multiplies_and_does_not_round():
    assert scale_point(1.0, 3.0, (4, 6), (10, 3)) == (2.5, 1.5)
    assert scale_box((0.0, 0.0, 4.0, 6.0), (4, 6), (10, 3)) == (0.0, 0.0, 10.0, 3.0)


def test_c27_a_resized_camera_is_multiplied():
    small = scale_camera(camera(), 4, 1)
    assert (small.width, small.height, small.fx, small.fy, small.cx, small.cy) == (4, 1, 2.0, 1.0, 2.0, 0.5)


def test_c28_depth_is_sixteen_bits_times_a_scale_and_zero_is_none(tmp_path):
    (tmp_path / "d.png").write_bytes(encode_grey_png(np.array([[0, 1500]], np.uint16)))
    assert read_depth(tmp_path / "d.png", 0.001)[0].tolist() == pytest.approx([0.0, 1.5])
    assert len(mask_points(np.ones((4, 8), dtype=bool), np.zeros((4, 8)), camera())) == 0
    (tmp_path / "d.png").write_bytes(encode_grey_png(np.array([[0, 150]], np.uint8)))
    with pytest.raises(InputError, match="one 16-bit channel"):
        read_depth(tmp_path / "d.png", 0.001)


def test_c29_depth_is_along_the_axis():
    corner = unproject(np.array([[8.0, 4.0]]), np.array([2.0]), camera())
    assert corner.tolist() == [[2.0, 1.0, 2.0]]  # the ray is 3 m long, z is 2 m


def test_c30_x_is_right_y_is_down_and_z_is_forward():
    pixels, z = project(np.array([[0.5, 0.25, 1.0]]), camera())
    assert pixels.tolist() == [[6.0, 3.0]]  # 4 + 4 * 0.5 to the right, 2 + 4 * 0.25 down
    assert z.tolist() == [1.0]


def test_c31_a_pose_takes_camera_points_into_the_world():
    pose = np.eye(4)
    pose[:3, 3] = (10.0, 20.0, 30.0)
    assert unproject(np.array([[4.0, 2.0]]), np.array([1.0]), camera(pose)).tolist() == [[10.0, 20.0, 31.0]]


def test_c32_the_principal_point_is_a_continuous_pixel():
    # cx = 4 of 8 columns is the border between columns 3 and 4: their centres 3.5 and 4.5 lie symmetric about the axis.
    points = mask_points(mask_of((0, 3), (0, 4), shape=(4, 8)), np.ones((4, 8)), camera())
    assert points[:, 0].tolist() == [-0.125, 0.125]


def test_c33_a_negative_focal_length_mirrors():
    pixels, _ = project(np.array([[0.0, 0.25, 1.0]]), camera(fy=-4.0))
    assert pixels.tolist() == [[4.0, 1.0]]  # 2 - 4 * 0.25: a point below the axis lies above the middle


@pytest.mark.parametrize("pose", [np.diag([1.0, 1, -1, 1]), np.diag([2.0, 2, 2, 1]), np.full((4, 4), np.inf)])
def test_c34_a_pose_that_is_not_rigid_is_refused(pose):
    check_pose(np.eye(4))
    with pytest.raises(InputError, match="not a rigid transform"):
        check_pose(pose)


def test_c35_cameras_of_two_worlds_are_not_related():
    wall = np.full((4, 8), 2.0)
    assert frame_overlap(wall, camera(), wall, camera()) == 1.0
    with pytest.raises(AssertionError, match="different worlds"):
        frame_overlap(wall, camera(), wall, camera(world="v"))


def test_c36_a_point_is_visible_near_the_measured_depth():
    assert seen(0.5, 0.54) == (True, False)  # 4 cm off, 5 cm allowed
    assert seen(0.5, 0.56)[0] is False
    assert seen(4.0, 4.19) == (True, False)  # 19 cm off, 5 % of 4 m = 20 cm allowed
    assert seen(4.0, 4.21)[0] is False
    assert seen(0.09, 0.09)[0] is False
    assert seen(2.0, 2.0, x_m=2.0)[0] is True  # x = 4 + 4 * 2 / 2 = 8, the right border
    assert seen(2.0, 2.0, x_m=2.01)[0] is False


def test_c37_a_point_is_occluded_behind_a_nearer_surface():
    assert seen(4.0, 3.79) == (False, True)
    assert seen(4.0, 3.81) == (True, False)
    assert seen(4.0, 9.0) == (False, False)
    assert seen(4.0, 1.0, x_m=9.0) == (False, False)  # outside the picture


def test_c38_missing_depth_proves_nothing():
    assert seen(4.0, 0.0) == (False, False)
