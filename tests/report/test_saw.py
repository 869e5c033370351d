"""What a model saw: sizes recorded, declared or stored, and places in its own numbers; worked by hand on 320 x 240 pictures."""

from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import pytest
from PIL import Image

from sightline.evaluate.run import read_predictions, read_run
from sightline.evaluate.score import open_taskset
from sightline.report.pictures import Pictures, Processed
from sightline.report.saw import Eyes
from sightline.types import Boxes, Exposure, ImageRef, Prediction, Reading
from tests.report.world import World


@pytest.fixture(scope="module")
def first(world: World):
    """Example 0: corner (40, 30), so its true point is (60, 45); the run says it in qwen25."""
    run = world.runs[1]
    return next(iter(open_taskset(run))), next(read_predictions(run)), read_run(run)


def test_declared_limits_give_the_processed_size_and_the_written_numbers(first):
    example, prediction, info = first
    # multiples of 28: 320 / 28 = 11.4 -> 11 * 28 = 308, 240 / 28 = 8.57 -> 9 * 28 = 252
    # 60 * 308 / 320 = 57.75 -> 58 and 45 * 252 / 240 = 47.25 -> 47
    saw = Eyes(info).saw(example, prediction)
    assert (saw["sizes"], saw["how"]) == ([(308, 252), (308, 252)], "declared")
    assert saw["written"] == saw["truth_written"] == ["[58, 47]"]


def test_other_limits_in_the_run_give_another_size(first):
    example, prediction, info = first
    info = msgspec.structs.replace(info, dialect_options={"factor": 28, "min_pixels": 3136, "max_pixels": 28 * 28 * 12})
    # shrunk by sqrt(320 * 240 / 9408) = 2.857: floor(112.0 / 28) * 28 = 112 at most, floor(84.0 / 28) * 28 = 84 at most
    ((width, height), _) = Eyes(info).saw(example, prediction)["sizes"]
    assert width * height <= 28 * 28 * 12
    assert (width % 28, height % 28) == (0, 0)
    # sent at most 160 wide first, then multiples of 28: 160 / 28 = 5.7 -> 168, 120 / 28 = 4.29 -> 112
    sent = msgspec.structs.replace(first[2], dialect_options=first[2].dialect_options | {"sent_max_side": 160})
    assert Eyes(sent).saw(example, prediction)["sizes"] == [(168, 112), (168, 112)]


def test_a_dialect_is_named_with_the_options_that_are_not_its_defaults(first):
    _, _, info = first
    assert Eyes(info).name == "qwen25"
    sent = msgspec.structs.replace(info, dialect_options=info.dialect_options | {"sent_max_side": 160})
    assert Eyes(sent).name == "qwen25 (factor 28, min_pixels 3136, max_pixels 12845056, sent_max_side 160)"
    assert Eyes(msgspec.structs.replace(info, dialect=None, dialect_options={})).name == ""


def test_recorded_sizes_come_first_and_belong_to_the_media_slots(first):
    example, prediction, info = first
    recorded = msgspec.structs.replace(prediction, exposure=Exposure(processed_sizes=((448, 336), (56, 42))))
    saw = Eyes(info).saw(example, recorded)
    assert (saw["sizes"], saw["how"]) == ([(448, 336), (56, 42)], "recorded")


def test_a_run_that_answers_in_geometry_saw_the_pictures_as_stored(first, world: World):
    example, prediction, _ = first
    saw = Eyes(read_run(world.runs[0])).saw(example, prediction)
    assert saw == {"sizes": [], "how": "stored", "pictures": [], "written": [], "truth_written": []}


def test_boxes_are_written_too_and_a_picture_that_is_not_there_is_not(first):
    example, _, info = first
    box = Boxes(boxes=((0.0, 0.0, 320.0, 240.0),), image_index=1)
    for index, expected in ((1, ["[0, 0, 308, 252]"]), (7, [])):
        reading = Reading(status="ok", answer=msgspec.structs.replace(box, image_index=index))
        assert Eyes(info).saw(example, Prediction(id=example.id, reading=reading))["written"] == expected


def test_the_pictures_stand_in_the_report_at_the_size_as_processed(first, world: World):
    example, prediction, info = first
    digests = [image.digest for image in example.question.images]
    names = Eyes(info).saw(example, prediction)["pictures"]
    assert names == [f"assets/{digest}-308x252.webp" for digest in digests]
    for name in names:
        with Image.open(world.report.parent / name) as written:
            assert written.size == (308, 252)
    # 60 examples of two pictures each, but every picture of this size once
    same = {image.digest for example in open_taskset(world.runs[1]) for image in example.question.images}
    assert len(list((world.report.parent / "assets").glob("*-308x252.webp"))) == len(same)


def _ref(width: int, height: int) -> ImageRef:
    return ImageRef(root="data", path="a.png", width=width, height=height, digest="0" * 32)


def test_a_size_that_the_preview_has_is_not_written_again_and_one_that_is_too_large_not_at_all():
    assert Processed(_ref(640, 480), 640, 480).name == f"{'0' * 32}.webp"
    assert Processed(_ref(1000, 1000), 1000, 1000).name == f"{'0' * 32}-1000x1000.webp"  # its preview is 640 x 640
    assert Processed(_ref(640, 480), 1024, 1024).name == f"{'0' * 32}-1024x1024.webp"
    assert Processed(_ref(640, 480), 1025, 1024).name == ""


def test_detail_finer_than_the_processed_size_is_averaged_away_not_sampled():
    # one column of four is white: every block of four columns has the mean 255 / 4 = 63.75
    rgb = np.zeros((8, 32, 3), np.uint8)
    rgb[:, ::4] = 255
    assert np.abs(Processed(_ref(32, 8), 8, 2, by_area=True).resize(rgb).astype(int) - 64).max() <= 1
    inside = Processed(_ref(32, 8), 8, 2).resize(rgb)[:, 2:-2].astype(int)  # bicubic with a filter of four columns to each side
    assert np.abs(inside - 64).max() <= 8


def test_pictures_for_a_server_are_averaged_over_areas_and_each_file_is_written_once(first, world: World, tmp_path):
    example, prediction, info = first
    sent = msgspec.structs.replace(info, dialect="qwen3", dialect_options={"sent_max_side": 160})
    taskset = open_taskset(world.runs[1])
    seen = Eyes(sent).processed(example, prediction)
    with ThreadPoolExecutor(1) as pool:
        pictures = Pictures(tmp_path, pool)
        pictures.add_processed(taskset, seen)
        for path in tmp_path.iterdir():
            path.write_bytes(b"first")
        pictures.add_processed(taskset, seen)
    digests = [image.digest for image in example.question.images]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        f"{digest}-160x120a.webp": b"first" for digest in digests
    }
