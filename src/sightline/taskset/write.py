"""From the finished shards of one task to a complete task set, still in its staging folder.

Every step writes whole files and can be repeated; `manifest.json` is written last.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import sightline
from sightline.files import remove_temporaries, whole_file, write_json
from sightline.taskset.store import FORMAT, Manifest, StoredMask
from sightline.types import Example, LedgerEntry

ROWS_A_GROUP = 50_000
COLUMNS = pa.schema(
    [
        ("id", pa.string()),
        ("shard", pa.int32()),
        ("offset", pa.int64()),
        ("length", pa.int32()),
        ("task", pa.string()),
        ("split", pa.string()),
        ("group", pa.string()),
        ("tier", pa.string()),
        ("object_id", pa.string()),
        ("label", pa.string()),
        ("visible", pa.bool_()),
        ("widths", pa.list_(pa.int32())),
        ("heights", pa.list_(pa.int32())),
        ("sources", pa.list_(pa.string())),
        ("slices", pa.map_(pa.string(), pa.float64())),
    ]
)


def assemble(
    staging: Path, name: str, *, task: str, split: str, recipe: dict[str, Any], source_fingerprint: str, roots: dict[str, str]
) -> Manifest:
    """Complete `staging/set`: index, masks, ledger, roots, manifest. Returns the manifest; it may hold no example."""
    folder = staging / "set"
    remove_temporaries(folder)
    kept = _write_index(folder)
    _write_masks(staging / "parts", folder)
    _write_sources(staging / "parts", folder)
    dropped, altered = _write_ledger(staging / "parts", folder)
    write_json(folder / "roots.json", roots)
    files = {path.name: _digest(path) for path in sorted([*folder.glob("*.jsonl"), folder / "index.parquet"])}
    content = {name: digest for name, digest in files.items() if name.startswith(("examples-", "masks-"))}
    manifest = Manifest(
        format=FORMAT,
        name=name,
        task=task,
        split=split,
        recipe=recipe,
        package_version=sightline.__version__,
        source_fingerprint=source_fingerprint,
        rng_key=f"blake2b-128('{recipe['options']['seed']}/' + example id)",
        num_examples=sum(kept.values()),
        kept=dict(sorted(kept.items())),
        dropped=dict(sorted(dropped.items())),
        altered=dict(sorted(altered.items())),
        files=files,
        fingerprint=hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32],
    )
    write_json(folder / "manifest.json", manifest)
    return manifest


def _write_index(folder: Path) -> Counter[str]:
    """One parquet row an example, in stored order. Returns the number kept per tier."""
    kept: Counter[str] = Counter()
    decoder = msgspec.json.Decoder(Example)
    with whole_file(folder / "index.parquet") as file, pq.ParquetWriter(file, COLUMNS, compression="zstd") as writer:
        for path in sorted(folder.glob("examples-*.jsonl")):
            shard = int(path.stem.removeprefix("examples-"))
            for rows in _batches(_rows(path, shard, decoder, kept)):
                writer.write_table(pa.Table.from_pylist(rows, schema=COLUMNS))
    return kept


def _rows(path: Path, shard: int, decoder: msgspec.json.Decoder[Example], kept: Counter[str]) -> Iterator[dict[str, Any]]:
    offset = 0
    with path.open("rb") as file:
        for line in file:
            example = decoder.decode(line)
            kept[example.tier] += 1
            yield _row(example, shard, offset, length=len(line))
            offset += len(line)


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, ROWS_A_GROUP)):
        yield batch


def _row(example: Example, shard: int, offset: int, *, length: int) -> dict[str, Any]:
    question = example.question
    shown = [panel for panel in question.panels if not (example.tier == "N0" and panel.role == "query")]
    return {
        "id": question.id,
        "shard": shard,
        "offset": offset,
        "length": length,
        "task": question.task,
        "split": example.split,
        "group": example.group,
        "tier": example.tier,
        "object_id": example.object_id,
        "label": example.label,
        "visible": example.truth.visible,
        "widths": [image.width for image in question.images],
        "heights": [image.height for image in question.images],
        "sources": sorted({panel.source.digest for panel in shown}),
        "slices": list(example.slices.items()),
    }


def _write_masks(parts: Path, folder: Path) -> None:
    """Each mask once, where it stood first. Kept in memory: 8 bytes a mask, and the ids of those that stand in several shards."""
    decoder = msgspec.json.Decoder(StoredMask)
    keys = np.fromiter((_key(decoder.decode(line).id) for line in _lines(parts, "masks")), np.uint64)
    keys.sort()
    again = set(np.unique(keys[1:][keys[1:] == keys[:-1]]).tolist())
    del keys
    seen: set[str] = set()

    def lines() -> Iterator[bytes]:
        for line in _lines(parts, "masks"):
            name = decoder.decode(line).id
            if _key(name) not in again:
                yield line
            elif name not in seen:
                seen.add(name)
                yield line

    with whole_file(folder / "masks-00000.jsonl") as file:
        file.writelines(lines())


def _key(mask: str) -> int:
    """The first 64 bits of a mask's hash."""
    return int(mask[:16], 16)


def _write_sources(parts: Path, folder: Path) -> None:
    """The recordings of the clips, none of scenes and questions."""
    lines = _lines(parts, "sources")
    first = next(lines, None)
    if first is not None:
        with whole_file(folder / "sources.jsonl") as file:
            file.write(first)
            file.writelines(lines)


def _write_ledger(parts: Path, folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Returns the numbers dropped and altered per reason."""
    counts: dict[str, Counter[str]] = {"dropped": Counter(), "altered": Counter()}
    decoder = msgspec.json.Decoder(LedgerEntry)
    with whole_file(folder / "ledger.jsonl") as file:
        for line in _lines(parts, "ledger"):
            entry = decoder.decode(line)
            counts[entry.action][entry.reason] += 1
            file.write(line)
    return counts["dropped"], counts["altered"]


def _lines(parts: Path, kind: str) -> Iterator[bytes]:
    for path in sorted(parts.glob(f"*.{kind}.jsonl")):
        with path.open("rb") as file:
            yield from file


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
