"""The masks of a data set of clips as label pictures or object pictures: the way back from a COCO-style video JSON.

Layouts are those of `export.track_masks`: `palette` into ROOT/Annotations is what the readers of DAVIS, MOSE and YouTube-VOS
expect, `objects` what that of SA-V does. A picture says of every object whether it is there. So a frame in which anything is
unknown gets none and goes to the ledger (`not_wholly_labelled`); so does a frame that cannot be used.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from sightline.errors import InputError
from sightline.export.clip_parts import Progress
from sightline.export.track_masks import ClipTracks, Layout, TracksWritten, write_tracks
from sightline.files import whole_file
from sightline.tasks.clips import SeenClip
from sightline.taskset.clip_work import ClipSource
from sightline.types import LedgerEntry

LEDGER = "ledger.jsonl"


def export_data_masks(source: ClipSource, out: Path, *, layout: Layout, on_progress: Progress | None = None) -> TracksWritten:
    """Fill the folder `out`, one clip after the other; the same command goes on where it stopped. OUT/ledger.jsonl is written last.

    Raises:
        FileNotFoundError, InputError: a bad root or split, another export in `out`, or masks that cannot be written in this layout.
    """
    reader, root = source.open(), Path(source.root)
    ledger: list[LedgerEntry] = []
    done: list[str] = []

    def clips() -> Iterator[ClipTracks]:
        for index in range(len(reader)):
            seen = SeenClip(reader[index], root)
            ledger.extend(seen.ledger)
            if tracks := labelled_tracks(seen, ledger):
                yield tracks
            done.append(seen.clip.clip_id)
            if on_progress:
                on_progress(len(done), len(reader))

    said = {"data": source.reader, "split": source.split, "root": str(root.resolve())}
    written = write_tracks(out, clips(), layout=layout, source=said)
    if not written.num_videos:
        raise InputError(f"{root}, split {source.split!r}: no clip has a frame in which all masks are known.")
    with whole_file(out / LEDGER) as file:
        for entry in ledger:
            file.write(msgspec.json.encode(entry) + b"\n")
    return written


def labelled_tracks(seen: SeenClip, ledger: list[LedgerEntry]) -> ClipTracks | None:
    """The masks of the frames in which every object is known; None where there is no such frame. Others go to the ledger.

    Raises:
        InputError: these frames differ in size.
    """
    clip = seen.clip
    tracks = [track for track in seen.tracks if track.track.masks or track.track.mask_paths or track.track.label is not None]
    frames = [place for place, size in enumerate(seen.sizes) if size and tracks and all(track.known[place] for track in tracks)]
    if len(frames) < len(clip.frames):
        detail = f"{len(clip.frames) - len(frames)} of {len(clip.frames)} frames"
        ledger.append(LedgerEntry(unit=clip.clip_id, reason="not_wholly_labelled", detail=detail))
    sizes = sorted({size for place in frames if (size := seen.sizes[place])})
    if not sizes:
        return None
    if len(sizes) > 1:
        raise InputError(f"{seen.root}, clip {clip.clip_id!r}: frames of several sizes (width, height): {sizes}. A clip has one.")
    width, height = sizes[0]
    return ClipTracks(
        video=clip.clip_id,
        frames=[clip.frames[place].frame_id for place in frames],
        size=(height, width),
        tracks={track.object_id: [seen.mask(track, place) for place in frames] for track in tracks},
        pictures=[clip.frames[place].image or f"{clip.clip_id}/{clip.frames[place].frame_id}.jpg" for place in frames],
        categories={track.object_id: track.track.category for track in tracks if track.track.category},
    )
