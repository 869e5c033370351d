"""Several data sets as one collection, as `sightline prepare merge` writes it: one record a clip, the pictures as hard links.

    {root}/clips/train/mose_0a1b2c3d.json                   a `Clip` whose id is its source and its name there
    {root}/JPEGImages/mose_0a1b2c3d/00000.jpg               paths in it are from this root
    {root}/Annotations/mose_0a1b2c3d/00000.png              label pictures, where the source has such
    {root}/Masks/sav_sav_000005/000/00000.png               mask pictures of single objects, where it has those
    {root}/merge.json, ledger.jsonl                         the sources; what was left out, written last

Splits are those of the sources.
"""

from collections.abc import Iterator
from pathlib import Path

from sightline.datasets import check_split
from sightline.datasets.clips.frame_folders import subfolders
from sightline.errors import InputError
from sightline.files import inside, read_json
from sightline.types import Clip


class Merged:
    """Clips of one split of all sources.

    Raises:
        FileNotFoundError: no such root.
        InputError: no collection, one that is not finished, or no such split.
    """

    def __init__(self, root: Path, split: str) -> None:
        check_split(root, split, self.splits(root))
        self.root = root
        self.split = split
        self._folder = root / "clips" / split
        self._clip_ids = sorted(path.stem for path in self._folder.glob("*.json") if not path.name.startswith("."))

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The folders of clips."""
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder. Give the folder that `sightline prepare merge` wrote.")
        if not (root / "merge.json").is_file():
            raise InputError(
                f"{root} is not a merged collection: expected merge.json and clips/ in it. See `sightline prepare merge`."
            )
        if not (root / "ledger.jsonl").is_file():
            raise InputError(f"{root}: the merge is not finished. Run the same `sightline prepare merge` again; it goes on.")
        return subfolders(root / "clips")

    def __len__(self) -> int:
        return len(self._clip_ids)

    def __iter__(self) -> Iterator[Clip]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Clip:
        """Raises InputError if the record is damaged."""
        path = inside(self.root, f"clips/{self.split}/{self._clip_ids[index]}.json")
        clip = read_json(path, Clip)
        if (clip.clip_id, clip.split) != (self._clip_ids[index], self.split):
            raise InputError(f"{path}: the record of clip {clip.clip_id!r} of {clip.split!r}. Merge the sources again.")
        return clip

    def clip_ids(self) -> list[str]:
        return list(self._clip_ids)

    def sources(self) -> list[Path]:
        records = [self._folder / f"{clip_id}.json" for clip_id in self._clip_ids]
        folders = [self.root / kind / clip_id for kind in ("JPEGImages", "Annotations", "Masks") for clip_id in self._clip_ids]
        return [*records, *(path for path in folders if path.is_dir())]
