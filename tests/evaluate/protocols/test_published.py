"""The rules of benchmarks' authors, worked by hand on a block of right pixels, and pinned against their own scripts.

The block is columns 16..31 and rows 12..23 of 64 x 48 pixels: in shares x in [0.25, 0.5), y in [0.25, 0.5).

The values of `OFFICIAL` were made by running the scripts themselves (Zhoues/RoboRefer d97a995, wentaoyuan/RoboPoint adbee8d,
chanhee-luke/RoboSpatial-Eval 19f04a5) on these texts: "left out" where their parser raises, "stops" where the script does.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sightline.dialects import get_dialect
from sightline.errors import InputError
from sightline.evaluate.predict import predict
from sightline.evaluate.protocols.published import PublishedSummary, protocol_of, summarise_published
from sightline.evaluate.protocols.published_compare import compare_published
from sightline.evaluate.protocols.refspatial_original import (
    Parser,
    ParserFails,
    ScriptStops,
    in_json,
    in_percent,
    in_pixels,
    in_shares,
    share_on_mask,
)
from sightline.evaluate.protocols.robospatial_original import begins_with, first_point, inside
from sightline.evaluate.protocols.where2place_original import in_shares_of_vga
from sightline.evaluate.score import score_run
from sightline.evaluate.summary import Summary, summarise
from sightline.export.recorded import RecordedTexts
from sightline.models import get_model
from sightline.tasks.questions import QuestionOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from tests.question_trees import mask, write_bench, write_home, write_refspatial, write_where2place

BLOCK = (np.asarray(mask()) > 0).astype(np.float64)

# parser, text, what their script makes of it on BLOCK
OFFICIAL: list[tuple[Parser, str, float | str]] = [
    (in_shares, "[(0.375, 0.375)]", 1.0),
    (in_shares, "[(0.375, 0.375), (0.9, 0.9), (0.26, 0.26), (1.0, 0.3)]", 0.5),
    (in_shares, "(20, 15)", 1.0),  # without a decimal point: pixels
    (in_shares, "(1, 1)", 0.0),
    (in_shares, "[[0.375, 0.375]]", 0.0),  # no round bracket, no point
    (in_shares, "( 0.375, 0.375)", 0.0),  # a blank behind the bracket
    (in_shares, "(.375, .375)", 0.0),
    (in_shares, "(0.25, 0.25, 0.75, 0.5)", 0.5),  # columns 16..47 and rows 12..23, of which half is right
    (in_shares, "(0.75, 0.25, 0.25, 0.5)", "left out"),
    (in_shares, "(0.3, 0.3, 0.3, 0.3)", 0.0),
    (in_shares, "", 0.0),
    (in_pixels, "(20, 15), (0, 0)", 0.5),
    (in_pixels, "(20.0, 15)", "stops"),
    (in_pixels, "(20.0, 15), (0.5, 1, 2, 3)", "left out"),
    (in_pixels, '[{"point_2d": [20, 15]}]', 0.0),
    (in_percent, '<points x1="37.5" y1="37.5" x2="90" y2="90" alt="cup">', 0.5),
    (in_percent, '<point x="37.5" y="37.5">', 0.0),
    (in_json, '```json\n[{"point": [375, 300], "label": "cup"}]\n```', 1.0),  # y first
    (in_json, '[{"point": [375, 300]}]', 0.0),  # no fence
    (in_json, '```\n[{"point": ["375", 300]}]\n```', "left out"),
    (in_json, "```\n[1, 2\n```", 0.0),
    (in_shares_of_vga, "(0.03, 0.03)", 1.0),  # 640 x 480 whatever the picture: column 19, row 14
    (in_shares_of_vga, "(0.375, 0.375)", 0.0),
    (in_shares_of_vga, "(16, 12, 48, 24)", 0.5),
    (in_shares_of_vga, "(48, 12, 16, 24)", 0.0),  # reversed: an empty box
    (in_shares_of_vga, "(16, 12, 48.0, 24)", "left out"),
]


@pytest.mark.parametrize(("parse", "text", "expected"), OFFICIAL)
def test_an_answer_counts_as_in_their_scripts(parse: Parser, text: str, expected: float | str) -> None:
    if expected == "left out":
        with pytest.raises(ParserFails):
            parse(text, 64, 48)
    elif expected == "stops":
        with pytest.raises(ScriptStops):
            share_on_mask(parse(text, 64, 48), BLOCK)
    else:
        assert share_on_mask(parse(text, 64, 48), BLOCK) == expected


def test_shares_are_cut_towards_zero() -> None:
    corner = np.zeros((48, 64))
    corner[0, 0] = 1
    assert share_on_mask(in_shares("(-0.001, -0.01)", 64, 48), corner) == 1.0
    assert share_on_mask(in_shares("(-0.016, 0.0)", 64, 48), corner) == 0.0  # -1.02 is column -1


def test_a_hostile_text_takes_no_memory_and_little_time() -> None:
    assert share_on_mask(in_shares("(0, 0, 1000, 1000)", 64, 48), BLOCK) == 192 / (64_000 * 48_000)
    with pytest.raises(ParserFails):
        in_shares("(0, 0, 999999999999, 999999999999)", 64, 48)
    with pytest.raises(ParserFails):
        in_shares(f"({'9' * 5000}, 1)", 64, 48)
    with pytest.raises(ScriptStops):
        share_on_mask(in_shares(f"({'9' * 30}, 1)", 64, 48), BLOCK)
    assert in_shares("(" + "1" * 200_000, 64, 48).points == ()
    assert first_point("[" + "[" * 100_000) is None
    assert first_point("[" + "(" * 5_000 + "]") is None


SQUARE = [(0.25, 0.25), (0.5, 0.25), (0.5, 0.5), (0.25, 0.5)]


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("[(0.3, 0.4), (0.9, 0.9)]", (0.3, 0.4)),
        ("I think (0.9, 0.9) is wrong, so (0.3, 0.4)", (0.9, 0.9)),  # the first, in the reasoning
        ("[0.3, 0.4] or (0.9,0.9)", (0.9, 0.9)),  # round brackets go first
        ("[0.3, 0.4]", (0.3, 0.4)),
        ("[(-0.1, .4)]", (-0.1, 0.4)),  # read as a list
        ('["0.3", 0.4]', None),
        ("0.3, 0.4", None),
        ("[(0.1, 0.2, 0.3)]", None),
        ("", None),
    ],
)
def test_robospatial_takes_the_first_point(text: str, point: tuple[float, float] | None) -> None:
    assert first_point(text) == point


def test_robospatial_counts_what_lies_inside_the_outline() -> None:
    assert inside((0.3, 0.4), SQUARE)
    assert inside((0.25, 0.25), SQUARE)  # on the left and upper side, by their comparison
    assert not inside((0.5, 0.3), SQUARE)
    assert not inside((0.3, 0.5), SQUARE)
    assert not inside((0.1, 0.3), SQUARE)  # a ray to the right crosses two sides
    assert not inside((19.0, 19.0), SQUARE)


def test_robospatial_looks_at_how_a_text_begins() -> None:
    assert begins_with(" Yes, it does", "yes")
    assert begins_with("nothing fits", "no")
    assert not begins_with("The answer is no", "no")


Ask = Callable[..., tuple[Summary, PublishedSummary]]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Build a task set, answer it with texts (or a baseline), and score it by both protocols."""

    def run(reader: str, split: str, task: str, protocol: str, said: list[str] | str, *, dialect: str = "roborefer"):
        write = {"refspatial-bench": write_bench, "where2place": write_where2place, "robospatial-home": write_home}[reader]
        root = tmp_path / "data"
        if not root.exists():
            write(root)
        request = BuildRequest(reader=reader, root=str(root), splits=(split,), tasks=(task,), options=QuestionOptions())
        (built,) = build(request, tmp_path / "tasks")
        taskset, folder = TaskSet(Path(built.path)), tmp_path / "run"
        if isinstance(said, str):
            model = get_model(said)
        else:
            texts = dict(zip(taskset.index["id"], said, strict=True))
            model = RecordedTexts(
                name="old", kind="jsonl", path=tmp_path / "answers.jsonl", texts=texts, dialect=get_dialect(dialect)
            )
        predict(taskset, model, folder)
        score_run(folder)
        return summarise(folder), summarise_published(folder, protocol)

    return run


def test_refspatial_bench_by_both_protocols(ask: Ask, tmp_path: Path) -> None:
    # First point right, second wrong; a reversed box, which ours takes for its centre; nothing.
    said = ["[(0.375, 0.375), (0.9, 0.9)]", "[(0.5, 0.25, 0.25, 0.5)]", "I cannot see it on the table"]
    ours, theirs = ask("refspatial-bench", "location", "refspatial_bench", "refspatial-original", said)
    assert (ours.metrics["hit_exact"].value, ours.metrics["hit_exact"].n) == (pytest.approx(2 / 3), 3)
    assert (theirs.accuracy, theirs.n, theirs.num_answers) == (pytest.approx((0.5 + 0) / 2), 2, 3)
    assert (theirs.num_left_out, theirs.num_rewritten, theirs.num_stored_masks, theirs.num_unusable) == (1, 0, 0, 0)
    lines = {line.label: (line.ours, line.theirs) for line in compare_published(ours, theirs)}
    assert lines["Right %"] == ("66.7 (3)", "25.0 (2)")
    assert lines["Left out of the mean"] == ("0", "1")
    assert (tmp_path / "run" / "summary.refspatial-original.json").is_file()


def test_a_soft_mask_is_wider_by_their_rule(ask: Ask, tmp_path: Path) -> None:
    grey = np.zeros((48, 64), np.uint8)
    grey[12:24, 16:32] = np.linspace(20, 255, 16).astype(np.uint8)  # column 16 has 20, column 31 has 255
    write_bench(tmp_path / "data")
    from PIL import Image  # noqa: PLC0415

    for index in range(3):
        Image.fromarray(grey).save(tmp_path / "data" / "Location" / "mask" / f"{index}.png")
    said = ["(0.26, 0.3)", "(0.49, 0.3)", "(0.1, 0.3)"]  # columns 16, 31, 6
    ours, theirs = ask("refspatial-bench", "location", "refspatial_bench", "refspatial-original", said)
    assert ours.metrics["hit_exact"].value == pytest.approx(1 / 3)
    assert theirs.accuracy == pytest.approx(2 / 3)


def test_where_the_files_are_gone_the_stored_mask_stands_in(ask: Ask, tmp_path: Path) -> None:
    _, theirs = ask("refspatial-bench", "location", "refspatial_bench", "refspatial-original", "center")
    assert (theirs.accuracy, theirs.num_rewritten, theirs.num_stored_masks) == (0.0, 3, 0)  # (0.5, 0.5) is column 32
    for path in (tmp_path / "data" / "Location" / "mask").iterdir():
        path.unlink()
    assert summarise_published(tmp_path / "run", "refspatial-original").num_stored_masks == 3


def test_a_dialect_without_a_parser_there_is_written_anew(ask: Ask) -> None:
    said = ['[{"point_2d": [375, 375]}]', "[]", "(375, 375)"]
    ours, theirs = ask("refspatial-bench", "location", "refspatial_bench", "refspatial-original", said, dialect="qwen3")
    assert ours.metrics["hit_exact"].value == pytest.approx(2 / 3)
    assert (theirs.accuracy, theirs.n, theirs.num_rewritten) == (pytest.approx(2 / 3), 3, 3)


def test_where2place_counts_the_grey_of_the_mask(ask: Ask) -> None:
    # Their 640 x 480: (0.03, 0.03) is column 19, row 14; the JPEG's block is nearly 255 there.
    ours, theirs = ask("where2place", "test", "where2place", "where2place-original", ["[(0.03, 0.03)]", "[(0.375, 0.375)]"])
    assert ours.metrics["hit_exact"].value == 0.5  # the other one
    assert theirs.accuracy == pytest.approx(0.5, abs=0.01)


def test_robospatial_by_both_protocols(ask: Ask) -> None:
    said = ["Not (0.9, 0.9) but (0.3, 0.3)"]
    ours, theirs = ask("robospatial-home", "context", "robospatial_home", "robospatial-original", said)
    assert (ours.metrics["hit_exact"].value, theirs.accuracy) == (1.0, 0.0)


def test_robospatial_words_by_both_protocols(ask: Ask) -> None:
    said = ["The answer is no."]
    ours, theirs = ask("robospatial-home", "configuration", "robospatial_home_yesno", "robospatial-original", said)
    assert (ours.metrics["joint_accuracy"].value, theirs.accuracy, theirs.n) == (1.0, 0.0, 1)


def test_a_protocol_of_another_benchmark_is_refused_by_name(ask: Ask, tmp_path: Path) -> None:
    ask("where2place", "test", "where2place", "where2place-original", "center")
    with pytest.raises(InputError, match=r"for refspatial_bench, the run answers where2place\. Its authors' protocol is where2pl"):
        summarise_published(tmp_path / "run", "refspatial-original")
    assert protocol_of("t2b") is None


def test_points_without_a_region_count_by_distance(tmp_path: Path) -> None:
    root = write_refspatial(tmp_path / "data")
    request = BuildRequest(
        reader="refspatial",
        root=str(root),
        splits=("2D_choice_qa",),
        tasks=("refspatial_points", "refspatial_choice"),
        options=QuestionOptions(),
    )
    points, letters = (TaskSet(Path(built.path)) for built in build(request, tmp_path / "tasks"))
    for name, taskset, text, hit, l2_norm in (
        ("near", points, "[(0.530, 0.290)]", 1.0, 0.05),  # the true point is (0.5, 0.25): 0.03, 0.04 away, that is 0.05
        ("nearer", points, "[(0.520, 0.250)]", 1.0, 0.02),
        ("letter", letters, "(B) the bowl", 1.0, None),
        ("wrong", letters, "(A)", 0.0, None),
    ):
        texts = dict.fromkeys(taskset.index["id"], text)
        dialect = get_dialect("roborefer")
        predict(taskset, RecordedTexts(name=name, kind="jsonl", path=tmp_path, texts=texts, dialect=dialect), tmp_path / name)
        score_run(tmp_path / name)
        summary = summarise(tmp_path / name)
        if name != "near":  # on the limit itself, rounding decides
            assert summary.metrics["joint_accuracy"].value == hit
        if l2_norm is not None:
            assert summary.metrics["l2_norm_mean"].value == pytest.approx(l2_norm)
