"""Relations as the box-Sa2VA pipeline reads them: expressions, and boxes by annotation id. No picture is needed.

    {name}_absolute_step2.json     {"videos": {"sav_000001": {"frames": ["00000", ..], "start": 0, "end": 57, "expressions": {"0":
                                   {"exp": "left_2", "target_objs": [{"obj_id": 1, "anno_id": 123}], "reference_obj": {"ref_obj_id":
                                   1, "ref_anno_id": 123, "ref_box": [..], "ref_frame": "00000"}, "runs": [[0, 57]],
                                   "among": [1, 2, 4]}}}}}
    {name}_relative_step2.json     the same; "exp" counts from the reference object, to whose box in `ref_frame` the prompt refers
    {name}_switch_step2.json       "expressions": {"0": {"exp": "leftmost", "switches": [{"obj_id", "anno_id", "start_frame"}]}}
    mask_to_box/{name}_absolute_box.json, ..    {"123": [[x1, y1, x2, y2], null, ..]}      one entry a frame, ends exclusive
    {name}_relations.export.json, ledger.jsonl  recipe and counts; what was left out

The pipeline counts among all objects of a clip, and its prompts do not list them. Here they are all labelled ones but those that
are part of another (`among`, an addition); a frame counts only if each that is there may be compared, and what nobody labelled is
out of reach. `frames` are the labelled ones: null means absent. An expression holds in its `runs` (an addition), but the pipeline
knows one window a video: the run in which the most expressions hold throughout, times its length; others are left out
(`outside_window`). The reference's box is that of the window's first frame, which `ref_frame` (an addition) names. In `switch` the
frames in which nobody leads for sure are left out of `frames`, and an object's boxes are null where it does not lead.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import msgspec

import sightline
from sightline.datasets import CLIP_READERS
from sightline.errors import InputError
from sightline.export.relation_windows import Claim, ClipRelations, relations_of
from sightline.files import only_writer, read_json, remove_temporaries, whole_file, write_json, write_whole
from sightline.geometry.boxes import Box
from sightline.tasks.clips import SeenClip
from sightline.tasks.relations.options import RelationOptions
from sightline.taskset.build import fingerprint_source
from sightline.types import LedgerEntry, Record

CLIPS_A_PART = 32
SETS = ("absolute", "relative", "switch")
SetName = Literal["absolute", "relative", "switch"]
Progress = Callable[[int, int], None]


class RelationSource(Record):
    """What is exported: a clip reader's name, its root and split; `prefix` goes before every clip's name."""

    reader: str
    root: str
    split: str
    prefix: str = ""


class RelationBoxes(Record):
    """What was written: videos and expressions by set, and how much of each relation and drop reason the clips hold."""

    path: str
    videos: dict[str, int]
    expressions: dict[str, int]
    counts: dict[str, int]
    dropped: dict[str, int]


class _Note(Record):
    """`{name}_relations.export.json`; `written` is there when the export is complete."""

    source: dict[str, Any]
    options: dict[str, Any]
    fingerprint: str
    sightline: str
    written: RelationBoxes | None = None


class _Part(Record):
    """The finished clips of one part. Annotation ids count from 0 in each clip until the parts are joined."""

    clips: tuple[ClipRelations, ...]


def export_relation_boxes(
    source: RelationSource, out: Path, *, name: str, options: RelationOptions, on_progress: Progress | None = None
) -> RelationBoxes:
    """Write the files below `out`. The same command goes on where it stopped.

    Raises:
        FileNotFoundError, InputError: a bad root or split, an export of other data or options in `out`, or two clips of one name.
    """
    reader = CLIP_READERS[source.reader][0]()(Path(source.root), source.split)
    _, fingerprint = fingerprint_source(reader.sources())
    recipe = msgspec.to_builtins(msgspec.structs.asdict(options))
    plain_source = {key: value for key, value in msgspec.structs.asdict(source).items() if key != "root"}
    note = _Note(source=plain_source, options=recipe, fingerprint=fingerprint, sightline=sightline.__version__)
    parts = out / f".{name}_relations"
    with only_writer(out):
        found = _opened(out / f"{name}_relations.export.json", parts / "plan.json", note)
        if found is not None:
            return msgspec.structs.replace(found, path=str(out))
        for folder in (out, out / "mask_to_box", parts):
            remove_temporaries(folder)
        report = on_progress or (lambda *_: None)
        for first in range(0, len(reader), CLIPS_A_PART):
            path, last = parts / f"{first:08d}.json", min(first + CLIPS_A_PART, len(reader))
            if not path.is_file():
                clips = (SeenClip(reader[index], reader.root) for index in range(first, last))
                write_whole(path, msgspec.json.encode(_Part(clips=tuple(relations_of(clip, options) for clip in clips))))
            report(last, len(reader))
        written = _joined(parts, out, name=name, prefix=source.prefix)
        kept = msgspec.structs.replace(written, path="")  # the file says nothing of this machine
        write_json(out / f"{name}_relations.export.json", msgspec.structs.replace(note, written=kept))
        for path in sorted(parts.iterdir()):
            path.unlink()
        parts.rmdir()
    return written


def _opened(done: Path, plan: Path, note: _Note) -> RelationBoxes | None:
    """The earlier result if it is complete; the plan is written if there is none.

    Raises:
        InputError: what lies there is of other data or options.
    """
    path = done if done.is_file() else plan
    if not path.is_file():
        write_json(plan, note)
        return None
    stored = read_json(path, _Note)
    if msgspec.structs.replace(stored, written=None) != note:
        names = [name for name in ("source", "options", "fingerprint", "sightline") if getattr(stored, name) != getattr(note, name)]
        raise InputError(f"{path}: made with another {', another '.join(names)}. Choose another folder, or delete that file.")
    return stored.written


def _joined(parts: Path, out: Path, *, name: str, prefix: str) -> RelationBoxes:
    """The parts as the pipeline's files, annotations numbered from 1 on, one clip in memory at a time."""
    videos: Counter[str] = Counter(dict.fromkeys(SETS, 0))
    expressions, counts, dropped = Counter[str](), Counter[str](), Counter[str]()
    keys: set[str] = set()
    num_annotations = 0
    (out / "mask_to_box").mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        meta = {kind: _Object(stack, out / f"{name}_{kind}_step2.json", inside="videos") for kind in SETS}
        boxes = {kind: _Object(stack, out / "mask_to_box" / f"{name}_{kind}_box.json") for kind in SETS}
        ledger = stack.enter_context(whole_file(out / "ledger.jsonl"))
        for clip in _clips(parts):
            key = f"{prefix}{clip.clip_id}"
            if key in keys:
                raise InputError(
                    f"two clips are called {key!r}: the pipeline would mix them. Give a --prefix, or export one split."
                )
            keys.add(key)
            for kind in SETS:
                claims = _claims(clip, kind)
                if claims:
                    meta[kind].add(key, _video(clip, kind, claims, num_annotations))
                    for place, track in _tracks(clip, kind):
                        boxes[kind].add(str(num_annotations + place + 1), track)
                    videos[kind] += 1
                    expressions.update(f"{kind}/{claim.expression}" for claim in claims)
            num_annotations += len(clip.object_ids)
            counts.update(clip.counts)
            dropped.update(entry.reason for entry in clip.ledger)
            ledger.writelines(msgspec.json.encode(_prefixed(entry, prefix)) + b"\n" for entry in clip.ledger)
        for written in (*meta.values(), *boxes.values()):
            written.close()
    ordered = [dict(sorted(found.items())) for found in (expressions, counts, dropped)]
    return RelationBoxes(path=str(out), videos=dict(videos), expressions=ordered[0], counts=ordered[1], dropped=ordered[2])


def _clips(parts: Path) -> Iterator[ClipRelations]:
    decoder = msgspec.json.Decoder(_Part)
    for path in sorted(parts.glob("0*.json")):
        yield from decoder.decode(path.read_bytes()).clips


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


class _Object:
    """A JSON object that is written entry by entry and appears whole when the stack ends well."""

    def __init__(self, stack: ExitStack, path: Path, *, inside: str = "") -> None:
        self._file = stack.enter_context(whole_file(path))
        self._end = b"}}\n" if inside else b"}\n"
        self._next = f'{{"{inside}": {{'.encode() if inside else b"{"

    def add(self, key: str, value: object) -> None:
        self._file.write(self._next + b"\n" + msgspec.json.encode(key) + b": " + msgspec.json.encode(value))
        self._next = b","

    def close(self) -> None:
        self._file.write((b"" if self._next == b"," else self._next) + b"\n" + self._end)
