"""Samples that cannot be trained on, too long for a row or unreadable: they stop a plan or are left out of it. None is ever cut."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from jaxtyping import Int32, Int64

from sightline.errors import InputError
from sightline.files import write_whole
from sightline.train.vlm.lengths import Counts
from sightline.train.vlm.prefix import beginnings
from sightline.train.vlm.samples import Grouped, Source
from sightline.types import LedgerEntry

Policy = Literal["stop", "drop"]
POLICIES: tuple[Policy, ...] = ("stop", "drop")


@dataclass(frozen=True)
class Table:
    """What a plan knows of a source: the tokens of each sample, 0 where it cannot be read (`reason` says why), and their ids;
    `groups` are numbers, the same for samples that show the same pictures, None where each is by itself. `repeated`: the tokens of
    a sample behind another of its group, None where it has all of them there too."""

    name: str
    tokens: Int32[np.ndarray, " n"]
    fingerprint: str
    id_of: Callable[[int], str]
    reason: Callable[[int], str] = str
    groups: Int64[np.ndarray, " n"] | None = None
    repeated: Int32[np.ndarray, " n"] | None = None

    @classmethod
    def of(cls, source: Source, counts: Counts, *, grouped: bool = False, shared: bool = False) -> "Table":
        """The table of a counted source; `grouped`: with the groups of a source that has any; `shared`: with its beginnings."""
        if shared:
            repeated = np.where(counts.media > 0, counts.tokens - counts.media, counts.tokens).astype(np.int32)
            groups = beginnings(source)
            return cls(
                source.name,
                counts.tokens,
                counts.fingerprint,
                lambda position: _id_of(source, position),
                counts.bad.__getitem__,
                groups,
                repeated,
            )
        return cls(
            source.name,
            counts.tokens,
            counts.fingerprint,
            lambda position: _id_of(source, position),
            counts.bad.__getitem__,
            source.groups() if grouped and isinstance(source, Grouped) else None,
        )


@dataclass(frozen=True)
class Admitted:
    """The positions that stay, a list a source, and what was left out."""

    positions: tuple[Int64[np.ndarray, " _"], ...]
    dropped: tuple[LedgerEntry, ...]

    def write_ledger(self, path: Path) -> None:
        """What was left out, one JSON line each."""
        write_whole(path, b"".join(msgspec.json.encode(entry) + b"\n" for entry in self.dropped))


def admit(
    tables: Sequence[Table], positions: Sequence[Int64[np.ndarray, " _"]], *, most_tokens: int, policy: Policy = "stop"
) -> Admitted:
    """Leave out what has no tokens or more than `most_tokens`, or stop there.

    Raises:
        InputError: with "stop", a table of the sources with such samples: how many, the longest, and its id. In any case, where
            nothing stays of a source, or the policy is none.
    """
    if policy not in POLICIES:
        raise InputError(f"on_bad_sample={policy}: expected one of {', '.join(POLICIES)}.")
    lines, kept, entries = [], [], []
    for table, chosen in zip(tables, positions, strict=True):
        tokens = table.tokens[chosen]
        good = (tokens > 0) & (tokens <= most_tokens)
        refused = chosen[~good]
        kept.append(chosen[good])
        if not refused.size:
            continue
        lines.append(_line(table, refused))
        if policy == "drop":
            entries += [_entry(table, int(position), most_tokens) for position in refused]
        if not good.any():
            raise InputError(_message([lines[-1]], most_tokens, f"Nothing is left of {table.name}."))
    if lines and policy == "stop":
        raise InputError(_message(lines, most_tokens, "Or leave them out, with a ledger: on_bad_sample=drop."))
    return Admitted(tuple(kept), tuple(entries))


def _message(lines: list[tuple[str, str, str, str, str]], most_tokens: int, remedy: str) -> str:
    header = ("source", "too long", "unreadable", "longest", "its id, or the first reason")
    widths = [max(len(row[column]) for row in (header, *lines)) for column in range(len(header))]
    table = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (header, *lines)
    )
    return (
        f"samples that cannot be trained on (a row has room for {most_tokens:,} tokens, and no sample is cut):\n{table}\nRaise "
        f"data.tokens_per_sample, lower data.max_pixels or data.max_frames, or mend the files. {remedy}"
    )


def _line(table: Table, refused: Int64[np.ndarray, " n"]) -> tuple[str, str, str, str, str]:
    tokens = table.tokens[refused]
    num_long = int((tokens > 0).sum())
    longest = int(refused[np.argmax(tokens)])
    what = table.id_of(longest) if num_long else table.reason(int(refused[0]))
    return table.name, f"{num_long:,}", f"{refused.size - num_long:,}", f"{int(tokens.max()):,}", what


def _entry(table: Table, position: int, most_tokens: int) -> LedgerEntry:
    tokens = int(table.tokens[position])
    if tokens == 0:
        return LedgerEntry(unit=f"{table.name}#{position}", reason="unreadable", detail=table.reason(position))
    return LedgerEntry(
        unit=table.id_of(position), reason="too_long", detail=f"{table.name}: {tokens} tokens, at most {most_tokens}"
    )


def _id_of(source: Source, position: int) -> str:
    return source[position].id
