"""The expression files of the RefCOCO family, and their partitions and splits. The layout stands in `datasets.refcoco`."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec

from sightline.datasets.coco.coco_json import Open, joined
from sightline.datasets.referring.plain_pickle import load_plain
from sightline.errors import InputError
from sightline.files import read_json

BASES = ("", "ref_seg", "refer_seg")
MAX_REFS_BYTES = 512 * 2**20


class Sentence(Open):
    sent_id: int
    sent: str
    raw: str | None = None


class Ref(Open):
    """One object (or group of objects) meant, and the sentences that mean it. In gRefCOCO `ann_id` is a list, [-1] for none."""

    ref_id: int
    ann_id: int | list[int]
    image_id: int
    split: str
    sentences: list[Sentence]


@dataclass(frozen=True)
class ReferSet:
    """One data set of the family: its folder, and its partitions, the usual one first.

    `prefix` stands before "refs" in the files' names; `crowds`: an expression can mean a crowd annotation.
    """

    folder: str
    partitions: tuple[str, ...]
    prefix: str = ""
    crowds: bool = True

    def splits(self, root: Path) -> list[str]:
        """The splits of all partitions that are there."""
        base, files = self.files(root)
        if not files:
            raise InputError(
                f"{root / base} has no {self.prefix}refs({self.partitions[0]}).p (or .json); expected it beside instances.json."
            )
        found = [(name, ref.split) for name, path in files.items() for ref in read_refs(path)]
        return [self._named(name, split) for name, split in dict.fromkeys(found)]

    def files(self, root: Path) -> tuple[str, dict[str, Path]]:
        """The data set's folder from the root, and the expression file of each partition that is there.

        Raises:
            FileNotFoundError: no such root.
            InputError: no instances.json where one is expected.
        """
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder. Give the root that holds {self.folder}/ or ref_seg/{self.folder}/.")
        for base in (joined(base, self.folder) for base in BASES):
            if (root / base / "instances.json").is_file():
                names = [(name, f"{self.prefix}refs({name}){end}") for name in self.partitions for end in (".p", ".json")]
                return base, {name: root / base / file for name, file in names if (root / base / file).is_file()}
        raise InputError(
            f"{root} holds no {self.folder}: expected {self.folder}/instances.json, also below ref_seg/ or refer_seg/."
        )

    def select(self, root: Path, split: str) -> tuple[str, Path, list[Ref]]:
        """The folder, the file and the expressions of a split; "test" takes testA and testB together."""
        base, files = self.files(root)
        for name, path in files.items():
            refs = [ref for ref in read_refs(path) if self._holds(split, name, ref.split)]
            if refs:
                return base, path, refs
        raise InputError(f"{root} has no split {split!r} of {self.folder}; it has {', '.join(self.splits(root))}.")

    def _named(self, partition: str, split: str) -> str:
        return split if partition == self.partitions[0] else f"{partition}-{split}"

    def _holds(self, asked: str, partition: str, split: str) -> bool:
        prefix = self._named(partition, "")
        if not asked.startswith(prefix):
            return False
        asked = asked.removeprefix(prefix)
        if split.startswith("test") and asked.startswith("test"):
            return asked in (split, "test") or (len(asked) == 5 and asked[4] in split[4:])
        return asked == split


def read_refs(path: Path) -> list[Ref]:
    """The expressions of a pickle or JSON file; kept for the next call as long as the file is the same.

    Raises:
        InputError: too large, damaged, or not a list of such records.
    """
    seen = path.stat()
    return _read_refs(path, seen.st_mtime_ns, seen.st_size)


@lru_cache(maxsize=2)
def _read_refs(path: Path, modified_ns: int, size: int) -> list[Ref]:  # noqa: ARG001 - they tell one state of a file from another
    if path.suffix == ".json":
        return read_json(path, list[Ref], max_bytes=MAX_REFS_BYTES)
    try:
        return msgspec.convert(load_plain(path), list[Ref])
    except (msgspec.ValidationError, RecursionError) as error:
        raise InputError(f"{path}: {error}; expected a list of expressions.") from error
