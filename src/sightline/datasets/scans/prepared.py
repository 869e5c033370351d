"""Scans as `sightline prepare scan` writes them, the same for every source: one `Scan` record each, pictures in files of their own.

{root}/{scan}/scan.json                    the record, written last; its paths are from {root}
{root}/{scan}/colour/000012.jpg            upright
{root}/{scan}/depth/000012.png             16 bits
{root}/{scan}/instances/000012.png         palette: 0 = none, 1..254 = `ScanObject.label`, 255 = unknown
"""

from collections.abc import Iterator
from pathlib import Path

from sightline.datasets.scans import ScanOptions
from sightline.errors import InputError
from sightline.files import inside, read_json
from sightline.types import Scan


class PreparedScans:
    """The complete scans of one root."""

    def __init__(self, root: Path, options: ScanOptions | None = None) -> None:
        self.root = root
        self.options = options or ScanOptions()
        self._scan_ids = sorted(path.parent.name for path in root.glob("*/scan.json") if not path.parent.name.startswith("."))

    def scan_ids(self) -> list[str]:
        return list(self._scan_ids)

    def __len__(self) -> int:
        return len(self._scan_ids)

    def __iter__(self) -> Iterator[Scan]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Scan:
        """Raises InputError if the record is damaged."""
        path = inside(self.root, f"{self._scan_ids[index]}/scan.json")
        scan = read_json(path, Scan)
        if scan.scan_id != self._scan_ids[index]:
            raise InputError(f"{path}: the record of scan {scan.scan_id!r}. Prepare the scan again.")
        return scan
