"""What readers give: scenes and clips as they lie on disk, listed but not decoded."""

from typing import Literal

from sightline.types.answers import Choice, Number, TextAnswer
from sightline.types.pictures import Camera, MaskRle, PictureFile
from sightline.types.record import Record


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
    object, 255 is void (nothing known), any other value the object of that number; None where there is no such picture.
    `video_frame` is the frame's number in the clip's `video`, where the pictures are not extracted yet.
    """

    frame_id: str
    image: str | None = None
    labels: str | None = None
    video_frame: int | None = None


class Track(Record):
    """One object of a clip, and in which form its masks are there; frames are named by their position in the clip.

    Exactly one of these holds them: `label`, its number in the frames' label pictures; `masks`, one code a frame; `mask_paths`, one
    binary picture a frame. In the last two, None in a frame of `annotated` says that the object is absent there. `boxes` are the
    annotation's own, converted to exclusive ends, where the data set has them. `annotated` are the positions of the frames in which
    the annotation says whether the object is there (None: all frames that have labels, masks or mask pictures); in any other frame
    nothing is known of it. `crowd`: the region covers a group.
    """

    object_id: str
    category: str | None = None
    label: int | None = None
    masks: tuple[MaskRle | None, ...] = ()
    mask_paths: tuple[str | None, ...] = ()
    boxes: tuple[tuple[float, float, float, float] | None, ...] = ()
    annotated: tuple[int, ...] | None = None
    crowd: bool = False


class Expression(Record):
    """Words that mean objects of a clip. `object_ids` is () where nothing is meant (no target) and None where that is held back.

    `kind` is the data set's own sort of expression ("referring", "reasoning", "no_target", ...); `span` the frames
    [first, last + 1) the words hold for, where the data set says so. `annotation_ids` are its names of the targets' mask lists, in
    the order of `object_ids`. `raw` are the words as typed, where `text` is a cleaned form of them; `traits` what the data set says
    they speak of ("location", "motion", ...).
    """

    expression_id: str
    text: str
    object_ids: tuple[str, ...] | None
    kind: str | None = None
    span: tuple[int, int] | None = None
    annotation_ids: tuple[str, ...] = ()
    raw: str | None = None
    traits: tuple[str, ...] = ()


class Clip(Record):
    """One video, burst or single picture with its objects, frames in order of time; like a scene it belongs to exactly one split.

    `video_id` is the recording the frames are from, the same in every data set that uses it ("mose/0a1b2c3d"), for the leak check;
    empty where the clip's own name is all there is. `categories` names the kinds of objects by label number, where the data set has
    names and does not list `tracks`. `fps` is the rate of `frames`. `exhaustive`: the categories of which every object is labelled.
    """

    clip_id: str
    split: str
    frames: tuple[ClipFrame, ...]
    categories: dict[int, str] = {}
    problems: tuple[LedgerEntry, ...] = ()
    tracks: tuple[Track, ...] = ()
    expressions: tuple[Expression, ...] = ()
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    video: str | None = None
    video_id: str = ""
    exhaustive: tuple[str, ...] = ()


class RemovalTriple(Record):
    """A photo, the same photo with one object tinted in one colour, and the photo with that object removed. Paths from the root."""

    removal_id: str
    photo: str
    overlay: str
    removed: str


class RegionTarget(Record, tag_field="kind", tag="region"):
    """Any point of a region is right. The region is a mask picture, or where there is none a polygon in shares of the picture."""

    mask: PictureFile | None
    polygon_norm: tuple[tuple[float, float], ...] = ()


class PointsTarget(Record, tag_field="kind", tag="points"):
    """Points that are right, in shares of the picture; how far from them is still right, nobody says."""

    points_norm: tuple[tuple[float, float], ...]


class WordTarget(Record, tag_field="kind", tag="word"):
    """One of the words `options`."""

    answer: Choice
    options: tuple[str, ...]


class Inquiry(Record):
    """One question of a benchmark or question file, as its authors wrote it.

    `inquiry_id` is unique in its split; `published_id` is the authors' own. `suffix` are their words on how to write the answer,
    cut off `instruction`; `several`: they ask for more than one point. `answer_text` is the published answer where it is a text.
    `numbers` are further facts (steps of reasoning).
    """

    inquiry_id: str
    published_id: str
    instruction: str
    pictures: tuple[PictureFile, ...]
    target: RegionTarget | PointsTarget | WordTarget
    suffix: str = ""
    several: bool = False
    answer_text: str = ""
    label: str | None = None
    category: str = ""
    depths: tuple[PictureFile, ...] = ()
    numbers: dict[str, float] = {}


class Medium(Record, tag_field="kind", tag="medium"):
    """A place for a picture or a video among the words of a question. `path` is relative to the reader's root; of a video it is the
    file, or a folder of its frames. `published` is the path as the record has it, where that is another."""

    path: str
    what: Literal["image", "video"] = "image"
    published: str = ""


class SpatialInquiry(Record):
    """One question of a spatial-QA file, as its authors wrote it.

    `words` are the question with its media where they stand, `suffix` the words on how to write the answer, cut off their end.
    `options` are (letter, words) of a choice, whose answer is the letter. `accepted` are further texts that are right. `dataset`
    and `scene_id` are the scan it is about. `turn` counts the questions of one record; the first `inherited` media of a later one
    are those of the turns before it. `evidence` is what else the record says that a question can be checked by.
    """

    inquiry_id: str
    published_id: str
    words: tuple[str | Medium, ...]
    target: Choice | Number | TextAnswer
    answer_text: str
    suffix: str = ""
    options: tuple[tuple[str, str], ...] = ()
    accepted: tuple[str, ...] = ()
    question_type: str = ""
    dataset: str = ""
    scene_id: str = ""
    turn: int = 0
    inherited: int = 0
    evidence: dict[str, str | float | int] = {}

    @property
    def media(self) -> tuple[Medium, ...]:
        """The media in the order they are shown."""
        return tuple(part for part in self.words if isinstance(part, Medium))

    @property
    def text(self) -> str:
        """The words alone."""
        return "".join(part for part in self.words if isinstance(part, str))
