"""A whole training, from settings to weights: small, real, and interrupted in all ways that users meet."""

import errno
import json
from pathlib import Path

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning"):
    pytest.importorskip(package, reason="needs the models and train extras")

from transformers import Sam2VideoModel  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.files import read_json  # noqa: E402
from sightline.models.sam2.clip import ClipModel  # noqa: E402
from sightline.models.sam2.names import from_original  # noqa: E402
from sightline.models.sam2.weights import read_original  # noqa: E402
from sightline.train.ledger import Ledger  # noqa: E402
from sightline.train.sam2 import evaluation, memory, publish  # noqa: E402
from sightline.train.sam2.memory import Preflight  # noqa: E402
from sightline.train.sam2.run import train_sam2  # noqa: E402
from sightline.types import LedgerEntry  # noqa: E402
from tests.train.sam2.small import composed  # noqa: E402


def losses_of(run: Path) -> list[str]:
    """The loss terms of each step, to the last digit."""
    header, *rows = (line.split(",") for line in (run / "metrics.csv").read_text().splitlines())
    places = [index for index, name in enumerate(header) if name == "step" or name.startswith("loss")]
    return [",".join(row[place] for place in places) for row in rows]


def test_a_training_ends_with_scores_and_weights_that_plain_transformers_loads(tmp_path):
    lines = []
    data = (f"data.val_path={tmp_path / 'videos.json'}", "evaluation.every=1")
    trained = train_sam2(composed(tmp_path, *data), quiet=True, report=lines.append)
    assert trained.outcome.finished
    assert 0 <= trained.metrics["J&F"] <= 1
    assert trained.scores is not None
    assert trained.weights is not None
    assert trained.scores.read_text().count("\n") == 3  # a heading, left/1, right/7
    assert lines
    assert lines[0].startswith("preflight: clip 'left'")
    assert json.loads((trained.run / "preflight.json").read_text())["objects"] >= 2
    best = torch.load(trained.run / f"checkpoints/step-{trained.kept_step:08d}/state.pt", weights_only=True)["model"]
    loaded = Sam2VideoModel.from_pretrained(trained.weights / "sam2_video").state_dict()
    original = from_original(read_original(trained.weights / "sam2.pt"))
    assert {f"model.{name}" for name in loaded} == set(best)
    for name, tensor in loaded.items():
        assert torch.equal(tensor, best[f"model.{name}"])
        assert torch.equal(tensor, original[name])


def test_an_interrupted_training_goes_on_with_the_same_losses_past_a_mended_picture(tmp_path):
    whole, part = tmp_path / "whole", tmp_path / "part"
    mixed = ("prompts.kind=mixed", "prompts.num_clicks=1", "trainer.max_steps=4", "preflight=false")
    train_sam2(composed(whole, *mixed), quiet=True)
    first = composed(part, *mixed)
    picture = part / "right/00001.jpg"
    content = picture.read_bytes()
    picture.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"(?s)right.*00001\.jpg"):
        train_sam2(first, quiet=True)
    picture.write_bytes(content)
    trained = train_sam2(composed(part, *mixed, "resume=last"), quiet=True)
    assert trained.outcome.step == 4
    assert losses_of(trained.run) == losses_of(whole / "run")


def test_a_full_disk_while_the_weights_are_written_leaves_nothing_half_and_the_checkpoint_whole(tmp_path, monkeypatch):
    def full(_, path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(publish, "write_original", full)
        with pytest.raises(OSError, match="No space left"):
            train_sam2(composed(tmp_path, "preflight=false"), quiet=True)
    run = tmp_path / "run"
    assert not list((run / "weights").glob("step-*"))
    assert (run / "checkpoints/step-00000002/state.pt").is_file()
    trained = train_sam2(composed(tmp_path, "preflight=false", "resume=last"), quiet=True)
    assert trained.weights is not None
    assert (trained.weights / "sam2.pt").is_file()


def fails_from(call: int, monkeypatch) -> None:
    """The network has no memory left from its `call`-th clip on."""
    forward, calls = ClipModel.forward, []

    def short_of_memory(self, *args, **kwargs):
        calls.append(1)
        if len(calls) >= call:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(ClipModel, "forward", short_of_memory)


def test_no_memory_in_the_middle_of_a_training_names_the_clip_and_what_fitted_before(tmp_path, monkeypatch):
    fails_from(2, monkeypatch)
    with pytest.raises(InputError, match=r"out of memory: clip '.*3 object\(s\) in 3 frames of 2 clip\(s\) at 64 px") as caught:
        train_sam2(composed(tmp_path, "preflight=false"), quiet=True)
    assert (tmp_path / "run/checkpoints/step-00000001/state.pt").is_file()
    assert "The largest batch that went through before had 2 object(s) in 3 frames of 2 clip(s)." in str(caught.value)


def test_no_memory_after_going_on_tells_what_the_preflight_of_the_first_start_measured(tmp_path, monkeypatch):
    train_sam2(composed(tmp_path, "trainer.max_steps=1"), quiet=True)
    fails_from(1, monkeypatch)
    monkeypatch.setattr(memory, "CONTAINER_LIMIT", tmp_path / "memory.max")
    found = read_json(tmp_path / "run/preflight.json", Preflight)
    (tmp_path / "memory.max").write_text(str(int((found.weights + 0.6 * (found.needed - found.weights)) / 0.9)))
    with pytest.raises(InputError, match=r"2 clip\(s\) at 64 px\. It keeps .* GiB\. By this, .*1 clips or 32 px would fit"):
        train_sam2(composed(tmp_path, "resume=last"), quiet=True)


def test_no_memory_while_it_is_evaluated_names_the_held_out_video(tmp_path, monkeypatch):
    def short_of_memory(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(evaluation, "propagate", short_of_memory)
    data = (f"data.val_path={tmp_path / 'videos.json'}", "evaluation.every=1", "preflight=false")
    with pytest.raises(InputError, match=r"out of memory: held-out video 'left', 2 object\(s\) followed together at 64 px"):
        train_sam2(composed(tmp_path, *data), quiet=True)


def test_without_held_out_videos_the_log_says_that_nothing_is_evaluated(tmp_path):
    trained = train_sam2(composed(tmp_path, "preflight=false", "evaluation.every=1"), quiet=True)
    log = (trained.run / "train.log").read_text()
    assert log.count("no data.val_path: nothing is evaluated (evaluation.every=1); the weights of the last step are kept") == 1
    assert (trained.metrics, trained.kept_step) == ({}, 2)
    assert trained.weights is not None


def twice(content) -> None:
    content["images"].append({**content["images"][0], "id": 999, "order_in_video": 99})


def unsorted(content) -> None:
    first, second = content["images"][1:3]
    first["order_in_video"], second["order_in_video"] = second["order_in_video"], first["order_in_video"]


def in_no_frame(content) -> None:
    for annotation in content["annotations"]:
        if annotation["track_id"] == 7:
            annotation["segmentation"] = {"size": annotation["segmentation"]["size"], "counts": [32 * 48]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (twice, r"clip 'left'.*stands for two frames"),
        (unsorted, r"clip 'left': frame \d+ comes after frame \d+"),
        (in_no_frame, r"clip 'right': object '7' is in no frame"),
    ],
)
def test_a_json_that_would_teach_the_wrong_thing_is_refused_before_a_run_is_made(tmp_path, change, message):
    from tests.train.sam2.trees import write_json  # noqa: PLC0415

    write_json(tmp_path, change)
    with pytest.raises(InputError, match=message):
        train_sam2(composed(tmp_path), quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_clip_longer_than_its_video_is_refused_before_a_run_is_made(tmp_path):
    with pytest.raises(InputError, match=r"clip 'right': 4 frames; a clip of 5 frames, 1 apart, needs 5"):
        train_sam2(composed(tmp_path, "data.clips.num_frames=5"), quiet=True)
    assert not (tmp_path / "run").exists()


def test_an_entry_stands_in_the_ledger_once(tmp_path):
    entry = LedgerEntry(unit="step 1, row 0", reason="clip_not_loaded", detail="x")
    for _ in range(2):
        Ledger(tmp_path / "ledger.jsonl").add(entry)
    assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == 1
