"""Conversations without masks: the samples of `train.vlm` with no picture, one picture, or one video.

Of a video so many frames are shown, evenly spaced, without their times: Sa2VA's prompts have none.
"""

import functools
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from sightline import media, video
from sightline.errors import InputError
from sightline.models.sa2va.conversation import MEDIUM, SEG, Turn
from sightline.train.sa2va.conversations import Conversation, Picture
from sightline.train.vlm.frames import chosen_frames, video_header
from sightline.train.vlm.samples import FrameRun, Sample, Slot, Source


class ChatSource:
    """A source of `train.vlm`, as conversations that Sa2VA can be taught.

    Raises (when a conversation is read):
        InputError: several pictures or videos, a system turn, or a `[SEG]` in the text.
    """

    kind = "words"

    def __init__(self, source: Source, *, max_frames: int) -> None:
        self.source, self.max_frames = source, max_frames
        self.name = source.name

    @property
    def fingerprint(self) -> str:
        """Of the source, and how many frames are shown."""
        return f"{self.source.fingerprint} {self.max_frames}"

    def __len__(self) -> int:
        return len(self.source)

    def conversation(self, position: int, rng: np.random.Generator) -> Conversation:  # noqa: ARG002 - nothing is drawn
        """Sample number `position`."""
        sample = self.source[position]
        where = f"{sample.source}, sample {sample.id!r}"
        if len(sample.images) + len(sample.videos) > 1:
            raise InputError(f"{where}: {len(sample.images)} pictures and {len(sample.videos)} videos; expected one at most.")
        if any(turn.role == "system" for turn in sample.turns):
            raise InputError(f"{where}: a system turn, which the templates of Sa2VA do not have. Leave it out.")
        turns = _turns(sample)
        if any(SEG in turn.text + turn.answer for turn in turns):
            raise InputError(
                f"{where}: its text holds {SEG} and no mask belongs to it. Put it into a task set, or change the text."
            )
        if sample.videos and MEDIUM not in turns[0].text:
            raise InputError(f"{where}: its video stands in a later turn. Put it into the first one.")
        return Conversation(sample.id, self.name, turns, self._pictures(sample), bool(sample.videos))

    def _pictures(self, sample: Sample) -> tuple[Picture, ...]:
        if sample.images:
            return (functools.partial(media.read_rgb, sample.images[0].path),)
        if not sample.videos:
            return ()
        clip = sample.videos[0]
        if isinstance(clip, FrameRun):
            places = chosen_frames(len(clip.frames), self.max_frames)
            return tuple(functools.partial(media.read_rgb, clip.frames[place].path) for place in places)
        path = clip.path
        frames = chosen_frames(video_header(path).num_frames, self.max_frames)
        decoded = functools.cache(functools.partial(_frames, path, frames))
        return tuple(lambda frame=frame: decoded()[frame] for frame in frames)


def _turns(sample: Sample) -> tuple[Turn, ...]:
    asked = ["".join(MEDIUM if isinstance(part, Slot) else part for part in turn.parts) for turn in sample.turns[::2]]
    return tuple(Turn(text, turn.text) for text, turn in zip(asked, sample.turns[1::2], strict=True))


def _frames(path: Path, wanted: tuple[int, ...]) -> dict[int, UInt8[np.ndarray, "h w 3"]]:
    found = {frame.number: frame.rgb for frame in video.read_frames(path, set(wanted).__contains__) if frame.rgb is not None}
    if lost := [frame for frame in wanted if frame not in found]:
        raise InputError(f"{path}: frame {lost[0]} cannot be read. Get the file again.")
    return found
