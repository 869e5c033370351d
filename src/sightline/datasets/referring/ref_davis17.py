"""Ref-DAVIS17: expressions for the objects of a DAVIS 2017 tree, joined to it by sequence and object number.

    {root}/DAVIS/...                        the tree (`datasets.davis`); root itself, DAVIS/, davis/ or valid/
    {root}/.../Davis17_annot1.txt           the expressions (`datasets.davis_expressions`), at most two folders down;
                                            without any, DAVIS17_RE_categorization.csv

Each object has up to four expressions: two annotators, who saw the first frame or the full video. The official protocol scores the
four passes apart and takes the mean; the pass is the expression's `kind`, and its id is "annot1/2" for object 2. Where the
unsupervised annotations are there beside the others, they are the labels, as the protocol has it. The splits are those of the tree.

Surprises: expressions of sequences that the split lacks are those of another split, or of none; if none joins, that is an error.
The labels of DAVIS 2016 merge all objects of a sequence into one: where the first of them is no palette picture (its header says
so) and the words mean several objects, the sequence has no expressions here. Otherwise an object number is not checked against the
label pictures, for readers decode none: where no frame has it (five samples, by others' count), the object is absent throughout.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from sightline import picture_header
from sightline.datasets.clips.davis import Davis
from sightline.datasets.clips.frame_folders import problem
from sightline.datasets.referring.davis_expressions import SaidOf, read_lines, read_table
from sightline.errors import InputError
from sightline.files import inside
from sightline.types import Clip, ClipFrame, Expression, Track

TREES = ("", "DAVIS", "davis", "valid")
LINES = "Davis17_annot*.txt"
TABLE = "DAVIS17_RE_categorization.csv"
UNSUPERVISED = "Annotations_unsupervised"
MAX_OBJECT = 254


class RefDavis17:
    """Clips of one split of the tree, in its order, with expressions and the objects that these mean.

    Raises:
        FileNotFoundError: no such root.
        InputError: no tree or no expressions under root, no such split, or expressions of which none joins a sequence.
    """

    def __init__(self, root: Path, split: str) -> None:
        tree = _tree(root)
        self.root = root
        self.split = split
        self._base = f"{tree}/" if tree else ""
        self._davis = Davis(root / tree, split)
        self._paths = _expression_files(root)
        self._said: dict[str, list[SaidOf]] = {}
        for path in self._paths:
            for said in read_lines(path) if path.suffix == ".txt" else read_table(path):
                self._said.setdefault(said.video, []).append(said)
        if not self._said.keys() & set(self._davis.clip_ids()):
            raise InputError(
                f"{self._paths[0]}: none of its {len(self._said)} sequences ({', '.join(sorted(self._said)[:3])}, ...) is in split "
                f"{split!r} of {root / tree}. Expressions and videos are of different data sets."
            )

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The splits of the DAVIS tree."""
        return Davis.splits(root / _tree(root))

    def __len__(self) -> int:
        return len(self._davis)

    def __iter__(self) -> Iterator[Clip]:
        return (self[index] for index in range(len(self)))

    def clip_ids(self) -> list[str]:
        return self._davis.clip_ids()

    def sources(self) -> list[Path]:
        return [*self._paths, *self._davis.sources()]

    def __getitem__(self, index: int) -> Clip:
        clip = self._davis[index]
        said = self._said.get(clip.clip_id, [])
        problems = list(clip.problems)
        if not said:
            problems.append(problem(clip.clip_id, "expressions_missing", "no expression speaks of this sequence"))
        wrong = [each for each in said if not 0 < int(each.object_id) <= MAX_OBJECT]
        if wrong:
            detail = f"{len(wrong)} expressions mean objects that no label is for ({wrong[0].object_id}); objects count from 1"
            problems.append(problem(clip.clip_id, "target_missing", detail))
        said = [each for each in said if each not in wrong]
        numbers = sorted({int(each.object_id) for each in said})
        frames = tuple(self._placed(frame) for frame in clip.frames)
        if numbers[-1:] > [1] and _merged(self.root, frames):
            detail = f"{len(said)} expressions mean objects 1 to {numbers[-1]}, which the labels (not a palette) merge into one"
            problems.append(problem(clip.clip_id, "objects_merged", detail))
            said, numbers = [], []
        return msgspec.structs.replace(
            clip,
            frames=frames,
            tracks=tuple(Track(object_id=str(number), label=number) for number in numbers),
            expressions=tuple(_expressions(said)),
            problems=tuple(problems),
            video_id=f"davis/{clip.clip_id}",
        )

    def _placed(self, frame: ClipFrame) -> ClipFrame:
        labels = frame.labels
        if labels is not None and labels.startswith("Annotations/"):
            other = UNSUPERVISED + labels.removeprefix("Annotations")
            labels = other if (self._davis.root / other).is_file() else labels
        return ClipFrame(
            frame_id=frame.frame_id,
            image=None if frame.image is None else self._base + frame.image,
            labels=None if labels is None else self._base + labels,
        )


def _expressions(said: list[SaidOf]) -> Iterator[Expression]:
    counts: dict[str, int] = {}
    for each in said:
        passed = each.kind if each.kind and each.kind.startswith("annot") else "said"
        name = f"{passed}/{each.object_id}"
        counts[name] = counts.get(name, 0) + 1
        yield Expression(
            expression_id=name if counts[name] == 1 else f"{name}/{counts[name]}",
            text=each.text,
            object_ids=(each.object_id,),
            kind=each.kind,
            traits=each.traits,
        )


def _merged(root: Path, frames: tuple[ClipFrame, ...]) -> bool:
    """Whether the labels have no object numbers, by the header of the first."""
    first = next((frame.labels for frame in frames if frame.labels is not None), None)
    if first is None:
        return False
    try:
        return picture_header.probe(inside(root, first)).mode != "P"
    except InputError:
        return False  # whoever decodes it names it


def _tree(root: Path) -> str:
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder. Give the root that holds the DAVIS tree and the expressions.")
    for place in TREES:
        if any((root / place / name).is_dir() for name in ("Annotations", UNSUPERVISED)):
            return place
    raise InputError(f"{root} holds no DAVIS tree: expected Annotations/ and JPEGImages/ in it or in DAVIS/.")


def _expression_files(root: Path) -> list[Path]:
    for name in (LINES, TABLE):
        for pattern in (name, f"*/{name}", f"*/*/{name}"):
            if found := sorted(root.glob(pattern)):
                return found
    raise InputError(f"{root} holds no expressions: expected {LINES} or {TABLE}, at most two folders down.")
