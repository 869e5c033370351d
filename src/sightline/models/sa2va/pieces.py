"""A sentencepiece model file (`tokenizer.model`), read without sentencepiece: its pieces, their scores, how text is prepared.

The file is a protocol buffer (`sentencepiece_model.proto` of google/sentencepiece). Fields that are read, by number:

    1 pieces (repeated)    1 piece, 2 score, 3 kind: 1 normal (the default), 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
    2 trainer_spec         3 model_type: 1 unigram (the default), 2 BPE, 3 words, 4 letters
    3 normalizer_spec      2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces (both true where they are missing)
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import InputError

MAX_BYTES = 64 * 2**20
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
UNIGRAM, BPE = 1, 2
_VARINT, _LONG, _BYTES, _WORD = 0, 1, 2, 5


@dataclass(frozen=True)
class Piece:
    """`text` has U+2581 for a space. Of two pieces the one with the higher `score` is merged first."""

    text: str
    score: float = 0.0
    kind: int = NORMAL


@dataclass(frozen=True)
class PieceModel:
    """Pieces by id; `kind` is how they are put together.

    Attributes:
        replaces: characters of the text are replaced by others first (NFKC and the like).
        dummy_prefix: a text begins with a space of its own.
        drops_spaces: of spaces in a row one is left, at the ends none.
    """

    pieces: tuple[Piece, ...]
    kind: int = UNIGRAM
    replaces: bool = False
    dummy_prefix: bool = True
    drops_spaces: bool = True


def read_pieces(path: Path) -> PieceModel:
    """The model in a file.

    Raises:
        FileNotFoundError: no such file.
        InputError: too large, or no sentencepiece model; the message names the file.
    """
    if (size := path.stat().st_size) > MAX_BYTES:
        raise InputError(f"{path}: a sentencepiece model of {size:,} bytes; at most {MAX_BYTES:,} are read.")
    try:
        return _model(path.read_bytes())
    except (ValueError, TypeError, struct.error) as error:
        raise InputError(f"{path}: no sentencepiece model, or cut short ({error}). Download it again.") from error


def _model(raw: bytes) -> PieceModel:
    pieces: list[Piece] = []
    trainer: dict[int, int | bytes] = {}
    normalizer: dict[int, int | bytes] = {}
    for field, value in _fields(raw):
        if field == 1:
            pieces.append(_piece(dict(_fields(_as_bytes(value)))))
        elif field == 2:
            trainer = dict(_fields(_as_bytes(value)))
        elif field == 3:
            normalizer = dict(_fields(_as_bytes(value)))
    if not pieces:
        raise ValueError("no pieces in it")
    return PieceModel(
        pieces=tuple(pieces),
        kind=_as_int(trainer.get(3, UNIGRAM)),
        replaces=bool(_as_bytes(normalizer.get(2, b""))),
        dummy_prefix=bool(normalizer.get(3, 1)),
        drops_spaces=bool(normalizer.get(4, 1)),
    )


def _piece(fields: dict[int, int | bytes]) -> Piece:
    score = struct.unpack("<f", _as_bytes(fields.get(2, b"\0" * 4)))[0]
    return Piece(text=_as_bytes(fields[1]).decode(), score=score, kind=_as_int(fields.get(3, NORMAL)))


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a message; of fixed size, they are bytes."""
    place = 0
    while place < len(raw):
        tag, place = _varint(raw, place)
        kind = tag & 7
        if kind == _VARINT:
            value, place = _varint(raw, place)
            yield tag >> 3, value
            continue
        if kind not in (_LONG, _BYTES, _WORD):
            raise ValueError(f"a field of kind {kind} at byte {place}")
        length = {_LONG: 8, _WORD: 4}.get(kind)
        if length is None:
            length, place = _varint(raw, place)
        if place + length > len(raw):
            raise ValueError(f"a field at byte {place} that ends {place + length - len(raw)} bytes behind the end")
        yield tag >> 3, raw[place : place + length]
        place += length


def _varint(raw: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and the place behind it."""
    number = 0
    for shift in range(0, 70, 7):
        if place >= len(raw):
            raise ValueError("a number without an end")
        byte = raw[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
    raise ValueError(f"a number of more than ten bytes at byte {place}")


def _as_bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"a number {value} where bytes are expected")
    return value


def _as_int(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{len(value)} bytes where a number is expected")
    return value
