"""The protocols that compare two JSON files and not two folders, from the files to their summary and tables."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import InputError
from sightline.evaluate.vos.categories import CategoryScores, Figures, score_categories
from sightline.evaluate.vos.protocols import ObjectScores
from sightline.evaluate.vos.table import VosSummary, statistics_of, to_csv, write_tables
from sightline.evaluate.vos.ytvis import columns
from sightline.evaluate.vos.ytvis_files import YtvisScores, score_ytvis
from sightline.files import write_json, write_whole

Progress = Callable[[int, int], None]
CATEGORY_COLUMNS = ("IoU", "Dice", "MAE")
YTVIS_ROWS = ("AP", "AP50", "AP75", "AR1", "AR10")


@dataclass(frozen=True)
class FileReport:
    """A summary, the tables beside it by their file's name, and objects with scores in each frame where the protocol has them."""

    summary: VosSummary
    tables: dict[str, list[tuple[object, ...]]]
    objects: Sequence[ObjectScores] = ()

    def write(self, folder: Path) -> None:
        """Write `summary.json` and the tables below `folder`; the summary last."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in self.tables.items():
            write_whole(folder / name, to_csv(rows))
        if self.objects:
            write_tables(folder, self.objects)
        write_json(folder / "summary.json", self.summary)


def report_ytvis(found: Path, annotation: Path, on_progress: Progress | None = None) -> FileReport:
    """AP and AR of track results against a YouTube-VIS annotation: `categories.csv`, and `tracks.csv` with a row for each
    annotated track.

    Raises:
        FileNotFoundError, InputError: as `score_ytvis`.
    """
    scores = score_ytvis(_file(found), _file(annotation), on_progress=on_progress)
    by_category = {name: columns([videos]) for name, videos in scores.categories.items()}
    rows: list[tuple[object, ...]] = [("category", "tracks", *_columns_of(by_category))]
    rows += [(name, _counted(scores, name), *_cells(figures)) for name, figures in by_category.items()]
    tracks: list[tuple[object, ...]] = [("video", "object", "category", "mean area", "crowd", "best overlap", "its score")]
    tracks += [
        (row.video, row.object_id, row.category, row.area, int(row.crowd), row.overlap, *_cells({"score": row.score}))
        for row in scores.rows
    ]
    summary = VosSummary(
        protocol="ytvis",
        num_videos=scores.num_videos,
        num_objects=len(scores.rows),
        num_frames=scores.num_frames,
        columns=_known(columns(list(scores.categories.values()))),
        categories={name: _known({key: figures[key] for key in YTVIS_ROWS}) for name, figures in by_category.items()},
    )
    return FileReport(summary, {"categories.csv": rows, "tracks.csv": tracks})


def report_categories(found: Path, annotation: Path, on_progress: Progress | None = None) -> FileReport:
    """IoU, Dice and MAE by category, and J and F by instance where both files number them; `categories.csv`, `videos.csv`,
    `objects.csv`, `frames.csv`.

    Raises:
        FileNotFoundError, InputError: as `score_categories`.
    """
    scores = score_categories(_file(found), _file(annotation), on_progress=on_progress)
    by_category = {name: _named(figures) for name, figures in scores.by_category().items()}
    rows: list[tuple[object, ...]] = [("category", "videos", *CATEGORY_COLUMNS)]
    rows += [(name, len(scores.figures[name]), *_cells(figures)) for name, figures in by_category.items()]
    videos: list[tuple[object, ...]] = [("category", "video", *CATEGORY_COLUMNS)]
    videos += [(name, video, *figures) for name, each in scores.figures.items() for video, figures in each.items()]
    means = [statistics_of(each) for each in scores.objects]
    instances = {"J instances": [each.region.mean for each in means], "F instances": [each.boundary.mean for each in means]}
    summary = VosSummary(
        protocol="category",
        num_videos=scores.num_videos,
        num_objects=len(scores.objects),
        num_frames=scores.num_frames,
        columns=_known(_named(scores.mean()) | {name: sum(values) / len(values) for name, values in instances.items() if values}),
        categories={name: _known(figures) for name, figures in by_category.items()},
        notes=_notes(scores),
    )
    return FileReport(summary, {"categories.csv": rows, "videos.csv": videos}, scores.objects)


FILE_PROTOCOLS: Mapping[str, Callable[[Path, Path, Progress | None], FileReport]] = {
    "ytvis": report_ytvis,
    "category": report_categories,
}


def _columns_of(by_category: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
    """The columns of the figures, which all categories share."""
    return tuple(next(iter(by_category.values()), {}))


def _notes(scores: CategoryScores) -> tuple[str, ...]:
    told = []
    if scores.unnumbered_annotated or scores.unnumbered_found:
        told.append(
            f"{scores.unnumbered_annotated} annotated and {scores.unnumbered_found} found masks have no track_id or instance_id: "
            "they count in their category, but not as instances."
        )
    if scores.unasked:
        told.append(
            f"{scores.unasked} found instances have a number that no annotated instance has, and count in their category alone."
        )
    return tuple(told)


def _counted(scores: YtvisScores, category: str) -> int:
    return sum(int((~tracks.crowd).sum()) for tracks in scores.categories[category])


def _named(figures: Figures) -> dict[str, float]:
    return dict(zip(CATEGORY_COLUMNS, figures, strict=True))


def _known(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in figures.items()}


def _cells(figures: Mapping[str, float]) -> tuple[object, ...]:
    return tuple("" if math.isnan(value) else value for value in figures.values())


def _file(path: Path) -> Path:
    if path.is_dir():
        raise InputError(f"{path} is a folder; this protocol compares two JSON files, the results and the annotation.")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file. This protocol compares two JSON files, the results and the annotation.")
    return path
