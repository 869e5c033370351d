import json
from pathlib import Path

import numpy as np
import pytest

from sightline import media
from sightline.cli import run
from sightline.depth_codecs import get_codec, read_metric_f32, read_mm_u16, read_u8x3_minmax
from sightline.errors import InputError
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.depth import DepthFolder, depth_picture
from sightline.taskset.store import TaskSet
from tests.x3_tree import HEIGHT, WIDTH, picture, write_tree

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'sightline[models]'")
transformers = pytest.importorskip("transformers", reason="transformers is not installed: pip install 'sightline[models]'")

from sightline.models.depth import DepthModel, depth_model  # noqa: E402
from sightline.models.depth_run import distinct_pictures, write_depth  # noqa: E402
from tests.models.huggingface.depth.checkpoints import save_depth_anything, small_map  # noqa: E402

U8, MM, F32 = (get_codec(name) for name in ("u8x3_minmax", "mm_u16", "metric_f32"))


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---------------------------------------------------------------- a folder of maps


def test_every_picture_of_all_task_sets_gets_one_map(tasksets, network, tmp_path):
    done = write_depth(tasksets, depth_model(str(network("depth_anything"))), tmp_path, codec=U8)
    folder = DepthFolder(tmp_path)
    for taskset in tasksets:
        for example in taskset:
            for index in range(len(example.question.images)):
                image = depth_picture(example.question, index)
                path = folder.find(image)
                assert path is not None
                assert read_u8x3_minmax(path).shape == (image.height, image.width, 3)
    digests = {image.digest for image, _ in distinct_pictures(tasksets)}
    assert folder.index.maps.keys() == digests
    assert {path.stem for path in (tmp_path / "maps").rglob("*.png")} == digests
    assert (done.num_maps, done.num_written, done.dropped, done.altered) == (len(digests), len(digests), {}, {})


def test_a_map_in_8_bits_is_the_networks_inverse_depth_stretched(tasksets, network, tmp_path):
    model = depth_model(str(network("depth_anything")))
    write_depth(tasksets[:1], model, tmp_path, codec=U8)
    image, taskset = distinct_pictures(tasksets[:1])[0]
    depth = model.estimate(taskset.read_rgb(image)).astype(np.float64)
    path = DepthFolder(tmp_path).find(image)
    assert path is not None
    expected = (depth - depth.min()) / (depth.max() - depth.min()) * 255
    assert np.abs(read_u8x3_minmax(path)[:, :, 0] - (expected - 0.5)).max() <= 0.501  # cut, not rounded


def test_metres_are_written_as_metres_and_as_nearness_in_8_bits(tasksets, network, tmp_path):
    model = depth_model(str(network("depth_anything_metric")))
    image, taskset = distinct_pictures(tasksets[:1])[0]
    metres = model.estimate(taskset.read_rgb(image))
    paths = {}
    for codec in (U8, MM, F32):
        write_depth(tasksets[:1], model, tmp_path / codec.name, codec=codec)
        paths[codec.name] = DepthFolder(tmp_path / codec.name).find(image)
    assert np.array_equal(read_metric_f32(paths["metric_f32"]), metres)
    assert np.abs(read_mm_u16(paths["mm_u16"]) - metres).max() < 0.00051
    grey = read_u8x3_minmax(paths["u8x3_minmax"])[:, :, 0]
    assert (grey.flat[metres.argmin()], grey.flat[metres.argmax()]) == (255, 0)


def test_stopped_anywhere_the_same_command_writes_what_is_missing_and_nothing_else(tasksets, network, tmp_path):
    model = depth_model(str(network("depth_anything")))
    whole = write_depth(tasksets, model, tmp_path / "whole", codec=U8)

    def stop(count: int, _: int) -> None:
        if count == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_depth(tasksets, model, tmp_path / "stopped", codec=U8, on_progress=stop)
    assert not (tmp_path / "stopped" / "depth.json").exists()
    first = {path: path.stat().st_ino for path in (tmp_path / "stopped" / "maps").rglob("*.png")}
    torn = next(iter(first)).parent / ".torn.png.1.tmp"  # what a killed writer leaves
    torn.write_bytes(b"half")
    done = write_depth(tasksets, model, tmp_path / "stopped", codec=U8)
    assert (len(first), done.num_written) == (3, whole.num_maps - 3)
    assert {path: path.stat().st_ino for path in first} == first  # a rename would have put another file there
    assert content_of(tmp_path / "stopped") == content_of(tmp_path / "whole")
    assert write_depth(tasksets, model, tmp_path / "stopped", codec=U8).num_written == 0


def test_maps_of_another_task_set_join_those_that_are_there(tasksets, network, tmp_path):
    model = depth_model(str(network("dpt")))
    first = write_depth(tasksets[:1], model, tmp_path, codec=U8)
    both = write_depth(tasksets[1:2], model, tmp_path, codec=U8)
    assert both.num_maps == first.num_maps + both.num_written
    assert DepthFolder(tmp_path).find(distinct_pictures(tasksets[:1])[0][0]) is not None


def test_a_folder_is_of_one_model_and_one_codec(tasksets, network, copied, tmp_path):
    out = tmp_path / "out"
    model = depth_model(str(network("depth_anything_metric")))
    write_depth(tasksets[2:], model, out, codec=F32)
    with pytest.raises(InputError, match="codec is 'metric_f32' there and 'mm_u16' here"):
        write_depth(tasksets[2:], model, out, codec=MM)
    with pytest.raises(InputError, match="revision is '"):
        write_depth(tasksets[2:], depth_model(str(network("glpn"))), out, codec=F32)
    moved = depth_model(f"hf:{copied('depth_anything_metric')}")
    assert write_depth(tasksets[2:], moved, out, codec=F32).num_written == 0
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match=r"holds thesis.tex and no settings.json"):
        write_depth(tasksets[2:], model, tmp_path / "other", codec=F32)


# ---------------------------------------------------------------- maps that are none


def open_last_relu(folder: Path, bias: float) -> DepthModel:
    """The network with another bias before its last ReLU: a lower one makes more of a map 0."""
    from safetensors.torch import load_file, save_file  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    tensors = load_file(folder / "model.safetensors")
    tensors["head.conv3.bias"].fill_(bias)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return depth_model(str(folder))


def test_a_constant_map_is_never_written_but_noted(tasksets, copied, tmp_path):
    folder = copied("depth_anything")
    pictures = distinct_pictures(tasksets[2:])
    open_last_relu(folder, 20.0)
    most = sorted(float(small_map(folder, taskset.read_rgb(image)).max()) for image, taskset in pictures)
    model = open_last_relu(folder, 20 - (most[1] + most[2]) / 2)  # the two with the lowest maxima fall below 0 everywhere
    flat = {f"{image.root}:{image.path}" for image, taskset in pictures if not model.estimate(taskset.read_rgb(image)).any()}
    assert 2 <= len(flat) < len(pictures)
    out = tmp_path / "out"
    done = write_depth(tasksets[2:], model, out, codec=U8)
    assert done.dropped == {"constant_depth": len(flat)}
    assert done.num_maps == len(pictures) - len(flat) == len(list((out / "maps").rglob("*.png")))
    lines = [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]
    assert {line["unit"] for line in lines} == flat
    assert {line["reason"] for line in lines} == {"constant_depth"}
    before = content_of(out)
    again = depth_model(str(folder))
    assert write_depth(tasksets[2:], again, out, codec=U8).num_written == 0
    assert "_model" not in vars(again)  # nothing was missing, so the weights were not even loaded
    assert content_of(out) == before


@pytest.mark.parametrize(("bias", "reason"), [(float("nan"), "non_finite_depth"), (-1e6, "constant_depth")])
def test_a_network_without_one_usable_map_is_an_error(tasksets, copied, tmp_path, bias, reason):
    model = open_last_relu(copied("depth_anything"), bias)
    with pytest.raises(InputError, match=r"not one of \d+ pictures got a usable depth map; ledger.jsonl there"):
        write_depth(tasksets[2:], model, tmp_path / "out", codec=U8)
    assert reason in (tmp_path / "out" / "ledger.jsonl").read_text()
    assert not (tmp_path / "out" / "depth.json").exists()
    assert not list((tmp_path / "out").rglob("*.png"))


def test_what_is_too_far_for_16_bits_is_counted_also_after_a_stop(tasksets, tmp_path):
    model = depth_model(str(save_depth_anything(tmp_path / "far", kind="metric", max_depth=120)))  # 70 to 90 m
    near = depth_model(str(save_depth_anything(tmp_path / "near", kind="metric", max_depth=100)))  # 58 to 75 m
    with pytest.raises(InputError, match="usable depth map"):
        write_depth(tasksets[2:], model, tmp_path / "out", codec=MM)

    def stop(count: int, total: int) -> None:
        if count == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_depth(tasksets[2:], near, tmp_path / "part", codec=MM, on_progress=stop)
    done = write_depth(tasksets[2:], near, tmp_path / "part", codec=MM)
    assert done.num_written == 0
    assert 0 < done.altered["beyond_range"] <= done.num_maps
    assert "beyond 65.535 m" in (tmp_path / "part" / "ledger.jsonl").read_text()


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize("codec", [MM, F32])
@pytest.mark.parametrize("name", ["depth_anything", "dpt"])
def test_metres_are_not_made_of_relative_depth(tasksets, network, tmp_path, codec, name):
    with pytest.raises(InputError, match=rf"codec {codec.name} holds metres, and this checkpoint gives relative inverse depth"):
        write_depth(tasksets, depth_model(str(network(name))), tmp_path / "out", codec=codec)
    assert not (tmp_path / "out").exists()


def test_a_truncated_picture_stops_and_names_its_file_and_a_map_of_another_size_is_found(network, tmp_path):
    root = write_tree(tmp_path / "data")
    request = BuildRequest(reader="x3", root=str(root), splits=("train",), tasks=("t2b",), options=CrossViewOptions(pairs="all"))
    (built,) = build(request, tmp_path / "tasks")
    taskset, model, out = TaskSet(Path(built.path)), depth_model(str(network("dpt"))), tmp_path / "out"
    image = distinct_pictures([taskset])[-1][0]
    path = taskset.file(image)
    content = path.read_bytes()
    path.write_bytes(content[:-200])
    with pytest.raises(InputError, match=rf"{path.name}: the picture is truncated or damaged"):
        write_depth([taskset], model, out, codec=U8)
    path.write_bytes(content)
    assert write_depth([taskset], model, out, codec=U8).num_written == 1
    wrong = DepthFolder(out).find(image)
    assert wrong is not None
    wrong.write_bytes(media.encode_png(picture("kitchen", 10)[:, :-1]))
    with pytest.raises(InputError, match=f"depth of {WIDTH - 1} x {HEIGHT} pixels, but its picture .* has {WIDTH} x {HEIGHT}"):
        write_depth([taskset], model, out, codec=U8)


# ---------------------------------------------------------------- the command


def test_from_task_sets_to_roborefers_rows_as_a_user_types_it(tasksets, network, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sets = [str(taskset.path) for taskset in tasksets]
    assert run(["depth", *sets, "--model", str(network("depth_anything")), "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["path"] == "depth/depth_anything-u8x3_minmax"
    assert done["num_maps"] == len(distinct_pictures(tasksets))
    assert run(["export", "vila", *sets, "--depth-from", done["path"], "--copy-media", "--out", "sft"]) == 0
    for taskset in tasksets:
        rows = json.loads((tmp_path / "sft" / f"{taskset.manifest.name}.json").read_text())
        assert len(rows) == len(taskset)
        assert all(len(row["depth"]) == len(row["image"]) for row in rows)
    assert run(["depth", *sets, "--model", str(network("depth_anything")), "--codec", "mm_u16", "--out", "metres"]) == 2
    assert "Use --codec u8x3_minmax, or a metric checkpoint" in capsys.readouterr().err
