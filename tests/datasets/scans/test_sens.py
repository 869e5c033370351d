import cv2
import numpy as np
import pytest

from sightline.datasets.scans.sens import SensFile
from sightline.errors import InputError
from tests.scan_trees import HEIGHT, WIDTH, depth_mm, picture, pose_at, write_sens


def test_frames_come_out_as_they_were_put_in(tmp_path):
    path = write_sens(tmp_path / "a.sens", [pose_at(0), pose_at(0.5)])
    with SensFile(path) as file:
        assert (file.header.colour_size, file.header.depth_size) == ((WIDTH, HEIGHT), (24, 18))
        assert file.header.units_per_metre == 1000
        assert file.damage is None
        for index in (1, 0):  # in any order
            assert file.frames[index].camera_to_world.tolist() == pose_at(0.5 * index).tolist()
            assert (file.depth_units(index) == depth_mm(index)).all()
            decoded = cv2.imdecode(np.frombuffer(file.colour_content(index), np.uint8), cv2.IMREAD_COLOR)
            assert decoded is not None
            jpeg = decoded[:, :, ::-1]
            assert np.abs(file.colour(index).astype(int) - jpeg).max() <= 3  # two JPEG decoders
            assert np.abs(jpeg.astype(int) - picture(index)).max() < 20


@pytest.mark.parametrize("cut", [1, 200, 1500])
def test_a_file_cut_in_the_middle_gives_the_frames_before_the_cut_and_says_so(tmp_path, cut):
    path = write_sens(tmp_path / "a.sens", [pose_at(0), pose_at(1)])
    path.write_bytes(path.read_bytes()[:-cut])
    with SensFile(path) as file:
        assert len(file.frames) == 1
        assert file.damage is not None
        assert "of 2" in file.damage
        assert (file.depth_units(0) == depth_mm(0)).all()


def test_a_header_that_cannot_be_is_refused(tmp_path):
    path = write_sens(tmp_path / "a.sens", [pose_at(0)])
    whole = path.read_bytes()
    path.write_bytes(b"\x03" + whole[1:])
    with pytest.raises(InputError, match="version 3"):
        SensFile(path)
    path.write_bytes(whole[:100])
    with pytest.raises(InputError, match="inside its header"):
        SensFile(path)
    path.write_bytes(whole[:4] + (2**40).to_bytes(8, "little") + whole[12:])
    with pytest.raises(InputError, match="sensor name of"):
        SensFile(path)
    sizes = whole.index(WIDTH.to_bytes(4, "little") + HEIGHT.to_bytes(4, "little"))
    path.write_bytes(whole[:sizes] + (2**31).to_bytes(4, "little") + whole[sizes + 4 :])
    with pytest.raises(InputError, match="sides of 1 to"):
        SensFile(path)
    with pytest.raises(FileNotFoundError):
        SensFile(tmp_path / "b.sens")


def test_a_frame_that_announces_more_bytes_than_it_can_have_ends_the_file(tmp_path):
    path = write_sens(tmp_path / "a.sens", [pose_at(0), pose_at(1)])
    with SensFile(path) as file:
        sizes = file.frames[1].offset - 16
    content = bytearray(path.read_bytes())
    content[sizes + 8 : sizes + 16] = (2**50).to_bytes(8, "little")
    path.write_bytes(content)
    with SensFile(path) as file:
        assert len(file.frames) == 1
        assert "which cannot be" in (file.damage or "")


def test_depth_that_inflates_to_more_than_its_size_is_refused(tmp_path):
    path = write_sens(tmp_path / "a.sens", [pose_at(0)])
    content = bytearray(path.read_bytes())
    size = content.index((24).to_bytes(4, "little") + (18).to_bytes(4, "little"))
    content[size : size + 4] = (23).to_bytes(4, "little")
    path.write_bytes(content)
    with SensFile(path) as file, pytest.raises(InputError, match="23 x 18"):
        file.depth_units(0)
