"""Depth pictures: colours, ends, clear pixels and files; worked by hand on tiny depth maps."""

import re
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import cv2
import numpy as np
import pytest
from PIL import Image

from sightline.evaluate.score import open_taskset
from sightline.report.depths import DepthPictures, depth_ends, paint_depth
from tests.report.test_write import read_data
from tests.report.world import HEIGHT, WIDTH, World


def test_near_is_dark_blue_far_is_yellow_and_no_depth_is_clear():
    painted = paint_depth(np.array([[0.0, 1.0, 2.0, 3.0, 9.0]]), 1.0, 3.0)
    assert painted[0, :, 3].tolist() == [0, 255, 255, 255, 255]
    near, middle, far = (painted[0, column, :3] for column in (1, 2, 3))
    assert near[2] > near[0] + 30  # blue
    assert min(far[:2]) > far[2] + 100  # yellow
    assert np.ptp(middle) < 15  # halfway, cividis is grey
    assert (painted[0, 4] == painted[0, 3]).all()  # beyond the end


def test_brightness_rises_with_depth_so_that_it_reads_without_colour():
    painted = paint_depth(np.linspace(1, 2, 64)[None], 1.0, 2.0)[:, :, :3]
    brightness = cv2.cvtColor(painted, cv2.COLOR_RGB2GRAY)[0].astype(int)
    assert (np.diff(brightness) >= 0).all()
    assert np.ptp(brightness) > 150


def test_the_ends_are_percentiles_of_what_is_known():
    depth_m = np.zeros((10, 20))
    depth_m[:, :10] = np.arange(1, 101).reshape(10, 10)
    # 100 values 1..100: the q-th percentile is 1 + 99 q
    assert depth_ends(depth_m) == pytest.approx((2.98, 98.02))
    assert depth_ends(np.zeros((2, 2))) == (0.0, 0.0)
    assert (paint_depth(np.full((2, 2), 5.0), 5.0, 5.0)[:, :, 3] == 255).all()


def test_the_legend_of_the_page_has_the_colours_of_the_pictures():
    style = (files("sightline.report") / "assets" / "gallery.css").read_text()
    gradient = re.search(r"to right, ((?:#[0-9a-f]{6}(?:, )?)+)\);", style)
    assert gradient is not None
    stops = gradient.group(1).split(", ")
    painted = paint_depth(np.linspace(1, 2, len(stops))[None], 1.0, 2.0)[0, :, :3]
    assert stops == ["#" + bytes(colour.tolist()).hex() for colour in painted]


def test_a_report_holds_each_depth_once_and_says_its_range(world: World):
    panels = read_data(world.report, "rows-0")["rows"][0]["panels"]
    assert panels[0]["depth"] is None
    depth = panels[1]["depth"]
    # 1.00 m to 4.19 m in 320 columns of 120 known pixels: 2 % of 38,399 is 767.98 = 6.4 columns, 98 % is 37,631 = 313.6 columns
    assert (depth["near_m"], depth["far_m"]) == (pytest.approx(1.06), pytest.approx(4.13))
    assert depth["known"] == 0.5
    assert [f"assets/{path.name}" for path in (world.report.parent / "assets").glob("depth-*")] == [depth["src"]]
    with Image.open(world.report.parent / depth["src"]) as picture:
        assert (picture.size, picture.mode) == ((WIDTH, HEIGHT), "RGBA")
        assert np.asarray(picture)[:, :, 3].mean() == 127.5


def test_a_depth_that_is_gone_is_an_error(world: World, tmp_path):
    ref = next(iter(open_taskset(world.runs[0]))).question.panels[1].depth
    assert ref is not None
    gone = type(ref)(root=ref.root, path="gone.png", metres_per_unit=0.001)
    with ThreadPoolExecutor(1) as pool, pytest.raises(FileNotFoundError, match=r"gone\.png"):
        DepthPictures(tmp_path, pool).add(open_taskset(world.runs[0]), [gone])
    assert list(tmp_path.iterdir()) == []
