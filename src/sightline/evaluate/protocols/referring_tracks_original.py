"""Referring mask tracks by the rules of MeViS, Ref-YouTube-VOS, Ref-DAVIS17 and ReVOS: every frame of a clip counts.

No answer at all, or one that cannot be read, scores 0 in every column, as a missing folder does; "not visible" is a track of empty
masks. Rows of ReVOS: referring and reasoning expressions, and the mean of the two ("overall"); those of no object are in neither.
Its published figures add up the masks of overlapping objects and round before they average (`video.revos`).
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from sightline.datasets.coco.json_slices import JsonSlices
from sightline.datasets.coco.segmentations import Code, code
from sightline.errors import InputError
from sightline.evaluate.measured import says_nothing, usable
from sightline.evaluate.video.referring import (
    ExpressionScore,
    TrackMasks,
    mean_over_expressions,
    mean_over_passes,
    score_expression,
)
from sightline.evaluate.video.revos import (
    NO_OBJECT,
    REASONING,
    REFERRING,
    RevosScore,
    foreground_area,
    revos_table,
    score_revos_expression,
)
from sightline.types import Example, MaskRle, MaskTrack, Prediction

EVERY_FRAME = "all"
ANNOTATOR = "annot"  # how the kinds of Ref-DAVIS17's files begin: annot1, annot1_full_video, annot2, ...
FOREGROUND = "mask_dict_foreground.json"
KINDS = {"referring": REFERRING, "reasoning": REASONING, "no_target": NO_OBJECT}
FigureOf = tuple[str, float, int, str | None]
"""Name, value (nan for 0/0), number of expressions, and the metric of ours beside it."""


class _Foreground(msgspec.Struct):
    """One clip of `mask_dict_foreground.json`: the pixels of any object, frame by frame."""

    masks_rle: list[Code | None]


def track_figures(pairs: Iterable[tuple[Example, Prediction]], *, passes: bool) -> list[FigureOf]:
    """J, F and J&F. `passes`: expressions of one kind (an annotator's first or second reading) are a pass, and passes are averaged.

    Raises:
        InputError: an example does not show every frame of its clip, a mask has another size, or an expression is of no pass.
    """
    by_kind: dict[str, list[ExpressionScore]] = {}
    for example, prediction in pairs:
        kind = str(example.evidence.get("expression_kind", ""))
        if passes and not kind.startswith(ANNOTATOR):
            raise InputError(
                f"example {example.id!r}: expression of kind {kind!r}, which is no annotator's pass. Build from "
                "Davis17_annot*.txt, or take --protocol mevis-original, which is the plain mean."
            )
        truth, found, size = _tracks_of(example, prediction)
        by_kind.setdefault(kind, []).append(score_expression(truth, found, num_frames=_num_frames(example), size=size))
    everything = [score for scores in by_kind.values() for score in scores]
    score = mean_over_passes(by_kind) if passes else mean_over_expressions(everything)
    return [
        ("J", score.region, score.n, "j"),
        ("F", score.boundary, score.n, "f"),
        ("J&F", score.mean, score.n, "jf"),
    ]


def revos_figures(
    pairs: Iterable[tuple[Example, Prediction]], root: Path | None, *, published: Mapping[str, MaskRle] | None = None
) -> list[FigureOf]:
    """The columns of ReVOS by row. R is left out where `root` has no `mask_dict_foreground.json`. `published`: the masks of the
    task set by hash, where overlaps and rounding are to be those of the official script.

    Raises:
        InputError: as `track_figures`; a kind of expression that ReVOS lacks; a foreground file without the clip or its frames.
    """
    path = None if root is None else next((found for found in _foreground_files(root) if found.is_file()), None)
    foregrounds: JsonSlices[_Foreground] | None = None if path is None else JsonSlices(path, _Foreground)
    scores: list[tuple[int, RevosScore]] = []
    for example, prediction in pairs:
        kind = str(example.evidence.get("expression_kind", ""))
        if kind not in KINDS:
            raise InputError(f"example {example.id!r}: expression of kind {kind!r}; ReVOS has {', '.join(KINDS)}.")
        truth, found, size = _tracks_of(example, prediction)
        if found is None:
            scores.append((KINDS[kind], RevosScore(0.0, 0.0, 0.0, 0.0, n=_num_frames(example))))
            continue
        covered = [0] * _num_frames(example) if foregrounds is None else _covered(foregrounds, example)
        if published is not None:
            truth = [[None if name is None else published[name] for name in one.masks] for one in example.truth.objects]
        score = score_revos_expression(truth, found, covered, size=size, official_overlap=published is not None)
        scores.append((KINDS[kind], score))
    table = revos_table(scores, official_rounding=published is not None)
    columns = ["region", "boundary", "mean", "accuracy", *(["robustness"] if foregrounds is not None else [])]
    labels = {"region": "J", "boundary": "F", "mean": "J&F", "accuracy": "A", "robustness": "R"}
    rows = {"referring": table.referring, "reasoning": table.reasoning, "overall": table.overall}
    return [(f"{labels[column]} {name}", getattr(row, column), row.n, None) for name, row in rows.items() for column in columns]


def _foreground_files(root: Path) -> Iterable[Path]:
    return (root / FOREGROUND, root / "ReVOS" / FOREGROUND, root / "revos" / FOREGROUND)


def _covered(foregrounds: JsonSlices[_Foreground], example: Example) -> list[int]:
    """The pixels of any object in each frame of the example's clip."""
    if example.group not in foregrounds:
        raise InputError(f"{foregrounds.path} has no clip {example.group!r}; it is of another release than the masks.")
    listed = foregrounds[example.group].masks_rle
    if len(listed) != _num_frames(example):
        raise InputError(
            f"{foregrounds.path}, clip {example.group!r}: {len(listed)} frames, and the example {example.id!r} shows "
            f"{_num_frames(example)}. Build the task set of every frame, from the same release."
        )
    return [0 if written is None else foreground_area([code(written)]) for written in listed]


def _tracks_of(example: Example, prediction: Prediction) -> tuple[Sequence[TrackMasks], TrackMasks | None, tuple[int, int]]:
    """Truth (none where nothing is meant), answer (None if it cannot be read), and the clip's height and width."""
    if example.evidence.get("sampling") != EVERY_FRAME or example.truth.scored_frames is not None:
        raise InputError(
            f"example {example.id!r} does not show, or does not know, every frame of its clip, and the benchmark's rule counts all "
            "of them. Build the task set with `--frames all --shown labelled`."
        )
    answer, picture = usable(prediction.reading), example.question.images[0]
    empty: TrackMasks = (None,) * _num_frames(example)
    found = answer.frames if isinstance(answer, MaskTrack) else empty if says_nothing(prediction.reading) else None
    truth = example.truth.answer
    return ([truth.frames] if isinstance(truth, MaskTrack) else [], found, (picture.height, picture.width))


def _num_frames(example: Example) -> int:
    clip = example.question.clip
    assert clip is not None, f"{example.id}: a mask track is asked of a clip"
    return len(clip.image_indices)
