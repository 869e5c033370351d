"""The gallery at 100,000 rows in headless Chromium: filters, orders, keyboard steps and scrolling, beside a page of all rows.

A report of two runs (one of them with texts) is made from a real task set and opened from its file URL; all times are taken inside
the page with `performance.now`, from the event until the page is laid out again. The plain page has the same rows and the same
conditions, but holds one element for each row and hides those that do not meet them.
"""

import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.report_large import make_taskset
from sightline.evaluate.predict import predict
from sightline.evaluate.run import PREDICTIONS, read_predictions
from sightline.evaluate.score import score_run
from sightline.evaluate.summary import summarise
from sightline.models import get_model
from sightline.report.write import write_report
from sightline.types import Points

ROWS, PICTURES, REPEATS = 100_000, 40, 7
GOAL_MS = 100
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--window-size=1400,900",
)
STATES: Mapping[str, Mapping[str, str]] = {
    "outcome of one model": {"model": "random", "right": "1"},
    "kind of error": {"model": "center", "kind": "false_visible"},
    "tier": {"tier": "N1"},
    "scene": {"scene": "scene_007"},
    "a bin of sizes": {"bin": "size:medium 1-5%", "truth": "visible"},
    "only one of two right": {"model": "random", "vs": "center", "versus": "won"},
    "text in ids and answers": {"q": "77 random"},
    "largest error first": {"sort": "error"},
    "disagreement first": {"sort": "disagreement"},
    "nothing left": {"tier": "N1", "truth": "visible"},
    "all rows again": {},
}

# Both pages answer to `load()`, which brings the texts in, `apply(state)`, which resolves when the page stands, and `step()`, which
# goes to the next row.
REPORT = """
window.load = () => sightline.rows.loadTexts(sightline.index);
window.apply = async (state) => {
  sightline.state.go(state);
  while (document.body.dataset.ready !== location.hash) await new Promise((resume) => setTimeout(resume));
};
window.step = () => document.dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true }));
"""
PLAIN = """
(async () => {
  const { h } = sightline.dom;
  const began = performance.now();
  const rows = sightline.rows.decode(await sightline.load("index"));
  window.load = () => sightline.rows.loadTexts(rows);
  const cards = rows.ids.map((id, row) => h("button.row", { type: "button" }, h("b", {}, rows.tiers[rows.tier[row]]), ` ${id} `,
    rows.runs.map((run) => h("span.chip", {}, `${rows.models[run.model].letter} ${run.flags[row] & 1 ? "right" : "wrong"} `))));
  document.body.append(...cards);
  document.body.offsetHeight;
  let found = cards, at = -1;
  window.apply = async (state) => {
    const wanted = sightline.rows.select(rows, state);
    for (const card of cards) card.hidden = true;
    for (const row of wanted) cards[row].hidden = false;
    if (state.sort) document.body.append(...wanted.map((row) => cards[row]));
    [found, at] = [wanted.map((row) => cards[row]), -1];
  };
  window.step = () => found[++at].focus();
  window.began = performance.now() - began;
})();
"""
MEASURE = """
const done = arguments[arguments.length - 1], times = [];
const timed = async (name, work) => {
  const start = performance.now();
  await work();
  document.body.offsetHeight;
  times.push([name, performance.now() - start]);
};
const frame = () => new Promise(requestAnimationFrame);
(async () => { BODY
done(times); })().catch((error) => done(String(error)));
"""
LOAD = "await timed('texts loaded, once before a search', load)"
FILTER = "const [name, state] = arguments; await timed(name, () => apply(state)); await frame(); await frame()"
MOVE = """
for (let number = 0; number < 20; number++) { await timed("key j", step); await frame(); }
let before = await frame();
for (let number = 0; number < 40; number++) {
  scrollBy({ top: 5000, behavior: "instant" });
  const now = await frame();
  times.push(["a frame of fast scrolling", now - before]);
  before = now;
}
"""


def make_report(folder: Path, rows: int) -> Path:
    """The report's page: two models over `rows` examples, the second with texts."""
    tasks = make_taskset(folder, examples=rows, pictures=PICTURES)
    runs = [folder / "center", folder / "random"]
    for run in runs:
        predict(tasks, get_model(run.name), run)
    speak(runs[1])
    for run in runs:
        score_run(run)
        summarise(run)
    return write_report(runs, folder / "report")


def speak(run: Path) -> None:
    """Give each answer of a run a text, which a search has to look at."""
    spoken = []
    for prediction in read_predictions(run):
        answer = prediction.reading.answer
        places = answer.points if isinstance(answer, Points) else ()
        text = f"The object of the random question lies at {[[round(x), round(y)] for x, y in places]} in the second picture."
        spoken.append(msgspec.json.encode(msgspec.structs.replace(prediction, text=text)) + b"\n")
    (run / PREDICTIONS).write_bytes(b"".join(spoken))


def write_plain_page(report: Path) -> Path:
    """The page with an element for each row, beside the report's own."""
    (report.parent / "plain.js").write_text(PLAIN, encoding="utf-8")
    assets = sorted((report.parent / "assets").glob("*.js"))
    needed = [next(path.name for path in assets if path.name.startswith(f"{name}-")) for name in ("data", "state", "dom", "rows")]
    scripts = "".join(f'<script src="assets/{name}"></script>' for name in needed)
    page = report.with_name("plain.html")
    style = "<style>.row { display: block; width: 100%; height: 60px } .row[hidden] { display: none }</style>"
    page.write_text(
        f'<!doctype html><meta charset="utf-8">{style}<body>{scripts}<script src="plain.js"></script>', encoding="utf-8"
    )
    return page


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser with a profile of its own."""
    from selenium import webdriver  # noqa: PLC0415 - only this benchmark needs it

    binary, driver_path = shutil.which("chromium"), shutil.which("chromedriver")
    if not (binary and driver_path):
        sys.exit("report_filter needs chromium and chromedriver on PATH (Debian: apt-get install chromium chromium-driver)")
    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = binary
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver_path))
        driver.set_script_timeout(1800)
        try:
            yield driver
        finally:
            driver.quit()


def measure(browser: Any, page: Path, *, ready: str, setup: str, repeats: int) -> tuple[float, dict[str, list[float]]]:
    """Open a page; milliseconds until it is ready, and of each action by name."""
    from selenium.webdriver.support.ui import WebDriverWait  # noqa: PLC0415

    browser.get(page.as_uri())
    start_ms = WebDriverWait(browser, 600, poll_frequency=0.05).until(lambda _: browser.execute_script(ready))
    browser.execute_script(setup)
    found: dict[str, list[float]] = {}

    def act(body: str, *arguments: object) -> None:
        times = browser.execute_async_script(MEASURE.replace("BODY", body), *arguments)
        if isinstance(times, str):
            sys.exit(f"{page.name}: {times}")
        for name, took_ms in times:
            found.setdefault(name, []).append(took_ms)

    act(LOAD)
    for _ in range(repeats):
        for name, state in STATES.items():
            act(FILTER, name, dict(state))
        act(MOVE)
    return start_ms, found


def show(ours: Mapping[str, Sequence[float]], plain: Mapping[str, Sequence[float]]) -> None:
    """The table: median and worst of the report, median of the plain page."""
    print(f"| {'action':34} | report, ms | worst | all rows, ms | times faster |")
    print("|---|---:|---:|---:|---:|")
    for name, times in ours.items():
        middle, other = statistics.median(times), statistics.median(plain[name])
        print(f"| {name:34} | {middle:.1f} | {max(times):.1f} | {other:.1f} | {other / middle:.1f} |")


def main(rows: int = ROWS) -> None:
    with tempfile.TemporaryDirectory() as name:
        report = make_report(Path(name), rows)
        size_mb = (report.parent / "data" / "index.js").stat().st_size / 2**20
        plain = write_plain_page(report)
        with chromium() as browser:
            ready = "return document.body.dataset.ready !== undefined && performance.now()"
            started_ms, ours = measure(browser, report, ready=ready, setup=REPORT, repeats=REPEATS)
            built_ms, theirs = measure(browser, plain, ready="return window.began", setup="", repeats=1)
    print(
        f"{rows:,} rows, two runs, index of {size_mb:.1f} MB; gallery ready {started_ms / 1000:.1f} s after navigation began, ",
        end="",
    )
    print(f"the plain page builds its elements in {built_ms / 1000:.1f} s")
    show(ours, theirs)
    filters = [time for name in STATES for time in ours[name]]
    print(f"slowest of {len(filters)} filters and orders: {max(filters):.1f} ms (goal {GOAL_MS})")


if __name__ == "__main__":
    main()
