"""Several wordings of each question: chosen by option, recorded in the example."""

from collections import Counter
from pathlib import Path

import pytest

from sightline.datasets.x3 import X3
from sightline.errors import InputError
from sightline.tasks import TASKS, VARIANTS
from sightline.tasks.crossview import CrossViewOptions
from sightline.tasks.pictures import Studio
from sightline.tasks.seen import see_scene
from sightline.tasks.wording import SLOT, choose_wording, parse_wording, wordings
from sightline.types import Example, TextPart
from tests.x3_tree import write_tree

ALL = TASKS | VARIANTS


def examples(root: Path, task: str, **options: int | str) -> list[Example]:
    reader, studio = X3(root, "train"), Studio(root)
    seen = see_scene(reader[0], studio, elsewhere=lambda _: iter([reader[1]]))
    found = ALL[task]()(seen, studio, CrossViewOptions(pairs="all", **options))  # pyright: ignore[reportArgumentType]
    return [outcome for outcome in found if isinstance(outcome, Example)]


@pytest.mark.parametrize("task", ALL)
def test_each_task_has_four_different_wordings_with_the_same_slots(task: str) -> None:
    found = wordings()["prompts"][task]
    assert len(set(found)) == len(found) >= 4
    slots = [sorted(match.group() for match in SLOT.finditer(text)) for text in found]
    assert all(one == slots[0] for one in slots)
    assert "{answer}" in slots[0]


def test_the_first_wording_is_the_default_and_leaves_no_trace(tmp_path: Path) -> None:
    root = write_tree(tmp_path)
    default = examples(root, "t1_multi")[0]
    assert default.wording == 0
    assert "wording" not in default.slices
    assert isinstance(default.question.prompt[0], TextPart)
    assert default.question.prompt[0].text == "Reference picture: "


@pytest.mark.parametrize("task", ALL)
def test_a_numbered_wording_is_used_and_recorded(tmp_path: Path, task: str) -> None:
    root = write_tree(tmp_path)
    plain, worded = examples(root, task), examples(root, task, wording=2)
    assert [one.id for one in plain] == [one.id for one in worded]
    for one, other in zip(plain, worded, strict=True):
        assert (other.wording, other.slices["wording"]) == (2, 2.0)
        assert other.question.prompt != one.question.prompt
        assert other.question.form == one.question.form
        assert (other.truth, other.question.images) == (one.truth, one.question.images)


def test_mixed_wordings_depend_on_the_id_and_are_all_used() -> None:
    options = CrossViewOptions(wording="mixed")
    drawn = Counter(choose_wording("t2b", f"t2b/room/uid_1/{index}", options) for index in range(400))
    assert set(drawn) == {0, 1, 2, 3}
    assert min(drawn.values()) > 70  # of 100 expected, standard deviation sqrt(400 * 3 / 16) = 8.7
    assert choose_wording("t2b", "t2b/room/uid_1/7", options) == choose_wording("t2b", "t2b/room/uid_1/7", options)


def test_a_mixed_set_says_of_each_example_which_it_has(tmp_path: Path) -> None:
    found = examples(write_tree(tmp_path), "t2a_yesno", wording="mixed")
    assert len({example.wording for example in found}) > 1
    for example in found:
        template = wordings()["prompts"]["t2a_yesno"][example.wording]
        texts = [part.text for part in example.question.prompt if isinstance(part, TextPart)]
        assert all(text in template.replace("{mark}", "tinted red") for text in texts)


def test_a_wording_that_does_not_exist_is_refused() -> None:
    assert (parse_wording("first"), parse_wording("mixed"), parse_wording("3")) == ("first", "mixed", 3)
    for text in ("4", "-1", "last", "1.5", ""):
        with pytest.raises(InputError, match="expected first, mixed, or a number from 0 to 3"):
            parse_wording(text)
    with pytest.raises(InputError, match="t2b has the wordings 0 to 3"):
        choose_wording("t2b", "x", CrossViewOptions(wording=9))
