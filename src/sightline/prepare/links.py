"""A file under a second name: a hard link, which takes no room, or a copy where the names are on different disks."""

import errno
import os
from pathlib import Path

from sightline.errors import InputError
from sightline.files import whole_file

CHUNK_BYTES = 16 * 2**20


def link_file(source: Path, target: Path) -> None:
    """Give `source` the further name `target`. Nothing is done if it has it, or if a file of the same size is there.

    Raises:
        InputError: another file is there.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except FileExistsError:
        if not target.samefile(source) and target.stat().st_size != source.stat().st_size:
            raise InputError(f"{target} is there already, and is not {source}. Give another --out, or delete it.") from None
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
            raise
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as original, whole_file(target) as copy:
        while piece := original.read(CHUNK_BYTES):
            copy.write(piece)
