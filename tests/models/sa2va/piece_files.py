"""sentencepiece models written byte by byte, and text split by their pieces in the plainest way."""

import struct
from collections.abc import Sequence
from itertools import pairwise

from sightline.models.sa2va.pieces import BPE, BYTE, CONTROL, NORMAL, UNKNOWN, USER_DEFINED, Piece

SPACE = "▁"
LETTERS = (SPACE, *"etaoinsrhldcumfpgwybvkSIP.,?\n")
WHOLES = (
    "▁t",
    "he",
    "▁the",
    "in",
    "▁a",
    "▁s",
    "er",
    "re",
    "on",
    "▁▁",
    "▁▁▁▁",
    "▁▁▁",
    "an",
    "▁an",
    "▁and",
    "ment",
    "me",
    "nt",
    "ee",
    "eee",
)


def small_pieces() -> list[Piece]:
    """Marks, bytes, wholes from the most to the least urgent, letters, and two places that are kept free."""
    marks = [Piece("<unk>", kind=UNKNOWN), Piece("<s>", kind=CONTROL), Piece("</s>", kind=CONTROL)]
    letters = [Piece(f"<0x{byte:02X}>", kind=BYTE) for byte in range(256)]
    wholes = [Piece(text, -float(place)) for place, text in enumerate((*WHOLES, *LETTERS))]
    return [*marks, *letters, *wholes, *(Piece(f"[UNUSED_TOKEN_{place}]", kind=USER_DEFINED) for place in range(2))]


def model_bytes(
    pieces: Sequence[Piece], *, kind: int = BPE, charsmap: bytes = b"", dummy_prefix: bool = False, drops_spaces: bool = False
) -> bytes:
    """The file: fields of a protocol buffer, each with its number and kind before it."""
    found = b"".join(_message(1, _piece(piece)) for piece in pieces)
    normalizer = _message(1, b"identity") + (_message(2, charsmap) if charsmap else b"")
    normalizer += _number(3, dummy_prefix) + _number(4, drops_spaces) + _number(5, 1)
    trainer = _message(2, b"some model") + _number(3, kind) + _number(35, 1)  # bytes for what is no piece
    return found + _message(2, trainer) + _message(3, normalizer)


def split_by_scores(text: str, pieces: Sequence[Piece]) -> list[int]:
    """Ids: of all neighbours that make a piece, the best ones are joined, the leftmost of equals, until there are none; what is
    no piece then is bytes."""
    ids = {piece.text: place for place, piece in enumerate(pieces)}
    scores = {piece.text: piece.score for piece in pieces if piece.kind == NORMAL}
    parts = list(text.replace(" ", SPACE))
    while pairs := [(-scores[a + b], place) for place, (a, b) in enumerate(pairwise(parts)) if a + b in scores]:
        _, place = min(pairs)
        parts[place : place + 2] = ["".join(parts[place : place + 2])]
    return [own for part in parts for own in ([ids[part]] if part in scores else [3 + byte for byte in part.encode()])]


def _piece(piece: Piece) -> bytes:
    return (
        _message(1, piece.text.encode()) + b"\x15" + struct.pack("<f", piece.score) + (_number(3, piece.kind) * (piece.kind != 1))
    )


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(int(value))


def _varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])
