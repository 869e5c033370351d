"""Read a whole data set before anyone spends time on it: counts, and every problem with the file it lies in."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from sightline.datasets import READERS
from sightline.datasets.questions import QUESTION_READERS
from sightline.errors import InputError
from sightline.tasks.pictures import Studio
from sightline.tasks.questions import QuestionOptions
from sightline.tasks.seen import SeenScene, see_scene
from sightline.taskset.splits import check_scenes
from sightline.taskset.units import open_units
from sightline.types import DepthRef, LedgerEntry, Record


class Lint(Record):
    """What was found: numbers per split, problems in reading order, and the leak between splits if there is one.

    `notes` are things to know that are no mistakes (clips only).
    """

    counts: dict[str, dict[str, int]]
    problems: tuple[LedgerEntry, ...]
    leak: str | None = None
    notes: tuple[LedgerEntry, ...] = ()


def lint(reader_name: str, root: Path, *, on_progress: Callable[[str, int, int], None] | None = None) -> Lint:
    """Decode every picture, mask and depth file below `root`.

    Raises:
        FileNotFoundError, InputError: the root cannot be read at all.
    """
    report = on_progress or (lambda *_: None)
    reader_type = READERS[reader_name][0]()
    splits = reader_type.splits(root)
    counts: dict[str, dict[str, int]] = {}
    problems: list[LedgerEntry] = []
    scenes: dict[str, list[str]] = {}
    for split in splits:
        reader = reader_type(root, split)
        scenes[split] = reader.scene_ids()
        found: Counter[str] = Counter(scenes=0, objects=0, views=0)
        for done, scene in enumerate(reader, start=1):
            studio = Studio(root)
            seen = see_scene(scene, studio, elsewhere=lambda _: iter(()))
            problems += [*seen.ledger, *_companions(seen, studio)]
            found.update(scenes=1, objects=len(scene.objects), views=sum(len(item.views) for item in scene.objects))
            found.update(f"views {view.state}" for item in seen.objects for view in item.views)
            report(split, done, len(reader))
        counts[split] = dict(found)
    try:
        check_scenes(scenes)
        leak = None
    except InputError as error:
        leak = str(error)
    return Lint(counts=counts, problems=tuple(problems), leak=leak)


def lint_questions(reader_name: str, root: Path, *, on_progress: Callable[[str, int, int], None] | None = None) -> Lint:
    """Read every question of a question file, and decode its pictures and masks.

    Raises:
        FileNotFoundError, InputError: the root cannot be read at all.
    """
    report = on_progress or (lambda *_: None)
    reader_type = QUESTION_READERS[reader_name][0]()
    counts: dict[str, dict[str, int]] = {}
    problems: list[LedgerEntry] = []
    for split in reader_type.splits(root):
        units = open_units(reader_name, root, split, QuestionOptions())
        tasks = reader_type(root, split).tasks.values()
        found: Counter[str] = Counter(rows=len(units))
        for done in range(len(units)):
            unit = units[done]
            problems += unit.ledger
            found.update({f"{task} questions": sum(1 for _ in unit.outcomes(task)) for task in tasks})
            report(split, done + 1, len(units))
        counts[split] = dict(found)
    return Lint(counts=counts, problems=tuple(problems))


def _companions(seen: SeenScene, studio: Studio) -> list[LedgerEntry]:
    """Problems of the painted pictures and their depth, which reading the views does not show."""
    problems = []
    for item in seen.objects:
        for view in item.views:
            unit = f"{item.unit}/{view.view_id}"
            size = (view.image.height, view.image.width)
            for path in (view.view.inpainted, view.view.control, view.view.painted):
                if path is None:
                    continue
                try:
                    image = studio.original(path)
                    if (image.height, image.width) != size:
                        detail = f"{image.width}x{image.height} beside {view.image.width}x{view.image.height}"
                        problems.append(LedgerEntry(unit=unit, reason="size_mismatch", detail=detail, path=image.path))
                except InputError as error:
                    problems.append(LedgerEntry(unit=unit, reason="unreadable", detail=str(error), path=path))
            if view.view.inpainted_depth is not None:
                ref = DepthRef(root="data", path=view.view.inpainted_depth, metres_per_unit=view.view.metres_per_unit)
                try:
                    studio.depth(ref)
                except InputError as error:
                    problems.append(LedgerEntry(unit=unit, reason="unreadable", detail=str(error), path=ref.path))
    return problems
