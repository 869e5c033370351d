"""Paths in files that were made on another machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sightline.errors import InputError
from sightline.files import inside


@dataclass(frozen=True)
class RootMap:
    """Folders of another machine and where they lie here. The longest matching one counts."""

    folders: tuple[tuple[PurePosixPath, Path], ...] = ()

    @classmethod
    def parse(cls, options: Sequence[str]) -> "RootMap":
        """From `OLD=NEW` texts.

        Raises:
            InputError: a text without `=`, an OLD that is not absolute, an OLD that stands twice, or a NEW that is no folder.
        """
        folders: dict[PurePosixPath, Path] = {}
        for option in options:
            old, equals, new = option.partition("=")
            if not equals or not PurePosixPath(old).is_absolute() or not new:
                raise InputError(f"--root-map {option!r}: expected OLD=NEW, with OLD an absolute folder as it stands in the file.")
            if PurePosixPath(old) in folders:
                raise InputError(f"--root-map gives {old} twice: each folder can lie in one place only.")
            if not Path(new).is_dir():
                raise InputError(f"--root-map {option!r}: {new} is not a folder here.")
            folders[PurePosixPath(old)] = Path(new).absolute()
        longest_first = sorted(folders.items(), key=lambda pair: -len(pair[0].parts))
        return cls(tuple(longest_first))

    def resolve(self, text: str, folder: Path) -> Path:
        """Where the file called `text` lies here; a relative one lies below `folder`, that of the file in which it stands.

        Raises:
            InputError: the path has `..`, or leaves the folder it is mapped to.
        """
        path = PurePosixPath(text)
        if ".." in path.parts or "\0" in text or not path.name:
            raise InputError(f"path {text!r}: expected a file's path without '..'. Mend the row.")
        if not path.is_absolute():
            return inside(folder.absolute(), text)
        for old, new in self.folders:
            if path.is_relative_to(old):
                return inside(new, path.relative_to(old).as_posix())
        return Path(text)
