"""Spatial QA as conversations: the Qwen-VL fine-tuning record and its relatives, as training sets of spatial QA are published.

    {"id": "scannet_17", "video": "scannet/videos/scene0191_00.mp4", "conversations": [{"from": "human", "value": "<video>\\n..."},
                                                                                         {"from": "gpt", "value": "4"}]}
    [{...}, {...}]                                          a packed record: a row that is a list of such records

    qa-json        `image`, `video` (or images, videos), `conversations` or `messages` (role, content): Qwen-VL, LLaVA, ShareGPT
    spatial-mllm   Spatial-MLLM mix 133k and 203k, and its route plans: annotations/*.jsonl, media below visuals/
    vsi-590k       VSI-590K: `<image>` stands in human turns even for a video
    vlm-3r         VLM-3R: data_source, scene_name, question_type; `<image>` for a video; route plans too

A split is a file (its name without .json or .jsonl) of the root or of its folder `annotations` or `annotation`. Each pair of turns
is a question of its own; a later one shows the media of the turns before it first. Surprises: in `vsi-590k` and `vlm-3r` as many
`<image>` as there are videos are read as `<video>`; a path of VSI-590K is looked for with and without the folder `vsi-590k/`.
Sources: QwenLM/Qwen3-VL (qwen-vl-finetune), diankun-wu/Spatial-MLLM (TRAINING.md, scripts/preprocess), VITA-Group/VLM-3R.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Int

from sightline.datasets import check_split
from sightline.datasets.questions.qa_files import QaFile, find_medium, json_files
from sightline.datasets.questions.qa_text import (
    TAG,
    Unusable,
    cut_at_tags,
    find_options,
    place_media,
    read_answer,
    split_how,
)
from sightline.datasets.questions.scenes import SceneName, dataset_name, named_scene, scene_in_paths
from sightline.errors import InputError
from sightline.types import LedgerEntry, Medium, SpatialInquiry

ANNOTATIONS = ("", "annotations", "annotation", "vsibench_train")
HUMAN, ANSWERER = ("human", "user"), ("gpt", "assistant")
VSI_PREFIX = "vsi-590k/"


class Said(msgspec.Struct, frozen=True):
    """One turn, in either spelling."""

    speaker: str | None = msgspec.field(name="from", default=None)
    value: str | None = None
    role: str | None = None
    content: str | None = None

    @property
    def who(self) -> str:
        return self.speaker or self.role or ""

    @property
    def text(self) -> str | None:
        return self.value if self.value is not None else self.content


class Record(msgspec.Struct, frozen=True):
    """One conversation. Other fields are passed over and noted."""

    id: str | int | None = None
    image: str | list[str] | None = None
    images: list[str] | None = None
    video: str | list[str] | None = None
    videos: list[str] | None = None
    conversations: list[Said] | None = None
    conversation: list[Said] | None = None
    messages: list[Said] | None = None
    system: str | None = None
    data_source: str | None = None
    source_dataset: str | None = None
    dataset: str | None = None
    scene_name: str | None = None
    scene_id: str | None = None
    question_type: str | None = None
    num_tokens: int | None = None

    @property
    def turns(self) -> list[Said]:
        return self.conversations or self.conversation or self.messages or []


class Conversations:
    """The questions of one file; an index is a row, which may hold several records, each of several questions.

    Args:
        root: the folder that holds the annotation files and the media.
        split: the file's name without its suffix.
        video_as_image: `<image>` stands for a video where the record has videos and no pictures.
        prefix: a folder that paths begin with, whether the record writes it or not.

    Raises:
        FileNotFoundError: no such root.
        InputError: no such file in it, or it is no JSON.
    """

    role = "train"

    def __init__(self, root: Path, split: str, *, video_as_image: bool = False, prefix: str = "") -> None:
        check_split(root, split, self.splits(root))
        self.root, self.split = root, split
        self._prefix = prefix
        self._video_as_image = video_as_image
        self._file = QaFile(json_files(root, ANNOTATIONS)[split], root, Record)

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The annotation files found under `root`, by their names without suffix."""
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder. Give the folder that holds the annotation files and the media.")
        found = list(json_files(root, ANNOTATIONS))
        if not found:
            raise InputError(f"{root}: no .json or .jsonl file in it or in its folder annotations/.")
        return found

    def sources(self) -> list[Path]:
        return [self._file.path]

    def __len__(self) -> int:
        return len(self._file)

    def order(self) -> Int[np.ndarray, " n"]:
        return self._file.order()

    def __getitem__(self, index: int) -> tuple[SpatialInquiry | LedgerEntry, ...]:
        raw = self._file.rows[index]
        if bytes(raw).lstrip()[:1] != b"[":
            record = self._file[index]
            return (record,) if isinstance(record, LedgerEntry) else tuple(self._record(record, index, str(index)))
        try:
            packed = msgspec.json.decode(raw, type=list[Record])
        except msgspec.DecodeError as error:
            return (self._file.drop(index, "row_unreadable", f"row {index}, a packed record: {error}"),)
        return tuple(
            outcome
            for place, record in enumerate(packed)
            for outcome in self._record(record, index, f"{index}.{place}", packed=True)
        )

    def _record(self, record: Record, index: int, name: str, *, packed: bool = False) -> Iterator[SpatialInquiry | LedgerEntry]:
        if not packed:
            yield from self._file.notes(index, None if record.id is None else str(record.id))
        images, videos = _listed(record.image) or record.images or [], _listed(record.video) or record.videos or []
        scene = _scene(record, [*videos, *images])
        if not scene.dataset:
            yield self._file.note(index, "scene_unknown", f"record {name} names no data set: the leak check knows no scene of it")
        system = record.system or next((turn.text for turn in record.turns if turn.who == "system"), None)
        turns = [turn for turn in record.turns if turn.who != "system"]
        if self._video_as_image and videos and not images:
            turns = [_as_video(turn) for turn in turns]
        try:
            shown, moving = [self._medium(path, "image") for path in images], [self._medium(path, "video") for path in videos]
        except InputError as error:
            yield self._file.drop(index, "path_leaves_root", str(error))
            return
        placed = _turns_problem(turns) or place_media([turn.text or "" for turn in turns[::2]], shown, moving)
        if isinstance(placed, Unusable):
            yield self._file.drop(index, *placed)
            return
        before: list[Medium] = []
        for number, (words, said) in enumerate(zip(placed, turns[1::2], strict=True)):
            turn = _Turn(name, number, (*before, *words), said.text or "", inherited=len(before))
            outcome = _inquiry(turn, record, scene, {"system": system} if system else {})
            yield self._file.drop(index, *outcome) if isinstance(outcome, Unusable) else outcome
            before += [part for part in words if isinstance(part, Medium)]

    def _medium(self, path: str, what: Literal["image", "video"]) -> Medium:
        named = self._prefix + path.removeprefix(self._prefix)
        found = find_medium(self.root, (named, path.removeprefix(VSI_PREFIX)))
        return Medium(path=found, what=what, published="" if named == found else named)


class Vlm3r(Conversations):
    """As `Conversations`, of records that write `<image>` where a video stands."""

    def __init__(self, root: Path, split: str) -> None:
        super().__init__(root, split, video_as_image=True)


class Vsi590k(Conversations):
    """The same; paths are named from the folder `vsi-590k`, as Spatial-MLLM has them."""

    def __init__(self, root: Path, split: str) -> None:
        super().__init__(root, split, video_as_image=True, prefix=VSI_PREFIX)


class _Turn(NamedTuple):
    """One question: the record's name, its number in it, its words with all media that it shows, and the answer."""

    name: str
    number: int
    words: tuple[str | Medium, ...]
    answer: str
    inherited: int


def _inquiry(turn: _Turn, record: Record, scene: SceneName, evidence: dict[str, str | float | int]) -> SpatialInquiry | Unusable:
    *words, last = turn.words or ("",)
    question, how = split_how(last) if isinstance(last, str) else ("", "")
    parts = (*words, *([question] if question else [])) if isinstance(last, str) else turn.words
    text = "".join(part for part in parts if isinstance(part, str))
    options = find_options(text)
    target = read_answer(turn.answer, options, record.question_type or "", text + how)
    if isinstance(target, Unusable):
        return target
    return SpatialInquiry(
        inquiry_id=f"{turn.name}-{turn.number}",
        published_id=turn.name if record.id is None else str(record.id),
        words=parts,
        target=target,
        answer_text=turn.answer,
        suffix=how,
        options=options,
        question_type=record.question_type or "",
        dataset=scene.dataset,
        scene_id=scene.scene_id,
        turn=turn.number,
        inherited=turn.inherited,
        evidence=evidence,
    )


def _scene(record: Record, paths: Sequence[str]) -> SceneName:
    dataset, scene = record.dataset or record.data_source or record.source_dataset, record.scene_name or record.scene_id
    seen = scene_in_paths([path.removeprefix(VSI_PREFIX) for path in paths]) or SceneName("", "")
    if scene:
        return named_scene(dataset or seen.dataset, scene)
    return SceneName(seen.dataset or dataset_name(dataset or ""), seen.scene_id)


def _turns_problem(turns: Sequence[Said]) -> Unusable | None:
    if not turns:
        return Unusable("turn_without_answer", "the record has no turns (conversations, or messages)")
    for number, turn in enumerate(turns):
        expected = ANSWERER if number % 2 else HUMAN
        if turn.who not in expected or turn.text is None:
            return Unusable("turns_out_of_order", f"turn {number} is by {turn.who!r}; expected {' or '.join(expected)}, with text")
        if number % 2 and any(TAG.fullmatch(piece) for piece in cut_at_tags(turn.text)):
            return Unusable("media_in_answer", f"turn {number}, an answer, shows a medium: {turn.text[:80]!r}")
    if len(turns) % 2:
        return Unusable("turn_without_answer", f"{len(turns)} turns; the last has no answer")
    return None


def _as_video(turn: Said) -> Said:
    if turn.who not in HUMAN or turn.text is None:
        return turn
    words = "".join("<video>" if piece == "<image>" else piece for piece in cut_at_tags(turn.text))
    return Said(speaker="human", value=words)


def _listed(paths: str | list[str] | None) -> list[str]:
    return [paths] if isinstance(paths, str) else paths or []
