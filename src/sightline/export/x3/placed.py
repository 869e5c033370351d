"""A row with its files on this machine, how rows are read, and why one cannot be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sightline.errors import InputError
from sightline.export.x3.rows import Row, RowName
from sightline.tasks.crossview import CrossViewOptions
from sightline.tasks.pictures import Mark
from sightline.tasks.seen import MIN_AREA
from sightline.types import LedgerEntry, Record

Frame = Literal["whole", "local"]


class Options(Record):
    """How rows are read. `concat_frame` is the frame in which the files state the truth of concatenated pictures: the whole picture
    or view B alone. `mark` is how the object is marked in the reference pictures. `min_area` is a share of the picture: an object
    that covers less is neither visible nor absent."""

    concat_frame: Frame = "whole"
    mark: Mark = "overlay"
    min_area: float = MIN_AREA

    def cross_view(self, rows: "Sequence[PlacedRow]") -> CrossViewOptions:
        """The options of a build that has the rows' pairs."""
        anchors = {int(placed.name.views[0].split("_")[0]) for placed in rows}
        one = len(anchors) == 1
        return CrossViewOptions(
            pairs="anchor" if one else "all", anchor_k=min(anchors) if one else 1, mark=self.mark, min_area=self.min_area
        )


@dataclass(frozen=True)
class PlacedRow:
    """A row with its files on this machine; `root` is the x3 tree in which `query` lies."""

    row: Row
    name: RowName
    split: str
    root: Path
    pictures: tuple[Path, ...]
    query: Path

    @property
    def group(self) -> str:
        return f"{self.name.task}-{self.split}"


class Unusable(Exception):  # noqa: N818 - a verdict on a row, caught where it becomes a ledger entry
    """Why a row cannot be used."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class FrameTally:
    """Rows of concatenated pictures by the frames in which their truth lies on the mask: `agree` in the declared one only, `both`,
    or `other`, not in the declared one."""

    def __init__(self, name: str, declared: Frame) -> None:
        self.name = name
        self.declared: Frame = declared
        self.agree = 0
        self.both: list[str] = []
        self.other: list[str] = []

    @property
    def unproven(self) -> tuple[LedgerEntry, ...]:
        """An entry for each row that lies on the mask in both frames, if no row of the file tells the frames apart."""
        detail = f"the point lies on the object in both frames, and so do all others; read in the declared one, {self.declared}"
        reason = "truth_frame_unproven"
        rows = () if self.agree else self.both
        return tuple(LedgerEntry(unit=row, reason=reason, detail=detail, action="altered") for row in rows)

    def check(self) -> None:
        """Raise InputError if any row's truth is in the frame that was not declared."""
        if not self.other:
            return
        words = {"whole": "the whole picture", "local": "view B alone (the published builder's mistake)"}
        there: Frame = "local" if self.declared == "whole" else "whole"
        remedy = (
            f"Give --concat-frame {there} to read them in that frame"
            if not self.agree
            else "The file mixes both frames: write the rows of each frame to a file of their own"
        )
        raise InputError(
            f"{self.name}: the truth of {len(self.other)} rows (first: {self.other[0]}) lies on the object's mask only as shares "
            f"of {words[there]}, not of {words[self.declared]}, which was expected; {self.agree} rows agree with that. "
            f"Nothing was written. {remedy}."
        )
