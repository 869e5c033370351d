"""Pictures and rows of Hugging Face Parquet files, one cell at a time: a picture is {bytes, path} in a column.

    data/location-00000-of-00001.parquet      columns id, image {bytes, path}, mask {bytes, path}, object, prompt, ...

A reader lists the other columns; a picture's bytes are taken out when somebody decodes it.
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.errors import InputError
from sightline.files import inside
from sightline.picture_header import Content, Source
from sightline.types import PictureFile

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MAX_FILE_BYTES = 8 * 2**30
ROW_GROUPS_KEPT = 4


def parquet_files(root: Path, split: str) -> list[Path]:
    """The Parquet files of a split, as `push_to_hub` and the hub's converter place them, in order of their numbers."""
    patterns = (f"data/{split}-*.parquet", f"{split}-*.parquet", f"default/{split}/*.parquet", f"{split}/*.parquet")
    found = (sorted(path for path in root.glob(pattern) if not path.name.startswith(".")) for pattern in patterns)
    return next((paths for paths in found if paths), [])


def plain_rows(path: Path, pictures: tuple[str, ...]) -> list[dict[str, Any]]:
    """All rows of a file without the bytes of the columns `pictures`; for these it says whether the cell has a picture.

    Raises:
        InputError: not a Parquet file, larger than `MAX_FILE_BYTES`, or a picture column that is no {bytes, path}.
    """
    table = _opened(path)
    schema = table.schema_arrow
    others = [name for name in schema.names if name not in pictures]
    rows = table.read(columns=others).to_pylist()
    for column in (name for name in pictures if name in schema.names):
        if "bytes" not in [field.name for field in _fields(schema.field(column).type)]:
            raise InputError(f"{path}: column {column!r} is {schema.field(column).type}; expected pictures, {{bytes, path}}.")
        for row, known in zip(rows, _has_bytes(table, column), strict=True):
            row[column] = known
    return rows


def picture_source(root: Path, file: PictureFile) -> Source:
    """What `media` decodes: the file below `root`, or the bytes of its cell.

    Raises:
        FileNotFoundError: no such file.
        InputError: it leads outside of `root`, or the cell is empty.
    """
    path = inside(root, file.path)
    if file.column is None:
        return path
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file. Get the data set again.")
    name = f"{path}, row {file.row}, column {file.column}"
    content = _cell(path, path.stat().st_mtime_ns, file.column, file.row)
    if content is None:
        raise InputError(f"{name}: no picture in this cell. Get the file again.")
    return Content(name=name, content=content)


def _opened(path: Path) -> "pq.ParquetFile":
    import pyarrow as pa  # noqa: PLC0415 - 0.2 s that only Parquet should pay
    import pyarrow.parquet as pq  # noqa: PLC0415

    if path.stat().st_size > MAX_FILE_BYTES:
        raise InputError(f"{path}: Parquet of {path.stat().st_size:,} bytes; at most {MAX_FILE_BYTES:,} are read.")
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a readable Parquet file ({error}). Get the file again.") from error


def _fields(kind: "pa.DataType") -> list["pa.Field"]:
    import pyarrow as pa  # noqa: PLC0415

    return list(kind) if isinstance(kind, pa.StructType) else []


def _has_bytes(table: "pq.ParquetFile", column: str) -> list[bool]:
    known: list[bool] = []
    for group in range(table.num_row_groups):
        for chunk in table.read_row_group(group, columns=[column]).column(column).chunks:
            position = [field.name for field in _fields(chunk.type)].index("bytes")
            known += chunk.flatten()[position].is_valid().to_pylist()
    return known


def _cell(path: Path, changed_ns: int, column: str, row: int) -> bytes | None:
    first = 0
    for group, count in enumerate(_group_sizes(path, changed_ns)):
        if row < first + count:
            return _pictures_of_group(path, changed_ns, column, group)[row - first]["bytes"].as_py()
        first += count
    raise InputError(f"{path}: it has {first} rows, so no row {row}. The file was changed: build the task set again.")


@lru_cache(maxsize=64)
def _group_sizes(path: Path, _changed_ns: int) -> list[int]:
    metadata = _opened(path).metadata
    return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]


@lru_cache(maxsize=ROW_GROUPS_KEPT)
def _pictures_of_group(path: Path, _changed_ns: int, column: str, group: int) -> "pa.ChunkedArray":
    return _opened(path).read_row_group(group, columns=[column]).column(column)
