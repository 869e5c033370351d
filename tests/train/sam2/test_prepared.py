"""What was made ready is kept up to a number of bytes."""

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")

from sightline.train.sam2.prepared import Prepared  # noqa: E402


def made_of(calls: list[str], key: str, numbers: int = 4):
    def make():
        calls.append(key)
        return torch.zeros(numbers)  # 4 bytes each

    return make


def test_the_least_recently_used_goes_first():
    kept, calls = Prepared(32), []
    for key in ("a", "b", "a", "c", "a", "b"):  # room for two: c puts out b, which then puts out c
        kept.get(key, made_of(calls, key))
    assert calls == ["a", "b", "c", "b"]
    assert kept.num_bytes == 32


def test_nothing_is_kept_without_room_and_nothing_larger_than_all_room():
    none, some, calls = Prepared(0), Prepared(8), []
    for _ in range(2):
        none.get("a", made_of(calls, "a"))
        some.get("b", made_of(calls, "b"))
    assert calls == ["a", "b", "a", "b"]
    assert none.num_bytes == some.num_bytes == 0
