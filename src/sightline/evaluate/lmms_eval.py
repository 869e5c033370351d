"""A task set inside lmms-eval: the functions that the `utils.py` of an exported task folder hands over to it.

A row ("doc") holds all that is needed: the example and the run-length codes of its masks as JSON, the dialect, and one decoded
picture a column (`image_0`, `image_1`, ...; gone when a text is scored). Texts are read and scored by the same functions as our own
runs, and aggregated by the same metrics, so the numbers are equal for equal texts. Source: EvolvingLMMs-Lab/lmms-eval, task guide.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Bool

from sightline.dialects import Size, get_dialect
from sightline.evaluate.metrics import RATIOS, ScoreTable, measure, tabulate
from sightline.evaluate.score import score_example
from sightline.evaluate.summary import HEADLINE
from sightline.export.lmms_eval import MetricName
from sightline.export.rendered import render
from sightline.geometry.masks import decode_mask
from sightline.types import Example, MaskRle, Prediction, Score

Doc = dict[str, Any]
Item = dict[str, Any]
SMALLER_IS_BETTER = ("l2_",)


def metric_names(task: str) -> tuple[MetricName, ...]:
    """The metrics of a task's table, which are those of its lmms-eval task. Counts (`num_*`) are not metrics there."""
    return tuple(
        MetricName(name, higher_is_better=not name.startswith(SMALLER_IS_BETTER))
        for name in HEADLINE[task]
        if not name.startswith("num_")
    )


def visuals(doc: Doc) -> list[Any]:
    """The pictures as RGB (Pillow), in the order of their numbers."""
    return [doc[f"image_{index}"].convert("RGB") for index in range(len(_example(doc).question.images))]


def prompt(doc: Doc) -> str:
    """The question for models that are given all pictures first: they are called "image 1", "image 2"."""
    return render(_example(doc), get_dialect(doc["dialect"])).without_tokens()


def messages(doc: Doc) -> list[dict[str, Any]]:
    """The question as one user turn, with every picture where the prompt shows it."""
    pictures = visuals(doc)
    content = [
        {"type": "text", "text": segment} if isinstance(segment, str) else {"type": "image", "url": pictures[segment.image_index]}
        for segment in render(_example(doc), get_dialect(doc["dialect"])).segments
    ]
    return [{"role": "user", "content": content}]


def process(doc: Doc, results: Sequence[str]) -> dict[str, Item]:
    """For every metric the score of one text as a plain dict: what `scores.jsonl` has, and `score`.

    `score` is what this text gives to the metric; it is left out where it gives nothing to it, and of metrics that are no mean over
    texts. lmms-eval makes its standard errors of it, and nothing else.
    """
    score = score_text(doc, results[0])
    table = tabulate([score])
    plain = msgspec.to_builtins(score)
    given = {metric.name: _given(metric.name, table) for metric in metric_names(score.task)}
    return {name: plain if value is None else plain | {"score": value} for name, value in given.items()}


def _given(metric: str, table: ScoreTable) -> float | None:
    """The metric's value over a table of one score, None if that is 0/0 or the metric is no mean of such values."""
    if metric.endswith("_mean"):
        value = float(table.distances[metric.removesuffix("_mean")][0])
        return value if math.isfinite(value) else None
    ratio = RATIOS.get(metric)
    if ratio is None or len(ratio.parts) > 1 or metric == "not_visible_f1":  # whose denominator counts some texts twice
        return None
    value = float(ratio(table.flags)[0])
    return value if math.isfinite(value) else None


def score_text(doc: Doc, text: str) -> Score:
    """The score of a text as an answer to a row."""
    example = _example(doc)
    codes = msgspec.json.decode(doc["masks"], type=dict[str, MaskRle])

    def mask(name: str) -> Bool[np.ndarray, "h w"]:
        return decode_mask(codes[name])

    reading = get_dialect(doc["dialect"]).decode(text, example.question.form, Size.all_of(example.question))
    return score_example(example, Prediction(id=example.id, reading=reading, text=text), mask)


def aggregate(name: str) -> Callable[[Sequence[Item]], float]:
    """The function that makes the metric `name` of the items of `process`; nan where it is 0/0."""

    def of_items(items: Sequence[Item]) -> float:
        scores = (
            msgspec.convert({key: value for key, value in item.items() if key != "score"}, Score, strict=False) for item in items
        )
        value = measure(tabulate(scores))[name].value
        return float("nan") if value is None else value

    return of_items


def _example(doc: Doc) -> Example:
    return msgspec.json.decode(doc["example"], type=Example)
