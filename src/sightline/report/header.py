"""The head of the page: is each run whole, and which data, weights, settings and packages do its numbers come from.

One row a run. What is wrong stands in red: a partial run, answers that an error or a limit of tokens cut, splits that nobody
checked for leaks, runs of different versions in one table. Digests are cut to their first `NUM_DIGITS` digits here; whole ones
stand under "Runs and task sets".
"""

from collections.abc import Sequence

from sightline.evaluate.summary import Summary
from sightline.report.digests import DIGEST, config_digest, settings_digest, weights
from sightline.report.inventory import UNCHECKED, leak_check
from sightline.report.markup import Html, element, join
from sightline.report.runs import Collection, Run
from sightline.report.sources import sessions_of, wall_time
from sightline.report.tables import troubles

NUM_DIGITS = 12
MAX_SHOWN = 6  # more runs than these are folded, so that the results stay near the top
TITLES = ("Run", "Verdict", "Data", "Recipe", "Settings", "Weights", "Random key", "Time", "Versions")
NOTE = (
    "Data is the task set's fingerprint; recipe and settings are digests of how the task set was built and of the run's model and "
    "dialect options. Weights: a digest of the small files, of the tensors' names and shapes and of up to 256 bytes of each tensor."
)


def header(collection: Collection, summaries: Sequence[Summary]) -> Html:
    """The verdict on all runs in one line, and a row for each. `summaries` are in the order of `collection.runs`."""
    head = element("tr", *(element("th", title, scope="col") for title in TITLES))
    rows = [_row(collection, run, summary) for run, summary in zip(collection.runs, summaries, strict=True)]
    content = element("table", element("thead", head), element("tbody", *rows), class_="runs")
    scrolled = element("div", content, class_="scroll", tabindex="0", role="region", aria_label="the runs")
    title = element("summary", "Data, settings, weights and time of each run")
    unfolded = None if len(summaries) > MAX_SHOWN else ""
    return join(_verdict(summaries), element("details", title, scrolled, element("p", NOTE, class_="note"), open=unfolded))


def _verdict(summaries: Sequence[Summary]) -> Html:
    num_partial = sum(summary.num_missing > 0 for summary in summaries)
    num_cut = sum(bool(troubles(summary)) and not summary.num_missing for summary in summaries)
    total = len(summaries)
    versions = sorted({summary.run.versions.get("sightline", "?") for summary in summaries})
    wrong = [f"{num_partial} of {total} runs partial"] if num_partial else []
    wrong += [f"{num_cut} of {total} runs complete, but with errors or cut answers"] if num_cut else []
    wrong += [f"made by different versions of Sightline: {', '.join(versions)}"] if len(versions) > 1 else []
    if not wrong:
        return element(
            "p", element("strong", "Verdict: complete."), " Every example has an answer, none was cut or lost to an error."
        )
    return element("p", element("strong", "Verdict: "), element("strong", "; ".join(wrong) + ".", class_="trouble"))


def _row(collection: Collection, run: Run, summary: Summary) -> Html:
    model, answered = collection.models[run.model_index], collection.sets[run.set_index]
    manifest, sessions = answered.taskset.manifest, sessions_of(run.folder)
    found = troubles(summary)
    unchecked = leak_check(manifest) == UNCHECKED
    cells = (
        _words(*found) if found else join("complete"),
        join(_short(manifest.fingerprint), _words("leaks not checked") if unchecked else ""),
        _short(config_digest(manifest.recipe)),
        _short(settings_digest(run.info)),
        _short(weights(run.info)),
        join(manifest.rng_key),
        join(wall_time(sessions) if sessions else "not recorded"),
        join(", ".join(f"{name} {version}" for name, version in run.info.versions.items())),
    )
    head = element(
        "th",
        element("span", model.letter, class_=f"key run-{run.model_index % 7}"),
        f" {model.label} on {answered.name}",
        scope="row",
        title=f"run folder {run.folder.name}",
    )
    return element("tr", head, *(element("td", cell) for cell in cells))


def _words(*found: str) -> Html:
    return element("span", " " + ", ".join(found), class_="trouble")


def _short(digest: str) -> Html:
    if not DIGEST.fullmatch(digest):
        return join(digest)
    return element("code", digest[:NUM_DIGITS], title=digest)
