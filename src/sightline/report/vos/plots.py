"""Charts of trackers' scores as inline SVG without scripts: a row of bars for each sequence, and J&F over the frames of one.

Runs are told apart by letter and colour (the classes `run-0` ... of the style sheet), so light and dark pages share one drawing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sightline.evaluate.vos.protocols import ObjectScores
from sightline.evaluate.vos.rivals import frame_scores
from sightline.report.markup import Html, element, join

NAME_WIDTH, BAR_WIDTH, NUMBER_WIDTH, BAR_HEIGHT, BETWEEN = 190.0, 420.0, 70.0, 13.0, 7.0
LEFT, TOP, WIDTH, HEIGHT, BELOW = 36.0, 10.0, 620.0, 130.0, 34.0
GRID = (0, 25, 50, 75, 100)
LONGEST_NAME = 26
NUM_PAINTS = 7


@dataclass(frozen=True, eq=False)
class Drawn:
    """A run as the page shows it."""

    name: str
    letter: str
    number: int
    objects: Sequence[ObjectScores]

    @property
    def paint(self) -> str:
        return f"run-{self.number % NUM_PAINTS}"


def sequence_bars(runs: Sequence[Drawn], scores: Sequence[Mapping[str, float]], anchors: Mapping[str, str]) -> Html:
    """J&F of each sequence, worst first by the first run; a name leads to its part of the page.

    Args:
        scores: of each run, by sequence.
        anchors: the id of each sequence's part.
    """
    videos = sorted(scores[0], key=lambda video: (scores[0][video], video))
    row = len(runs) * BAR_HEIGHT + BETWEEN
    width, height = NAME_WIDTH + BAR_WIDTH + NUMBER_WIDTH, len(videos) * row + 22
    lines = [_upright(percent, height) for percent in GRID]
    rows = [_row(runs, scores, video, top=number * row, anchor=anchors[video]) for number, video in enumerate(videos)]
    drawn = _svg(join(*lines, *rows), width, height, label="J&F of each sequence, in percent")
    return element("figure", element("figcaption", "J&F of each sequence, %"), element("div", drawn, class_="scroll", tabindex="0"))


def _row(runs: Sequence[Drawn], scores: Sequence[Mapping[str, float]], video: str, *, top: float, anchor: str) -> Html:
    short = video if len(video) <= LONGEST_NAME else video[: LONGEST_NAME - 1] + "…"
    middle = top + len(runs) * BAR_HEIGHT / 2 + 4
    name = element("text", element("title", video), short, class_="name", x=f"{NAME_WIDTH - 22:g}", y=f"{middle:g}")
    parts = [element("a", name, href=f"#{anchor}")]
    for number, (run, of_run) in enumerate(zip(runs, scores, strict=True)):
        y, value = top + number * BAR_HEIGHT, of_run[video]
        size = {"x": f"{NAME_WIDTH:g}", "y": f"{y:g}", "height": f"{BAR_HEIGHT - 2:g}"}
        said = element("title", f"{run.letter} {run.name}, {video}: {100 * value:.1f}")
        parts += [
            element("text", run.letter, class_="letter", x=f"{NAME_WIDTH - 10:g}", y=f"{y + 10:g}"),
            element("rect", said, class_=f"bar {run.paint}", width=f"{BAR_WIDTH * value:.1f}", **size),
            element("text", f"{100 * value:.1f}", class_="number", x=f"{NAME_WIDTH + BAR_WIDTH * value + 5:.1f}", y=f"{y + 10:g}"),
        ]
    return join(*parts)


def frame_curves(runs: Sequence[Drawn], video: str) -> Html:
    """J&F over the frames of one sequence, the mean over its objects; a letter at the end of each run's curve."""
    curves = [mean_over_objects(run.objects, video) for run in runs]
    frames = sorted({frame for curve in curves for frame in curve}, key=lambda name: (len(name), name))
    place = {frame: LEFT + (WIDTH - LEFT - 30) * number / max(1, len(frames) - 1) for number, frame in enumerate(frames)}
    lines = [
        join(
            element("path", class_="gridline", d=f"M{LEFT:g} {_y(percent / 100):.1f}H{WIDTH - 24:g}"),
            element("text", str(percent), class_="tick", x=f"{LEFT - 6:g}", y=f"{_y(percent / 100) + 4:.1f}"),
        )
        for percent in GRID
    ]
    drawn = [_curve(run, curve, place) for run, curve in zip(runs, curves, strict=True) if curve]
    ends = (
        [
            element("text", _stem(frame), class_="axis", x=f"{place[frame]:.1f}", y=f"{TOP + HEIGHT + 18:g}")
            for frame in dict.fromkeys((frames[0], frames[-1]))
        ]
        if frames
        else []
    )
    svg = _svg(join(*lines, *drawn, *ends), WIDTH, TOP + HEIGHT + BELOW, label=f"J&F over the frames of {video}, in percent")
    return element("figure", element("figcaption", "J&F over its frames, %"), element("div", svg, class_="scroll", tabindex="0"))


def mean_over_objects(objects: Sequence[ObjectScores], video: str) -> dict[str, float]:
    """J&F of each frame of a video, by the frame's name: the mean over the objects that count there."""
    of: dict[str, list[float]] = {}
    for each in objects:
        if each.video == video:
            for frame, score in zip(each.frames, frame_scores(each).tolist(), strict=True):
                of.setdefault(frame, []).append(score)
    return {frame: float(np.mean(scores)) for frame, scores in of.items()}


def _curve(run: Drawn, curve: Mapping[str, float], place: Mapping[str, float]) -> Html:
    points = [(place[frame], _y(curve[frame])) for frame in place if frame in curve]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    x, y = points[-1]
    said = element("title", f"{run.letter} {run.name}")
    return join(
        element("path", said, class_=f"curve {run.paint}", d=path),
        element("text", run.letter, class_="letter", x=f"{x + 12:.1f}", y=f"{y + 4:.1f}"),
    )


def _upright(percent: int, height: float) -> Html:
    x = NAME_WIDTH + BAR_WIDTH * percent / 100
    line = element("path", class_="gridline", d=f"M{x:g} 0V{height - 18:g}")
    return join(line, element("text", str(percent), class_="axis", x=f"{x:g}", y=f"{height - 4:g}"))


def _svg(content: Html, width: float, height: float, *, label: str) -> Html:
    return element(
        "svg", content, viewBox=f"0 0 {width:g} {height:g}", width=f"{width:g}", height=f"{height:g}", role="img", aria_label=label
    )


def _stem(frame: str) -> str:
    return frame.removesuffix(".png")


def _y(share: float) -> float:
    return TOP + HEIGHT * (1 - share)
