"""Sa2VA as a model that is asked: `sa2va:FOLDER[?KEY=VALUE&...]`, a checkpoint as it is published.

    mode=consistent       key frames over the whole clip; the default `official` prompts the first frames, as published
    frames=5              how many frames are prompted and shown to the language model
    masks=first           of several [SEG] in an answer the first one's mask; `union`: all of them together; the default `published`
                          is the union in a picture and the first in a clip, as the authors score
    words=task            the question's own words; the default `published` puts the expression into the words of the authors'
                          evaluation, "Please segment ..."

It answers `mask` and `mask_track` questions. Without a [SEG] the mask is empty (note `no_seg`), which says "no target" where a
question offers that. Several [SEG], be they more than the objects meant or not, are used as `masks` says (note `2_seg`). The text
is kept beside the mask. All questions about one clip that stand together are answered together.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import torch
from jaxtyping import UInt8

from sightline.errors import InputError, unknown_name
from sightline.geometry.masks import encode_mask, rle_area, union_masks
from sightline.models.checkpoint import Checkpoint, open_checkpoint
from sightline.models.model import Drawn, NotApplicable, Replies
from sightline.models.options import ModelOptions
from sightline.models.sa2va.checkpoint import MODEL_TYPE, load_sa2va
from sightline.models.sa2va.conversation import MEDIUM
from sightline.models.sa2va.modes import NUM_PROMPTED, Mode, get_mode
from sightline.models.sa2va.network import Sa2Va
from sightline.models.sa2va.segment import MOST_MASKS, Segmented, asking, segment
from sightline.models.tracking.shown import QuestionFrames, RgbFrames, clips_of
from sightline.taskset.store import TaskSet
from sightline.types import Exposure, MaskAnswer, MaskRle, MaskTrack, Question, TextPart

KEYS = ("mode", "frames", "masks", "words")
CHOICES = {"masks": ("published", "union", "first"), "words": ("published", "task")}
SHAPES = ("mask", "mask_track")
QUESTIONS_TOGETHER = 16
_QUOTED = re.compile(r'"(.+)"', re.DOTALL)


@dataclass(frozen=True)
class Sa2VaSettings:
    """How a checkpoint is asked; the docstring of the module says what the words mean."""

    mode: Mode
    masks: str = "published"
    words: str = "published"


def sa2va_model(rest: str, options: ModelOptions) -> "Sa2VaModel":
    """The model of `sa2va:REST`. Its weights are loaded when the first question comes.

    Raises:
        FileNotFoundError: no such folder.
        InputError: no Sa2VA checkpoint, an unknown key or value, or an option of no sense here.
    """
    path, _, query = rest.partition("?")
    values = _values(query)
    if options.cache is not None:
        raise InputError("--cache keeps texts, and sa2va: answers with masks. Leave it out.")
    if options.temperature > 0:
        raise InputError(f"--temperature {options.temperature:g}: sa2va: takes the likeliest token. Leave it out.")
    if options.dtype == "float16":
        raise InputError("--dtype float16: Sa2VA is run in float32 or bfloat16.")
    frames = values.get("frames", str(NUM_PROMPTED))
    if not frames.isdecimal():
        raise InputError(f"sa2va: frames={frames!r}: expected a whole number above 0.")
    mode = get_mode(values.get("mode", "official"), num_prompted=int(frames))
    checkpoint = open_checkpoint(Path(path).expanduser(), processor=False)
    if checkpoint.model_type != MODEL_TYPE:
        raise InputError(f"{path}: a checkpoint of {checkpoint.model_type!r}; expected {MODEL_TYPE!r}. Is it hf:{path}?")
    picked = {key: values.get(key, "published") for key in CHOICES}
    return Sa2VaModel(checkpoint, Sa2VaSettings(mode, **picked), options)


class Sa2VaModel:
    """A checkpoint as a model of ours."""

    dialect = None

    def __init__(self, checkpoint: Checkpoint, settings: Sa2VaSettings, options: ModelOptions) -> None:
        self.checkpoint, self.settings, self.options = checkpoint, settings, options
        self.name = options.name or checkpoint.path.resolve().name
        self.batch_size = options.batch_size or QUESTIONS_TOGETHER
        self._revision: str | None = None

    def holding(self, network: Sa2Va, *, revision: str) -> "Sa2VaModel":
        """The same with weights in memory, in place of those in the folder; `revision` tells them from others."""
        held = Sa2VaModel(self.checkpoint, self.settings, self.options)
        held.network, held._revision = network, revision
        return held

    def describe(self) -> dict[str, Any]:
        device, dtype = self._placement
        return {
            "kind": "sa2va",
            "name": self.name,
            "revision": self._revision or self.checkpoint.revision(),
            "mode": self.settings.mode.name,
            "frames": self.settings.mode.num_prompted,
            "masks": self.settings.masks,
            "words": self.settings.words,
            "max_new_tokens": self.options.max_new_tokens,
            "dtype": str(dtype).removeprefix("torch."),
            "device": device.type,
            "versions": {package: version(package) for package in ("torch", "transformers")},
        }

    def check(self, taskset: TaskSet) -> None:
        first = next(iter(taskset), None)
        if first is not None and first.question.form.shape not in SHAPES:
            raise NotApplicable(
                f"model {self.name!r} cannot answer task set {taskset.manifest.name!r}: it gives masks, and a "
                f"{first.question.form.shape} is asked for (example {first.id!r}). Build refer_mask or refer_mask_track, or leave "
                "this model out."
            )

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> list[Drawn]:
        found = {question.id: reply for some in self.replies(questions, taskset) for question, reply in some}
        return [found[question.id] for question in questions]  # pyright: ignore[reportReturnType] - this model says nothing else

    def replies(self, questions: Iterable[Question], taskset: TaskSet) -> Replies:
        """The questions about one picture or clip together."""
        for together in clips_of(questions, self.batch_size):
            frames = _frames(together[0], taskset)
            texts = [question_text(question, self.settings.words) for question in together]
            try:
                found = segment(
                    self.network,
                    frames,
                    texts,
                    self.settings.mode,
                    max_new_tokens=self.options.max_new_tokens,
                    most_masks=self._most_masks(together[0]),
                )
            except torch.OutOfMemoryError as error:
                raise InputError(
                    f"model {self.name!r}: out of GPU memory with {len(together)} questions about {len(frames)} frames at a time, "
                    f"the first of them {together[0].id!r}. Ask fewer at a time (--batch-size {max(len(together) // 2, 1)}); the "
                    "same command goes on."
                ) from error
            yield [(question, self._reply(question, own)) for question, own in zip(together, found, strict=True)]

    @cached_property
    def network(self) -> Sa2Va:
        """The weights, loaded once."""
        device, dtype = self._placement
        return load_sa2va(self.checkpoint.path, dtype=dtype).to(device)

    def _reply(self, question: Question, found: Segmented) -> Drawn:
        count = len(found.heard.states)
        notes = () if count == 1 else (f"{count}_seg" if count else "no_seg",)
        used = found.tracks[: self._most_masks(question)]
        size = question.images[question.form.image_index]
        empty = encode_mask(np.zeros((size.height, size.width), dtype=bool))
        num_frames = len(question.clip.image_indices) if question.clip else 1
        masks = [union_masks([track[frame] for track in used]) if used else empty for frame in range(num_frames)]
        return Drawn(
            answer=_track(masks) if question.clip else MaskAnswer(rle=masks[0], image_index=question.form.image_index),
            text=found.heard.text,
            notes=(*notes, *(("cut",) * found.heard.cut)),
            exposure=Exposure(num_answer_tokens=len(found.heard.ids)),
        )

    def _most_masks(self, question: Question) -> int:
        first = self.settings.masks == "first" or (self.settings.masks == "published" and question.clip is not None)
        return 1 if first else MOST_MASKS

    @cached_property
    def _placement(self) -> tuple[torch.device, torch.dtype]:
        """Device, and the number format of the language model."""
        wanted = self.options.device
        wanted = ("cuda" if torch.cuda.is_available() else "cpu") if wanted in (None, "auto") else wanted
        try:
            device = torch.device(wanted)
        except RuntimeError as error:
            raise InputError(f"--device {wanted!r}: expected auto, cpu, cuda or cuda:N ({error}).") from error
        if device.type == "cuda" and not torch.cuda.is_available():
            raise InputError(f"--device {wanted!r}: torch {torch.__version__} sees no GPU here. Use --device cpu.")
        rounded = self.options.dtype == "bfloat16" or (self.options.dtype == "auto" and device.type == "cuda")
        return device, torch.bfloat16 if rounded else torch.float32


def question_text(question: Question, words: str) -> str:
    """What Sa2VA is asked, with `<image>` where the pictures stand. `words`: as the setting of that name."""
    said = "".join(part.text for part in question.prompt if isinstance(part, TextPart)).strip()
    if words == "task":
        return f"{MEDIUM}\n{said}"
    quoted = _QUOTED.search(said)
    return asking(quoted[1] if quoted else said)


class _Picture:
    """The picture of a question as a clip of one frame."""

    def __init__(self, question: Question, taskset: TaskSet) -> None:
        self._image, self._taskset = question.images[question.form.image_index], taskset
        self.width, self.height = self._image.width, self._image.height

    def __len__(self) -> int:
        return 1

    def rgb(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        assert index == 0, "a picture is one frame"
        return self._taskset.read_rgb(self._image)


def _frames(question: Question, taskset: TaskSet) -> RgbFrames:
    if question.form.shape not in SHAPES:
        raise InputError(f"example {question.id!r}: a {question.form.shape} is asked for, and Sa2VA gives masks.")
    return QuestionFrames(question, taskset) if question.clip else _Picture(question, taskset)


def _track(masks: Sequence[MaskRle]) -> MaskTrack:
    return MaskTrack(frames=tuple(mask if rle_area(mask) else None for mask in masks))


def _values(query: str) -> dict[str, str]:
    found = dict(_pairs(query))
    for key, choices in CHOICES.items():
        if key in found and found[key] not in choices:
            raise unknown_name(f"value of sa2va: {key}", found[key], choices)
    return found


def _pairs(query: str) -> Iterator[tuple[str, str]]:
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in KEYS:
            raise unknown_name("setting of sa2va:", key, KEYS)
        yield key, value
