"""Names for the objects of clips, from a model that speaks: each object once, in a crop of the frame that shows it best.

    {"format": 1, "data": "sav", "model": "qwen3-vl", "clips": {"sav_000001": {"0": "wooden chair", "4": "man in a blue shirt"}}}

The frame is the one with the object's largest box that touches no border (else its largest); the crop has half of the box's
longer side around it, and the object in a red box. What is answered is kept as it is, in one line without quotation marks;
whether a name can be used in a question (unique, without left and right) is decided where it is used. Objects without a picture
and answers that are no name go to the ledger beside the file.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from jaxtyping import UInt8

from sightline import media
from sightline.datasets import CLIP_READERS
from sightline.errors import InputError
from sightline.files import write_json, write_whole
from sightline.geometry.boxes import Box, box_area
from sightline.models.model import Failure, Model, Reply, Said, replies_of
from sightline.tasks.clips import SeenClip, SeenTrack
from sightline.tasks.pictures import Studio
from sightline.tasks.relations.names import NAMES_FORMAT, NamesTable
from sightline.tasks.relations.shown import draw_marks
from sightline.taskset.store import TaskSet
from sightline.types import AnswerForm, ImagePart, ImageRef, LedgerEntry, Panel, Question, Record, TextPart

WORDS = (
    "\nOne object in this picture is inside the red box. What is it? Give a short name that tells it from other objects: "
    "what it is, and its colour or what it wears if that helps."
)
FORM = AnswerForm(
    shape="choice", image_index=0, words="Answer with the name alone, in at most six words. Do not say where it is in the picture."
)
AROUND = 0.5  # of the box's longer side, on each side of it
LEAST_AROUND_PX = 32
MAX_WORDS = 12
QUOTES = "\"'`*“”‘’ "
Progress = Callable[[int], None]


class ClipSource(NamedTuple):
    """The clips of one split: a clip reader's name, the data set's root, and the split."""

    reader: str
    root: Path
    split: str


class Named(Record):
    """What was written: the file, how many objects have a name, and why others have none."""

    path: str
    num_named: int
    dropped: dict[str, int]


class _Crops(TaskSet):
    """The crops of the questions under way, in the place of a task set's pictures; equal crops are held once."""

    def __init__(self) -> None:
        self.path = Path("crops")
        self._crops: dict[str, UInt8[np.ndarray, "_ _ 3"]] = {}
        self._uses: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._crops)

    def add(self, crop: UInt8[np.ndarray, "h w 3"]) -> ImageRef:
        digest = media.pixel_digest(crop)
        self._crops[digest] = crop
        self._uses[digest] += 1
        return ImageRef(root="crops", path=f"{digest}.png", width=crop.shape[1], height=crop.shape[0], digest=digest)

    def read_rgb(self, ref: ImageRef) -> UInt8[np.ndarray, "h w 3"]:
        return self._crops[ref.digest]

    def forget(self, question: Question) -> None:
        digest = question.images[0].digest
        self._uses[digest] -= 1
        if not self._uses[digest]:
            del self._crops[digest]


def name_objects(
    source: ClipSource,
    *,
    model: Model,
    out: Path,
    max_errors: float = 0.01,
    on_progress: Progress | None = None,
) -> Named:
    """Ask for the name of every object of a split and write them to `out`; with a cached model only what is missing is asked.

    Raises:
        FileNotFoundError, InputError: a bad root or split, a model that does not speak, a server that refuses, or more than the
        share
            `max_errors` of the objects left without an answer.
    """
    if model.dialect is None:
        raise InputError(f"model {model.name!r} answers in geometry: names need one that speaks (openai:URL#NAME, hf:FOLDER).")
    clips = CLIP_READERS[source.reader][0]()(source.root, source.split)
    ledger: list[LedgerEntry] = []
    names: dict[str, dict[str, str]] = {}
    failed: list[str] = []
    crops = _Crops()
    seen = (SeenClip(clip, source.root) for clip in clips)
    asked = (question for clip in seen for question in _questions(clip, crops, ledger))
    report = on_progress or (lambda _: None)
    num_asked = 0
    for some in replies_of(model, asked, crops):
        for question, reply in some:
            crops.forget(question)
            _take(question, reply, names, ledger, failed=failed)
        num_asked += len(some)
        report(num_asked)
    if len(failed) > max_errors * num_asked:
        raise InputError(
            f"{len(failed)} of {num_asked} objects got no answer ({failed[0]}). Run the same command again: what was answered is "
            "in the cache. Or allow more with --max-errors."
        )
    ordered = {clip: dict(sorted(found.items())) for clip, found in sorted(names.items())}
    ledger.sort(key=lambda entry: (entry.unit, entry.reason))
    write_whole(Path(f"{out}.ledger.jsonl"), b"".join(msgspec.json.encode(entry) + b"\n" for entry in ledger))
    write_json(out, NamesTable(format=NAMES_FORMAT, data=source.reader, model=model.name, clips=ordered))
    dropped = Counter(entry.reason for entry in ledger)
    return Named(path=str(out), num_named=sum(map(len, names.values())), dropped=dict(sorted(dropped.items())))


def _take(
    question: Question, reply: Reply, names: dict[str, dict[str, str]], ledger: list[LedgerEntry], *, failed: list[str]
) -> None:
    """Put one reply where it belongs: a name, or the ledger."""
    clip_id, _, object_id = question.id.rpartition("/")
    if isinstance(reply, Failure):
        failed.append(f"{question.id}: {reply.reason}")
        ledger.append(LedgerEntry(unit=question.id, reason="unanswered", detail=reply.reason))
        return
    text = reply.text if isinstance(reply, Said) else str(reply)
    name = read_name(text)
    if name is None:
        ledger.append(LedgerEntry(unit=question.id, reason="no_name", detail=f"answered {text[:80]!r}"))
    else:
        names.setdefault(clip_id, {})[object_id] = name


def read_name(text: str) -> str | None:
    """The name that a model wrote: the first line, without quotation marks and full stop; None if that is no short name."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    name = lines[0].strip(QUOTES).rstrip(".").strip(QUOTES) if lines else ""
    is_name = bool(name) and len(name.split()) <= MAX_WORDS and any(letter.isalpha() for letter in name)
    return name if is_name else None


def _questions(seen: SeenClip, crops: _Crops, ledger: list[LedgerEntry]) -> Iterator[Question]:
    studio = Studio(seen.root)
    for track in seen.tracks:
        unit = f"{seen.clip.clip_id}/{track.object_id}"
        frame = best_frame(seen, track)
        if track.track.crowd or frame is None:
            reason, detail = ("crowd", "the region covers a group") if track.track.crowd else ("no_picture", "no picture shows it")
            ledger.append(LedgerEntry(unit=unit, reason=reason, detail=detail))
            continue
        place, path = track.places[frame], seen.clip.frames[frame].image
        assert place is not None, "chosen because it is there"
        assert path is not None, "chosen because it has a picture"
        image = crops.add(crop_of(studio.rgb(path), place.box))
        yield Question(
            id=unit,
            task="name_objects",
            prompt=(ImagePart(image_index=0), TextPart(text=WORDS), FORM),
            images=(image,),
            panels=(Panel(role="query", image_index=0, source=image, view_id=seen.clip.frames[frame].frame_id),),
        )


def best_frame(seen: SeenClip, track: SeenTrack) -> int | None:
    """The frame with a picture in which the object's box is largest, those at the border after all others; None if there is
    none."""
    found: list[tuple[bool, float, int]] = []
    for frame, place in enumerate(track.places):
        size = seen.sizes[frame]
        if place is not None and size is not None and seen.clip.frames[frame].image is not None:
            x0, y0, x1, y1 = place.box
            free = x0 > 0 and y0 > 0 and x1 < size[0] and y1 < size[1]
            found.append((free, box_area(place.box), -frame))
    return -max(found)[2] if found else None


def crop_of(rgb: UInt8[np.ndarray, "h w 3"], box: Box) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The part of the picture around the box, with the object in a red box."""
    around = max(LEAST_AROUND_PX, round(AROUND * max(box[2] - box[0], box[3] - box[1])))
    x0, y0 = max(int(box[0]) - around, 0), max(int(box[1]) - around, 0)
    x1, y1 = min(int(box[2]) + around, rgb.shape[1]), min(int(box[3]) + around, rgb.shape[0])
    cut = np.ascontiguousarray(rgb[y0:y1, x0:x1])
    return draw_marks(cut, [(box[0] - x0, box[1] - y0, box[2] - x0, box[3] - y0)], letters=False)
