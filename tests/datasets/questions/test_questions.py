"""Readers of question files on tiny trees in the authors' layouts, and what they say of rows that cannot be used."""

import json
from pathlib import Path

import pytest

from sightline.datasets.questions import QUESTION_READERS, QuestionFormat, QuestionReader
from sightline.datasets.questions.cells import picture_source
from sightline.datasets.questions.point_text import asks_for_several, parse_points, split_suffix
from sightline.datasets.questions.refspatial import RefSpatial
from sightline.datasets.questions.refspatial_bench import RefSpatialBench
from sightline.datasets.questions.robospatial_home import RoboSpatialHome
from sightline.datasets.questions.where2place import Where2Place
from sightline.errors import InputError
from sightline.media import read_rgb
from sightline.tasks.questions import QUESTION_TASKS
from sightline.types import Choice, Inquiry, LedgerEntry, PictureFile, PointsTarget, RegionTarget, WordTarget
from tests.question_trees import (
    OUTLINE,
    SUFFIX,
    SUFFIX_SEVERAL,
    bench_rows,
    home_rows,
    sample,
    write_bench,
    write_bench_parquet,
    write_home,
    write_json,
    write_parquet,
    write_refspatial,
    write_where2place,
)

WRITERS = {
    "refspatial-bench": write_bench,
    "refspatial": write_refspatial,
    "where2place": write_where2place,
    "robospatial-home": write_home,
}


def only(outcomes: tuple[Inquiry | LedgerEntry, ...]) -> Inquiry:
    (inquiry,) = outcomes
    assert isinstance(inquiry, Inquiry), inquiry
    return inquiry


def reasons(outcomes: tuple[Inquiry | LedgerEntry, ...]) -> list[str]:
    return [outcome.reason for outcome in outcomes if isinstance(outcome, LedgerEntry)]


@pytest.mark.parametrize("name", QUESTION_READERS)
def test_every_entry_is_a_question_reader(name: str, tmp_path: Path) -> None:
    reader_type = QUESTION_READERS[name][0]()
    assert isinstance(reader_type, QuestionFormat)
    root = WRITERS[name](tmp_path)
    for split in reader_type.splits(root):
        reader = reader_type(root, split)
        assert isinstance(reader, QuestionReader)
        assert all(path.exists() for path in reader.sources())
        assert set(reader.tasks.values()) <= set(QUESTION_TASKS)
    with pytest.raises(InputError, match="'nowhere'"):
        reader_type(root, "nowhere")
    with pytest.raises(FileNotFoundError, match="Give the folder"):
        reader_type.splits(tmp_path / "absent")


def test_bench_questions_come_from_folders(tmp_path: Path) -> None:
    root = write_bench(tmp_path)
    assert RefSpatialBench.splits(root) == ["location", "unseen"]
    inquiry = only(RefSpatialBench(root, "location")[1])
    assert inquiry == Inquiry(
        inquiry_id="1",
        published_id="1",
        instruction="Please point out the cup 1.",
        suffix=SUFFIX,
        pictures=(PictureFile(path="Location/image/1.png"),),
        target=RegionTarget(mask=PictureFile(path="Location/mask/1.png")),
        label="the cup 1",
        category="location",
        numbers={"step": 2.0},
    )


def test_bench_questions_come_from_parquet_with_the_same_pictures(tmp_path: Path) -> None:
    folders, parquet = write_bench(tmp_path / "a"), write_bench_parquet(tmp_path / "b")
    reader, other = RefSpatialBench(parquet, "location"), RefSpatialBench(folders, "location")
    assert len(reader) == len(other) == 3
    for index in range(3):  # two row groups of two rows and one
        ours, theirs = only(reader[index]), only(other[index])
        assert (ours.instruction, ours.suffix, ours.label) == (theirs.instruction, theirs.suffix, theirs.label)
        a, b = (read_rgb(picture_source(root, one.pictures[0])) for root, one in ((parquet, ours), (folders, theirs)))
        assert (a == b).all()


def test_a_row_that_cannot_be_used_is_named_and_the_others_stay(tmp_path: Path) -> None:
    root = write_bench(tmp_path)
    rows = bench_rows(7)
    rows[0]["mask_paht"] = "mask/0.png"  # unknown field
    rows[1]["mask_path"] = "mask/9.png"
    del rows[2]["rgb_path"]
    rows[3]["rgb_path"] = "../../secret.png"
    del rows[4]["prompt"]
    rows[5] |= {"rgb_path": "image/0.png", "mask_path": None}
    rows[6] |= {"rgb_path": "image/0.png", "mask_path": "mask/0.png"}
    write_json(root / "Location" / "question.json", rows)
    reader = RefSpatialBench(root, "location")
    found = [reasons(reader[index]) for index in range(7)]
    assert found == [
        ["row_unreadable"],
        ["mask_missing"],
        ["picture_missing"],
        ["path_leaves_root"],
        ["row_unreadable"],
        ["mask_missing"],
        [],
    ]
    (entry,) = reader[0]
    assert isinstance(entry, LedgerEntry)
    assert entry.detail == "row 0: Object contains unknown field `mask_paht`"
    assert entry.path == "Location/question.json"


def test_an_id_that_stands_twice_and_a_file_that_is_no_list_are_refused(tmp_path: Path) -> None:
    root = write_bench(tmp_path)
    write_json(root / "Location" / "question.json", bench_rows(2) + bench_rows(1))
    with pytest.raises(InputError, match=r"1 ids stand in several rows \(0\)"):
        RefSpatialBench(root, "location")
    write_json(root / "Location" / "question.json", {"id": 1})
    with pytest.raises(InputError, match="Expected `array`"):
        RefSpatialBench(root, "location")


def test_parquet_without_a_picture_or_with_paths_for_pictures_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data" / "location-00000-of-00001.parquet"
    row = {"id": 0, "object": "o", "prompt": "p", "suffix": "", "step": 1}
    write_parquet(path, [row | {"image": {"bytes": b"x", "path": "a"}, "mask": {"bytes": None, "path": "m.png"}}])
    assert reasons(RefSpatialBench(tmp_path, "location")[0]) == ["mask_missing"]
    write_parquet(path, [row | {"image": "a.png", "mask": "m.png"}])
    with pytest.raises(InputError, match="column 'image' is string; expected pictures"):
        RefSpatialBench(tmp_path, "location")
    path.write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        RefSpatialBench(tmp_path, "location")


def test_where2place_cuts_the_suffix_and_takes_the_mask_of_the_picture(tmp_path: Path) -> None:
    root = write_where2place(tmp_path)
    inquiry = only(Where2Place(root, "test")[1])
    assert (inquiry.instruction, inquiry.suffix) == ("Find a few spots to the left of bowl 1.", SUFFIX_SEVERAL)
    assert inquiry.several
    assert inquiry.target == RegionTarget(mask=PictureFile(path="masks/01.jpg"))
    lines = (root / "point_questions.jsonl").read_text().splitlines()
    (root / "point_questions.jsonl").write_text("\n".join([lines[1], "{broken", lines[0]]))
    reader = Where2Place(root, "test")
    assert [reasons(reader[index]) for index in range(3)] == [
        ["mask_by_line_differs"],
        ["row_unreadable"],
        ["mask_by_line_differs"],
    ]
    (root / "masks" / "00.jpg").unlink()
    assert reasons(Where2Place(root, "test")[2]) == ["mask_missing"]


def test_robospatial_home_has_regions_and_words(tmp_path: Path) -> None:
    root = write_home(tmp_path)
    assert RoboSpatialHome.splits(root) == ["context", "compatibility", "configuration"]
    context = only(RoboSpatialHome(root, "context")[0])
    assert context.target == RegionTarget(
        mask=PictureFile(path="images/mask_context_0.png"), polygon_norm=((0.25, 0.25), (0.5, 0.25), (0.5, 0.5), (0.25, 0.5))
    )
    assert (context.several, context.answer_text) == (True, OUTLINE)
    fits = only(RoboSpatialHome(root, "compatibility")[0])
    assert (fits.instruction, fits.suffix) == ("Can the box fit behind the sofa?", "Answer yes or no.")
    assert fits.target == WordTarget(answer=Choice(value="yes"), options=("yes", "no"))


def test_robospatial_home_without_mask_or_with_an_unreadable_answer(tmp_path: Path) -> None:
    root = write_home(tmp_path)
    rows = home_rows()
    rows[0]["mask"] = None
    rows.append(rows[0] | {"answer": "[(0.1, 0.2), (0.3, 0.4)]"})
    rows.append(rows[0] | {"img": None})
    rows.append(rows[1] | {"answer": "Perhaps"})
    write_json(root / "annotations.json", rows)
    context = RoboSpatialHome(root, "context")
    assert reasons(context[0]) == ["mask_missing"]
    assert isinstance(context[0][0], Inquiry)  # the outline is the region
    assert [reasons(context[index]) for index in (1, 2)] == [["answer_unreadable"], ["picture_missing"]]
    assert reasons(RoboSpatialHome(root, "compatibility")[1]) == ["answer_unreadable"]


def test_conversations_become_one_question_a_pair_of_turns(tmp_path: Path) -> None:
    reader = RefSpatial(write_refspatial(tmp_path), "2D_choice_qa")
    point, letter, word, text = reader[0]
    assert isinstance(point, Inquiry)
    assert point.instruction == "Please point out the cup."
    assert point.target == PointsTarget(points_norm=((0.5, 0.25),))
    assert point.depths == (PictureFile(path="2D/depth/a.png"),)
    assert isinstance(letter, Inquiry)
    assert letter.target == WordTarget(answer=Choice(value="B"), options=("A", "B"))
    assert isinstance(word, Inquiry)
    assert word.target == WordTarget(answer=Choice(value="no"), options=("yes", "no"))
    assert isinstance(text, LedgerEntry)
    assert text.reason == "answer_is_free_text"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (sample("a.png", (f"Point. {SUFFIX}", "[(0.1, 0.2), (0.3, 0.4)]")), ["several_points_where_one_is_asked"]),
        (sample("a.png", (f"Point. {SUFFIX_SEVERAL}", "[(0.1, 0.2), (0.3, 0.4)]")), []),
        (sample("a.png", ("Point.", "[(0.1, 1.2)]")), ["point_out_of_range"]),
        (sample(["a.png", "b.png"], ("Point.", "[(0.1, 0.2)]")), ["point_in_several_pictures"]),
        (sample("gone.png", ("Point.", "[(0.1, 0.2)]")), ["picture_missing"]),
        (sample([], ("Point.", "[(0.1, 0.2)]")), ["picture_missing"]),
        (sample("a.png", ("Point.", "[(0.1, 0.2)]"), depth="gone.png"), ["depth_unusable"]),
        (sample("a.png", ("Point.", "[(0.1, 0.2)]"), depth=["a.png", "a.png"]), ["depth_unusable"]),
        (sample("a.png", ("Point.", "[(0.1, 0.2)]"), width=3), ["unknown_field"]),
        ({"image": "a.png", "conversations": [{"from": "human", "value": "Point."}]}, ["turn_without_answer"]),
        ({"image": "a.png", "conversations": [{"from": "gpt", "value": "x"}] * 2}, ["turns_out_of_order"]),
        ({"image": "a.png"}, ["row_unreadable"]),
    ],
)
def test_training_rows_say_what_is_wrong(tmp_path: Path, row: dict[str, object], expected: list[str]) -> None:
    root = write_refspatial(tmp_path, [row])
    assert reasons(RefSpatial(root, "2D_choice_qa")[0]) == expected


def test_points_are_read_from_lists_alone() -> None:
    assert parse_points("[(0.461, 0.527), (.5, 1)]") == ((0.461, 0.527), (0.5, 1.0))
    for text in ("(0.1, 0.2)", "[(0.1, 0.2)] and more", "[[0.1, 0.2]]", "[(0.1, 0.2, 0.3)]", "[]", "__import__('os')"):
        assert parse_points(text) is None
    assert split_suffix(f"Where? {SUFFIX}") == ("Where?", SUFFIX)
    assert split_suffix("Where?") == ("Where?", "")
    assert (asks_for_several(SUFFIX), asks_for_several(SUFFIX_SEVERAL)) == (False, True)
    assert asks_for_several("i.e. [(x1, y1), ...]")


def test_the_json_of_the_trees_is_what_the_authors_write(tmp_path: Path) -> None:
    rows = json.loads((write_bench(tmp_path) / "Location" / "question.json").read_text())
    assert list(rows[0]) == ["id", "object", "prompt", "suffix", "rgb_path", "mask_path", "category", "step"]
