"""The page in headless Chromium, opened from its file URL."""

from urllib.parse import quote

from sightline.report.links import gallery_url
from tests.report.chromium import Page
from tests.report.told import conditions_of, meets, tell_world
from tests.report.world import NUM_EXAMPLES, World


def test_every_number_of_the_tables_and_every_bar_opens_exactly_the_examples_it_counts(page: Page, world: World):
    told = tell_world(world)
    page.open()
    links = page.run("return [...document.querySelectorAll('a.examples')].map((link) => link.getAttribute('href'))")
    assert len(links) > 120
    for number, link in enumerate(sorted(set(links))):
        run, conditions = conditions_of(link)
        shown = page.run(
            "const found = sightline.rows.select(sightline.index, sightline.state.read(arguments[0]));"
            "return found.map((row) => sightline.index.ids[row])",
            link,
        )
        assert shown == [one.example.id for one in told[run] if meets(one, conditions)], link
        if number % 7 == 0:  # Chromium ignores changes of the address beyond 200 in ten seconds
            page.go(link)
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


def test_rows_can_be_ordered_by_the_smallest_overlap_and_by_disagreement(page: Page):
    page.open("#set=t1_multi-validation&sort=disagreement")
    # 2 runs: one right and the other wrong comes first; 10 + 4 right answers, those that both have right are no disagreement
    split = page.run(
        "const { runs, sets } = sightline.index;"
        "const found = sightline.rows.select(sightline.index, sightline.state.read());"
        "return found.map((row) => (runs[0].flags[row] ^ runs[1].flags[row]) & 1)"
    )
    assert split == sorted(split, reverse=True)
    assert 0 < sum(split) <= 14
    order = page.run(
        "sightline.index.runs[0].iou[3] = 0.9; sightline.index.runs[0].iou[5] = 0.2; sightline.index.runs[0].iou[9] = 0.2;"
        "return sightline.rows.select(sightline.index, sightline.state.read('#set=t1_multi-validation&model=center&sort=overlap'))"
    )
    assert order[:4] == [5, 9, 3, 0]  # equal ones as stored, those without one last


def test_a_taller_window_and_closed_folds_show_the_cards_that_come_into_sight(page: Page):
    cards = "return document.querySelectorAll('#grid .card').length"
    page.open()
    few = page.run(cards)
    page.browser.set_window_size(1200, 3000)
    try:
        page.until(f"{cards} > {few}")
        page.run("for (const node of document.querySelectorAll('details')) node.open = true")
        page.until(f"{cards} === 0")
        page.run("for (const node of document.querySelectorAll('details')) node.open = false")
        page.until(f"{cards} > {few}")
    finally:
        page.browser.set_window_size(1200, 900)
