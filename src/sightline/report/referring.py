"""What the page says of answers with words and masks: counts of their notes, and which of them are on another object."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sightline.report.confusions import MORE_SEG, OTHER, OTHER_OF_CLASS, SEVERAL_SEG, Referring
from sightline.report.links import Behind, gallery_example_url
from sightline.report.markup import Html, element, show_hidden
from sightline.report.tables import Column, SummarisedRun, folded, table
from sightline.report.tally import Tally

NOTE = (
    "A [SEG] in an answer stands for a mask. Without one the mask is empty. Of several the union counts in a picture and the first "
    "one in a clip, unless the run's settings say otherwise. An answer is on another object if it overlaps one that another "
    "expression about the same clip means more than it overlaps what is meant: a lower bound."
)
MISTAKEN = {None: "class unknown", False: "another class", True: "the same class"}


def referring_part(name: str, runs: Sequence[SummarisedRun], tallies: Mapping[Path, Tally]) -> list[Html]:
    """The folded part on a task set's masks by words; nothing where no mask is asked for by words."""
    counts = {run.run.folder: tallies[run.run.folder].referring for run in runs}
    if not any(found.num_answers for found in counts.values()):
        return []
    parts = [element("p", NOTE, class_="note"), table(name, runs, _columns(counts))]
    if any(found.listed for found in counts.values()):
        parts += [element("h4", "Most clearly on another object"), _listed(name, runs, counts)]
    return [folded("Words and masks", *parts)]


def _columns(counts: Mapping[Path, Referring]) -> list[Column]:
    """Those that mean something for at least one of the runs."""

    def column(
        title: str, value: Callable[[Referring], int], among: Callable[[Referring], int], mark: str | None = None
    ) -> list[Column]:
        def text(run: SummarisedRun) -> str | None:
            found = counts[run.run.folder]
            return f"{value(found)} ({among(found)})" if among(found) else None

        every = all(among(found) in (0, found.num_answers) for found in counts.values())  # else the gallery cannot show just those
        behind = Behind({}, {"note": mark}) if mark is not None and every else None
        return [Column(title, text, behind)] if any(among(found) for found in counts.values()) else []

    def note(name: str) -> Callable[[Referring], int]:
        return lambda found: found.notes[name]

    others = sorted({name for found in counts.values() for name in found.notes} - {"no_seg", "cut"})
    return [
        *column("No [SEG]", note("no_seg"), lambda found: found.num_spoken, "no_seg"),
        *column("Several [SEG]", lambda found: found.several, lambda found: found.num_spoken, SEVERAL_SEG),
        *column("More [SEG] than objects", lambda found: found.more_than_objects, lambda found: found.num_spoken, MORE_SEG),
        *column("Cut", note("cut"), lambda found: found.num_spoken, "cut"),
        *column("Nothing meant is there, mask drawn", lambda found: found.drawn, lambda found: found.absent),
        *column("On another object", lambda found: found.mistaken.total(), lambda found: found.num_answers, OTHER),
        *column("of the same class", lambda found: found.mistaken[True], lambda found: found.num_answers, OTHER_OF_CLASS),
        *(
            each
            for name in others
            for each in column(show_hidden(name), note(name), lambda found: found.num_answers, show_hidden(name))
        ),
    ]


def _listed(name: str, runs: Sequence[SummarisedRun], counts: Mapping[Path, Referring]) -> Html:
    titles = ("Model", "Meant", "Overlap", "Answered instead", "Overlap with it", "Classes")
    rows = []
    for run in runs:
        for _, example_id, expression, found in counts[run.run.folder].listed:
            meant = element("a", expression, href=gallery_example_url(name, example_id))
            instead = f"{found.expression} (object {found.object_id}{f', {found.label}' if found.label else ''})"
            cells = (meant, f"{found.own_iou:.2f}", instead, f"{found.iou:.2f}", MISTAKEN[found.same_class])
            head = element("th", element("span", run.letter, class_=f"key {run.paint}"), f" {run.label}", scope="row")
            rows.append(element("tr", head, *(element("td", cell) for cell in cells)))
    head = element("tr", *(element("th", title, scope="col") for title in titles))
    content = element("table", element("thead", head), element("tbody", *rows))
    return element("div", content, class_="scroll confusions", tabindex="0", role="region", aria_label="answers on another object")
