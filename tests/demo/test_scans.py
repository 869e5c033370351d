import numpy as np

from sightline.datasets.scans import open_scans
from sightline.datasets.scans.pixels import ScanPixels, depth_camera
from sightline.demo.scans import write_room_scan
from sightline.geometry.visibility import mask_points


def test_every_surface_point_of_an_object_lies_in_its_box(tmp_path):
    written = write_room_scan(tmp_path, seed=0, number=0, width=160, height=120)
    assert write_room_scan(tmp_path, seed=0, number=0, width=160, height=120) == written  # kept as it is
    (scan,) = open_scans("prepared", tmp_path)
    assert scan == written
    seen = set()
    with ScanPixels(scan, tmp_path) as pixels:
        for frame in scan.frames:
            depth, labels = pixels.depth_m(frame), pixels.instances(frame)
            assert depth is not None
            assert labels is not None
            for each in scan.objects:
                points = mask_points(labels == each.label, depth, depth_camera(frame, depth))
                local = (points - each.box.centre) @ np.reshape(each.box.axes, (3, 3)).T
                assert (np.abs(local) <= np.array(each.box.lengths) / 2 + 0.002).all()  # depth is in whole millimetres
                if len(points):
                    seen.add(each.object_id)
    assert len(seen) == len(scan.objects) > 3
