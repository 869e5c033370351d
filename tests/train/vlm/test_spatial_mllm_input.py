"""What Spatial-MLLM does in training with odd numbers of frames, short videos, mixed sizes, and caches or processors of others."""

import json
from pathlib import Path
from typing import Any

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.errors import InputError  # noqa: E402
from sightline.train.metrics import read_metrics  # noqa: E402
from sightline.train.vlm.chat import open_chat  # noqa: E402
from sightline.train.vlm.kept_features import fill  # noqa: E402
from sightline.train.vlm.prepare import prepare  # noqa: E402
from tests.models.spatial_mllm.checkpoint import save_spatial  # noqa: E402
from tests.train.vlm.small import composed, settings_of, trained  # noqa: E402
from tests.train.vlm.spatial_samples import clip, frame, sample, write_rows  # noqa: E402
from tests.video_file import write_video  # noqa: E402

FROZEN = ("model.parts.vision={how: frozen}",)
ONE = ("trainer.max_steps=1", "data.rows_per_step=1", "checkpoints.every=0")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_spatial(tmp_path_factory.mktemp("spatial") / "tiny")


def _file(folder: Path, *records: dict[str, Any]) -> Path:
    said = [{"from": "gpt", "value": "3"}]
    rows = [
        {"id": f"r{number}", **each, "conversations": [{"from": "human", "value": each.pop("said")}, *said]}
        for number, each in enumerate(records)
    ]
    path = folder / "rows.json"
    path.write_text(json.dumps(rows))
    return path


@pytest.mark.parametrize(("num_frames", "max_frames", "steps"), [(1, 8, 1), (3, 8, 2), (6, 8, 3), (20, 5, 3), (20, 1, 1)])
def test_a_video_shows_its_frames_once_and_the_last_one_twice_where_they_are_odd(tmp_path, model, num_frames, max_frames, steps):
    """48 x 32 pixels become 56 x 28, two tokens for each step of two frames."""
    write_video(tmp_path / "a.mp4", num_frames=num_frames)
    rows = _file(tmp_path, {"said": "<video>How many?", "video": "a.mp4"})
    settings = settings_of(composed(tmp_path, model, rows, f"data.max_frames={max_frames}", *ONE))
    (counts,) = prepare(settings).training.counts
    assert counts.media.tolist() == [2 * steps]


def test_odd_and_single_frames_are_trained_on(tmp_path, model):
    write_video(tmp_path / "one.mp4", num_frames=1)
    write_video(tmp_path / "three.mp4", num_frames=3)
    rows = _file(
        tmp_path,
        {"said": "<video>How many?", "video": "one.mp4"},
        {"said": "<video>How many?", "video": "three.mp4"},
        {"said": "<image>How many?", "image": frame(tmp_path, 1).path.name},
    )
    run = trained(tmp_path, model, rows, *ONE, "data.batching=packed").run
    (row,) = read_metrics(run / "metrics.csv")
    loss = row["loss"]
    assert loss is not None
    assert loss > 0


def test_pictures_of_several_sizes_in_one_record_stop_the_run_with_its_name_and_their_sizes(tmp_path, model):
    names = [frame(tmp_path, 1, size).path.name for size in ((90, 60), (60, 90))]
    rows = _file(
        tmp_path,
        {"said": "<image><image>How many?", "images": names},
        {"said": "<image>How many?", "image": names[0]},
    )
    # 90 x 60 becomes 84 x 56, 60 x 90 becomes 56 x 84
    with pytest.raises(InputError, match=r"r0.*one size after resizing.*found 84 x 56, 56 x 84"):
        trained(tmp_path / "stop", model, rows, *ONE)
    run = trained(tmp_path / "drop", model, rows, *ONE, "data.on_bad_sample=drop").run
    (left,) = [json.loads(line) for line in (run / "left-out.jsonl").read_text().splitlines()]
    assert "r0" in json.dumps(left)


def test_frames_of_several_sizes_in_one_clip_are_an_error_that_names_the_sample(tmp_path, model):
    from sightline.models.options import ModelOptions  # noqa: PLC0415
    from sightline.train.vlm.samples import FrameRun  # noqa: PLC0415

    same = clip(tmp_path, count=2)
    mixed = FrameRun((*same.frames, frame(tmp_path, 9, (60, 90))), (0.0, 1.0, 2.0))
    with pytest.raises(InputError, match=r"test, sample 'mixed': frames of one video must share one size; found 60 x 90, 90 x 60"):
        open_chat(model, ModelOptions()).count(sample("mixed", ("How many?", "3"), clips=(mixed,)))


def test_a_cache_of_other_pixel_limits_or_weights_stops_the_run_before_its_first_step(tmp_path, model):
    rows = write_rows(tmp_path / "data")
    kept = f"data.features={tmp_path / 'features'}"
    settings = settings_of(composed(tmp_path, model, rows, *FROZEN, kept))
    fill(settings, open_chat(model, settings.model.options), stored="float32", device=torch.device("cpu"), progress=lambda *_: None)
    with pytest.raises(InputError, match=r"features of other settings: max_pixels 4704 there, 3136 here"):
        trained(tmp_path / "pixels", model, rows, *ONE, *FROZEN, kept, "model.max_pixels=3136")
    other = save_spatial(tmp_path / "other", seed=5)
    with pytest.raises(InputError, match=r"features of other settings: vision '\w+' there"):
        trained(tmp_path / "weights", other, rows, *ONE, *FROZEN, kept)
    assert not list(tmp_path.glob("*/run/checkpoints/step-*"))


def test_a_cache_of_other_frames_than_are_shown_now_is_refused_with_the_remedy(tmp_path, model):
    write_video(tmp_path / "a.mp4", num_frames=8)
    rows = _file(tmp_path, {"said": "<video>How many?", "video": "a.mp4"})
    kept = f"data.features={tmp_path / 'features'}"
    settings = settings_of(composed(tmp_path, model, rows, *FROZEN, kept, "data.max_frames=2"))
    chat = open_chat(model, settings.model.options, max_frames=2, view=settings.view)
    fill(settings, chat, stored="float32", device=torch.device("cpu"), progress=lambda *_: None)
    with pytest.raises(InputError, match=r"no features of 4 frames.*a\.mp4.*sightline cache-features"):
        trained(tmp_path / "run", model, rows, *ONE, *FROZEN, kept, "data.max_frames=4")
