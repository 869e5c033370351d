"""Which boxes of a clip may be compared: neither tiny, nor cut off by the border, nor part and whole of each other.

How much of an object the border cuts off is judged from its own boxes: the share that is missing against the median area of its
boxes in frames where it touches no border (its largest box where there is no such frame, so that the share is then a lower
bound).
"""

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sightline import picture_header
from sightline.errors import InputError
from sightline.files import inside
from sightline.geometry.boxes import Box, box_area
from sightline.tasks.clips import SeenClip, SeenTrack
from sightline.tasks.relations.options import RelationOptions
from sightline.tasks.relations.rules import overlap

BORDER_PX = 1.0
ABSENT, UNLABELLED, TOO_SMALL, TRUNCATED = "absent", "unlabelled", "too_small", "truncated"
Size = tuple[int, int]


class Standing(NamedTuple):
    """An object in a frame: its box where it may be compared, else why not. `shown`: its box wherever it is there."""

    box: Box | None
    reason: str = ""
    shown: Box | None = None


class Standings(NamedTuple):
    """The objects of a clip over its frames. `sizes` is (width, height), None where no file tells it; `labelled` are the frames in
    which something is known of some object."""

    sizes: tuple[Size | None, ...]
    labelled: tuple[bool, ...]
    of: dict[str, tuple[Standing, ...]]
    crowds: tuple[str, ...] = ()

    def boxes(self, frame: int, ids: Sequence[str] | None = None) -> dict[str, Box]:
        """The boxes that may be compared in a frame, of all objects or of some."""
        found = ((name, self.of[name][frame].box) for name in (self.of if ids is None else ids))
        return {name: box for name, box in found if box is not None}

    def width(self, frame: int) -> int:
        size = self.sizes[frame]
        assert size is not None, "a box that may be compared lies in a picture of known size"
        return size[0]


def standings(seen: SeenClip, options: RelationOptions) -> Standings:
    """How every object stands in every frame. Groups (`crowd`) are nobody's left or right and are left out."""
    sizes = tuple(_size(seen, frame) for frame in range(len(seen.clip.frames)))
    kept = [track for track in seen.tracks if not track.track.crowd]
    labelled = tuple(any(track.known[frame] for track in seen.tracks) for frame in range(len(sizes)))
    found = {track.object_id: tuple(_stand(track, sizes, options)) for track in kept}
    crowds = tuple(track.object_id for track in seen.tracks if track.track.crowd)
    return Standings(sizes=sizes, labelled=labelled, of=found, crowds=crowds)


def _size(seen: SeenClip, frame: int) -> Size | None:
    """The frame's size; where there is no picture, that of its labels or of a mask in it."""
    if seen.sizes[frame] is not None or seen.clip.frames[frame].image is not None:
        return seen.sizes[frame]
    paths = [seen.clip.frames[frame].labels]
    for track in seen.tracks:
        if track.track.masks and (rle := track.track.masks[frame]) is not None:
            return rle.width, rle.height
        paths += [track.track.mask_paths[frame]] if track.track.mask_paths else []
    path = next((path for path in paths if path is not None), None)
    if path is None:
        return None
    try:
        header = picture_header.probe(inside(seen.root, path))
    except (InputError, FileNotFoundError):  # it stands in the clip's ledger already
        return None
    return header.width, header.height


def _stand(track: SeenTrack, sizes: Sequence[Size | None], options: RelationOptions) -> Iterator[Standing]:
    whole = _whole_area(track, sizes)
    for place, known, size in zip(track.places, track.known, sizes, strict=True):
        if place is None or size is None:
            yield Standing(None, ABSENT if known and place is None else UNLABELLED)
        elif box_area(place.box) < options.min_area * size[0] * size[1]:
            yield Standing(None, TOO_SMALL, place.box)
        elif _at_border(place.box, size) and box_area(place.box) < (1 - options.max_truncated) * whole:
            yield Standing(None, TRUNCATED, place.box)
        else:
            yield Standing(place.box, shown=place.box)


def _whole_area(track: SeenTrack, sizes: Sequence[Size | None]) -> float:
    """The area of the object's box where nothing cuts it off; 0 for an object that is never there."""
    seen = [(place.box, size) for place, size in zip(track.places, sizes, strict=True) if place is not None and size is not None]
    free = [box_area(box) for box, size in seen if not _at_border(box, size)]
    return statistics.median_low(free) if free else max((box_area(box) for box, _ in seen), default=0.0)


def _at_border(box: Box, size: Size) -> bool:
    return box[0] <= BORDER_PX or box[1] <= BORDER_PX or box[2] >= size[0] - BORDER_PX or box[3] >= size[1] - BORDER_PX


def incomparable(a: Sequence[Standing], b: Sequence[Standing], options: RelationOptions) -> str:
    """Why two objects are no pair: `part_whole`, `equal_boxes`; empty if they are one."""
    found: Counter[str] = Counter()
    common = 0
    for one, other in zip(a, b, strict=True):
        if one.shown is None or other.shown is None:
            continue
        common += 1
        iou, contained = overlap(one.shown, other.shown)
        found["equal_boxes"] += iou >= options.equal_iou
        found["part_whole"] += contained >= options.contained
    return next((reason for reason, count in found.items() if count > options.contained_share * common), "")
