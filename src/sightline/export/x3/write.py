"""Task sets as the x3 pipeline's JSON files and pictures.

    OUT/t1_val_multi.json, t1_val_concat.json, t2a_val_multi.json, t2b_val_multi.json (and _train_), each only if it has rows
        marked_abs/{split}/{scene}/uid_{uid}/{kk}_{frame}.png          marked references
        concat_abs/{split}/{scene}/uid_{uid}/{A}-{B}.png               both views in one picture (JPEG if asked for)
        left_out.jsonl                                                 every example without a row, and why

Originals are named by the absolute path at which they lie; no mask is written, because the pipeline finds masks beside
`query_original`. Numbers are shares with three decimals, in the roborefer dialect. The truth of a concatenated picture is in shares
of the whole picture, as that task is documented; the published builder wrote shares of B alone, which `concat_frame="local"` does.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from sightline import media
from sightline.dialects import Size, get_dialect
from sightline.errors import InputError
from sightline.export.x3.prompts import DIALECT, human_text
from sightline.export.x3.rows import PREFIXES, ROW_TASKS, SPLIT_WORDS, Row, RowName, Turn, file_name, name_of_ours
from sightline.files import inside, only_writer, write_json, write_whole
from sightline.taskset.store import TaskSet
from sightline.types import Answer, Example, ImageRef, LedgerEntry, Points, Record

Frame = Literal["whole", "local"]
LEFT_OUT = "left_out.jsonl"
PICTURE_FOLDERS = {"marked": "marked_abs", "concat": "concat_abs"}


class Exported(Record):
    """What was written: rows by file, examples left out by reason."""

    path: str
    rows: dict[str, int]
    left_out: dict[str, int]


def export_x3(tasksets: Sequence[Path], out: Path, *, concat_frame: Frame = "whole", jpeg: bool = False) -> Exported:
    """Write the task sets' rows and pictures below `out`. `jpeg`: concatenated pictures as JPEG, as the pipeline has them.

    Raises:
        FileNotFoundError: a task set or one of its pictures is not there.
        InputError: a task or split that the pipeline has no file for, or two task sets for one file.
    """
    opened: dict[str, TaskSet] = {}
    for path in tasksets:
        taskset = TaskSet(path)
        name = _file_of(taskset)
        if name in opened:
            raise InputError(f"{path} and {opened[name].path} are both rows of {name}: export them into two folders.")
        opened[name] = taskset
    rows: dict[str, int] = {}
    left_out: list[LedgerEntry] = []
    with only_writer(out):
        for name, taskset in opened.items():
            written: list[Row] = []
            for outcome in _rows(taskset, _Writer(taskset, out.absolute(), jpeg), concat_frame):
                (written if isinstance(outcome, Row) else left_out).append(outcome)  # pyright: ignore[reportArgumentType]
            rows[name] = len(written)
            if written:
                write_json(out / name, written)
        write_whole(out / LEFT_OUT, b"".join(msgspec.json.encode(entry) + b"\n" for entry in left_out))
    return Exported(path=str(out), rows=rows, left_out=dict(Counter(entry.reason for entry in left_out)))


def _file_of(taskset: TaskSet) -> str:
    task, split = taskset.manifest.task, taskset.manifest.split
    if task not in PREFIXES or split not in SPLIT_WORDS:
        raise InputError(
            f"{taskset.path} is of task {task!r} and split {split!r}; the x3 pipeline has files for {', '.join(PREFIXES)} and "
            f"{', '.join(SPLIT_WORDS)}. Leave it out."
        )
    return file_name(task, split)


def _rows(taskset: TaskSet, writer: "_Writer", concat_frame: Frame) -> Iterator[Row | LedgerEntry]:
    dialect = get_dialect(DIALECT)
    for example in taskset:
        name = name_of_ours(example.id)
        if name is None:
            detail = (
                "their ids have two digits for a view's number and know the pairs of Task 1, their N0, N4 and VC twins, and Task 2B"
            )
            yield LedgerEntry(unit=example.id, reason="no_id_in_their_scheme", detail=detail)
            continue
        if example.question.form.shape != "point":
            detail = f"it asks for a {example.question.form.shape}; their answers are a point or NOT_VISIBLE"
            yield LedgerEntry(unit=example.id, reason="no_such_answer", detail=detail)
            continue
        query = writer.query(example, name)
        if query is None:
            detail = "their masks are found beside {split}/{scene}/uid_{uid}/{kk}_{frame}_original.png, which is not there"
            yield LedgerEntry(unit=example.id, reason="no_x3_folder", detail=detail)
            continue
        answer, sizes = _truth(example, concat_frame)
        yield Row(
            id=name.theirs,
            task=ROW_TASKS[name.task],
            image=tuple(str(writer.picture(image, example, name)) for image in example.question.images),
            query_original=str(query),
            conversations=(
                Turn(speaker="human", value=human_text(example.question)),
                Turn(speaker="gpt", value=dialect.encode(answer, sizes)),
            ),
        )


def _truth(example: Example, concat_frame: Frame) -> tuple[Answer, list[Size]]:
    """The true answer and the sizes its numbers are shares of."""
    answer, sizes = example.truth.answer, [Size.of(image) for image in example.question.images]
    if concat_frame == "whole" or example.question.task != "t1_concat" or not isinstance(answer, Points):
        return answer, sizes
    panel = example.question.panels[example.truth.panel_index]
    local = tuple((x - panel.x, y - panel.y) for x, y in answer.points)
    return Points(points=local), [Size.of(panel.source)]


class _Writer:
    """Where the pictures of one task set go. Each derived one is copied once."""

    def __init__(self, taskset: TaskSet, out: Path, jpeg: bool) -> None:
        self.taskset = taskset
        self.out = out
        self.jpeg = jpeg
        self.copied: dict[str, Path] = {}

    def query(self, example: Example, name: RowName) -> Path | None:
        """The picture beside which their evaluator finds the mask; None if it is not one of an x3 folder.

        It is the object's own original, but the shown picture where that is from another scene or has the object painted away.
        (Where another object is painted away, the shown picture lies in that object's folder, beside the wrong mask.)
        """
        shown = example.question.images[-1]
        own = f"{example.split}/{name.scene}/uid_{name.uid}/{name.views[-1]}_original.png"
        path = shown.path if name.variant.startswith(("N0", "N4")) else own
        file = self.taskset.file(msgspec.structs.replace(example.question.panels[-1].source, path=path))
        return file.absolute() if file.is_file() else None

    def picture(self, image: ImageRef, example: Example, name: RowName) -> Path:
        """The absolute path of a picture, which is there."""
        source = self.taskset.file(image).absolute()
        if not source.is_file():
            raise FileNotFoundError(
                f"{source} is missing (example {example.id}). Change {self.taskset.path / 'roots.json'} if it has moved."
            )
        if image.root != "media":
            return source
        if image.path not in self.copied:
            self.copied[image.path] = self._copy(source, example, name)
        return self.copied[image.path]

    def _copy(self, source: Path, example: Example, name: RowName) -> Path:
        concat = example.question.task == "t1_concat"
        stem = "-".join(name.views) if concat else name.views[0]
        as_jpeg = concat and self.jpeg
        folder = PICTURE_FOLDERS["concat" if concat else "marked"]
        relative = f"{folder}/{example.split}/{name.scene}/uid_{name.uid}/{stem}{'.jpg' if as_jpeg else source.suffix}"
        target = inside(self.out, relative)
        write_whole(target, media.encode_jpeg(media.read_rgb(source)) if as_jpeg else source.read_bytes())
        return target
