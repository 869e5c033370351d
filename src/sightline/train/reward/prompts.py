"""The questions of a run and their order: which are asked in round k follows from the seed and k alone.

A round is a set of questions with the answers drawn to them; `loss.inner_epochs` updates are made from each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from sightline.dialects import Dialect
from sightline.errors import InputError
from sightline.taskset.store import TaskSet
from sightline.train.reward.rewards import check_verifiable
from sightline.train.reward.settings import PromptSettings
from sightline.train.vlm.evaluation import held_tasksets
from sightline.train.vlm.order import Share, stage_order
from sightline.train.vlm.samples import Sample
from sightline.train.vlm.scene_guard import check_scenes
from sightline.train.vlm.selection import select
from sightline.train.vlm.taskset_source import TaskSetSource
from sightline.types import Example


@dataclass(frozen=True)
class Prompt:
    """A question: `sample` is it as training renders it, with the true answer; `place` is where it stands in its round, from 0."""

    example: Example
    sample: Sample
    taskset: TaskSet
    place: int


class Prompts:
    """The questions of all task sets, and their order.

    Raises:
        FileNotFoundError: no such task set.
        InputError: an empty one, one whose answers have no verifiable reward, filters that leave nothing, or scenes that are
            tested on; with depth, a picture that has none.
    """

    def __init__(self, settings: PromptSettings, dialect: Dialect, *, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        named = held_tasksets(settings.tasksets)
        self.sources = tuple(
            TaskSetSource(taskset, dialect, name=name, with_depth=settings.with_depth) for name, taskset in named.items()
        )
        for source in self.sources:
            if not len(source):
                raise InputError(f"{source.taskset.path}: a task set without examples; nothing can be asked. Give another one.")
            check_verifiable(source.taskset[0], source.taskset)
        if not settings.allow_shared_scenes:
            check_scenes(self.sources)
        chosen = [select(source, settings.select.selection()) for source in self.sources]
        if settings.with_depth:
            for source, positions in zip(self.sources, chosen, strict=True):
                _check_depth(source, positions.tolist())
        self._ends = np.cumsum([0, *(len(source) for source in self.sources)])
        self._numbers = np.concatenate([start + positions for start, positions in zip(self._ends[:-1], chosen, strict=True)])
        self._order = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return self._numbers.size

    def fingerprints(self) -> dict[str, str]:
        """What must be the same when a run goes on."""
        return {f"data.{source.name}": source.fingerprint for source in self.sources}

    def numbers(self, round_index: int) -> Int64[np.ndarray, " groups"]:
        """The questions of a round by their numbers over all task sets. Every one comes once before any comes again."""
        first = round_index * self.settings.groups_per_step
        end = first + self.settings.groups_per_step
        if self._order.size < end:
            shares = (Share(self._numbers),)
            self._order = stage_order(shares, seed=self.seed, stage=0, length=max(end, 2 * self._order.size))
        return self._order[first:end]

    def piece(self, round_index: int, piece: int, *, pieces: int) -> list[Prompt]:
        """The questions of one of the equal pieces that a round is divided into.

        Raises:
            InputError: an example without a verifiable reward, or a sample that is unsound.
        """
        size = self.settings.groups_per_step // pieces
        numbers = self.numbers(round_index).tolist()
        return [self._prompt(numbers[place], place) for place in range(piece * size, (piece + 1) * size)]

    def _prompt(self, number: int, place: int) -> Prompt:
        table = int(np.searchsorted(self._ends, number, side="right")) - 1
        source, position = self.sources[table], number - int(self._ends[table])
        example = source.taskset[position]
        check_verifiable(example, source.taskset)
        return Prompt(example, source[position], source.taskset, place)


def _check_depth(source: TaskSetSource, positions: Sequence[int]) -> None:
    """See that every question that will be asked has its depth, before the first one is.

    Asking the others with pictures alone would give the answer away where what has no depth is what is not there.
    """
    lacking: list[str] = []
    for position in positions:
        try:
            source[position]
        except InputError as error:
            lacking.append(str(error))
    if lacking:
        raise InputError(
            f"{len(lacking):,} of {len(positions):,} questions cannot be asked with depth (data.with_depth=true). The first: "
            f"{lacking[0]} Or leave such questions out by data.select."
        )


def folders(prompts: Sequence[Prompt]) -> dict[Path, list[Prompt]]:
    """By their task set's folder, in order: pictures are read from there."""
    found: dict[Path, list[Prompt]] = {}
    for prompt in prompts:
        found.setdefault(prompt.taskset.path, []).append(prompt)
    return found
