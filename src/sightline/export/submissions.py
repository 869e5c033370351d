"""Predicted mask tracks of referring expressions, in the layout that each benchmark's scorer or server reads.

| layout | file | inside |
|---|---|---|
| `mevis` | one zip | `<clip>/<expression>/<frame>.png`, no folder above |
| `ref_youtube_vos` | one zip | `Annotations/<clip>/<expression>/<frame>.png` |
| `revos` | one JSON, read by Sa2VA's `tools/eval/eval_revos.py` | `{clip: {expression: {"prediction_masks": [RLE per frame]}}}` |
| `revos_png` | a folder, read by VISA's `tools/eval_revos.py` | `<clip>/<expression>/<frame>.png`; a clip's name has a slash |
| `ref_davis17` | a folder, read by davis2017-evaluation, once for each pass | `anno_<pass>/<clip>/<frame>.png`, label pictures |

The PNGs of a single expression are grey, 0 and 255. VISA's scorer compares them with 0 and 1, so that its A and R of
`revos_png` mean nothing; J and F do.

Ref-DAVIS17 has four wordings of each object; expression number i is wording (pass) i mod 4 of object i div 4 + 1, as ReferFormer's
converter numbers them. A pass is one label picture a frame with all objects of the clip. A pixel that several objects claim goes to
the one of the lowest number, as ReferFormer's argmax decides between equal scores, and is counted.
Sources: henghuiding/MeViS README, wjn922/ReferFormer `inference_davis.py`, bytedance/Sa2VA `sa2va_eval_ref_vos.py`.
"""

import json
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from sightline.errors import InputError
from sightline.files import inside, whole_file, whole_folder
from sightline.geometry.masks import decode_mask, encode_mask
from sightline.label_png import encode_label_png
from sightline.media import encode_grey_png
from sightline.types import MaskRle

ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that zip knows: the same predictions give the same bytes
PASSES = 4


@dataclass(frozen=True)
class ExpressionMasks:
    """The answer to one expression: for each frame name of the clip a mask of the clip's size (height, width), None where
    absent."""

    clip_id: str
    expression_id: str
    frames: Sequence[str]
    masks: Sequence[MaskRle | None]
    size: tuple[int, int]


@dataclass(frozen=True)
class Submission:
    """What was written: how many expressions and pictures (or masks), and pixels that several objects claimed (`ref_davis17`)."""

    path: Path
    num_expressions: int
    num_frames: int
    num_contested_pixels: int = 0


def write_submission(
    out: Path, answers: Iterable[ExpressionMasks], *, layout: str, asked: Collection[tuple[str, str]] | None = None
) -> Submission:
    """Write `out` (a file or folder, see the table) whole or not at all; answers are taken one by one.

    Args:
        out: must not be there yet.
        answers: each expression once, in any order.
        layout: one of `LAYOUTS`.
        asked: all (clip, expression) of the split. If given, they must be exactly those answered: a scorer takes a missing clip for
            a score of 0, or breaks off.

    Raises:
        InputError: no such layout, `out` is there, an answer is given twice, missing or not asked for, its frames and masks
        differ in
            number or size, or a name is not fit for a path.
    """
    if layout not in LAYOUTS:
        raise InputError(f"no submission layout {layout!r}; there are {', '.join(LAYOUTS)}.")
    if out.exists():
        raise InputError(f"{out} is there already. Delete it, or choose another name.")
    out.parent.mkdir(parents=True, exist_ok=True)
    return LAYOUTS[layout](out, _checked(answers, asked))


def _write_mevis(out: Path, answers: Iterable[ExpressionMasks]) -> Submission:
    return _write_zip(out, answers, prefix="")


def _write_ref_youtube_vos(out: Path, answers: Iterable[ExpressionMasks]) -> Submission:
    return _write_zip(out, answers, prefix="Annotations/")


def _write_zip(out: Path, answers: Iterable[ExpressionMasks], *, prefix: str) -> Submission:
    num_expressions = num_frames = 0
    with whole_file(out) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for answer in answers:
            num_expressions += 1
            for name, content in _pictures(answer):
                archive.writestr(zipfile.ZipInfo(prefix + name, ZIP_TIME), content)
                num_frames += 1
    return Submission(path=out, num_expressions=num_expressions, num_frames=num_frames)


def _write_revos(out: Path, answers: Iterable[ExpressionMasks]) -> Submission:
    results: dict[str, dict[str, object]] = {}
    num_expressions = num_frames = 0
    for answer in answers:
        empty = encode_mask(np.zeros(answer.size, bool))
        masks = [empty if mask is None else mask for mask in answer.masks]
        codes = [{"size": [mask.height, mask.width], "counts": mask.counts} for mask in masks]
        results.setdefault(answer.clip_id, {})[answer.expression_id] = {"prediction_masks": codes}
        num_expressions += 1
        num_frames += len(codes)
    with whole_file(out) as file:
        file.write(json.dumps(results).encode())
    return Submission(path=out, num_expressions=num_expressions, num_frames=num_frames)


def _write_revos_png(out: Path, answers: Iterable[ExpressionMasks]) -> Submission:
    num_expressions = num_frames = 0
    with whole_folder(out) as folder:
        for answer in answers:
            num_expressions += 1
            for name, content in _pictures(answer):
                _put(folder, name, content)
                num_frames += 1
    return Submission(path=out, num_expressions=num_expressions, num_frames=num_frames)


def _write_ref_davis17(out: Path, answers: Iterable[ExpressionMasks]) -> Submission:
    clips: dict[str, dict[int, ExpressionMasks]] = {}
    for answer in answers:
        clips.setdefault(answer.clip_id, {})[_number(answer)] = answer
    num_frames = num_contested = 0
    with whole_folder(out) as folder:
        for clip_id, numbered in clips.items():
            for number in range(PASSES):
                objects = _objects_of_pass(clip_id, numbered, number)
                for index, frame in enumerate(objects[0].frames):
                    labels, contested = _label_picture(objects, index)
                    _put(folder, f"anno_{number}/{clip_id}/{frame}.png", encode_label_png(labels))
                    num_frames += 1
                    num_contested += contested
    num_expressions = sum(map(len, clips.values()))
    return Submission(path=out, num_expressions=num_expressions, num_frames=num_frames, num_contested_pixels=num_contested)


def _number(answer: ExpressionMasks) -> int:
    if not (answer.expression_id.isascii() and answer.expression_id.isdigit()):
        raise InputError(
            f"Ref-DAVIS17 clip {answer.clip_id}: expression {answer.expression_id!r} is not a number. Expressions are numbered by "
            "object and wording: 4 * (object - 1) + pass, from 0."
        )
    return int(answer.expression_id)


def _objects_of_pass(clip_id: str, numbered: dict[int, ExpressionMasks], number: int) -> list[ExpressionMasks]:
    """The answers of one pass in the order of their objects."""
    expected = range(PASSES * (max(numbered) // PASSES + 1))
    if missing := [str(each) for each in expected if each not in numbered]:
        raise InputError(
            f"Ref-DAVIS17 clip {clip_id}: no answer for expression {', '.join(missing[:8])} of {len(expected)}. Each object has "
            f"{PASSES} wordings, and each pass shows all objects: answer every expression."
        )
    objects = [numbered[each] for each in expected if each % PASSES == number]
    if any((each.size, list(each.frames)) != (objects[0].size, list(objects[0].frames)) for each in objects):
        raise InputError(f"Ref-DAVIS17 clip {clip_id}: its expressions differ in picture size or frames; a clip has one of each.")
    if len(objects) > 255:
        raise InputError(f"Ref-DAVIS17 clip {clip_id}: {len(objects)} objects; a label picture holds 255 at most.")
    return objects


def _label_picture(objects: Sequence[ExpressionMasks], index: int) -> tuple[np.ndarray, int]:
    """Labels 1, 2, .. of one frame, and how many pixels more than one object claims."""
    labels = np.zeros(objects[0].size, np.uint8)
    claims = np.zeros(objects[0].size, np.uint8)
    for label, answer in enumerate(objects, start=1):
        if (mask := answer.masks[index]) is not None:
            claimed = decode_mask(mask)
            labels[claimed & (labels == 0)] = label
            claims += claimed
    return labels, int(np.count_nonzero(claims > 1))


def _pictures(answer: ExpressionMasks) -> Iterator[tuple[str, bytes]]:
    for frame, mask in zip(answer.frames, answer.masks, strict=True):
        name = f"{answer.clip_id}/{answer.expression_id}/{frame}.png"
        yield name, _empty_png(answer.size) if mask is None else encode_grey_png(decode_mask(mask).astype(np.uint8) * 255)


@lru_cache(maxsize=8)
def _empty_png(size: tuple[int, int]) -> bytes:
    return encode_grey_png(np.zeros(size, np.uint8))


def _put(folder: Path, name: str, content: bytes) -> None:
    path = inside(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _checked(answers: Iterable[ExpressionMasks], asked: Collection[tuple[str, str]] | None) -> Iterator[ExpressionMasks]:
    """The answers, each looked at before it is written, and after the last one whether all that was asked is there."""
    seen: set[tuple[str, str]] = set()
    wanted = None if asked is None else set(asked)
    for answer in answers:
        key = (answer.clip_id, answer.expression_id)
        where = f"clip {answer.clip_id}, expression {answer.expression_id}"
        if key in seen:
            raise InputError(f"{where} is answered twice; each expression has one track of masks.")
        if wanted is not None and key not in wanted:
            raise InputError(f"{where} is not in the split that is submitted. Is this the answer to another split's file?")
        _check_answer(answer, where)
        seen.add(key)
        yield answer
    missing = sorted((wanted or set()) - seen)
    if missing:
        named = ", ".join("/".join(key) for key in missing[:5])
        raise InputError(
            f"{len(missing)} of {len(wanted or ())} expressions are not answered ({named}{', ...' if len(missing) > 5 else ''}). "
            "Answer them too; for 'nothing there' give a track of empty masks."
        )


def _check_answer(answer: ExpressionMasks, where: str) -> None:
    parts = [answer.clip_id.split("/"), [answer.expression_id], answer.frames]
    for name in (name for part in parts for name in part):
        if not name or name in (".", "..") or len(PurePosixPath(name).parts) != 1 or "\\" in name or "\0" in name:
            raise InputError(f"{where}: {name!r} cannot be a file or folder name in a submission.")
    num_names = len(set(answer.frames))
    if not len(answer.masks) == len(answer.frames) == num_names:
        raise InputError(
            f"{where}: {len(answer.masks)} masks for {len(answer.frames)} frames ({num_names} different names). "
            "Give one mask for each frame of the clip, null where the object is not in it."
        )
    for frame, mask in zip(answer.frames, answer.masks, strict=True):
        if mask is not None and (mask.height, mask.width) != answer.size:
            raise InputError(
                f"{where}, frame {frame}: a mask of {mask.width} x {mask.height} pixels; the clip has "
                f"{answer.size[1]} x {answer.size[0]}. Resize masks to the original frames before they are encoded."
            )


LAYOUTS: dict[str, Callable[[Path, Iterable[ExpressionMasks]], Submission]] = {
    "mevis": _write_mevis,
    "ref_youtube_vos": _write_ref_youtube_vos,
    "revos": _write_revos,
    "revos_png": _write_revos_png,
    "ref_davis17": _write_ref_davis17,
}
