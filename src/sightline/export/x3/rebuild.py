"""Examples of the rows of one scene.

The task's own code builds the example of each pair from the x3 tree; the row then replaces what it carries: the picture that was
shown, the truth and, for concatenated pictures, the reference's point. A row is used only if the object's mask agrees with it:
"not visible" needs an empty mask (a missing one proves nothing), a point must lie on the mask, up to the rounding of its decimals.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from sightline import media
from sightline.errors import InputError
from sightline.export.x3.placed import FrameTally, Options, PlacedRow, Unusable
from sightline.export.x3.prompts import with_wording
from sightline.export.x3.queries import ForeignScene, find_view, missing_example
from sightline.export.x3.rows import RowName
from sightline.export.x3.truths import with_reference_point, with_truth
from sightline.tasks import TASKS
from sightline.tasks.crossview import CrossViewOptions, Pair, pairs
from sightline.tasks.pictures import Studio
from sightline.tasks.seen import SeenScene
from sightline.types import Example, ImageRef, LedgerEntry


def rebuild(
    seen: SeenScene,
    rows: Sequence[PlacedRow],
    *,
    studio: Studio,
    shown: Studio,
    options: Options,
    tally: FrameTally,
    foreign: ForeignScene,
) -> Iterator[Example | LedgerEntry]:
    """The examples of a scene's rows in the order of a build, after a ledger entry for each row that cannot be used.

    `studio` reads originals, `shown` takes the rows' own pictures; `foreign` gives another scene of the split by its id.
    """
    work = _Rebuilder(seen, studio, shown, foreign)
    task = rows[0].name.task
    bases = work.bases(task, options.cross_view(rows))
    order = {base_id: position for position, base_id in enumerate(bases)}
    examples: list[tuple[int, str, Example]] = []
    for placed in rows:
        base_id = placed.name.pair_id
        try:
            if base_id not in bases:
                raise work.why_not(placed.name)
            example = work.example(bases[base_id], placed, tally)
        except (Unusable, InputError, FileNotFoundError) as error:
            reason = error.reason if isinstance(error, Unusable) else "picture_unusable"
            yield LedgerEntry(unit=placed.row.id, reason=reason, detail=str(error))
        else:
            examples.append((0 if task == "t2a" else order[base_id], example.id, example))
            if task == "t1_concat" and options.concat_frame == "local" and example.truth.visible:
                detail = "from shares of view B to pixels of the whole picture"
                yield LedgerEntry(unit=placed.row.id, reason="truth_frame_converted", detail=detail, action="altered")
    yield from (example for _, _, example in sorted(examples, key=lambda entry: entry[:2]))


class _Rebuilder:
    """What the rows of one scene have in common."""

    def __init__(self, seen: SeenScene, studio: Studio, shown: Studio, foreign: ForeignScene) -> None:
        self.seen = seen
        self.studio = studio
        self.shown = shown
        self.cross_view = CrossViewOptions()
        self.foreign = foreign
        self.adopted: dict[str, Path] = {}
        self.reasons: dict[str, list[LedgerEntry]] = {}
        for entry in seen.ledger:
            self.reasons.setdefault(entry.unit, []).append(entry)

    def bases(self, task: str, options: CrossViewOptions) -> dict[str, Example | Pair]:
        """What the task makes of each of the scene's pairs (views, for Task 2B), in order; for Task 2A the pairs themselves."""
        self.cross_view = options
        found: dict[str, Example | Pair] = {}
        for outcome in (pairs if task == "t2a" else TASKS[task]())(self.seen, self.studio, options):
            if isinstance(outcome, LedgerEntry):
                self.reasons.setdefault(outcome.unit, []).append(outcome)
            elif isinstance(outcome, Pair):
                found[outcome.id(task)] = outcome
            else:
                found[outcome.id] = outcome
                for image in outcome.question.images:
                    if image.root == "media":
                        self.studio.encoded(image)  # let it go: the row's own picture is what will be written
        return found

    def why_not(self, name: RowName) -> Unusable:
        """Why the task made no example of a row's pair."""
        unit = f"{name.scene}/uid_{name.uid}"
        for place in (*(f"{unit}/{view}" for view in name.views), unit):
            for entry in self.reasons.get(place, ()):
                if entry.action == "dropped":
                    return Unusable(entry.reason, entry.detail)
        return Unusable("no_such_view", f"the x3 tree has no views {' and '.join(name.views)} of {unit}")

    def example(self, base: Example | Pair, placed: PlacedRow, tally: FrameTally) -> Example:
        """The row's example.

        Raises:
            Unusable, InputError, FileNotFoundError: it cannot be used, and why.
        """
        name = placed.name
        asked = (
            missing_example(base, placed, studio=self.studio, foreign=self.foreign, options=self.cross_view)
            if isinstance(base, Pair)
            else base
        )
        images = tuple(
            self._image(ref, file, asked, placed) for ref, file in zip(asked.question.images, placed.pictures, strict=True)
        )
        asked = msgspec.structs.replace(asked, question=msgspec.structs.replace(asked.question, images=images))
        if name.task == "t1_concat":
            asked = with_reference_point(asked, placed.row, find_view(self.seen, name.uid, name.views[0]))
        asked = with_wording(asked, placed.row.said("human") or "", self.cross_view.mark)
        return with_truth(asked, placed.row, find_view(self.seen, name.uid, name.views[-1]), tally)

    def _image(self, ref: ImageRef, file: Path, example: Example, placed: PlacedRow) -> ImageRef:
        """The row's picture in the place of the one that the task would show."""
        if ref.root != "media":
            expected = placed.root / ref.path
            if file != expected:
                raise Unusable("other_picture", f"the row shows {file}, where by its id {expected} belongs")
            return ref
        if self.adopted.setdefault(ref.path, file) != file:
            raise Unusable("two_pictures", f"the row shows {file}, another row of this reference {self.adopted[ref.path]}")
        taken = self.shown.derived(ref.path, lambda: media.read_rgb(file))
        if (taken.width, taken.height) != (ref.width, ref.height):
            raise Unusable(
                "picture_size", f"{file}: {taken.width}x{taken.height}, but by its views it should be {ref.width}x{ref.height}"
            )
        if placed.name.task != "t1_concat" and taken.digest == example.question.panels[0].source.digest:
            raise Unusable("reference_not_marked", f"{file}: nothing is marked in it, it is equal to the original")
        return taken
