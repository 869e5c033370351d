"""A run of referring masks as the file or folder that a benchmark's server or scorer takes (layouts: `export.submissions`).

Every frame of a clip is submitted, so the task set must show all of them (`--frames all`). Answers that are no track (not visible,
or none that could be read) are tracks of empty masks. An expression that the build left out would count as 0 with the server: the
ledger of the task set says which they are, and a submission without them must be asked for.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from sightline.errors import InputError
from sightline.evaluate.protocols.referring_tracks_original import EVERY_FRAME
from sightline.evaluate.score import answered, open_taskset
from sightline.export.submissions import LAYOUTS, PASSES, ExpressionMasks, Submission, write_submission
from sightline.taskset.store import TaskSet
from sightline.types import Example, MaskRle, MaskTrack, Prediction

TASK = "refer_mask_track"
PASS_OF = {"annot1": 0, "annot1_full_video": 1, "annot2": 2, "annot2_full_video": 3}
NOT_ASKED = ("no_expressions", "picture_missing", "single_frame", "no_text")
"""Reasons of the ledger that concern no expression, or none that a server asks for."""


def submit_run(folder: Path, out: Path, *, layout: str, partial: bool = False, taskset: Path | None = None) -> Submission:
    """Write a run as a submission, whole or not at all. `partial`: also without expressions that the task set lacks.

    Raises:
        FileNotFoundError: no run or no task set.
        InputError: no such layout, another task than `refer_mask_track`, not every frame shown, predictions missing, expressions
            left out by the build (without `partial`), or `out` is there.
    """
    if layout not in LAYOUTS:
        raise InputError(f"no submission layout {layout!r}; there are {', '.join(LAYOUTS)}.")
    questions = open_taskset(folder, taskset)
    if questions.manifest.task != TASK:
        raise InputError(
            f"{folder} answers {questions.manifest.task}; submissions are made of {TASK}. Make masks of boxes first: "
            "`--model boxes:RUN#SAM2`, docs/sa2va-boxes.md."
        )
    if not partial:
        _check_complete(questions)
    asked = [_key(questions[name], layout) for name in questions.ids]
    return write_submission(out, _answers(folder, questions, layout), layout=layout, asked=asked)


def _answers(folder: Path, questions: TaskSet, layout: str) -> Iterator[ExpressionMasks]:
    for example, prediction in answered(folder, questions):
        if example.evidence.get("sampling") != EVERY_FRAME:
            raise InputError(
                f"example {example.id!r} does not show every frame of its clip, and all of them are submitted. Build the task set "
                "with `--frames all --shown any`."
            )
        clip_id, expression_id = _key(example, layout)
        picture = example.question.images[0]
        frames = _frame_names(example)
        yield ExpressionMasks(clip_id, expression_id, frames, _masks(prediction, len(frames)), (picture.height, picture.width))


def _key(example: Example, layout: str) -> tuple[str, str]:
    """Clip and expression as the layout names them."""
    expression_id = example.id.removeprefix(f"{TASK}/{example.group}/")
    if layout != "ref_davis17":
        return example.group, expression_id
    kind = str(example.evidence.get("expression_kind", ""))
    if kind not in PASS_OF or not example.object_id.isdecimal():
        raise InputError(
            f"example {example.id!r}: an expression of kind {kind!r} about object {example.object_id!r}; each pass of Ref-DAVIS17 "
            f"is one of {', '.join(PASS_OF)} and names one object. Build from Davis17_annot*.txt."
        )
    return example.group, str(PASSES * (int(example.object_id) - 1) + PASS_OF[kind])


def _frame_names(example: Example) -> list[str]:
    clip = example.question.clip
    assert clip is not None, f"{example.id}: a clip is asked about"
    names = {panel.image_index: panel.view_id for panel in example.question.panels}
    return [names[index] for index in clip.image_indices]


def _masks(prediction: Prediction, num_frames: int) -> Sequence[MaskRle | None]:
    answer = prediction.reading.answer
    return answer.frames if isinstance(answer, MaskTrack) else (None,) * num_frames


def _check_complete(questions: TaskSet) -> None:
    reasons = Counter(entry.reason for entry in questions.ledger if entry.reason not in NOT_ASKED)
    if reasons:
        told = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
        raise InputError(
            f"{questions.path}: its ledger has {sum(reasons.values())} entries of what was left out ({told}). A server counts an "
            "expression that is not submitted as 0. Build without leaving anything out, or submit what is there with --partial."
        )
