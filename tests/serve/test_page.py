"""The page that a model with masks serves, in headless Chromium: a clip is loaded, asked about and scrubbed through."""

import numpy as np
import pytest
from PIL import Image

from sightline import media
from sightline.geometry.masks import encode_mask
from sightline.serve.access import Access
from sightline.serve.clips import ClipFolder
from sightline.serve.posted import Limits
from tests.report.chromium import Page, browser  # noqa: F401 - a fixture
from tests.serve.served import Drawer, as_base64, picture, served
from tests.video_file import write_video

WIDTH, HEIGHT, NUM_FRAMES = 48, 32, 5
HOSTILE = '<img src=x onerror="document.title=1">'
ENTER, RIGHT, TAB, SPACE = "\ue007", "\ue014", "\ue004", " "


def draws(expression: str, num_frames: int):
    """A block that moves two pixels a frame and is gone in the last one; nothing where a cat is meant."""
    last = num_frames - 1
    masks = [None if frame == last > 0 else block(2 * frame) for frame in range(num_frames)]
    if "cat" in expression:
        return HOSTILE, [None] * num_frames, ("no_seg",)
    return "It is [SEG] or [SEG].", masks, ("2_seg",)


def block(x: int):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[4:12, x : x + 10] = True
    return encode_mask(mask)


class Served(Page):
    """The page of a service as a reader uses it."""

    def __init__(self, browser, port: int) -> None:  # noqa: F811
        browser.get_log("browser")
        self.browser, self.url = browser, f"http://127.0.0.1:{port}/"
        browser.get("about:blank")
        browser.get(self.url)
        self.until("return document.body.dataset.ready")

    def choose(self, *paths) -> None:
        self.browser.find_element("id", "files").send_keys("\n".join(str(path) for path in paths))

    def load(self) -> None:
        self.browser.find_element("css selector", "#load button").click()
        self.until("return !document.getElementById('viewer').hidden || !document.getElementById('trouble').hidden")

    def ask(self, words: str) -> None:
        self.browser.find_element("id", "expressions").send_keys(words)
        self.browser.find_element("css selector", "#ask button").click()
        self.settled()

    def settled(self) -> None:
        self.until("return !document.querySelector('button[type=submit][disabled]')")

    def text(self, selector: str) -> str:
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def texts(self, selector: str) -> list[str]:
        return self.run("return [...document.querySelectorAll(arguments[0])].map((n) => n.textContent)", selector)

    def outlines(self) -> list[str]:
        return self.run("return [...document.querySelectorAll('#stage path')].map((n) => n.getAttribute('d'))")


@pytest.fixture
def clip(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in (1, 2, 3, 9, 10)]
    for number, path in enumerate(paths):
        Image.fromarray(picture(WIDTH, HEIGHT, number)).save(path)
    return paths


@pytest.fixture
def page(browser):  # noqa: F811
    with served(Drawer(draws)) as service:
        yield Served(browser, service.port)


def test_a_clip_is_asked_about_and_scrubbed_through(page: Served, clip):
    page.choose(*reversed(clip))
    page.load()
    assert page.text("#status") == f"5 of 5 frames, {WIDTH} × {HEIGHT} pixels."
    in_order = [as_base64(media.encode_jpeg(picture(WIDTH, HEIGHT, number))) for number in range(NUM_FRAMES)]
    page.run("const f = document.getElementById('frame'); f.value = 4; f.dispatchEvent(new Event('input'))")
    assert page.run("return document.querySelector('#stage image').getAttribute('href')").endswith(in_order[4])  # 10 comes after 9
    page.run("const f = document.getElementById('frame'); f.value = 0; f.dispatchEvent(new Event('input'))")
    page.ask("the red cup")
    assert page.outlines() == ["M0 4v8h10v-8z"]
    assert page.text("#stage text") == "A"
    assert page.run("return document.querySelector('#stage rect').getAttribute('width')") == "10"
    assert page.texts("#answers .seg") == ["[SEG]1", "[SEG]2"]
    assert page.texts("#answers .note") == ["ok: in 4 of 5 frames; 2_seg"]
    assert page.run("return [...document.querySelectorAll('.presence i')].map((n) => n.className)") == ["there"] * 4 + [""]
    page.run("const f = document.getElementById('frame'); f.value = 3; f.dispatchEvent(new Event('input'))")
    assert page.outlines() == ["M6 4v8h10v-8z"]
    page.run("const f = document.getElementById('frame'); f.value = 4; f.dispatchEvent(new Event('input'))")
    assert page.outlines() == []
    assert page.text("#place") == "Frame 4 of 5, 0.67 s"
    page.until("return document.querySelector('#stage image').getBoundingClientRect().width > 0")
    assert page.complaints() == []


def test_several_expressions_have_letters_and_can_be_hidden(page: Served, clip):
    page.choose(*clip)
    page.load()
    page.run("document.getElementById('expressions').value = 'a cup\\na cat\\na dog'")
    page.ask("")
    assert page.texts("#answers label") == ["A: a cup", "B: a cat", "C: a dog"]
    assert page.texts("#stage text") == ["A", "C"]
    assert page.texts("#answers li:nth-child(2) .note") == ["not there: in 0 of 5 frames; no_seg"]
    page.browser.find_element("css selector", "#answers li:nth-child(1) input").click()
    assert page.texts("#stage text") == ["C"]
    assert page.texts("#answers .said")[1] == HOSTILE  # words are words
    assert page.run("return document.querySelectorAll('img').length") == 0
    assert page.complaints() == []


def test_it_works_by_keyboard_alone(page: Served, clip):
    page.choose(*clip)
    page.run("document.querySelector('#load button').focus()")
    page.press(ENTER)
    page.until("return document.activeElement.id === 'expressions'")  # where the next word goes
    page.press("a cup")
    page.press(ENTER)
    page.until("return document.querySelectorAll('#answers li').length")
    page.run("document.getElementById('frame').focus()")
    page.press(RIGHT)
    assert page.outlines() == ["M2 4v8h10v-8z"]
    page.run("document.getElementById('on').focus()")
    page.press(SPACE)
    assert page.outlines() == ["M4 4v8h10v-8z"]
    page.run("document.getElementById('play').focus()")
    page.press(ENTER)
    assert page.run("return document.activeElement.getAttribute('aria-pressed')") == "true"
    page.until("return document.getElementById('frame').value === '0'")  # it goes round
    page.press(ENTER)
    assert page.text("#play") == "Play"
    nameless = (
        "return [...document.querySelectorAll('button, input, select, textarea')]"
        ".filter((n) => !n.textContent.trim() && !n.ariaLabel && !(n.labels && n.labels.length)).map((n) => n.id)"
    )
    assert page.run(nameless) == []
    assert page.complaints() == []


def test_a_video_file_is_shown_as_the_frames_that_the_model_saw(page: Served, tmp_path):
    page.choose(write_video(tmp_path / "walk.mp4", num_frames=11))
    page.run("document.getElementById('num-frames').value = 3")
    page.load()
    assert page.text("#status") == f"3 of 11 frames, {WIDTH} × {HEIGHT} pixels."
    page.ask("the cup")
    page.run("const f = document.getElementById('frame'); f.value = 1; f.dispatchEvent(new Event('input'))")
    assert page.text("#place") == "Frame 5 of 11, 0.21 s"
    assert page.outlines() == ["M2 4v8h10v-8z"]
    assert page.complaints() == []


def test_a_picture_alone_has_nothing_to_scrub(page: Served, clip):
    page.choose(clip[0])
    page.load()
    page.ask("the cup")
    assert page.outlines() == ["M0 4v8h10v-8z"]
    assert page.run("return document.getElementById('frame').disabled")


def test_what_is_wrong_is_said_and_can_be_mended(page: Served, tmp_path, clip):
    page.load()
    assert page.text("#trouble") == "Choose a video, pictures, or a clip of this service."
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    page.choose(broken)
    page.run("document.getElementById('trouble').hidden = true")
    page.load()
    assert "expected a video as MP4" in page.text("#trouble")
    page.run("document.getElementById('files').value = ''")
    page.choose(*clip)
    page.run("document.querySelector('#load button').click()")
    page.until("return !document.getElementById('viewer').hidden")
    assert page.run("return document.getElementById('trouble').hidden")
    page.ask("")
    assert page.text("#trouble") == "Type what to segment."


def test_clips_of_the_service_are_offered(browser, tmp_path, clip):  # noqa: F811
    (tmp_path / "clips").mkdir()
    write_video(tmp_path / "clips" / "walk.mp4", num_frames=4)
    with served(Drawer(draws), clips=ClipFolder(tmp_path / "clips")) as service:
        page = Served(browser, service.port)
        assert page.texts("#clip option") == ["choose one", "walk.mp4"]
        page.run("document.getElementById('clip').value = 'walk.mp4'")
        page.load()
        assert page.text("#status") == f"4 of 4 frames, {WIDTH} × {HEIGHT} pixels."
        page.choose(clip[0])
        page.browser.find_element("css selector", "#load button").click()
        page.until("return !document.getElementById('trouble').hidden")
        assert "both chosen" in page.text("#trouble")


def test_a_token_is_asked_for_where_there_is_one(browser, clip):  # noqa: F811
    token = "0123456789abcdef"
    with served(Drawer(draws), access=Access(loopback=True, token=token.encode())) as service:
        page = Served(browser, service.port)
        assert page.text("#trouble").startswith("Authorization: no token")
        page.browser.find_element("id", "token").send_keys(token + TAB)
        page.until("return document.getElementById('model').textContent === 'drawer'")
        page.choose(*clip)
        page.load()
        page.ask("the cup")
        assert page.outlines() == ["M0 4v8h10v-8z"]


def test_files_that_are_too_large_are_not_even_sent(browser, clip):  # noqa: F811
    with served(Drawer(draws), limits=Limits(max_body_bytes=2000)) as service:
        page = Served(browser, service.port)
        page.choose(*clip)
        page.load()
        assert "larger than the 0.0 MB" in page.text("#trouble")
        assert page.complaints() == []
