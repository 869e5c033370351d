"""One test for each sentence of docs/conventions.md from C39 on: tasks, dialects, scores and files."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.datasets.x3 import X3
from sightline.demo.rooms import write_rooms
from sightline.dialects import DIALECTS, Size, get_dialect
from sightline.errors import InputError
from sightline.evaluate.metrics import measure, tabulate
from sightline.evaluate.score import score_example
from sightline.files import inside, write_whole
from sightline.tasks.crossview import CrossViewOptions
from sightline.tasks.pictures import Studio
from sightline.tasks.seen import see_scene
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.types import AnswerForm, Example, PointPart, Points, Prediction, Reading, Score, Status, TextPart
from tests.x3_tree import HEIGHT, WIDTH, write_object, write_tree

FORM = AnswerForm(shape="point", image_index=0, offers_not_visible=True)
SIZE = Size(640, 480)


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All task sets of the tiny tree, which has neither depth nor pose."""
    folder = tmp_path_factory.mktemp("tiny")
    root = write_tree(folder / "data")
    build(request(root), folder / "tasks")
    return folder / "tasks"


@pytest.fixture(scope="module")
def room_tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Task 2A of two rooms with depth and pose."""
    folder = tmp_path_factory.mktemp("rooms")
    write_rooms(folder / "data", num_train=2, num_validation=0)
    build(request(folder / "data", splits=("train",), tasks=("t1_multi", "t2a")), folder / "tasks")
    return folder / "tasks"


def request(root: Path, **changes: object) -> BuildRequest:
    values: dict[str, object] = {
        "reader": "x3",
        "root": str(root),
        "splits": ("train", "validation"),
        "tasks": ("t1_multi", "t1_concat", "t2a", "t2b"),
        "options": CrossViewOptions(pairs="all"),
    }
    return BuildRequest(**(values | changes))  # pyright: ignore[reportArgumentType]


def states(root: Path) -> list[str]:
    seen = see_scene(X3(root, "train")[0], Studio(root), elsewhere=lambda _: iter(()))
    return [view.state for item in seen.objects for view in item.views]


def first(path: Path, tier: str) -> Example:
    return next(example for example in TaskSet(path) if example.tier == tier)


def scored(path: Path, tier: str, reading: Reading) -> Score:
    tasks = TaskSet(path)
    example = first(path, tier)
    return score_example(example, Prediction(id=example.id, reading=reading), tasks.read_mask)


def score(visible: bool, said: bool | None, *, hit: bool = False, group: str = "a", status: Status = "ok") -> Score:
    return Score(
        id="x",
        task="t1_multi",
        group=group,
        tier="V",
        status=status,
        visible=visible,
        correct=hit if visible else said is False,
        said_visible=said,
        hit=hit if visible else None,
    )


def test_c39_a_mask_below_a_two_thousandth_of_the_picture_is_ambiguous(tmp_path: Path) -> None:
    folder = write_object(tmp_path, "train", "hall", 1, [(0, 0, 1, 1), (0, 0, 2, 1)])
    for path in folder.glob("*.png"):  # 24x18 pixels enlarged to 96x72: one pixel of 6912 is 0.014 %, four are 0.058 %
        mode = "RGB" if path.stem.endswith(("original", "inpainted")) else "L"
        picture = Image.new(mode, (96, 72))
        if mode == "L":
            ones = 1 if path.stem.startswith("01") else 4
            picture.paste(255, (0, 0, ones, 1))
        picture.save(path)
    assert states(tmp_path) == ["ambiguous", "visible"]


def test_c40_only_an_empty_mask_of_its_own_makes_an_object_absent(tmp_path: Path) -> None:
    folder = write_object(tmp_path, "train", "hall", 1, [(2, 2, 8, 8), None, None, None])
    (folder / "03_000030_mask.png").unlink()
    Image.new("L", (WIDTH, HEIGHT + 1)).save(folder / "04_000040_mask.png")
    assert states(tmp_path) == ["visible", "absent"]  # views 3 and 4 are unknown
    seen = see_scene(X3(tmp_path, "train")[0], Studio(tmp_path), elsewhere=lambda _: iter(()))
    assert sorted(entry.reason for entry in seen.ledger) == ["mask_missing", "unreadable"]


def test_c41_an_empty_mask_is_not_believed_against_depth_and_pose(tmp_path: Path) -> None:
    folder = write_object(tmp_path / "data", "train", "hall", 1, [(2, 2, 8, 8), None])
    (folder / "intrinsics.json").write_text('{"width": 24, "height": 18, "fx": 20, "fy": 20, "cx": 12, "cy": 9}')
    for stem in ("01_000010", "02_000020"):  # two pictures of a wall from one place: what one shows, the other shows
        np.savetxt(folder / f"{stem}_pose.txt", np.eye(4))
        Image.fromarray(np.full((HEIGHT, WIDTH), 2000, np.uint16)).save(folder / f"{stem}_depth.png")
    with pytest.raises(InputError, match="absence_contradicted 1"):
        build(request(tmp_path / "data", splits=("train",), tasks=("t1_multi",)), tmp_path / "out")


def test_c42_every_absence_has_its_tier(tasks: Path, room_tasks: Path) -> None:
    without_geometry = {example.tier for split in ("train", "validation") for example in TaskSet(tasks / f"t2a-{split}")}
    assert without_geometry == {"V", "VC", "N0", "N12", "N3", "N4"}
    with_geometry = {example.tier for example in TaskSet(room_tasks / "t2a-train")}
    assert {"N2", "N3", "N4", "N0"} <= with_geometry <= {"V", "VC", "N0", "N1", "N2", "N3", "N4"}


def test_c43_visible_and_absent_are_balanced_in_every_scene(tasks: Path, room_tasks: Path) -> None:
    for path in (tasks / "t2a-train", tasks / "t2a-validation", room_tasks / "t2a-train"):
        counts = Counter((example.group, example.truth.visible) for example in TaskSet(path))
        assert all(counts[group, True] == counts[group, False] > 0 for group, _ in counts)


def test_c44_the_right_view_begins_where_the_left_one_ends(tasks: Path) -> None:
    example = first(tasks / "t1_concat-train", "V")
    left, right = example.question.panels
    assert ((left.x, left.y), (right.x, right.y)) == ((0, 0), (left.source.width, 0))
    picture = TaskSet(tasks / "t1_concat-train").read_rgb(example.question.images[0])
    assert np.array_equal(picture[:, WIDTH:], TaskSet(tasks / "t1_concat-train").read_rgb(right.source))
    assert isinstance(example.truth.answer, Points)
    assert example.truth.answer.points[0][0] > WIDTH


def test_c45_an_answer_in_the_reference_half_is_a_counted_miss(tasks: Path) -> None:
    found = scored(tasks / "t1_concat-train", "V", Reading(status="ok", answer=Points(points=((5.0, 5.0),))))
    assert (found.hit, found.wrong_panel, found.correct) == (False, True, False)


def test_c46_coordinates_in_a_prompt_are_geometry(tasks: Path) -> None:
    prompt = first(tasks / "t1_concat-train", "V").question.prompt
    assert any(isinstance(part, PointPart) for part in prompt)
    assert not any(digit in part.text for part in prompt if isinstance(part, TextPart) for digit in "0123456789")


@pytest.mark.parametrize("name", ["roborefer", "qwen25", "qwen3"])
def test_c47_what_a_dialect_wrote_reads_back_within_half_a_step(name: str) -> None:
    dialect = get_dialect(name)
    # steps: 1/1000 of 640 (roborefer, qwen3); one pixel of the resized picture, which is 644x476 (qwen25)
    point = (123.456, 234.567)
    reading = dialect.decode(dialect.encode(Points(points=(point,)), [SIZE]), FORM, [SIZE])
    assert isinstance(reading.answer, Points)
    assert reading.answer.points[0] != point
    assert reading.answer.points[0] == pytest.approx(point, abs=0.51)


def test_c48_one_text_is_three_points_in_three_dialects() -> None:
    readings = [get_dialect(name).decode("[(1, 1)]", FORM, [SIZE]).answer for name in ("roborefer", "qwen25", "qwen3")]
    points = [answer.points[0] for answer in readings if isinstance(answer, Points)]
    assert len(set(points)) == 3


@pytest.mark.parametrize("name", DIALECTS)
def test_c49_unreadable_is_never_not_visible(name: str) -> None:
    for text in ("Image 2 has three chairs", "It is visible, not hidden", "", "no idea", "\ufffd"):
        assert get_dialect(name).decode(text, FORM, [SIZE]).status in ("unreadable", "empty")


def test_c50_every_example_that_asks_is_in_the_denominator() -> None:
    scores = [score(True, True, hit=True), score(True, None, status="unreadable"), score(True, False, status="not_visible")]
    metrics = measure(tabulate(scores))
    assert (metrics["hit_exact"].value, metrics["hit_exact"].n) == (1 / 3, 3)


def test_c51_both_at_once_is_wrong_on_both_sides(tasks: Path) -> None:
    reading = get_dialect("roborefer").decode("It is not visible. [(0.3, 0.4)]", FORM, [SIZE])
    assert reading.status == "ambiguous"
    assert [scored(tasks / "t1_multi-train", tier, reading).correct for tier in ("V", "N3")] == [False, False]


def test_c52_the_first_complete_point_of_a_truncated_answer_counts(tasks: Path) -> None:
    example = first(tasks / "t1_multi-train", "V")
    assert isinstance(example.truth.answer, Points)
    (x, y), size = example.truth.answer.points[0], Size(WIDTH, HEIGHT)
    reading = get_dialect("roborefer").decode(f"[({x / WIDTH:.3f}, {y / HEIGHT:.3f}), (0.9", example.question.form, [size, size])
    assert reading.status == "truncated"
    assert scored(tasks / "t1_multi-train", "V", reading).hit is True


def test_c53_outside_is_a_counted_miss(tasks: Path) -> None:
    size = Size(WIDTH, HEIGHT)
    form = AnswerForm(shape="point", image_index=1, offers_not_visible=True)
    reading = get_dialect("roborefer").decode("[(1.7, 0.5)]", form, [size, size])
    found = scored(tasks / "t1_multi-train", "V", reading)
    assert (found.status, found.hit, found.correct) == ("out_of_range", False, False)


def test_c54_nothing_of_nothing_has_no_value() -> None:
    assert measure(tabulate([score(True, True)]))["not_visible_accuracy"].value is None


def test_c55_intervals_are_over_scenes() -> None:
    one_scene = [score(True, True, hit=number % 2 == 0) for number in range(50)]
    assert measure(tabulate(one_scene))["hit_exact"].low is None
    all_or_nothing = [score(True, True, hit=group < "c", group=group) for group in "abcd" for _ in range(50)]
    metric = measure(tabulate(all_or_nothing))["hit_exact"]
    # 200 independent examples would give 0.5 +- 0.07; four scenes that are right or wrong as a whole give nearly everything
    assert metric.low is not None
    assert metric.high is not None
    assert metric.high - metric.low > 0.7


def test_c56_a_file_that_cannot_be_finished_is_not_there(tmp_path: Path) -> None:
    write_whole(tmp_path / "kept.txt", b"old")
    with pytest.raises(TypeError):
        write_whole(tmp_path / "kept.txt", "not bytes")  # pyright: ignore[reportArgumentType]
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
    assert (tmp_path / "kept.txt").read_bytes() == b"old"


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../b", "a\\..\\b", "link/file"])
def test_c57_no_path_leaves_its_root(tmp_path: Path, path: str) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path)
    assert inside(tmp_path / "root", "a/b.png") == tmp_path / "root" / "a" / "b.png"
    with pytest.raises(InputError, match="leaves its root"):
        inside(tmp_path / "root", path)


def test_c58_the_same_again_is_done_and_other_options_are_refused(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "data")
    build(request(root), tmp_path / "out")
    assert all(part.existed for part in build(request(root), tmp_path / "out"))
    with pytest.raises(InputError, match="seed: 0 there, 7 now"):
        build(request(root, options=CrossViewOptions(pairs="all", seed=7)), tmp_path / "out")
