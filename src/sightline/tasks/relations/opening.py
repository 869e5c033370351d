"""How every relation task begins: the clip's facts, and what of it cannot be asked about."""

from collections.abc import Callable, Iterable, Iterator

from sightline.errors import InputError
from sightline.tasks.clips import SeenClip
from sightline.tasks.crossview import Outcome
from sightline.tasks.footage import ClipOptions
from sightline.tasks.pictures import Studio
from sightline.tasks.relations.asking import ClipAsker, TwinSet
from sightline.tasks.relations.facts import ledger_of
from sightline.tasks.relations.options import RelationOptions
from sightline.types import LedgerEntry

MIN_SHOWN = 2
Found = Iterable[TwinSet | LedgerEntry]


def pose_found(asker: ClipAsker, task: str, find: Callable[[ClipAsker], Found]) -> Iterator[Outcome]:
    """The examples of the sets that `find` gives, after what is left out; nothing else of a clip that cannot be asked about."""
    yield from dropped(asker)
    if clip_fault(asker):
        return
    sets: list[TwinSet] = []
    for found in find(asker):
        if isinstance(found, TwinSet):
            sets.append(found)
        else:
            yield found
    yield from asker.pose(task, sets)


def pose_filmed(asker: ClipAsker, task: str, find: Callable[[ClipAsker, tuple[int, ...]], Found]) -> Iterator[Outcome]:
    """As `pose_found`, of questions about the whole clip: `find` is given the frames they show."""

    def in_film(asker: ClipAsker) -> Found:
        frames = film(asker)
        return [frames] if isinstance(frames, LedgerEntry) else find(asker, frames)

    return pose_found(asker, task, in_film)


def open_clip(seen: SeenClip, studio: Studio, options: ClipOptions) -> ClipAsker:
    """The clip as relation tasks see it.

    Raises:
        InputError: the options are those of another family of tasks.
    """
    if not isinstance(options, RelationOptions):
        raise InputError(f"relation tasks take RelationOptions, not {type(options).__name__}: use `sightline build relations`.")
    return ClipAsker(seen, studio, options)


def dropped(asker: ClipAsker) -> Iterator[LedgerEntry]:
    """What the rules and names leave out, and why nothing can be asked of the clip, if so."""
    yield from ledger_of(asker.facts)
    yield from asker.names.ledger
    if fault := clip_fault(asker):
        yield drop(asker, "", *fault)


def clip_fault(asker: ClipAsker) -> tuple[str, str] | None:
    """Why nothing can be asked of the clip: no picture, pictures of several sizes (which have no common left and right)."""
    if not asker.shown:
        return "no_picture", "no labelled frame of the clip has a picture that can be shown"
    sizes = {asker.seen.sizes[frame] for frame in asker.shown}
    if len(sizes) > 1:
        return "size_changes", f"the pictures have several sizes: {sorted(size for size in sizes if size)}"
    return None


def film(asker: ClipAsker) -> tuple[int, ...] | LedgerEntry:
    """The frames that questions about the clip show, or why there can be no such question: `single_frame`, `too_many_frames`."""
    try:
        frames = asker.clip_frames()
    except InputError as error:
        return drop(asker, "", "too_many_frames", str(error))
    return frames if len(frames) >= MIN_SHOWN else drop(asker, "", "single_frame", "nothing changes in one frame")


def drop(asker: ClipAsker, unit: str, reason: str, detail: str) -> LedgerEntry:
    """An entry about one object, pair or frame of the clip."""
    clip_id = asker.seen.clip.clip_id
    return LedgerEntry(unit=f"{clip_id}/{unit}" if unit else clip_id, reason=reason, detail=detail)
