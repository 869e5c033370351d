"""A scan: posed colour and depth frames of one room, and its objects as boxes in the world; paths are from the reader's root."""

from typing import Literal

from sightline.types.pictures import Camera
from sightline.types.record import Record
from sightline.types.sources import LedgerEntry

Vector3 = tuple[float, float, float]
DepthForm = Literal["u16_png", "sens", "iphone_bin"]


class OrientedBox(Record):
    """A box in the world, metres. `axes` are its three unit axes, one after the other (x, y, z of the first, ...); `lengths` are
    the full side lengths along them. A world point is inside where |axis . (point - centre)| <= length / 2 for all three."""

    centre: Vector3
    lengths: Vector3
    axes: tuple[float, float, float, float, float, float, float, float, float] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


class ScanObject(Record):
    """One object. `object_id` is the data set's own; `label` (1..254) its value in the frames' `instances` pictures, None where it
    has none. `category` is the name that is used, `raw_category` the one as annotated, where they differ.

    Of a box made from what frames show: `cut` where no frame shows the object whole, and `unseen_deg`, the widest angle around it
    (0..360, on the plan) from which none looks at it. The box is then that of the surface that is seen.
    """

    object_id: str
    category: str
    box: OrientedBox
    label: int | None = None
    raw_category: str | None = None
    cut: bool = False
    unseen_deg: float = 0.0


class ScanFrame(Record):
    """One frame. `camera` belongs to the upright colour picture, None where the pose is unknown.

    `image_index` and `depth_index` are frame numbers where the file holds many frames (.sens, video, depth.bin). `depth` shows the
    same field of view as the colour picture, in any size, unless `depth_camera` is given; stored value * `metres_per_unit` = metres
    along the camera's z axis, 0 = none. `instances` is a palette picture of object labels (0 = none, 255 = unknown) in the size of
    the colour picture. `quarter_turns`: how often the stored pictures are turned counter-clockwise to be upright.
    """

    frame_id: str
    image: str
    image_index: int | None = None
    depth: str | None = None
    depth_index: int | None = None
    depth_form: DepthForm = "u16_png"
    metres_per_unit: float = 0.001
    camera: Camera | None = None
    depth_camera: Camera | None = None
    instances: str | None = None
    timestamp_s: float | None = None
    quarter_turns: int = 0


class MeshFiles(Record):
    """A mesh of the room in world axes (after `Scan.alignment`), and what says which vertex belongs to which object.

    `segments`: vertex to segment; `groups`: segments to object. Without them the mesh is the room's surface only.
    """

    mesh: str
    segments: str | None = None
    groups: str | None = None


SCALE_UNKNOWN = "scale_unknown"


class Scan(Record):
    """One scan of one room; z is up in the world where `z_up`, frames in order of time.

    `extent` is the room's (lowest corner, highest corner), metres; `floor_z_m` the floor's height where known (of a mesh: its
    lowest vertex). `alignment` is the 4x4 transform, row by row, that is already applied to poses and boxes but not to `mesh`; of a
    world that was mirrored it mirrors back.
    `fps` is the rate of `frames`.
    """

    scan_id: str
    dataset: str
    frames: tuple[ScanFrame, ...]
    objects: tuple[ScanObject, ...] = ()
    extent: tuple[Vector3, Vector3] | None = None
    floor_z_m: float | None = None
    z_up: bool = True
    mesh: MeshFiles | None = None
    alignment: tuple[float, ...] | None = None
    fps: float | None = None
    problems: tuple[LedgerEntry, ...] = ()

    @property
    def in_metres(self) -> bool:
        """Whether its lengths are metres; those that a network made of pictures alone are in a unit that nobody knows."""
        return all(problem.reason != SCALE_UNKNOWN for problem in self.problems)
