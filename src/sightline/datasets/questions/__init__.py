"""Benchmarks and training files that bring their own questions."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from sightline.types import Inquiry, LedgerEntry, SpatialInquiry


@runtime_checkable
class QuestionReader(Protocol):
    """Questions of one split as their authors wrote them. An index is a row of the file, which may hold several questions, or none
    that can be used, and then why.

    `tasks` names the task of each kind of question that the split has (kinds: `tasks.questions`). `role` is the split of their
    examples for the leak check: all parts of a benchmark are "test", whatever they are called.
    """

    root: Path
    split: str

    @property
    def tasks(self) -> Mapping[str, str]: ...
    @property
    def role(self) -> str: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> tuple[Inquiry | LedgerEntry, ...]: ...
    def sources(self) -> list[Path]:
        """The files and folders the questions are read from; a build goes on only if they have not changed."""
        ...


@runtime_checkable
class QuestionFormat(Protocol):
    """A question reader's class: which splits a root holds, and how to open one."""

    def __call__(self, root: Path, split: str) -> QuestionReader: ...
    def splits(self, root: Path) -> list[str]:
        """The splits found under `root`, in order."""
        ...


def _refspatial_bench() -> QuestionFormat:
    from sightline.datasets.questions.refspatial_bench import RefSpatialBench  # noqa: PLC0415

    return RefSpatialBench


def _refspatial() -> QuestionFormat:
    from sightline.datasets.questions.refspatial import RefSpatial  # noqa: PLC0415

    return RefSpatial


def _where2place() -> QuestionFormat:
    from sightline.datasets.questions.where2place import Where2Place  # noqa: PLC0415

    return Where2Place


def _robospatial_home() -> QuestionFormat:
    from sightline.datasets.questions.robospatial_home import RoboSpatialHome  # noqa: PLC0415

    return RoboSpatialHome


# Benchmarks and training files that bring their own questions: `sightline build NAME` makes task sets of them.
QUESTION_READERS: dict[str, tuple[Callable[[], QuestionFormat], str]] = {
    "refspatial-bench": (_refspatial_bench, "{Location|Placement|Unseen}/question.json, image/, mask/; or data/{split}-*.parquet"),
    "refspatial": (_refspatial, "{2D|3D|Simulator}/*.json (conversations with points as text), image/, depth/"),
    "where2place": (_where2place, "point_questions.jsonl, images/, masks/"),
    "robospatial-home": (_robospatial_home, "annotations.json, images/; or data/{category}-*.parquet"),
}


@runtime_checkable
class QaReader(Protocol):
    """Questions about rooms and scenes of one split: as `QuestionReader`, with numbers, choices and words as answers."""

    root: Path
    split: str

    @property
    def role(self) -> str: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> tuple[SpatialInquiry | LedgerEntry, ...]: ...
    def order(self) -> Int[np.ndarray, " n"]:
        """The indices of all rows in an order in which rows about the same media follow each other."""
        ...

    def sources(self) -> list[Path]:
        """The files the questions are read from; a build goes on only if they have not changed."""
        ...


@runtime_checkable
class QaFormat(Protocol):
    """A spatial-QA reader's class: which splits a root holds, and how to open one."""

    def __call__(self, root: Path, split: str) -> QaReader: ...
    def splits(self, root: Path) -> list[str]:
        """The splits found under `root`, in order."""
        ...


def _conversations() -> QaFormat:
    from sightline.datasets.questions.conversations import Conversations  # noqa: PLC0415

    return Conversations


def _vsi_590k() -> QaFormat:
    from sightline.datasets.questions.conversations import Vsi590k  # noqa: PLC0415

    return Vsi590k


def _vlm_3r() -> QaFormat:
    from sightline.datasets.questions.conversations import Vlm3r  # noqa: PLC0415

    return Vlm3r


def _vsi_bench() -> QaFormat:
    from sightline.datasets.questions.vsi_bench import VsiBench  # noqa: PLC0415

    return VsiBench


def _mindcube() -> QaFormat:
    from sightline.datasets.questions.mindcube import MindCube  # noqa: PLC0415

    return MindCube


def _viewspatial() -> QaFormat:
    from sightline.datasets.questions.viewspatial import ViewSpatialBench  # noqa: PLC0415

    return ViewSpatialBench


def _scanqa() -> QaFormat:
    from sightline.datasets.questions.scanqa import ScanQa  # noqa: PLC0415

    return ScanQa


def _sqa3d() -> QaFormat:
    from sightline.datasets.questions.sqa3d import Sqa3d  # noqa: PLC0415

    return Sqa3d


# Spatial QA with answers: `sightline build qa --data NAME` makes task sets of it.
QA_READERS: dict[str, tuple[Callable[[], QaFormat], str]] = {
    "vsi-bench": (_vsi_bench, "test.jsonl (or test-*.parquet), {arkitscenes|scannet|scannetpp}/{scene}.mp4"),
    "viewspatial-bench": (_viewspatial, "ViewSpatial-Bench.json, scannetv2_val/, val2017/"),
    "mindcube": (_mindcube, "data/raw/MindCube_{train|tinybench}.jsonl, data/other_all_image/"),
    "scanqa": (_scanqa, "ScanQA_v1.0_{train|val|test_w_obj|test_wo_obj}.json, scannet/{scene}.mp4"),
    "sqa3d": (_sqa3d, "sqa_task/balanced/v1_balanced_{questions|sqa_annotations}_{split}_scannetv2.json, scannet/{scene}.mp4"),
    "spatial-mllm": (_conversations, "annotations/*.jsonl (conversations about videos), visuals/"),
    "vsi-590k": (_vsi_590k, "vsi-590k.jsonl (conversations, <image> for a video), videos and pictures"),
    "vlm-3r": (_vlm_3r, "merged_qa_{scannet|scannetpp|route_plan}_train.json (conversations, scene_name, question_type)"),
    "qa-json": (_conversations, "*.json or *.jsonl: Qwen-VL, LLaVA or ShareGPT conversations, single or packed"),
}
