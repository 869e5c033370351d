"""Categories of a COCO-style video JSON, without regard to which instance is which, and the instances beside them.

The instances of a category are one mask in each frame. IoU = both / (either + 1e-7), Dice = 2 both / (annotated + found + 1e-7),
MAE = the share of the picture's pixels in which the two differ. A category does not count in a frame in which neither side shows
it. Means: frames to a video, videos to a category, categories to the result. So scored the earlier pipeline that trained SAM 2 on
surgical videos; crowds count as any other annotation there, and so here.

    annotation   the file that `datasets.coco.coco_video` reads (CocoVID); frames with `is_labeled` (or `is_det_keyframe`) false are
                 left out
    results      [{"image_id": 1, "category_id": 1, "segmentation": {...}, "track_id": 4}], or such a list under "annotations"

Where both sides have `track_id` (or `instance_id`), an instance is compared with the found one of the same number: J and F in every
labelled frame of its video, both 1 where it is rightly absent.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from sightline.datasets.coco.coco_json import CocoFile, Id, Open, Picture
from sightline.datasets.coco.coco_tracks import Video, videos_with_pictures
from sightline.datasets.coco.json_slices import decode_mapped
from sightline.datasets.coco.segmentations import Segmentation, region
from sightline.errors import InputError
from sightline.evaluate.video.packed import PackedMask, pack_rle
from sightline.evaluate.video.region_boundary import boundary_f, count_both
from sightline.evaluate.video.region_boundary import region as region_j
from sightline.evaluate.vos.protocols import ObjectScores
from sightline.geometry.masks import union_masks
from sightline.types import MaskRle

TINY = 1e-7
Figures = tuple[float, float, float]


class _Shape(Open):
    """An annotation or a result."""

    category_id: Id
    image_id: Id
    segmentation: Segmentation
    track_id: Id | None = None
    instance_id: Id | None = None

    def instance(self) -> str | None:
        number = self.track_id if self.instance_id is None else self.instance_id
        return None if number is None else str(number)


class _Results(Open):
    annotations: list[msgspec.Raw]


@dataclass
class CategoryScores:
    """IoU, Dice and MAE, 0..1, of each category (by name) in each of its videos, and the instances that have a number.

    `unnumbered_*`: masks without a number; `unasked`: found instances whose number no annotated one has.
    """

    figures: dict[str, dict[str, Figures]] = field(default_factory=dict)
    objects: list[ObjectScores] = field(default_factory=list)
    num_videos: int = 0
    num_frames: int = 0
    unnumbered_annotated: int = 0
    unnumbered_found: int = 0
    unasked: int = 0

    def by_category(self) -> dict[str, Figures]:
        """The mean over the videos of each category."""
        return {name: _mean_figures(videos.values()) for name, videos in self.figures.items() if videos}

    def mean(self) -> Figures:
        """The mean over categories; nan where there is none."""
        return _mean_figures(self.by_category().values())


@dataclass(frozen=True)
class _Frame:
    """What one side shows in one frame."""

    of_category: Mapping[Id, PackedMask]
    of_instance: Mapping[str, PackedMask]
    unnumbered: int


def score_categories(results: Path, annotation: Path, *, on_progress: Callable[[int, int], None] | None = None) -> CategoryScores:
    """Compare the found masks with the annotated ones, video by video.

    `on_progress` is called with (videos done, videos in all).

    Raises:
        FileNotFoundError: one of the files is not there.
        InputError: a file of another form, an unknown image or category, a mask that is not its picture's size, or a number that
            two masks of one frame have.
    """
    file = CocoFile(annotation)
    videos = sorted(videos_with_pictures(file), key=lambda video: video.title())
    found = _read_results(results, {picture.id for picture in file.images}, file)
    scores = CategoryScores(figures={name: {} for name in file.categories.values()}, num_videos=len(videos))
    for number, video in enumerate(videos):
        labelled = [picture for picture in video.pictures if picture.labelled() is not False]
        truths = [_frame(file.annotations(picture.id, _Shape), picture, str(annotation)) for picture in labelled]
        said = [_frame(found.get(picture.id, []), picture, str(results)) for picture in labelled]
        scores.num_frames += len(labelled)
        scores.unnumbered_annotated += sum(frame.unnumbered for frame in truths)
        scores.unnumbered_found += sum(frame.unnumbered for frame in said)
        _score_categories(scores, file.categories, video, list(zip(truths, said, labelled, strict=True)))
        _score_instances(scores, video, labelled, truths, said)
        if on_progress is not None:
            on_progress(number + 1, len(videos))
    return scores


def _read_results(path: Path, images: set[Id], file: CocoFile) -> dict[Id, list[_Shape]]:
    content: list[msgspec.Raw] | _Results = decode_mapped(path, list[msgspec.Raw] | _Results)
    found: dict[Id, list[_Shape]] = {}
    for index, raw in enumerate(content.annotations if isinstance(content, _Results) else content):
        try:
            shape = msgspec.json.decode(raw, type=_Shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{path}, result {index}: {error}") from error
        if shape.image_id not in images or shape.category_id not in file.categories:
            raise InputError(
                f"{path}, result {index}: image {shape.image_id}, category {shape.category_id}; {file.path} does not list both. "
                "Are they of one data set?"
            )
        found.setdefault(shape.image_id, []).append(shape)
    return found


def _frame(shapes: Iterable[_Shape], picture: Picture, where: str) -> _Frame:
    parts: dict[Id, list[MaskRle]] = {}
    instances: dict[str, PackedMask] = {}
    unnumbered = 0
    for shape in shapes:
        try:
            rle = region(shape.segmentation, height=picture.height, width=picture.width)
            packed = pack_rle(rle) if rle else None
        except InputError as error:
            raise InputError(f"{where}, image {picture.id}: {error}") from error
        if rle is None or packed is None:
            continue
        if (rle.height, rle.width) != (picture.height, picture.width):
            raise InputError(
                f"{where}, image {picture.id}: a mask of {rle.width}x{rle.height} in a picture of {picture.width}x"
                f"{picture.height}. Write masks in the picture's size."
            )
        parts.setdefault(shape.category_id, []).append(rle)
        name = shape.instance()
        if name in instances:
            raise InputError(f"{where}, image {picture.id}: the instance {name} has two masks. Give each instance its own number.")
        if name is None:
            unnumbered += 1
        else:
            instances[name] = packed
    return _Frame({category: pack_rle(union_masks(codes)) for category, codes in parts.items()}, instances, unnumbered)


def _score_categories(
    scores: CategoryScores, names: Mapping[Id, str], video: Video, frames: Sequence[tuple[_Frame, _Frame, Picture]]
) -> None:
    for category, name in names.items():
        figures = [
            _figures(truth.of_category.get(category), said.of_category.get(category), picture.height * picture.width)
            for truth, said, picture in frames
            if _area(truth.of_category.get(category)) or _area(said.of_category.get(category))
        ]
        if figures:
            scores.figures[name][video.title()] = _mean_figures(figures)


def _score_instances(
    scores: CategoryScores, video: Video, pictures: Sequence[Picture], truths: Sequence[_Frame], said: Sequence[_Frame]
) -> None:
    asked = dict.fromkeys(name for frame in truths for name in frame.of_instance)
    scores.unasked += len({name for frame in said for name in frame.of_instance} - set(asked))
    for name in asked:
        pairs = [(a.of_instance.get(name), b.of_instance.get(name)) for a, b in zip(truths, said, strict=True)]
        scores.objects.append(
            ObjectScores(
                video=video.title(),
                object_id=name,
                frames=tuple(Path(picture.file_name).stem for picture in pictures),
                region=np.array([_compare(a, b, region_j) for a, b in pairs]),
                boundary=np.array([_compare(a, b, boundary_f) for a, b in pairs]),
                empty=tuple(not _area(a) for a, _ in pairs),
            )
        )


def _compare(truth: PackedMask | None, said: PackedMask | None, by: Callable[[PackedMask, PackedMask], float]) -> float:
    """J or F, where None is an empty mask: 1 where both are."""
    given = truth or said
    if given is None:
        return 1.0
    nothing = PackedMask(given.width, np.zeros_like(given.rows), np.zeros_like(given.boundary), area=0, boundary_area=0)
    return by(truth or nothing, said or nothing)


def _figures(truth: PackedMask | None, said: PackedMask | None, num_pixels: int) -> Figures:
    both = count_both(truth, said) if truth is not None and said is not None else 0
    total = _area(truth) + _area(said)
    return both / (total - both + TINY), 2 * both / (total + TINY), (total - 2 * both) / num_pixels


def _area(mask: PackedMask | None) -> int:
    return mask.area if mask is not None else 0


def _mean_figures(figures: Iterable[Figures]) -> Figures:
    table = np.array(list(figures)).reshape(-1, 3)
    if not len(table):
        return float("nan"), float("nan"), float("nan")
    iou, dice, error = table.mean(axis=0).tolist()
    return iou, dice, error
