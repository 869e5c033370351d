"""Which boxes of different frames are one object: answers list boxes frame by frame and do not say.

In each frame the box and the object that overlap most are taken together first (the object where it was seen last), then the next,
and where nothing overlaps any more, those whose centres are nearest. A new object begins only where a frame has more boxes than
there are objects so far, so that there are as many objects as the fullest frame has boxes.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from sightline.geometry.boxes import Box, box_centre, pairwise_iou


def link_boxes(frames: Mapping[int, Sequence[Box]]) -> tuple[dict[int, Box], ...]:
    """The boxes of each object by frame; objects in the order in which they come in, those of one frame in the order given."""
    objects: list[dict[int, Box]] = []
    for frame in sorted(frames):
        boxes = frames[frame]
        taken = _taken([known[max(known)] for known in objects], boxes)
        for index, box in enumerate(boxes):
            if index in taken:
                objects[taken[index]][frame] = box
            else:
                objects.append({frame: box})
    return tuple(objects)


def _taken(known: Sequence[Box], boxes: Sequence[Box]) -> dict[int, int]:
    """The object of each box; boxes without one are left out."""
    if not known or not boxes:
        return {}
    ious = pairwise_iou(np.array(known, dtype=np.float64), np.array(boxes, dtype=np.float64))
    centres, others = (np.array([box_centre(box) for box in some]) for some in (known, boxes))
    apart = np.hypot(*(centres[:, None] - others[None]).transpose(2, 0, 1))
    pairs = sorted(np.ndindex(ious.shape), key=lambda pair: (-ious[pair], apart[pair], pair))
    taken: dict[int, int] = {}
    used: set[int] = set()
    for place, index in pairs:
        if place not in used and index not in taken:
            taken[index] = place
            used.add(place)
    return taken
