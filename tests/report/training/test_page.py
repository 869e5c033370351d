"""The page on trainings: what stands in it, and what is refused."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from sightline.cli import run as command
from sightline.errors import InputError
from sightline.report.training.charts import part_rates
from sightline.report.training.folders import training_folders
from sightline.report.training.page import write_training_report
from sightline.report.training.run import Stage, read_training
from sightline.train.checkpoints import Pointer
from tests.report.training.world import SETTINGS, full_training, numbers, write_training
from tests.report.world import World


@pytest.fixture(scope="module")
def training(tmp_path_factory, world: World) -> Path:
    return full_training(tmp_path_factory.mktemp("trainings") / "full", world)


@pytest.fixture(scope="module")
def html(training: Path, tmp_path_factory) -> str:
    return write_training_report([training], tmp_path_factory.mktemp("page") / "out").read_text()


def chart(html: str, title: str) -> str:
    """The figure with this title."""
    return next(each for each in html.split("<figure>") if each.startswith(f"<figcaption>{title}</figcaption>"))


def test_a_run_has_a_chart_for_each_number(html: str) -> None:
    titles = re.findall(r"<figcaption>([^<]*)</figcaption>", html)
    assert titles == [
        "Loss",
        "Loss by source",
        "joint_accuracy, %",
        "Learning rate",
        "Tokens a second",
        "Stall and padding, %",
        "Memory, GB",
        "Norm of the gradient",
    ]
    assert chart(html, "Loss").count('class="curve') == 1  # one term alone is the loss itself
    assert chart(html, "Loss by source").count('class="curve') == 2


def test_the_tables_say_first_least_most_and_last(html: str) -> None:
    cells = re.findall(r"<td>([^<]*)</td>", chart(html, "Loss"))
    assert cells == ["3.9", "2", "3.9", "2", "40"]  # 4 - 2 * 2 / 40 = 3.9 to 4 - 2 = 2
    row = re.findall(r"<td>([^<]*)</td>", html.partition("<tbody>")[2].partition("</tbody>")[0])
    # tokens: 1,002 to 1,040 in steps of 2, the median 1,021
    assert row == ["40 of 40", "2", "joint_accuracy 50.0 %, step 20", "1,021", "25.0 %", "1.0 %", "2.00 GB", "1 time", "2"]


def test_the_best_evaluation_the_stages_and_resumptions_are_marked(html: str) -> None:
    evaluated = chart(html, "joint_accuracy, %")
    assert evaluated.count("<title>best: 50 at step 20</title>") == 1
    for label in ("mean", "room/set", "x3"):
        assert f"</span> {label}</th>" in evaluated
    for figure in html.split("<figure>")[1:9]:
        assert re.findall(r'class="stage-name"[^>]*>([^<]*)</text>', figure) == ["easy", "&lt;i&gt;hard&lt;/i&gt;"]
        assert figure.count('class="resumed"') == 1
        assert "went on 2026-11-21 11:30, after step 12" in figure
    assert "after step 12; changed: trainer.devices: was 1, now 2" in html


def test_each_part_that_is_trained_has_its_rate(training: Path, html: str) -> None:
    rates = part_rates(read_training(training, name="full", number=0))
    assert list(rates) == ["projector", "language_model"]  # the frozen tower's rate of 1e-2 is not the scale
    assert np.unique(rates["projector"].values).tolist() == [5e-4]
    assert np.unique(rates["language_model"].values).tolist() == [1e-3]
    parts = html.partition("<h3>Parts</h3>")[2].partition("</table>")[0]
    assert re.findall(r"<td>([^<]*)</td>", parts)[:5] == ["frozen", "–", "3", "1,000", "0"]


def test_answers_are_drawn_with_the_truth_for_each_evaluation(html: str) -> None:
    assert re.findall(r"<summary>(After step[^<]*)</summary>", html) == [
        "After step 40: 1 of these 4 right",
        "After step 20, the best: 1 of these 4 right",
    ]
    assert html.count('class="asked"') == 2 * 4 * 2  # evaluations, answers, pictures of each
    assert html.count('class="mask"') == html.count('class="dilated"') > 0
    assert 'class="point run-0' in html
    assert not re.search(r"<script|<img|https?://(?!www\.w3\.org)", html)


def test_first_batches_show_what_is_learnt_as_text(html: str) -> None:
    batches = html.partition("<h3>First batches</h3>")[2].partition("<h3>")[0]
    assert re.findall(r"<summary>([^<]*)</summary>", batches) == ["Step 1, stage easy", "Step 21, stage &lt;i&gt;hard&lt;/i&gt;"]
    marked = '<mark title="to be learnt">[(1, 2)]&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;⟨U+202E⟩</mark>'
    assert batches.count(f"Where is it? {marked}") == 2


def test_stages_end_where_the_next_begins(training: Path) -> None:
    assert read_training(training, name="", number=0).stages == (Stage("easy", 1, 20), Stage("<i>hard</i>", 21, 40))


def test_a_run_of_another_kind_is_shown_with_what_it_has(tmp_path: Path) -> None:
    rows = [
        (step, {"loss": 3.0, "loss/mask": 2.0, "loss/dice": 1.0, "lr": 1e-4, "clips_per_s": 2.0, "depth_bins": 7.0})
        for step in (1, 2)
    ]
    run = write_training(tmp_path / "sam2", rows, settings={"trainer": {"max_steps": 2}})
    (run / "validation").mkdir()
    for step in (1, 2):
        (run / "validation" / f"step-{step:08d}.csv").write_text(f"clip,object,J\n<b>clip</b>,7,0.{step}\n")
    html = write_training_report([run], tmp_path / "out").read_text()
    titles = re.findall(r"<figcaption>([^<]*)</figcaption>", html)
    assert titles == ["Loss", "Learning rate", "Clips a second", "depth_bins"]
    assert chart(html, "Loss").count('class="curve') == 3
    objects = html.partition("<h3>Held-out objects</h3>")[2].partition("</table>")[0]
    assert "After step 2<" in objects
    assert re.findall(r'<th scope="row">([^<]*)</th><td>7</td><td>0.2</td>', objects) == ["&lt;b&gt;clip&lt;/b&gt;"]
    for absent in ("Parts", "Stages", "Answers at the evaluations", "First batches", "Left out"):
        assert f"<h3>{absent}</h3>" not in html


def test_several_runs_lie_over_each_other_and_differences_are_told(tmp_path: Path) -> None:
    folders = []
    for number, rate in enumerate((1e-3, 1e-4)):
        settings = SETTINGS | {"rates": {"lr": rate}, "run": {"dir": f"runs/{number}"}}
        best = Pointer(checkpoint="step-00000020", metric="joint_accuracy", value=0.5)
        rows = ((step, numbers(step)) for step in range(2, 41 - 10 * number, 2))
        folders.append(write_training(tmp_path / "sweep" / f"{number}_lr", rows, settings=settings, best=best))
    assert training_folders([tmp_path / "sweep"]) == tuple(folders)
    html = write_training_report(folders, tmp_path / "out").read_text()
    assert chart(html, "Loss").count('class="curve') == 2
    assert chart(html, "joint_accuracy, %").count("best: 50 at step 20") == 2
    differing = html.partition("<h3>What differs</h3>")[2].partition("</table>")[0]
    assert re.findall(r'scope="col">([^<]*)<', differing) == ["run", "rates.lr"]
    assert re.findall(r"<td>([^<]*)</td>", differing) == ["0.001", "0.0001"]
    assert "30 of 40" in html


def test_many_runs_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 0):
        write_training(tmp_path / f"{number}_seed", [(1, {"loss": 1.0})])
    assert [folder.name for folder in training_folders([tmp_path])] == ["0_seed", "2_seed", "10_seed"]


def test_answers_of_a_task_set_that_is_gone_are_words_and_the_page_says_so(tmp_path: Path, training: Path) -> None:
    moved = Path(shutil.copytree(training, tmp_path / "run"))
    for info in moved.glob("evaluation/*/multi/run.json"):
        info.write_text(json.dumps(json.loads(info.read_text()) | {"taskset_path": str(tmp_path / "gone")}))
    html = write_training_report([moved], tmp_path / "out").read_text()
    assert html.count("Without pictures: ") == 2
    for info in moved.glob("evaluation/*/multi/run.json"):
        kept = json.loads((training / info.relative_to(moved)).read_text())
        info.write_text(json.dumps(kept | {"taskset_fingerprint": "another"}))
    html = write_training_report([moved], tmp_path / "out").read_text()
    assert html.count("multi has been built anew since.") == 2
    assert 'class="asked"' not in html
    assert "After step 40: 1 of these 4 right" in html


def test_a_hundred_thousand_rows_make_a_small_page_and_a_cut_last_row_is_left_out(tmp_path: Path) -> None:
    run = write_training(tmp_path / "long", [(1, {"loss": 9.0, "lr": 1.0})], settings={"trainer": {"max_steps": 100_000}})
    with (run / "metrics.csv").open("a") as file:
        file.writelines(f"{step},{(step % 7) / 7},0.5\n" for step in range(2, 100_001))
        file.write("100001,0.7")
    page = write_training_report([run], tmp_path / "out")
    assert page.stat().st_size < 100_000
    assert "<td>100,000</td>" in chart(page.read_text(), "Loss")
    assert 'class="band run-0"' in chart(page.read_text(), "Loss")
    assert ">9</td>" in chart(page.read_text(), "Loss")  # the table is of all rows, not of bins


def test_what_cannot_be_shown_is_refused(tmp_path: Path, training: Path, world: World, capsys) -> None:
    with pytest.raises(InputError, match="is given twice"):
        write_training_report([training, training], tmp_path / "out")
    with pytest.raises(InputError, match=r"is a training, .*run-vlm is not"):
        training_folders([training, world.root / "run-vlm"])
    empty = write_training(tmp_path / "empty", [])
    with pytest.raises(InputError, match="nothing has been trained yet"):
        write_training_report([empty], tmp_path / "out")
    (empty / "metrics.csv").write_text("step,loss\n1,low\n")
    with pytest.raises(InputError, match=r"metrics\.csv: not every row is numbers"):
        write_training_report([empty], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert command(["report", str(training), "--out", str(tmp_path / "out"), "--baseline", "x"]) == 2
    assert "--baseline: for reports of scored runs" in " ".join(capsys.readouterr().err.split())
    assert command(["report", str(training)]) == 2


def test_a_name_of_a_task_set_cannot_lead_out_of_the_run(tmp_path: Path, training: Path) -> None:
    moved = Path(shutil.copytree(training, tmp_path / "run"))
    lines = [json.loads(line) | {"taskset": "../../../../x"} for line in (moved / "samples.jsonl").read_text().splitlines()]
    (moved / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(InputError, match="leaves its root"):
        write_training_report([moved], tmp_path / "out")


def test_the_command_writes_the_page_and_writes_it_again(tmp_path: Path, training: Path, capsys) -> None:
    for _ in range(2):
        assert command(["report", str(training), "--out", str(tmp_path / "out"), "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"report": str(tmp_path / "out/index.html")}
    assert "Sightline training: full" in (tmp_path / "out/index.html").read_text()
