"""Clips and relations in headless Chromium."""

from urllib.parse import quote

import pytest

from tests.report.chromium import Page
from tests.report.clip_world import LONG, LOST, ClipWorld, make_clip_world


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> ClipWorld:
    return make_clip_world(tmp_path_factory.mktemp("clips"))


@pytest.fixture
def shown(browser, clips: ClipWorld) -> Page:
    browser.get_log("browser")
    return Page(browser, clips.report)


def open_example(shown: Page, task: str, name: str) -> None:
    shown.open(f"#open={quote(f'{task}-val:{task}/{name}')}")
    shown.until("return document.querySelector('#body .columns')")


def test_a_clip_is_a_strip_with_boxes_letters_and_the_overlap_over_time(shown: Page):
    open_example(shown, "refer_track", "short")
    assert shown.run("return document.querySelectorAll('#body .strip figure').length") == 6
    assert shown.run("return document.querySelectorAll('#body .strip figure.unscored').length") == 1
    letters = "return [...document.querySelectorAll('#body .strip figure:nth-child({}) .mark .letter')].map((n) => n.textContent)"
    assert sorted(shown.run(letters.format(1))) == ["A", "T"]
    assert shown.run(letters.format(5)) == ["T"]  # missed
    # 5 known frames, so 5 dots a run, in two colours
    assert shown.run("return document.querySelectorAll('.over-time .dot.run-0').length") == 5
    assert shown.run("return document.querySelectorAll('.over-time .dot.run-1').length") == 5
    assert shown.run("return [...document.querySelectorAll('.over-time text.letter')].map((n) => n.textContent)") == ["A", "B"]
    captions = shown.run("return document.querySelector('#body .strip figure:nth-child(3) figcaption').textContent")
    assert captions == "frame 2, 1.00 sA 0.78 B 0.00 "
    assert shown.complaints() == []


def test_a_button_goes_to_the_worst_frame_of_a_run(shown: Page):
    open_example(shown, "refer_mask_track", "long")
    assert f"of {LONG} frames are shown" in shown.run("return document.querySelector('#body .clip .note').textContent")
    button = shown.browser.find_element("css selector", ".to-worst")
    assert button.text == f"A worst frame: {LOST} (IoU 0.00)"
    button.click()
    assert shown.run("return document.activeElement.dataset.position") == str(LOST)
    inside = (
        "const box = document.activeElement.getBoundingClientRect();"
        "const whole = document.getElementById('example').getBoundingClientRect();"
        "return box.top >= whole.top && box.bottom <= whole.bottom"
    )
    assert shown.run(inside)
    assert shown.run("return document.querySelectorAll('.strip figure.worst').length") == 1
    loaded = (
        "return [...document.querySelectorAll('#body .strip img')].every((picture) => picture.complete && picture.naturalWidth > 0)"
    )
    shown.until(loaded)
    assert shown.complaints() == []


def test_a_frame_grows_at_a_click_and_at_enter(shown: Page):
    open_example(shown, "refer_track", "short")
    width = "return document.querySelector('.strip figure').getBoundingClientRect().width"
    small = shown.run(width)
    shown.browser.find_element("css selector", ".strip figure .frame").click()
    assert shown.run(width) > 1.5 * small
    shown.run("document.querySelector('.strip figure').focus()")
    shown.press("\ue007")
    assert shown.run(width) == small


def test_a_card_shows_a_few_frames_of_a_clip(shown: Page):
    shown.open("#set=refer_mask_track-val")
    shown.until("return document.querySelectorAll('.card .contact .frame').length === 4")
    assert shown.run("return document.querySelectorAll('.card .pictures > .frame').length") == 0


def test_stretches_of_time_are_bars_over_the_clip(shown: Page):
    open_example(shown, "refer_span", "when")
    bars = shown.run(
        "return [...document.querySelectorAll('.over-time rect.bar')]"
        ".map((bar) => [bar.classList[1], bar.querySelector('title').textContent])"
    )
    assert bars == [["truth", "T: 0.50 s to 1.50 s"], ["run-0", "A: 1.00 s to 2.00 s"]]


def test_a_relation_shows_both_objects_the_margin_and_the_rule_and_its_words_are_inert(shown: Page):
    open_example(shown, "relation_choice", "pair")
    words = shown.run("return [...document.querySelectorAll('#body .big-pictures .overlap.evidence')].map((n) => n.textContent)")
    assert words[0] == "a: object A"
    assert words[1].startswith("b: </script><img src=x")
    assert shown.run("return document.querySelectorAll('#body .big-pictures path.evidence:not(.halo)').length") == 2
    facts = shown.run("return document.querySelector('.decided').textContent")
    assert "ruleleft_of" in facts
    assert "margin0.125" in facts
    assert "onerror" in facts
    assert shown.run("return document.title").startswith("Sightline report")
    assert shown.run("return document.querySelectorAll('img[src=x]').length") == 0
    assert shown.complaints() == []


def test_the_objects_of_the_rule_can_be_hidden(shown: Page):
    shown.open(f"#hide=evidence&open={quote('relation_choice-val:relation_choice/pair')}")
    shown.until("return document.querySelector('#body .columns')")
    assert shown.run("return document.querySelectorAll('#body path.evidence').length") == 0


def test_numbers_of_values_open_the_examples_that_have_them(shown: Page):
    shown.open("#set=refer_track-val")
    cells = shown.run(
        "return [...document.querySelectorAll('td a.examples.n')].map((a) => [a.getAttribute('href'), a.textContent])"
    )
    overlaps = [text for href, text in cells if "refer_track-val" in href and "model=tracker" in href and "iou=0" in href]
    assert overlaps
    assert set(overlaps) == {"(1)"}  # the example without a target has no overlap
    link = next(href for href, text in cells if "refer_track-val" in href and "model=tracker" in href and "iou=0" in href)
    shown.go(link)
    assert shown.count() == 1
