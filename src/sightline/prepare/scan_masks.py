"""Instance labels of a scan's frames, where the data set has only a mesh: its labelled triangles, seen from each camera."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from sightline.datasets.scans.mesh import group_number, read_groups, read_ply, read_segments, transformed, vertex_objects
from sightline.files import inside
from sightline.geometry.raster import NO_TRIANGLE, rasterise
from sightline.types import Camera, Scan

UNKNOWN = 255


class MeshLabels:
    """The mesh of one scan with a label for each triangle.

    Raises:
        FileNotFoundError, InputError: a file of the mesh is missing or damaged, or segments and mesh do not belong together.
    """

    def __init__(self, scan: Scan, root: Path) -> None:
        files = scan.mesh
        assert files is not None, "the caller looks"
        assert files.segments is not None, "the caller looks"
        assert files.groups is not None, "the caller looks"
        mesh = read_ply(inside(root, files.mesh))
        groups = read_groups(inside(root, files.groups))
        segments = read_segments(inside(root, files.segments), len(mesh.vertices))
        by_id = {each.object_id: each.label for each in scan.objects}
        of_group = [by_id.get(str(group_number(group)), 0) for group in groups]
        labels = np.array([UNKNOWN if label is None else label for label in of_group] + [0], np.uint8)
        self._vertices = transformed(mesh.vertices, scan.alignment)
        self._triangles = mesh.triangles
        corners = labels[vertex_objects(segments, groups)][mesh.triangles]
        # two of three corners decide; a triangle between three objects is nobody's
        agreed = np.where(corners[:, 1] == corners[:, 2], corners[:, 1], 0)
        shared = (corners[:, 0] == corners[:, 1]) | (corners[:, 0] == corners[:, 2])
        self._labels = np.append(np.where(shared, corners[:, 0], agreed).astype(np.uint8), np.uint8(0))

    def seen_by(self, camera: Camera) -> UInt8[np.ndarray, "h w"]:
        """The label at each pixel, 0 where there is no object or no mesh."""
        triangle = rasterise(self._vertices, self._triangles, camera).triangle
        return self._labels[np.where(triangle == NO_TRIANGLE, len(self._triangles), triangle)]


def has_labels(scan: Scan) -> bool:
    """Whether the scan's mesh says which part is which object."""
    return scan.mesh is not None and scan.mesh.segments is not None and scan.mesh.groups is not None
