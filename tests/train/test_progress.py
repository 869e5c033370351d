"""What is shown of a run."""

import io
import sys

import pytest

pytest.importorskip("torch", reason="needs the models extra")

from loguru import logger
from rich.console import Console

from sightline.train.logs import run_log
from sightline.train.progress import Bar, Rates, told

NUMBERS = {"loss": 1.23456, "loss/mask": 1.0, "lr": 0.1, "memory_gb": 2.0, "frames_per_s": 31.25, "eval/J&F": 0.8123}


def test_a_line_has_the_few_numbers_worth_a_place():
    of_sets = {"eval/davis/J&F": 0.7, "eval/x3/t2a/hit_exact": 0.5}
    assert told(NUMBERS | of_sets) == "loss 1.235  memory 2 GB  frames/s 31.25  J&F 0.8123"


def test_a_terminal_gets_a_bar_and_no_lines(tmp_path):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120)
    with run_log(tmp_path, rank=0, console=console), Bar(console, first=0, max_steps=10) as bar:
        bar.show(4, NUMBERS)
        bar.say(4, NUMBERS)
    assert "J&F 0.8123" in stream.getvalue()
    assert "step 4/10" not in stream.getvalue()
    assert "step 4/10: loss 1.235" in (tmp_path / "train.log").read_text()


def test_a_file_gets_lines_and_no_bar(tmp_path):
    stream = io.StringIO()
    console = Console(file=stream, width=60)
    with run_log(tmp_path, rank=0, console=console), Bar(console, first=0, max_steps=10) as bar:
        bar.show(4, NUMBERS)
        bar.say(4, NUMBERS)
    [line] = stream.getvalue().splitlines()
    assert line.endswith("step 4/10: loss 1.235  memory 2 GB  frames/s 31.25  J&F 0.8123")


def test_further_processes_write_a_log_of_their_own(tmp_path):
    with run_log(tmp_path, rank=3, console=None):
        logger.info("here")
    assert "| 3 | here" in (tmp_path / "train.rank3.log").read_text()


def test_logging_goes_on_as_before_after_a_run(tmp_path, capsys):
    logger.remove()
    number = logger.add(sys.stdout, format="own {message}")
    for _ in range(2):
        with run_log(tmp_path, rank=0, console=None):
            pass
    logger.info("after")
    logger.remove(number)
    assert capsys.readouterr().out == "own after\n"
    assert "after" not in (tmp_path / "train.log").read_text()


def test_rates_count_all_processes_and_start_anew():
    rates = Rates()
    rates.batch_came()
    rates.update_done({"frames": 8})
    rates.update_done({"frames": 8, "clips": 1})
    first = rates.read(4)
    assert first["frames_per_s"] == pytest.approx(16 * first["clips_per_s"])
    assert 0 <= first["stall"] <= 1
    assert set(rates.read(4)) == {"stall"}
