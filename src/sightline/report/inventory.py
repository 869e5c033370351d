"""What a task set holds and what not: kept and dropped with reasons, the leak check, and histograms of tiers, labels and sizes.

A bar of kept examples opens them in the gallery; one of dropped units opens the first of them as the ledger names them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sightline.errors import InputError
from sightline.report.bins import BINNING_WORDS, BINNINGS
from sightline.report.histograms import Bar, histogram, names_width
from sightline.report.links import examples_url
from sightline.report.markup import Html, element, join, shorten, show_hidden
from sightline.report.runs import AnsweredSet
from sightline.report.tables import folded
from sightline.report.tally import Contents
from sightline.taskset.splits import check_pictures, check_scenes
from sightline.taskset.store import Manifest
from sightline.types import LedgerEntry

NUM_LABELS, MAX_LABELS = 15, 500
NUM_UNITS, MAX_CHARACTERS = 20, 300
UNCHECKED = "not checked: built with --allow-shared-scenes"


def inventory(sets: Sequence[AnsweredSet], contents: Mapping[str, Contents]) -> Html:
    """All task sets, folded; `contents` by the name of the set."""
    across = _between(sets)
    return join(across, *(_taskset(answered, contents[answered.name]) for answered in sets))


def leak_check(manifest: Manifest) -> str:
    """What is known of scenes and pictures that stand in two splits."""
    shared = manifest.recipe.get("allow_shared_scenes")
    if shared is None:
        return "not recorded by the recipe"
    return UNCHECKED if shared else "passed when it was built: no scene and no picture in two splits"


def _between(sets: Sequence[AnsweredSet]) -> Html:
    """Whether task sets of different splits in this very report share scenes or pictures; nothing to say for a single split."""
    scenes: dict[str, set[str]] = {}
    for answered in sets:
        scenes.setdefault(answered.taskset.manifest.split, set()).update(answered.taskset.index.iterate("group"))
    if len(scenes) < 2:
        return join()
    words = f"Splits {', '.join(sorted(scenes))} of this report"
    try:
        check_scenes({split: sorted(names) for split, names in scenes.items()})
        check_pictures(answered.taskset.path for answered in sets)
    except InputError as error:
        return element("p", f"{words} leak: {error}", class_="trouble")
    return element("p", f"{words} share no scene and no picture.", class_="note")


def _taskset(answered: AnsweredSet, contents: Contents) -> Html:
    manifest = answered.taskset.manifest
    num_dropped, num_altered = sum(manifest.dropped.values()), sum(manifest.altered.values())
    check = leak_check(manifest)
    return folded(
        f"{answered.name}: {manifest.num_examples:,} examples kept, {num_dropped:,} units dropped, {num_altered:,} altered",
        element("p", "Leak check: ", element("span", f"{check}.", class_="trouble" if check == UNCHECKED else None), class_="note"),
        element(
            "div",
            _tiers(answered.name, contents),
            _labels(answered.name, contents),
            *(_bins(answered.name, name, contents) for name in BINNINGS),
            class_="plots",
        ),
        _ledger(answered),
    )


def _tiers(name: str, contents: Contents) -> Html:
    bars = [Bar(tier, count, examples_url(name, {"tier": tier})) for tier, count in sorted(contents.tiers.items())]
    return histogram("Examples by tier", bars)


def _labels(name: str, contents: Contents) -> Html:
    """The commonest labels; the others folded below them."""
    if not contents.labels:
        return join()
    ranked = sorted(contents.labels.items(), key=lambda found: (-found[1], found[0]))
    bars = [Bar(label, count, examples_url(name, {"label": label})) for label, count in ranked[:MAX_LABELS]]
    largest = bars[0].count
    title = f"Examples by label ({len(ranked)})" + (f", {contents.unlabelled} without" if contents.unlabelled else "")
    more = bars[NUM_LABELS:]
    left_off = f", {len(ranked) - MAX_LABELS} rarer ones are left off" if len(ranked) > MAX_LABELS else ""
    rest = folded(f"{len(more)} more labels{left_off}", histogram("", more, largest=largest)) if more else join()
    return element("div", histogram(title, bars[:NUM_LABELS], largest=largest), rest)


def _bins(name: str, binning: str, contents: Contents) -> Html:
    """From the first to the last bin that holds an example."""
    labels = BINNINGS[binning].bins
    held = [number for number, label in enumerate(labels) if contents.bins[binning, label]]
    if not held:
        return join()
    bars = [
        Bar(label, contents.bins[binning, label], examples_url(name, {"bin": f"{binning}:{label}"}))
        for label in labels[held[0] : held[-1] + 1]
    ]
    return histogram(f"Examples by {BINNING_WORDS[binning]}", bars)


def _ledger(answered: AnsweredSet) -> Html:
    """A bar for each reason; it opens the first units."""
    manifest = answered.taskset.manifest
    counts = {("dropped", reason): count for reason, count in manifest.dropped.items()}
    counts |= {("altered", reason): count for reason, count in manifest.altered.items()}
    if not counts:
        return join()
    first: dict[tuple[str, str], list[LedgerEntry]] = {key: [] for key in counts}
    seen: Counter[tuple[str, str]] = Counter()
    for entry in answered.taskset.ledger:
        key = (entry.action, entry.reason)
        seen[key] += 1
        if key in first and seen[key] <= NUM_UNITS:
            first[key].append(entry)
    ranked = sorted(counts.items(), key=lambda found: (found[0][0] != "dropped", -found[1], found[0][1]))
    largest, left = max(counts.values()), names_width(": ".join(key) for key in counts)
    bars = [Bar(": ".join(key), count, None) for key, count in ranked]
    reasons = (
        _reason(histogram("", [bar], largest=largest, left=left), bar.count, first[key])
        for bar, (key, _) in zip(bars, ranked, strict=True)
    )
    return element("div", element("h4", "Dropped and altered, by reason"), *reasons, class_="ledger")


def _reason(bar: Html, count: int, entries: Sequence[LedgerEntry]) -> Html:
    lines = [
        element("li", element("strong", show_hidden(entry.unit)), f": {shorten(entry.detail, limit=MAX_CHARACTERS)[0]}")
        for entry in entries
    ]
    left = count - len(entries)
    more = [element("p", f"{left:,} more in ledger.jsonl of the task set.", class_="note")] if left > 0 else []
    return element("details", element("summary", bar), element("ul", *lines), *more)
