"""The index of a report: one row an example, as columns that the page filters without loading any example.

    ids, labels            lists of text
    slices[name]           uint8 positions in `bins[name]`: the bin of a slicing or of `report.bins`, the last is "unknown"
    side                   uint8, the half of the view that the true point lies in: 0 left, 1 right; 255 where it has none
    cell                   uint8 positions in `cells`, the place of the true object in its view; 255 where it has none
    group, tier, visible   base64 of little-endian numbers: uint32 and uint8 positions in `groups` and `tiers`, uint8 0 or 1
    runs[i].status         uint8 positions in `statuses`; 255 where the run has no score
    runs[i].kind           uint8 positions among the keys of `kinds` (`evaluate.taxonomy`); 255 where the run has no score
    runs[i].flags          uint8, bits from the lowest: correct; hit known, hit; dilated known, dilated; said known, said visible;
                           wrong panel
    runs[i].l2             float64: distance to the truth as `Score.l2_norm`, NaN where there is none
    runs[i].iou            float64: overlap with the truth as `Score.iou`, NaN where there is none
    runs[i].marks          uint32 positions in `mark_sets`: the notes of the answer and what follows from them (`confusions.marks`);
                           empty text where no answer of the run has any

The rows of a task set are contiguous; a run's columns are as long as its task set's.
"""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8

from sightline.evaluate.slices import SLICINGS, UNKNOWN, bin_members
from sightline.evaluate.taxonomy import KIND_LABELS, KINDS, ErrorKind
from sightline.report.bins import BINNINGS
from sightline.report.markup import show_hidden
from sightline.report.tally import GRID, cell_name, truth_cell, truth_side
from sightline.types import STATUSES, Example, Score

UNSCORED = NOWHERE = 255
ALL_BINNINGS = SLICINGS | BINNINGS


class Names:
    """Texts numbered in the order in which they first come."""

    def __init__(self) -> None:
        self.positions: dict[str, int] = {}

    def position(self, name: str) -> int:
        return self.positions.setdefault(show_hidden(name), len(self.positions))


class MarkSets:
    """Sets of marks numbered in the order in which they first come; the empty one is number 0."""

    def __init__(self) -> None:
        self.positions: dict[tuple[str, ...], int] = {(): 0}

    def position(self, marks: tuple[str, ...]) -> int:
        return self.positions.setdefault(tuple(map(show_hidden, marks)), len(self.positions))


class RunColumns:
    """What one run did, example by example; `mark_sets` are those of all runs."""

    def __init__(self, mark_sets: MarkSets) -> None:
        self.mark_sets = mark_sets
        self.marks: list[int] = []
        self.status: list[int] = []
        self.kind: list[int] = []
        self.flags: list[int] = []
        self.l2: list[float] = []
        self.iou: list[float] = []

    def add(self, score: Score | None, kind: ErrorKind | None, marks: tuple[str, ...]) -> None:
        """Append the score of the next example, its kind of error and its marks, or that there is none."""
        self.marks.append(self.mark_sets.position(marks))
        self.status.append(UNSCORED if score is None else STATUSES.index(score.status))
        self.kind.append(UNSCORED if kind is None else KINDS.index(kind))
        self.flags.append(0 if score is None else flags(score))
        self.l2.append(float("nan") if score is None or score.l2_norm is None else score.l2_norm)
        self.iou.append(float("nan") if score is None or score.iou is None else score.iou)

    def columns(self) -> dict[str, str]:
        """As the page reads them."""
        return {
            "status": pack(np.array(self.status, dtype="<u1")),
            "kind": pack(np.array(self.kind, dtype="<u1")),
            "flags": pack(np.array(self.flags, dtype="<u1")),
            "l2": pack(np.array(self.l2, dtype="<f8")),
            "iou": pack(np.array(self.iou, dtype="<f8")),
            "marks": pack(np.array(self.marks, dtype="<u4")) if any(self.marks) else "",
        }


class RowColumns:
    """What is known of the examples themselves."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.labels: list[str] = []
        self.group: list[int] = []
        self.tier: list[int] = []
        self.visible: list[bool] = []
        self.cell: list[int] = []
        self.side: list[int] = []
        self.slices: dict[str, list[float]] = {name: [] for name in ALL_BINNINGS}
        self.groups = Names()
        self.tiers = Names()
        self.mark_sets = MarkSets()

    def add(self, example: Example, numbers: Mapping[str, float]) -> None:
        """Append the next example; `numbers` are those that `report.bins` bins by."""
        self.ids.append(show_hidden(example.id))
        self.labels.append(show_hidden(example.label or ""))
        self.group.append(self.groups.position(example.group))
        self.tier.append(self.tiers.position(example.tier))
        self.visible.append(example.truth.visible)
        cell, side = truth_cell(example), truth_side(example)
        self.cell.append(NOWHERE if cell is None else cell)
        self.side.append(NOWHERE if side is None else side)
        for name, slicing in SLICINGS.items():
            self.slices[name].append(example.slices.get(slicing.value, float("nan")))
        for name in BINNINGS:
            self.slices[name].append(numbers[name])

    def columns(self) -> dict[str, Any]:
        """As the page reads them."""
        return {
            "ids": self.ids,
            "labels": self.labels,
            "group": pack(np.array(self.group, dtype="<u4")),
            "tier": pack(np.array(self.tier, dtype="<u1")),
            "visible": pack(np.array(self.visible, dtype="<u1")),
            "cell": pack(np.array(self.cell, dtype="<u1")),
            "side": pack(np.array(self.side, dtype="<u1")),
            "cells": [cell_name(cell) for cell in range(GRID * GRID)],
            "groups": list(self.groups.positions),
            "tiers": list(self.tiers.positions),
            "statuses": list(STATUSES),
            "kinds": dict(KIND_LABELS),
            "mark_sets": list(self.mark_sets.positions),
            "slices": {name: pack(self._bins(name)) for name in ALL_BINNINGS},
            "bins": {name: [*slicing.bins, UNKNOWN] for name, slicing in ALL_BINNINGS.items()},
        }

    def _bins(self, name: str) -> UInt8[np.ndarray, " n"]:
        members = bin_members(ALL_BINNINGS[name], np.array(self.slices[name], dtype=np.float64))
        return np.argmax(np.stack(list(members.values())), axis=0).astype(np.uint8)


def flags(score: Score) -> int:
    """The outcomes of a score as the bits of one byte."""
    bits = [
        score.correct,
        score.hit is not None,
        score.hit,
        score.hit_dilated is not None,
        score.hit_dilated,
        score.said_visible is not None,
        score.said_visible,
        score.wrong_panel,
    ]
    return sum(1 << place for place, bit in enumerate(bits) if bit)


def pack(column: Shaped[np.ndarray, " n"]) -> str:
    """The bytes of a column in base64."""
    return base64.b64encode(column.tobytes()).decode("ascii")
