"""Answers that come out of order, or not at all."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import pytest

from sightline.dialects import Dialect, get_dialect
from sightline.errors import InputError
from sightline.evaluate.predict import predict
from sightline.evaluate.run import read_predictions
from sightline.evaluate.score import score_run
from sightline.evaluate.summary import summarise
from sightline.models.model import Failure, Replies, Said, Usage
from sightline.taskset.store import TaskSet
from sightline.types import Question

ROBOREFER = get_dialect("roborefer")


@dataclass(frozen=True)
class Shuffled:
    """A streaming model that has `window` questions under way and answers them in a random order; `failing` ones never."""

    seed: int = 0
    window: int = 5
    failing: frozenset[str] = frozenset()
    asked: list[str] | None = None
    dialect: Dialect = ROBOREFER
    name: str = "shuffled"
    batch_size: int = 1

    def describe(self):
        return {"kind": "shuffled"}

    def check(self, taskset: TaskSet) -> None:
        pass

    def answer(self, questions: Sequence[Question], taskset: TaskSet):  # noqa: ARG002
        raise AssertionError("a streaming model is asked for `replies`")

    def replies(self, questions: Iterable[Question], taskset: TaskSet) -> Replies:  # noqa: ARG002
        rng, waiting = random.Random(self.seed), iter(questions)
        under_way: list[Question] = []
        while under_way := under_way + list(islice(waiting, self.window - len(under_way))):
            question = under_way.pop(rng.randrange(len(under_way)))
            if self.asked is not None:
                self.asked.append(question.id)
            number = int(question.id.rpartition("/")[2])
            reply = Said(text=f"[(0.{number:03d}, 0.5)]", usage=Usage(num_requests=1))
            yield [(question, Failure(reason="it is down") if question.id in self.failing else reply)]


@pytest.fixture
def taskset(make_example, write_taskset):
    return write_taskset([make_example("t1_multi", str(index)) for index in range(20)])


def contents(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.iterdir() if path.name not in (".lock", "timing.json")}


def test_a_finished_run_does_not_show_in_which_order_its_answers_came(taskset, tmp_path):
    for seed in range(5):
        predict(taskset, Shuffled(seed), tmp_path / str(seed))
        assert contents(tmp_path / str(seed)) == contents(tmp_path / "0")
    assert set(contents(tmp_path / "0")) == {"run.json", "predictions.jsonl"}


def test_progress_counts_what_waits(taskset, tmp_path):
    seen = []
    predict(taskset, Shuffled(), tmp_path / "run", on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 20) for number in range(21)]


def test_files_cut_at_any_byte_are_mended_and_what_they_hold_is_not_asked_again(taskset, tmp_path):
    predict(taskset, Shuffled(), tmp_path / "calm")
    run, lines = tmp_path / "run", contents(tmp_path / "calm")["predictions.jsonl"].splitlines(keepends=True)
    predict(taskset, Shuffled(), run, limit=0)
    waiting = b"".join(reversed(lines[2:]))
    for cut in [*range(0, len(waiting), 61), len(waiting) - 1, len(waiting)]:
        (run / "predictions.jsonl").write_bytes(b"")
        (run / "waiting.jsonl").write_bytes(waiting[:cut])
        asked: list[str] = []
        predict(taskset, Shuffled(asked=asked), run)
        assert len(asked) == 20 - waiting[:cut].count(b"\n")
        assert contents(run) == contents(tmp_path / "calm")


def test_too_many_failures_stop_the_run_by_name_and_are_not_recorded(taskset, tmp_path):
    model = Shuffled(failing=frozenset({"t1_multi/3", "t1_multi/4"}))
    message = r"had no answer to 2 of 20 questions, more than --max-errors 0.05 allows.*'t1_multi/[34]': it is down"
    with pytest.raises(InputError, match=message):
        predict(taskset, model, tmp_path / "run", max_errors=0.05)
    assert all(prediction.reading.status == "ok" for prediction in read_predictions(tmp_path / "run"))
    asked: list[str] = []
    before = contents(tmp_path / "run")
    predict(taskset, replace(model, failing=frozenset(), asked=asked), tmp_path / "run")
    lines = (before["predictions.jsonl"] + before.get("waiting.jsonl", b"")).splitlines()
    assert len(asked) == 20 - len(set(lines))
    predict(taskset, Shuffled(), tmp_path / "calm")
    assert contents(tmp_path / "run") == contents(tmp_path / "calm")


def test_few_failures_are_wrong_answers_with_a_reason_until_the_same_command_mends_them(taskset, tmp_path):
    run, failing = tmp_path / "run", frozenset({"t1_multi/0", "t1_multi/7", "t1_multi/19"})
    predict(taskset, Shuffled(failing=failing), run, max_errors=0.15)
    predictions = list(read_predictions(run))
    assert [prediction.id for prediction in predictions] == taskset.index["id"]
    failed = {prediction.id: prediction.reading.notes for prediction in predictions if prediction.reading.status == "error"}
    assert failed == dict.fromkeys(failing, ("it is down",))
    score_run(run)
    assert (summarise(run).statuses["error"], summarise(run).num_scored) == (3, 20)
    asked: list[str] = []
    predict(taskset, Shuffled(failing=frozenset({"t1_multi/7"}), asked=asked), run, max_errors=0.15)
    assert set(asked) == failing
    assert not (run / "scores.jsonl").exists()
    assert sum(prediction.reading.status == "error" for prediction in read_predictions(run)) == 1
    predict(taskset, Shuffled(), run)
    predict(taskset, Shuffled(), tmp_path / "calm")
    assert contents(run) == contents(tmp_path / "calm")


def test_an_interrupted_mending_is_mended(taskset, tmp_path):
    """Killed between keeping what stands behind an error and cutting it off: it then stands in both files."""
    run = tmp_path / "run"
    predict(taskset, Shuffled(failing=frozenset({"t1_multi/7"})), run, max_errors=0.15)
    lines = (run / "predictions.jsonl").read_bytes().splitlines(keepends=True)
    (run / "waiting.jsonl").write_bytes(b"".join(lines[8:15]))
    asked: list[str] = []
    predict(taskset, Shuffled(asked=asked), run)
    assert asked == ["t1_multi/7"]
    predict(taskset, Shuffled(), tmp_path / "calm")
    assert contents(run) == contents(tmp_path / "calm")


def test_a_limited_run_leaves_errors_behind_its_limit_alone(taskset, tmp_path):
    run, asked = tmp_path / "run", []
    predict(taskset, Shuffled(failing=frozenset({"t1_multi/12"})), run, max_errors=0.15)
    before = contents(run)
    predict(taskset, Shuffled(asked=asked), run, limit=10)
    assert (asked, contents(run)) == ([], before)


def test_a_text_that_quotes_a_status_is_no_error(taskset, tmp_path):
    @dataclass(frozen=True)
    class Quoting(Shuffled):
        def replies(self, questions: Iterable[Question], taskset: TaskSet) -> Replies:
            for some in super().replies(questions, taskset):
                yield [(question, '{"status":"error"}') for question, _ in some]

    asked: list[str] = []
    predict(taskset, Quoting(), tmp_path / "run")
    predict(taskset, Quoting(asked=asked), tmp_path / "run")
    assert asked == []


def test_a_foreign_or_damaged_line_that_waits_is_refused_with_its_place(taskset, tmp_path):
    predict(taskset, Shuffled(), tmp_path / "run", limit=3)
    line = (tmp_path / "run" / "predictions.jsonl").read_bytes().splitlines(keepends=True)[0]
    for content, expected in (
        (b"{}\n", "line 1: .*Delete the file"),
        (line.replace(b"t1_multi/0", b"t1_multi/x"), "not in the task set"),
    ):
        (tmp_path / "run" / "waiting.jsonl").write_bytes(content)
        with pytest.raises(InputError, match=expected):
            predict(taskset, Shuffled(), tmp_path / "run")
