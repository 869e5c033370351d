"""What a training of a vision-language model is told: one frozen class, filled from `conf/vlm/*.yaml` and overrides.

    model.path=Qwen3-VL-2B-Instruct data.path=sets/t1_multi-train trainer.max_steps=2000

What is shared with other trainings stands in `train.settings`, what the parts understand by themselves in their own modules.
"""

from dataclasses import dataclass, field
from typing import Literal

from sightline.errors import InputError
from sightline.models.architectures import TrainingView
from sightline.models.options import ModelOptions
from sightline.train.settings import EngineSettings, RateStage, TrainingSettings
from sightline.train.vlm.admission import Policy
from sightline.train.vlm.batching import Batching, Mode, PackBy
from sightline.train.vlm.curriculum import Mixed, StageMixture
from sightline.train.vlm.frames import MAX_FRAMES
from sightline.train.vlm.lora import Lora
from sightline.train.vlm.mixture import Term, parse_mixture
from sightline.train.vlm.parts import PARTS, Part
from sightline.train.vlm.selection import Selection

Attention = Literal["auto", "flash", "flex", "segments", "mask"]


@dataclass(frozen=True)
class PartsSettings:
    """How each part is trained (`train.vlm.parts`). `head` is None in models that share the word embeddings with it, the
    depth parts where they are absent, or trained as `vision` and `projector`, `geometry` where it is absent or frozen."""

    vision: Part = field(default_factory=Part)
    projector: Part = field(default_factory=Part)
    language_model: Part = field(default_factory=Part)
    head: Part | None = None
    depth: Part | None = None
    depth_projector: Part | None = None
    geometry: Part | None = None

    def named(self) -> dict[str, Part]:
        """By name, without those that are None."""
        every: dict[str, Part | None] = {name: getattr(self, name) for name in PARTS}
        return {name: part for name, part in every.items() if part is not None}


@dataclass(frozen=True)
class SelectSettings:
    """Filters on samples, as `train.vlm.selection.Selection`; None: no filter."""

    where: dict[str, tuple[str | int | float | bool, ...]] | None = None
    between: dict[str, tuple[float | None, float | None]] | None = None
    visible: bool | None = None
    percent: float = 100.0

    def selection(self, percent: float = 100.0) -> Selection:
        """With `percent` of what passes."""
        return Selection(self.where or {}, self.between or {}, self.visible, self.percent * percent / 100)


@dataclass(frozen=True)
class ModelSettings:
    """The checkpoint and what of it is trained.

    Args:
        path: a checkpoint folder.
        dialect: how coordinates are written; None: as the family does.
        min_pixels, max_pixels: of each picture as the model sees it; None: the processor's own.
        image_mode, max_tiles: how a RoboRefer cuts pictures; None: as the checkpoint does.
        geometry: an ablation of Spatial-MLLM: given, none or shuffled; None: as the checkpoint does.
        parts: how each part is trained.
        four_bits: hold the language model in four bits (QLoRA).
        checkpointing: keep only the inputs of the layers for the backward pass.
    """

    path: str
    dialect: str | None = None
    min_pixels: int | None = None
    max_pixels: int | None = None
    image_mode: str | None = None
    max_tiles: int | None = None
    geometry: str | None = None
    trust_remote_code: bool = False
    parts: PartsSettings = field(default_factory=PartsSettings)
    lora: Lora = field(default_factory=Lora)
    four_bits: bool = False
    checkpointing: bool = False

    @property
    def options(self) -> ModelOptions:
        """What prediction is told of the same model."""
        return ModelOptions(
            dialect=self.dialect,
            min_pixels=self.min_pixels,
            max_pixels=self.max_pixels,
            trust_remote_code=self.trust_remote_code,
        )


@dataclass(frozen=True)
class RateSettings:
    """`lr` is for all parts that have none of their own; `weight_decay` for matrices."""

    lr: float = 1e-5
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        if self.lr < 0 or self.weight_decay < 0:
            raise InputError(f"{self}: expected numbers of at least 0.")


@dataclass(frozen=True)
class DataSettings:
    """What is trained on, and how it is put into rows.

    Args:
        path: a task set's folder or a file of conversations; or else `mixture`, names of `registry` (`train.vlm.mixture`).
        media_root: of the file in `path`.
        select: filters on every source; a stage may have its own.
        batching: packed, padded or grouped rows (`train.vlm.plan`).
        pack_by: length, or group: samples of one scene or picture stand in one pack, so that shared pictures pay; or prefix:
            samples with the same pictures stand behind them, which are there once (`train.vlm.prefix`).
        tokens_per_sample: the most tokens of a sample, and of a pack.
        rows_per_step: rows of an update over all processes and all pieces of `trainer.accumulate`.
        max_frames: of a video.
        attention: how packed samples are kept apart; auto: the best way of the device.
        with_depth: each picture comes with its depth, for models that take it. `depth_codec` is that of files of conversations;
            entries of a registry may have their own, or no depth.
        shared_images: one vision pass for each distinct picture of a batch.
        features: a folder of frozen features (`sightline cache-features`), in place of frozen encoders; for Spatial-MLLM.
        counts_dir: where token counts are kept between runs.
        num_workers: processes that load ahead, for each training process.
        on_bad_sample: of samples that cannot be counted or are too long, before the run.
        on_missing: of a sample that cannot be read when its step comes: stop, or leave it out and write it into the ledger.
        allow_shared_scenes: train although a source is about scenes that benchmarks test on (`train.vlm.scene_guard`).
    """

    path: str | None = None
    media_root: str | None = None
    registry: str | None = None
    mixture: tuple[str, ...] | None = None
    select: SelectSettings = field(default_factory=SelectSettings)
    batching: Mode = "packed"
    pack_by: PackBy = "length"
    tokens_per_sample: int = 8192
    rows_per_step: int = 8
    max_frames: int = MAX_FRAMES
    attention: Attention = "auto"
    with_depth: bool = False
    depth_codec: str = "u8x3_minmax"
    shared_images: bool = True
    features: str | None = None
    counts_dir: str = "outputs/token-counts"
    num_workers: int = 0
    on_bad_sample: Policy = "stop"
    on_missing: Literal["stop", "skip"] = "stop"
    allow_shared_scenes: bool = False

    def __post_init__(self) -> None:
        if self.path is not None and self.mixture is not None:
            raise InputError("data.path and data.mixture: expected one of them.")
        if self.mixture is not None and self.registry is None:
            raise InputError("data.mixture takes names of a registry: give data.registry=FILE.yaml.")
        _ = self.rows  # refuses what contradicts itself
        if self.num_workers < 0:
            raise InputError(f"data.num_workers {self.num_workers}: expected 0 or more.")

    @property
    def rows(self) -> Batching:
        """As the plan takes it."""
        return Batching(self.batching, self.tokens_per_sample, self.rows_per_step, self.pack_by)


@dataclass(frozen=True)
class StageSettings:
    """One stage of a curriculum.

    Args:
        until_step: the update with which it ends, counted from the beginning of the run; None for the last one:
            `trainer.max_steps`.
        mixture: names of the registry; None: those of `data`.
        select: filters instead of `data.select`.
        rate: factor on all learning rates.
    """

    name: str
    until_step: int | None = None
    mixture: tuple[str, ...] | None = None
    select: SelectSettings | None = None
    rate: float = 1.0

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise InputError(f"stage {self.name!r}: rate {self.rate:g}; expected above 0.")


@dataclass(frozen=True)
class ValidationSettings:
    """How the model is asked while it trains.

    Args:
        tasksets: folders of task sets; none: nothing is evaluated.
        num_examples: the first so many of each; 0: all.
        num_shown: answers that are written into the run's `samples.jsonl`, of each task set at each evaluation.
    """

    tasksets: tuple[str, ...] = ()
    num_examples: int = 0
    batch_size: int = 8
    max_new_tokens: int = 64
    num_shown: int = 4

    def __post_init__(self) -> None:
        for name, least in (("num_examples", 0), ("batch_size", 1), ("max_new_tokens", 1), ("num_shown", 0)):
            if getattr(self, name) < least:
                raise InputError(f"validation.{name} {getattr(self, name)}: expected at least {least}.")


@dataclass(frozen=True, kw_only=True)
class VlmSettings(TrainingSettings):
    """A whole run.

    Args:
        stages: a curriculum; none: one stage of `data`.
        stage_schedule: "run": warm-up and cosine go over the whole run; "stage": each stage has its own.
        loss_per: token or sample: whose mean the loss is (`train.vlm.loss`).

    Raises:
        InputError: settings that contradict each other; the message names them.
    """

    model: ModelSettings
    data: DataSettings
    stages: tuple[StageSettings, ...] = ()
    stage_schedule: Literal["run", "stage"] = "run"
    loss_per: Literal["token", "sample"] = "token"
    rates: RateSettings = field(default_factory=RateSettings)
    validation: ValidationSettings = field(default_factory=ValidationSettings)

    def __post_init__(self) -> None:
        pieces = self.trainer.devices * self.trainer.num_nodes * self.trainer.accumulate
        if self.data.rows_per_step % pieces:
            raise InputError(
                f"data.rows_per_step {self.data.rows_per_step}: an update is divided into {pieces} pieces (trainer.devices * "
                f"num_nodes * accumulate). Give a multiple of {pieces}."
            )
        if self.data.path is None and self.data.mixture is None and not (self.stages and all(s.mixture for s in self.stages)):
            raise InputError("no data: give data.path=FILE|TASKSET, or data.registry=FILE with data.mixture=[NAME,...].")
        if self.data.registry is None and any(stage.mixture is not None for stage in self.stages):
            raise InputError("stages with a mixture take names of a registry: give data.registry=FILE.yaml.")
        if self.evaluation.patience and not self.validation.tasksets:
            raise InputError("evaluation.patience without validation.tasksets: early stopping needs held-out task sets.")

    @property
    def view(self) -> TrainingView:
        """What the model is shown."""
        model = self.model
        return TrainingView(model.image_mode, model.max_tiles, self.data.with_depth, model.geometry)

    @property
    def terms(self) -> tuple[Term, ...]:
        """Every name of the registry that any stage uses, once."""
        stages = self.stages or (StageSettings("all"),)
        named = [term for stage in stages for term in self._terms(stage)]
        return tuple({term.name: term for term in named}.values())

    def mixtures(self, source_name: str | None) -> tuple[StageMixture, ...]:
        """The stages as the plan takes them; `source_name` is that of `data.path`."""
        stages = self.stages or (StageSettings("all"),)
        return tuple(
            StageMixture(stage.name, self._mixed(stage, source_name), self._end(stage, is_last=stage is stages[-1]))
            for stage in stages
        )

    def engine(self) -> EngineSettings:
        """What the shared loop reads."""
        stages = self.mixtures("") if self.stages else ()
        ends = [stage.until_step or self.trainer.max_steps for stage in stages]
        rates = tuple(
            RateStage(end, stage.rate, own_shape=self.stage_schedule == "stage")
            for end, stage in zip(ends, self.stages, strict=True)
        )
        return self.told(evaluates=bool(self.validation.tasksets), stages=rates)

    def _terms(self, stage: StageSettings) -> tuple[Term, ...]:
        mixture = self.data.mixture if stage.mixture is None else stage.mixture
        return () if mixture is None else parse_mixture(mixture)

    def _mixed(self, stage: StageSettings, source_name: str | None) -> tuple[Mixed, ...]:
        select = self.data.select if stage.select is None else stage.select
        terms = self._terms(stage) or (Term(source_name or ""),)
        return tuple(Mixed(term.name, term.weight, select.selection(term.percent)) for term in terms)

    def _end(self, stage: StageSettings, *, is_last: bool) -> int | None:
        return self.trainer.max_steps if is_last and stage.until_step is None else stage.until_step
