"""The box form of the Sa2VA fork: shares of the picture with four decimals, x first, boxes only.

    image   <box>0.1000,0.2000,0.3000,0.4000<box_sep>0.5000,...</box><single_img>
    video   <box>F1<next>F2<next>...</box>      a frame F is boxes joined by <box_sep>, or <no_box>

`<next>` separates frames, `<box_sep>` objects; `<no_box>` says that the object is not in that frame, and in an image that it is not
visible; `<switch>` before a frame marks a change of identity and is passed over. The fork's data spell a box in three ways
(`0.1,0.2`, `0.1, 0.2`, `[0.1, 0.2]`): all are read, the first is written. Where a point is asked, the box's centre stands for it.
Source: the output grammar in the fork's `datasets/encode_fn.py`.
"""

import dataclasses
import re
from collections.abc import Sequence

from sightline.dialects.convention import Convention, Number, Size, unit
from sightline.dialects.family import Family, Numerals
from sightline.dialects.reading import Habits, answer_body, says_absent
from sightline.dialects.scan import Found, Group, read_numeral
from sightline.types import AnswerForm, BoxTrack, NotVisible, Reading, Record, Status

CONVENTION = Convention(span=unit, decimals=4)
_OPEN, _CLOSE = "<box>", "</box>"
_SPACES = re.compile(r"[\s,\[\]()]+")
_TAIL = re.compile(r"<[a-z_/]{0,8}\Z")


class TrackReading(Record):
    """What a text says of a clip: `track` has one entry a frame, whatever the text's own number of frames (see `notes`)."""

    status: Status
    track: BoxTrack | None = None
    notes: tuple[str, ...] = ()


def sa2va_box() -> Family:
    """The box dialect of the Sa2VA fork. A point is written as the box that begins and ends there."""
    shares = "as shares of that image's width and height from 0 to 1"
    return Family(
        name="sa2va_box",
        habits=Habits(CONVENTION, find=_find_boxes, absence="<no_box>"),
        point_form=f"<box>x,y,x,y</box>, {shares}",
        box_form=f"<box>x1,y1,x2,y2</box> (left, top, right, bottom), {shares}",
        refer=lambda numerals: f"[{', '.join(numerals)}]",
        spell=lambda groups, _: f"{_OPEN}{_join(groups)}{_CLOSE}<single_img>",
        tracks=_Clips(),
    )


class _Clips:
    """The form of clips, `tracks.TrackForm`."""

    instruction = (
        "Answer with <box>F1<next>F2<next>...</box>, an entry for every frame in order: x1,y1,x2,y2 (left, top, right, bottom) as "
        "shares of that image's width and height from 0 to 1, <box_sep> between the boxes of several objects, <no_box> for a frame "
        "that does not show it."
    )

    def write(self, track: BoxTrack, frames: Sequence[Size]) -> str:
        return encode_track(track, frames)

    def read(self, text: str, form: AnswerForm, frames: Sequence[Size]) -> Reading:  # noqa: ARG002 - the form changes nothing here
        found = decode_track(text, frames)
        boxes = [
            (box, frame) for entry, frame in zip(found.track.frames if found.track else (), frames, strict=False) for box in entry
        ]
        if not boxes:
            answer = NotVisible() if found.status == "not_visible" else None
            return Reading(status=found.status, answer=answer, notes=found.notes)
        outside = [box[0] < 0 or box[1] < 0 or box[2] > frame.width or box[3] > frame.height for box, frame in boxes]
        status = "out_of_range" if outside[0] else found.status
        more = (("some_out_of_range",) if any(outside[1:]) else ()) + (("truncated",) if status != found.status != "ok" else ())
        return Reading(status=status, answer=found.track, num_found=len(boxes), notes=(*found.notes, *more))


def encode_track(track: BoxTrack, pictures: Sequence[Size]) -> str:
    """The text of a clip: one entry a frame. `pictures` are the frames' sizes, in order."""
    frames = (
        _join([CONVENTION.write(box, picture) for box in boxes]) if boxes else "<no_box>"
        for boxes, picture in zip(track.frames, pictures, strict=True)
    )
    return f"{_OPEN}{'<next>'.join(frames)}{_CLOSE}"


def decode_track(text: str, pictures: Sequence[Size]) -> TrackReading:
    """The boxes of the last `<box>` element, frame by frame. Never raises, whatever the text; linear in its length.

    A frame that is missing at the end is read as without a box and noted (`missing_frames_2`), as is one too many
    (`extra_frames_1`) and one that cannot be read (`unreadable_frames_1`). Without its end, or with a cut number, the text is
    `truncated` and its complete frames count.
    """
    body = answer_body(text)
    element = _last_element(body.text)
    if element is None and says_absent(body.text):
        return TrackReading(status="not_visible", notes=body.notes)
    if element is None:
        return TrackReading(status="unreadable" if body.text.strip() else "empty", notes=(*body.notes, "no_box_element"))
    written = element.content.replace("<switch>", "").split("<next>")
    if not element.closed:
        written.pop()  # its last frame may be cut
    notes = [*body.notes]
    frames: list[tuple[tuple[float, float, float, float], ...]] = []
    unreadable = 0
    for entry, picture in zip(written, pictures, strict=False):
        boxes = _read_frame(entry, picture)
        unreadable += boxes is None
        frames.append(boxes or ())
    counts = {"missing_frames": len(pictures) - len(written), "extra_frames": len(written) - len(pictures)}
    notes += [f"{name}_{count}" for name, count in (*counts.items(), ("unreadable_frames", unreadable)) if count > 0]
    frames += [()] * (len(pictures) - len(frames))
    track = BoxTrack(frames=tuple(frames))
    if not element.closed:
        return TrackReading(status="truncated", track=track, notes=tuple(notes))
    if unreadable and not any(frames):
        return TrackReading(status="unreadable", notes=tuple(notes))
    return TrackReading(status="ok" if any(frames) else "not_visible", track=track, notes=tuple(notes))


@dataclasses.dataclass(frozen=True)
class _Element:
    content: str
    closed: bool


def _last_element(text: str) -> _Element | None:
    start = text.rfind(_OPEN)
    if start < 0:
        return None
    start += len(_OPEN)
    end = text.find(_CLOSE, start)
    return _Element(text[start:end] if end >= 0 else text[start:], end >= 0)


def _read_frame(entry: str, picture: Size) -> tuple[tuple[float, float, float, float], ...] | None:
    if entry.strip() == "<no_box>":
        return ()
    groups = [_numbers(part) for part in entry.split("<box_sep>")]
    if not all(group is not None and len(group) == 4 for group in groups):
        return None
    read = (CONVENTION.read(group, picture) for group in groups if group is not None)
    return tuple((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)) for x0, y0, x1, y1 in read)


def _find_boxes(text: str) -> Found:
    """The boxes of the last element as the reading engine wants them; a box that the end of the text cuts off is not counted."""
    element = _last_element(text)
    if element is None:
        return Found(truncated=bool(_TAIL.search(text)) and text.rstrip() != "")
    parts = element.content.split("<next>")[0].split("<box_sep>")
    if not element.closed:
        parts.pop()
    groups: list[Group] = []
    problems: list[str] = []
    for part in parts:
        numbers = _numbers(part)
        if numbers is not None and len(numbers) == 4:
            groups.append(Group(numbers))
        else:
            problems.append("bad_number" if numbers is None else f"{len(numbers)}_numbers_in_a_box")
    return Found((tuple(groups),) if groups else (), not element.closed, tuple(dict.fromkeys(problems)))


def _numbers(part: str) -> tuple[Number, ...] | None:
    values = [read_numeral(numeral) for numeral in _SPACES.split(part) if numeral][:5]
    return None if any(value is None for value in values) else tuple(Number(value) for value in values if value is not None)


def _join(groups: Sequence[Numerals]) -> str:
    return "<box_sep>".join(",".join(numerals if len(numerals) == 4 else numerals * 2) for numerals in groups)
