"""What a training of SAM 2 is told: one frozen class, filled from `conf/sam2/*.yaml` and overrides.

    model.checkpoint_path=sam2.1_hiera_t.pt data.train_path=train.json trainer.max_steps=2000

What is shared with other trainings stands in `train.settings`, what the parts understand by themselves in their own modules.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sightline.errors import InputError
from sightline.models.sam2.groups import Rates
from sightline.models.sam2.losses import LossWeights
from sightline.models.sam2.parts import check_parts
from sightline.models.sam2.simulate import PromptRecipe
from sightline.train.sam2.loading import OnBadClip
from sightline.train.sam2.options import WindowOptions
from sightline.train.sam2.videos import Instances, VideoSource
from sightline.train.settings import EngineSettings, TrainingSettings

PromptOnFirst = Literal["mask", "box", "point"]


@dataclass(frozen=True)
class LoraSettings:
    """LoRA beside the linear layers of `parts`, which are frozen themselves; no part: none."""

    parts: tuple[str, ...] = ()
    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0


@dataclass(frozen=True)
class ModelSettings:
    """Which weights are trained, and which of them.

    Args:
        checkpoint_path: a transformers folder, or an original `.pt` with its YAML in `config_path`.
        fresh: instead of a checkpoint, weights drawn anew: "tiny", the network of 1.5 million parameters, or "config", that of
            `config_path`.
        image_size: the side of the square input, a multiple of 32.
        freeze, reset: parts by name (`models.sam2.parts`): not trained; drawn anew.
        checkpoint_blocks, checkpoint_memory_attention: keep only the inputs of those layers for the backward pass.
        drop_path: odds of the last block; not used where the image encoder is frozen.
        num_maskmem, max_pointers: how many frames the memory holds (the prompted one included), and how many frames' object
            pointers; None: as in the checkpoint.

    Raises:
        InputError: no weights or two kinds of them, an unknown part, or a number out of its range.
    """

    checkpoint_path: str | None = None
    config_path: str | None = None
    fresh: Literal["tiny", "config"] | None = None
    image_size: int = 512
    freeze: tuple[str, ...] = ()
    reset: tuple[str, ...] = ()
    lora: LoraSettings = field(default_factory=LoraSettings)
    checkpoint_blocks: bool = False
    checkpoint_memory_attention: bool = False
    drop_path: float = 0.1
    num_maskmem: int | None = None
    max_pointers: int | None = None

    def __post_init__(self) -> None:
        if (self.checkpoint_path is None) == (self.fresh is None):
            found = "neither" if self.fresh is None else "both"
            raise InputError(
                "model: give model.checkpoint_path=FOLDER|FILE.pt, or model.fresh=tiny to train from scratch (then with "
                f"model.checkpoint_path=null); found {found}."
            )
        if self.fresh == "config" and self.config_path is None:
            raise InputError("model.fresh=config needs the network's YAML: model.config_path=sam2.1_hiera_t.yaml.")
        for parts in (self.freeze, self.reset, self.lora.parts):
            check_parts(parts)
        for name in ("num_maskmem", "max_pointers"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise InputError(f"model.{name} {value}: expected at least 1, or null.")


@dataclass(frozen=True)
class DataSettings:
    """The videos, and how clips are cut out of them.

    Args:
        train_path, val_path: a COCO-style video JSON, or the root of a data set with its format and split. No `val_path`: nothing
            is evaluated whatever `evaluation.every` says; the log and the end of the run say so.
        train_only, val_only: names of videos, where not all are used.
        instances: "track", or "category" for a CocoVID file whose annotations do not number their objects.
        clips: `clips.image_size` is the model's.
        batch_size: clips of one batch, over all processes.
        num_workers: processes that load ahead, for each training process.
        prepared_mb: how many megabytes of pictures and masks in the network's size each process that loads keeps.
        on_bad_clip: "stop", or "skip": a clip that cannot be loaded is left out of its batch and listed in `ledger.jsonl`.
    """

    train_path: str
    val_path: str | None = None
    format: str = ""
    train_split: str = ""
    val_split: str = ""
    train_only: tuple[str, ...] = ()
    val_only: tuple[str, ...] = ()
    instances: Instances = "track"
    clips: WindowOptions = field(default_factory=WindowOptions)
    batch_size: int = 1
    num_workers: int = 0
    prepared_mb: int = 0
    on_bad_clip: OnBadClip = "stop"

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("num_workers", 0), ("prepared_mb", 0)):
            if getattr(self, name) < least:
                raise InputError(f"data.{name} {getattr(self, name)}: expected at least {least}.")

    @property
    def train_source(self) -> VideoSource:
        """Where clips for training are from."""
        return VideoSource(Path(self.train_path), self.format, self.train_split, self.train_only, self.instances)

    @property
    def val_source(self) -> VideoSource | None:
        """Where videos for evaluation are from."""
        if self.val_path is None:
            return None
        return VideoSource(Path(self.val_path), self.format, self.val_split, self.val_only, self.instances)


@dataclass(frozen=True)
class ValidationSettings:
    """How held-out videos are followed and scored.

    Args:
        prompt: what each object is shown by on the first frame that shows it.
        num_videos: the first so many videos; 0: all.
        resolution: where masks are compared: in the pictures' own pixels, or in the network's square.
    """

    prompt: PromptOnFirst = "mask"
    num_videos: int = 0
    resolution: Literal["video", "network"] = "video"

    def __post_init__(self) -> None:
        if self.num_videos < 0:
            raise InputError(f"validation.num_videos {self.num_videos}: expected at least 0 (0: all).")


@dataclass(frozen=True, kw_only=True)
class Sam2Settings(TrainingSettings):
    """A whole run.

    Args:
        preflight: before the first step, run the largest clip once and print what it takes.

    Raises:
        InputError: settings that contradict each other; the message names them.
    """

    model: ModelSettings
    data: DataSettings
    prompts: PromptRecipe = field(default_factory=PromptRecipe)
    losses: LossWeights = field(default_factory=LossWeights)
    rates: Rates = field(default_factory=Rates)
    validation: ValidationSettings = field(default_factory=ValidationSettings)
    preflight: bool = True

    def __post_init__(self) -> None:
        if self.data.clips.image_size != self.model.image_size:
            raise InputError(
                f"data.clips.image_size {self.data.clips.image_size}, model.image_size {self.model.image_size}: expected the same. "
                "Set model.image_size alone; the other refers to it."
            )
        if self.evaluation.patience and self.data.val_path is None:
            raise InputError("evaluation.patience without data.val_path: early stopping needs held-out videos.")
        if min(self.losses.mask, self.losses.dice, self.losses.iou, self.losses.presence) < 0:
            raise InputError(f"{self.losses}: weights must be at least 0.")
        _check_prompts(self.prompts)

    def engine(self) -> EngineSettings:
        """What the shared loop reads."""
        # no prompt uses all embeddings
        return self.told(evaluates=self.data.val_path is not None, some_unused=True)


def _check_prompts(recipe: PromptRecipe) -> None:
    for name in ("point_or_box", "box", "blind_click"):
        if not 0 <= getattr(recipe, name) <= 1:
            raise InputError(f"prompts.{name} {getattr(recipe, name)}: expected odds from 0 to 1.")
    for name, least in (("max_prompted", 1), ("max_corrected", 0), ("num_clicks", 0), ("box_noise", 0), ("max_box_noise", 0)):
        if getattr(recipe, name) < least:
            raise InputError(f"prompts.{name} {getattr(recipe, name)}: expected at least {least}.")
