"""Masks by words in headless Chromium."""

from urllib.parse import quote

import pytest

from tests.report.chromium import Page
from tests.report.referring_world import TASK, make_referring_world


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return make_referring_world(tmp_path_factory.mktemp("referring"))[1]


@pytest.fixture
def shown(browser, report) -> Page:
    browser.get_log("browser")
    return Page(browser, report)


def open_example(shown: Page, words: str, hide: str = "") -> None:
    shown.open(f"#{hide}open={quote(f'{TASK}-val:{TASK}/{words}')}")
    shown.until("return document.querySelector('#body .columns')")


def test_masks_boxes_edges_and_the_seg_of_the_text_are_shown(shown: Page):
    open_example(shown, "the right cup")
    assert shown.run("return [...document.querySelectorAll('#body .answer .seg')].map((n) => n.textContent)") == [
        "[SEG]1",
        "[SEG]2",
        "[SEG]3",
    ]
    assert shown.run("return document.querySelectorAll('#body .over-time').length") == 2  # J and F
    titles = "return [...document.querySelectorAll('#body .over-time:nth-of-type(2) .dot.run-0 title')].map((n) => n.textContent)"
    assert "A, frame 0: F 1.000" in shown.run(titles)
    facts = shown.run("return document.querySelector('#body .columns').textContent")
    assert "expressionthe right cup" in facts
    assert "notes3_seg" in facts
    paths = (
        "return [...document.querySelectorAll('#body .strip figure:first-child path.stroke.{}')].map((n) => n.getAttribute('d'))"
    )
    assert sorted(shown.run(paths.format("run-0"))) == ["M30 10H46V22H30z", "M30 10v12h16v-12z"]
    assert "M30 10H46V22H30z" in shown.run(paths.format("truth"))
    assert shown.complaints() == []


def test_boxes_around_masks_can_be_hidden(shown: Page):
    open_example(shown, "the right cup", "hide=box&")
    paths = (
        "return [...document.querySelectorAll('#body .strip path.stroke')].filter((n) => n.getAttribute('d').includes('H')).length"
    )
    assert shown.run(paths) == 0


def test_an_answer_on_another_object_says_which(shown: Page):
    open_example(shown, "the left cup")
    facts = shown.run("return document.querySelector('#body .answer .facts').textContent")
    assert (
        "other objecton another object: the right cup (object 2, cup, of the same class), overlap 0.40; with what is meant 0.17"
        in facts
    )


def test_a_listed_mistake_opens_its_example(shown: Page):
    shown.open()
    link = shown.run("return document.querySelector('.confusions a').getAttribute('href')")
    shown.go(link)
    shown.until("return document.querySelector('#body .columns')")
    assert "the spoon" in shown.run("return document.querySelector('#body .facts').textContent")
    assert shown.complaints() == []


def test_examples_are_filtered_by_the_notes_of_their_answers_and_what_follows_from_them(shown: Page):
    shown.open()
    offered = shown.run("return [...document.getElementById('filters').elements.note.options].map((n) => n.value)")
    marks = ["2_seg", "3_seg", "cut", "more_seg_than_objects", "no_seg", "on_other_object", "on_other_of_same_class", "several_seg"]
    assert offered == ["", *marks]
    # "words" says 3 and 2 [SEG] for 1 and 2 cups, none for the plate, and is on the other cup once; "silent" says nothing
    wanted = {"no_seg": 1, "cut": 1, "several_seg": 2, "more_seg_than_objects": 1, "3_seg": 1, "on_other_of_same_class": 1}
    for name, count in wanted.items():
        assert shown.open(f"#model=words&note={name}").count() == count, name
    assert shown.open("#model=silent&note=no_seg").count() == 0
    assert shown.open("#note=another").count() == 0
    assert shown.complaints() == []


def test_a_number_of_answers_with_a_note_opens_them(shown: Page):
    shown.open()
    links = shown.run(
        "return [...document.querySelectorAll('a[href*=\"note=\"]')].map((n) => [n.getAttribute('href'), n.textContent])"
    )
    assert {href.partition("note=")[2] for href, _ in links} >= {"no_seg", "several_seg", "on_other_object"}
    for href, told in links:
        assert shown.open(href).count() == int(told), href
