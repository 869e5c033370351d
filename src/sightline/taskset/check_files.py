"""Pictures of a data set, checked by their first and last bytes: whether they are there, whole, of the right size, and labels."""

import stat
from pathlib import Path

from sightline import picture_header
from sightline.errors import InputError
from sightline.files import inside
from sightline.picture_header import DEFAULT_LIMITS, Header
from sightline.taskset.picture_ends import has_end, quick_header, read_ends
from sightline.types import LedgerEntry

LABEL_MODES = ("P", "L", "1")


class FileCheck:
    """Checks pictures below `root`; each problem goes to `entries`."""

    def __init__(self, root: Path, entries: list[LedgerEntry]) -> None:
        self.root = root
        self.entries = entries
        self._folders: dict[str, Path] = {}

    def header(self, unit: str, path: str) -> Header | None:
        """The header of a picture file. None: `file_missing`, `path_leaves_root` or `unreadable`. A file without its end is
        `cut_off`, and its header is given."""
        try:
            place = self._place(path)
        except InputError as error:
            return self._refuse(unit, "path_leaves_root", str(error), path)
        try:
            state = place.stat()
            if not stat.S_ISREG(state.st_mode):
                return self._refuse(unit, "file_missing", f"{path} is no file", path)
            head, tail = read_ends(place, state.st_size)
            header = (quick_header(head) if state.st_size <= DEFAULT_LIMITS.max_file_bytes else None) or picture_header.probe(place)
        except FileNotFoundError:
            return self._refuse(unit, "file_missing", f"{path} is not there", path)
        except InputError as error:
            return self._refuse(unit, "unreadable", str(error), path)
        if not has_end(place, header.format, tail):
            self.add(unit, "cut_off", f"the {header.format} file ends before its picture does: fetch it again", path)
        return header

    def label_header(self, unit: str, path: str) -> Header | None:
        """As `header`, of a picture of label numbers: in colours it is `colour_labels`, and None."""
        header = self.header(unit, path)
        if header is None or header.mode in LABEL_MODES:
            return header
        detail = f"mode {header.mode}: a palette picture that was saved in colours no longer says which number each object has"
        return self._refuse(unit, "colour_labels", detail, path)

    def same_size(self, unit: str, found: tuple[int, int], wanted: tuple[int, int] | None, *, what: str, path: str | None) -> None:
        """`size_mismatch` where `found` (width, height) is not `wanted`, which is None where that is unknown."""
        if wanted is not None and found != wanted:
            detail = f"{what} has {found[0]}x{found[1]} pixels, expected {wanted[0]}x{wanted[1]}"
            self.add(unit, "size_mismatch", detail, path)

    def add(self, unit: str, reason: str, detail: str, path: str | None = None) -> None:
        self.entries.append(LedgerEntry(unit=unit, reason=reason, detail=detail, path=path))

    def note(self, unit: str, reason: str, detail: str, path: str | None = None) -> None:
        """Something to know that is no mistake."""
        self.entries.append(LedgerEntry(unit=unit, reason=reason, detail=detail, path=path, action="altered"))

    def _refuse(self, unit: str, reason: str, detail: str, path: str) -> None:
        self.add(unit, reason, detail, path)

    def _place(self, path: str) -> Path:
        """The file's place, which is under the root: its folder is looked at once, the file itself if it is a link."""
        folder, _, name = path.rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = inside(self.root, folder or ".")
        if name in ("", ".", "..") or "\0" in name or "\\" in name:
            return inside(self.root, path)
        place = self._folders[folder] / name
        return inside(self.root, path) if place.is_symlink() else place
