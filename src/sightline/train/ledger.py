"""Units of data that a running training left out, as JSON lines."""

import fcntl
from pathlib import Path

import msgspec

from sightline.types import LedgerEntry


class Ledger:
    """What was left out, one a line, each once, however often the run goes on and whichever processes say so."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: set[bytes] = set()

    def add(self, entry: LedgerEntry) -> None:
        """Note an entry, unless it stands there already."""
        line = msgspec.json.encode(entry)
        if line in self._known:
            return
        self._known.add(line)
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # another process may be about to note the same; closing lets go
            file.seek(0)
            if line not in file.read().splitlines():
                file.write(line + b"\n")
