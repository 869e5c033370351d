"""Several processes that hold a Sa2VA each draw the masks that one draws."""

import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from sightline.errors import InputError  # noqa: E402
from sightline.evaluate.choosing import choose  # noqa: E402
from sightline.evaluate.predict import predict  # noqa: E402
from sightline.evaluate.run import read_predictions  # noqa: E402
from sightline.evaluate.spread import spread  # noqa: E402
from sightline.models import ModelOptions  # noqa: E402
from sightline.tasks.footage import Sampling  # noqa: E402
from sightline.tasks.refer import ReferOptions  # noqa: E402
from sightline.taskset.build import build  # noqa: E402
from sightline.taskset.store import TaskSet  # noqa: E402
from tests.taskset.test_build_refer import clip_request, write_clips  # noqa: E402

OPTIONS = ModelOptions(max_new_tokens=8, device="cpu", batch_size=2)  # six batches: two of each of the three clips


@pytest.fixture(scope="module")
def taskset(tmp_path_factory: pytest.TempPathFactory) -> TaskSet:
    place = tmp_path_factory.mktemp("referring")
    options = ReferOptions(sampling=Sampling(policy="all"))
    build(clip_request(write_clips(place / "clips"), tasks=("refer_mask_track",), options=options), place / "out")
    return TaskSet(place / "out" / "refer_mask_track-train")


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sums over another number of threads may round otherwise."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_two_processes_write_the_masks_of_one_and_go_on_after_a_kill(
    folders: dict[str, Path], taskset: TaskSet, tmp_path: Path
) -> None:
    spec = f"sa2va:{folders['internvl']}?mode=consistent"

    def asked(workers: int, out: Path, on_progress: Any = None) -> bytes:
        model = spread(choose(spec, OPTIONS), OPTIONS, workers).answering(taskset)
        predict(taskset, model, out, on_progress=on_progress)
        return (out / "predictions.jsonl").read_bytes()

    alone = asked(1, tmp_path / "one")
    assert len(alone.splitlines()) == 12
    assert b'"counts"' in alone  # masks, not only words
    assert asked(2, tmp_path / "two") == alone
    with pytest.raises(InputError, match=r"one of 2 processes that ask .* died"):
        asked(2, tmp_path / "killed", _kill)
    kept = list(read_predictions(tmp_path / "killed"))
    first: list[int] = []
    assert asked(2, tmp_path / "killed", lambda done, _: first.append(done)) == alone
    assert first[0] >= max(len(kept), 1)
    assert not (tmp_path / "killed" / "waiting.jsonl").exists()


def _kill(done: int, _total: int) -> None:
    if done:
        for child in multiprocessing.active_children():
            child.kill()
