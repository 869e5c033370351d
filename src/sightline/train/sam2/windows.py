"""Which clip is trained on at which step: a pure function of the seed and the step.

Nothing is counted on from step to step, so training goes on at any step with the clips it would have had, whatever the number of
workers and processes. All videos come once in an order of their own before any comes again. Rows of a step are numbered over all
processes together; `rows_of` says which are whose.

Which frames a clip has is decided here, its objects and colours when it is loaded (`train.sam2.batches`), by the clip's own stream.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Int64

from sightline.errors import InputError
from sightline.train.sam2.options import WindowOptions
from sightline.train.sam2.videos import Videos

ORDER, FRAMES, CONTENT = range(3)  # what a random stream is for


@dataclass(frozen=True)
class Window:
    """A clip to be: frames of a video by their positions in it, in the clip's order (falling where it runs backwards).

    `seed` with `number`, which counts windows over all steps, is its random stream; None: a window for evaluation, with all objects
    and pictures as they are.
    """

    video: int
    clip_id: str
    frames: tuple[int, ...]
    number: int
    seed: int | None
    flip: bool = False

    def stream(self) -> np.random.Generator:
        """The random numbers of what is in it: each call starts anew."""
        assert self.seed is not None, "nothing is drawn for evaluation"
        return np.random.default_rng((self.seed, CONTENT, self.number))

    def __str__(self) -> str:
        return f"clip {self.clip_id!r}, frames {self.frames[0]} to {self.frames[-1]}"


@dataclass(frozen=True)
class WindowPlan:
    """The clips of a training run.

    Args:
        videos: what they are cut from.
        batch_size: clips of one step, over all processes.
        seed: not negative.

    Raises:
        InputError: a batch size below 1, or a negative seed.
    """

    videos: Videos
    options: WindowOptions
    batch_size: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.seed < 0:
            raise InputError(f"batch_size {self.batch_size}, seed {self.seed}: expected at least 1, and at least 0.")

    @property
    def steps_per_epoch(self) -> int:
        """Steps until every video has come once, rounded up."""
        return -(-len(self.videos) // self.batch_size)

    def window(self, step: int, row: int) -> Window:
        """The clip of one row of a step. Its first frame shows an object; among such places all are equally likely.

        Raises:
            InputError: the video is too short, shows no object where a clip could start, or something in it is wrong.
        """
        number = step * self.batch_size + row
        epoch, place = divmod(number, len(self.videos))
        video = int(_order(self.seed, epoch, len(self.videos))[place])
        rng = np.random.default_rng((self.seed, FRAMES, number))
        stage = self.options.gap_at(step)
        fits = self._largest_gap(video, stage.smallest)
        gap = int(rng.integers(stage.smallest, min(stage.largest, fits) + 1))
        backwards = bool(rng.random() < self.options.reverse)
        flip = bool(rng.random() < self.options.flip)
        reach = (self.options.num_frames - 1) * gap
        for start in rng.permutation(self.videos.num_frames(video) - reach):
            frames = tuple(range(int(start), int(start) + reach + 1, gap))
            frames = frames[::-1] if backwards else frames
            if self.videos.shows(video, frames[0]):
                return Window(video, self.videos.name(video), frames, number, self.seed, flip)
        raise InputError(
            f"{self.videos.root(video)}, clip {self.videos.name(video)!r}: no object is seen in any frame at which a clip of "
            f"{self.options.num_frames} frames, {gap} apart, can start. Leave the video out, or take shorter clips."
        )

    def check(self) -> None:
        """Open every video and see that it is long enough for every stage of the gap: what a run should know before it starts.

        Raises:
            InputError: the first video that is not, or in which something is wrong.
        """
        for video in range(len(self.videos)):
            for stage in self.options.gaps:
                self._largest_gap(video, stage.smallest)

    def _largest_gap(self, video: int, smallest: int) -> int:
        num_frames, length = self.videos.num_frames(video), self.options.num_frames
        if (length - 1) * smallest + 1 > num_frames:
            raise InputError(
                f"{self.videos.root(video)}, clip {self.videos.name(video)!r}: {num_frames} frames; a clip of {length} frames, "
                f"{smallest} apart, needs {(length - 1) * smallest + 1}. Take shorter clips (num_frames) or a smaller gap, or "
                "leave the video out."
            )
        return max(smallest, (num_frames - 1) // max(length - 1, 1))


def rows_of(rank: int, *, num_processes: int, batch_size: int) -> range:
    """The rows of each step that process `rank` loads; all processes together load each row once.

    Raises:
        InputError: the batch cannot be divided evenly.
    """
    if batch_size % num_processes:
        raise InputError(f"a batch of {batch_size} clips cannot be divided among {num_processes} processes; give a multiple.")
    share = batch_size // num_processes
    return range(rank * share, (rank + 1) * share)


def evaluation_windows(videos: Videos, num_frames: int | None) -> list[Window]:
    """Clips that hold every frame of every video: one after the other, the last one shifted back so that it is whole.

    `num_frames` None: each video as one clip.

    Raises:
        InputError: a length below 1, a clip longer than its video, or something in a video is wrong.
    """
    windows = []
    for video in range(len(videos)):
        whole = videos.num_frames(video)
        length = whole if num_frames is None else num_frames
        if not 1 <= length <= whole:
            raise InputError(
                f"{videos.root(video)}, clip {videos.name(video)!r}: {whole} frames cannot be cut into clips of {length}. Take "
                "shorter clips, or leave the video out."
            )
        for start in covering_starts(whole, length):
            windows.append(Window(video, videos.name(video), tuple(range(start, start + length)), len(windows), None))
    return windows


def covering_starts(whole: int, length: int) -> list[int]:
    """Where pieces of `length` start that cover `whole` without a rest; only the last may overlap the one before."""
    return [*range(0, whole - length, length), whole - length]


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> Int64[np.ndarray, " n"]:
    return np.random.default_rng((seed, ORDER, epoch)).permutation(count)
