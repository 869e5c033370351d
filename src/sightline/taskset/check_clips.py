"""What is wrong with a data set of clips, before anyone spends time on it.

Of every picture the header and the end are read, and every run-length code. Label pictures are decoded as far as questions are
open: the first of each clip, and others until each object has been seen. `full` decodes all label and mask pictures.
docs/check-data.md lists the reasons; those of the readers come through as they are. An entry with action "dropped" is an error,
"altered" a note.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sightline import media
from sightline.datasets import CLIP_READERS
from sightline.errors import InputError
from sightline.files import inside
from sightline.geometry.label_maps import label_regions
from sightline.geometry.masks import MAX_MASK_PIXELS, rle_area
from sightline.taskset.check_files import LABEL_MODES, FileCheck
from sightline.taskset.clip_work import ClipSource, chunks_of, over_clips
from sightline.types import Clip, ClipFrame, LedgerEntry, MaskRle, Record, Track

if TYPE_CHECKING:
    from sightline.taskset.lint import Lint

VOID = 255
CHUNK = 16
CHUNKS_A_PROCESS = 8  # below that starting one takes longer than its work, as long as nothing is decoded
NAMED = 5
Size = tuple[int, int]


class CheckedClip(Record):
    """What one clip counts, and what is wrong with it."""

    counts: dict[str, int]
    entries: tuple[LedgerEntry, ...]


def lint_clips(
    reader: str,
    root: Path,
    *,
    full: bool = False,
    workers: int | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> "Lint":
    """Check every clip of every split below `root`; `workers` None: as many processes as pay.

    Raises:
        FileNotFoundError, InputError: the root cannot be read at all.
    """
    from sightline.taskset.lint import Lint  # noqa: PLC0415 - brings all tasks, which the processes can do without

    report = on_progress or (lambda *_: None)
    counts: dict[str, dict[str, int]] = {}
    found: list[LedgerEntry] = []
    for split in CLIP_READERS[reader][0]().splits(root):
        source = ClipSource(reader=reader, root=str(root), split=split)
        names = source.open().clip_ids()
        total: Counter[str] = Counter(clips=len(names))
        twice = [name for name, count in Counter(names).items() if count > 1]
        found += [LedgerEntry(unit=name, reason="id_twice", detail="two clips of the split have this name") for name in twice]
        chunks = chunks_of(len(names), CHUNK)
        paying = workers or min(os.cpu_count() or 1, len(chunks) if full else 1 + len(chunks) // CHUNKS_A_PROCESS)
        for chunk, clips in over_clips(source, partial(check_clip, full=full), chunks, workers=paying):
            for clip in clips:
                total.update(clip.counts)
                found += clip.entries
            report(split, chunk.stop, len(names))
        counts[split] = dict(total)
    errors = tuple(entry for entry in found if entry.action == "dropped")
    return Lint(counts=counts, problems=errors, notes=tuple(entry for entry in found if entry.action == "altered"))


def check_clip(clip: Clip, root: Path, *, full: bool) -> CheckedClip:
    """Counts and problems of one clip."""
    entries = list(clip.problems)
    files = FileCheck(root, entries)
    sizes = [_frame_size(files, clip, frame) for frame in clip.frames]
    labels = _Labels(files, clip)
    seen = {
        track.object_id: _is_labelled(clip, track, labels)
        if track.label is not None
        else _see_track(files, clip, track, sizes=sizes, full=full)
        for track in clip.tracks
    }
    for position in range(len(clip.frames)) if full else labels.first():
        labels.shown(position)
    _check_ids(files, clip)
    _check_expressions(files, clip, seen)
    labels.report_unlisted()
    return CheckedClip(counts=dict(_counts(clip, labels, full=full)), entries=tuple(entries))


def _frame_size(files: FileCheck, clip: Clip, frame: ClipFrame) -> Size | None:
    """(width, height) of a frame: its picture's, else its labels', else what the annotation says."""
    unit = f"{clip.clip_id}/{frame.frame_id}"
    declared = (clip.width, clip.height) if clip.width and clip.height else None
    picture = files.header(unit, frame.image) if frame.image else None
    if frame.image and picture:
        files.same_size(unit, (picture.width, picture.height), declared, what="the picture", path=frame.image)
    size = (picture.width, picture.height) if picture else declared
    header = files.label_header(unit, frame.labels) if frame.labels else None
    if header is None:
        return size
    files.same_size(unit, (header.width, header.height), size, what="the label picture", path=frame.labels)
    return size or (header.width, header.height)


class _Labels:
    """The numbers that a clip's label pictures show, decoded when they are asked for."""

    def __init__(self, files: FileCheck, clip: Clip) -> None:
        self._files, self._clip = files, clip
        self._shown: dict[int, frozenset[int]] = {}
        self.unread: set[int] = set()
        listed = {track.label for track in clip.tracks if track.label is not None}
        self._listed = listed if clip.tracks else None

    def first(self) -> Sequence[int]:
        """The position of the first frame with labels."""
        return [position for position, frame in enumerate(self._clip.frames) if frame.labels][:1]

    def shown(self, position: int) -> frozenset[int]:
        """The numbers in one frame but 0 and void; none if there are no labels or they cannot be read."""
        path = self._clip.frames[position].labels
        if path is None:
            return frozenset()
        if position not in self._shown:
            self._shown[position] = self._read(position, path) - {VOID}
        return self._shown[position]

    @property
    def numbers(self) -> set[int]:
        """All that were seen."""
        return {number for numbers in self._shown.values() for number in numbers}

    def report_unlisted(self) -> None:
        """`unlisted_label` for numbers that are none of the clip's objects."""
        if self._listed is not None and (extra := sorted(self.numbers - self._listed)):
            detail = f"label pictures show {_some(extra)}, which the annotation does not list: these pixels are not used"
            self._files.note(self._clip.clip_id, "unlisted_label", detail)

    def _read(self, position: int, path: str) -> frozenset[int]:
        if any(entry.path == path and entry.reason != "size_mismatch" for entry in self._files.entries):
            self.unread.add(position)  # its header has told why already
            return frozenset()
        try:
            return frozenset(label_regions(media.read_labels(inside(self._files.root, path))))
        except InputError as error:
            unit = f"{self._clip.clip_id}/{self._clip.frames[position].frame_id}"
            self._files.add(unit, "unreadable", str(error), path)
            self.unread.add(position)
            return frozenset()


def _see_track(files: FileCheck, clip: Clip, track: Track, *, sizes: Sequence[Size | None], full: bool) -> bool | None:
    """Check an object's own masks and boxes. Whether some frame shows it; None where nothing says so that can be read."""
    for values, what in ((track.masks, "masks"), (track.mask_paths, "mask pictures"), (track.boxes, "boxes")):
        if values and len(values) != len(clip.frames):
            detail = f"{len(values)} {what} for {len(clip.frames)} frames"
            files.add(f"{clip.clip_id}/{track.object_id}", "masks_do_not_fit", detail)
            return None
    shown: list[bool | None] = []
    for position, frame in enumerate(clip.frames):
        unit, size = f"{clip.clip_id}/{frame.frame_id}/{track.object_id}", sizes[position]
        if track.masks and (code := track.masks[position]):
            shown.append(_check_code(files, unit, code, size))
        if track.mask_paths and (path := track.mask_paths[position]):
            shown.append(_check_mask_file(files, unit, path, size, full=full))
        if track.boxes and (box := track.boxes[position]):
            shown.append(True)
            if size and not (box[0] < size[0] and box[1] < size[1] and box[2] > 0 and box[3] > 0):
                files.add(unit, "box_outside", f"the box {box} lies outside its picture of {size[0]}x{size[1]} pixels")
    if any(shown):
        return True
    return None if None in shown or not (track.masks or track.mask_paths or track.boxes) else False


def _check_code(files: FileCheck, unit: str, code: MaskRle, size: Size | None) -> bool | None:
    """Whether the mask has a pixel; None if the code is not sound."""
    if code.width < 1 or not 0 < code.width * code.height <= MAX_MASK_PIXELS:
        detail = f"a mask code of {code.width}x{code.height}; between 1 and {MAX_MASK_PIXELS:,} pixels are read"
        files.add(unit, "absurd_mask_size", detail)
        return None
    files.same_size(unit, (code.width, code.height), size, what="the mask", path=None)
    try:
        return rle_area(code) > 0
    except InputError as error:
        files.add(unit, "bad_mask", str(error))
        return None


def _check_mask_file(files: FileCheck, unit: str, path: str, size: Size | None, *, full: bool) -> bool | None:
    """Whether the mask has a pixel; None if it was not decoded, or cannot be."""
    header = files.header(unit, path)
    if header is None:
        return None
    files.same_size(unit, (header.width, header.height), size, what="the mask", path=path)
    if not full and header.mode in LABEL_MODES:
        return None
    try:
        return bool(media.read_mask(inside(files.root, path)).any())
    except InputError as error:
        files.add(unit, "unreadable", str(error), path)
        return None


def _is_labelled(clip: Clip, track: Track, labels: _Labels) -> bool | None:
    """Whether some label picture shows the object; None where none that can be read is annotated for it."""
    known = track.annotated if track.annotated is not None else range(len(clip.frames))
    frames = [position for position in known if clip.frames[position].labels]
    if any(track.label in labels.shown(position) for position in frames):
        return True
    return False if frames and not labels.unread.intersection(frames) else None


def _check_ids(files: FileCheck, clip: Clip) -> None:
    """An id that stands twice: which of the two is meant cannot be told."""
    lists = {
        "frames": [frame.frame_id for frame in clip.frames],
        "objects": [track.object_id for track in clip.tracks],
        "expressions": [expression.expression_id for expression in clip.expressions],
    }
    for what, names in lists.items():
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            files.add(clip.clip_id, "id_twice", f"several {what} are called {_some(twice)}")


def _check_expressions(files: FileCheck, clip: Clip, seen: dict[str, bool | None]) -> None:
    meant: set[str] = set()
    for said in clip.expressions:
        unit = f"{clip.clip_id}/{said.expression_id}"
        targets = said.object_ids or ()
        meant.update(targets)
        if not said.text.strip():
            files.add(unit, "empty_text", "the expression has no words")
        if lost := [name for name in targets if name not in seen]:
            files.add(unit, "target_missing", f"it means {_some(lost)}, which the clip does not have")
        if targets and all(seen.get(name) is False for name in targets):
            files.add(unit, "target_never_shown", f"no frame shows {_some(targets)}, which it means")
        if said.span is not None and not 0 <= said.span[0] < said.span[1] <= len(clip.frames):
            files.add(unit, "span_outside", f"frames {said.span[0]} to {said.span[1]} of a clip of {len(clip.frames)}")
    for name in [name for name, shown in seen.items() if shown is False and name not in meant]:
        files.note(f"{clip.clip_id}/{name}", "object_never_shown", "the annotation lists it, and no frame shows it")


def _counts(clip: Clip, labels: _Labels, *, full: bool) -> Iterator[tuple[str, int]]:
    yield "frames", len(clip.frames)
    yield "pictures", sum(frame.image is not None for frame in clip.frames)
    yield "annotated frames", len(_annotated(clip))
    if clip.tracks:
        yield "objects", len(clip.tracks)
    elif any(frame.labels for frame in clip.frames):
        yield "objects" if full else "objects in first labels", len(labels.numbers)
    if clip.tracks:
        yield "mask codes", sum(code is not None for track in clip.tracks for code in track.masks)
        yield "mask pictures", sum(path is not None for track in clip.tracks for path in track.mask_paths)
    yield "label pictures", sum(frame.labels is not None for frame in clip.frames)
    yield "expressions", len(clip.expressions)
    yield "expressions without target", sum(said.object_ids == () for said in clip.expressions)
    yield "expressions with hidden target", sum(said.object_ids is None for said in clip.expressions)


def _annotated(clip: Clip) -> set[int]:
    """The positions of the frames in which something is known of some object."""
    labelled = {position for position, frame in enumerate(clip.frames) if frame.labels}
    if not clip.tracks:
        return labelled
    found: set[int] = set()
    for track in clip.tracks:
        known = set(range(len(clip.frames))) if track.annotated is None else set(track.annotated)
        found |= known & labelled if track.label is not None else known
    return found


def _some(names: Sequence[object]) -> str:
    return ", ".join(map(str, names[:NAMED])) + (", ..." if len(names) > NAMED else "")
