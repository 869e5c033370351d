"""Pictures, depth, cameras and masks: references and plain numbers, never arrays."""

from sightline.types.record import Record


class ImageRef(Record):
    """A picture on disk, never its pixels.

    `path` is POSIX and relative to the root called `root` ("data" for originals, "media" for derived pictures).
    `width`, `height` are those after EXIF orientation. `digest` is the 32-hex-digit hash of the decoded RGB pixels
    and their shape (`media.pixel_digest`), so a re-encoded copy has the same one.
    """

    root: str
    path: str
    width: int
    height: int
    digest: str


class PictureFile(Record):
    """A picture or mask as a data set has it: the file `path` below its root, or, with `column`, that cell of row `row` of the
    Parquet file `path` (the form of Hugging Face, {bytes, path})."""

    path: str
    column: str | None = None
    row: int = 0


class DepthRef(Record):
    """A 16-bit depth picture on disk; stored value * `metres_per_unit` = metres along the camera's z axis, 0 = no depth."""

    root: str
    path: str
    metres_per_unit: float


class Camera(Record):
    """A pinhole camera in OpenCV axes (x right, y down, z forward), for a picture of `width` x `height`.

    `cx`, `cy` are continuous pixels (the centre of the first pixel is 0.5). `camera_to_world` is a 4x4 rigid transform,
    row by row, in metres. Two cameras can be related only if they share `world`, the name of the world frame.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    camera_to_world: tuple[float, ...]
    world: str


class MaskRle(Record):
    """A binary mask as COCO compressed run-length code (column-major runs, first run is background)."""

    height: int
    width: int
    counts: str
