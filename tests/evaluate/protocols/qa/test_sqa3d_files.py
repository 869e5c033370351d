"""SQA3D's published test split, scored with prediction files whose worth is known."""

from pathlib import Path

import pytest

from sightline.datasets.questions.sqa3d import Sqa3d
from sightline.evaluate.protocols.qa import RULES
from sightline.evaluate.protocols.qa.answered import Answered, Tally
from sightline.types import SpatialInquiry


def scored(root: Path, text: str | None) -> Tally:
    """Everything answered with `text`, or with the truth."""
    reader = Sqa3d(root, "test")
    found = [each for index in range(len(reader)) for each in reader[index] if isinstance(each, SpatialInquiry)]
    return RULES["sqa3d"]()(
        [
            Answered(
                id=each.published_id,
                category=each.question_type,
                accepted=each.accepted or (each.answer_text,),
                text=each.answer_text if text is None else text,
            )
            for each in found
        ]
    )


@pytest.mark.parametrize(("text", "exact", "refined"), [(None, 1.0, 1.0), ("xyzzy", 0.0, 0.0), ("", 0.0, 1.0)])
def test_perfect_wrong_and_empty_answers(text: str | None, exact: float, refined: float, shared_data: Path):
    tally = scored(shared_data / "sqa3d", text)
    assert tally.metrics["em"].n == 3519
    assert (tally.metrics["em"].value, tally.metrics["em_refined"].value) == (exact, refined)
    assert sum(metric.n for name, metric in tally.metrics.items() if name.startswith("em ")) == 3519


def test_always_yes_is_right_where_the_truth_is_yes(shared_data: Path):
    tally = scored(shared_data / "sqa3d", "Yes.")
    assert 0.05 < (tally.metrics["em"].value or 0.0) < 0.3
    assert (tally.metrics["em is"].value or 0.0) > (tally.metrics["em what"].value or 0.0)
