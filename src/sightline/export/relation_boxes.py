"""Relations as the box-Sa2VA pipeline reads them: expressions, and boxes by annotation id. No picture is needed.

    {name}_absolute_step2.json     {"videos": {"sav_000001": {"frames": ["00000", ..], "start": 0, "end": 57, "expressions": {"0":
                                   {"exp": "left_2", "target_objs": [{"obj_id": 1, "anno_id": 123}], "reference_obj": {"ref_obj_id":
                                   1, "ref_anno_id": 123, "ref_box": [..], "ref_frame": "00000"}, "runs": [[0, 57]],
                                   "among": [1, 2, 4]}}}}}
    {name}_relative_step2.json     the same; "exp" counts from the reference object, to whose box in `ref_frame` the prompt refers
    {name}_switch_step2.json       "expressions": {"0": {"exp": "leftmost", "switches": [{"obj_id", "anno_id", "start_frame"}]}}
    mask_to_box/{name}_absolute_box.json, ..    {"123": [[x1, y1, x2, y2], null, ..]}      one entry a frame, ends exclusive
    {name}_relations.export.json, {name}_relations.ledger.jsonl     recipe and counts; what was left out

The pipeline counts among all objects of a clip, and its prompts do not list them. Here they are all labelled ones but those that
are part of another (`among`, an addition); a frame counts only if each that is there may be compared, and what nobody labelled is
out of reach. `frames` are the labelled ones: null means absent. An expression holds in its `runs` (an addition), but the pipeline
knows one window a video: the run in which the most expressions hold throughout, times its length; others are left out
(`outside_window`). The reference's box is that of the window's first frame, which `ref_frame` (an addition) names. In `switch` the
frames in which nobody leads for sure are left out of `frames`, and an object's boxes are null where it does not lead.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from sightline.export.clip_parts import ClipExport, ClipsWritten, Parts, Progress, run_export, write_entries, write_ledger
from sightline.export.relation_windows import Claim, ClipRelations, relations_of
from sightline.files import whole_file
from sightline.geometry.boxes import Box
from sightline.tasks.clips import SeenClip
from sightline.tasks.relations.options import RelationOptions
from sightline.taskset.clip_work import ClipSource
from sightline.types import Clip, LedgerEntry, Record

SetName = Literal["absolute", "relative", "switch"]
SETS: tuple[SetName, ...] = ("absolute", "relative", "switch")


class RelationSource(Record):
    """What is exported: a clip reader's name, its root and split; `prefix` goes before every clip's name."""

    reader: str
    root: str
    split: str
    prefix: str = ""


class _Numbered(NamedTuple):
    """A clip with the name it has in the files, and the number of annotations in the clips before it."""

    key: str
    clip: ClipRelations
    offset: int


def export_relation_boxes(
    source: RelationSource,
    out: Path,
    *,
    name: str,
    options: RelationOptions,
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> ClipsWritten:
    """Write the files below `out`. The same command goes on where it stopped. The result counts `expressions` by set, and the
    `relations` that the clips hold.

    Raises:
        FileNotFoundError, InputError: a bad root or split, an export of other data or options in `out`, or two clips of one name.
    """
    meta = {kind: out / f"{name}_{kind}_step2.json" for kind in SETS}
    boxes = {kind: out / "mask_to_box" / f"{name}_{kind}_box.json" for kind in SETS}
    first, *others = (str(path) for path in (*meta.values(), *boxes.values()))
    export = ClipExport(
        form="relations-boxes",
        source=ClipSource(reader=source.reader, root=source.root, split=source.split),
        out=first,
        options={**msgspec.to_builtins(msgspec.structs.asdict(options)), "prefix": source.prefix},
        others=tuple(others),
        stem=f"{name}_relations",
    )

    def join(parts: Parts[ClipRelations]) -> ClipsWritten:
        written = _count(parts, source.prefix, export.beside(".ledger.jsonl"))
        boxes["absolute"].parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            for kind in SETS:
                files = [stack.enter_context(whole_file(path)) for path in (meta[kind], boxes[kind])]
                written.rows[meta[kind].name] = write_entries(files[0], _videos(parts, source.prefix, kind), name="videos")
                write_entries(files[1], _boxes(parts, source.prefix, kind))
        return msgspec.structs.replace(written, path=str(out))

    work = partial(_relations, options=options)
    return run_export(export, work, ClipRelations, join=join, workers=workers, on_progress=on_progress)


def _relations(clip: Clip, root: Path, *, options: RelationOptions) -> ClipRelations:
    return relations_of(SeenClip(clip, root), options)


def _count(parts: Parts[ClipRelations], prefix: str, ledger_path: Path) -> ClipsWritten:
    """Write the ledger and count what the clips hold."""
    expressions, relations = Counter[str](), Counter[str]()
    for clip in parts:
        relations.update(clip.counts)
        expressions.update(f"{kind}/{claim.expression}" for kind in SETS for claim in _claims(clip, kind))
    with whole_file(ledger_path) as file:
        dropped, altered = write_ledger(file, (_prefixed(entry, prefix) for clip in parts for entry in clip.ledger))
    counts = {"expressions": dict(sorted(expressions.items())), "relations": dict(sorted(relations.items()))}
    return ClipsWritten(path="", rows={}, dropped=dropped, altered=altered, counts=counts)


def _numbered(parts: Parts[ClipRelations], prefix: str) -> Iterator[_Numbered]:
    offset = 0
    for clip in parts:
        yield _Numbered(f"{prefix}{clip.clip_id}", clip, offset)
        offset += len(clip.object_ids)


def _videos(parts: Parts[ClipRelations], prefix: str, kind: SetName) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, clip, offset in _numbered(parts, prefix):
        if claims := _claims(clip, kind):
            yield key, _video(clip, kind, claims, offset)


def _boxes(parts: Parts[ClipRelations], prefix: str, kind: SetName) -> Iterator[tuple[str, list[list[int] | None]]]:
    """Annotations are numbered from 1 on."""
    for _, clip, offset in _numbered(parts, prefix):
        if _claims(clip, kind):
            yield from ((str(offset + place + 1), track) for place, track in _tracks(clip, kind))


def _prefixed(entry: LedgerEntry, prefix: str) -> LedgerEntry:
    return msgspec.structs.replace(entry, unit=f"{prefix}{entry.unit}")


def _claims(clip: ClipRelations, kind: str) -> tuple[Claim, ...]:
    if kind == "switch":
        return () if clip.switch is None else (clip.switch,)
    return clip.absolute if kind == "absolute" else clip.relative


def _video(clip: ClipRelations, kind: str, claims: tuple[Claim, ...], offset: int) -> dict[str, Any]:
    """One entry of `videos`."""
    if kind == "switch":
        claim = claims[0]
        stems = [clip.frame_ids[frame] for frame in claim.frames]
        switches = [
            _object(clip, place, offset) | {"start_frame": f"{clip.frame_ids[frame]}.jpg"}
            for place, frame in zip(claim.leaders, claim.starts, strict=True)
        ]
        expressions: dict[str, Any] = {"0": {"exp": claim.expression, "switches": switches}}
        return {"frames": stems, "start": 0, "end": len(stems) - 1, "expressions": expressions}
    start, end = clip.windows[kind]
    expressions = {
        str(number): {
            "exp": claim.expression,
            "target_objs": [_object(clip, claim.target, offset)],
            "reference_obj": _reference(clip, claim, start, offset),
            "runs": [list(run) for run in claim.runs],
            "among": [_object(clip, place, offset)["obj_id"] for place in clip.among],
        }
        for number, claim in enumerate(claims)
    }
    return {"frames": list(clip.frame_ids), "start": start, "end": end, "expressions": expressions}


def _object(clip: ClipRelations, place: int, offset: int) -> dict[str, Any]:
    """An object's own number where it has one, else its place counted from 1, and its annotation id."""
    name = clip.object_ids[place]
    return {"obj_id": int(name) if name.isdecimal() else place + 1, "anno_id": offset + place + 1}


def _reference(clip: ClipRelations, claim: Claim, start: int, offset: int) -> dict[str, Any]:
    """The reference object; of an absolute expression, which needs none but whose reader asks for one, the target itself."""
    place = claim.target if claim.reference is None else claim.reference
    named = _object(clip, place, offset)
    box = clip.boxes[place][start]
    assert box is not None, "an expression holds where its objects may be compared"
    return {
        "ref_obj_id": named["obj_id"],
        "ref_anno_id": named["anno_id"],
        "ref_box": _whole(box),
        "ref_frame": clip.frame_ids[start],
    }


def _tracks(clip: ClipRelations, kind: str) -> Iterator[tuple[int, list[list[int] | None]]]:
    """Each object's boxes over the set's frames."""
    for place, track in enumerate(clip.boxes):
        if kind != "switch":
            yield place, [None if box is None else _whole(box) for box in track]
            continue
        assert clip.switch is not None, "only clips with a switch come here"
        leading = zip(clip.switch.frames, clip.switch.leader_at, strict=True)
        boxes = [track[frame] if leader == place else None for frame, leader in leading]
        if any(boxes):
            yield place, [None if box is None else _whole(box) for box in boxes]


def _whole(box: Box) -> list[int]:
    """Boxes of masks have whole numbers; those of other annotations are rounded."""
    return [round(end) for end in box]
