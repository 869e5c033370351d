"""Task sets as Parquet with the pictures in it, as Hugging Face `datasets` loads it.

    load_dataset("parquet", data_files={"train": "OUT/t2b-train.parquet"})

Columns: `id`, `task`, `split`, `group` (the scene), `tier`, `object_id`, `label`, `prompt` (one `<image>` for each picture, where
it stands), `images` (a list of {bytes, path}, in the order of their tokens), `answer` (the text in the declared dialect), `target`
(the truth as geometry in original pixels, the JSON of `types.Truth`), `masks` (JSON: the run-length codes of the masks it names, by
hash), `slices` (JSON). Schema metadata: `sightline` has the JSON of the task set's fingerprint and dialect, `huggingface` the
features, so that `images` is decoded. Rows are written as a stream, a few at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sightline.dialects import Dialect
from sightline.export.files import Exported, noted, open_all, origin, picture_file
from sightline.export.rendered import Rendered, render_all
from sightline.files import only_writer, whole_file
from sightline.taskset.store import TaskSet
from sightline.types import Example, ImageRef

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_A_TIME = 32  # of about 1 MB each: pictures
TEXT = {"dtype": "string", "_type": "Value"}
PICTURE = {"_type": "Image"}
PICTURES = {"feature": PICTURE, "_type": "Sequence"}
COLUMNS: dict[str, dict[str, Any]] = dict.fromkeys(("id", "task", "split", "group", "tier", "object_id", "label"), TEXT) | {
    "prompt": TEXT,
    "images": PICTURES,
    "answer": TEXT,
    "target": TEXT,
    "masks": TEXT,
    "slices": TEXT,
}
Picture = Callable[[ImageRef], dict[str, Any]]


def export_parquet(tasksets: Sequence[Path], out: Path, *, dialect: Dialect) -> Exported:
    """Write one file `{task set}.parquet` a task set below `out`.

    Raises:
        FileNotFoundError: a task set or picture is not there.
        InputError: two task sets of one name, changed pictures, or a target that is no text (masks).
    """
    rows: dict[str, int] = {}
    with only_writer(out):
        for taskset in open_all(tasksets):
            name, picture = taskset.manifest.name, embedded(taskset)
            records = (_row(rendered, taskset, picture) for rendered in render_all(taskset, dialect))
            with noted(out, name, taskset, kind="parquet", dialect=dialect, options={}):
                file = f"{name}.parquet"
                rows[file] = write_table(out / file, records, columns=COLUMNS, origin=origin(taskset, dialect))
    return Exported(path=str(out), rows=rows)


def write_table(path: Path, rows: Iterator[dict[str, Any]], *, columns: dict[str, dict[str, Any]], origin: dict[str, Any]) -> int:
    """Write rows of the given columns (named with their `datasets` feature) as one Parquet file, whole; returns how many."""
    import pyarrow as pa  # noqa: PLC0415 - 0.2 s that only this export should pay
    import pyarrow.parquet as pq  # noqa: PLC0415

    metadata = {"huggingface": {"info": {"features": columns}}, "sightline": origin}
    fields = [(name, _arrow_type(feature)) for name, feature in columns.items()]
    schema = pa.schema(fields, metadata={name: msgspec.json.encode(value) for name, value in metadata.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with whole_file(path) as file, pq.ParquetWriter(file, schema) as writer:
        while some := list(islice(rows, ROWS_AT_A_TIME)):
            writer.write_table(pa.Table.from_pylist(some, schema=schema))
            count += len(some)
    return count


def embedded(taskset: TaskSet) -> Picture:
    """A function that gives a picture of the task set as {bytes, path}."""

    def picture(image: ImageRef) -> dict[str, Any]:
        content, suffix = picture_file(taskset, image)
        return {"bytes": content, "path": f"{image.digest}{suffix}"}

    return picture


def masks_of(example: Example, taskset: TaskSet) -> str:
    """The run-length codes of the masks that a truth names, by hash, as JSON."""
    names = [name for name in (example.truth.mask, example.truth.mask_dilated) if name is not None]
    return msgspec.json.encode({name: taskset.masks[name] for name in names}).decode()


def named(example: Example) -> dict[str, str | None]:
    """What says which example it is."""
    return {
        "id": example.id,
        "task": example.question.task,
        "split": example.split,
        "group": example.group,
        "tier": example.tier,
        "object_id": example.object_id,
        "label": example.label,
    }


def _row(rendered: Rendered, taskset: TaskSet, picture: Picture) -> dict[str, Any]:
    example = rendered.example
    return named(example) | {
        "prompt": rendered.with_tokens(),
        "images": [picture(image) for image in rendered.images],
        "answer": rendered.answer,
        "target": msgspec.json.encode(example.truth).decode(),
        "masks": masks_of(example, taskset),
        "slices": msgspec.json.encode(example.slices).decode(),
    }


def _arrow_type(feature: dict[str, Any]) -> "pa.DataType":
    import pyarrow as pa  # noqa: PLC0415

    if feature == TEXT:
        return pa.string()
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return picture if feature == PICTURE else pa.list_(picture)
