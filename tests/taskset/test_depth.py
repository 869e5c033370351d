"""A folder of depth maps: found by the picture's content, checked against its size."""

import json

import msgspec
import pytest

from sightline.depth_codecs import CODECS
from sightline.errors import InputError
from sightline.taskset.depth import DepthFolder, depth_picture, map_path
from sightline.types import AnswerForm, ImagePart, ImageRef, Panel, Question
from tests.depth_folder import ramp, write_depth_folder

VIEW = ImageRef(root="data", path="room/01.png", width=6, height=4, digest="ab" * 16)
OTHER = ImageRef(root="data", path="room/02.png", width=6, height=4, digest="cd" * 16)


@pytest.mark.parametrize("codec", CODECS)
def test_a_map_is_found_by_the_pictures_content_wherever_it_lies(tmp_path, codec):
    folder = DepthFolder(write_depth_folder(tmp_path / "depth", [VIEW], codec=codec))
    moved = msgspec.structs.replace(VIEW, root="media", path="elsewhere.png")
    assert folder.find(moved) == tmp_path / "depth" / map_path(VIEW, CODECS[codec])
    assert folder.find(OTHER) is None
    assert folder.roborefer_picture(OTHER) is None


@pytest.mark.parametrize("codec", CODECS)
def test_whatever_the_codec_roborefer_sees_the_nearest_as_255(tmp_path, codec):
    picture = DepthFolder(write_depth_folder(tmp_path, [VIEW], codec=codec)).roborefer_picture(VIEW)
    assert picture is not None
    assert picture.shape == (4, 6, 3)
    # the ramp is 1 first and 4 last: metres, of which the first is the nearest, or inverse depth, of which it is the farthest
    assert (picture[0, 0, 0], picture[-1, -1, 0]) == ((255, 0) if CODECS[codec].metric else (0, 255))


@pytest.mark.parametrize("codec", CODECS)
def test_a_map_of_another_size_than_its_picture_is_an_error(tmp_path, codec):
    folder = DepthFolder(write_depth_folder(tmp_path, [VIEW], codec=codec, values=lambda image: ramp(image)[:, :-1]))
    with pytest.raises(InputError, match=r"depth of 5 x 4 pixels, but its picture data:room/01.png has 6 x 4"):
        folder.find(VIEW)


def test_a_map_that_is_gone_or_of_another_codec_is_an_error(tmp_path):
    folder = DepthFolder(write_depth_folder(tmp_path, [VIEW]))
    path = tmp_path / map_path(VIEW, CODECS["u8x3_minmax"])
    path.write_bytes(CODECS["mm_u16"].encode(ramp(VIEW)))
    with pytest.raises(InputError, match="three channels of 8 bits, found PNG of mode I;16"):
        folder.find(VIEW)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        folder.find(VIEW)


def test_an_index_that_is_none_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no depth.json in it\). Make it with `sightline depth"):
        DepthFolder(tmp_path)
    index = tmp_path / "depth.json"
    write_depth_folder(tmp_path, [VIEW])
    stored = json.loads(index.read_text())
    index.write_text(json.dumps(stored | {"format": 1}))
    with pytest.raises(InputError, match="format 1; this version reads format 2"):
        DepthFolder(tmp_path)
    stored["maps"][VIEW.digest]["path"] = "../outside.png"
    index.write_text(json.dumps(stored))
    with pytest.raises(InputError, match="leaves its root"):
        DepthFolder(tmp_path).find(VIEW)


def question(image: ImageRef, panels: tuple[Panel, ...]) -> Question:
    prompt = (ImagePart(image_index=0), AnswerForm(shape="point", image_index=0))
    return Question(id="q", task="t", prompt=prompt, images=(image,), panels=panels)


def test_depth_is_that_of_the_plain_view_under_a_mark_and_of_a_concatenated_picture_as_a_whole():
    marked = ImageRef(root="media", path="marked.png", width=6, height=4, digest="ef" * 16)
    both = ImageRef(root="media", path="both.png", width=12, height=4, digest="01" * 16)
    shown = Panel(role="reference", image_index=0, source=VIEW)
    assert depth_picture(question(marked, (shown,)), 0) == VIEW
    assert depth_picture(question(VIEW, (shown,)), 0) == VIEW
    beside = Panel(role="query", image_index=0, source=OTHER, x=6)
    assert depth_picture(question(both, (shown, beside)), 0) == both
