"""SHA-256 sums that authors gave for their files: whether a copy is theirs. Asked for by `sightline check-data`, not by builds,
because hashing a gigabyte takes seconds."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from sightline.types import LedgerEntry


def check_sums(root: Path, folder: str, published: Mapping[str, str]) -> list[LedgerEntry]:
    """One entry for each file of `folder` (from the root) that is not as published; files that are not there are passed over."""
    found = []
    for name, expected in published.items():
        path = root / folder / name
        if not path.is_file():
            continue
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if actual != expected:
            detail = f"SHA-256 {actual}, published is {expected}: the file is damaged, changed, or of another release"
            where = path.relative_to(root).as_posix()
            found.append(LedgerEntry(unit=where, reason="not_as_published", detail=detail, action="altered", path=where))
    return found
