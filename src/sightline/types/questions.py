"""A question as parts, its truth, and both together as an example."""

from typing import Literal

from sightline.types.answers import Answer, Choice, NotVisible
from sightline.types.pictures import Camera, DepthRef, ImageRef, PictureFile
from sightline.types.record import Record


class TextPart(Record, tag_field="kind", tag="text"):
    """Words, the same for every dialect."""

    text: str


class ImagePart(Record, tag_field="kind", tag="image"):
    """A media slot: picture `image_index` of the question stands here."""

    image_index: int


class VideoPart(Record, tag_field="kind", tag="video"):
    """A media slot for a clip: the pictures `image_indices` of the question, in order of time, with their times in seconds.

    A family without video is shown the frames one by one, each after its time in words.
    """

    image_indices: tuple[int, ...]
    times_s: tuple[float, ...]


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

    Of a clip (the prompt has a `VideoPart`): a box or a mask in each frame ("box_track", "mask_track"), or a stretch of time
    ("span"). `several`: all objects that are meant are asked for, not one. A "number" is asked for in `unit` ("m", "cm", "m2"; ""
    of a count), a "text" in the answerer's own words.

    A dialect renders it as the instruction that tells the model how to write, and reads the answer by it. `words`, where there are
    any, stand in the place of that instruction: those of a benchmark's authors.
    """

    shape: Literal["point", "box", "mask", "choice", "box_track", "mask_track", "span", "number", "text"]
    image_index: int
    offers_not_visible: bool = False
    options: tuple[str, ...] = ()
    several: bool = False
    words: str = ""
    unit: str = ""


Part = TextPart | ImagePart | VideoPart | PointPart | BoxPart | AnswerForm


class Panel(Record):
    """Where one view lies in one of the question's pictures: unscaled, with its top left corner at (x, y) of `image_index`.

    A picture that is one view has one panel at (0, 0); a concatenated picture has two. View pixel = picture pixel - (x, y).
    `source` is the plain, unmarked picture of the view; `view_id` is "{kk}_{frame}"; camera and depth belong to the pixels
    shown (a view with the object removed has its own depth).
    """

    role: Literal["reference", "query", "before", "after", "frame"]
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

    @property
    def clip(self) -> VideoPart | None:
        """The clip that is asked about, None where the question is about single pictures."""
        return next((part for part in self.prompt if isinstance(part, VideoPart)), None)

    @property
    def slots(self) -> tuple[int, ...]:
        """The picture in each media slot, in the order the model sees them; the frames of a clip have a slot each."""
        found: list[int] = []
        for part in self.prompt:
            match part:
                case ImagePart(image_index=index):
                    found.append(index)
                case VideoPart(image_indices=indices):
                    found.extend(indices)
        return tuple(found)


class ObjectTruth(Record):
    """One object that is meant: its box and its mask (a hash) in each frame, None where it is absent; one entry for a picture."""

    object_id: str
    boxes: tuple[tuple[float, float, float, float] | None, ...]
    masks: tuple[str | None, ...] = ()


HIDDEN = "hidden"
"""The tier of examples whose truth the data set holds back."""


class Truth(Record):
    """The right answer (pixels of the picture), and what is accepted: masks (hashes) and box in pixels of the panel's view.

    `mask` is the exact one; `mask_dilated` is None where the data has none. All three are None if the object is not visible.
    `objects`: where several objects are meant or a clip is asked about, each of them; in a picture `mask` is then their union.
    `scored_frames`: positions (in the question's `VideoPart`) of the frames where the truth is known; None where all are.
    """

    answer: Answer
    panel_index: int
    mask: str | None = None
    mask_dilated: str | None = None
    box: tuple[float, float, float, float] | None = None
    objects: tuple["ObjectTruth", ...] = ()
    scored_frames: tuple[int, ...] | None = None

    @property
    def visible(self) -> bool:
        """Whether the object is there; of a yes/no question, whether the answer is not `NO`."""
        match self.answer:
            case NotVisible() | Choice(value="no"):
                return False
        return True


class Published(Record):
    """A benchmark's question as its authors wrote it, for their own way of scoring and for models that were trained on their words.

    `suffix` says how to write the answer, `answer` is the published one (a text) where there is one, `mask` the region's own file.
    `category` is the type of question.
    `depths` are pictures for a model's eye (8 bits, near bright), not metres, one a picture of the question.
    """

    id: str
    instruction: str
    suffix: str = ""
    answer: str = ""
    category: str = ""
    mask: PictureFile | None = None
    depths: tuple[PictureFile, ...] = ()


class Example(Record):
    """One question with its truth.

    `group` is the cluster (scene) of splits and intervals; `tier` is V (visible),
    VC (visible, something else removed) or a negative tier N0..N4; `slices` are numbers to filter and bin by; `wording` is the
    prompt's place in the task's list of wordings. Examples with one `pair_id` are twins that ask the opposite of each other;
    `evidence` is what decided the truth (the rule's name, its numbers), to be checked and drawn. `published` is given where a
    benchmark asks.
    """

    question: Question
    truth: Truth
    split: str
    group: str
    tier: str
    object_id: str
    label: str | None = None
    slices: dict[str, float] = {}
    wording: int = 0
    pair_id: str | None = None
    evidence: dict[str, str | float | int] = {}
    published: Published | None = None

    @property
    def id(self) -> str:
        return self.question.id
