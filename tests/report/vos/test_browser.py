"""The page on saved masks in headless Chromium."""

import pytest

from sightline.report.vos.page import write_vos_report
from tests.report.vos.world import scored_runs, write_trackers


@pytest.fixture
def shown(browser, tmp_path):
    world = write_trackers(tmp_path / "world")
    page = write_vos_report(scored_runs(world, "good", "poor"), tmp_path / "out", protocol="sav", images=world / "images")
    browser.get_log("browser")
    browser.get(page.as_uri())
    return browser


def test_it_opens_without_complaints_and_its_pictures_are_drawn(shown):
    images = shown.find_elements("css selector", ".overlay image")
    assert len(images) == 4
    loaded = (
        "const done = arguments[arguments.length - 1];"
        "Promise.all([...document.querySelectorAll('.overlay image')].map((image) => {"
        "const copy = new Image(); copy.src = image.href.baseVal; return copy.decode(); }))"
        ".then(() => done(true), () => done(false))"
    )
    assert shown.execute_async_script(loaded)
    assert [entry["message"] for entry in shown.get_log("browser")] == []


def test_parts_have_colours_edges_and_letters(shown):
    style = "return getComputedStyle(document.querySelector('.overlay .only-true')).fill"
    assert shown.execute_script(style) == "rgb(0, 114, 178)"
    dashes = "return getComputedStyle(document.querySelector('.overlay .only-predicted')).strokeDasharray"
    assert shown.execute_script(dashes) == "4px, 3px"
    letters = shown.execute_script("return [...document.querySelectorAll('.overlay .part-name')].map((n) => n.textContent)")
    assert set(letters) == {"TP", "FN", "FP"}


def test_a_name_in_the_bars_leads_to_its_sequence(shown):
    shown.find_element("css selector", "figure a[href='#sequence-1']").click()
    assert shown.execute_script("return location.hash") == "#sequence-1"
    assert shown.find_element("css selector", "#sequence-1 h3").text == "fast"
    wide = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert shown.execute_script(wide)
