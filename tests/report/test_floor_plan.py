"""The floor plan: where its shapes lie, what is refused, and how the page shows it."""

from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from sightline.report.floor_plan import HEADING, MARGIN, WIDTH, plan_detail
from sightline.report.write import write_report
from sightline.tasks.frame_rules import FrameRule
from sightline.tasks.pictures import Studio
from sightline.tasks.spatial.asking import Plan, PlanBox
from sightline.tasks.spatial.options import SpatialOptions
from sightline.tasks.spatial.scan import scan_questions
from sightline.types import Choice, Example, Number, Reading
from tests.report.chromium import Page
from tests.report.clip_world import reading, write_set
from tests.report.world import HOSTILE, write_run
from tests.tasks.spatial.scan_tree import write_scan

SQUARE = ((0.0, 0.0), (4.0, 0.0), (4.0, 2.0), (0.0, 2.0))


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> tuple[Path, list[Example]]:
    root = tmp_path_factory.mktemp("plans")
    scan = write_scan(root / "pictures", 0)
    named = msgspec.structs.replace(
        scan, objects=tuple(msgspec.structs.replace(each, category=HOSTILE + each.object_id) for each in scan.objects)
    )
    options = SpatialOptions(frames=FrameRule(num_frames=3), limit_distance=1, limit_nearest=1, limit_direction=2, limit_motion=1)
    found = scan_questions(named, Studio(root / "pictures"), options, split="val")
    return root, [each for each in found if isinstance(each, Example)]


def with_plan(example: Example, plan: Plan | str) -> Example:
    text = plan if isinstance(plan, str) else msgspec.json.encode(plan).decode()
    return msgspec.structs.replace(example, evidence={**example.evidence, "plan": text})


def test_metres_become_the_drawing_with_y_down(examples):
    _, (example, *_) = examples
    plan = Plan(
        boxes=(PlanBox(outline=SQUARE, label="bed", asked=True),),
        lines=(((0.0, 0.0), (4.0, 2.0)),),
        path=((2.0, 1.0),),
        headings=((0.0, 1.0),),
    )
    drawn = plan_detail(with_plan(example, plan))
    assert drawn is not None
    scale = (WIDTH - 2 * MARGIN) / 4  # 4 m fill the width: 148 a metre
    assert drawn["size"] == [WIDTH, 2 * MARGIN + 2 * scale]
    assert drawn["boxes"][0]["outline"][0] == (MARGIN, MARGIN + 2 * scale)  # (0, 0) is at the lower left
    assert drawn["lines"] == [[(MARGIN, MARGIN + 2 * scale), (WIDTH - MARGIN, MARGIN)]]
    assert drawn["headings"] == [((MARGIN + 2 * scale, MARGIN + scale), (MARGIN + 2 * scale, MARGIN + scale - HEADING))]
    assert drawn["ruler"] == {"length": scale, "words": "1 m"}


def test_a_plan_that_cannot_be_drawn_is_left_away(examples):
    _, (example, *_) = examples
    empty = Plan(boxes=())
    many = Plan(boxes=(), path=((0.0, 0.0),) * 5000)
    for plan in (empty, many, "{", '{"boxes": 3}', '{"boxes": [], "path": [[1e999, 0]]}'):
        assert plan_detail(with_plan(example, plan)) is None
    assert plan_detail(msgspec.structs.replace(example, evidence={})) is None


def test_a_single_point_has_a_plan(examples):
    _, (example, *_) = examples
    drawn = plan_detail(with_plan(example, Plan(boxes=(), path=((1.0, 1.0),), headings=((1.0, 0.0),))))
    assert drawn is not None
    assert drawn["path"] == [(MARGIN, MARGIN)]


@pytest.fixture(scope="module")
def report(examples) -> Path:
    root, found = examples
    taskset = write_set(root, "spatial_qa", found)
    guesses = [Number(value=1.0) if each.question.form.shape == "number" else Choice(value="A") for each in found]
    answers: list[Reading | str] = [reading(guess) for guess in guesses]
    run = write_run(root / "runs" / "a", taskset, "guesser", answers)
    return write_report([run], root / "report")


def test_the_page_draws_the_plan_beside_the_frames(browser, report, examples):
    _, found = examples
    example = next(each for each in found if each.tier == "object_abs_distance")
    browser.get_log("browser")
    page = Page(browser, report)
    page.open(f"#open={quote(f'spatial_qa-val:{example.id}')}")
    page.until("return document.querySelector('#body .columns')")
    plan = plan_detail(example)
    assert plan is not None
    count = "return document.querySelectorAll('#body .floor-plan {}').length"
    assert page.run(count.format("polygon.object")) == len(plan["boxes"])
    assert page.run(count.format("polygon.asked")) == 2
    assert page.run(count.format("polyline.measured")) == 1
    assert page.run(count.format(".eye")) == 3
    assert page.run("return document.querySelectorAll('#body .strip figure').length") == 3
    names = page.run("return [...document.querySelectorAll('#body .floor-plan > .scroll > svg > text')].map((n) => n.textContent)")
    assert sorted(names) == sorted(box["words"] for box in plan["boxes"] if box["asked"])
    assert page.run("return document.querySelector('#body .floor-plan script, #body .floor-plan b, #body .floor-plan img')") is None
    facts = page.run("return document.querySelector('#body .decided').textContent")
    assert "distance_m" in facts
    assert "outline" not in facts  # the plan is drawn, not told
    assert page.complaints() == []
