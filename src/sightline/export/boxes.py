"""Boxes of the masks of a data set by annotation, as the box-Sa2VA pipeline reads them, and its expression file.

    {"123": [[40, 60, 120, 200], null, ...],            by annotation id, one entry a frame of the clip, in pixels of the frame
     "00ab12cd34/1": [[8, 0, 96, 64], ...]}             "{clip}/{object}" where the data set has no annotation ids

    expressions: {"videos": {"00ab12cd34": {"frames": ["00000", "00005"], "expressions": {"0": {"exp": "a penguin on the left",
                  "obj_id": "1", "anno_id": ["00ab12cd34/1"]}}}}}

In a clip with expressions only the objects that they mean have an entry. Boxes come from run-length codes and label pictures
without a bitmap an object. Ends are exclusive (`half-open`); `inclusive` is the older convention, the largest index without + 1.
The format has one word, null, for "not in the frame" and "nothing is known of the frame": the ledger says where it is the second
(`unknown_as_null`), and an object of which nothing is known at all is left out. The expression file is that of Ref-YouTube-VOS with
`anno_id` added, which its publisher leaves out and the pipeline needs.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Literal

from sightline.errors import InputError
from sightline.export.clip_parts import ClipExport, ClipsWritten, Parts, Progress, run_export, write_entries, write_ledger
from sightline.files import whole_file
from sightline.geometry.boxes import Box
from sightline.tasks.clips import SeenClip, SeenTrack
from sightline.taskset.clip_work import ClipSource
from sightline.types import Clip, Expression, LedgerEntry, Record

Convention = Literal["half-open", "inclusive"]
Numbers = tuple[int | float, int | float, int | float, int | float]


class ClipBoxes(Record):
    """The boxes of one clip by annotation, and its expressions."""

    clip_id: str
    frame_ids: tuple[str, ...]
    boxes: dict[str, tuple[Numbers | None, ...]]
    expressions: tuple[Expression, ...]
    entries: tuple[LedgerEntry, ...]


def export_boxes(
    source: ClipSource,
    out: Path,
    *,
    convention: Convention = "half-open",
    expressions: Path | None = None,
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> ClipsWritten:
    """Write the box file `out` and its ledger, and with `expressions` the expression file. The same command goes on.

    Raises:
        FileNotFoundError, InputError: a bad root or split, another export at `out`, no box at all, or two clips with one key.
    """
    options = {"convention": convention, "expressions": None if expressions is None else expressions.name}
    others = () if expressions is None else (str(expressions),)
    export = ClipExport(form="boxes", source=source, out=str(out), options=options, others=others)
    return run_export(
        export,
        partial(clip_boxes, convention=convention),
        ClipBoxes,
        join=lambda parts: _join(parts, export, expressions),
        workers=workers,
        on_progress=on_progress,
    )


def clip_boxes(clip: Clip, root: Path, *, convention: Convention) -> ClipBoxes:
    """The boxes of one clip.

    Raises:
        InputError: `inclusive` is asked for boxes that come from no mask.
    """
    seen = SeenClip(clip, root)
    entries = list(seen.ledger)
    names = _annotation_names(clip, seen.tracks)
    boxes = {}
    for track in (track for track in seen.tracks if track.object_id in names):
        entries += _unknown(clip, track)
        if any(track.known):
            listed = tuple(_numbers(place and place.box, track, convention) for place in track.places)
            boxes.update(dict.fromkeys(names[track.object_id], listed))
    boxless = [said for said in clip.expressions if not boxes.keys() >= set(_annotations(clip.clip_id, said))]
    entries += [_boxless(clip, said) for said in boxless]
    return ClipBoxes(
        clip_id=clip.clip_id,
        frame_ids=tuple(frame.frame_id for frame in clip.frames),
        boxes=boxes,
        expressions=tuple(said for said in clip.expressions if said not in boxless),
        entries=tuple(entries),
    )


def _annotation_names(clip: Clip, tracks: Sequence[SeenTrack]) -> dict[str, list[str]]:
    """The keys of each object that has an entry: its annotation ids, or the clip's name and its own."""
    if not clip.expressions:
        return {track.object_id: [f"{clip.clip_id}/{track.object_id}"] for track in tracks}
    names: dict[str, list[str]] = {}
    for said in clip.expressions:
        for name, object_id in zip(_annotations(clip.clip_id, said), said.object_ids or (), strict=True):
            if name not in names.setdefault(object_id, []):
                names[object_id].append(name)
    return names


def _annotations(clip_id: str, said: Expression) -> tuple[str, ...]:
    """The annotation ids of what an expression means, in the order of its objects; none where that is held back."""
    if not said.object_ids:
        return ()
    return said.annotation_ids or tuple(f"{clip_id}/{object_id}" for object_id in said.object_ids)


def _numbers(box: Box | None, track: SeenTrack, convention: Convention) -> Numbers | None:
    if box is None:
        return None
    x0, y0, x1, y1 = (int(end) if end.is_integer() else end for end in box)
    if convention == "half-open":
        return x0, y0, x1, y1
    if not (track.track.masks or track.track.mask_paths or track.track.label is not None):
        raise InputError(
            f"object {track.object_id} has boxes and no masks, but inclusive ends are indices of mask pixels. Give "
            "--convention half-open."
        )
    return x0, y0, x1 - 1, y1 - 1


def _unknown(clip: Clip, track: SeenTrack) -> Iterator[LedgerEntry]:
    unit, num_known = f"{clip.clip_id}/{track.object_id}", sum(track.known)
    if not num_known:
        yield LedgerEntry(unit=unit, reason="nothing_known", detail=f"none of {len(track.known)} frames is annotated for it")
    elif num_known < len(track.known):
        detail = f"{len(track.known) - num_known} of {len(track.known)} frames are not annotated for it; they are null"
        yield LedgerEntry(unit=unit, reason="unknown_as_null", detail=detail, action="altered")


def _boxless(clip: Clip, said: Expression) -> LedgerEntry:
    detail = f"an object that expression {said.expression_id} means has no boxes"
    return LedgerEntry(unit=f"{clip.clip_id}/{said.expression_id}", reason="target_without_boxes", detail=detail)


def _join(parts: Parts[ClipBoxes], export: ClipExport, expressions: Path | None) -> ClipsWritten:
    out, ledger_path = Path(export.out), export.beside(".ledger.jsonl")
    rows = {}
    with ExitStack() as stack:
        file, ledger = (stack.enter_context(whole_file(path)) for path in (out, ledger_path))
        dropped, altered = write_ledger(ledger, (entry for clip in parts for entry in clip.entries))
        rows[out.name] = write_entries(file, (entry for clip in parts for entry in clip.boxes.items()))
        if not rows[out.name]:
            reasons = ", ".join(f"{reason} {count}" for reason, count in dropped.items()) or "the split has no masks"
            raise InputError(f"{export.source.root}, split {export.source.split!r}: no object has a box. Dropped: {reasons}.")
        if expressions is not None:
            expressions.parent.mkdir(parents=True, exist_ok=True)
            said = stack.enter_context(whole_file(expressions))
            rows[expressions.name] = write_entries(
                said, ((clip.clip_id, _video(clip)) for clip in parts if clip.expressions), name="videos"
            )
    return ClipsWritten(path=str(out), rows=rows, dropped=dropped, altered=altered)


def _video(clip: ClipBoxes) -> dict[str, Any]:
    """One video of the expression file. An object that is meant alone is a string, as its publisher writes it."""
    listed: dict[str, dict[str, Any]] = {}
    for said in clip.expressions:
        listed[said.expression_id] = {"exp": said.text}
        if said.object_ids is not None:
            meant = said.object_ids[0] if len(said.object_ids) == 1 else list(said.object_ids)
            listed[said.expression_id] |= {"obj_id": meant, "anno_id": list(_annotations(clip.clip_id, said))}
    return {"frames": list(clip.frame_ids), "expressions": listed}
