import numpy as np

from sightline.datasets.scans import open_scans
from sightline.prepare.mask_overlap import added, compared, disagreements, overlap
from sightline.prepare.scans import ScanFrameOptions, prepare_scans
from sightline.types import LedgerEntry, OrientedBox, Scan, ScanObject
from tests.scan_trees import HEIGHT, WIDTH, pose_at, write_picture, write_scannet_room, write_sens

NAME = "scene0000_00"
BOX = OrientedBox(centre=(0, 0, 0), lengths=(1, 1, 1))


def write_scene(root, *, columns: slice) -> None:
    """Two frames that see the box at columns 14 to 34 and rows 18 to 36, with instance pictures that have it at `columns`."""
    folder = root / NAME
    write_scannet_room(folder)
    write_sens(folder / f"{NAME}.sens", [pose_at(0.0), pose_at(0.0)])
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[18:36, columns] = 1
    for number in (0, 1):
        write_picture(folder / f"instance-filt/{number}.png", labels)


def ledger_of(root, out) -> list[LedgerEntry]:
    prepare_scans(open_scans("scannet", root), out, dataset="scannet", options=ScanFrameOptions())
    (scan,) = open_scans("prepared", out)
    return [entry for entry in scan.problems if "mesh" in entry.reason]


def test_pictures_that_lie_on_the_mesh_are_not_mentioned(tmp_path):
    write_scene(tmp_path / "in", columns=slice(16, 34))  # 18 of 20 columns
    assert ledger_of(tmp_path / "in", tmp_path / "out") == []


def test_pictures_beside_the_mesh_are_in_the_ledger_with_their_overlap(tmp_path):
    write_scene(tmp_path / "in", columns=slice(28, 48))  # 28 to 34 are in both, 14 to 48 in either: 6 / 34 = 0.18
    scan_wide, of_object = ledger_of(tmp_path / "in", tmp_path / "out")
    assert (scan_wide.reason, scan_wide.unit) == ("masks_off_mesh", NAME)
    assert "of 1 objects have a median IoU of 0.18" in (scan_wide.detail or "")
    assert (of_object.reason, of_object.unit) == ("mask_off_mesh", f"{NAME}/object 0 (box)")
    assert "IoU of 0.18" in (of_object.detail or "")


def test_a_small_part_wrong_is_an_object_and_not_the_scan():
    objects = tuple(ScanObject(object_id=f"{label}", category="thing", box=BOX, label=label) for label in (1, 2, 3, 4))
    scan = Scan(scan_id="s", dataset="scannet", frames=(), objects=objects)
    found = disagreements(scan, {1: (900, 1000), 2: (100, 1000), 3: (850, 1000), 4: (0, 50), 9: (0, 1000)})
    assert [(entry.reason, entry.unit) for entry in found] == [("mask_off_mesh", "s/object 2 (thing)")]
    assert disagreements(scan, {}) == ()


def test_pixels_are_counted_by_label_without_unknown_ones():
    given = np.array([[1, 1, 2, 255], [0, 2, 2, 3]], np.uint8)
    drawn = np.array([[1, 2, 2, 1], [0, 2, 255, 0]], np.uint8)
    # Known in both: 1/1, 1/2, 2/2, 0/0, 2/2, 3/0.
    assert overlap(given, drawn) == {1: (1, 2), 2: (2, 3), 3: (0, 1)}
    assert added([overlap(given, drawn), {3: (4, 5), 7: (1, 1)}]) == {1: (1, 2), 2: (2, 3), 3: (4, 6), 7: (1, 1)}


def test_some_frames_are_compared_evenly_spread():
    assert compared(64) == {8, 24, 40, 56}
    assert compared(3) == {0, 1, 2}
    assert compared(0) == frozenset()
