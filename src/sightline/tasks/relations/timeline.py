"""What holds over a clip: one label a frame becomes *always*, *becomes* or *crosses*, and the runs of frames for which it holds.

    frame     0 1 2 3 4 5 6 7 8 9            . nothing is asserted (near the threshold), - not both there, blank: not labelled
    label     l l l l . r r r - r
    runs      left 0-3, right 5-7, right 9    changes: 1, so the pair becomes right

A frame without labels neither ends a run nor adds to it; a frame without an assertion ends it.
"""

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Literal, NamedTuple

from sightline.tasks.relations.options import RelationOptions

Course = Literal["always", "becomes", "crosses"]


class Run(NamedTuple):
    """A label and the frames, first to last (inclusive), for which it holds without a break."""

    label: str
    first: int
    last: int
    num_frames: int

    def __str__(self) -> str:
        return f"{self.label} {self.first}-{self.last}"


class Timeline(NamedTuple):
    """`course` is None where the clip says nothing as a whole, and `reason` why. `labels` is one a frame, `runs` are in order."""

    labels: tuple[str | None, ...]
    runs: tuple[Run, ...]
    course: Course | None
    reason: str
    num_covisible: int

    def longest(self, label: str) -> Run | None:
        """The longest run of a label, the first of them if there are several."""
        return max((run for run in self.runs if run.label == label), key=lambda run: run.num_frames, default=None)


def find_runs(labels: Sequence[str | None], labelled: Sequence[bool]) -> tuple[Run, ...]:
    """Maximal runs of equal labels over the labelled frames."""
    grid = [frame for frame, known in enumerate(labelled) if known]
    runs: list[Run] = []
    for label, members in groupby(grid, key=lambda frame: labels[frame]):
        frames = list(members)
        if label is not None:
            runs.append(Run(label, frames[0], frames[-1], len(frames)))
    return tuple(runs)


def trace(labels: Sequence[str | None], covisible: Sequence[bool], labelled: Sequence[bool], options: RelationOptions) -> Timeline:
    """The timeline of labels that are opposites of each other (left and right; thirds).

    Reasons: `too_few_covisible`; `never_asserted`; `mostly_neutral` (no change, but too few frames agree for "always"); `short_run`
    (one change, but too short before or after it).
    """
    runs = find_runs(labels, labelled)
    num_covisible, asserted = sum(covisible), [label for label in labels if label is not None]
    changes = sum(a != b for a, b in pairwise(asserted))
    course: Course | None = None
    reason = ""
    if num_covisible < max(options.min_covisible, options.min_covisible_share * sum(labelled)):
        reason = "too_few_covisible"
    elif not asserted:
        reason = "never_asserted"
    elif changes == 0:
        course = "always" if len(asserted) >= options.agree * num_covisible else None
        reason = "" if course else "mostly_neutral"
    elif changes == 1:
        longest = [max(run.num_frames for run in runs if run.label == label) for label in dict.fromkeys(asserted)]
        course = "becomes" if min(longest) >= options.min_run_share * num_covisible else None
        reason = "" if course else "short_run"
    else:
        course = "crosses"
    return Timeline(tuple(labels), runs, course, reason, num_covisible)
