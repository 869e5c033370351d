"""Numbers by step that read back as the same bits."""

import random

import pytest

pytest.importorskip("hydra", reason="needs the train extra")

from sightline.errors import InputError
from sightline.train.metrics import MetricsFile, read_metrics


def test_rows_read_back_bit_for_bit_and_new_names_make_columns(tmp_path):
    rng = random.Random(0)
    rows = [
        {"loss": rng.random() * 10 ** rng.randint(-20, 20), **({"eval/J&F, all": rng.random()} if step % 3 == 0 else {})}
        for step in range(9)
    ]
    file = MetricsFile(tmp_path / "metrics.csv", start=0)
    for step, row in enumerate(rows, start=1):
        file.append(step, row)
    assert read_metrics(tmp_path / "metrics.csv") == [{"step": step, **row} for step, row in enumerate(rows, start=1)]
    assert (tmp_path / "metrics.csv").read_text().splitlines()[0] == 'step,loss,"eval/J&F, all"'


def test_going_on_drops_the_rows_that_will_come_again(tmp_path):
    path = tmp_path / "metrics.csv"
    file = MetricsFile(path, start=0)
    for step in range(1, 6):
        file.append(step, {"loss": step / 3})
    path.write_text(path.read_text() + "6,0.1")  # killed in the middle of a row
    again = MetricsFile(path, start=3)
    again.append(4, {"loss": 9.0})
    assert [(row["step"], row["loss"]) for row in read_metrics(path)] == [(1, 1 / 3), (2, 2 / 3), (3, 1.0), (4, 9.0)]


def test_a_row_that_is_no_numbers_is_told(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,loss\n1,high\n")
    with pytest.raises(InputError, match=r"metrics.csv: not every row has 2 numbers"):
        read_metrics(path)
