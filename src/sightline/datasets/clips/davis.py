"""DAVIS 2016 and 2017: one folder a sequence, a JPEG and a label PNG a frame.

    {root}/JPEGImages/480p/blackswan/00000.jpg
    {root}/Annotations/480p/blackswan/00000.png     2017: palette, index = object, 255 = void; 2016: grey, 0 and 255
    {root}/ImageSets/2017/val.txt                   2017: one sequence a line
    {root}/ImageSets/480p/val.txt                   2016: one frame a line, picture and labels:
                                                    "/JPEGImages/480p/blackswan/00000.jpg /Annotations/480p/blackswan/00000.png"

The splits are the lists of the first of ImageSets/2017, ImageSets/2016, ImageSets/480p that is there (a full DAVIS 2017 has the
first two, whose names collide), or "all" where there is no list. Resolution: 480p if present, else the only one. The unsupervised
package calls its folder Annotations_unsupervised. Surprises: lists name files and sequences that are not on disk; `test-dev` has
labels of the first frame only; a 2016 list names frames, but all frames on disk are read. Sequences and frames that are not usable
stand in `problems`, one entry a reason. Void hides an object: where it is not seen in a frame with void, nothing is known of it.
Rate: 24 frames a second. Source: davischallenge.org, fperazzi/davis, davisvideochallenge/davis2017-evaluation.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from sightline.datasets import check_split
from sightline.datasets.clips.frame_folders import FrameFolders, folder_problems, problem, some
from sightline.errors import InputError
from sightline.types import Clip

EVERYTHING = "all"
SEQUENCE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
LISTED_FRAME = re.compile(r"/?JPEGImages/[^/\s]+/(?P<sequence>[^/\s]+)/(?P<frame>\d{1,12})\.jpg(\s+\S+)*")
FRAMES_A_SECOND = 24.0
MAX_LIST_BYTES = 64 * 2**20


class Davis:
    """Clips of one split of a DAVIS tree.

    Raises:
        FileNotFoundError: no such root.
        InputError: no DAVIS tree, no such split, a list that is not one, or no sequence in it.
    """

    def __init__(self, root: Path, split: str) -> None:
        check_split(root, split, self.splits(root))
        self.root = root
        self.split = split
        self._annotations, self._resolution = _annotation_folder(root)
        self._folders = FrameFolders(root, f"JPEGImages/{self._resolution}", f"{self._annotations}/{self._resolution}")
        # the frames that the split's list names, by sequence; none where the list names sequences
        self._listed = self._read_list()
        self._sequences = sorted(self._listed)
        if not self._sequences:
            raise InputError(f"{root}: split {split!r} has no sequence.")

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The names of the lists under ImageSets, or "all"."""
        _, resolution = _annotation_folder(root)
        return sorted(path.stem for path in _lists(root, resolution)) or [EVERYTHING]

    def __len__(self) -> int:
        return len(self._sequences)

    def __iter__(self) -> Iterator[Clip]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Clip:
        sequence = self._sequences[index]
        frames = self._folders.frames(sequence)
        listed = self._listed[sequence]
        here = {int(frame.frame_id) for frame in frames if frame.image}
        absent = [f"{frame}.jpg" for frame in listed if int(frame) not in here]
        problems = folder_problems(sequence, frames)
        if frames and absent and all(entry.reason != "picture_missing" for entry in problems):
            detail = some(absent, of=len(listed), what="listed pictures are absent")
            problems.append(problem(sequence, "listed_but_absent", detail))
        return Clip(
            clip_id=sequence,
            split=self.split,
            frames=frames,
            problems=tuple(problems),
            fps=FRAMES_A_SECOND,
            video_id=f"davis/{sequence}",
        )

    def clip_ids(self) -> list[str]:
        return list(self._sequences)

    def sources(self) -> list[Path]:
        return [*_lists(self.root, self._resolution), *self._folders.sources(self._sequences)]

    def _read_list(self) -> dict[str, list[str]]:
        lists = {path.stem: path for path in _lists(self.root, self._resolution)}
        if self.split not in lists:
            folders = [self.root / self._annotations / self._resolution, self.root / "JPEGImages" / self._resolution]
            found = {path.name for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_dir()}
            return {name: [] for name in found if SEQUENCE.fullmatch(name)}
        path = lists[self.split]
        if path.stat().st_size > MAX_LIST_BYTES:
            raise InputError(f"{path}: a list of {path.stat().st_size:,} bytes; at most {MAX_LIST_BYTES:,} are read.")
        listed: dict[str, list[str]] = {}
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            words = line.strip()
            frame = LISTED_FRAME.fullmatch(words)
            sequence = frame["sequence"] if frame else words
            if not words:
                continue
            if not SEQUENCE.fullmatch(sequence):
                raise InputError(
                    f"{path}, line {number}: {words[:80]!r}; expected a sequence's name, or "
                    "/JPEGImages/{res}/{seq}/00000.jpg /Annotations/{res}/{seq}/00000.png. Mend or remove the line."
                )
            listed.setdefault(sequence, []).extend([frame["frame"]] if frame else [])
        return listed


def _annotation_folder(root: Path) -> tuple[str, str]:
    """The name of the annotation folder, and the resolution that is read."""
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder. Give the root that holds JPEGImages/ and Annotations/.")
    for name in ("Annotations", "Annotations_unsupervised"):
        if (root / name).is_dir():
            resolutions = sorted(path.name for path in (root / name).iterdir() if path.is_dir())
            if "480p" in resolutions:
                return name, "480p"
            if len(resolutions) == 1:
                return name, resolutions[0]
            found = ", ".join(resolutions[:8]) or "nothing"
            raise InputError(f"{root / name}: expected a folder 480p, or one folder of another resolution; it holds {found}.")
    raise InputError(f"{root} is not a DAVIS tree: expected the folders JPEGImages/ and Annotations/ in it.")


def _lists(root: Path, resolution: str) -> Sequence[Path]:
    for name in ("2017", "2016", resolution):
        if found := sorted((root / "ImageSets" / name).glob("*.txt")):
            return found
    return []
