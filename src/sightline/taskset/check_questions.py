"""What is wrong with files of spatial QA, before anyone spends time on them. Every row is read; media are looked for, not decoded.

Reasons are those of a build's ledger (docs/spatial-qa.md): tags that do not match the media, answers that are none or not among the
options, rows that cannot be read, unknown fields, ids that stand twice. `media_missing` is said once for each path, with the number
of its questions. A split that is trained on may not be about a scene of `scene_lists`, nor of another split that is tested on.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from sightline.datasets.questions import QA_READERS
from sightline.errors import InputError
from sightline.files import inside
from sightline.taskset.leaks import check_scenes_among
from sightline.taskset.lint import Lint
from sightline.taskset.recordings import canonical_id
from sightline.taskset.registry import Sighting, held_out
from sightline.types import Choice, LedgerEntry, Number, SpatialInquiry

Report = Callable[[str, int, int], None]


def lint_qa(reader: str, root: Path, *, on_progress: Report | None = None) -> Lint:
    """Read every question of every split below `root`.

    Raises:
        FileNotFoundError, InputError: the root cannot be read at all.
    """
    splits = QA_READERS[reader][0]().splits(root)
    checks = [SplitCheck(reader, root, split, report=on_progress or (lambda *_: None)) for split in splits]
    entries = [entry for check in checks for entry in check.entries]
    return Lint(
        counts={check.split: check.counts() for check in checks},
        problems=tuple(entry for entry in entries if entry.action == "dropped"),
        notes=tuple(entry for entry in entries if entry.action != "dropped"),
        leak=_leak(checks),
    )


class SplitCheck:
    """One split, read from its first row to its last."""

    def __init__(self, reader: str, root: Path, split: str, *, report: Report) -> None:
        self.split = split
        self.entries: list[LedgerEntry] = []
        self.sightings: dict[str, Sighting] = {}
        self._root = root
        self._kinds: Counter[str] = Counter()
        self._media: Counter[tuple[str, str]] = Counter()
        rows = QA_READERS[reader][0]()(root, split)
        self.trained = not held_out(rows.role)
        for index in range(len(rows)):
            for found in rows[index]:
                if isinstance(found, LedgerEntry):
                    self.entries.append(found)
                else:
                    self._take(found, reader, rows.role)
            report(split, index + 1, len(rows))
        self._num_rows = len(rows)
        self.entries += self._missing()

    def counts(self) -> dict[str, int]:
        whats = Counter(what for what, _ in self._media)
        kinds = dict(sorted(self._kinds.items()))
        media = {f"{what}s": whats[what] for what in ("image", "video")}
        return {"rows": self._num_rows} | kinds | media | {"scenes": len(self.sightings)}

    def _take(self, found: SpatialInquiry, reader: str, role: str) -> None:
        match found.target:
            case Choice():
                form = "letters"
            case Number():
                form = "numbers"
            case _:
                form = "words"
        self._kinds.update(("questions", f"questions answered by {form}", f"questions of type {found.question_type or 'none'}"))
        self._media.update((medium.what, medium.path) for medium in dict.fromkeys(found.media))
        if found.dataset:
            video_id = canonical_id(f"{found.dataset}/{found.scene_id}")
            self.sightings.setdefault(video_id, Sighting(video_id=video_id, dataset=reader, split=role))

    def _missing(self) -> Iterator[LedgerEntry]:
        for (what, path), count in self._media.items():
            try:
                there = inside(self._root, path).exists()
            except InputError as error:
                yield LedgerEntry(unit=self.split, reason="path_leaves_root", detail=str(error), path=path)
                continue
            if not there:
                detail = f"the {what} {path} of {count} question(s) is not there"
                yield LedgerEntry(unit=self.split, reason="media_missing", detail=detail, path=path)


def _leak(checks: list[SplitCheck]) -> str | None:
    trained = [sighting for check in checks if check.trained for sighting in check.sightings.values()]
    tested = [sighting for check in checks if not check.trained for sighting in check.sightings.values()]
    try:
        check_scenes_among(trained, tested)
    except InputError as error:
        return str(error)
    return None
