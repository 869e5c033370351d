"""SAM 2 as a `Trainable`: clips by number, simulated prompts, the four losses, and J and F of held-out videos.

Several processes give the gradients that one gives for the same clips: every term is divided by the number of objects of all
processes together, not of its own, and all clips of a batch are prompted in the same way. What is drawn follows from the seed and
the batch's number, so that a resumed run goes on as if it had not stopped.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
from loguru import logger
from torch import Tensor, nn

from sightline.models.sam2.clip import ClipModel
from sightline.models.sam2.groups import ParameterGroup, parameter_groups
from sightline.models.sam2.losses import clip_loss
from sightline.train.sam2.building import build_model
from sightline.train.sam2.evaluation import VideoScore, means, score_videos
from sightline.train.sam2.loading import Loaded, load_steps
from sightline.train.sam2.memory import Extent
from sightline.train.sam2.options import WindowOptions
from sightline.train.sam2.prompting import BatchPrompts
from sightline.train.sam2.settings import Sam2Settings
from sightline.train.sam2.videos import Videos
from sightline.train.sam2.windows import WindowPlan, rows_of
from sightline.train.trainable import BatchNote, Processes
from sightline.types import LedgerEntry


class Sam2Training:
    """A SAM 2 with its clips.

    Args:
        settings: of the run.
        on_skip: called with each clip that is left out (`data.on_bad_clip=skip`).
        on_scores: called after each evaluation with the step and the scores of every object.

    Raises:
        FileNotFoundError, InputError: the checkpoint or the videos cannot be used; the message says why.
    """

    def __init__(
        self,
        settings: Sam2Settings,
        *,
        on_skip: Callable[[LedgerEntry], None] | None = None,
        on_scores: Callable[[int, Sequence[VideoScore]], None] | None = None,
    ) -> None:
        self.settings = settings
        self.on_skip = on_skip
        self.on_scores = on_scores
        data = settings.data
        self.plan = WindowPlan(
            Videos([data.train_source]), _by_batch(data.clips, settings.trainer.accumulate), data.batch_size, settings.seed
        )
        self.plan.check()
        source = data.val_source
        self.held_out = None if source is None else Videos([source])
        self.clips = ClipModel(build_model(settings.model, seed=settings.seed))
        self.current: Loaded | None = None
        self.passed: Extent | None = None

    @property
    def module(self) -> nn.Module:
        """The whole model, frozen parts included."""
        return self.clips

    def parameter_groups(self) -> list[ParameterGroup]:
        """Rates by part and by depth in the trunk."""
        return parameter_groups(self.clips.model, self.settings.rates)

    def batches(self, numbers: range, processes: Processes) -> Iterator[Loaded]:
        """This process's clips of each batch."""
        data = self.settings.data
        if self.held_out is None and self.settings.evaluation.every:  # said here, where it goes to the run's own log
            logger.info(
                "no data.val_path: nothing is evaluated (evaluation.every={}); the weights of the last step are kept",
                self.settings.evaluation.every,
            )
        rows = rows_of(processes.rank, num_processes=processes.count, batch_size=data.batch_size)
        loaded = load_steps(
            self.plan,
            rows,
            numbers,
            num_workers=data.num_workers,
            on_bad_clip=data.on_bad_clip,
            prepared_bytes=data.prepared_mb * 2**20,
        )
        for each in loaded:
            if self.on_skip is not None:
                for entry in each.skipped:
                    self.on_skip(entry)
            yield each

    def to_device(self, batch: Loaded, device: torch.device) -> Loaded:
        """The clips' tensors on a device."""
        return batch if batch.batch is None else replace(batch, batch=batch.batch.to(device))

    def note(self, batch: Loaded) -> BatchNote:
        """The clips by name, and how many clips, frames and objects there are."""
        if batch.batch is None:
            return BatchNote(ids=(), counts={"clips": 0, "frames": 0, "objects": 0})
        frames, clips = batch.batch.images.shape[:2]
        return BatchNote(
            ids=tuple(str(window) for window in batch.batch.windows),
            counts={"clips": clips, "frames": frames * clips, "objects": len(batch.batch.names)},
        )

    def losses(self, batch: Loaded, number: int) -> Mapping[str, Tensor]:
        """The weighted terms: mask, dice, iou, presence."""
        self._begin(batch)
        weights = self.settings.losses
        share, allowed = self._among_processes(batch)
        if batch.batch is None:
            return _nothing(self.clips)
        clip = batch.batch
        drawn = BatchPrompts(clip, self.settings.prompts, seed=self.settings.seed, number=number, allowed=allowed)
        results = self.clips(
            clip.images,
            drawn.prompts,
            video_of_object=clip.video_of_object,
            correct=drawn,
            corrected_frames=drawn.corrected_frames,
        )
        terms = clip_loss(results, clip.masks, weights, supervised=clip.known, point_keys=drawn.point_keys)
        return {
            "mask": terms.mask * (weights.mask * share),
            "dice": terms.dice * (weights.dice * share),
            "iou": terms.iou * (weights.iou * share),
            "presence": terms.presence * (weights.presence * share),
        }

    def evaluate(self, step: int) -> Mapping[str, float]:
        """J&F, J and F of the held-out videos, each the mean over all objects."""
        assert self.held_out is not None, "settings refuse an evaluation without data.val_path"
        self._begin(None)
        scores = list(score_videos(self.clips, self.held_out, self.settings.validation))
        if self.on_scores is not None:
            self.on_scores(step, scores)
        return means(scores)

    def _begin(self, batch: Loaded | None) -> None:
        """Remember what is worked on, for messages; what was before it went through, its backward pass too."""
        if self.current is not None and self.current.batch is not None:
            done = Extent.of(self.current.batch)
            self.passed = done if self.passed is None else max(self.passed, done, key=lambda extent: extent.order)
        self.current = batch

    def _among_processes(self, batch: Loaded) -> tuple[float, list[int]]:
        """How much this process's mean over its objects counts, and the frames in which every object of every process is known.

        Gradients are averaged over processes afterwards, so that a process with o of O objects counts o / O times their number.
        """
        num_frames = self.settings.data.clips.num_frames
        counts = torch.zeros(1 + num_frames, dtype=torch.long)
        if batch.batch is not None:
            counts[0] = len(batch.batch.names)
            counts[1:] = (~batch.batch.known).sum(dim=1)
        own = int(counts[0])
        processes = 1
        if dist.is_available() and dist.is_initialized():
            processes = dist.get_world_size()
            on_device = counts.to(next(self.clips.parameters()).device)
            dist.all_reduce(on_device)
            counts = on_device.cpu()
        allowed = [frame for frame in range(num_frames) if counts[1 + frame] == 0]
        return own * processes / max(int(counts[0]), 1), allowed


def _nothing(model: nn.Module) -> dict[str, Tensor]:
    """Losses of 0 that reach every parameter: every process takes part when gradients are averaged."""
    trained = [parameter.sum() * 0 for parameter in model.parameters() if parameter.requires_grad]
    return dict.fromkeys(("mask", "dice", "iou", "presence"), torch.stack(trained).sum())


def _by_batch(clips: WindowOptions, accumulate: int) -> WindowOptions:
    """The stages of the gap count updates; the plan counts batches."""
    stages: list[Any] = [replace(stage, from_step=stage.from_step * accumulate) for stage in clips.gaps]
    return replace(clips, gaps=tuple(stages))
