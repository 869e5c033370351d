"""Filters by side and label, the orders, and the rows saved from the page, in headless Chromium."""

import csv
from pathlib import Path
from urllib.parse import quote

from sightline.report.rows import write_rows
from tests.report.chromium import Page
from tests.report.world import NUM_EXAMPLES, World


def test_examples_are_filtered_by_the_half_of_the_view_that_the_true_point_lies_in(page: Page):
    # visible objects have their middle at 60 + 37 i % 200 (i not 2, 5, 8, ...) of 320 pixels: left of 160 if 37 i % 200 < 100
    lefts = sum(37 * number % 200 < 100 for number in range(NUM_EXAMPLES) if number % 3 != 2)
    assert page.open("#set=t1_concat-validation&side=left").count() == lefts
    assert page.open("#set=t1_concat-validation&side=right").count() == 40 - lefts
    assert page.run("return document.getElementById('filters').elements.side.value") == "right"
    assert page.open("#side=above").count() == 0


def test_a_bar_of_a_label_opens_its_examples(page: Page):
    page.open()
    page.run("for (const node of document.querySelectorAll('details')) node.open = true")
    page.browser.find_element("css selector", "a[href*='label=chair']").click()
    page.until("return location.hash.includes('label=chair') && document.body.dataset.ready === location.hash")
    assert page.count() == 30  # every second of 60
    assert page.run("return document.getElementById('filters').elements.label.value") == "chair"
    assert page.open("#label=sofa").count() == 0
    assert page.complaints() == []


def test_the_order_by_error_is_exact_stable_and_has_rows_without_one_last(page: Page):
    page.open()
    found = page.run(
        "const run = sightline.index.runs[0], state = sightline.state.read('#set=t1_multi-validation&model=center&sort=error');"
        "run.l2.fill(NaN); sightline.index.orders.clear();"
        "Object.assign(run.l2, { 3: 0, 5: 1e-300, 7: 0.25, 9: 0.25 + 2 ** -54, 11: 0.25 + 2 ** -53, 13: 0.25, 15: 70000 });"
        "return sightline.rows.select(sightline.index, state).slice(0, 10)"
    )
    # 0.25 + 2 ** -54 is the next number above 0.25
    assert found == [15, 11, 9, 7, 13, 5, 3, 0, 1, 2]


def test_the_rows_in_view_are_saved_as_csv_with_formulas_led_by_a_quote(page: Page, world: World, tmp_path: Path):
    page.browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    page.open("#set=t1_multi-validation&tier=N1&model=" + quote("<b>bold</b>⟨U+202E⟩ & co"))
    page.run("sightline.index.labels[2] = '=\"cmd\"'; sightline.index.labels[5] = '\\uff0bx'")
    page.browser.find_element("id", "save").click()
    saved = tmp_path / "rows.csv"
    page.wait(saved.is_file)
    with saved.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == page.count() == 20
    assert [row["label"] for row in rows[:3]] == ['\'="cmd"', "'\uff0bx", "lamp"]
    write_rows(world.runs, tmp_path / "all.csv")
    with (tmp_path / "all.csv").open(encoding="utf-8-sig", newline="") as file:
        wanted = {(row["model"], row["id"]): row for row in csv.DictReader(file)}
    numbers = {"l2_norm", "iou"}
    for row in rows:
        ours = wanted[row["model"], row["id"]]
        for name in row.keys() - numbers - {"label"}:
            assert row[name] == ours[name], name
        for name in numbers:
            assert (row[name] and float(row[name])) == (ours[name] and float(ours[name]))
    assert page.complaints() == []
