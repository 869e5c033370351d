"""From counted sources and stages to a plan, and from a plan's numbers back to samples.

training = plan_training(sources, counts, stages=stages, batching=batching, seed=0)
for row in training.plan.rows_of(step, rank=rank, num_processes=4):
    samples = [training.sample(number) for number in row]
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sightline.errors import InputError
from sightline.train.vlm.admission import Admitted, Policy, Table, admit
from sightline.train.vlm.batching import Batching
from sightline.train.vlm.lengths import Counts
from sightline.train.vlm.plan import Part, Plan, Stage, make_plan
from sightline.train.vlm.samples import Sample, Source
from sightline.train.vlm.selection import Selection, select


@dataclass(frozen=True)
class Mixed:
    """A source in the mixture of a stage: which of its samples, and how often each comes in an epoch."""

    source: str
    weight: float = 1.0
    selection: Selection = field(default_factory=Selection)


@dataclass(frozen=True)
class StageMixture:
    """One stage of a curriculum, up to step `until_step` (cumulative) or, the last one, for `epochs`."""

    name: str
    mixture: tuple[Mixed, ...]
    until_step: int | None = None
    epochs: int = 1


@dataclass(frozen=True)
class Training:
    """A plan with the sources that it numbers. `admitted` says what was left out."""

    sources: tuple[Source, ...]
    counts: tuple[Counts, ...]
    plan: Plan
    admitted: Admitted

    def sample(self, number: int) -> Sample:
        """The sample that the plan calls `number`."""
        table, position = self.plan.locate(number)
        return self.sources[table][position]

    def ids(self, step: int) -> tuple[str, ...]:
        """The ids of a step's samples over all processes, in the order of its rows."""
        return tuple(self.sample(number).id for row in self.plan.rows(step) for number in row.tolist())

    def check_length(self, number: int, num_tokens: int) -> None:
        """See that a sample has the length it was planned with.

        Raises:
            InputError: another length: its pictures have changed since they were counted.
        """
        table, position = self.plan.locate(number)
        planned = int(self.counts[table].tokens[position])
        if planned != num_tokens:
            source = self.sources[table]
            raise InputError(
                f"{source.name}, sample {source[position].id!r}: {num_tokens} tokens, but {planned} were counted: a picture has "
                "changed since. Restore it, or delete the counts and start anew."
            )


def plan_training(
    sources: Sequence[Source],
    counts: Sequence[Counts],
    *,
    stages: Sequence[StageMixture],
    batching: Batching,
    seed: int = 0,
    on_bad_sample: Policy = "stop",
) -> Training:
    """Filter, admit and plan.

    Raises:
        InputError: a stage names no source of these; a filter leaves nothing; samples are too long or unreadable, with the policy
            "stop"; or as `make_plan`.
    """
    by = {"grouped": batching.pack_by == "group", "shared": batching.pack_by == "prefix"}
    tables = [Table.of(source, count, **by) for source, count in zip(sources, counts, strict=True)]
    numbers = {table.name: number for number, table in enumerate(tables)}
    chosen = [(number, mixed) for number, stage in enumerate(stages) for mixed in stage.mixture]
    for number, mixed in chosen:
        if mixed.source not in numbers:
            raise InputError(f"stage {stages[number].name!r}: no source {mixed.source!r}; there are {', '.join(numbers)}.")
    positions = [select(sources[numbers[mixed.source]], mixed.selection) for _, mixed in chosen]
    used = [
        np.unique(
            np.concatenate(
                [np.zeros(0, np.int64), *(p for p, (_, mixed) in zip(positions, chosen, strict=True) if mixed.source == name)]
            )
        )
        for name in numbers
    ]
    admitted = admit(tables, used, most_tokens=batching.tokens_per_sample, policy=on_bad_sample)
    parts: list[list[Part]] = [[] for _ in stages]
    for found, (number, mixed) in zip(positions, chosen, strict=True):
        table = numbers[mixed.source]
        kept = found[np.isin(found, admitted.positions[table], assume_unique=True)]
        parts[number].append(Part(table, kept, mixed.weight))
    planned = [Stage(stage.name, tuple(part), stage.until_step, stage.epochs) for stage, part in zip(stages, parts, strict=True)]
    return Training(tuple(sources), tuple(counts), make_plan(tables, planned, batching=batching, seed=seed), admitted)
