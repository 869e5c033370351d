"""Ask a model every question of a task set that it has not answered yet.

Answers are appended in the order of the task set, as soon as they come, and made durable at least once a second
(`evaluate.journal`); killed at any moment and started again, the run ends with the same bytes as an undisturbed one. Wall-clock
figures, tokens and costs go to `timing.json` alone.

A question that has no answer (`Failure`: a server that stays down) does not stop the run until there are too many. Then the run
stops without recording any of them. If there are few, they are recorded as status "error", which counts as a wrong answer, and the
same command asks them again.
"""

import math
import time
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import islice
from pathlib import Path

import msgspec

from sightline.dialects import Size
from sightline.errors import InputError
from sightline.evaluate.journal import Journal
from sightline.evaluate.run import SCORES, SUMMARY, TIMING, RunInfo, describe_run, open_run
from sightline.files import only_writer, read_json, write_json
from sightline.geometry.boxes import box_centre, clip_box
from sightline.geometry.masks import rle_area
from sightline.geometry.points import pixel_index
from sightline.models import Model
from sightline.models.model import Drawn, Failure, Said, Usage, replies_of
from sightline.taskset.store import TaskSet
from sightline.types import (
    Answer,
    Boxes,
    BoxTrack,
    Choice,
    MaskAnswer,
    MaskTrack,
    NotVisible,
    Number,
    Points,
    Prediction,
    Question,
    Reading,
    Record,
    Span,
    TextAnswer,
)

MAX_ERRORS = 0.01


class Session(Record):
    """One start of `predict` in `timing.json`. `usage` is None where nothing was asked for that is counted."""

    num_predictions: int
    seconds: float
    usage: Usage | None = None


def predict(
    taskset: TaskSet,
    model: Model,
    out: Path,
    *,
    limit: int | None = None,
    max_errors: float = MAX_ERRORS,
    on_progress: Callable[[int, int], None] | None = None,
) -> RunInfo:
    """Fill the run folder `out` with the model's predictions, of the first `limit` examples or of all.

    `on_progress` is called with (done, total), first with what was there already. A run that goes on loses its scores and summary:
    they would be of fewer examples. `max_errors`: the largest share of the examples that may end with status "error".

    Raises:
        NotApplicable: the model cannot answer this task set.
        InputError: another process writes to `out`, `out` holds another run, or too many questions had no answer.
    """
    model.check(taskset)
    info = describe_run(taskset, model)
    with only_writer(out):
        open_run(out, info)
        ids = taskset.ids
        total = len(ids) if limit is None else min(limit, len(ids))
        journal = Journal(out, ids, total)
        if on_progress:
            on_progress(journal.num_answered, total)
        if journal.done < total:
            for path in (out / SCORES, *out.glob(f"{Path(SUMMARY).stem}*.json")):
                path.unlink(missing_ok=True)
            with journal:
                _fill(journal, model, taskset, max_errors=max_errors, on_progress=on_progress)
                journal.finish()
    return info


def _fill(
    journal: Journal, model: Model, taskset: TaskSet, *, max_errors: float, on_progress: Callable[[int, int], None] | None
) -> None:
    """Ask what is not answered yet and give the journal what comes."""
    started, before, usage = time.monotonic(), journal.num_answered, Usage()
    try:
        with closing(_unanswered(journal, taskset)) as questions, closing(replies_of(model, questions, taskset)) as replies:
            for some in replies:
                predictions: list[Prediction] = []
                for question, reply in some:
                    usage = usage.plus(reply.usage) if isinstance(reply, Said | Failure) else usage
                    if isinstance(reply, Failure):
                        journal.fail(question.id, reply.reason)
                    else:
                        predictions.append(read_reply(model, question, reply))
                journal.add(predictions)
                _refuse_many(journal, model, max_errors)
                if on_progress:
                    on_progress(journal.num_answered, journal.total)
    finally:
        session = Session(
            num_predictions=journal.num_answered - before - len(journal.failures),
            seconds=round(time.monotonic() - started, 3),
            usage=None if usage == Usage() else usage,
        )
        _note_time(journal.folder / TIMING, session)


def _unanswered(journal: Journal, taskset: TaskSet) -> Generator[Question, None, None]:
    """The questions that the journal has no prediction for when their turn comes."""
    first = journal.done
    for position, example in enumerate(islice(taskset, first, journal.total), start=first):
        if not journal.has(position):
            yield example.question


def _refuse_many(journal: Journal, model: Model, max_errors: float) -> None:
    failures = journal.failures
    if len(failures) > max_errors * journal.total:
        example_id, reason = next(iter(failures.items()))
        raise InputError(
            f"{journal.folder}: model {model.name!r} had no answer to {len(failures):,} of {journal.total:,} questions, more than "
            f"--max-errors {max_errors:g} allows (a share). The first was {example_id!r}: {reason}. What was answered is kept, and "
            "nothing else is recorded: mend the cause and run the same command again, which asks only the rest."
        )


def read_reply(model: Model, question: Question, reply: str | Answer | Said | Drawn | Prediction) -> Prediction:
    """What the model's reply to the question amounts to: its text is read by the model's dialect, its geometry as it is."""
    if isinstance(reply, Prediction):
        return reply
    if isinstance(reply, Drawn):
        reading = read_geometry(reply.answer, question)
        reading = msgspec.structs.replace(reading, notes=(*reading.notes, *reply.notes))
        return Prediction(id=question.id, reading=reading, text=_storable(reply.text), exposure=reply.exposure)
    if not isinstance(reply, str | Said):
        return Prediction(id=question.id, reading=read_geometry(reply, question))
    said = Said(text=reply) if isinstance(reply, str) else reply
    text = _storable(said.text)
    reading = _read_text(model, text, question)
    reading = cut_reading(reading) if said.cut else reading
    return Prediction(id=question.id, reading=reading, text=text, exposure=said.exposure)


def read_geometry(answer: Answer, question: Question) -> Reading:
    """What a geometric answer amounts to. Its first point, or the centre of its first box, decides; nothing is clamped. Where a box
    is asked, the first box is in range if all of it is.

    An answer with a number that is not finite is out of range and not kept: JSON has no such numbers.
    """
    match answer:
        case NotVisible():
            return Reading(status="not_visible", answer=answer)
        case Choice() | TextAnswer():
            return Reading(status="ok", answer=answer, num_found=1)
        case Number(value=value):
            finite = math.isfinite(value)
            return Reading(status="ok" if finite else "out_of_range", answer=answer if finite else None, num_found=1)
        case MaskAnswer():
            return _read_mask(answer, question)
        case Points(points=found) | Boxes(boxes=found):
            num_found = len(found)
        case BoxTrack() | MaskTrack() | Span():
            return _read_over_time(answer, question)
    if num_found == 0:
        says = question.form.several and question.form.offers_not_visible
        return Reading(status="not_visible", answer=NotVisible()) if says else Reading(status="empty")
    if not all(math.isfinite(number) for numbers in found for number in numbers):
        return Reading(status="out_of_range", num_found=num_found, notes=("not_finite",))
    if not 0 <= answer.image_index < len(question.images):
        return Reading(status="out_of_range", answer=answer, num_found=num_found, notes=("no_such_image",))
    picture = question.images[answer.image_index]
    if isinstance(answer, Boxes) and question.form.shape == "box":
        inside = clip_box(answer.boxes[0], picture.width, picture.height) == answer.boxes[0]
    else:
        first = answer.points[0] if isinstance(answer, Points) else box_centre(answer.boxes[0])
        inside = pixel_index(*first, picture.width, picture.height) is not None
    return Reading(status="ok" if inside else "out_of_range", answer=answer, num_found=num_found)


def _read_over_time(answer: BoxTrack | MaskTrack | Span, question: Question) -> Reading:
    """A track needs an entry for every frame of the question's clip; one without any box or mask says that nothing is there."""
    if isinstance(answer, Span):
        finite = math.isfinite(answer.start_s) and math.isfinite(answer.end_s)
        ordered = finite and answer.start_s <= answer.end_s
        return Reading(status="ok" if ordered else "unreadable", answer=answer if finite else None, num_found=1)
    num_frames = len(question.clip.image_indices) if question.clip else 0
    if len(answer.frames) != num_frames:
        return Reading(status="unreadable", notes=(f"{len(answer.frames)}_frames_of_{num_frames}",))
    if isinstance(answer, MaskTrack) and not _of_the_clip(answer, question):
        return Reading(status="unreadable", notes=("mask_of_another_size",))
    num_found = sum(bool(frame) for frame in answer.frames)
    if num_found == 0:
        return Reading(status="not_visible", answer=NotVisible())
    return Reading(status="ok", answer=answer, num_found=num_found)


def _of_the_clip(track: MaskTrack, question: Question) -> bool:
    """Whether all masks have the size of their frames."""
    assert question.clip is not None, "a track has frames"
    frames = zip(question.clip.image_indices, track.frames, strict=True)
    pairs = ((question.images[index], rle) for index, rle in frames if rle is not None)
    return all((rle.width, rle.height) == (image.width, image.height) for image, rle in pairs)


def _read_mask(answer: MaskAnswer, question: Question) -> Reading:
    if not 0 <= answer.image_index < len(question.images):
        return Reading(status="out_of_range", num_found=1, notes=("no_such_image",))
    picture = question.images[answer.image_index]
    if (answer.rle.width, answer.rle.height) != (picture.width, picture.height):
        return Reading(status="unreadable", num_found=1, notes=("mask_of_another_size",))
    if rle_area(answer.rle) == 0:
        says = question.form.offers_not_visible
        return Reading(status="not_visible", answer=NotVisible()) if says else Reading(status="empty", num_found=1)
    return Reading(status="ok", answer=answer, num_found=1)


def _read_text(model: Model, text: str, question: Question) -> Reading:
    if model.dialect is None:
        raise InputError(f"model {model.name!r} answered in text but declares no dialect to read it by. Give it one.")
    return model.dialect.decode(text, question.form, Size.all_of(question))


def cut_reading(reading: Reading) -> Reading:
    """The reading of a text that the limit of new tokens ended: `truncated`, with what was read so far as its answer.

    `out_of_range` and `ambiguous` stay what they are, with the note `truncated`: more text could not have mended them.
    """
    if reading.status == "truncated" or "truncated" in reading.notes:
        return reading
    if reading.status in ("out_of_range", "ambiguous"):
        return msgspec.structs.replace(reading, notes=(*reading.notes, "truncated"))
    return msgspec.structs.replace(reading, status="truncated")


def _storable(text: str) -> str:
    """The text with lone surrogates, which no UTF-8 file can hold, replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _note_time(path: Path, session: Session) -> None:
    sessions = read_json(path, list[Session]) if path.exists() else []
    write_json(path, [*sessions, session])
