"""Task sets as VLMEvalKit TSV.

    index  image                    question                          answer            category  split  id  task  group
    0      iVBORw0KGgo...           ...                               [(0.512, 0.334)]  V         train  ...
    1      ["iVBOR...", "iVBOR..."] Reference picture: image 1 ...    NOT_VISIBLE       N1        train  ...

`image` is the base64 of the picture's file, or a list of them in the order of the pictures; with a declared root it is `image_path`
instead, one path or a list. `index` counts from 0 in the order of the task set; `category` is the tier. Their prompt puts the
pictures first and the question after them, so a picture is named by its number ("image 1"). Lists are JSON, which is also what
their reader of Python lists takes. Source: open-compass/VLMEvalKit, `ImageBaseDataset` and `toliststr`.

Register the file with a class of your own or as a custom dataset (`LMUData/{name}.tsv`), and give its prediction file to
`sightline import predictions --format vlmevalkit`.
"""

import base64
import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from sightline.dialects import Dialect
from sightline.export.files import Exported, Pictures, noted, open_all, picture_file
from sightline.export.rendered import Rendered, render_all
from sightline.files import only_writer, whole_file
from sightline.taskset.store import TaskSet
from sightline.types import ImageRef

COLUMNS = ("question", "answer", "category", "split", "id", "task", "group")


def export_vlmevalkit(tasksets: Sequence[Path], out: Path, *, dialect: Dialect, media_root: Path | None = None) -> Exported:
    """Write one file `{task set}.tsv` a task set below `out`. `media_root`: pictures are named by absolute paths of what lies below
    it; None: they are in the file.

    Raises:
        FileNotFoundError: a task set or picture is not there.
        InputError: two task sets of one name, changed pictures, or a target that is no text (masks).
    """
    rows: dict[str, int] = {}
    with only_writer(out):
        for taskset in open_all(tasksets):
            name = taskset.manifest.name
            options = {"media_root": None if media_root is None else str(media_root.resolve())}
            with noted(out, name, taskset, kind="vlmevalkit", dialect=dialect, options=options):
                rows[f"{name}.tsv"] = _write(out / f"{name}.tsv", taskset, dialect, media_root)
    return Exported(path=str(out), rows=rows)


def _write(path: Path, taskset: TaskSet, dialect: Dialect, media_root: Path | None) -> int:
    pictures = None if media_root is None else Pictures(taskset, path.parent, media_root=media_root)
    count = 0
    with whole_file(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        table = csv.writer(text, delimiter="\t", lineterminator="\n")
        table.writerow(("index", "image" if media_root is None else "image_path", *COLUMNS))
        for count, rendered in enumerate(render_all(taskset, dialect), start=1):
            names = [_named(image, taskset, pictures, media_root) for image in rendered.example.question.images]
            table.writerow((count - 1, names[0] if len(names) == 1 else json.dumps(names), *_texts(rendered)))
        text.detach()
    return count


def _named(image: ImageRef, taskset: TaskSet, pictures: Pictures | None, media_root: Path | None) -> str:
    if pictures is None or media_root is None:
        return base64.b64encode(picture_file(taskset, image)[0]).decode()
    return str(media_root.resolve() / pictures.name(image))


def _texts(rendered: Rendered) -> tuple[str, ...]:
    example = rendered.example
    return (
        rendered.without_tokens(),
        rendered.answer,
        example.tier,
        example.split,
        example.id,
        example.question.task,
        example.group,
    )
