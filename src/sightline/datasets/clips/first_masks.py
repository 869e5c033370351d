"""In which frames an object of a semi-supervised split is known.

The evaluation splits of YouTube-VOS and LVOS give away only the first mask of each object. Where a second object starts later, the
label picture of that frame shows it alone: the first one may be there, too, and its missing pixels prove nothing.
"""

from collections.abc import Mapping, Sequence

from sightline.types import ClipFrame

Positions = tuple[int, ...]


def known_positions(
    frames: Sequence[ClipFrame], listed: Mapping[str, Sequence[int]], *, may_be_first_only: bool
) -> dict[str, Positions]:
    """The positions in the clip at which each object's presence or absence is known, by object.

    Args:
        frames: of the clip, in order.
        listed: for each object the numbers of the frames that its annotation covers, ascending.
        may_be_first_only: whether the split holds masks back. Then, if labels stand only where an object starts, each object is
            known at its own start alone.
    """
    labelled = {int(frame.frame_id): position for position, frame in enumerate(frames) if frame.labels is not None}
    starts = {numbers[0] for numbers in listed.values() if numbers}
    first_only = may_be_first_only and labelled.keys() <= starts
    return {
        name: tuple(labelled[number] for number in (numbers[:1] if first_only else numbers) if number in labelled)
        for name, numbers in listed.items()
    }
