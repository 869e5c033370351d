"""What a training of Sa2VA is told: one frozen class, filled from `conf/sa2va/*.yaml` and overrides.

    model.path=Sa2VA-4B data.path=tasks/refer_mask_track-train trainer.max_steps=2000

What is shared with other trainings stands in `train.settings`, what the parts understand by themselves in their own modules.
"""

from dataclasses import dataclass, field
from typing import Literal

from sightline.errors import InputError
from sightline.models.sa2va.conversation import SEG
from sightline.models.sa2va.losses import PUBLISHED_POINTS, MaskLossWeights
from sightline.models.sa2va.modes import NUM_PROMPTED, Mode, ModeName, get_mode
from sightline.models.sam2.parts import check_parts
from sightline.train.settings import EngineSettings, TrainingSettings
from sightline.train.vlm.lora import Lora
from sightline.train.vlm.mixture import Term, parse_mixture
from sightline.train.vlm.parts import Part
from sightline.train.vlm.settings import RateSettings, ValidationSettings

PUBLISHED_ANSWERS = (f"It is {SEG}.", f"Sure, {SEG}.", f"Sure, it is {SEG}.", f"Sure, the segmentation result is {SEG}.", f"{SEG}.")
PUBLISHED_LORA = Lora(rank=128, alpha=256.0, dropout=0.05)
FROZEN, WITH_LORA, FULL = Part("frozen"), Part("lora"), Part("full")
REMEMBERING = ("memory_attention", "memory_encoder", "object_pointer")
"""Parts of SAM 2 that no mask of the mode `official` depends on."""


@dataclass(frozen=True)
class PartsSettings:
    """How each part of the language model is trained (`train.vlm.parts`). `head` is None in models that share the word embeddings
    with it."""

    vision: Part = FROZEN
    projector: Part = FROZEN
    language_model: Part = WITH_LORA
    head: Part | None = FULL

    def named(self) -> dict[str, Part]:
        """By name, without those that are None."""
        every = {"vision": self.vision, "projector": self.projector, "language_model": self.language_model, "head": self.head}
        return {name: part for name, part in every.items() if part is not None}


@dataclass(frozen=True)
class GroundingSettings:
    """What of the grounding path is trained, and at which rates; None: that of the run.

    Args:
        projection: whether the projection of `[SEG]` states is.
        sam2: parts of SAM 2 by name (`models.sam2.parts`).
        sam2_path: a transformers folder of a SAM 2.0, whose weights training starts with in place of the checkpoint's.
    """

    projection: bool = True
    projection_lr: float | None = None
    sam2: tuple[str, ...] = ("mask_decoder",)
    sam2_lr: float | None = None
    sam2_path: str | None = None

    def __post_init__(self) -> None:
        check_parts(self.sam2)


@dataclass(frozen=True)
class ModelSettings:
    """The checkpoint and what of it is trained.

    Args:
        path: a folder of the published layout.
        dtype: of the language model's frozen weights; what is trained is float32.
        embeddings: train the word embeddings whole, also where the language model has LoRA or is frozen.
        checkpointing: keep only the inputs of the language model's layers for the backward pass.
    """

    path: str
    dtype: Literal["float32", "bfloat16"] = "float32"
    parts: PartsSettings = field(default_factory=PartsSettings)
    embeddings: bool = True
    grounding: GroundingSettings = field(default_factory=GroundingSettings)
    lora: Lora = PUBLISHED_LORA
    checkpointing: bool = False


@dataclass(frozen=True)
class ModeSettings:
    """The mode of training and of evaluation on the way (`models.sa2va.modes`)."""

    name: ModeName = "official"
    num_prompted: int = NUM_PROMPTED

    def __post_init__(self) -> None:
        _ = self.mode

    @property
    def mode(self) -> Mode:
        """As the model takes it."""
        return get_mode(self.name, num_prompted=self.num_prompted)


@dataclass(frozen=True)
class DataSettings:
    """What is trained on.

    Args:
        path: a task set of masks or of words, or a file of conversations; or else `mixture`, names of `registry`.
        media_root: of the file in `path`.
        batch_size: conversations of a batch, over all processes.
        num_frames: of a clip with masks; of a shorter clip all.
        frames: "random": any, in time order; "window": neighbours; "even": spread over the clip. A frame in which nothing is known
            of a target is never taken.
        expressions: of one clip or picture, the most that are turns of one conversation.
        places: masks that a conversation's loss is taken of, repeated or drawn (`padded_objects`); 0: each once.
        words: "published": `Please segment EXPRESSION.`; "task": the question's own.
        answers: one is drawn for each turn; each holds one [SEG].
        no_target: what is answered where nothing meant is there: "empty_mask": one of `answers`, with an empty mask; else a text
            without [SEG].
        dialect: how task sets of points, boxes and words are answered; None: such are refused.
        max_tokens: of a conversation; a longer one is an error, nothing is cut off.
        max_frames: of a video in a conversation without masks.
        num_workers: processes that load ahead, for each training process.
        on_missing: of a conversation that cannot be read when its step comes: stop, or leave it out and write it into the ledger.
    """

    path: str | None = None
    media_root: str | None = None
    registry: str | None = None
    mixture: tuple[str, ...] | None = None
    batch_size: int = 2
    num_frames: int = 5
    frames: Literal["random", "window", "even"] = "random"
    expressions: int = 5
    places: int = 5
    words: Literal["published", "task"] = "published"
    answers: tuple[str, ...] = PUBLISHED_ANSWERS
    no_target: str = "empty_mask"
    dialect: str | None = None
    max_tokens: int = 8192
    max_frames: int = 8
    num_workers: int = 0
    on_missing: Literal["stop", "skip"] = "stop"

    def __post_init__(self) -> None:
        if (self.path is None) == (self.mixture is None):
            raise InputError("data.path or data.mixture: expected one of them.")
        if self.mixture is not None and self.registry is None:
            raise InputError("data.mixture takes names of a registry: give data.registry=FILE.yaml.")
        _ = self.terms
        least = {
            "batch_size": 1,
            "num_frames": 1,
            "expressions": 1,
            "places": 0,
            "max_tokens": 1,
            "max_frames": 1,
            "num_workers": 0,
        }
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise InputError(f"data.{name} {getattr(self, name)}: expected at least {smallest}.")
        if not self.answers or any(answer.count(SEG) != 1 for answer in self.answers):
            raise InputError(f"data.answers {list(self.answers)}: expected texts with one {SEG} each, for example 'It is {SEG}.'")
        if SEG in self.no_target:
            raise InputError(f"data.no_target {self.no_target!r}: expected empty_mask, or a text without {SEG}.")

    @property
    def terms(self) -> tuple[Term, ...]:
        """The mixture; none where there is one source."""
        return () if self.mixture is None else parse_mixture(self.mixture)


@dataclass(frozen=True)
class LossSettings:
    """Weights: of the text, then as `models.sa2va.losses.MaskLossWeights`."""

    text: float = 1.0
    mask: float = 2.0
    dice: float = 0.5
    points: int = PUBLISHED_POINTS
    oversample: int = 3
    importance: float = 0.75

    def __post_init__(self) -> None:
        if min(self.text, self.mask, self.dice) < 0:
            raise InputError(f"{self}: weights must be at least 0.")
        _ = self.masks

    @property
    def masks(self) -> MaskLossWeights:
        """As the mask losses take them."""
        return MaskLossWeights(self.mask, self.dice, self.points, self.oversample, self.importance)


@dataclass(frozen=True, kw_only=True)
class Sa2VaTrainSettings(TrainingSettings):
    """A whole run.

    Raises:
        InputError: settings that contradict each other; the message names them.
    """

    model: ModelSettings
    data: DataSettings
    mode: ModeSettings = field(default_factory=ModeSettings)
    losses: LossSettings = field(default_factory=LossSettings)
    rates: RateSettings = field(default_factory=lambda: RateSettings(lr=4e-5, weight_decay=0.05))
    validation: ValidationSettings = field(default_factory=lambda: ValidationSettings(batch_size=16))

    def __post_init__(self) -> None:
        trained = [part for part in self.model.grounding.sam2 if part in REMEMBERING]
        if self.mode.name == "official" and trained:
            raise InputError(
                f"model.grounding.sam2 has {', '.join(trained)}: the mode official trains without memory, and these would learn "
                "nothing. Leave them out, or set mode.name=consistent."
            )
        processes = self.trainer.devices * self.trainer.num_nodes
        if self.data.batch_size % processes:
            raise InputError(f"data.batch_size {self.data.batch_size}: expected a multiple of the {processes} processes.")
        if self.trainer.strategy == "fsdp2" or self.trainer.precision == "bf16-true":
            raise InputError(
                f"trainer.strategy={self.trainer.strategy}, trainer.precision={self.trainer.precision}: Sa2VA is trained with ddp, "
                "in 32-true or bf16-mixed; to save memory, set model.dtype=bfloat16 and model.checkpointing=true."
            )
        if self.evaluation.patience and not self.validation.tasksets:
            raise InputError("evaluation.patience without validation.tasksets: early stopping needs held-out task sets.")

    def engine(self) -> EngineSettings:
        """What the shared loop reads."""
        # a text without pictures passes no tower
        return self.told(evaluates=bool(self.validation.tasksets), some_unused=True)
