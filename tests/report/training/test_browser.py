"""The page on trainings in headless Chromium."""

import pytest

from sightline.report.training.page import write_training_report
from tests.report.training.world import full_training


@pytest.fixture
def shown(browser, tmp_path, world):
    page = write_training_report([full_training(tmp_path / "run", world)], tmp_path / "out")
    browser.get_log("browser")
    browser.get(page.as_uri())
    return browser


def test_it_opens_without_complaints_and_its_pictures_are_drawn(shown):
    loaded = (
        "const done = arguments[arguments.length - 1];"
        "Promise.all([...document.querySelectorAll('.asked image')].map((image) => {"
        "const copy = new Image(); copy.src = image.href.baseVal; return copy.decode(); }))"
        ".then(() => done(true), () => done(false))"
    )
    assert shown.execute_async_script(loaded)
    assert [entry["message"] for entry in shown.get_log("browser")] == []
    wide = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert shown.execute_script(wide)


def test_curves_have_colours_and_what_is_learnt_has_colour_and_brackets(shown):
    stroke = "return [...document.querySelectorAll('.curve')].map((each) => getComputedStyle(each).stroke)"
    assert set(shown.execute_script(stroke)) == {"rgb(230, 159, 0)", "rgb(86, 180, 233)", "rgb(213, 94, 0)"}
    assert (
        shown.execute_script("return getComputedStyle(document.querySelector('.decoded mark')).backgroundColor")
        == "rgb(0, 158, 115)"
    )
    bracket = "return getComputedStyle(document.querySelector('.decoded mark'), '::before').content"
    assert shown.execute_script(bracket) == '"⟦"'
    dashes = "return getComputedStyle(document.querySelector('.asked .dilated')).strokeDasharray"
    assert shown.execute_script(dashes) == "5px, 4px"


def test_parts_charts_and_folds_are_reached_by_keyboard(shown):
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415

    links = shown.find_elements("css selector", "nav.parts a")
    assert [link.text for link in links] == ["Runs", "Loss", "Evaluation", "Rates, speed and memory", "The run"]
    links[2].send_keys(Keys.ENTER)
    assert shown.execute_script("return document.querySelector(location.hash).textContent") == "Evaluation"
    assert all(each.get_attribute("tabindex") == "0" for each in shown.find_elements("css selector", ".scroll"))
    earlier = shown.find_elements("css selector", "details:has(.answers)")[1]
    assert not earlier.get_attribute("open")
    earlier.find_element("css selector", "summary").send_keys(Keys.ENTER)
    assert earlier.get_attribute("open")
    assert earlier.find_element("css selector", ".asked").is_displayed()
