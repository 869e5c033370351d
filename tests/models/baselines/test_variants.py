"""Baselines on the variants of tasks 2A and 2B, in procedural rooms: what plain subtraction is worth once more has changed."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from sightline.evaluate.predict import read_geometry
from sightline.evaluate.score import score_example
from sightline.models import MODELS, NotApplicable, get_model
from sightline.models.baselines.forms import GUESS_SIDE
from sightline.tasks import VARIANTS
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.types import Answer, Boxes, Choice, MaskAnswer, NotVisible, Prediction, Score


@pytest.fixture(scope="module")
def variants(rooms, tmp_path_factory) -> Mapping[str, TaskSet]:
    """The variants of the rooms' task sets, by task."""
    request = BuildRequest(
        reader="x3",
        root=str(rooms["t2b"].roots["data"]),
        splits=("validation",),
        tasks=tuple(VARIANTS),
        options=CrossViewOptions(pairs="all"),
    )
    built = build(request, tmp_path_factory.mktemp("variants"))
    return {one.manifest.task: TaskSet(Path(one.path)) for one in built}


def answers(taskset: TaskSet, name: str):
    model = get_model(name)
    model.check(taskset)
    examples = list(taskset)
    return list(zip(examples, model.answer([example.question for example in examples], taskset), strict=True))


def scores(taskset: TaskSet, name: str) -> list[Score]:
    found = []
    for example, answer in answers(taskset, name):
        assert isinstance(answer, Answer)
        reading = read_geometry(answer, example.question)
        found.append(score_example(example, Prediction(id=example.id, reading=reading), taskset.read_mask))
    return found


def share_right(taskset: TaskSet, name: str) -> float:
    return float(np.mean([score.correct for score in scores(taskset, name)]))


@pytest.mark.parametrize("task", ["t2b_jitter", "t2b_shift", "t2b_distractor"])
def test_subtraction_solves_the_plain_task_and_none_of_the_variants(rooms, variants, task):
    assert share_right(rooms["t2b"], "difference") == 1.0
    assert share_right(variants[task], "difference") == 0.0
    assert len(variants[task]) >= 0.8 * len(rooms["t2b"])  # and that is not for want of examples


@pytest.mark.parametrize("task", ["t2a_yesno", "t2b_jitter", "t2b_distractor", "t2b_box", "t2b_mask"])
def test_the_oracle_looks_at_no_pixel_and_still_solves_them(variants, task):
    assert share_right(variants[task], "oracle") == 1.0


def test_the_oracle_has_no_depth_of_a_shifted_view_and_says_so(variants):
    with pytest.raises(NotApplicable, match="has no depth"):
        get_model("oracle").check(variants["t2b_shift"])


@pytest.mark.parametrize("name", [name for name in MODELS if name != "whole"])
def test_every_baseline_says_yes_or_no_where_it_is_asked(variants, name):
    found = answers(variants["t2a_yesno"], name)
    assert {type(answer) for _, answer in found} == {Choice}
    said = Counter(answer.value for _, answer in found if isinstance(answer, Choice))
    if name in ("center", "copy", "difference"):
        assert set(said) == {"yes"}
    elif name == "not-visible":
        assert set(said) == {"no"}
    elif name == "random":  # a fair coin: of n throws, 4 standard deviations of sqrt(n) / 2
        assert abs(said["yes"] - len(found) / 2) < 2 * np.sqrt(len(found))
        assert found == answers(variants["t2a_yesno"], name)


def test_the_claims_are_those_of_the_pointing_task(rooms, variants):
    pointing, saying = scores(rooms["t2a"], "oracle"), scores(variants["t2a_yesno"], "oracle")
    assert [score.said_visible for score in pointing] == [score.said_visible for score in saying]


@pytest.mark.parametrize(("task", "kind"), [("t2b_box", Boxes), ("t2b_mask", MaskAnswer)])
@pytest.mark.parametrize("name", [name for name in MODELS if name != "not-visible"])
def test_every_baseline_gives_the_kind_of_region_that_is_asked(variants, task, kind, name):
    assert {type(answer) for _, answer in answers(variants[task], name)} == {kind}
    assert all(score.status == "ok" for score in scores(variants[task], name))


def test_a_guess_is_a_quarter_of_the_view_wide_and_high(variants):
    (_, box), *_ = answers(variants["t2b_box"], "center")
    assert GUESS_SIDE == 0.25
    assert box == Boxes(boxes=((60.0, 45.0, 100.0, 75.0),), image_index=1)  # 160 x 120: 80 +- 20, 60 +- 15
    overlaps = [score.iou for score in scores(variants["t2b_mask"], "center")]
    assert overlaps == pytest.approx([_overlap(variants["t2b_mask"], example) for example in variants["t2b_mask"]])


def _overlap(taskset: TaskSet, example) -> float:
    guess = np.zeros((120, 160), dtype=bool)
    guess[45:75, 60:100] = True
    truth = taskset.read_mask(example.truth.mask)
    return float((guess & truth).sum() / (guess | truth).sum())


def test_not_visible_stays_what_it_is_where_no_word_is_asked(variants):
    assert {type(answer) for _, answer in answers(variants["t2b_mask"], "not-visible")} == {NotVisible}
    assert share_right(variants["t2b_mask"], "not-visible") == 0.0


def test_difference_gives_nearly_the_whole_mask_of_a_clean_removal(variants):
    overlaps = [score.iou or 0.0 for score in scores(variants["t2b_mask"], "difference")]
    assert min(overlaps) > 0.8


def test_no_distractor_lies_on_any_object_of_the_frame(rooms, variants):
    plain, altered = rooms["t2b"], variants["t2b_distractor"]
    masks = [(example.group, example.question.panels[0].view_id, plain.read_mask(example.truth.mask)) for example in plain]
    num_others = 0
    for example in altered:
        before, after = example.question.panels
        original = plain[example.id.replace("t2b_distractor/", "t2b/")].question.panels[1].source
        changed = (altered.read_rgb(after.source) != plain.read_rgb(original)).any(axis=2)
        here = [mask for group, view_id, mask in masks if (group, view_id) == (example.group, before.view_id)]
        assert changed.any()
        assert not any((changed & mask).any() for mask in here)
        num_others += len(here) - 1
    assert num_others > 10


def test_depth_stays_with_the_edits_that_leave_the_geometry(variants):
    for task, kept in (("t2b_jitter", True), ("t2b_distractor", True), ("t2b_shift", False)):
        for example in variants[task]:
            after = example.question.panels[1]
            assert (after.depth is not None, after.camera is not None) == (kept, kept)
            assert variants[task].read_rgb(after.source).shape == (120, 160, 3)
