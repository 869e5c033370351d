"""Which frames of a clip become views of an object: well visible, far apart in time, and some that show it is not there.

An object is *visible* in a frame if its own label covers at least `min_area` of the picture, *absent* if no pixel has its label and
none is void (under void it could be anything); between the two, the frame is not used for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from sightline import media, picture_header
from sightline.errors import InputError
from sightline.files import inside
from sightline.types import Clip, ClipFrame, LedgerEntry

VOID = 255


@dataclass(frozen=True)
class SurveyedFrame:
    """A frame whose picture and labels fit: for each label in it, its pixels, and how many of them lie on the picture's border.

    `time` is the frame's place in the clip.
    """

    frame: ClipFrame
    time: int
    width: int
    height: int
    areas: dict[int, int]
    border: dict[int, int]

    @property
    def has_void(self) -> bool:
        return VOID in self.areas

    def share(self, label: int) -> float:
        """The label's pixels over the picture's."""
        return self.areas.get(label, 0) / (self.width * self.height)


def survey(clip: Clip, root: Path, ledger: list[LedgerEntry]) -> list[SurveyedFrame]:
    """The frames of a clip that have a picture and labels of the same size; what cannot be used goes to the ledger.

    Frames without a picture or without labels are skipped: the reader's `problems` name them.
    """
    found = []
    for time, frame in enumerate(clip.frames):
        if frame.image is None or frame.labels is None:
            continue
        unit = f"{clip.clip_id}/{frame.frame_id}"
        try:
            header = picture_header.probe(inside(root, frame.image))
            labels = media.read_labels(inside(root, frame.labels))
        except (InputError, FileNotFoundError) as error:
            ledger.append(LedgerEntry(unit=unit, reason="unreadable", detail=str(error), path=frame.labels))
            continue
        if labels.shape != (header.height, header.width):
            detail = (
                f"labels of {labels.shape[1]}x{labels.shape[0]} for a picture of {header.width}x{header.height} ({frame.image})"
            )
            ledger.append(LedgerEntry(unit=unit, reason="size_mismatch", detail=detail, path=frame.labels))
            continue
        border = np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])
        found.append(SurveyedFrame(frame, time, header.width, header.height, _counts(labels), _counts(border)))
    return found


def choose_views(frames: Sequence[SurveyedFrame], label: int, *, views: int, min_area: float) -> list[SurveyedFrame]:
    """At most `views` frames of one object: first the earliest that shows it, then the others in order of time.

    Up to two in five are absences, spread over the clip; the rest are visible ones: for each of as many moments, spread evenly from
    the first to the last sight of the object, the best frame near it. Empty if fewer than two frames show the object.
    """
    visible = [frame for frame in frames if frame.share(label) >= min_area]
    absent = [frame for frame in frames if label not in frame.areas and not frame.has_void]
    if len(visible) < 2:
        return []
    num_absent = min(len(absent), views * 2 // 5)
    shown = _spread_visible(visible, label, views - num_absent)
    hidden = [absent[place] for place in np.linspace(0, len(absent) - 1, num_absent).round().astype(int)]
    first = min(shown, key=lambda frame: frame.time)
    return [first, *sorted((frame for frame in (*shown, *hidden) if frame is not first), key=lambda frame: frame.time)]


def _spread_visible(visible: Sequence[SurveyedFrame], label: int, count: int) -> list[SurveyedFrame]:
    if len(visible) <= count:
        return list(visible)
    typical = float(np.median([frame.share(label) for frame in visible]))
    moments = np.linspace(visible[0].time, visible[-1].time, count)
    spacing = max(1.0, moments[1] - moments[0])
    left = list(visible)
    chosen = []
    for moment in moments:
        # at the moment itself a frame counts in full, half a spacing away half
        best = max(
            left, key=lambda frame, moment=moment: _quality(frame, label, typical) / (1 + 2 * abs(frame.time - moment) / spacing)
        )
        left.remove(best)
        chosen.append(best)
    return chosen


def _quality(frame: SurveyedFrame, label: int, typical: float) -> float:
    """0..1: full for an object as large as is typical of the clip, less for a smaller one, half if its side lies on the border."""
    cut = frame.border.get(label, 0) / np.sqrt(frame.areas[label])
    return min(1.0, frame.share(label) / typical) / (1 + float(cut))


def _counts(labels: UInt8[np.ndarray, "*n"]) -> dict[int, int]:
    counts = np.bincount(labels.ravel(), minlength=256)
    return {int(label): int(counts[label]) for label in np.flatnonzero(counts[1:]) + 1}
