"""Meshes of rooms (PLY), and which vertices belong to which object (segments and groups, as in ScanNet and ScanNet++).

    x.ply                 binary_little_endian or ascii: vertex x, y, z and others, face vertex_indices of triangles
    x.segs.json           {"segIndices": [3, 3, 17, ...]}                         one segment number a vertex
    x.aggregation.json    {"segGroups": [{"objectId": 0, "label": "chair", "segments": [3, 8]}, ...]}

No code is taken from a file's header but names of plain number types; counts are checked against the file's size first.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import msgspec
import numpy as np
from jaxtyping import Float, Int

from sightline.errors import InputError
from sightline.files import read_json
from sightline.types import OrientedBox

TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "<i2"),
    **dict.fromkeys(("ushort", "uint16"), "<u2"),
    **dict.fromkeys(("int", "int32"), "<i4"),
    **dict.fromkeys(("uint", "uint32"), "<u4"),
    **dict.fromkeys(("float", "float32"), "<f4"),
    **dict.fromkeys(("double", "float64"), "<f8"),
}
MAX_HEADER_LINES = 200
MAX_ELEMENTS = 100_000_000
MIN_SIDE_M = 1e-3


@dataclass(frozen=True)
class Mesh:
    """Vertices (metres) and triangles (vertex numbers)."""

    vertices: Float[np.ndarray, "v 3"]
    triangles: Int[np.ndarray, "t 3"]


class SegmentGroup(msgspec.Struct):
    """One object of a groups file. Fields of other tools are let through."""

    label: str
    segments: tuple[int, ...] = ()
    objectId: int | None = None  # noqa: N815 - the file's own spelling
    id: int | None = None


class _Groups(msgspec.Struct):
    segGroups: tuple[SegmentGroup, ...]  # noqa: N815


class _Segments(msgspec.Struct):
    segIndices: tuple[int, ...]  # noqa: N815


@dataclass(frozen=True)
class _Element:
    name: str
    count: int
    properties: tuple[tuple[str, str], ...]
    is_list: bool


def read_ply(path: Path) -> Mesh:
    """A mesh of triangles.

    Raises:
        FileNotFoundError: no such file.
        InputError: not such a PLY, faces that are no triangles, a vertex number out of range, or a file that is cut short.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such mesh.")
    with path.open("rb") as file:
        form, elements = _read_header(path, file)
        vertices = np.zeros((0, 3))
        triangles = np.zeros((0, 3), np.int64)
        for element in elements:
            rows = _read_text(path, file, element) if form == "ascii" else _read_binary(path, file, element)
            if element.name == "vertex":
                vertices = rows
            elif element.name == "face":
                triangles = rows.astype(np.int64)
                break
    if not np.isfinite(vertices).all() or (len(triangles) and not (0 <= triangles.min() <= triangles.max() < len(vertices))):
        raise InputError(f"{path}: vertices that are not finite, or faces of vertices that are not there. Get the file again.")
    return Mesh(vertices, triangles)


def read_groups(path: Path) -> tuple[SegmentGroup, ...]:
    """The objects of a groups file. Raises FileNotFoundError or InputError."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of segment groups.")
    return read_json(path, _Groups).segGroups


def group_number(group: SegmentGroup) -> int:
    """The number of an object in its file. Raises InputError if it has none."""
    number = group.objectId if group.objectId is not None else group.id
    if number is None:
        raise InputError(f"segment group {group.label!r} has neither objectId nor id. Get the aggregation file again.")
    return number


def read_segments(path: Path, num_vertices: int) -> Int[np.ndarray, " v"]:
    """The segment number of each vertex.

    Raises:
        FileNotFoundError: no such file.
        InputError: not one for each of `num_vertices` vertices.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no segments of the mesh. Download the *.segs.json (segments.json) that belongs to it.")
    found = np.array(read_json(path, _Segments).segIndices, dtype=np.int64)
    if len(found) != num_vertices:
        raise InputError(
            f"{path}: segments of {len(found):,} vertices, the mesh has {num_vertices:,}. They belong to another mesh: ScanNet's "
            "segments are of *_vh_clean_2.ply, ScanNet++'s of mesh_aligned_0.05.ply."
        )
    return found


def vertex_objects(segments: Int[np.ndarray, " v"], groups: tuple[SegmentGroup, ...]) -> Int[np.ndarray, " v"]:
    """The place in `groups` of the object of each vertex, -1 for none; of a segment in several groups, the first one's."""
    if not len(segments) or not groups:
        return np.full(len(segments), -1, np.int64)
    names, inverse = np.unique(segments, return_inverse=True)
    owner = np.full(len(names), -1, np.int64)
    for place in reversed(range(len(groups))):
        at = np.searchsorted(names, groups[place].segments)
        at = at[at < len(names)]
        owner[at[np.isin(names[at], groups[place].segments)]] = place
    return owner[inverse]


def transformed(points: Float[np.ndarray, "n 3"], transform: tuple[float, ...] | None) -> Float[np.ndarray, "n 3"]:
    """World points after a 4x4 transform, row by row; None changes nothing."""
    if transform is None:
        return points
    matrix = np.array(transform, np.float64).reshape(4, 4)
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def upright_box(points: Float[np.ndarray, "n 3"]) -> OrientedBox:
    """The box of least footprint that stands upright (z is up) around points; the same every time. n is at least 1."""
    corner = points.min(axis=0)
    flat = (points[:, :2] - corner[:2]).astype(np.float32)  # small numbers: OpenCV works in 32 bits
    degrees = cv2.minAreaRect(flat)[2]
    angle = np.deg2rad(degrees)
    first, second = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    lengths, middle = [], np.zeros(2)
    for axis in (first, second):  # exact extents along its axes
        along = points[:, :2] @ axis
        lengths.append(max(float(np.ptp(along)), MIN_SIDE_M))
        middle = middle + axis * (along.min() + along.max()) / 2
    top = points[:, 2].max()
    return OrientedBox(
        centre=(float(middle[0]), float(middle[1]), float((corner[2] + top) / 2)),
        lengths=(lengths[0], lengths[1], max(float(top - corner[2]), MIN_SIDE_M)),
        axes=(float(first[0]), float(first[1]), 0.0, float(second[0]), float(second[1]), 0.0, 0.0, 0.0, 1.0),
    )


def _read_header(path: Path, file: BinaryIO) -> tuple[str, list[_Element]]:
    lines = []
    for _ in range(MAX_HEADER_LINES):
        line = file.readline(1024).decode("ascii", "replace").strip()
        lines.append(line.split())
        if line == "end_header":
            break
    if not lines or lines[0] != ["ply"] or lines[-1] != ["end_header"]:
        raise InputError(f"{path}: expected a PLY mesh, found a file that begins with {' '.join(lines[0])[:20]!r}.")
    form = next((line[1] for line in lines if line[:1] == ["format"] and len(line) > 1), "")
    if form not in ("ascii", "binary_little_endian"):
        raise InputError(f"{path}: PLY of format {form!r}; ascii and binary_little_endian are read.")
    elements: list[_Element] = []
    for line in lines:
        if line[:1] == ["element"] and len(line) == 3 and line[2].isdecimal():
            elements.append(_Element(line[1], int(line[2]), (), False))
        elif line[:1] == ["property"] and elements:
            elements[-1] = _with_property(path, elements[-1], line)
    if any(element.count > MAX_ELEMENTS for element in elements):
        raise InputError(f"{path}: more than {MAX_ELEMENTS:,} elements.")
    return form, elements


def _with_property(path: Path, element: _Element, line: list[str]) -> _Element:
    types = line[2:4] if line[1:2] == ["list"] else line[1:2]
    if not types or any(name not in TYPES for name in types):
        raise InputError(f"{path}: a PLY property of type {' '.join(line[1:-1])!r}; numbers and lists of numbers are read.")
    if element.is_list or (line[1] == "list" and element.properties):
        raise InputError(
            f"{path}: {element.name} elements with a list and more; faces of vertex_indices alone are read. Export it anew."
        )
    if line[1] == "list":
        return _Element(element.name, element.count, (("num", TYPES[types[0]]), ("list", TYPES[types[1]])), True)
    return _Element(element.name, element.count, (*element.properties, (line[-1], TYPES[types[0]])), element.is_list)


def _read_binary(path: Path, file: BinaryIO, element: _Element) -> np.ndarray:
    """x, y, z of vertices, or the three numbers of faces."""
    fields = [(name, kind, (3,)) if name == "list" else (name, kind) for name, kind in element.properties]
    dtype = np.dtype([*fields])
    _check_names(path, element)
    if element.count * dtype.itemsize > path.stat().st_size - file.tell():
        raise InputError(f"{path}: the file ends inside its {element.count:,} {element.name} elements. Get the file again.")
    rows = np.frombuffer(file.read(element.count * dtype.itemsize), dtype)
    if element.name == "vertex":
        return np.stack([rows[axis].astype(np.float64) for axis in "xyz"], axis=1)
    if element.is_list:
        _check_triangles(path, rows["num"])
        return rows["list"]
    return np.zeros((0, 3))


def _read_text(path: Path, file: BinaryIO, element: _Element) -> np.ndarray:
    _check_names(path, element)
    rows = [file.readline(4096).split() for _ in range(element.count)]
    try:
        values = np.array(rows, dtype=np.float64).reshape(element.count, -1)
    except ValueError as error:
        raise InputError(f"{path}: the {element.name} lines are not as many numbers each ({error}). Get the file again.") from error
    if element.name == "vertex":
        names = [name for name, _ in element.properties]
        return values[:, [names.index(axis) for axis in "xyz"]]
    if element.is_list:
        _check_triangles(path, values[:, 0])
        return values[:, 1:4]
    return np.zeros((0, 3))


def _check_names(path: Path, element: _Element) -> None:
    names = {name for name, _ in element.properties}
    if element.name == "vertex" and not {"x", "y", "z"} <= names:
        raise InputError(f"{path}: vertices without x, y and z; found {', '.join(sorted(names))}.")


def _check_triangles(path: Path, counts: np.ndarray) -> None:
    if (counts != 3).any():
        raise InputError(f"{path}: faces that are not triangles. Triangulate the mesh.")
