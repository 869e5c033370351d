"""Boxes, masks and words in the report: what is drawn, and that each number links to the examples that it counts."""

import html
import json
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pytest

from sightline.evaluate.predict import predict
from sightline.evaluate.run import read_scores
from sightline.evaluate.score import score_run
from sightline.evaluate.summary import summarise
from sightline.models import get_model
from sightline.report.columns import pack
from sightline.report.details import answer_detail
from sightline.report.write import write_report
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.types import Choice, MaskAnswer, MaskRle
from tests.report.test_write import MEANS, cells_of, read_data
from tests.report.told import Told, meets, tell
from tests.x3_tree import write_tree

MODELS = ("center", "difference", "not-visible")
TASKS = ("t2a_yesno", "t2b_box", "t2b_mask")


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("variants")
    request = BuildRequest(
        reader="x3",
        root=str(write_tree(folder / "data")),
        splits=("train",),
        tasks=TASKS,
        options=CrossViewOptions(pairs="all", wording="mixed"),
    )
    runs = []
    for built in build(request, folder / "tasks"):
        for model in MODELS:
            run = folder / "runs" / model / built.manifest.name
            predict(TaskSet(Path(built.path)), get_model(model), run)
            score_run(run)
            summarise(run)
            runs.append(run)
    return write_report(runs, folder / "report")


def test_each_number_of_a_variant_is_the_number_of_examples_behind_its_link(report: Path) -> None:
    num_shares = 0
    for table in re.findall("<table>.*?</table>", report.read_text(encoding="utf-8")):
        titles = re.findall('<th scope="col">([^<]*)</th>', table)[1:]
        for row in re.findall("<tr>(.*?)</tr>", table)[1:]:
            for title, (value_link, value, n_link, n) in cells_of(row, titles):
                counted, asked = (_count(report, link) for link in (value_link, n_link))
                assert asked == int(n), title
                if value != "–" and title not in MEANS and not title.startswith(("L2", "IoU", "Right minus")):
                    assert value == (f"{100 * counted / asked:.1f}" if "." in value else str(counted)), title
                    num_shares += 1
    assert num_shares > 60


def _count(report: Path, link: str) -> int:
    conditions = {key: values[0] for key, values in parse_qs(html.unescape(link).removeprefix("#")).items()}
    run = report.parents[1] / "runs" / conditions.pop("model") / conditions.pop("set")
    return sum(meets(told, conditions) for told in _told(run))


@lru_cache
def _told(run: Path) -> list[Told]:
    return tell(run, {model: run.parents[1] / model / run.name for model in MODELS})


def test_the_overlap_stands_in_the_index_for_filtering(report: Path) -> None:
    index = read_data(report, "index")
    for run, expected in zip(index["runs"], [(task, model) for task in TASKS for model in MODELS], strict=True):
        scores = list(read_scores(report.parents[1] / "runs" / expected[1] / f"{expected[0]}-train"))
        known = [np.nan if score.iou is None else score.iou for score in scores]
        assert run["iou"] == pack(np.array(known, dtype="<f8"))
        assert all(np.isnan(known)) == (expected[0] == "t2a_yesno")


def test_masks_are_drawn_by_their_outline_and_words_are_words(report: Path) -> None:
    chunks = sorted(path.stem for path in (report.parent / "data").glob("rows-*.js"))
    rows = [row for chunk in chunks for row in read_data(report, chunk)["rows"]]
    masks = [run["answer"] for row in rows for run in row["runs"] if run["answer"]["outline"]]
    assert masks
    assert all(re.fullmatch(r"(M\d+ \d+([hv]-?\d+)+z)+", answer["outline"]) for answer in masks)
    words = {row["truth"]["word"] for row in rows} | {run["answer"]["word"] for row in rows for run in row["runs"]}
    assert words == {"", "yes", "no"}
    said = "\n".join(json.dumps(row["prompts"]) for row in rows)
    assert "[to answer: yes or no]" in said
    assert "[to answer: a mask in picture 1]" in said


def test_an_answer_is_described_by_kind() -> None:
    # a 2 x 2 mask set only at row 0, column 1
    mask = answer_detail(MaskAnswer(rle=MaskRle(height=2, width=2, counts="211"), image_index=1))
    assert (mask["outline"], mask["pixels"], mask["image"]) == ("M1 0v1h1v-1z", 1, 1)
    word = answer_detail(Choice(value="y\u202ees"))
    assert (word["word"], word["image"]) == ("y⟨U+202E⟩es", -1)
