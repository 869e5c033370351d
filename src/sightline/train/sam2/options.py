"""How clips of a fixed length are cut out of videos, and what is done to their pictures."""

from dataclasses import dataclass
from itertools import pairwise

from sightline.errors import InputError


@dataclass(frozen=True)
class GapStage:
    """From training step `from_step` on, neighbours of a clip are `smallest` to `largest` frames of the video apart, drawn
    uniformly for each clip (1: consecutive frames)."""

    from_step: int = 0
    smallest: int = 1
    largest: int = 1


@dataclass(frozen=True)
class Jitter:
    """The most that brightness, contrast and saturation are changed, as shares: 0.1 is a factor from 0.9 to 1.1."""

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    @property
    def amounts(self) -> tuple[float, float, float]:
        return self.brightness, self.contrast, self.saturation


@dataclass(frozen=True)
class WindowOptions:
    """The defaults are those of the reference's MOSE configuration; its affine transform and its 1024 pixels are not among them.

    Args:
        num_frames: the length T of a clip.
        gaps: stages in order of their steps, the first from step 0.
        max_objects: the most objects of one clip.
        late_objects: the odds that a clip may also take objects that its first frame does not show; 0: never.
        reverse: the odds that a clip runs backwards in time.
        flip: the odds that a clip is mirrored left to right.
        clip_jitter, frame_jitter: colour changes, drawn once for the clip, and again for each frame.
        grey: the odds that a clip loses its colours.
        image_size: the side R of the network's square input, a multiple of 32.

    Raises:
        InputError: an option out of its range; the message names it.
    """

    num_frames: int = 8
    gaps: tuple[GapStage, ...] = (GapStage(),)
    max_objects: int = 3
    late_objects: float = 0.0
    reverse: float = 0.0
    flip: float = 0.5
    clip_jitter: Jitter = Jitter(0.1, 0.03, 0.03)
    frame_jitter: Jitter = Jitter(0.1, 0.05, 0.05)
    grey: float = 0.05
    image_size: int = 512

    def __post_init__(self) -> None:
        for name in ("num_frames", "max_objects"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)}: expected at least 1.")
        for name in ("late_objects", "reverse", "flip", "grey"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} {getattr(self, name)}: expected odds from 0 to 1.")
        if self.image_size < 32 or self.image_size % 32:
            raise InputError(f"image_size {self.image_size}: expected a multiple of 32, for example 512 or 1024.")
        if not all(0 <= amount < 1 for jitter in (self.clip_jitter, self.frame_jitter) for amount in jitter.amounts):
            raise InputError(f"{self.clip_jitter}, {self.frame_jitter}: expected amounts from 0 to below 1.")
        self._check_gaps()

    def gap_at(self, step: int) -> GapStage:
        """The stage that holds at a training step."""
        return next(stage for stage in reversed(self.gaps) if step >= stage.from_step)

    def _check_gaps(self) -> None:
        starts = [stage.from_step for stage in self.gaps]
        if not starts or starts[0] != 0 or any(later <= earlier for earlier, later in pairwise(starts)):
            raise InputError(f"gaps from the steps {starts}: expected rising steps, the first 0.")
        for stage in self.gaps:
            if not 1 <= stage.smallest <= stage.largest:
                raise InputError(f"{stage}: expected 1 <= smallest <= largest.")
