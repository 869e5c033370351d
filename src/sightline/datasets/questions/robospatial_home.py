"""RoboSpatial-Home: where is free space (context, a point); does it fit, do they stand so (yes or no).

    {root}/annotations.json   [{"category": "context", "question": "In the image, there is a bowl. Pinpoint several points within
                                the vacant space situated to the left of the bowl. Your answer should be formatted as ...",
                                "answer": "[(0.383, 0.873), (0.390, 0.990), ...]", "img": "images/img_context_0.png",
                                "depth_image": "images/depth_context_0.png", "mask": "images/mask_context_0.png"}, ...]
                              or any other *.json lists; or, as on Hugging Face,
    {root}/data/context-*.parquet   the same columns, pictures in the cells; compatibility-*, configuration-*

The answer of a context question is the outline of the right region, corner by corner, in shares of the picture; the mask is the
same region, and is what counts here where it is there. Of yes/no questions the mask is not used. Surprises: `answer` is "Yes" or
"No" with a capital; rows have no id, so that a question is known by its place. Source: chanhee-luke/RoboSpatial-Home,
chanhee-luke/RoboSpatial-Eval (download_benchmark.py, evaluation.py).
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from sightline.datasets.questions.cells import parquet_files, plain_rows
from sightline.datasets.questions.point_text import asks_for_several, parse_points, split_suffix
from sightline.datasets.questions.records import decode_records, existing, json_records
from sightline.errors import InputError
from sightline.types import NO, YES, Choice, Inquiry, LedgerEntry, PictureFile, RegionTarget, WordTarget

CATEGORIES = {"context": "region", "compatibility": "yes_no", "configuration": "yes_no"}  # and their kind of question
TASKS = {"region": "robospatial_home", "yes_no": "robospatial_home_yesno"}
MIN_CORNERS = 3
Found = PictureFile | LedgerEntry | None


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question. Picture fields are a path (JSON), or whether the cell has a picture (Parquet)."""

    category: str
    question: str
    answer: str
    img: str | bool | None = None
    depth_image: str | bool | None = None
    mask: str | bool | None = None


class RoboSpatialHome:
    """The questions of one category.

    Raises:
        FileNotFoundError: no such root.
        InputError: no such category, or its list cannot be read.
    """

    role = "test"

    def __init__(self, root: Path, split: str) -> None:
        found = self.splits(root)
        if split not in found:
            raise InputError(f"{root} has no category {split!r}; it has {', '.join(found)}.")
        self.root, self.split = root, split
        self.tasks: Mapping[str, str] = {CATEGORIES[split]: TASKS[CATEGORIES[split]]}
        self._files = _lists(root) or parquet_files(root, split)
        self._rows: list[tuple[Path, int, Row | LedgerEntry]] = []
        for path in self._files:
            rows = json_records(path) if path.suffix == ".json" else plain_rows(path, ("img", "depth_image", "mask"))
            for index, row in enumerate(decode_records(rows, Row, path, root)):
                if isinstance(row, LedgerEntry) or row.category.lower() == split or path.suffix != ".json":
                    self._rows.append((path, index, row))

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The categories found under `root`."""
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder. Give the folder that holds annotations.json and images/.")
        if lists := _lists(root):
            rows = [row for path in lists for row in decode_records(json_records(path), Row, path, root)]
            named = {row.category.lower() for row in rows if isinstance(row, Row)}
            found = [name for name in CATEGORIES if name in named]
        else:
            found = [name for name in CATEGORIES if parquet_files(root, name)]
        if not found:
            expected = "annotations.json with questions of the category context, compatibility or configuration"
            raise InputError(f"{root} is not RoboSpatial-Home: expected {expected}, or data/context-*.parquet in it.")
        return found

    def sources(self) -> list[Path]:
        return [*self._files, *(path for path in [self.root / "images"] if path.is_dir())]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[Inquiry | LedgerEntry, ...]:
        path, position, row = self._rows[index]
        if isinstance(row, LedgerEntry):
            return (row,)
        unit = f"{self.split}/{index}"
        image = self._file(row.img, path, position, unit, column="img")
        if not isinstance(image, PictureFile):
            return (image or LedgerEntry(unit=unit, reason="picture_missing", detail=f"{path}, row {position}: it names no img"),)
        mask = self._file(row.mask, path, position, unit, column="mask") if "region" in self.tasks else None
        target = _target(row, mask, unit)
        if isinstance(target, LedgerEntry):
            return (target,)
        instruction, suffix = split_suffix(row.question)
        inquiry = Inquiry(
            inquiry_id=str(index),
            published_id=str(index),
            instruction=instruction,
            suffix=suffix,
            several=asks_for_several(suffix),
            pictures=(image,),
            target=target,
            answer_text=row.answer,
            category=row.category.lower(),
        )
        if "region" in self.tasks and not isinstance(mask, PictureFile):
            detail = f"{mask.detail if mask else 'it names none'}; the outline of the answer, filled, is the region"
            return inquiry, LedgerEntry(unit=unit, reason="mask_missing", detail=detail, action="altered", path=image.path)
        return (inquiry,)

    def _file(self, field: str | bool | None, path: Path, position: int, unit: str, *, column: str) -> Found:
        if field is None or field is False:
            return None
        if isinstance(field, str):
            return existing(self.root, "", field, unit, what="mask" if column == "mask" else "picture")
        return PictureFile(path=path.relative_to(self.root).as_posix(), column=column, row=position)


def _target(row: Row, mask: Found, unit: str) -> RegionTarget | WordTarget | LedgerEntry:
    word = row.answer.strip().lower()
    if CATEGORIES.get(row.category.lower()) == "yes_no":
        if word in (YES, NO):
            return WordTarget(answer=Choice(value=word), options=(YES, NO))
        return LedgerEntry(unit=unit, reason="answer_unreadable", detail=f"expected Yes or No, found {row.answer[:80]!r}")
    polygon = parse_points(row.answer)
    if polygon is None or len(polygon) < MIN_CORNERS:
        detail = f"expected the outline of a region, [(x, y), ...] with at least {MIN_CORNERS} corners, found {row.answer[:80]!r}"
        return LedgerEntry(unit=unit, reason="answer_unreadable", detail=detail)
    return RegionTarget(mask=mask if isinstance(mask, PictureFile) else None, polygon_norm=polygon)


def _lists(root: Path) -> list[Path]:
    """The JSON lists of questions: `annotations.json`, else every JSON file of the root."""
    path = root / "annotations.json"
    return [path] if path.is_file() else sorted(path for path in root.glob("*.json") if not path.name.startswith("."))
