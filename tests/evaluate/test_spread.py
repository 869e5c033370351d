"""Several processes that ask one model write what one process writes, and a killed one loses nothing."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from sightline.cli import run
from sightline.errors import InputError
from sightline.evaluate.choosing import choose
from sightline.evaluate.predict import predict
from sightline.evaluate.run import read_predictions
from sightline.evaluate.spread import spread
from sightline.models import ModelOptions, get_model
from sightline.models.model import Streaming
from sightline.taskset.store import TaskSet
from sightline.types import Example

NO_OPTIONS = ModelOptions()
FILES = ("run.json", "predictions.jsonl")


@pytest.fixture
def taskset(make_example: Callable[..., Example], write_taskset: Callable[..., TaskSet]) -> TaskSet:
    """More batches of 16 than two workers are given at a time."""
    return write_taskset([make_example("t1_multi", f"room/{number}") for number in range(300)])


def contents(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


def test_several_processes_write_the_bytes_of_one(taskset: TaskSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predict(taskset, get_model("random"), tmp_path / "one")
    arguments = ["predict", str(taskset.path), "--model", "random", "--json", "--out", str(tmp_path / "several")]
    assert run([*arguments, "--workers", "2"]) == 0
    assert contents(tmp_path / "several") == contents(tmp_path / "one")
    assert not (tmp_path / "several" / "waiting.jsonl").exists()
    assert run([*arguments, "--workers", "0"]) == 2
    capsys.readouterr()


def test_a_killed_process_is_told_and_the_same_command_asks_only_the_rest(taskset: TaskSet, tmp_path: Path) -> None:
    def kill(done: int, _total: int) -> None:
        if done:
            for child in multiprocessing.active_children():
                os.kill(child.pid or 0, signal.SIGKILL)

    several = spread(choose("random", NO_OPTIONS), NO_OPTIONS, 2).answering(taskset)
    with pytest.raises(InputError, match=r"one of 2 processes that ask 'random' died.*the same command goes on"):
        predict(taskset, several, tmp_path / "run", on_progress=kill)
    kept = len(list(read_predictions(tmp_path / "run")))
    seen: list[int] = []
    predict(taskset, get_model("random"), tmp_path / "run", on_progress=lambda done, _: seen.append(done))
    assert 0 < seen[0] < 300
    assert kept <= seen[0]
    predict(taskset, get_model("random"), tmp_path / "calm")
    assert contents(tmp_path / "run") == contents(tmp_path / "calm")


def test_what_a_model_says_in_a_worker_is_told_as_it_is(taskset: TaskSet) -> None:
    several = spread(choose("features", NO_OPTIONS), NO_OPTIONS, 2).answering(taskset)
    assert isinstance(several, Streaming)
    with pytest.raises(FileNotFoundError, match=r"reference\.png"):  # its pictures are not there
        list(several.replies((example.question for example in taskset), taskset))


def test_a_server_and_a_model_on_all_gpus_take_one_process() -> None:
    options = ModelOptions(dialect="roborefer")
    served = choose("mine=openai:http://127.0.0.1:1#tiny", options)
    with pytest.raises(InputError, match=r"--workers 2: 'mine=openai.*--concurrency"):
        spread(served, options, 2)
    assert spread(served, options, 1) is served
    with pytest.raises(InputError, match="--device auto spreads one model over all GPUs"):
        spread(choose("center", NO_OPTIONS), ModelOptions(device="auto"), 2)
