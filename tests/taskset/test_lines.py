"""Where the lines of a task set lie: found by number and by id, without the shards in memory."""

import random
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sightline.errors import InputError
from sightline.taskset import lines as lines_module
from sightline.taskset.lines import Lines, write_lines
from sightline.taskset.store import Ids, Index, StoredMask, StoredMasks
from sightline.types import MaskRle


def rle(number: int) -> MaskRle:
    return MaskRle(height=2, width=number + 1, counts="0" * (number % 7 + 1))


def write_masks(folder: Path, names: Sequence[str], shards: int = 3) -> None:
    """The masks in stored order, cut into shards of about one size; no examples."""
    folder.mkdir(exist_ok=True)
    size = -(-len(names) // shards)
    for shard in range(shards):
        some = range(shard * size, min((shard + 1) * size, len(names)))
        stored = (StoredMask(id=names[number], rle=rle(number)) for number in some)
        (folder / f"masks-{shard:05d}.jsonl").write_bytes(b"".join(msgspec.json.encode(mask) + b"\n" for mask in stored))


def write_examples(folder: Path, names: Sequence[str]) -> None:
    """What a look-up reads of examples: their ids."""
    lines = [msgspec.json.encode({"question": {"id": name, "task": "t"}, "split": "train"}) + b"\n" for name in names]
    (folder / "examples-00000.jsonl").write_bytes(b"".join(lines))
    lengths = [len(line) for line in lines]
    columns = {"id": names, "shard": [0] * len(names), "offset": np.cumsum([0, *lengths])[:-1], "length": lengths}
    pq.write_table(pa.table(columns), folder / "index.parquet")


def test_every_mask_is_found_by_its_hash_and_by_no_other(tmp_path: Path) -> None:
    names = [random.Random(number).randbytes(16).hex() for number in range(1000)]
    write_masks(tmp_path, names)
    masks = StoredMasks(Lines(tmp_path, "masks"))
    assert len(masks) == 1000
    assert {name: masks[name] for name in names} == {name: rle(number) for number, name in enumerate(names)}
    assert list(masks) == names
    assert "f" * 32 not in masks


def test_many_buckets_find_what_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "ROWS_A_BUCKET", 8)
    monkeypatch.setattr(lines_module, "ROWS_AT_A_TIME", 33)
    names = [f"{number:032x}" for number in range(500)]
    write_masks(tmp_path, names)
    masks = StoredMasks(Lines(tmp_path, "masks"))
    assert all(masks[name] == rle(number) for number, name in enumerate(names))


def test_ids_that_share_a_key_are_told_apart_by_their_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "_key", lambda name: int(name[0], 16))
    names = ["b1", "a1", "b2", "c1", "b3"]
    write_masks(tmp_path, names, shards=1)
    lines = Lines(tmp_path, "masks")
    assert sorted(lines.candidates("b9")) == [0, 2, 4]
    masks = StoredMasks(lines)
    assert [masks[name] for name in names] == [rle(number) for number in range(5)]
    assert "b9" not in masks


def test_a_set_without_the_files_gets_the_bytes_that_a_build_writes(tmp_path: Path) -> None:
    built, older = tmp_path / "built", tmp_path / "older"
    for folder in (built, older):
        write_masks(folder, ["aa", "bb", "cc"])
        write_examples(folder, ["t/1", "t/2"])
    write_lines(built)
    Lines(older, "masks")
    Lines(older, "examples")
    for kind in ("masks", "examples"):
        assert (older / f"{kind}.lines").read_bytes() == (built / f"{kind}.lines").read_bytes()
    assert (built / "masks.lines").stat().st_size == 3 * 32
    assert not list(older.glob(".*"))


def test_a_folder_that_cannot_be_written_is_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_masks(tmp_path, ["aa", "bb", "cc"])
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(lines_module.os, "access", lambda *_: False)
    masks = StoredMasks(Lines(tmp_path, "masks"))
    assert masks["cc"] == rle(2)
    assert sorted(tmp_path.iterdir()) == before


def test_a_set_without_masks_has_none(tmp_path: Path) -> None:
    write_masks(tmp_path, [], shards=1)
    masks = StoredMasks(Lines(tmp_path, "masks"))
    assert len(masks) == 0
    assert "aa" not in masks


@pytest.mark.parametrize("change", ["cut", "grown", "another shard"])
def test_a_file_that_does_not_fit_its_shards_is_refused(tmp_path: Path, change: str) -> None:
    write_masks(tmp_path, ["aa", "bb", "cc"])
    write_examples(tmp_path, ["t/1"])
    write_lines(tmp_path)
    path = tmp_path / "masks.lines"
    if change == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif change == "grown":
        with (tmp_path / "masks-00002.jsonl").open("ab") as file:
            file.write(b"{}\n")
    else:
        (tmp_path / "masks-00003.jsonl").write_bytes(b"{}\n")
    with pytest.raises(InputError, match=r"masks\.lines does not fit .* Delete it"):
        Lines(tmp_path, "masks")


def test_ids_are_a_sequence(tmp_path: Path) -> None:
    names = [f"t/{number}" for number in range(20)]
    write_masks(tmp_path, [])
    write_examples(tmp_path, names)
    ids = Ids(Lines(tmp_path, "examples"), Index(tmp_path / "index.parquet"))
    assert len(ids) == 20
    assert list(ids) == names
    assert ids[3] == "t/3"
    assert ids[-1] == "t/19"
    assert ids[2:5] == ["t/2", "t/3", "t/4"]
    assert ids.index("t/7") == 7
    assert "t/7" in ids
    assert "t/77" not in ids
    with pytest.raises(ValueError, match="'t/77' is no example"):
        ids.index("t/77")
    with pytest.raises(ValueError, match="'t/7' is no example"):
        ids.index("t/7", 8)
    with pytest.raises(IndexError):
        ids[20]
