"""The rules of the benchmark that a referring task set was built from, whatever it is: for tables of several benchmarks at once."""

from collections.abc import Iterator
from pathlib import Path

from sightline.errors import InputError
from sightline.evaluate.protocols.referring_original import PROTOCOLS, ReferringSummary, summarise_referring
from sightline.evaluate.score import open_taskset

RULES: dict[str, tuple[str, ...]] = {
    "refcoco": ("refcoco-original",),
    "refcoco+": ("refcoco-original",),
    "refcocog": ("refcoco-original",),
    "refcoco-rec": ("refcoco-original",),
    "grefcoco": ("grefcoco-original",),
    "mevis": ("mevis-original",),
    "ref-youtube-vos": ("ref-youtube-vos-original",),
    "ref-davis17": ("ref-davis17-original",),
    "revos": ("revos-original", "revos-published"),
}
"""By the reader that a task set is from; others have no rule beside ours."""


def scored_by_own_rules(folder: Path, *, partial: bool = False) -> Iterator[ReferringSummary | str]:
    """What each rule of the run's benchmark gives, or the reason why it cannot be applied. Nothing for other data and tasks.

    Raises:
        FileNotFoundError: no run or no task set.
    """
    manifest = open_taskset(folder).manifest
    for name in RULES.get(str(manifest.recipe.get("reader", "")), ()):
        if manifest.task in PROTOCOLS[name]:
            try:
                yield summarise_referring(folder, name, partial=partial)
            except InputError as error:
                yield f"{name}: {error}"
