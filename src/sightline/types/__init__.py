"""The records that travel through Sightline, in memory and on disk alike.

Frozen values of plain numbers, strings and tuples; no arrays (a mask is its COCO RLE, referred to by hash).
All geometry is in continuous pixels of the named picture: pixel (row r, column c) covers [c, c+1) x [r, r+1).
One example as it stands in `examples-*.jsonl` (shortened):

    {"question": {"id": "t1_multi/room_000/3/01_000010/02_000020", "task": "t1_multi",
                  "prompt": [{"kind": "text", "text": "..."}, {"kind": "image", "image_index": 0}, ...],
                  "images": [{"root": "media", "path": "marked/...png", "width": 320, ...}, ...], "panels": [...]},
     "truth": {"answer": {"kind": "points", "points": [[101.5, 77.5]], "image_index": 1}, "mask": "5e0c...", ...},
     "split": "validation", "group": "room_000", "tier": "V", ...}
"""

from sightline.types.answers import (
    NO,
    YES,
    Answer,
    Boxes,
    BoxTrack,
    Choice,
    MaskAnswer,
    MaskTrack,
    NotVisible,
    Points,
    Span,
)
from sightline.types.outcomes import (
    STATUSES,
    Exposure,
    Prediction,
    Reading,
    Score,
    Status,
)
from sightline.types.pictures import (
    Camera,
    DepthRef,
    ImageRef,
    MaskRle,
)
from sightline.types.questions import (
    AnswerForm,
    BoxPart,
    Example,
    ImagePart,
    ObjectTruth,
    Panel,
    Part,
    PointPart,
    Question,
    Reference,
    TextPart,
    Truth,
    VideoPart,
)
from sightline.types.record import (
    Record,
)
from sightline.types.sources import (
    Clip,
    ClipFrame,
    Expression,
    LedgerEntry,
    RemovalTriple,
    Scene,
    SceneObject,
    Track,
    View,
)

__all__ = [
    "NO",
    "STATUSES",
    "YES",
    "Answer",
    "AnswerForm",
    "BoxPart",
    "BoxTrack",
    "Boxes",
    "Camera",
    "Choice",
    "Clip",
    "ClipFrame",
    "DepthRef",
    "Example",
    "Exposure",
    "Expression",
    "ImagePart",
    "ImageRef",
    "LedgerEntry",
    "MaskAnswer",
    "MaskRle",
    "MaskTrack",
    "NotVisible",
    "ObjectTruth",
    "Panel",
    "Part",
    "PointPart",
    "Points",
    "Prediction",
    "Question",
    "Reading",
    "Record",
    "Reference",
    "RemovalTriple",
    "Scene",
    "SceneObject",
    "Score",
    "Span",
    "Status",
    "TextPart",
    "Track",
    "Truth",
    "VideoPart",
    "View",
]
