r"""Pickles of plain containers, strings and numbers, and nothing else: RefCOCO's `refs(*).p`.

    (lp0 (dp1 S'ref_id' p2 I7 sS'split' p3 S'testA' p4 ...      protocol 0, as Python 2 wrote them; 1 to 5 are read as well

A pickle is a program. Before Python's unpickler runs it, this module walks over its instructions once, without running any, and
refuses all but those that make None, True, False, int, float, str, bytes, list, tuple and dict. Names of classes and functions,
calls, attributes, extension codes, persistent ids and outside buffers are refused by name and byte, so nothing can be imported
or called; `find_class` refuses as well. Python 2 strings are read as UTF-8, or as Latin-1 where that fails.

Small files that would grow into large memory are refused too: too many instructions or containers, a memo number far above
the number of memo entries (the unpickler would allocate up to it), a length beyond the end of the file, a long decimal number, and
shared containers whose written-out form has more than `MAX_EXPANDED` values (a list of ten references to a list of ten ...).
Limits against real files: the largest, of RefCOCO, has about 5 million instructions and half a million containers (estimated from
its 142,209 sentences).
"""

import io
import pickle
import pickletools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from sightline.errors import InputError

MAX_BYTES = 512 * 2**20
MAX_OPCODES = 30_000_000
MAX_CONTAINERS = 3_000_000
MAX_EXPANDED = 30_000_000
MAX_DEPTH = 32  # of shared containers
MAX_INTEGER_BYTES = 16
MAX_DIGITS = 40

FIXED = dict.fromkeys(b"(.0]}l)td1aseuN\x88\x89\x85\x86\x87\x94", 0)
FIXED |= {ord("K"): 1, ord("M"): 2, ord("J"): 4, ord("G"): 8, 0x80: 1, 0x95: 8}  # small numbers, PROTO, FRAME
LINES = frozenset(b"ILFSVpg")  # decimal numbers, quoted and raw strings, memo numbers: up to the end of the line
COUNTED = {ord("U"): 1, ord("C"): 1, 0x8C: 1, ord("X"): 4, ord("T"): 4, ord("B"): 4, 0x8D: 8, 0x8E: 8, 0x8A: 1}
NUMBERS = frozenset(b"ILF")
STRINGS = frozenset(b"SVUXTCB\x8c\x8d\x8e")
CONTAINERS = frozenset(b"]}ltd\x85\x86\x87")
MEMO_PUTS = {ord("p"), ord("q"), ord("r"), 0x94}
MEMO_GETS = {ord("g"), ord("h"), ord("j")}
MEMO_WIDTHS = {ord("q"): 1, ord("h"): 1, ord("r"): 4, ord("j"): 4}
LONG1 = 0x8A
STOP = ord(".")
NAMES = {ord(opcode.code): opcode.name for opcode in pickletools.opcodes}


def load_plain(path: Path) -> Any:  # noqa: ANN401 - whatever plain value the file holds
    """What a pickle file holds, if that is plain.

    Raises:
        FileNotFoundError: no such file.
        InputError: too large, damaged, or with an instruction that makes anything but plain values; the message names the byte.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise InputError(f"{path}: a pickle of {size:,} bytes; at most {MAX_BYTES:,} are read.")
    return loads_plain(path.read_bytes(), name=str(path))


def loads_plain(content: bytes, *, name: str) -> Any:  # noqa: ANN401
    """As `load_plain`, of bytes; `name` is for messages."""
    scan = _Scan(content, name)
    scan.run()
    try:
        value = _load(content)
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise InputError(f"{name}: a damaged pickle ({type(error).__name__}: {error}). Fetch the file again.") from error
    if scan.shares_containers:
        _check_expanded(value, name)
    return value


def _load(content: bytes) -> Any:  # noqa: ANN401
    try:
        return _PlainUnpickler(io.BytesIO(content), encoding="utf-8").load()
    except UnicodeDecodeError:
        return _PlainUnpickler(io.BytesIO(content), encoding="latin1").load()


class _PlainUnpickler(pickle.Unpickler):
    """Never reached by a pickle that passed the scan: a second lock on the same door."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"the name {module}.{name}")

    def persistent_load(self, pid: object) -> NoReturn:
        raise pickle.UnpicklingError(f"the persistent id {pid!r}")


@dataclass
class _Scan:
    """One walk over the instructions of a pickle."""

    content: bytes
    name: str
    shares_containers: bool = False
    _memo_of_strings: dict[int, bool] = field(default_factory=dict)
    _num_containers: int = 0

    def run(self) -> None:
        """Raise InputError at the first instruction that is refused."""
        position, last = 0, -1
        content, length = self.content, len(self.content)
        for _ in range(MAX_OPCODES):
            if position >= length:
                raise self._refused(position, "the pickle ends without its STOP")
            opcode = content[position]
            if opcode == STOP:
                return
            end = self._end(opcode, position)
            if opcode in MEMO_PUTS:
                self._put(opcode, position, end, is_string=last in STRINGS)
                opcode = last  # it stays on top
            elif opcode in MEMO_GETS:
                self.shares_containers |= not self._memo_of_strings.get(self._memo_number(opcode, position, end), False)
            elif opcode in CONTAINERS:
                self._num_containers += 1
                if self._num_containers > MAX_CONTAINERS:
                    raise self._refused(position, f"more than {MAX_CONTAINERS:,} lists, tuples and dicts")
            position, last = end, opcode
        raise self._refused(position, f"more than {MAX_OPCODES:,} instructions")

    def _end(self, opcode: int, position: int) -> int:
        """Where the next instruction starts."""
        if opcode in FIXED:
            end = position + 1 + FIXED[opcode]
        elif opcode in COUNTED:
            start = position + 1 + COUNTED[opcode]
            count = int.from_bytes(self.content[position + 1 : start], "little")
            if opcode == LONG1 and count > MAX_INTEGER_BYTES:
                raise self._refused(position, f"a number of {count} bytes")
            end = start + count
        elif opcode in LINES:
            end = self.content.find(b"\n", position) + 1 or len(self.content) + 1
            if opcode in NUMBERS and end - position > MAX_DIGITS:
                raise self._refused(position, f"a number of {end - position - 2} digits")
        elif opcode in MEMO_WIDTHS:
            end = position + 1 + MEMO_WIDTHS[opcode]
        else:
            known = NAMES.get(opcode, f"0x{opcode:02x}")
            raise self._refused(position, f"the instruction {known}, which makes no plain value")
        if end > len(self.content):
            raise self._refused(position, f"the instruction {NAMES[opcode]} reaches beyond the end of the file")
        return end

    def _put(self, opcode: int, position: int, end: int, *, is_string: bool) -> None:
        count = len(self._memo_of_strings)
        number = count if opcode == ord("\x94") else self._memo_number(opcode, position, end)
        if number > count + 1:  # Python 2 counts from 1
            raise self._refused(position, f"memo number {number:,} after {count:,} entries")
        self._memo_of_strings[number] = is_string

    def _memo_number(self, opcode: int, position: int, end: int) -> int:
        argument = self.content[position + 1 : end]
        if opcode in MEMO_WIDTHS:
            return int.from_bytes(argument, "little")
        if not argument.strip().isdigit() or len(argument) > MAX_DIGITS:
            raise self._refused(position, f"the memo number {argument[:20]!r}")
        return int(argument)

    def _refused(self, position: int, what: str) -> InputError:
        return InputError(
            f"{self.name}, byte {position:,}: {what}. Only pickles of plain lists, dicts, strings and numbers are read; get the "
            "file from its publisher, or convert it to JSON where you trust it."
        )


def _check_expanded(value: object, name: str) -> None:
    """Raise InputError if a value written out without sharing would be endless or too large."""
    sizes: dict[int, int] = {}

    def size(item: object, depth: int) -> int:
        if not isinstance(item, list | tuple | dict):
            return 1
        known = sizes.get(id(item))
        if known is None:
            if depth > MAX_DEPTH:
                raise InputError(f"{name}: shared lists or dicts more than {MAX_DEPTH} deep, or one that contains itself.")
            children = [*item.keys(), *item.values()] if isinstance(item, dict) else item
            known = sizes[id(item)] = 1 + sum(size(child, depth + 1) for child in children)
        if known > MAX_EXPANDED:
            raise InputError(f"{name}: lists or dicts that refer to each other and stand for more than {MAX_EXPANDED:,} values.")
        return known

    size(value, 0)
