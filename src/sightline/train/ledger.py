"""Units of data that a running training left out, as JSON lines."""

import os
from pathlib import Path

import msgspec

from sightline.types import LedgerEntry


class Ledger:
    """What was left out, one a line, each once however often the run goes on. Processes may write side by side."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: set[bytes] | None = None

    def add(self, entry: LedgerEntry) -> None:
        """Note an entry, unless it stands there already."""
        if self._known is None:
            self._known = set(self.path.read_bytes().splitlines()) if self.path.exists() else set()
        line = msgspec.json.encode(entry)
        if line in self._known:
            return
        self._known.add(line)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line + b"\n")
        finally:
            os.close(descriptor)
