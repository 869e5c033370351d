"""The last step of a build: masks of many shards, each once, where it stood first."""

from pathlib import Path

import msgspec

from sightline.taskset.store import StoredMask
from sightline.taskset.write import assemble
from sightline.types import MaskRle

RLE = MaskRle(height=2, width=2, counts="04")


def line(name: str) -> bytes:
    return msgspec.json.encode(StoredMask(id=name, rle=RLE)) + b"\n"


def test_each_mask_stands_once_in_the_order_of_the_shards(tmp_path: Path) -> None:
    # b and c have their first 64 bits in common, and only b stands in both shards
    a, b, c, d = ("a" * 32, "b" * 32, "b" * 16 + "c" * 16, "d" * 32)
    (tmp_path / "set").mkdir()
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/00000.masks.jsonl").write_bytes(line(d) + line(b))
    (tmp_path / "parts/00001.masks.jsonl").write_bytes(line(c) + line(b) + line(a))
    assemble(tmp_path, "t-train", task="t", split="train", recipe={"options": {"seed": 0}}, source_fingerprint="", roots={})
    assert (tmp_path / "set/masks-00000.jsonl").read_bytes() == line(d) + line(b) + line(c) + line(a)
    assert not (tmp_path / "set/sources.jsonl").exists()
