import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest

from sightline.dialects import Dialect, get_dialect
from sightline.errors import InputError
from sightline.evaluate.predict import predict, read_geometry
from sightline.evaluate.run import read_predictions, read_run, read_scores
from sightline.evaluate.score import score_run
from sightline.evaluate.summary import HEADLINE, read_summary, summarise
from sightline.evaluate.table import format_metric, tables
from sightline.files import only_writer
from sightline.models import get_model
from sightline.models.baselines.baseline import Baseline, random_point
from sightline.taskset.store import TaskSet
from sightline.types import Answer, Boxes, NotVisible, Points, Question, Reading

ROBOREFER = get_dialect("roborefer")
FILES = ("run.json", "predictions.jsonl", "scores.jsonl", "summary.json")


@dataclass(frozen=True)
class Script:
    """A language model that says what is written in its script, in turn by the question's number."""

    texts: tuple[str, ...]
    dialect: Dialect | None = ROBOREFER
    name: str = "script"
    batch_size: int = 4
    fails_at: str | None = None

    def describe(self):
        return {"kind": "script"}

    def check(self, taskset: TaskSet) -> None:
        assert len(taskset) > 0

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> Sequence[str | Answer]:
        assert taskset.manifest.name == "tiny"
        if any(question.id == self.fails_at for question in questions):
            raise RuntimeError("out of memory")
        return [self.texts[int(question.id.rpartition("/")[2]) % len(self.texts)] for question in questions]


@pytest.fixture
def taskset(make_example, write_taskset):
    """20 examples of Task 1 in 4 rooms, every second one absent."""
    examples = [make_example("t1_multi", str(index), visible=index % 2 == 0, group=f"room_{index // 5}") for index in range(20)]
    return write_taskset(examples)


def contents(run: Path) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in FILES if (run / name).exists()}


def test_texts_are_kept_read_scored_and_summarised(taskset, tmp_path):
    # Questions 0, 4, 8, 12, 16 get a hit, 1, 5, .. (absent) a point, 2, 6, .. (visible) NOT_VISIBLE, 3, 7, .. (absent) NOT_VISIBLE.
    model = Script(("[(0.4, 0.4)]", "[(0.1, 0.1)]", "NOT_VISIBLE", "NOT_VISIBLE"))
    info = predict(taskset, model, tmp_path / "run")
    assert (info.dialect, info.task, info.taskset_fingerprint) == ("roborefer", "t1_multi", taskset.manifest.fingerprint)
    assert info == read_run(tmp_path / "run")
    predictions = list(read_predictions(tmp_path / "run"))
    assert [prediction.id for prediction in predictions] == taskset.index["id"]
    assert predictions[0].text == "[(0.4, 0.4)]"
    assert predictions[0].reading.answer == Points(points=((40.0, 20.0),), image_index=1)
    assert score_run(tmp_path / "run") == 20
    summary = summarise(tmp_path / "run")
    assert summary == read_summary(tmp_path / "run")
    assert (summary.num_scored, summary.num_missing, summary.num_groups, summary.num_visible, summary.num_absent) == (
        20,
        0,
        4,
        10,
        10,
    )
    metrics = {name: metric.value for name, metric in summary.metrics.items()}
    assert metrics["hit_exact"] == 0.5
    assert metrics["not_visible_accuracy"] == 0.5
    assert metrics["joint_accuracy"] == 0.5
    assert metrics["balanced_accuracy"] == 0.5
    assert {tier: metric.n for tier, metric in summary.tiers.items()} == {"N1": 10, "V": 10}
    (table,) = tables([summary])
    assert (table.title, table.columns) == ("tiny", HEADLINE["t1_multi"])
    assert table.rows[0].model == "script"
    assert table.rows[0].cells[table.columns.index("num_unreadable")] == "0 (20)"
    assert table.rows[0].cells[table.columns.index("hit_exact")] == format_metric("hit_exact", summary.metrics["hit_exact"])


def test_two_runs_are_byte_identical(taskset, tmp_path):
    for name in ("a", "b"):
        predict(taskset, get_model("random"), tmp_path / name)
        score_run(tmp_path / name)
        summarise(tmp_path / name)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert set(contents(tmp_path / "a")) == set(FILES)


def test_a_run_cut_at_any_byte_ends_with_the_same_bytes(taskset, tmp_path):
    model = Script(("[(0.4, 0.4)]", "résumé ❌", "NOT_VISIBLE"))
    predict(taskset, model, tmp_path / "whole")
    expected = contents(tmp_path / "whole")
    whole = expected["predictions.jsonl"]
    line_ends = [index for index, byte in enumerate(whole) if byte == 10]
    for cut in sorted({0, 1, len(whole) - 1, len(whole), *line_ends, *(end + 1 for end in line_ends), *range(40, len(whole), 97)}):
        (tmp_path / "whole" / "predictions.jsonl").write_bytes(whole[:cut])
        predict(taskset, model, tmp_path / "whole")
        assert contents(tmp_path / "whole") == expected, cut


CHILD = """
import sys
from pathlib import Path
from sightline.evaluate.predict import predict
from sightline.models.baselines.baseline import Baseline, random_point
from sightline.taskset.store import TaskSet

FULL = "." * 8192  # a pipe holds 64 KiB: the child is never more than a few examples ahead of its killer
model = Baseline("random", random_point, batch_size=1)
predict(TaskSet(Path(sys.argv[1])), model, Path(sys.argv[2]), on_progress=lambda done, total: print(FULL, flush=True))
"""


@pytest.mark.slow
def test_a_run_killed_at_twenty_random_moments_ends_with_the_same_bytes(make_example, write_taskset, tmp_path):
    taskset = write_taskset([make_example("t1_multi", str(index)) for index in range(600)])
    predict(taskset, Baseline("random", random_point, batch_size=1), tmp_path / "calm")
    rng = random.Random(0)
    for _ in range(20):
        command = [sys.executable, "-c", CHILD, str(taskset.path), str(tmp_path / "killed")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for _ in range(rng.randrange(1, 25)):
                assert child.stdout.readline(), "the child ended before it was killed"
            child.send_signal(signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL
    assert 0 < len(list(read_predictions(tmp_path / "killed"))) < 600
    predict(taskset, Baseline("random", random_point, batch_size=1), tmp_path / "killed")
    assert contents(tmp_path / "killed") == contents(tmp_path / "calm")


def test_a_limited_run_goes_on_where_it_stopped(taskset, tmp_path):
    seen = []
    predict(taskset, get_model("center"), tmp_path / "run", limit=7)
    assert len(list(read_predictions(tmp_path / "run"))) == 7
    predict(taskset, get_model("center"), tmp_path / "run", on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(7, 20), (20, 20)]
    predict(taskset, get_model("center"), tmp_path / "other")
    assert contents(tmp_path / "run") == contents(tmp_path / "other")


def test_going_on_takes_the_old_scores_away(taskset, tmp_path):
    predict(taskset, get_model("center"), tmp_path / "run", limit=7)
    score_run(tmp_path / "run", partial=True)
    summarise(tmp_path / "run")
    predict(taskset, get_model("center"), tmp_path / "run")
    assert set(contents(tmp_path / "run")) == {"run.json", "predictions.jsonl"}
    with pytest.raises(FileNotFoundError, match="sightline score"):
        read_scores(tmp_path / "run")
    with pytest.raises(FileNotFoundError, match="sightline score"):
        read_summary(tmp_path / "run")


def test_missing_predictions_are_refused_with_their_number_and_counted_if_allowed(taskset, tmp_path):
    predict(taskset, get_model("center"), tmp_path / "run", limit=7)
    with pytest.raises(InputError, match=r"13 of 20 examples have no prediction yet.*sightline predict .* --model center --out"):
        score_run(tmp_path / "run")
    assert not (tmp_path / "run" / "scores.jsonl").exists()
    assert score_run(tmp_path / "run", partial=True) == 7
    summary = summarise(tmp_path / "run")
    assert (summary.num_examples, summary.num_scored, summary.num_missing) == (20, 7, 13)
    assert tables([summary])[0].rows[0].model == "center (partial: 7 of 20)"


def test_another_model_option_or_task_set_in_the_same_folder_is_refused_by_name(taskset, make_example, write_taskset, tmp_path):
    model = Script(("NOT_VISIBLE",))
    predict(taskset, model, tmp_path / "run", limit=3)
    before = contents(tmp_path / "run")
    for other, message in (
        (get_model("center"), 'model is "script" there and "center" here'),
        (replace(model, dialect=get_dialect("qwen3")), 'dialect is "roborefer" there and "qwen3" here'),
    ):
        with pytest.raises(InputError, match=message):
            predict(taskset, other, tmp_path / "run")
    other_set = write_taskset([make_example("t1_multi", "0")], name="other")
    with pytest.raises(InputError, match=r"taskset_fingerprint is .* there and .* here"):
        predict(other_set, model, tmp_path / "run")
    assert contents(tmp_path / "run") == before


def test_a_task_set_that_moved_is_still_the_same_run(taskset, tmp_path):
    predict(taskset, get_model("center"), tmp_path / "run", limit=3)
    moved = type(taskset)(taskset.path.rename(tmp_path / "moved"))
    with pytest.raises(FileNotFoundError, match="not a complete task set"):
        score_run(tmp_path / "run")
    assert score_run(tmp_path / "run", taskset=moved.path, partial=True) == 3
    predict(moved, get_model("center"), tmp_path / "run")
    assert score_run(tmp_path / "run") == 20


def test_scoring_on_another_task_set_is_refused(taskset, make_example, write_taskset, tmp_path):
    predict(taskset, get_model("center"), tmp_path / "run")
    other = write_taskset([make_example("t1_multi", "0")], name="other")
    with pytest.raises(InputError, match="not the task set of run"):
        score_run(tmp_path / "run", taskset=other.path)


def test_two_writers_are_refused(taskset, tmp_path):
    with only_writer(tmp_path / "run"), pytest.raises(InputError, match="being written by another process"):
        predict(taskset, get_model("center"), tmp_path / "run")


def test_predictions_that_are_not_the_task_sets_first_ones_are_refused_with_their_line(taskset, tmp_path):
    predict(taskset, get_model("center"), tmp_path / "run")
    path = tmp_path / "run" / "predictions.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], lines[1]]))  # a duplicate
    with pytest.raises(InputError, match=r"line 4: prediction of 't1_multi/1', expected 't1_multi/3'"):
        predict(taskset, get_model("center"), tmp_path / "run")
    with pytest.raises(InputError, match=r"'t1_multi/1' stands where that of 't1_multi/3' belongs"):
        score_run(tmp_path / "run", partial=True)
    path.write_bytes(b"".join([*lines, lines[0]]))
    with pytest.raises(InputError, match=r"line 21: .* expected no more lines"):
        predict(taskset, get_model("center"), tmp_path / "run")
    path.write_bytes(lines[0] + b"{}\n" + lines[2])
    with pytest.raises(InputError, match="line 2"):
        predict(taskset, get_model("center"), tmp_path / "run")


def test_a_models_exception_is_not_swallowed_and_what_was_answered_stays(taskset, tmp_path):
    model = Script(("NOT_VISIBLE",), fails_at="t1_multi/9")
    with pytest.raises(RuntimeError, match="out of memory"):
        predict(taskset, model, tmp_path / "run")
    assert len(list(read_predictions(tmp_path / "run"))) == 8  # two batches of four
    predict(taskset, replace(model, fails_at=None), tmp_path / "run")
    predict(taskset, replace(model, fails_at=None), tmp_path / "calm")
    assert contents(tmp_path / "run") == contents(tmp_path / "calm")


def test_text_without_a_dialect_and_answers_of_another_number_are_refused(taskset, tmp_path):
    with pytest.raises(InputError, match="declares no dialect"):
        predict(taskset, Script(("NOT_VISIBLE",), dialect=None), tmp_path / "run")

    @dataclass(frozen=True)
    class Short(Script):
        def answer(self, questions: Sequence[Question], taskset: TaskSet) -> Sequence[str | Answer]:
            return super().answer(questions, taskset)[1:]

    with pytest.raises(InputError, match="gave 3 answers to 4 questions"):
        predict(taskset, Short(("NOT_VISIBLE",)), tmp_path / "short")


def test_a_text_that_no_file_can_hold_is_kept_with_a_replacement_character(taskset, tmp_path):
    predict(taskset, Script(("NOT_VISIBLE \ud800",)), tmp_path / "run", limit=1)
    (prediction,) = read_predictions(tmp_path / "run")
    assert prediction.text == "NOT_VISIBLE \ufffd"


@pytest.mark.parametrize(
    ("answer", "status", "num_found"),
    [
        (NotVisible(), "not_visible", 0),
        (Points(points=((0.0, 0.0),), image_index=1), "ok", 1),
        (Points(points=((100.0, 50.0),), image_index=1), "ok", 1),  # the far corner belongs to the last pixel
        (Points(points=((100.1, 50.0),), image_index=1), "out_of_range", 1),
        (Points(points=((float("nan"), 1.0),), image_index=1), "out_of_range", 1),
        (Points(points=((1.0, 1.0),), image_index=2), "out_of_range", 1),
        (Points(points=()), "empty", 0),
        (Boxes(boxes=((90.0, 0.0, 130.0, 10.0),), image_index=1), "out_of_range", 1),  # its centre is at 110
    ],
)
def test_geometry_answers_have_a_status_too_and_fit_into_the_file(make_example, answer, status, num_found):
    reading = read_geometry(answer, make_example("t1_multi").question)
    assert (reading.status, reading.num_found) == (status, num_found)
    assert msgspec.json.decode(msgspec.json.encode(reading), type=Reading) == reading


def test_a_run_of_nothing_yet_and_a_folder_that_is_no_run_say_so(taskset, tmp_path):
    predict(taskset, get_model("center"), tmp_path / "run", limit=0)
    with pytest.raises(InputError, match="20 of 20 examples have no prediction"):
        score_run(tmp_path / "run")
    with pytest.raises(FileNotFoundError, match="is not a run"):
        score_run(tmp_path)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "predictions.jsonl").write_bytes(b"")
    with pytest.raises(InputError, match="not a run of ours"):
        predict(taskset, get_model("center"), tmp_path / "foreign")
