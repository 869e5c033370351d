"""Questions that benchmarks bring: a picture, a sentence, and a point, a word or a letter as the answer.

    region    any point of a region is right (a mask)
    points    points that are right, without a region: the distance to the nearest one counts
    yes_no    one of the two words
    letter    one of the lettered options that the question names

The sentence stays the authors' own. Coordinates in it become points of the picture, and their words on how to write the answer are
cut off, so that each dialect says it in its own way; with `words="published"` they are put back. Both stay in `Example.published`.
Examples about one picture are one group, whatever the files are called.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool

from sightline import media, picture_header
from sightline.datasets.questions.cells import picture_source
from sightline.datasets.questions.point_text import POINT
from sightline.errors import InputError
from sightline.geometry.boxes import mask_to_box
from sightline.geometry.points import truth_point
from sightline.tasks.crossview import example_rng
from sightline.tasks.pictures import Studio, derived_path
from sightline.types import (
    NO,
    YES,
    AnswerForm,
    Example,
    ImagePart,
    ImageRef,
    Inquiry,
    LedgerEntry,
    Panel,
    Part,
    PictureFile,
    PointPart,
    Points,
    PointsTarget,
    Published,
    Question,
    Record,
    RegionTarget,
    TextPart,
    Truth,
    WordTarget,
)

GROUP_DIGITS = 16
QUESTION_TASKS = (  # what the readers call the kinds of their questions
    "refspatial_bench",
    "refspatial_points",
    "refspatial_choice",
    "refspatial_yesno",
    "where2place",
    "robospatial_home",
    "robospatial_home_yesno",
)


class QuestionOptions(Record):
    """`words`: whose words say how to write the answer, the dialect's or the authors'. `seed` keys the drawn truth points."""

    words: Literal["dialect", "published"] = "dialect"
    seed: int = 0


class Source(Record):
    """Where inquiries come from: the reader's name, its split, the split of the examples (`role`), and the task of each kind."""

    reader: str
    split: str
    role: str
    tasks: dict[str, str]


def kind_of(inquiry: Inquiry) -> str:
    """The kind of question: region, points, yes_no or letter."""
    match inquiry.target:
        case RegionTarget():
            return "region"
        case PointsTarget():
            return "points"
        case WordTarget(answer=answer):
            return "yes_no" if answer.value in (YES, NO) else "letter"


def pose(inquiry: Inquiry, source: Source, studio: Studio, options: QuestionOptions) -> Iterator[Example | LedgerEntry]:
    """The example of an inquiry, or why there is none; also what was altered."""
    unit = f"{source.split}/{inquiry.inquiry_id}"
    what = "picture"
    try:
        images = tuple(_image(file, studio) for file in inquiry.pictures)
        what = "mask"
        truth, slices = _truth(inquiry, images[0], studio, f"{source.reader}/{unit}", options)
        what = "depth"
        depths, problem = _depths(inquiry, images, studio)
    except (InputError, FileNotFoundError) as error:
        yield LedgerEntry(unit=unit, reason=f"{what}_unusable", detail=str(error), path=inquiry.pictures[0].path)
        return
    if problem:
        yield LedgerEntry(unit=unit, reason="depth_unusable", detail=problem, action="altered")
    question = Question(
        id=f"{source.reader}/{unit}",
        task=source.tasks[kind_of(inquiry)],
        prompt=_prompt(inquiry, images, options),
        images=images,
        panels=tuple(Panel(role="query", image_index=index, source=image) for index, image in enumerate(images)),
    )
    yield Example(
        question=question,
        truth=truth,
        split=source.role,
        group=images[0].digest[:GROUP_DIGITS],
        tier=_tier(inquiry),
        object_id=inquiry.inquiry_id,
        label=inquiry.label,
        slices=slices | inquiry.numbers,
        published=_published(inquiry, depths),
    )


def _tier(inquiry: Inquiry) -> str:
    """The right word of a yes/no question, so that a table shows whether a constant answer wins; else "V"."""
    target = inquiry.target
    return target.answer.value if isinstance(target, WordTarget) and kind_of(inquiry) == "yes_no" else "V"


def _published(inquiry: Inquiry, depths: tuple[PictureFile, ...]) -> Published:
    return Published(
        id=inquiry.published_id,
        instruction=inquiry.instruction,
        suffix=inquiry.suffix,
        answer=inquiry.answer_text,
        category=inquiry.category,
        mask=inquiry.target.mask if isinstance(inquiry.target, RegionTarget) else None,
        depths=depths,
    )


def _prompt(inquiry: Inquiry, images: tuple[ImageRef, ...], options: QuestionOptions) -> tuple[Part, ...]:
    words = inquiry.suffix if options.words == "published" else ""
    match inquiry.target:
        case WordTarget(options=offered):
            form = AnswerForm(shape="choice", image_index=0, options=offered, words=words)
        case RegionTarget() | PointsTarget():
            form = AnswerForm(shape="point", image_index=0, several=inquiry.several, words=words)
    shown = [ImagePart(image_index=index) for index in range(len(images))]
    return (*shown, TextPart(text="\n"), *_sentence(inquiry.instruction, images), form)


def _sentence(instruction: str, images: tuple[ImageRef, ...]) -> Iterator[Part]:
    """The words, with coordinates in them as points of the picture; of several pictures nobody says which one is meant."""
    cursor = 0
    for match in POINT.finditer(instruction) if len(images) == 1 else ():
        x_norm, y_norm = float(match[1]), float(match[2])
        if 0 <= x_norm <= 1 and 0 <= y_norm <= 1 and "." in match[0]:
            if instruction[cursor : match.start()]:
                yield TextPart(text=instruction[cursor : match.start()])
            yield PointPart(x=x_norm * images[0].width, y=y_norm * images[0].height, image_index=0)
            cursor = match.end()
    if instruction[cursor:]:
        yield TextPart(text=instruction[cursor:])


def _image(file: PictureFile, studio: Studio) -> ImageRef:
    if file.column is None:
        return studio.original(file.path)
    content = picture_source(studio.root, file)
    rgb = media.read_rgb(content)
    return studio.derived(derived_path("pictures", media.pixel_digest(rgb)), lambda: rgb)


def _truth(
    inquiry: Inquiry, image: ImageRef, studio: Studio, name: str, options: QuestionOptions
) -> tuple[Truth, dict[str, float]]:
    """The truth, in pixels of the first picture, and how large the region is."""
    match inquiry.target:
        case WordTarget(answer=word):
            return Truth(answer=word, panel_index=0), {}
        case PointsTarget(points_norm=shares):
            points = tuple((x * image.width, y * image.height) for x, y in shares)
            return Truth(answer=Points(points=points), panel_index=0), {}
        case RegionTarget(mask=file, polygon_norm=polygon):
            region = filled(polygon, image.height, image.width) if file is None else _read_region(file, image, studio)
    box = mask_to_box(region)
    if box is None:
        raise InputError(f"{file.path if file else name}: the region of right points has no pixel. Nothing could be a hit.")
    point = truth_point(region, example_rng(options.seed, name))
    truth = Truth(answer=Points(points=(point,)), panel_index=0, mask=studio.keep_mask(region), box=box)
    return truth, {"query_area": round(float(region.mean()), 6)}


def _read_region(file: PictureFile, image: ImageRef, studio: Studio) -> Bool[np.ndarray, "h w"]:
    source = picture_source(studio.root, file)
    mask = media.read_mask(source)
    if mask.shape != (image.height, image.width):
        raise InputError(
            f"{source}: mask of {mask.shape[1]}x{mask.shape[0]} for a picture of {image.width}x{image.height}. "
            "Masks are never resized silently: get the data set again."
        )
    return mask


def filled(corners_norm: Sequence[tuple[float, float]], height: int, width: int) -> Bool[np.ndarray, "h w"]:
    """The pixels whose centre lies inside of an outline, given corner by corner in shares of the picture.

    Inside is where a ray to the right crosses the outline an odd number of times (even-odd rule).
    """
    x, y = (np.arange(width) + 0.5)[None, :], (np.arange(height) + 0.5)[:, None]
    region = np.zeros((height, width), dtype=bool)
    corners = [(x_norm * width, y_norm * height) for x_norm, y_norm in corners_norm]
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            region ^= crosses & (x < x0 + (x1 - x0) * (y - y0) / (y1 - y0))
    return region


def _depths(inquiry: Inquiry, images: tuple[ImageRef, ...], studio: Studio) -> tuple[tuple[PictureFile, ...], str]:
    """The depth pictures, if each has the size of its picture; else none, and why."""
    for file, image in zip(inquiry.depths, images, strict=False):
        try:
            header = picture_header.probe(picture_source(studio.root, file))
        except InputError as error:
            return (), str(error)
        if (header.width, header.height) != (image.width, image.height):
            return (), f"{file.path}: {header.width}x{header.height} for a picture of {image.width}x{image.height}"
    return inquiry.depths, ""
