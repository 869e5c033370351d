"""Pickles that are read, and pickles that would run something or grow without end."""

import contextlib
import io
import pickle
import pickletools
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.datasets.referring import plain_pickle
from sightline.datasets.referring.plain_pickle import load_plain, loads_plain
from sightline.errors import InputError

numbers = st.integers(min_value=-(2**63), max_value=2**63) | st.floats(allow_nan=False) | st.booleans() | st.none()
plain = st.recursive(
    numbers | st.text(),
    lambda child: st.lists(child) | st.dictionaries(st.text(), child) | st.tuples(child, child) | st.tuples(child),
    max_leaves=30,
)


@settings(max_examples=60)
@given(plain, st.integers(min_value=0, max_value=pickle.HIGHEST_PROTOCOL))
def test_plain_values_of_every_protocol_come_back(value: object, protocol: int) -> None:
    assert loads_plain(pickle.dumps(value, protocol=protocol), name="x") == value


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_an_optimised_pickle_and_shared_lists_come_back(protocol: int) -> None:
    shared = ["a", "b"]
    value = {"first": shared, "second": shared, "word": "a"}
    content = pickle.dumps(value, protocol=protocol)
    assert loads_plain(content, name="x") == value
    assert loads_plain(pickletools.optimize(content), name="x") == value


def test_strings_of_python_2_are_utf_8_or_latin_1() -> None:
    assert loads_plain(b"U\x05caf\xc3\xa9.", name="x") == "café"
    assert loads_plain(b"U\x04caf\xe9.", name="x") == "café"
    assert loads_plain(b"S'caf\\xe9'\np1\n.", name="x") == "café"
    assert loads_plain(b"(lp1\nL5L\naI01\naI-3\na.", name="x") == [5, True, -3]  # memo numbers from 1, long and bool as text


class RanError(Exception):
    """Raised by a pickle that got to call something."""


class Calls:
    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return exec, (f"raise __import__({__name__!r}, fromlist=['RanError']).RanError",)


class Plain:
    def __init__(self) -> None:
        self.number = 1


class WithId(pickle.Pickler):
    def persistent_id(self, obj: object) -> str | None:
        return "an id" if obj == "me" else None


def by_id(protocol: int) -> bytes:
    file = io.BytesIO()
    WithId(file, protocol=protocol).dump(["me"])
    return file.getvalue()


HOSTILE = {
    "call, protocol 0": (pickle.dumps(Calls(), protocol=0), "GLOBAL"),
    "call, protocol 2": (pickle.dumps(Calls(), protocol=2), "GLOBAL"),
    "call, protocol 4": (pickle.dumps([1, Calls()], protocol=4), "STACK_GLOBAL"),
    "call in a list": (b"(lp0\ncos\nsystem\n(S'true'\ntRa.", "GLOBAL"),
    "an object": (pickle.dumps(Plain(), protocol=2), "GLOBAL"),
    "an instance of old": (b"(S'x'\ni__main__\nPlain\n.", "INST"),
    "an object of old": (b"(c__main__\nPlain\no.", "GLOBAL"),
    "a call of what is there": (b"N(tR.", "REDUCE"),
    "a state": (b"}}b.", "BUILD"),
    "new object": (b"\x80\x02N)\x81.", "NEWOBJ"),
    "an extension code": (b"\x80\x02\x82\x01.", "EXT1"),
    "an extension code of four bytes": (b"\x80\x02\x84\x01\x00\x00\x00.", "EXT4"),
    "a persistent id as text": (by_id(0), "PERSID"),
    "a persistent id": (by_id(2), "BINPERSID"),
    "an outside buffer": (b"\x80\x05\x97.", "NEXT_BUFFER"),
    "a set": (pickle.dumps({1, 2}, protocol=4), "EMPTY_SET"),
    "bytes that are claimed": (b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b".", "BYTEARRAY8"),
    "a copy of the top": (b"]2a.", "DUP"),
    "no instruction": (b"\xff.", "0xff"),
}


@pytest.mark.parametrize(("content", "instruction"), HOSTILE.values(), ids=HOSTILE.keys())
def test_whatever_makes_more_than_plain_values_is_refused_by_name_before_it_runs(content: bytes, instruction: str) -> None:
    with pytest.raises(InputError, match=rf"refs\.p, byte \d+: the instruction {instruction}, which makes no plain value"):
        loads_plain(content, name="refs.p")


def test_the_call_would_have_run() -> None:
    with pytest.raises(RanError):
        pickle.loads(pickle.dumps(Calls()))  # noqa: S301 - the point of the test


BOMBS = {
    "a memo number far away": (b"]r\xff\xff\xff\x7f.", "memo number 2,147,483,647 after 0 entries"),
    "a memo number far away, as text": (b"]p99999999999999\n.", "memo number 99,999,999,999,999 after 0 entries"),
    "a memo number that is none": (b"]p-1\n.", "the memo number"),
    "a string longer than the file": (b"X\xff\xff\xff\x7fabc.", "reaches beyond the end of the file"),
    "a string longer than any file": (b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.", "reaches beyond the end"),
    "a number of many bytes": (b"\x8a\xff" + b"\x01" * 255 + b".", "a number of 255 bytes"),
    "a number of very many bytes": (b"\x8b\xff\xff\x00\x00.", "LONG4"),
    "a number of many digits": (b"I" + b"9" * 5000 + b"\n.", "a number of 5000 digits"),
    "a line that never ends": (b"S'abc", "reaches beyond the end of the file"),
    "no end": (b"]]]", "ends without its STOP"),
    "nothing": (b"", "ends without its STOP"),
}


@pytest.mark.parametrize(("content", "words"), BOMBS.values(), ids=BOMBS.keys())
def test_whatever_would_take_memory_it_does_not_bring_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        loads_plain(content, name="x")


def test_lists_that_stand_for_endless_many_values_are_refused() -> None:
    value: list[object] = ["a"] * 10
    for _ in range(20):
        value = [value] * 10
    content = pickle.dumps(value)
    assert len(content) < 2000
    with pytest.raises(InputError, match="stand for more than 30,000,000 values"):
        loads_plain(content, name="x")


def test_a_list_in_itself_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(InputError, match="or one that contains itself"):
        loads_plain(pickle.dumps(value), name="x")


def test_too_many_instructions_or_containers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_pickle, "MAX_OPCODES", 50)
    monkeypatch.setattr(plain_pickle, "MAX_CONTAINERS", 20)
    with pytest.raises(InputError, match="more than 50 instructions"):
        loads_plain(pickle.dumps(list(range(60))), name="x")
    with pytest.raises(InputError, match="more than 20 lists, tuples and dicts"):
        loads_plain(b"]" * 21 + b".", name="x")


@pytest.mark.parametrize("content", [b"a.", b"K\x01K\x02a.", b"I1x\n.", b"h\x05.", b"]]}s.", b"."])
def test_a_damaged_pickle_is_an_input_error(content: bytes) -> None:
    with pytest.raises(InputError):
        loads_plain(content, name="x")


@given(st.binary(max_size=60))
def test_no_bytes_do_anything_but_load_or_be_refused(content: bytes) -> None:
    before = set(sys.modules)
    with contextlib.suppress(InputError):
        loads_plain(content, name="x")
    assert set(sys.modules) == before


def test_a_file_above_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "refs.p"
    path.write_bytes(pickle.dumps([1]))
    assert load_plain(path) == [1]
    monkeypatch.setattr(plain_pickle, "MAX_BYTES", 3)
    with pytest.raises(InputError, match="at most 3 are read"):
        load_plain(path)


def test_a_name_is_refused_a_second_time_by_the_unpickler_itself() -> None:
    with pytest.raises(pickle.UnpicklingError, match="the name"):
        plain_pickle._load(pickle.dumps(Calls()))
    with pytest.raises(pickle.UnpicklingError, match="the persistent id"):
        plain_pickle._load(by_id(2))
