"""Ask a model every question of a task set that it has not answered yet.

Answers are appended in the order of the task set, batch by batch, flushed at once and made durable at least once a second;
killed at any moment and started again, the run ends with the same bytes as an undisturbed one. Wall-clock figures go to
`timing.json` alone.
"""

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from sightline.dialects import Size
from sightline.errors import InputError
from sightline.evaluate.run import PREDICTIONS, SCORES, SUMMARY, TIMING, RunInfo, count_predictions, describe_run, open_run
from sightline.files import only_writer, read_json, sync_folder, write_json
from sightline.geometry.boxes import box_centre, clip_box
from sightline.geometry.masks import rle_area
from sightline.geometry.points import pixel_index
from sightline.models import Model
from sightline.taskset.store import TaskSet
from sightline.types import Answer, Boxes, Choice, MaskAnswer, NotVisible, Points, Prediction, Question, Reading, Record

SYNC_EVERY_S = 1.0


class Session(Record):
    """One start of `predict` in `timing.json`."""

    num_predictions: int
    seconds: float


def predict(
    taskset: TaskSet,
    model: Model,
    out: Path,
    *,
    limit: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> RunInfo:
    """Fill the run folder `out` with the model's predictions, of the first `limit` examples or of all.

    `on_progress` is called with (done, total), first with what was there already. A run that goes on loses its scores and summary:
    they would be of fewer examples.

    Raises:
        NotApplicable: the model cannot answer this task set.
        InputError: another process writes to `out`, or `out` holds another run.
    """
    model.check(taskset)
    info = describe_run(taskset, model)
    with only_writer(out):
        open_run(out, info)
        ids = taskset.index["id"]
        done = count_predictions(out, ids)
        total = len(ids) if limit is None else min(limit, len(ids))
        if on_progress:
            on_progress(min(done, total), total)
        if done < total:
            for path in (out / SCORES, *out.glob(f"{Path(SUMMARY).stem}*.json")):
                path.unlink(missing_ok=True)
            started = time.monotonic()
            _append(taskset, model, out / PREDICTIONS, start=done, total=total, on_progress=on_progress)
            _note_time(out / TIMING, Session(num_predictions=total - done, seconds=round(time.monotonic() - started, 3)))
    return info


def _append(
    taskset: TaskSet, model: Model, path: Path, *, start: int, total: int, on_progress: Callable[[int, int], None] | None
) -> None:
    """Predict examples `start` to `total` and append them."""
    questions = (example.question for example in islice(taskset, start, total))
    done, synced = start, time.monotonic()
    with path.open("ab") as file:
        sync_folder(path.parent)
        while batch := list(islice(questions, model.batch_size)):
            file.write(b"".join(msgspec.json.encode(prediction) + b"\n" for prediction in _ask(model, batch, taskset)))
            file.flush()
            if time.monotonic() - synced > SYNC_EVERY_S:
                os.fsync(file.fileno())
                synced = time.monotonic()
            done += len(batch)
            if on_progress:
                on_progress(done, total)
        os.fsync(file.fileno())


def _ask(model: Model, questions: Sequence[Question], taskset: TaskSet) -> Iterator[Prediction]:
    answers = model.answer(questions, taskset)
    if len(answers) != len(questions):
        raise InputError(f"model {model.name!r} gave {len(answers)} answers to {len(questions)} questions: expected one each.")
    for question, answer in zip(questions, answers, strict=True):
        if isinstance(answer, str):
            text = _storable(answer)
            yield Prediction(id=question.id, reading=_read_text(model, text, question), text=text)
        else:
            yield Prediction(id=question.id, reading=read_geometry(answer, question))


def read_geometry(answer: Answer, question: Question) -> Reading:
    """What a geometric answer amounts to. Its first point, or the centre of its first box, decides; nothing is clamped. Where a box
    is asked, the first box is in range if all of it is.

    An answer with a number that is not finite is out of range and not kept: JSON has no such numbers.
    """
    match answer:
        case NotVisible():
            return Reading(status="not_visible", answer=answer)
        case Choice():
            return Reading(status="ok", answer=answer, num_found=1)
        case MaskAnswer():
            return _read_mask(answer, question)
        case Points(points=found) | Boxes(boxes=found):
            num_found = len(found)
    if num_found == 0:
        return Reading(status="empty")
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


def _read_mask(answer: MaskAnswer, question: Question) -> Reading:
    if not 0 <= answer.image_index < len(question.images):
        return Reading(status="out_of_range", num_found=1, notes=("no_such_image",))
    picture = question.images[answer.image_index]
    if (answer.rle.width, answer.rle.height) != (picture.width, picture.height):
        return Reading(status="unreadable", num_found=1, notes=("mask_of_another_size",))
    if rle_area(answer.rle) == 0:
        return Reading(status="empty", num_found=1)
    return Reading(status="ok", answer=answer, num_found=1)


def _read_text(model: Model, text: str, question: Question) -> Reading:
    if model.dialect is None:
        raise InputError(f"model {model.name!r} answered in text but declares no dialect to read it by. Give it one.")
    return model.dialect.decode(text, question.form, [Size.of(image) for image in question.images])


def _storable(text: str) -> str:
    """The text with lone surrogates, which no UTF-8 file can hold, replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _note_time(path: Path, session: Session) -> None:
    sessions = read_json(path, list[Session]) if path.exists() else []
    write_json(path, [*sessions, session])
