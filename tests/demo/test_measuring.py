"""The tiny VGGT learns depth, and the tiny Spatial-MLLM that is given it differs from the fresh one in VGGT alone."""

from pathlib import Path

import msgspec
import pytest

import sightline  # noqa: F401 - mends torchvision before transformers looks at it

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from sightline.demo.measuring import Measuring, prepare  # noqa: E402
from sightline.demo.near_far import scans_of  # noqa: E402
from sightline.demo.tiny_vggt import tiny_vggt  # noqa: E402
from sightline.errors import InputError  # noqa: E402
from sightline.models.spatial_mllm.weights import load_spatial_mllm  # noqa: E402
from sightline.models.vggt.weights import load_vggt  # noqa: E402
from sightline.taskset.store import TaskSet  # noqa: E402


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("measuring")


@pytest.fixture(scope="module")
def made(out: Path) -> Measuring:
    return prepare(out, sizes=(3, 2), steps=2)


def test_two_questions_a_room_stand_in_the_task_sets(made):
    train, validation = TaskSet(made.train), TaskSet(made.validation)
    assert (len(train), len(validation)) == (6, 4)
    assert {example.tier for example in train} == {"camera_obj_rel_dist", "camera_obj_abs_dist"}
    assert not {example.group for example in train} & {example.group for example in validation}


def test_checkpoints_are_equal_but_for_vggt(made, out):
    start, fresh = (load_spatial_mllm(folder).model.state_dict() for folder in (made.start, made.fresh))
    assert start.keys() == fresh.keys()
    differing = {name for name in start if not torch.equal(start[name], fresh[name])}
    assert differing
    assert all(name.startswith("spatial_encoder.aggregator.") for name in differing)
    vggt = load_vggt(out / "vggt", heads=()).model
    assert torch.equal(vggt.state_dict()["aggregator.camera_token"], start["spatial_encoder.aggregator.camera_token"])


@pytest.mark.usefixtures("made")
def test_the_same_call_makes_nothing_anew(out):
    before = {path: path.stat().st_mtime_ns for name in ("vggt", "start") for path in (out / name).iterdir()}
    again = prepare(out, sizes=(3, 2), steps=2)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert again.depth_error_m is None
    with pytest.raises(InputError, match=r"holds a VGGT of .*steps=2.*steps=3"):
        prepare(out, sizes=(3, 2), steps=3)


@pytest.mark.slow
@pytest.mark.usefixtures("made")
def test_depth_is_learnt_of_the_rooms_shown(out):
    scans = scans_of(out / "rooms", range(3))
    first, last = (tiny_vggt(out / f"after-{steps}", out / "rooms", scans, steps=steps) for steps in (3, 60))
    assert first is not None
    assert last is not None
    assert last < 0.5 * first


@pytest.mark.usefixtures("made")
def test_the_same_seed_gives_the_same_weights_and_scans_without_depth_are_refused(out, tmp_path):
    scans = scans_of(out / "rooms", range(2))
    states = []
    for place, seed in enumerate((0, 0, 1)):
        tiny_vggt(tmp_path / str(place), out / "rooms", scans, steps=1, seed=seed)
        states.append(load_vggt(tmp_path / str(place), heads=()).model.state_dict())
    assert all(torch.equal(states[0][name], tensor) for name, tensor in states[1].items())
    assert any(not torch.equal(states[0][name], tensor) for name, tensor in states[2].items())
    blind = [msgspec.structs.replace(scan, frames=(msgspec.structs.replace(scan.frames[0], depth=None),)) for scan in scans]
    with pytest.raises(InputError, match="room_000000, frame 000000: no depth"):
        tiny_vggt(tmp_path / "blind", out / "rooms", blind, steps=1)
    some = [scans[0], msgspec.structs.replace(scans[1], frames=scans[1].frames[:1])]
    with pytest.raises(InputError, match=r"scans of \[1, 2\] frames"):
        tiny_vggt(tmp_path / "some", out / "rooms", some, steps=1)
    assert not (tmp_path / "blind").exists()
