"""The mask tracks of a run, clip by clip: for files in the layouts of others, and for tables of their own J and F."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from sightline.errors import InputError
from sightline.evaluate.score import answered
from sightline.export.track_masks import ClipTracks
from sightline.taskset.store import TaskSet
from sightline.types import Example, MaskRle, MaskTrack, Prediction


def run_tracks(folder: Path, taskset: TaskSet) -> Iterator[ClipTracks]:
    """The answers of a run, the examples of one clip together. An object is named by the last part of its example's id; an answer
    that is no track (not visible, or none that could be read) is a track without masks.

    Raises:
        InputError: an example asks for something else than a mask track, or shows other frames than its neighbours of the clip.
    """
    for clip_id, pairs in groupby(answered(folder, taskset), key=lambda pair: pair[0].group):
        together = list(pairs)
        first = _shown(together[0][0], folder)
        for example, _ in together:
            if _shown(example, folder) != first:
                raise InputError(
                    f"{folder}: example {example.id!r} shows other frames of clip {clip_id!r} than {together[0][0].id!r}. Tracks "
                    "of one clip are written together: build the task set so that all its questions show the same frames."
                )
        question = together[0][0].question
        images = [question.images[index] for index in first]
        yield ClipTracks(
            video=clip_id,
            frames=[_frame_name(together[0][0], index) for index in first],
            size=(images[0].height, images[0].width),
            tracks={object_name(example): _track(example, prediction, len(first)) for example, prediction in together},
            pictures=[image.path for image in images],
            categories={object_name(example): example.label for example, _ in together if example.label},
        )


def object_name(example: Example) -> str:
    """What an example calls its object: the part of its id after the task and the clip."""
    return example.id.removeprefix(f"{example.question.task}/{example.group}/").replace("/", "_")


def _shown(example: Example, folder: Path) -> tuple[int, ...]:
    clip = example.question.clip
    if clip is None or example.question.form.shape != "mask_track":
        raise InputError(
            f"{folder}: example {example.id!r} asks for a {example.question.form.shape}; only mask tracks can be written as masks."
        )
    return clip.image_indices


def _frame_name(example: Example, image_index: int) -> str:
    panel = next(panel for panel in example.question.panels if panel.image_index == image_index)
    return panel.view_id or f"{image_index:05d}"


def _track(example: Example, prediction: Prediction, num_frames: int) -> tuple[MaskRle | None, ...]:
    answer = prediction.reading.answer
    if isinstance(answer, MaskTrack):
        if len(answer.frames) != num_frames:
            raise InputError(f"prediction {example.id!r}: {len(answer.frames)} masks for {num_frames} frames.")
        return answer.frames
    return (None,) * num_frames
