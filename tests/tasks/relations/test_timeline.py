"""Always, becomes, crosses, and runs."""

import pytest

from sightline.tasks.relations.options import RelationOptions
from sightline.tasks.relations.timeline import Timeline, find_runs, trace

LABELS = {"l": "left", "r": "right", ".": None, "-": None, " ": None}


def _trace(drawn: str) -> Timeline:
    """l, r: asserted; a full stop: both there; a dash: not both there; a space: not labelled."""
    labels = [LABELS[letter] for letter in drawn]
    return trace(labels, [letter in "lr." for letter in drawn], [letter != " " for letter in drawn], RelationOptions())


@pytest.mark.parametrize(
    ("drawn", "course", "reason"),
    [
        ("llllllllll", "always", ""),
        ("l" * 19 + ".", "always", ""),  # 95 %
        ("l" * 18 + "..", None, "mostly_neutral"),  # 90 %
        ("llllrrrr", "becomes", ""),
        ("llll..rrrr", "becomes", ""),
        ("lllllllllr", None, "short_run"),  # a run of 1 of 10
        ("llllrrllll", "crosses", ""),
        ("llll", None, "too_few_covisible"),
        ("l" * 5 + "-" * 21, None, "too_few_covisible"),  # 5 of 26 is less than 20 %
        ("l" * 5 + " " * 21, "always", ""),  # frames without labels say nothing
        ("..........", None, "never_asserted"),
    ],
)
def test_the_course_of_a_pair(drawn: str, course: str | None, reason: str) -> None:
    found = _trace(drawn)
    assert (found.course, found.reason) == (course, reason)


def test_runs_are_maximal_and_end_where_nothing_is_asserted() -> None:
    assert [str(run) for run in _trace("llll.rrr-r").runs] == ["left 0-3", "right 5-7", "right 9-9"]


def test_a_frame_without_labels_neither_ends_a_run_nor_counts() -> None:
    (run,) = find_runs(["left", None, "left"], [True, False, True])
    assert (run.first, run.last, run.num_frames) == (0, 2, 2)


def test_a_run_broken_up_does_not_make_up_for_a_long_one() -> None:
    assert _trace("l.l.l.l.l." + "rrrrrrrrrr").reason == "short_run"  # single frames, 20 % would be 4
