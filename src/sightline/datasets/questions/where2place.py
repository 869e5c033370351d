"""Where2Place: 100 real pictures, each with a sentence that describes a free place, and the mask of that place.

    {root}/point_questions.jsonl   {"question_id": 0, "image": "00.jpg", "text": "Identify several spots ... Your answer should be
                                    formatted as a list of tuples, i.e. [(x1, y1), (x2, y2), ...], where ...", "category": "..."}
    {root}/images/00.jpg, {root}/masks/00.jpg

Surprises: the authors' scorer takes the mask by the number of the line, not by the name of the picture; here the mask with the
picture's name is taken, and a line whose picture has another number is noted. The masks are JPEG, so that their edges are grey: set
from 128 here, shares of 255 in the authors' scorer. `bbox_questions.jsonl` asks the same for boxes and is not read. Source:
wentao-yuan/where2place, wentaoyuan/RoboPoint (summarize_vqa.py).
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import msgspec

from sightline.datasets.questions.point_text import asks_for_several, split_suffix
from sightline.datasets.questions.records import check_ids, decode_records, existing
from sightline.errors import InputError
from sightline.types import Inquiry, LedgerEntry, RegionTarget

QUESTIONS = "point_questions.jsonl"
MAX_BYTES = 64 * 2**20


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of `point_questions.jsonl`."""

    question_id: int | str
    image: str
    text: str
    category: str | None = None


class Where2Place:
    """The questions that ask for points.

    Raises:
        FileNotFoundError: no such root, or no questions in it.
        InputError: the file is too large, or an id stands twice.
    """

    tasks: Mapping[str, str] = {"region": "where2place"}
    role = "test"

    def __init__(self, root: Path, split: str) -> None:
        if split not in self.splits(root):
            raise InputError(f"Where2Place has no split {split!r}; it has only {', '.join(self.splits(root))}.")
        self.root, self.split = root, split
        path = root / QUESTIONS
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: {path.stat().st_size:,} bytes; at most {MAX_BYTES:,} are read.")
        lines = [line for line in path.read_bytes().splitlines() if line.strip()]
        self._rows = decode_records((msgspec.Raw(line) for line in lines), Row, path, root)
        check_ids([row.question_id for row in self._rows if isinstance(row, Row)], path)

    @staticmethod
    def splits(root: Path) -> list[str]:
        """Where2Place is one set, `test`."""
        if not (root / QUESTIONS).is_file():
            raise FileNotFoundError(f"{root / QUESTIONS} is not there. Give the folder that holds it, images/ and masks/.")
        return ["test"]

    def sources(self) -> list[Path]:
        return [path for path in (self.root / QUESTIONS, self.root / "images", self.root / "masks") if path.exists()]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[Inquiry | LedgerEntry, ...]:
        row = self._rows[index]
        if isinstance(row, LedgerEntry):
            return (row,)
        unit = f"{self.split}/{row.question_id}"
        image = existing(self.root, "images", row.image, unit, what="picture")
        if isinstance(image, LedgerEntry):
            return (image,)
        mask = existing(self.root, "masks", row.image, unit, what="mask")
        if isinstance(mask, LedgerEntry):
            return (mask,)
        instruction, suffix = split_suffix(row.text)
        inquiry = Inquiry(
            inquiry_id=str(row.question_id),
            published_id=str(row.question_id),
            instruction=instruction,
            suffix=suffix,
            several=asks_for_several(suffix),
            pictures=(image,),
            target=RegionTarget(mask=mask),
            category=row.category or "",
        )
        stem = PurePosixPath(row.image).stem
        if not (stem.isascii() and stem.isdigit() and int(stem) == index):
            detail = f"line {index} asks about {row.image}: the authors' scorer would take masks/{index:02d}.jpg for it"
            return inquiry, LedgerEntry(unit=unit, reason="mask_by_line_differs", detail=detail, action="altered", path=image.path)
        return (inquiry,)
