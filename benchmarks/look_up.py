"""Masks and examples by id in a large task set: memory and time, beside a dict of all of them.

A set of 1,000,000 masks (320 x 240, one code under many hashes). Each way is measured in a process of its own.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.scale import in_a_process
from sightline.geometry.masks import encode_mask
from sightline.taskset.lines import Lines
from sightline.taskset.store import StoredMask, StoredMasks
from sightline.types import MaskRle

MASKS, ASKED = 1_000_000, 100_000


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        in_a_process(lambda: write_masks(folder))
        ways: dict[str, Callable[[], Mapping[str, MaskRle]]] = {
            "a dict of all": lambda: held(folder),
            "offsets, written now": lambda: StoredMasks(Lines(folder, "masks")),
            "offsets": lambda: StoredMasks(Lines(folder, "masks")),
        }
        for way, opened in ways.items():
            in_a_process(lambda way=way, opened=opened: measure(way, opened))
        size = (folder / "masks.lines").stat().st_size
        print(f"masks.lines: {size / 2**20:.0f} MB beside {(folder / 'masks-00000.jsonl').stat().st_size / 2**20:.0f} MB of masks")


def names() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (MASKS, 16), dtype=np.uint8)


def write_masks(folder: Path) -> None:
    disc = np.hypot(*np.mgrid[-120:120, -160:160]) < 40
    code = msgspec.json.encode(encode_mask(disc))
    with (folder / "masks-00000.jsonl").open("wb") as file:
        file.writelines(b'{"id":"%s","rle":%s}\n' % (name.tobytes().hex().encode(), code) for name in names())


def held(folder: Path) -> dict[str, MaskRle]:
    decoder = msgspec.json.Decoder(StoredMask)
    with (folder / "masks-00000.jsonl").open("rb") as file:
        return {mask.id: mask.rle for mask in map(decoder.decode, file)}


def measure(way: str, opened: Callable[[], Mapping[str, MaskRle]]) -> None:
    asked = [name.tobytes().hex() for name in names()[:: MASKS // ASKED]]
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, own, started = memory_mb("VmRSS"), memory_mb("RssAnon"), time.process_time()
    masks = opened()
    ready = time.process_time()
    for name in asked:
        masks[name]
    done = time.process_time()
    print(
        f"{way}: peak {memory_mb('VmHWM') - before:.0f} MB more; at the end {memory_mb('RssAnon') - own:.0f} MB more of its own; "
        f"CPU to open {ready - started:.2f} s, a look-up {1e6 * (done - ready) / ASKED:.1f} us",
        flush=True,
    )


def memory_mb(what: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) / 2**10


if __name__ == "__main__":
    main()
