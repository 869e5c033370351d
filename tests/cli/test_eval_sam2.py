"""`sightline eval sam2`: one command from a checkpoint and videos to scores, tables, masks and the report."""

import csv
import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")
pytest.importorskip("hydra", reason="needs the train extra")

from sightline.cli import run  # noqa: E402
from sightline.evaluate.vos.saved import list_frames  # noqa: E402
from sightline.geometry.masks import encode_mask  # noqa: E402
from sightline.models.sam2.weights import write_folder  # noqa: E402
from sightline.train.config.compose import compose  # noqa: E402
from tests.davis_tree import write_tree  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import Sam2VideoModel  # noqa: PLC0415

    from sightline.models.sam2.architecture import tiny_config  # noqa: PLC0415

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    write_folder(Sam2VideoModel(tiny_config(128)), folder)
    return folder


@pytest.fixture(scope="module")
def evaluated(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    place = tmp_path_factory.mktemp("evaluated")
    root = write_tree(place / "davis")
    data = [f"data.val_path={root}", "data.format=davis", "data.val_split=train"]
    command = ["eval", "sam2", *data, f"model.checkpoint_path={checkpoint}", f"output_dir={place / 'out'}", "device=cpu"]
    command += ["baselines=[copy-first-mask,flow-warp]", "write=[palette,rle]"]
    assert run(command) == 0
    return place / "out", command


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_one_command_writes_scores_tables_masks_and_report(evaluated: tuple[Path, list[str]]) -> None:
    out, _ = evaluated
    assert (out / "runs" / "report" / "index.html").is_file()
    for model in ("tiny", "copy-first-mask", "flow-warp"):
        assert [row["object"] for row in rows(out / "tables" / model / "objects.csv")] == ["1", "2"]
        assert len(rows(out / "tables" / model / "frames.csv")) == 2 * 5
    assert sorted(path.name for path in (out / "masks" / "tiny").iterdir()) == ["palette", "rle"]
    assert list_frames(out / "masks" / "tiny" / "palette" / "duel") == [f"{number:05d}.png" for number in range(6)]


def test_the_tables_agree_with_the_summary_and_with_arithmetic(evaluated: tuple[Path, list[str]]) -> None:
    out, _ = evaluated
    tables = json.loads((out / "tables" / "copy-first-mask" / "tables.json").read_text())
    moved = [(10 - 2 * k) / (10 + 2 * k) for k in range(1, 6)]  # 2 of 10 columns a frame
    first, second = tables["objects"]
    assert first["frame J"] == pytest.approx(moved)
    assert (first["J recall"], second["J recall"]) == (1 / 5, 3 / 5)  # 8/12 is above a half, 6/14 is not
    assert second["frame J"] == [1, 1, 1, 0, 0]
    assert second["in annotation"] == [True, True, True, False, False]
    assert tables["videos"][0]["J"] == pytest.approx((sum(moved) / 5 + 3 / 5) / 2)
    for model in ("tiny", "copy-first-mask"):
        columns = json.loads((out / "tables" / model / "tables.json").read_text())["set"]["columns"]
        summary = json.loads((out / "runs" / model / "segment-train" / "summary.json").read_text())["metrics"]
        for column, metric in (("J&F", "jf"), ("J", "j"), ("F", "f"), ("J recall", "j_recall"), ("F decay", "f_decay")):
            assert columns[column] == pytest.approx(summary[metric]["value"])


def test_the_same_command_follows_no_finished_video_again(
    evaluated: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, command = evaluated
    before = json.loads((out / "tables" / "tiny" / "tables.json").read_text())
    from sightline.models.sam2.tracker import Sam2Tracker  # noqa: PLC0415

    def never(*_: object, **__: object) -> Any:
        raise AssertionError("a finished video is followed again")

    monkeypatch.setattr(Sam2Tracker, "follow", never)
    assert run([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told["models"]) == ["tiny", "flow-warp", "copy-first-mask"]
    assert told["models"]["tiny"] == before["set"]


def test_a_stopped_evaluation_goes_on_with_the_videos_that_are_left(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sightline.models.sam2.tracker import Sam2Tracker  # noqa: PLC0415

    path = two_videos(tmp_path / "data")
    command = [
        "eval",
        "sam2",
        f"data.val_path={path}",
        f"model.checkpoint_path={checkpoint}",
        "device=cpu",
        "validation.prompt=box",
    ]
    followed: list[str] = []
    follow = Sam2Tracker.follow

    def stops(self: Sam2Tracker, frames: Any, shown: Any, **how: Any) -> Any:
        followed.append(shown[0].object_id)
        if len(followed) == 2:
            raise KeyboardInterrupt
        return follow(self, frames, shown, **how)

    monkeypatch.setattr(Sam2Tracker, "follow", stops)
    assert run([*command, f"output_dir={tmp_path / 'out'}"]) == 130
    assert run([*command, f"output_dir={tmp_path / 'out'}"]) == 0
    assert run([*command, f"output_dir={tmp_path / 'whole'}"]) == 0
    assert followed == ["segment/a/1", "segment/b/1", "segment/b/1", "segment/a/1", "segment/b/1"]
    for name in ("tables/tiny/tables.json", "tables/tiny/frames.csv", "runs/tiny/segment-val/predictions.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def two_videos(root: Path) -> Path:
    """A COCO-style JSON of two videos of three frames, one object each."""
    pictures = write_tree(root / "davis") / "JPEGImages" / "480p" / "duel"
    mask = np.zeros((32, 48), bool)
    mask[8:20, 10:30] = True
    code = encode_mask(mask)
    content: dict[str, Any] = {"videos": [], "images": [], "annotations": [], "categories": [{"id": 1, "name": "object"}]}
    for video, name in enumerate("ab", start=1):
        shutil.copytree(pictures, root / "val" / name)
        content["videos"].append({"id": video, "name": name, "width": 48, "height": 32})
        for order in range(3):
            image = len(content["images"]) + 1
            size = {"width": 48, "height": 32}
            content["images"].append(
                {"id": image, "video_id": video, "order_in_video": order, "file_name": f"{name}/{order:05d}.jpg", **size}
            )
            content["annotations"].append(
                {
                    "id": image,
                    "image_id": image,
                    "video_id": video,
                    "track_id": 1,
                    "category_id": 1,
                    "iscrowd": 0,
                    "area": 240,
                    "bbox": [10, 8, 20, 12],
                    "segmentation": {"size": [32, 48], "counts": code.counts},
                }
            )
    (root / "val" / "val.json").write_bytes(msgspec.json.encode(content))
    return root / "val" / "val.json"


def test_several_checkpoints_stand_in_one_comparison_with_the_baselines(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_tree(tmp_path / "davis")
    data = [f"data.val_path={root}", "data.format=davis", "data.val_split=train", "device=cpu", f"output_dir={tmp_path / 'out'}"]
    other = shutil.copytree(checkpoint, tmp_path / "0_num_maskmem=1")
    assert run(["eval", "sam2", *data, f"model.checkpoint_path={checkpoint},tiny={other}", "--json"]) == 2
    assert "two models are called 'tiny'. Give names" in capsys.readouterr().err
    paths = f"model.checkpoint_path=long={checkpoint},short={other}"
    assert run(["eval", "sam2", *data, paths, "baselines=[copy-first-mask,flow-warp]", "write=[palette]", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told["models"]) == ["long", "short", "flow-warp", "copy-first-mask"]
    assert told["models"]["long"] == told["models"]["short"]
    page = Path(told["comparison"]).read_text()
    assert page.count('<section id="sequence-') == 1
    for letter, name in zip("ABCD", told["models"], strict=True):
        assert f">{letter}</span> {name}</th>" in page
    assert "Right minus A" in page
    assert "+0.0 (2)" in page  # the same weights: no difference over two objects
    assert sorted(path.name for path in (tmp_path / "out" / "masks").iterdir()) == ["long", "short"]


def test_single_videos_can_be_chosen(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = two_videos(tmp_path / "data")
    command = ["eval", "sam2", f"data.val_path={path}", f"model.checkpoint_path={checkpoint}", "device=cpu"]
    assert run([*command, f"output_dir={tmp_path / 'none'}", "data.only=[c]"]) == 2
    assert "'c' among its 2; it has a, b" in capsys.readouterr().err
    assert not (tmp_path / "none" / "tasks" / "segment-val").exists()
    assert run([*command, f"output_dir={tmp_path / 'out'}", "data.only=[b]"]) == 0
    assert [row["video"] for row in rows(tmp_path / "out" / "tables" / "tiny" / "videos.csv")] == ["b"]
    assert run([*command, f"output_dir={tmp_path / 'out'}"]) == 2
    assert "only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["model.checkpoint_path=nowhere"], "nowhere: no such file or folder"),
        (["validation.promt=box"], "validation.prompt"),
        (["validation.prompt=scribble"], "validation.prompt"),
        (["baselines=[center]"], "no baseline of trackers is called 'center'"),
        (["data.val_path=gone.json"], "gone.json"),
        (["data.val_split=nosuch"], "nosuch"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    root = write_tree(tmp_path / "davis")
    data = [f"data.val_path={root}", "data.format=davis", "data.val_split=train"]
    given = {text.partition("=")[0]: text for text in [*data, f"model.checkpoint_path={checkpoint}", *more]}
    assert run(["eval", "sam2", *given.values(), f"output_dir={tmp_path / 'out'}"]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_configuration_has_every_key_that_the_settings_have() -> None:
    from sightline.cli.eval_sam2 import EvalSam2Settings  # noqa: PLC0415
    from sightline.train.config.typed import typed  # noqa: PLC0415

    values = compose("sam2_eval", ["output_dir=o", "data.val_path=v", "model.checkpoint_path=c"]).values
    settings = typed(values, EvalSam2Settings)
    plain = msgspec.to_builtins(settings)
    assert set(plain) == set(values)
    for part in ("model", "data", "validation"):
        assert set(plain[part]) == set(values[part])


def test_without_hydra_it_says_what_to_install(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "hydra" else find(name, *more))
    assert run(["eval", "sam2", "output_dir=o"]) == 2
    assert "pip install 'sightline[models,train]'" in capsys.readouterr().err
