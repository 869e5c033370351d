"""A scene as its geometry: boxes with names, the floor, and what a camera saw of it at which moment. No pixel, no file.

World axes: z up, metres. Frames are in order of time.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from sightline.geometry.oriented_boxes import Boxes3
from sightline.types import OrientedBox, Record


class PlacedObject(Record):
    """An object, by the name that questions call it, and its box; `cut` and `unseen_deg` as in `ScanObject`."""

    object_id: str
    label: str
    box: OrientedBox
    cut: bool = False
    unseen_deg: float = 0.0


class Moment(Record):
    """One frame: its time, its camera-to-world pose (4x4, row by row, OpenCV axes) and, by object id, the share of the picture
    that an object covers. None: not known. An object that `shares` does not name is not in the picture."""

    frame_id: str
    time_s: float
    camera_to_world: tuple[float, ...] | None = None
    shares: dict[str, float] | None = None


@dataclass(frozen=True, eq=False)
class Floor:
    """Where there is floor, furniture or not: square cells of `cell_m`, row by row along y, the first one's corner at `origin`."""

    cells: Bool[np.ndarray, "rows columns"]
    origin: tuple[float, float]
    cell_m: float = 0.05

    @property
    def area_m2(self) -> float:
        return float(self.cells.sum()) * self.cell_m**2


@dataclass(frozen=True, eq=False)
class Place:
    """A scene. `room_areas_m2`: its area, measured in one or more ways that should agree; () where it is not known. The objects are
    all there are of their labels. `moments` are the frames that a question shows."""

    scene_id: str
    objects: tuple[PlacedObject, ...]
    moments: tuple[Moment, ...] = ()
    floor: Floor | None = None
    room_areas_m2: tuple[float, ...] = ()

    def boxes(self) -> Boxes3:
        """The boxes in the order of the objects."""
        count = len(self.objects)
        return Boxes3(
            np.array([each.box.centre for each in self.objects], dtype=np.float64).reshape(count, 3),
            np.array([each.box.axes for each in self.objects], dtype=np.float64).reshape(count, 3, 3),
            np.array([each.box.lengths for each in self.objects], dtype=np.float64).reshape(count, 3),
        )

    def poses(self) -> dict[int, Float[np.ndarray, "4 4"]]:
        """The camera-to-world transforms of the moments that have one, by position."""
        return {
            index: np.array(moment.camera_to_world, dtype=np.float64).reshape(4, 4)
            for index, moment in enumerate(self.moments)
            if moment.camera_to_world is not None
        }
