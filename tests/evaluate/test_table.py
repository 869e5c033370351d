import msgspec
import pytest

from sightline.evaluate.metrics import Metric
from sightline.evaluate.outcomes import OUTCOMES
from sightline.evaluate.predict import predict
from sightline.evaluate.score import SPATIAL_QA, score_run
from sightline.evaluate.summary import HEADLINE, summarise
from sightline.evaluate.table import LABELS, format_metric, tables
from sightline.models import get_model
from sightline.tasks import CLIP_TASKS, TASKS, VARIANTS
from sightline.tasks.questions import QUESTION_TASKS


@pytest.mark.parametrize(
    ("name", "metric", "text"),
    [
        ("hit_exact", Metric(value=0.52345, n=400, low=0.4119, high=0.63), "52.3 [41.2, 63.0] (400)"),
        ("hit_exact", Metric(value=1.0, n=3), "100.0 (3)"),  # one scene: no interval
        ("l2_norm_mean", Metric(value=0.0521, n=7, low=0.04, high=0.0666), "0.052 [0.040, 0.067] (7)"),
        ("not_visible_precision", Metric(value=None, n=0), "– (0)"),
    ],
)
def test_a_cell_says_value_interval_and_number(name, metric, text):
    assert format_metric(name, metric) == text


def test_every_task_has_a_headline_with_labels_and_a_scoring_rule():
    assert set(HEADLINE) == set(OUTCOMES) == set(TASKS | VARIANTS | CLIP_TASKS) | set(QUESTION_TASKS) | {SPATIAL_QA}
    assert {name for names in HEADLINE.values() for name in names} <= set(LABELS)


def test_models_of_one_task_set_share_a_table_and_task_sets_have_their_own(make_example, write_taskset, tmp_path):
    summaries = []
    for task in ("t1_concat", "t2b"):
        taskset = write_taskset(
            [make_example(task, str(index), group=f"room_{index}") for index in range(3)], name=f"{task}-validation"
        )
        for model in ("center", "not-visible"):
            run = tmp_path / "runs" / task / model
            predict(taskset, get_model(model), run)
            score_run(run)
            summaries.append(summarise(run))
    first, second = tables(summaries)
    assert (first.title, second.title) == ("t1_concat-validation", "t2b-validation")
    assert [row.model for row in first.rows] == ["center", "not-visible"]
    assert second.labels == ("Hit %", "Hit dilated %", "L2 median", "Unreadable")
    # The centre of the view is (50, 25): right of the mask (columns 30..49), inside the dilated one (25..54); its distance to
    # (40, 20) is hypot(10 / 100, 5 / 50) = hypot(.1, .1) = .141.
    assert second.rows[0].cells == ("0.0 [0.0, 0.0] (3)", "100.0 [100.0, 100.0] (3)", "0.141 [0.141, 0.141] (3)", "0 (3)")
    assert second.rows[1].cells == ("0.0 [0.0, 0.0] (3)", "0.0 [0.0, 0.0] (3)", "– (0)", "0 (3)")
    assert all(len(row.cells) == len(table.columns) == len(table.labels) for table in (first, second) for row in table.rows)


def test_metrics_are_written_out_in_full_where_they_are_undefined():
    assert msgspec.json.encode(Metric(value=None, n=0)) == b'{"value":null,"n":0}'
