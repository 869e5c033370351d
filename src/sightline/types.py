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

from typing import Literal, dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class _RecordMeta(msgspec.StructMeta):
    """Tells type checkers what `Record` tells msgspec: its subclasses are frozen and take keywords."""


class Record(msgspec.Struct, metaclass=_RecordMeta, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Base of all records: immutable, hashable, strict when read from a file."""


# ---------------------------------------------------------------- pictures and cameras


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


# ---------------------------------------------------------------- what readers give


class LedgerEntry(Record):
    """One unit that was dropped, or used in altered form, and why. `path` is relative to the data root."""

    unit: str
    reason: str
    detail: str
    action: Literal["dropped", "altered"] = "dropped"
    path: str | None = None


class View(Record):
    """One picture of a scene with what is known of one object in it. Paths are relative to the reader's root.

    `mask` is None where the file is missing: the object's visibility is then unknown, not absent.
    `box_full` is the annotation's own box, in pixels of the full-resolution capture `box_full_size` (width, height).
    `control` shows the object, with a random-shaped place elsewhere painted away. `painted` is the mask of all that was painted
    away in `inpainted`, given where that is more than this object.
    """

    view_index: int
    frame_id: str
    image: str
    mask: str | None = None
    mask_dilated: str | None = None
    inpainted: str | None = None
    control: str | None = None
    painted: str | None = None
    depth: str | None = None
    inpainted_depth: str | None = None
    metres_per_unit: float = 0.001
    camera: Camera | None = None
    box_full: tuple[float, float, float, float] | None = None
    box_full_size: tuple[int, int] | None = None


class SceneObject(Record):
    """One physical object of a scene and the views that were kept for it."""

    object_id: str
    label: str | None
    views: tuple[View, ...]


class Scene(Record):
    """One scene: the unit that belongs to exactly one split, and the cluster of every interval."""

    scene_id: str
    split: str
    objects: tuple[SceneObject, ...]
    problems: tuple[LedgerEntry, ...] = ()


class ClipFrame(Record):
    """One frame of a clip. Paths are relative to the reader's root.

    `image` is None where there is no picture. `labels` is a picture with one label number a pixel (`media.read_labels`): 0 is no
    object, 255 is void (nothing known), any other value the object of that number; None where the frame is not annotated, so that
    nothing is known of any object in it.
    """

    frame_id: str
    image: str | None = None
    labels: str | None = None


class Clip(Record):
    """One video or burst with the masks of its objects, frames in order of time; like a scene it belongs to exactly one split.

    `categories` names the kinds of objects by label number, where the data set has names.
    """

    clip_id: str
    split: str
    frames: tuple[ClipFrame, ...]
    categories: dict[int, str] = {}
    problems: tuple[LedgerEntry, ...] = ()


class RemovalTriple(Record):
    """A photo, the same photo with one object tinted in one colour, and the photo with that object removed. Paths from the root."""

    removal_id: str
    photo: str
    overlay: str
    removed: str


# ---------------------------------------------------------------- answers


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


class NotVisible(Record, tag_field="kind", tag="not_visible"):
    """The object asked for is not in the picture."""


class Choice(Record, tag_field="kind", tag="choice"):
    """One of the words that the answer form offers."""

    value: str


class MaskAnswer(Record, tag_field="kind", tag="mask"):
    """A region, as a mask of the size of picture `image_index`."""

    rle: MaskRle
    image_index: int = 0


YES, NO = "yes", "no"
"""The choices of a question whether the object is in the picture."""

Answer = Points | Boxes | NotVisible | Choice | MaskAnswer


# ---------------------------------------------------------------- prompts


class TextPart(Record, tag_field="kind", tag="text"):
    """Words, the same for every dialect."""

    text: str


class ImagePart(Record, tag_field="kind", tag="image"):
    """A media slot: picture `image_index` of the question stands here."""

    image_index: int


class PointPart(Record, tag_field="kind", tag="point"):
    """A point of picture `image_index`, in pixels; becomes text only in a dialect."""

    x: float
    y: float
    image_index: int


class BoxPart(Record, tag_field="kind", tag="box"):
    """A box of picture `image_index`, in pixels with exclusive ends; becomes text only in a dialect."""

    box: tuple[float, float, float, float]
    image_index: int


class AnswerForm(Record, tag_field="kind", tag="answer"):
    """What may be answered: a point, a box or a mask in picture `image_index`, or one of the words `options` (shape "choice"); and
    whether "not visible" is an offered answer.

    A dialect renders it as the instruction that tells the model how to write, and reads the answer by it.
    """

    shape: Literal["point", "box", "mask", "choice"]
    image_index: int
    offers_not_visible: bool = False
    options: tuple[str, ...] = ()


Part = TextPart | ImagePart | PointPart | BoxPart | AnswerForm


# ---------------------------------------------------------------- examples


class Panel(Record):
    """Where one view lies in one of the question's pictures: unscaled, with its top left corner at (x, y) of `image_index`.

    A picture that is one view has one panel at (0, 0); a concatenated picture has two. View pixel = picture pixel - (x, y).
    `source` is the plain, unmarked picture of the view; `view_id` is "{kk}_{frame}"; camera and depth belong to the pixels
    shown (a view with the object removed has its own depth).
    """

    role: Literal["reference", "query", "before", "after"]
    image_index: int
    source: ImageRef
    x: int = 0
    y: int = 0
    view_id: str = ""
    camera: Camera | None = None
    depth: DepthRef | None = None


class Reference(Record):
    """The object as it is shown to the model in panel `panel_index`: in pixels of that view. `mask` is a mask hash."""

    panel_index: int
    point: tuple[float, float]
    box: tuple[float, float, float, float]
    mask: str


class Question(Record):
    """All that a model may see of an example. `panels` cover every view of every picture."""

    id: str
    task: str
    prompt: tuple[Part, ...]
    images: tuple[ImageRef, ...]
    panels: tuple[Panel, ...]
    reference: Reference | None = None

    @property
    def form(self) -> AnswerForm:
        """The one answer form of the prompt."""
        return next(part for part in self.prompt if isinstance(part, AnswerForm))


class Truth(Record):
    """The right answer (pixels of the picture), and what is accepted: masks (hashes) and box in pixels of the panel's view.

    `mask` is the exact one; `mask_dilated` is None where the data has none. All three are None if the object is not visible.
    """

    answer: Answer
    panel_index: int
    mask: str | None = None
    mask_dilated: str | None = None
    box: tuple[float, float, float, float] | None = None

    @property
    def visible(self) -> bool:
        """Whether the object is there; of a yes/no question, whether the answer is not `NO`."""
        match self.answer:
            case NotVisible() | Choice(value="no"):
                return False
        return True


class Example(Record):
    """One question with its truth. `group` is the cluster (scene) of splits and intervals; `tier` is V (visible),
    VC (visible, something else removed) or a negative tier N0..N4; `slices` are numbers to filter and bin by; `wording` is the
    prompt's place in the task's list of wordings."""

    question: Question
    truth: Truth
    split: str
    group: str
    tier: str
    object_id: str
    label: str | None = None
    slices: dict[str, float] = {}
    wording: int = 0

    @property
    def id(self) -> str:
        return self.question.id


# ---------------------------------------------------------------- predictions and scores

Status = Literal["ok", "not_visible", "ambiguous", "unreadable", "out_of_range", "empty", "truncated", "error"]
STATUSES: tuple[Status, ...] = (
    "ok",
    "not_visible",
    "ambiguous",
    "unreadable",
    "out_of_range",
    "empty",
    "truncated",
    "error",
)


class Reading(Record):
    """What a dialect read in a text: the status, the answer in original pixels (if any), how many points or boxes stood there,
    and what was noteworthy (`box_as_point`, `percent_sign`, ... or why the text is unreadable)."""

    status: Status
    answer: Answer | None = None
    num_found: int = 0
    notes: tuple[str, ...] = ()


class Exposure(Record):
    """What a speaking model was shown and how much it wrote; None and () where it does not say.

    `processed_sizes`: (width, height) of each picture of the question as the model's processor resized it, in the order of the
    prompt's media slots. `num_image_tokens` of the `num_prompt_tokens` stand for pictures.
    """

    processed_sizes: tuple[tuple[int, int], ...] = ()
    num_image_tokens: int | None = None
    num_prompt_tokens: int | None = None
    num_answer_tokens: int | None = None


class Prediction(Record):
    """One line of `predictions.jsonl`. `text` and `exposure` are None for models that answer in geometry (baselines)."""

    id: str
    reading: Reading
    text: str | None = None
    exposure: Exposure | None = None


class Score(Record):
    """One line of `scores.jsonl`: the outcome of one example. None = does not apply; nothing is left out of a denominator.

    `visible` is the truth, `said_visible` what the model claimed (None if it claimed neither). `hit`, `hit_dilated` only where
    the object is visible. `correct` is the task's own joint outcome. `l2_px` in view pixels, `l2_norm` = hypot(dx/w, dy/h),
    `l2_over_size` = l2_px / sqrt(box width * box height); all three only for a readable point on a visible object. Where a box or a
    mask is asked, `iou` is its overlap with the true one (0 without a usable answer), `hit` says that it is at least 0.5, and there
    is neither `hit_dilated` nor a distance. Where a word is asked, there is no `hit`.
    """

    id: str
    task: str
    group: str
    tier: str
    status: Status
    visible: bool
    correct: bool
    said_visible: bool | None = None
    hit: bool | None = None
    hit_dilated: bool | None = None
    wrong_panel: bool = False
    l2_px: float | None = None
    l2_norm: float | None = None
    l2_over_size: float | None = None
    iou: float | None = None
