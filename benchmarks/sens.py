"""`.sens` to single files: `sightline prepare scan` against a straightforward loop, in wall time, with one process and with two.

- plain: read the file frame by frame with `struct`, write the JPEG as it is, inflate the depth and save it as PNG with Pillow.
- ours: `prepare_scans`, which also walks and checks the file, writes poses and cameras, hashes and syncs every picture.

60 frames of 1296 x 968 colour and 640 x 480 depth, the sizes of ScanNet. Colour has to be the same bytes, depth the same numbers.
Asked for: at least 1.5 times the plain loop on two cores. `REPEATS` rounds in turn, the least time of each.
"""

import struct
import tempfile
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from sightline import media
from sightline.datasets.scans import open_scans
from sightline.prepare.scans import ScanFrameOptions, prepare_scans

FRAMES, REPEATS = 60, 3
COLOUR, DEPTH = (1296, 968), (640, 480)
NAME = "scene0000_00"


def write_scene(root: Path) -> Path:
    """A container of smooth pictures with grain, and depth of tilted planes with the noise of a sensor."""
    rng = np.random.default_rng(0)
    lens = np.array([[1170, 0, 648, 0], [0, 1170, 484, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    content = [struct.pack("<IQ", 4, 6), b"camera"]
    content.extend(struct.pack("<16f", *matrix.ravel()) for matrix in (lens, np.eye(4), lens, np.eye(4)))
    content.append(struct.pack("<2i4IfQ", 2, 1, *COLOUR, *DEPTH, 1000.0, FRAMES))
    x, y = np.meshgrid(np.arange(DEPTH[0]), np.arange(DEPTH[1]))
    for index in range(FRAMES):
        grain = rng.integers(0, 30, (COLOUR[1] // 8, COLOUR[0] // 8, 3)).astype(np.uint8)
        colour = cv2.imencode(".jpg", cv2.resize(grain, COLOUR, interpolation=cv2.INTER_CUBIC) + np.uint8(2 * index))[1].tobytes()
        metres = 1500 + 2 * x + y + 10 * index + rng.normal(0, 4, x.shape)
        depth = zlib.compress(metres.astype("<u2").tobytes())
        pose = np.eye(4)
        pose[0, 3] = index / 100
        content.append(struct.pack("<16f4Q", *pose.ravel(), 33_000 * index, 33_000 * index, len(colour), len(depth)))
        content += [colour, depth]
    path = root / NAME / f"{NAME}.sens"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"".join(content))
    return path


def plain(path: Path, out: Path) -> None:
    for kind in ("colour", "depth", "pose"):
        (out / kind).mkdir(parents=True)
    with path.open("rb") as file:
        file.seek(4)
        file.seek(struct.unpack("<Q", file.read(8))[0] + 4 * 64 + 8, 1)
        _, _, width, height = struct.unpack("<4I", file.read(16))
        _, count = struct.unpack("<fQ", file.read(12))
        for index in range(count):
            pose = struct.unpack("<16f", file.read(64))
            _, _, colour_bytes, depth_bytes = struct.unpack("<4Q", file.read(32))
            (out / f"colour/{index:06d}.jpg").write_bytes(file.read(colour_bytes))
            depth = np.frombuffer(zlib.decompress(file.read(depth_bytes)), np.uint16).reshape(height, width)
            Image.fromarray(depth).save(out / f"depth/{index:06d}.png")
            np.savetxt(out / f"pose/{index:06d}.txt", np.reshape(pose, (4, 4)))


def ours(path: Path, out: Path, workers: int) -> None:
    prepare_scans(
        open_scans("scannet", path.parent.parent), out, dataset="scannet", options=ScanFrameOptions(masks=False), workers=workers
    )


def check_equal(plain_out: Path, our_out: Path) -> None:
    for index in range(FRAMES):
        ways = [place / f"colour/{index:06d}.jpg" for place in (plain_out, our_out / NAME)]
        assert ways[0].read_bytes() == ways[1].read_bytes(), f"colour of frame {index} differs"
        depths = [media.read_depth(place / f"depth/{index:06d}.png", 1.0) for place in (plain_out, our_out / NAME)]
        assert (depths[0] == depths[1]).all(), f"depth of frame {index} differs"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        path = write_scene(root / "source")
        ways = {
            "plain loop": lambda out: plain(path, out),
            "ours, 1 process": lambda out: ours(path, out, 1),
            "ours, 2 processes": lambda out: ours(path, out, 2),
        }
        times: dict[str, float] = {}
        for repeat in range(REPEATS):
            for way, run in ways.items():
                start = time.perf_counter()
                run(root / f"{way} {repeat}")
                times[way] = min(times.get(way, np.inf), time.perf_counter() - start)
        for way in list(ways)[1:]:
            check_equal(root / "plain loop 0", root / f"{way} 0")
        for way, seconds in times.items():
            print(f"{way:18} {seconds:6.2f} s  {times['plain loop'] / seconds:5.2f} times")
        print(f"{FRAMES} frames, colour and depth equal. Asked for: 1.5 times with 2 processes on 2 cores.")


if __name__ == "__main__":
    main()
