"""Expressions for the objects of DAVIS 2017, in the two forms in which they are published.

    Davis17_annot1.txt                  one a line, by one of two annotators: cat-park 1 "a white cat"
    Davis17_annot1_full_video.txt       the same annotator after seeing the whole video, not the first frame alone
    DAVIS17_RE_categorization.csv       sorted by what the words speak of (";", CRLF, one header line):
    video_id;instance_id;ref_exp;ref_exp_difficulty;ref_exp_information;appearance;obj-static;category;location;motion;...
    loading;3;a man on the left with a beard wearing jeans;Non-trivial;Redundant Information;1.0;0.0;1.0;1.0;0.0;0.0;0.0

Objects count from 1. Three sequences are misspelt (`SEQUENCE_NAMES`). In the csv the flags of a row that is no referring expression
are empty. Its sister for A2D (`A2D_RE_categorization.csv`) has the same form, and `A2D_*_new_format_*.txt` three columns, whose
header has commas (`video_id,instance_id,query`) and whose rows have semicolons; objects of A2D count from 0. `read_table` reads
them as well, but A2D's videos have no reader here. Sources: A. Khoreva et al. 2018 (txt), miriambellver/refvos (csv).
"""

import re
from pathlib import Path
from typing import NamedTuple

from sightline.errors import InputError

SEQUENCE_NAMES = {"clasic-car": "classic-car", "dog-scale": "dogs-scale", "motor-bike": "motorbike"}
LINE = re.compile(r'(?P<video>\S+)\s+(?P<object_id>\d{1,3})\s+"(?P<text>.*)"')
FLAGS_FROM = 5  # the column of the csv where the flags start
MAX_BYTES = 64 * 2**20


class SaidOf(NamedTuple):
    """One expression. `kind` is the file's name for its sort; `traits` are the flags that are set."""

    video: str
    object_id: str
    text: str
    kind: str | None = None
    traits: tuple[str, ...] = ()


def read_lines(path: Path) -> list[SaidOf]:
    """A `Davis17_annot*.txt`; the kind is what its name says: "annot1", "annot1_full_video", ...

    Raises:
        InputError: a line of another form.
    """
    kind = path.stem.removeprefix("Davis17_")
    said = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        found = LINE.fullmatch(line.strip())
        if found:
            name = SEQUENCE_NAMES.get(found["video"], found["video"])
            said.append(SaidOf(name, str(int(found["object_id"])), found["text"].strip(), kind))
        elif line.strip():
            raise InputError(f'{path}, line {number}: {line[:80]!r}; expected: sequence object "words".')
    return said


def read_table(path: Path) -> list[SaidOf]:
    """A categorised csv, or a txt of video, object and query; the kind is the csv's difficulty ("Non-trivial", ...).

    Raises:
        InputError: another header, or a row of another form.
    """
    header, *rows = _text(path).splitlines() or [""]
    columns = header.split(";" if ";" in header else ",")
    if columns[:2] != ["video_id", "instance_id"] or columns[2:3] not in (["ref_exp"], ["query"]):
        raise InputError(f"{path}: the header is {header[:80]!r}; expected video_id, instance_id and ref_exp or query.")
    said = []
    for number, row in enumerate(rows, start=2):
        cells = row.split(";", maxsplit=len(columns) - 1)
        if not row.strip():
            continue
        if len(cells) != len(columns) or not cells[1].strip().isdecimal():
            raise InputError(f"{path}, line {number}: {row[:80]!r}; expected {len(columns)} cells, the second a number.")
        traits = tuple(name for name, cell in zip(columns[FLAGS_FROM:], cells[FLAGS_FROM:], strict=True) if cell == "1.0")
        kind = cells[3] if len(cells) > FLAGS_FROM else None
        video = SEQUENCE_NAMES.get(cells[0], cells[0])
        said.append(SaidOf(video, str(int(cells[1])), cells[2].strip(), kind, traits))
    return said


def _text(path: Path) -> str:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise InputError(f"{path}: {size:,} bytes; at most {MAX_BYTES:,} are read.")
    return path.read_bytes().decode("utf-8-sig", errors="replace")
