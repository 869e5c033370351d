"""Every kind of answer, in pixels of the original picture."""

from sightline.types.pictures import MaskRle
from sightline.types.record import Record


class Points(Record, tag_field="kind", tag="points"):
    """One or more points (x, y) in pixels of picture `image_index`."""

    points: tuple[tuple[float, float], ...]
    image_index: int = 0


class Boxes(Record, tag_field="kind", tag="boxes"):
    """One or more boxes (x0, y0, x1, y1), exclusive ends, in pixels of picture `image_index`."""

    boxes: tuple[tuple[float, float, float, float], ...]
    image_index: int = 0


class BoxTrack(Record, tag_field="kind", tag="box_track"):
    """Boxes over the frames of a clip: one entry a frame, empty where the object is not in it; pixels as in `Boxes`."""

    frames: tuple[tuple[tuple[float, float, float, float], ...], ...]


class MaskTrack(Record, tag_field="kind", tag="mask_track"):
    """A region over the frames of a clip: one mask a frame, None where the object is not in it; all of one size."""

    frames: tuple[MaskRle | None, ...]


class Span(Record, tag_field="kind", tag="span"):
    """A stretch of time [start_s, end_s) in seconds of the clip; end exclusive, empty if the two are equal."""

    start_s: float
    end_s: float


class NotVisible(Record, tag_field="kind", tag="not_visible"):
    """The object asked for is not in the picture, or nothing in it is meant by the expression (no target)."""


class Choice(Record, tag_field="kind", tag="choice"):
    """One of the words that the answer form offers."""

    value: str


class Number(Record, tag_field="kind", tag="number"):
    """A number, and its unit as it is written: "m", "cm", "m2", or "" of a count and where nobody says."""

    value: float
    unit: str = ""


class TextAnswer(Record, tag_field="kind", tag="text"):
    """Words of the answerer's own choice."""

    text: str


class MaskAnswer(Record, tag_field="kind", tag="mask"):
    """A region, as a mask of the size of picture `image_index`."""

    rle: MaskRle
    image_index: int = 0


YES, NO = "yes", "no"
"""The choices of a question whether the object is in the picture."""

Answer = Points | Boxes | NotVisible | Choice | MaskAnswer | BoxTrack | MaskTrack | Span | Number | TextAnswer
