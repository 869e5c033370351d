"""RefSpatial-Bench (and RefSpatial-Expand-Bench): a sentence that refers to one object or free place, and the mask of right points.

    {root}/Location/question.json   [{"id": 0, "object": "the orange box", "prompt": "Please point out the orange box.",
                                      "suffix": "Your answer should be formatted as ...", "rgb_path": "image/0.png",
                                      "mask_path": "mask/0.png", "category": "location", "step": 1}, ...]
    {root}/Location/{image,mask}/   and Placement/, Unseen/ alike; or, as on Hugging Face,
    {root}/data/location-*.parquet  id, image, mask, object, prompt, suffix, step (Expand: also scene); placement-*, unseen-*

The folder form is used where both are there. `step` is the number of reasoning steps. Surprises: paths are relative to the subset's
folder; the unseen set is for models that were trained on RefSpatial. Source: BAAI/RefSpatial-Bench, Zhoues/RoboRefer (Evaluation).
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from sightline.datasets.questions.cells import parquet_files, plain_rows
from sightline.datasets.questions.point_text import asks_for_several
from sightline.datasets.questions.records import check_ids, decode_records, existing, json_records
from sightline.errors import InputError
from sightline.types import Inquiry, LedgerEntry, PictureFile, RegionTarget

SUBSETS = {"location": "Location", "placement": "Placement", "unseen": "Unseen"}


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question; `rgb_path`, `mask_path` and `category` in the folder form, `image` and `mask` (there or not) in Parquet."""

    id: int | str
    object: str
    prompt: str
    suffix: str = ""
    step: int | None = None
    rgb_path: str | None = None
    mask_path: str | None = None
    category: str = ""
    scene: str = ""
    image: bool | None = None
    mask: bool | None = None


class RefSpatialBench:
    """The questions of one subset.

    Raises:
        FileNotFoundError: no such root.
        InputError: no such subset, or its list of questions cannot be read.
    """

    tasks: Mapping[str, str] = {"region": "refspatial_bench"}
    role = "test"

    def __init__(self, root: Path, split: str) -> None:
        found = self.splits(root)
        if split not in found:
            raise InputError(f"{root} has no subset {split!r}; it has {', '.join(found)}.")
        self.root, self.split = root, split
        self._questions = root / SUBSETS[split] / "question.json"
        if self._questions.is_file():
            self._rows = decode_records(json_records(self._questions), Row, self._questions, root)
            self._cells: list[tuple[Path, int]] = []
        else:
            files = parquet_files(root, split)
            rows = [plain_rows(path, ("image", "mask")) for path in files]
            self._cells = [(path, row) for path, some in zip(files, rows, strict=True) for row in range(len(some))]
            self._rows = decode_records([row for some in rows for row in some], Row, files[0], root)
        check_ids([row.id for row in self._rows if isinstance(row, Row)], self.sources()[0])

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The subsets found under `root`: location, placement, unseen."""
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder. Give the folder that holds Location/, Placement/ and Unseen/.")
        found = [
            name for name, folder in SUBSETS.items() if (root / folder / "question.json").is_file() or parquet_files(root, name)
        ]
        if not found:
            raise InputError(f"{root} is not RefSpatial-Bench: expected Location/question.json or data/location-*.parquet in it.")
        return found

    def sources(self) -> list[Path]:
        return [self._questions.parent] if not self._cells else parquet_files(self.root, self.split)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[Inquiry | LedgerEntry, ...]:
        row = self._rows[index]
        if isinstance(row, LedgerEntry):
            return (row,)
        unit = f"{self.split}/{row.id}"
        pictures = self._in_cells(index, row, unit) if self._cells else self._in_files(row, unit)
        if isinstance(pictures, LedgerEntry):
            return (pictures,)
        image, mask = pictures
        inquiry = Inquiry(
            inquiry_id=str(row.id),
            published_id=str(row.id),
            instruction=row.prompt,
            suffix=row.suffix,
            several=asks_for_several(row.suffix),
            pictures=(image,),
            target=RegionTarget(mask=mask),
            label=row.object,
            category=row.category or self.split,
            numbers={} if row.step is None else {"step": float(row.step)},
        )
        return (inquiry,)

    def _in_files(self, row: Row, unit: str) -> tuple[PictureFile, PictureFile] | LedgerEntry:
        folder = SUBSETS[self.split]
        image = existing(self.root, folder, row.rgb_path, unit, what="picture")
        if isinstance(image, LedgerEntry):
            return image
        mask = existing(self.root, folder, row.mask_path, unit, what="mask")
        return mask if isinstance(mask, LedgerEntry) else (image, mask)

    def _in_cells(self, index: int, row: Row, unit: str) -> tuple[PictureFile, PictureFile] | LedgerEntry:
        file, position = self._cells[index]
        path = file.relative_to(self.root).as_posix()
        for there, what in ((row.image, "picture"), (row.mask, "mask")):
            if not there:
                detail = f"{path}, row {position}: no {what} in it"
                return LedgerEntry(unit=unit, reason=f"{what}_missing", detail=detail, path=path)
        return PictureFile(path=path, column="image", row=position), PictureFile(path=path, column="mask", row=position)
