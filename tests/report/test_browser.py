"""The page in headless Chromium, opened from its file URL."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from sightline.report.links import gallery_url
from sightline.report.write import write_report
from tests.report.conftest import HOSTILE, NUM_EXAMPLES, World, conditions_of, meets, tell_world, write_run

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator:
    if not (CHROMIUM and DRIVER):
        reason = "no chromium and chromedriver on PATH (Debian: apt-get install chromium chromium-driver)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from selenium import webdriver  # noqa: PLC0415 - only where there is a browser

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


class Page:
    """The report as a reader uses it."""

    def __init__(self, browser, report: Path) -> None:
        self.browser = browser
        self.url = report.as_uri()

    def open(self, fragment: str = "") -> "Page":
        self.browser.get("about:blank")
        self.browser.get(self.url + fragment)
        self.until("return document.body.dataset.ready === location.hash")
        return self

    def run(self, script: str, *arguments):
        return self.browser.execute_script(script, *arguments)

    def until(self, script: str):
        from selenium.webdriver.support.ui import WebDriverWait  # noqa: PLC0415

        return WebDriverWait(self.browser, 15, poll_frequency=0.02).until(lambda _: self.run(script))

    def go(self, fragment: str) -> None:
        self.run("location.hash = arguments[0]", fragment)
        self.until("return document.body.dataset.ready === location.hash")

    def count(self) -> int:
        return int(self.run("return document.getElementById('count').textContent").split()[0])

    def press(self, key: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains  # noqa: PLC0415

        ActionChains(self.browser).send_keys(key).perform()

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.browser.get_log("browser")]


@pytest.fixture
def page(browser, world: World) -> Page:
    browser.get_log("browser")
    return Page(browser, world.report)


def test_every_number_of_the_tables_and_every_bar_opens_exactly_the_examples_it_counts(page: Page, world: World):
    told = tell_world(world)
    page.open()
    links = page.run("return [...document.querySelectorAll('a.examples')].map((link) => link.getAttribute('href'))")
    assert len(links) > 120
    for link in sorted(set(links)):
        run, conditions = conditions_of(link)
        page.go(link)
        shown = page.run(
            "return sightline.rows.select(sightline.index, sightline.state.read()).map((row) => sightline.index.ids[row])"
        )
        assert shown == [one.example.id for one in told[run] if meets(one, conditions)], link
        assert page.count() == len(shown)
    assert page.complaints() == []


def test_clicking_a_number_shows_its_examples_and_the_conditions_can_be_dropped(page: Page):
    page.open()
    cell = page.browser.find_element("css selector", "td a.examples[href*='dilated=1']")
    cell.click()
    page.until("return document.body.dataset.ready === location.hash")
    # 17.5 % of the 40 visible objects hold the centre in their dilated mask
    assert page.count() == 7
    cards = page.until("const cards = document.querySelectorAll('#grid .card'); return cards.length === 7 && cards.length")
    assert cards == 7
    page.until("return document.querySelectorAll('#grid .card path.dilated:not(.halo)').length === 7")
    page.browser.find_element("css selector", ".condition.clear").click()
    page.until("return document.body.dataset.ready === location.hash")
    assert page.count() == 2 * NUM_EXAMPLES


def test_filters_follow_the_form_and_the_address(page: Page):
    page.open("#" + "tier=N1")
    assert page.count() == 40
    assert page.run("return document.getElementById('filters').elements.tier.value") == "N1"
    page.run(
        "const field = document.getElementById('filters').elements.set; field.value = 't1_concat-validation';"
        "field.dispatchEvent(new Event('input', { bubbles: true }))"
    )
    page.until("return location.hash.includes('set=t1_concat-validation')")
    page.until("return document.body.dataset.ready === location.hash")
    assert page.count() == 20
    page.open("#q=really")  # words of an answer, kept in another file
    assert page.count() == 10


def test_two_runs_are_compared_example_by_example(page: Page):
    pair = {"vs": "center", "set": "t1_multi-validation"}
    counts = {}
    for versus in ("won", "lost", "both", "neither", "differ"):
        url = gallery_url("t1_multi-validation", "<b>bold</b>⟨U+202E⟩ & co", pair | {"versus": versus})
        counts[versus] = page.open(url).count()
    assert sum(counts[versus] for versus in ("won", "lost", "both", "neither")) == NUM_EXAMPLES
    assert counts["won"] + counts["both"] == 10  # every sixth text is right, and 16.7 % of 60 is 10
    assert counts["lost"] + counts["both"] == 4  # 6.7 % of 60
    assert counts["differ"] == counts["won"] + counts["lost"]


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
    assert page.complaints() == []


def test_errors_and_slices_filter_the_gallery_and_a_bar_opens_its_examples(page: Page):
    page.open("#set=t1_multi-validation&model=" + quote("<b>bold</b>⟨U+202E⟩ & co") + "&kind=false_not_visible")
    assert page.count() == 10  # every sixth text says so of a visible object
    assert page.run("return document.getElementById('filters').elements.kind.value") == "false_not_visible"
    page.open("#bin=" + quote("nothing:of that name"))
    assert page.count() == 0
    page.open()
    page.run("for (const node of document.querySelectorAll('details')) node.open = true")
    bar = page.browser.find_element("css selector", ".plots a[href*='bin=size%3Amedium']")
    bar.click()
    page.until("return document.body.dataset.ready === location.hash && location.hash !== ''")
    assert page.count() == 20  # two of four sizes over 40 visible objects
    assert page.complaints() == []


def test_an_example_shows_truth_masks_and_predictions_where_they_lie(page: Page):
    name = "t1_multi/room_001/1/01_000001/02_000002"  # corner (77, 53): centre (97, 68) of 320 x 240
    page.open("#open=t1_multi-validation%3A" + name.replace("/", "%2F"))
    page.until("return document.querySelector('#body .mark.truth')")
    spot = page.run("const { left, top } = document.querySelector('#body .mark.truth').style; return [left, top]")
    assert [round(float(value.rstrip("%")), 3) for value in spot] == [round(100 * 97 / 320, 3), round(100 * 68 / 240, 3)]
    path = page.run("return document.querySelector('#body path.mask:not(.halo)').getAttribute('d')")
    assert path.startswith("M77 53v30h40v-30z")
    letters = page.run("return [...document.querySelectorAll('#body .mark .letter')].map((node) => node.textContent)")
    assert sorted(letters) == ["A", "B", "R", "T"]
    page.run("document.querySelector('dialog .switches input').click()")  # the truth
    page.until("return !document.querySelector('#body .mark.truth')")
    assert "hide=truth" in page.run("return location.hash")


def test_the_keyboard_moves_opens_closes_and_searches(page: Page):
    page.open("#set=t1_concat-validation")
    page.press("j")
    page.press("j")
    page.press("\ue007")  # Enter
    page.until("return document.getElementById('example').open && document.getElementById('place').textContent")
    assert page.run("return document.getElementById('place').textContent") == f"2 of {NUM_EXAMPLES}"
    page.press("j")
    page.until("return document.getElementById('place').textContent.startsWith('3 of')")
    page.press("k")
    page.until("return document.getElementById('place').textContent.startsWith('2 of')")
    page.press("\ue00c")  # Escape
    page.until("return !document.getElementById('example').open && !location.hash.includes('open')")
    page.press("/")
    assert page.run("return document.activeElement.name") == "q"


def test_only_the_cards_in_sight_exist(page: Page):
    page.open()
    assert page.run("return document.querySelectorAll('#grid .card').length") < 40
    page.run("scrollTo(0, document.body.scrollHeight)")
    last = "t1_concat/room_003/59/01_000001/02_000002"
    page.until(f"return [...document.querySelectorAll('#grid .card')].some((card) => card.title === '{last}')")
    first = "t1_multi/room_000/0/01_000001/02_000002"
    assert not page.run(f"return [...document.querySelectorAll('#grid .card')].some((card) => card.title === '{first}')")
    assert page.run("return document.querySelectorAll('#grid .card').length") < 40


def test_a_concatenated_picture_shows_its_seam(page: Page):
    page.open("#set=t1_concat-validation")
    page.until("return document.querySelector('#grid line.seam')")
    assert page.run("return document.querySelector('#grid line.seam').getAttribute('x1')") == "320"


def test_a_number_out_of_the_picture_is_drawn_at_its_edge(browser, world: World, tmp_path: Path):
    run = write_run(tmp_path / "run", world.root / "multi", "far", ["[(9999, 9999)]"] * NUM_EXAMPLES, dialect="qwen25")
    page = Page(browser, write_report([run], tmp_path / "report", max_examples=3)).open()
    page.until("return document.querySelector('#grid .mark.outside')")
    assert page.run("const { left, top } = document.querySelector('#grid .mark.outside').style; return [left, top]") == ["100%"] * 2


def test_the_tables_stand_without_scripts(page: Page):
    page.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.browser.get("about:blank")
        page.browser.get(page.url)
        assert page.browser.find_element("css selector", "td a.examples").is_displayed()
        assert "needs JavaScript" in page.browser.find_element("tag name", "noscript").text
        assert not page.browser.find_element("id", "gallery").is_displayed()
    finally:
        page.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
