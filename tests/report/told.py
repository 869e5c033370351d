"""What stands behind the report's numbers, counted a second time from the scores and from the meaning of each condition."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from sightline.evaluate.run import read_predictions, read_scores
from sightline.evaluate.score import open_taskset
from sightline.evaluate.slices import SLICINGS
from sightline.evaluate.taxonomy import Neighbours, error_kind
from sightline.report.confusions import Companions, marks
from sightline.report.markup import show_hidden
from sightline.types import Example, Points, Score
from tests.report.world import HOSTILE_MODEL, World

INF = float("inf")
OWN_BINS = {
    "area": [
        ("below 0.1%", 0, 0.1),
        ("0.1-0.3%", 0.1, 0.3),
        ("0.3-1%", 0.3, 1),
        ("1-3%", 1, 3),
        ("3-10%", 3, 10),
        ("10-30%", 10, 30),
        ("from 30%", 30, INF),
    ],
    "others": [("none", 0, 1), ("1", 1, 2), ("2", 2, 3), ("3-4", 3, 5), ("5 or more", 5, INF)],
    "resolution": [
        ("<0.1", 0, 0.1),
        ("0.1-0.3", 0.1, 0.3),
        ("0.3-0.6", 0.3, 0.6),
        ("0.6-1", 0.6, 1),
        ("1-2", 1, 2),
        ("2-5", 2, 5),
        ("5 or more", 5, INF),
    ],
}
"""The bins of the report's own numbers, in percent, objects and megapixels."""


@dataclass(frozen=True)
class Told:
    """One example as one run answered it; `rivals` are the scores of all models' runs on it, by label. `area` are the pixels of
    its true mask, `num_others` the other objects of the view, `marks` the notes of the answer and what `test_confusions` checks."""

    score: Score
    example: Example
    kind: str
    rivals: dict[str, Score]
    area: int | None
    num_others: int
    marks: tuple[str, ...]


def tell(folder: Path, rivals: Mapping[str, Path]) -> list[Told]:
    """The scored examples of a run."""
    taskset = open_taskset(folder)
    neighbours = Neighbours(taskset)
    companions = Companions(taskset, taskset.masks)
    scores = {label: list(read_scores(rival)) for label, rival in rivals.items()}
    return [
        Told(
            score,
            example,
            error_kind(example, prediction, score, taskset.read_mask, others=neighbours.of(example)),
            {label: rival[number] for label, rival in scores.items()},
            None if example.truth.mask is None else int(taskset.read_mask(example.truth.mask).sum()),
            len(neighbours.of(example)),
            marks(example, prediction, companions.confusion(example, prediction.reading)),
        )
        for number, (example, prediction, score) in enumerate(
            zip(taskset, read_predictions(folder), read_scores(folder), strict=False)
        )
    ]


def meets(told: Told, conditions: Mapping[str, str]) -> bool:
    """The gallery's conditions, written a second time from their meaning."""
    score = told.score
    tests = {
        "right": lambda value: score.correct == (value == "1"),
        "hit": lambda value: score.hit is (value == "1"),
        "dilated": lambda value: score.hit_dilated is not None if value == "any" else score.hit_dilated is (value == "1"),
        "truth": lambda value: score.visible == (value == "visible"),
        "said": lambda value: score.said_visible is {"visible": True, "absent": False, "neither": None}[value],
        "either": lambda value: value == "absent" and (not score.visible or score.said_visible is False),
        "joint": lambda value: (bool(score.hit) if score.visible else score.said_visible is False) == (value == "1"),
        "claim": lambda value: (score.said_visible == score.visible) == (value == "1"),
        "within": lambda value: score.l2_norm is not None and score.l2_norm < float(value),
        "pointed": lambda value: value == "1" and score.l2_norm is not None,
        "status": lambda value: score.status == value,
        "half": lambda value: score.wrong_panel == (value == "1"),
        "tier": lambda value: score.tier in value.split(","),
        "iou": lambda value: score.iou is not None and score.iou >= float(value),
        "kind": lambda value: told.kind == value,
        "note": lambda value: value in told.marks,
        "bin": lambda value: _in_bin(told, value),
        "side": lambda value: _side(told.example) == value,
        "label": lambda value: told.example.label == value,
        "cell": lambda value: _in_cell(told.example, value),
        "vs": lambda value: value in told.rivals,
        "versus": lambda value: _versus(score.correct, told.rivals[conditions["vs"]].correct, value),
    }
    return all(tests[key](value) for key, value in conditions.items())


def _in_bin(told: Told, text: str) -> bool:
    name, label = text.split(":")
    example = told.example
    if name in OWN_BINS:
        value = _own_number(told, name)
        return label == next((words for words, low, high in OWN_BINS[name] if value is not None and low <= value < high), "unknown")
    slicing = SLICINGS[name]
    value = example.slices.get(slicing.value)
    return label == ("unknown" if value is None else slicing.bins[sum(value >= edge for edge in slicing.edges)])


def _own_number(told: Told, name: str) -> float | None:
    """Percent of the view, other objects, megapixels."""
    view = told.example.question.panels[told.example.truth.panel_index].source
    if name == "area":
        return None if told.area is None else 100 * told.area / (view.width * view.height)
    return told.num_others if name == "others" else view.width * view.height / 1_000_000


def _side(example: Example) -> str | None:
    answer = example.truth.answer
    if not isinstance(answer, Points):
        return None
    panel = example.question.panels[1]
    return "left" if 2 * (answer.points[0][0] - panel.x) < panel.source.width else "right"


def _in_cell(example: Example, text: str) -> bool:
    """The middle of the true box in a view cut into 4 x 4, rows and columns counted from 1."""
    box = example.truth.box
    if box is None:
        return False
    view = example.question.panels[1].source
    row, column = (box[1] + box[3]) / 2 // (view.height / 4) + 1, (box[0] + box[2]) / 2 // (view.width / 4) + 1
    return text == f"row {row:.0f}, column {column:.0f}"


def _versus(this: bool, other: bool, relation: str) -> bool:
    return (
        relation
        in {
            (True, False): ("won", "differ"),
            (False, True): ("lost", "differ"),
            (True, True): ("both",),
            (False, False): ("neither",),
        }[this, other]
    )


def tell_world(world: World) -> dict[str, list[Told]]:
    """Every run of the world by the name of its folder."""
    on_multi = {"center": world.runs[0], shown_model(): world.runs[1]}
    rivals = (on_multi, on_multi, {"center": world.runs[2]})
    return {run.name: tell(run, of_set) for run, of_set in zip(world.runs, rivals, strict=True)}


def shown_model() -> str:
    """The hostile model's label as the report shows it."""
    return show_hidden(HOSTILE_MODEL)


def conditions_of(link: str) -> tuple[str, dict[str, str]]:
    """The run (folder name) and the conditions that a link into the gallery names; the first run, which has come to every
    example, where it names no model."""
    found = {key: values[0] for key, values in parse_qs(link.removeprefix("#")).items()}
    taskset, model = found.pop("set"), found.pop("model", "center")
    if taskset == "t1_concat-validation":
        return "run-concat", found
    return ("run-center" if model == "center" else "run-vlm"), found
