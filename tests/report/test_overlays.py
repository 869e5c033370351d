"""One example in headless Chromium: overlays, depth, what the model saw, zoom; and hostile texts that stay texts."""

from pathlib import Path

import pytest

from sightline.evaluate.predict import predict
from sightline.evaluate.run import read_scores
from sightline.evaluate.score import score_run
from sightline.evaluate.summary import summarise
from sightline.models import get_model
from sightline.report.write import write_report
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from tests.report.chromium import Page
from tests.report.world import HOSTILE, NUM_EXAMPLES, World, write_run
from tests.x3_tree import write_tree


def test_hostile_text_is_shown_as_text_and_runs_nothing(page: Page, tmp_path: Path):
    page.open("#set=t1_multi-validation&open=" + "t1_multi-validation:t1_multi/room_001/1/01_000001/02_000002".replace("/", "%2F"))
    page.until("return document.querySelectorAll('#body pre.text').length === 2")
    shown = page.run("return document.querySelectorAll('#body .answer pre.text')[0].textContent")
    assert shown == HOSTILE.replace("\u202e", "⟨U+202E⟩").replace("\u202c", "⟨U+202C⟩")
    assert page.run("return document.querySelectorAll('img[src=x], script:not([src]), [onerror]').length") == 0
    assert page.run("return document.title").startswith("Sightline report")
    assert page.complaints() == []
    picture = tmp_path / "example.png"
    page.browser.save_screenshot(str(picture))
    assert picture.stat().st_size > 10_000


def test_what_the_model_saw_is_shown_in_each_frame(page: Page):
    name = "t1_multi/room_000/0/01_000001/02_000002"  # true point (60, 45); qwen25 sees 308 x 252 and says it right
    page.open("#open=t1_multi-validation%3A" + name.replace("/", "%2F"))
    page.until("return document.querySelectorAll('#body details.saw').length === 2")
    cells = page.run(
        "return [...document.querySelectorAll('#body details.saw')[1].querySelectorAll('td')].map((td) => td.textContent)"
    )
    # [58, 47] of 308 x 252 is (58 * 320 / 308, 47 * 240 / 252) = (60.26, 44.76)
    assert cells[:4] == ["0", "320 × 240", "308 × 252", "96.3 % × 105.0 %"]
    assert cells[8:13] == ["answer", "[58, 47]", "(60.26, 44.76)", "(58.0, 47.0)", "(0.1883, 0.1865)"]
    assert cells[13:] == ["truth", "[58, 47]", "(60, 45)", "(57.8, 47.3)", "(0.1875, 0.1875)"]
    page.run("document.querySelectorAll('#body details.saw')[1].open = true")
    page.until("const picture = document.querySelector('#body .processed img'); return picture.complete && picture.naturalWidth")
    size = page.run(
        "const picture = document.querySelector('#body .processed img');"
        "return [picture.naturalWidth, picture.naturalHeight, picture.clientWidth, picture.clientHeight]"
    )
    assert size == [308, 252, 308, 252]  # a pixel of the page for each pixel that the model was given
    # the true point (60, 45) of 320 x 240 is at 18.75 % of both sides in whatever size
    spot = page.run(
        "const { left, top } = document.querySelectorAll('#body .processed')[1].querySelector('.truth').style; return [left, top]"
    )
    assert spot == ["18.75%", "18.75%"]
    assert page.complaints() == []


def test_an_example_shows_truth_masks_and_predictions_where_they_lie(page: Page):
    name = "t1_multi/room_001/1/01_000001/02_000002"  # corner (77, 53): centre (97, 68) of 320 x 240
    page.open("#open=t1_multi-validation%3A" + name.replace("/", "%2F"))
    page.until("return document.querySelector('#body .mark.truth')")
    spot = page.run("const { left, top } = document.querySelector('#body .mark.truth').style; return [left, top]")
    assert [round(float(value.rstrip("%")), 3) for value in spot] == [round(100 * 97 / 320, 3), round(100 * 68 / 240, 3)]
    path = page.run("return document.querySelector('#body path.mask:not(.halo)').getAttribute('d')")
    assert path.startswith("M77 53v30h40v-30z")
    letters = page.run("return [...document.querySelectorAll('#body .big-pictures .mark .letter')].map((node) => node.textContent)")
    assert sorted(letters) == ["A", "B", "R", "T"]
    page.run("document.querySelector('dialog .switches input').click()")  # the truth
    page.until("return !document.querySelector('#body .mark.truth')")
    assert "hide=truth" in page.run("return location.hash")


def test_a_concatenated_picture_shows_its_seam(page: Page):
    page.open("#set=t1_concat-validation")
    page.until("return document.querySelector('#grid line.seam')")
    assert page.run("return document.querySelector('#grid line.seam').getAttribute('x1')") == "320"


def test_a_number_out_of_the_picture_is_drawn_at_its_edge(browser, world: World, tmp_path: Path):
    run = write_run(tmp_path / "run", world.root / "multi", "far", ["[(9999, 9999)]"] * NUM_EXAMPLES, dialect="qwen25")
    page = Page(browser, write_report([run], tmp_path / "report", max_examples=3)).open("#truth=visible")
    page.until("return document.querySelector('#grid .mark.outside')")
    assert page.run("const { left, top } = document.querySelector('#grid .mark.outside').style; return [left, top]") == ["100%"] * 2


def test_depth_is_off_at_first_and_lies_over_its_own_view_with_a_legend_in_metres(page: Page):
    name = "t1_concat/room_000/0/01_000001/02_000002"
    page.open("#open=t1_concat-validation%3A" + name.replace("/", "%2F"))
    page.until("return document.querySelector('#body .mark.truth')")
    assert page.run("return document.querySelectorAll('img.depth').length") == 0
    page.run("document.querySelector('dialog .switches input[name=depth]').click()")
    page.until("const depth = document.querySelector('#body img.depth'); return depth && depth.complete && depth.naturalWidth")
    assert "show=depth" in page.run("return location.hash")
    place = page.run(
        "const { left, top, width, height } = document.querySelector('#body img.depth').style; return [left, top, width, height]"
    )
    assert place == ["50%", "0%", "50%", "100%"]  # the query is the right half
    legend = page.run("return [...document.querySelectorAll('#body .depth-legend')].map((node) => node.textContent)")
    assert legend == ["reference: no depth of this view", "query: depth ≤ 1.06 m  ≥ 4.13 m; clear: no depth (50.0 %)"]
    page.run("document.querySelector('dialog .switches input[name=depth]').click()")
    page.until("return !document.querySelector('#body img.depth') && !location.hash.includes('show')")
    assert page.complaints() == []


def test_the_opacity_of_the_overlays_follows_the_slider_and_the_address(page: Page):
    opacity = "const lines = document.querySelector('#grid .frame > svg'); return lines && getComputedStyle(lines).opacity"
    page.open("#opacity=40")
    assert page.until(opacity) == "0.4"
    page.run(
        "const slider = document.querySelector('.overlays input[name=opacity]'); slider.value = 70;"
        "slider.dispatchEvent(new Event('change'))"
    )
    page.until("return location.hash === '#opacity=70' && document.body.dataset.ready === location.hash")
    assert page.until(opacity) == "0.7"
    page.open("#opacity=nothing")
    assert page.until(opacity) == "1"


def test_a_predicted_mask_is_laid_against_the_true_one(browser, tmp_path: Path):
    request = BuildRequest(
        reader="x3",
        root=str(write_tree(tmp_path / "data")),
        splits=("train",),
        tasks=("t2b_mask",),
        options=CrossViewOptions(pairs="all"),
    )
    (built,) = build(request, tmp_path / "tasks")
    run = tmp_path / "run"
    predict(TaskSet(Path(built.path)), get_model("difference"), run)
    score_run(run)
    summarise(run)
    page = Page(browser, write_report([run], tmp_path / "report")).open("#truth=visible")
    page.until("return document.querySelector('#grid path.mask')")
    assert page.run("return document.querySelectorAll('#grid g.agreement').length") == 0
    page.run("document.querySelector('.overlays input[name=agreement]').click()")
    page.until("return document.querySelector('#grid g.agreement')")
    parts = page.run(
        "const svg = document.querySelector('#grid g.agreement').closest('svg');"
        "return [...svg.querySelectorAll('g.agreement')].map((part) => [part.classList[1], getComputedStyle(part.firstChild).fill])"
    )
    overlaps = page.run(
        "const cards = [...document.querySelectorAll('#grid .card')];"
        "return cards.map((card) => [card.title, card.querySelector('.overlap').textContent])"
    )
    iou = {score.id: score.iou for score in read_scores(run)}
    assert overlaps
    assert [words for _, words in overlaps] == [f"A IoU {iou[name]:.2f}" for name, _ in overlaps]
    assert parts == [["both", "rgb(0, 158, 115)"], ["only-predicted", "rgb(213, 94, 0)"], ["only-true", "rgb(0, 114, 178)"]]
    assert page.complaints() == []


def test_the_pictures_of_an_example_share_zoom_scrolling_and_crosshair(page: Page):
    name = "t1_multi/room_001/1/01_000001/02_000002"
    page.open("#open=t1_multi-validation%3A" + name.replace("/", "%2F"))
    page.until("return document.querySelectorAll('#body .window').length === 2")
    widths = "return [...document.querySelectorAll('#body .window .frame')].map((frame) => frame.clientWidth)"
    before = page.run(widths)
    page.run(
        "const slider = document.querySelector('#body input[name=zoom]'); slider.value = 4;slider.dispatchEvent(new Event('input'))"
    )
    bars = page.run("return [...document.querySelectorAll('#body .window')].map((pane) => pane.offsetWidth - pane.clientWidth)")
    assert page.run(widths) == pytest.approx([4 * (width - bar) for width, bar in zip(before, bars, strict=True)], abs=4)
    page.run("document.querySelector('#body .window').scrollTo(120, 60)")
    page.until(
        "const other = document.querySelectorAll('#body .window')[1]; return other.scrollLeft === 120 && other.scrollTop === 60"
    )
    place = page.run(
        "const frame = document.querySelector('#body .window .frame'), box = frame.getBoundingClientRect();"
        "const at = { clientX: box.left + box.width / 4, clientY: box.top + box.height / 2 };"
        "frame.dispatchEvent(new PointerEvent('pointermove', at));"
        "const crosses = [...document.querySelectorAll('#body .frame.pointed .cross.down')].slice(0, 2);"
        "return [document.querySelector('#body .zoom output').textContent, ...crosses.map((cross) => cross.style.left)]"
    )
    assert place == ["(80.0, 120.0) px of picture 0", "25%", "25%"]  # a quarter of 320, half of 240
    page.run(
        "const slider = document.querySelector('#body input[name=zoom]'); slider.value = 1;slider.dispatchEvent(new Event('input'))"
    )
    assert page.run(widths) == before
    assert page.complaints() == []
