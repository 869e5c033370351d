"""RoboRefer as a model that is asked: `roborefer:FOLDER[?KEY=VALUE&...]`, a published checkpoint or one of ours (`weights`).

    mode=resize           another image mode than the checkpoint's: resize, dynamic (or dynamic_s2 for a checkpoint of that)
    max_tiles=6           at most so many tiles of a picture
    form=published        the words exactly as the original puts them; default `consistent` (see `text_forms`)
    depth=own, depth=DIR  with depth, of the data set or of a folder of `sightline depth`; default no
    lacking=rgb           a question without depth is asked with its pictures alone; default stop

Greedy, in batches; a picture that occurs several times in one is encoded once. Weights are loaded when the first question is asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
import torch
from loguru import logger

from sightline.dialects import Dialect, get_dialect
from sightline.errors import InputError, unknown_name
from sightline.models.model import NotApplicable, Said, Usage
from sightline.models.options import ModelOptions
from sightline.models.roborefer.generation import greedy
from sightline.models.roborefer.inputs import Prepared, RoboReferBatch, RoboReferInputs
from sightline.models.roborefer.learned import what_it_learned
from sightline.models.roborefer.modeling import RoboReferForConditionalGeneration
from sightline.models.roborefer.opening import RoboReferFolder, open_roborefer
from sightline.models.roborefer.questions import DepthFrom, Lacking, sample_of
from sightline.models.roborefer.text_forms import FORMS, Form
from sightline.models.roborefer.weights import greedy_settings, load_roborefer
from sightline.taskset.depth import DepthFolder
from sightline.taskset.store import TaskSet
from sightline.types import Exposure, Question

KEYS = ("mode", "max_tiles", "form", "depth", "lacking")
DIALECT = "roborefer"
BATCH_SIZE = 8
LACKING: dict[str, Lacking] = {"stop": "stop", "rgb": "rgb"}
T = TypeVar("T")


@dataclass(frozen=True)
class RoboReferSettings:
    """How a checkpoint is asked. `depth`: "no", "own", or a folder of maps."""

    mode: str | None = None
    max_tiles: int | None = None
    form: Form = "consistent"
    depth: str = "no"
    lacking: Lacking = "stop"


def roborefer_model(rest: str, options: ModelOptions) -> "AskedRoboRefer":
    """The model of `roborefer:REST`.

    Raises:
        FileNotFoundError: no such checkpoint, or folder of depth maps.
        InputError: no whole checkpoint, an unknown key, a value that is none, or an option of no sense for RoboRefer.
    """
    path, _, query = rest.partition("?")
    settings = _settings(query)
    if options.temperature > 0:
        raise InputError("roborefer: is asked greedily, as it was published. Leave --temperature out.")
    if options.min_pixels is not None or options.max_pixels is not None:
        raise InputError(
            "roborefer: pictures become tiles of one size; set mode= and max_tiles=, not --min-pixels or --max-pixels."
        )
    folder = open_roborefer(Path(path).expanduser(), image_mode=settings.mode, max_tiles=settings.max_tiles)
    folder.weights()
    depth = None
    if settings.depth != "no":
        maps = None if settings.depth == "own" else DepthFolder(Path(settings.depth).expanduser())
        depth = DepthFrom(maps, settings.lacking)
        if folder.config.depth_projector_type is None:
            raise InputError(f"{folder.path}: this checkpoint has no depth projector, so it takes no depth. Leave depth= out.")
    return AskedRoboRefer(folder, options, settings, depth)


class AskedRoboRefer:
    """A checkpoint as a model of ours."""

    def __init__(
        self, folder: RoboReferFolder, options: ModelOptions, settings: RoboReferSettings, depth: DepthFrom | None
    ) -> None:
        self.folder = folder
        self.options = options
        self.settings = settings
        self.depth = depth
        self.name = options.name or folder.path.resolve().name
        self.batch_size = options.batch_size or BATCH_SIZE
        self.dialect: Dialect = get_dialect(options.dialect or DIALECT)
        self.learned = what_it_learned(folder.path, folder.config.published)
        self._inputs = RoboReferInputs(folder.config, folder.tokenizer, form=settings.form)

    def holding(self, model: Any, *, revision: str) -> "AskedRoboRefer":  # noqa: ANN401 - a RoboRefer
        """The same with the weights of a `model` in memory, asked where it lies and in the numbers it has; `revision` tells them
        from others. Its generation settings become the greedy ones."""
        held = AskedRoboRefer(self.folder, self.options, self.settings, self.depth)
        held._placement = (model.device, str(model.dtype).removeprefix("torch."))
        held._revision = revision
        model.generation_config = greedy_settings(self.folder.tokenizer)
        held._model = model
        return held

    def describe(self) -> dict[str, Any]:
        """What tells this model's answers from others', what the checkpoint learned, and the warning that its scores need."""
        device, dtype = self._placement
        tiling = self._inputs.tiling
        depth: Any = self.settings.depth
        if self.depth is not None and self.depth.folder is not None:
            depth = msgspec.to_builtins(self.depth.folder.index.settings)
        return {
            "kind": "roborefer",
            "name": self.name,
            "revision": self._revision,
            "mode": tiling.mode,
            "max_tiles": tiling.max_tiles,
            "form": self.settings.form,
            "depth": depth,
            "lacking": self.settings.lacking,
            "dtype": dtype,
            "device": device.type,
            "max_new_tokens": self.options.max_new_tokens,
            "learned": {"stage": self.learned.stage, "points": self.learned.points, "not_visible": self.learned.not_visible},
            "warning": self.learned.warning,
            "versions": {package: version(package) for package in ("torch", "transformers")},
        }

    def check(self, taskset: TaskSet) -> None:
        """Refuse tasks that ask for masks; say what the checkpoint never learnt."""
        first = next(iter(taskset), None)
        if first is None:
            return
        form = first.question.form
        if form.shape in ("mask", "mask_track"):
            raise NotApplicable(
                f"model {self.name!r} cannot answer task set {taskset.manifest.name!r}: it writes text, and no text family can "
                "write masks. Use tasks that ask for points or boxes."
            )
        if self.learned.warning and (self.learned.points is False or form.offers_not_visible):
            logger.warning("{}: {}", self.name, self.learned.warning)

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> list[Said]:
        """One text a question."""
        batch = self.batch(questions, taskset)
        device, _ = self._placement
        try:
            answers = greedy(self._model, batch.to(device), max_new_tokens=self.options.max_new_tokens)
        except torch.OutOfMemoryError as error:
            raise InputError(
                f"model {self.name!r}: out of GPU memory with {len(questions)} questions at a time, the first of them "
                f"{questions[0].id!r}. Use a smaller --batch-size, or fewer tiles; the same command goes on where this one stopped."
            ) from error
        return [self._said(tokens, prepared) for tokens, prepared in zip(answers, batch.prepared, strict=True)]

    def batch(self, questions: Sequence[Question], taskset: TaskSet) -> RoboReferBatch:
        """The questions as tensors, padded on the left.

        Raises:
            FileNotFoundError, InputError: a picture or its depth cannot be used, or a question is too long.
        """
        samples = [
            sample_of(question, taskset, dialect=self.dialect, form=self.settings.form, depth=self.depth) for question in questions
        ]
        return self._inputs.batch(samples, padding="left", room=self._inputs.max_length - self.options.max_new_tokens)

    def _said(self, tokens: list[int], prepared: Prepared) -> Said:
        ended = bool(tokens) and tokens[-1] == self.folder.tokenizer.convert_tokens_to_ids("<|im_end|>")
        text = self.folder.tokenizer.decode(tokens[:-1] if ended else tokens, skip_special_tokens=False)
        exposure = Exposure(num_image_tokens=prepared.num_media, num_prompt_tokens=prepared.ids.size, num_answer_tokens=len(tokens))
        usage = Usage(prompt_tokens=prepared.ids.size, answer_tokens=len(tokens))
        return Said(text=text, cut=not ended, usage=usage, exposure=exposure)

    @cached_property
    def _placement(self) -> tuple[torch.device, str]:
        """Device and number format."""
        wanted = self.options.device or "auto"
        if wanted == "auto":
            wanted = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            device = torch.device(wanted)
        except RuntimeError as error:
            raise InputError(f"--device {wanted!r}: expected auto, cpu, cuda or cuda:N ({error}).") from error
        if device.type == "cuda" and not torch.cuda.is_available():
            raise InputError(f"--device {wanted!r}: torch {torch.__version__} sees no GPU here. Use --device cpu.")
        dtype = self.options.dtype
        if dtype != "auto":
            return device, dtype
        return device, "float32" if device.type == "cpu" else "bfloat16" if torch.cuda.is_bf16_supported() else "float16"

    @cached_property
    def _model(self) -> RoboReferForConditionalGeneration:
        device, dtype = self._placement
        model: Any = load_roborefer(self.folder, dtype=getattr(torch, dtype))
        return model.to(device)

    @cached_property
    def _revision(self) -> str:
        return self.folder.revision()


def _settings(query: str) -> RoboReferSettings:
    values: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in KEYS:
            raise unknown_name("setting of roborefer:", key, KEYS)
        values[key] = value
    forms: dict[str, Form] = {form: form for form in FORMS if form != "training"}
    return RoboReferSettings(
        mode=values.get("mode"),
        max_tiles=_number(values, "max_tiles"),
        form=_one_of(values, "form", forms, "consistent"),
        depth=values.get("depth", "no"),
        lacking=_one_of(values, "lacking", LACKING, "stop"),
    )


def _one_of(values: dict[str, str], key: str, choices: dict[str, T], default: str) -> T:
    value = values.get(key, default)
    if value not in choices:
        raise unknown_name(f"{key} of roborefer:", value, choices)
    return choices[value]


def _number(values: dict[str, str], key: str) -> int | None:
    value = values.get(key)
    if value is not None and not (value.isdecimal() and int(value) > 0):
        raise InputError(f"roborefer: {key}={value!r}: expected a whole number above 0.")
    return None if value is None else int(value)
